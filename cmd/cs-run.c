/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-run -- resume a workspace and run Guile in it.

   Everything after STORE is Guile's, and this command has long options only: a
   new one cannot clash with one of Guile's.  */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "creation.h"
#include "intern/policy.h"
#include "run-create.h"
#include "workspace/guile-line.h"
#include "workspace/workspace.h"

#define OWN_STATUS 125

/* What a thread needs at the very least; Guile itself wants far more.  */
#define STACK_MIN (256 * 1024)

enum
{
  OPTION_BESIDE = CS_CREATION_END,
  OPTION_CHANGED_FILES,
  OPTION_CHECKPOINT_EVERY,
  OPTION_CREATE,
  OPTION_EPHEMERAL,
  OPTION_GENERATION,
  OPTION_HISTORY,
  OPTION_INHERIT,
  OPTION_NO_HOOKS,
  OPTION_NO_SAVE,
  OPTION_SAVE,
  OPTION_STACK_SIZE,
  OPTION_WAIT
};

#define INHERIT "inherit"
#define HELD_SIGNALS "held-signals"

static char *changed_files, *checkpoint_every, *generation, *held_signals,
  *history, *inherit, *save, *stack_size, *waiting_time;

static struct poptOption options[] = {
  { "beside", 0, POPT_ARG_NONE, NULL, OPTION_BESIDE,
    "Find STORE in the directory of the script", NULL },
  { "changed-files", 0, POPT_ARG_STRING, &changed_files, OPTION_CHANGED_FILES,
    "For ports on files that are not the same any more: reopen, "
    "reopen-at-end, close or fail", "RULE" },
  { "checkpoint-every", 0, POPT_ARG_STRING, &checkpoint_every,
    OPTION_CHECKPOINT_EVERY, "Save again and again while Guile runs, e.g. 30s",
    "TIME" },
  { "create", 0, POPT_ARG_NONE, NULL, OPTION_CREATE,
    "Make STORE first if it does not exist", NULL },
  { "ephemeral", 0, POPT_ARG_NONE, NULL, OPTION_EPHEMERAL,
    "Take no lock and never write to STORE", NULL },
  { "generation", 0, POPT_ARG_STRING, &generation, OPTION_GENERATION,
    "Run an older generation; implies --ephemeral", "NUMBER" },
  { "history", 0, POPT_ARG_STRING, &history, OPTION_HISTORY,
    "Keep so many older generations from now on", "NUMBER" },
  /* Given by execute_again() only.  */
  { INHERIT, 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, &inherit,
    OPTION_INHERIT, NULL, NULL },
  { HELD_SIGNALS, 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN,
    &held_signals, 0, NULL, NULL },
  { "no-hooks", 0, POPT_ARG_NONE, NULL, OPTION_NO_HOOKS,
    "Run none of the hooks of the workspace", NULL },
  { "no-save", 0, POPT_ARG_NONE, NULL, OPTION_NO_SAVE,
    "Leave without a checkpoint", NULL },
  { "save", 0, POPT_ARG_STRING, &save, OPTION_SAVE,
    "At the end of this run, save: success, always, never or ask", "POLICY" },
  { "stack-size", 0, POPT_ARG_STRING, &stack_size, OPTION_STACK_SIZE,
    "Stack of the thread that runs Guile, e.g. 64M", "SIZE" },
  { "wait", 0, POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL, &waiting_time,
    OPTION_WAIT, "Wait for another process that holds STORE", "TIME" },
  { NULL, 0, POPT_ARG_INCLUDE_TABLE, cs_creation_options, 0,
    "How --create makes STORE, as for cs-create:", NULL },
  POPT_TABLEEND
};

/* What is never saved has no history, and is not saved meanwhile either.  */
static const int exclusive[][CS_CMD_EXCLUSIVE_MAX] = {
  { OPTION_EPHEMERAL, OPTION_HISTORY },
  { OPTION_GENERATION, OPTION_HISTORY },
  { OPTION_NO_SAVE, OPTION_HISTORY },
  { OPTION_EPHEMERAL, OPTION_CHECKPOINT_EVERY },
  { OPTION_GENERATION, OPTION_CHECKPOINT_EVERY },
  { OPTION_NO_SAVE, OPTION_CHECKPOINT_EVERY },
  { OPTION_CREATE, OPTION_GENERATION },
  { OPTION_EPHEMERAL, OPTION_SAVE },
  { OPTION_GENERATION, OPTION_SAVE },
  { OPTION_NO_SAVE, OPTION_SAVE },
  CS_CREATION_EXCLUSIVE,
  { 0 }
};

static const char *const optional_arguments[] = { "--wait", NULL };

/* --ephemeral with --no-save is allowed: the first implies the second.  */
static const struct cs_cmd command = {
  .name = "cs-run",
  .operands = "STORE [GUILE-OPTION...]",
  .summary = "Resume the workspace in STORE; what follows is for Guile.",
  .options = options,
  .optional_arguments = optional_arguments,
  .exclusive = exclusive,
  .min_operands = 1,
  .max_operands = -1,
  .operands_end_options = true,
  .ends_at_once = true,         /* an interpreter may be loaded in part */
  .own_status = OWN_STATUS
};

/* Guile's argument vector: our name, then all operands after STORE, taken
   from the end of our own argv, where they lie untouched.  */
static char **
guile_arguments (int argc, char **argv, int nr)
{
  char **guile = argv + argc - nr - 1;

  guile[0] = argv[0];
  return guile;
}

/* Our own words on the command line, from the name to the last option.  */
static struct
{
  char **words;
  int nr;
} own;

/* What was inherited by the program that executed this one is none of its
   successor's business.  */
static bool
is_inherit (const char *word)
{
  static const char *const given[] = {
    "--" INHERIT "=", "--" HELD_SIGNALS "="
  };

  for (size_t i = 0; i < sizeof given / sizeof *given; i++)
    if (strncmp (word, given[i], strlen (given[i])) == 0)
      return true;
  return false;
}

static size_t
count (char *const *list)
{
  size_t nr = 0;

  while (list[nr])
    nr++;
  return nr;
}

/* An option that is given twice has its last value, which is the same for
   --generation.  */
static int
execute_again (const struct cs_again *again)
{
  size_t nr = 0, room = (size_t) own.nr + count (again->arguments) + 5;
  char inherit_word[64], held_word[64], generation_word[64];
  char **words = calloc (room, sizeof *words);
  int code;

  if (!words)
    return -ENOMEM;
  words[nr++] = own.words[0];
  snprintf (inherit_word, sizeof inherit_word, "--" INHERIT "=%d",
            again->descriptor);
  words[nr++] = inherit_word;
  snprintf (held_word, sizeof held_word, "--" HELD_SIGNALS "=%" PRIx64,
            again->held_signals);
  words[nr++] = held_word;
  snprintf (generation_word, sizeof generation_word,
            "--generation=%" PRIu64, again->generation);
  if (again->generation > 0)
    words[nr++] = generation_word;
  for (int i = 1; i < own.nr; i++)
    if (!is_inherit (own.words[i]))
      words[nr++] = own.words[i];
  words[nr++] = (char *) again->store;
  for (size_t i = 0; again->arguments[i]; i++)
    words[nr++] = again->arguments[i];
  execv ("/proc/self/exe", words);
  if (errno == ENOENT)
    execv ((const char *) getauxval (AT_EXECFN), words);
  code = -errno;
  free (words);
  return code;
}

static enum cs_policy_files
files_rule (void)
{
  enum cs_policy_files rule = CS_POLICY_FILES_NONE;

  if (!changed_files)
    return rule;
  rule = cs_policy_files_parse (changed_files, strlen (changed_files));
  if (rule == CS_POLICY_FILES_NONE)
    cs_cmd_misuse ("option '--changed-files': '%s' is not reopen,"
                   " reopen-at-end, close or fail", changed_files);
  return rule;
}

static size_t
stack_len (void)
{
  uint64_t len = cs_cmd_size (OPTION_STACK_SIZE, stack_size);

  if (len > 0 && len < STACK_MIN)
    cs_cmd_misuse ("option '--stack-size': '%s' is less than %d KiB",
                   stack_size, STACK_MIN / 1024);
  if (len > SIZE_MAX / 2)
    cs_cmd_misuse ("option '--stack-size': '%s' is too large", stack_size);
  return len;
}

/* As guile(1): the locale of the environment, unless GUILE_INSTALL_LOCALE is
   0.  */
static void
install_locale (void)
{
  const char *install = getenv ("GUILE_INSTALL_LOCALE");

  if (install && install[0] && strtol (install, NULL, 10) == 0)
    return;
  if (!setlocale (LC_ALL, ""))
    cs_cmd_warn ("failed to install locale");
}

static void
note (const char *event, const char *text)
{
  cs_cmd_note ("%s: %s", event, text);
}

static bool
may_only_read (const char *store)
{
  return faccessat (AT_FDCWD, store, R_OK, AT_EACCESS) == 0
         && faccessat (AT_FDCWD, store, W_OK, AT_EACCESS) != 0;
}

static void
report (const struct cs_err *err)
{
  cs_cmd_report (err);
}

static bool
is_missing (const char *store)
{
  return faccessat (AT_FDCWD, store, F_OK, 0) != 0 && errno == ENOENT;
}

/* An option of ours, spelled as the user did?  Not one that Guile has too.  */
static bool
is_own (const char *word)
{
  size_t len = strcspn (word, "=");

  for (int val = CS_CREATION_BUNDLE; val <= OPTION_WAIT; val++)
    {
      const char *name = cs_cmd_option_name (val);

      if (strlen (name) == len && strncmp (name, word, len) == 0)
        return true;
    }
  return false;
}

/* Behind STORE, Guile would print its usage for an option of ours.  */
static void
check_places (const char *store, char *const *words)
{
  const char *word = cs_guile_line_find (words, is_own);

  if (word)
    cs_cmd_misuse ("option '%s' is one of cs-run: write it before '%s'", word,
                   store);
}

/* The store in the directory where the script lies that the words run, links
   followed.  Kept for good.  */
static const char *
find_beside (const char *store, char *const *words)
{
  const char *script = cs_guile_line_script (words);
  struct cs_err err = CS_ERR_INIT;
  char *real, *slash, *found;

  if (!script)
    cs_cmd_misuse ("option '--beside' needs a script");
  if (store[0] == '/')
    return store;
  real = realpath (script, NULL);
  if (!real)
    {
      cs_err_sys (&err, errno, "cannot find '%s'", script);
      cs_cmd_fail (&err);
    }
  slash = strrchr (real, '/');
  if (asprintf (&found, "%.*s/%s", (int) (slash - real), real, store) < 0)
    {
      cs_err_sys (&err, ENOMEM, "cannot name '%s'", store);
      cs_cmd_fail (&err);
    }
  free (real);
  return found;
}

#define PAUSE_MIN_MS 5
#define PAUSE_MAX_MS 200

static uint64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void
pause_ms (uint64_t ms)
{
  struct timespec pause = { (time_t) (ms / 1000), (long) (ms % 1000) * 1000000 };

  nanosleep (&pause, NULL);
}

/* Try for LIMIT milliseconds, or without an end if it is 0.  Nothing tells
   when the holder ends, which may be on another host.  */
static void
run_when_free (const char *store, const struct cs_run_params *params,
               uint64_t limit, struct cs_err *err)
{
  uint64_t start = now_ms (), pause = PAUSE_MIN_MS, spent = 0;
  bool told = false;

  while (cs_workspace_run (store, params, err) == -CS_E_HELD
         && (limit == 0 || spent < limit))
    {
      if (!told && isatty (STDERR_FILENO))
        cs_cmd_warn (err->text);
      told = true;
      pause_ms (limit && limit - spent < pause ? limit - spent : pause);
      pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
      spent = now_ms () - start;
      *err = (struct cs_err) CS_ERR_INIT;
    }
}

static void
advise (const char *store, bool ephemeral, struct cs_err *err)
{
  if (is_missing (store))
    cs_err_advise (err, "make it with cs-create, or let cs-run make it: "
                   "--create");
  else if (!ephemeral && (err->code == -CS_E_HELD || may_only_read (store)))
    cs_err_advise (err, "use it without saving, if that is enough: "
                   "--ephemeral%s", err->code == -CS_E_HELD
                   ? "; or wait for the other process: --wait" : "");
}

int
main (int argc, char **argv)
{
  struct cs_err err = CS_ERR_INIT;
  int meta = cs_guile_line_expand (&argc, &argv, &err);
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  uint32_t kept = (uint32_t) cs_cmd_number (OPTION_HISTORY, history, 0,
                                            UINT32_MAX);
  const char *store = line->operands[0];
  uint64_t limit = waiting_time && *waiting_time
                   ? cs_cmd_time (OPTION_WAIT, waiting_time) : 0;
  struct cs_run_params params = {
    .ephemeral = cs_cmd_given (OPTION_EPHEMERAL)
                 || cs_cmd_given (OPTION_GENERATION),
    .generation = cs_cmd_number (OPTION_GENERATION, generation, 1,
                                 INT64_MAX),
    .history = history ? &kept : NULL,
    .inherited = (int) cs_cmd_number (OPTION_INHERIT, inherit, 3, INT_MAX),
    .held_signals = held_signals ? strtoull (held_signals, NULL, 16) : 0,
    .checkpoint_ms = cs_cmd_time (OPTION_CHECKPOINT_EVERY, checkpoint_every),
    .no_hooks = cs_cmd_given (OPTION_NO_HOOKS),
    .save = cs_creation_save (OPTION_SAVE, save),
    .no_save = cs_cmd_given (OPTION_NO_SAVE),
    .execute_again = execute_again,
    .note = line->verbose ? note : NULL,
    .warn = cs_cmd_warn,
    .stack_len = stack_len (),
    .changed_files = files_rule (),
    .argc = line->nr_operands,
    .argv = guile_arguments (argc, argv, line->nr_operands - 1),
    .failed = report,
    .failed_status = OWN_STATUS,
    .damaged_status = OWN_STATUS
  };

  if (meta != 0)
    cs_cmd_fail (&err);
  own.words = argv;
  own.nr = argc - line->nr_operands;
  check_places (store, params.argv + 1);
  if (cs_cmd_given (OPTION_BESIDE))
    store = find_beside (store, params.argv + 1);
  if (cs_cmd_given (OPTION_CREATE))
    {
      if (is_missing (store))
        cs_run_create (store, params.history, OWN_STATUS);
    }
  else if (cs_creation_given ())
    cs_cmd_misuse ("option '%s' needs '--create'", cs_creation_given ());
  install_locale ();
  cs_cmd_null_standard ();
  if (cs_cmd_given (OPTION_WAIT))
    run_when_free (store, &params, limit, &err);
  else
    cs_workspace_run (store, &params, &err);
  advise (store, params.ephemeral, &err);
  cs_cmd_fail (&err);
}
