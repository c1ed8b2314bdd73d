/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-create -- make a store with an interpreter in it.  */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "progress.h"
#include "source.h"
#include "workspace/workspace.h"

enum
{
  OPTION_BUNDLE = 256,
  OPTION_FORCE,
  OPTION_FROM,
  OPTION_HISTORY,
  OPTION_LIBGUILE,
  OPTION_POLICY,
  OPTION_RESERVE,
  OPTION_TABLE
};

static struct cs_create_params params;
static const char **from;
static char *bundle, *history, *reserve;

static struct poptOption options[] = {
  { "bundle", 0, POPT_ARG_STRING, &bundle, OPTION_BUNDLE,
    "Carry Guile's modules and libraries (all), libraries, or none", "WHAT" },
  { "force", 0, POPT_ARG_NONE, NULL, OPTION_FORCE,
    "Replace STORE if it exists", NULL },
  { "from", 0, POPT_ARG_ARGV, &from, OPTION_FROM,
    "Start with the contents of another store, or of backups",
    "SOURCE[@GENERATION]" },
  { "history", 0, POPT_ARG_STRING, &history, OPTION_HISTORY,
    "Keep so many older generations (8)", "NUMBER" },
  { "libguile", 0, POPT_ARG_STRING, &params.libguile, OPTION_LIBGUILE,
    "Take the interpreter from FILE, not the system's", "FILE" },
  { "policy", 0, POPT_ARG_STRING, &params.policy, OPTION_POLICY,
    "Use the policy in FILE, not the built-in one", "FILE" },
  { "reserve", 0, POPT_ARG_STRING, &reserve, OPTION_RESERVE,
    "Reserve this much address space, e.g. 64G", "SIZE" },
  { "table", 0, POPT_ARG_STRING, &params.table, OPTION_TABLE,
    "Use a trampoline table made by cs-intern", "FILE" },
  POPT_TABLEEND
};

/* A clone has the interpreter, the policy, the region and the length of
   history of its source.  A table is of the libraries that the policy
   carries.  */
static const int exclusive[][CS_CMD_EXCLUSIVE_MAX] = {
  { OPTION_BUNDLE, OPTION_FROM },
  { OPTION_BUNDLE, OPTION_TABLE },
  { OPTION_FROM, OPTION_HISTORY },
  { OPTION_FROM, OPTION_LIBGUILE },
  { OPTION_FROM, OPTION_POLICY },
  { OPTION_FROM, OPTION_RESERVE },
  { OPTION_FROM, OPTION_TABLE },
  { 0 }
};

static const struct cs_cmd command = {
  .name = "cs-create",
  .operands = "STORE",
  .summary = "Make a workspace for Guile in the file STORE.",
  .options = options,
  .exclusive = exclusive,
  .min_operands = 1,
  .max_operands = 1,
  .ends_at_once = true          /* an interpreter may be loaded in part */
};

static void
refuse_terminal (const char *source)
{
  struct cs_err err = CS_ERR_INIT;

  if (strcmp (source, "-") != 0 || !isatty (STDIN_FILENO))
    return;
  cs_err_set (&err, CS_E_REFUSED, "cannot read a backup from a terminal");
  cs_err_advise (&err, "redirect standard input, or name a file");
  cs_cmd_fail (&err);
}

/* A store may have a generation with its name, backups have not.  */
static void
set_source (void)
{
  struct cs_source source;

  params.from = from;
  for (int i = 0; from[i]; i++)
    refuse_terminal (from[i]);
  if (cs_backup_recognize (from[0]))
    return;
  source = cs_source_parse (from[0]);
  from[0] = source.path;
  params.from_generation = source.generation;
}

static enum cs_bundle
bundle_wanted (void)
{
  static const char *const words[] = { "all", "libraries", "none" };

  for (size_t i = 0; bundle && i < sizeof words / sizeof *words; i++)
    if (strcmp (bundle, words[i]) == 0)
      return (enum cs_bundle) i;
  if (bundle)
    cs_cmd_misuse ("option '--bundle': '%s' is not all, libraries or none",
                   bundle);
  return CS_BUNDLE_ALL;
}

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  const char *store = line->operands[0];
  uint32_t kept = (uint32_t) cs_cmd_number (OPTION_HISTORY, history, 0,
                                            UINT32_MAX);
  struct cs_err err = CS_ERR_INIT;

  if (from)
    set_source ();
  params.bundle = bundle_wanted ();
  params.history = history ? &kept : NULL;
  params.progress = cs_progress_show;
  params.reserve = cs_cmd_size (OPTION_RESERVE, reserve);
  params.force = cs_cmd_given (OPTION_FORCE);
  params.warn = cs_cmd_warn;
  params.diagnose = cs_cmd_diagnose;
  /* Writing beyond RLIMIT_FSIZE is an error like any other.  */
  signal (SIGXFSZ, SIG_IGN);
  cs_workspace_create (store, &params, &err);
  cs_progress_end ();
  if (err.code == -CS_E_MISUSE) /* the policy's errors have been printed */
    cs_cmd_exit (cs_err_status (err.code));
  if (err.code != 0)
    cs_cmd_fail (&err);
  cs_cmd_note ("made '%s'", store);
  cs_cmd_exit (0);
}
