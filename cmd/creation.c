/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* creation.c -- the options that say how a store is made.  */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "creation.h"
#include "progress.h"
#include "source.h"

static const char **from;
static char *bundle, *libguile, *policy, *reserve, *table;

struct poptOption cs_creation_options[] = {
  { "bundle", 0, POPT_ARG_STRING, &bundle, CS_CREATION_BUNDLE,
    "Carry Guile's modules and libraries (all), libraries, or none", "WHAT" },
  { "from", 0, POPT_ARG_ARGV, &from, CS_CREATION_FROM,
    "Start with the contents of another store, or of backups",
    "SOURCE[@GENERATION]" },
  { "libguile", 0, POPT_ARG_STRING, &libguile, CS_CREATION_LIBGUILE,
    "Take the interpreter from FILE, not the system's", "FILE" },
  { "policy", 0, POPT_ARG_STRING, &policy, CS_CREATION_POLICY,
    "Use the policy in FILE, not the built-in one", "FILE" },
  { "reserve", 0, POPT_ARG_STRING, &reserve, CS_CREATION_RESERVE,
    "Reserve this much address space, e.g. 64G", "SIZE" },
  { "table", 0, POPT_ARG_STRING, &table, CS_CREATION_TABLE,
    "Use a trampoline table made by cs-intern", "FILE" },
  POPT_TABLEEND
};

const char *
cs_creation_given (void)
{
  for (int val = CS_CREATION_BUNDLE; val < CS_CREATION_END; val++)
    if (cs_cmd_given (val))
      return cs_cmd_option_name (val);
  return NULL;
}

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
set_source (struct cs_create_params *params)
{
  struct cs_source source;

  params->from = from;
  for (int i = 0; from[i]; i++)
    refuse_terminal (from[i]);
  if (cs_backup_recognize (from[0]))
    return;
  source = cs_source_parse (from[0]);
  from[0] = source.path;
  params->from_generation = source.generation;
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

enum cs_save
cs_creation_save (int val, const char *name)
{
  enum cs_save save = name ? cs_save_parse (name) : CS_SAVE_STORED;

  if (name && save == CS_SAVE_STORED)
    cs_cmd_misuse ("option '%s': '%s' is not success, always, never or ask",
                   cs_cmd_option_name (val), name);
  return save;
}

struct cs_create_params
cs_creation_params (void)
{
  struct cs_create_params params = {
    .policy = policy,
    .table = table,
    .libguile = libguile,
    .bundle = bundle_wanted (),
    .reserve = cs_cmd_size (CS_CREATION_RESERVE, reserve),
    .progress = cs_progress_show,
    .warn = cs_cmd_warn,
    .diagnose = cs_cmd_diagnose
  };

  if (from)
    set_source (&params);
  return params;
}

/* Writing beyond RLIMIT_FSIZE is an error like any other.  */
int
cs_creation_make (const char *store, const struct cs_create_params *params,
                  struct cs_err *err)
{
  signal (SIGXFSZ, SIG_IGN);
  cs_workspace_create (store, params, err);
  cs_progress_end ();
  return err->code;
}
