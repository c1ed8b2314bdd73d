/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* save-policy.c -- is the workspace saved at the end of a run?  */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"
#include "workspace/save-policy.h"
#include "workspace/state.h"

static const char *const names[] = {
  [CS_SAVE_SUCCESS] = "success", [CS_SAVE_ALWAYS] = "always",
  [CS_SAVE_NEVER] = "never", [CS_SAVE_ASK] = "ask"
};

enum cs_save
cs_save_parse (const char *name)
{
  for (size_t i = CS_SAVE_SUCCESS; i < sizeof names / sizeof *names; i++)
    if (strcmp (names[i], name) == 0)
      return (enum cs_save) i;
  return CS_SAVE_STORED;
}

/* Stores of 0.1.0 have a 0 here, and a damaged one may have anything.  */
static enum cs_save
stored (void)
{
  uint32_t policy = cs_workspace.image->save_policy;

  return policy > CS_SAVE_STORED && policy < sizeof names / sizeof *names
         ? (enum cs_save) policy : CS_SAVE_SUCCESS;
}

const char *
cs_save_policy_name (void)
{
  return names[stored ()];
}

bool
cs_save_policy_set (const char *name)
{
  enum cs_save policy = cs_save_parse (name);

  if (policy != CS_SAVE_STORED)
    cs_workspace.image->save_policy = policy;
  return policy != CS_SAVE_STORED;
}

void
cs_save_policy_create (enum cs_save policy)
{
  cs_workspace.image->save_policy = policy;
}

static uint64_t
generation (void)
{
  return cs_store_superblock (cs_process.store)->generation;
}

static void
tell (const char *why, const char *advice)
{
  char text[512];

  if (!cs_workspace.params->warn)
    return;
  snprintf (text, sizeof text, "not saved: %s; the workspace stays as it was in"
            " generation %" PRIu64 "\n%s", why, generation (), advice);
  cs_workspace.params->warn (text);
}

/* No answer is a yes: it loses nothing.  */
static bool
user_wants_to_save (void)
{
  char answer[64];
  ssize_t len;

  if (!isatty (STDIN_FILENO) || !isatty (STDERR_FILENO))
    return true;
  dprintf (STDERR_FILENO, "Save the workspace? [Y/n] ");
  len = read (STDIN_FILENO, answer, sizeof answer);
  if (len <= 0)
    dprintf (STDERR_FILENO, "\n");
  return len <= 0 || (answer[0] != 'n' && answer[0] != 'N');
}

bool
cs_save_policy_decide (bool failed, bool requested)
{
  enum cs_save of_run = cs_workspace.params->save;
  enum cs_save policy = of_run ? of_run : stored ();

  if (policy == CS_SAVE_ASK && !requested)
    {
      if (user_wants_to_save ())
        return true;
      tell ("you said no", "");
      return false;
    }
  if (policy == CS_SAVE_NEVER && !of_run)
    tell ("the policy of the workspace is 'never'",
          "to save this once: cs-run --save=success");
  else if (policy == CS_SAVE_SUCCESS && failed)
    tell ("an error ended the program",
          "to keep what a run has done before an error: cs-run --save=always");
  else
    return policy != CS_SAVE_NEVER;
  return false;
}

/* Signals.  */

static struct
{
  atomic_bool saved;
  pid_t owner;
} watch;

/* Handler: say so, and let SIGNUM do what it does without one.  A reader that
   has gone may be the one of standard error too.  */
static void
tell_of_signal (int signum)
{
  char text[256];
  int len;

  if (getpid () == watch.owner && !atomic_load (&watch.saved)
      && cs_state_will_save ())
    {
      len = snprintf (text, sizeof text, "%s: not saved: %s ended the program;"
                      " nothing since generation %" PRIu64 " was saved\n"
                      "  to save before such an end, call (checkpoint!)\n",
                      program_invocation_short_name,
                      signum == SIGINT ? "SIGINT" : "SIGPIPE", generation ());
      if (len > 0 && write (STDERR_FILENO, text, (size_t) len) < 0)
        len = 0;
    }
  signal (signum, SIG_DFL);
  raise (signum);
}

void
cs_save_policy_restore (void)
{
  struct sigaction action = { .sa_handler = tell_of_signal };

  if (!cs_workspace.params->warn)
    return;
  watch.owner = getpid ();
  sigfillset (&action.sa_mask);
  cs_process_own_action (SIGINT, &action);
  cs_process_own_action (SIGPIPE, &action);
}

void
cs_save_policy_saved (void)
{
  atomic_store (&watch.saved, true);
}
