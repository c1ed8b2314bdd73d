/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rollback.c -- back to the last commit, within the process.

   execve() ends the other threads, and resets what is caught; what it keeps
   and a process that is started would not have is taken back before: ignored
   signals and timers (execve(2)).  No other thread is in the middle of a
   collection or a commit then, so no signal that these send can arrive in
   the program that is executed.  Until execve() has succeeded, everything
   can be undone.  */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "guile/functions.h"
#include "process/process.h"
#include "workspace/guile-line.h"
#include "workspace/hooks.h"
#include "workspace/leave.h"
#include "workspace/requests.h"
#include "workspace/rollback.h"
#include "workspace/state.h"
#include "workspace/world.h"

/* Guile's command line.  */

/* Switches that were programs.  */
static bool
is_done (const char *word)
{
  return strcmp (word, "-l") == 0 || strcmp (word, "-e") == 0
         || strcmp (word, "-ds") == 0;
}

/* Put the switches of ARGV that set up a REPL into KEPT.  *REST is where the
   arguments begin that are for the program.  Returns whether there is a
   program.  */
static bool
keep_switches (char **argv, char **kept, int *nr, int *rest)
{
  const char *word;
  size_t i = 1, from = 1;
  bool is_switch;

  for (*nr = 0; (word = cs_guile_line_next (argv, &i)); from = i)
    for (; from < i && !is_done (word); from++)
      kept[(*nr)++] = argv[from];
  word = argv[i];
  is_switch = word && (strcmp (word, "-c") == 0 || strcmp (word, "-s") == 0);
  if (is_switch)
    i++;
  *rest = (int) (argv[i] ? i + 1 : i);
  return argv[i] && (is_switch || strcmp (word, "--") != 0);
}

/* What to give to Guile, ending with NULL; given.  NULL without memory, or
   with *NOTHING set if nothing is to be run.  */
static char **
choose_arguments (const char *expression, bool in_repl, bool *nothing)
{
  const struct cs_run_params *params = cs_state_params ();
  char **list = calloc ((size_t) params->argc + 4, sizeof *list);
  int nr, rest;

  *nothing = false;
  if (!list)
    return NULL;
  *nothing = keep_switches (params->argv, list, &nr, &rest)
             && !in_repl && !expression;
  if (expression)
    {
      list[nr++] = (char *) "-c";
      list[nr++] = (char *) expression;
      while (rest < params->argc)
        list[nr++] = params->argv[rest++];
    }
  return list;
}

/* Leaving this program.  */

static const int timers[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

#define NR_TIMERS (sizeof timers / sizeof *timers)

static void
stop_timers (struct itimerval *before)
{
  static const struct itimerval none;

  for (size_t i = 0; i < NR_TIMERS; i++)
    setitimer (timers[i], &none, &before[i]);
}

static void
start_timers (const struct itimerval *before)
{
  for (size_t i = 0; i < NR_TIMERS; i++)
    setitimer (timers[i], &before[i], NULL);
}

/* Is SIGNUM a signal that comes from outside?  Not so the faults, and those of
   the collector and of libcs.  */
static bool
is_from_outside (int signum)
{
  static const int others[] = {
    SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGKILL, SIGSTOP
  };

  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (signum == others[i])
      return false;
  return signum != gc.get_suspend_signal ()
         && signum != gc.get_thr_restart_signal ();
}

/* A signal that has a handler here has none in the program that is executed,
   until the workspace is resumed: it would end the process.  Block such signals;
   execve() keeps the mask.  Returns them, bit N - 1 for signal N.  */
static uint64_t
hold_signals (sigset_t *old)
{
  struct sigaction action;
  uint64_t held = 0;
  sigset_t set;

  sigemptyset (&set);
  pthread_sigmask (SIG_SETMASK, NULL, old);
  for (int signum = 1; signum < SIGRTMIN; signum++)
    if (is_from_outside (signum) && sigismember (old, signum) == 0
        && sigaction (signum, NULL, &action) == 0
        && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
      {
        sigaddset (&set, signum);
        held |= (uint64_t) 1 << (signum - 1);
      }
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  return held;
}

/* Returns if it failed.  */
static int
execute (struct cs_again *again)
{
  struct itimerval before[NR_TIMERS];
  sigset_t mask;
  int code;

  stop_timers (before);
  again->held_signals = hold_signals (&mask);
  cs_process_leave_signals ();
  cs_requests_exec_begin ();
  code = cs_state_params ()->execute_again (again);
  cs_requests_exec_abort ();
  cs_process_take_signals ();
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  start_timers (before);
  return code;
}

/* With the other threads held, as for a commit.  */
static int
hand_over (struct cs_again *again)
{
  int code;

  cs_world_stop ();
  code = again->descriptor = cs_store_hand_over (cs_process.store);
  if (code >= 0)
    {
      code = execute (again);
      cs_store_take_back (cs_process.store);
    }
  cs_world_release ();
  return code;
}

static int
go_again (char **arguments, struct cs_err *err)
{
  const struct cs_run_params *params = cs_state_params ();
  char path[PATH_MAX];
  struct cs_again again = {
    .store = path, .arguments = arguments,
    .generation = params->ephemeral
                  ? cs_store_superblock (cs_process.store)->generation : 0
  };
  int code = cs_store_find_path (cs_process.store, path, sizeof path);

  if (code == 0)
    code = hand_over (&again);
  if (code == -ENOENT)
    return cs_err_sys (err, ENOENT, "cannot go back to the last commit: no"
                       " name leads to '%s' any more",
                       cs_store_path (cs_process.store));
  return cs_err_sys (err, -code, "cannot go back to the last commit: execute"
                     " the program again");
}

int
cs_rollback (const char *expression, bool in_repl, struct cs_err *err)
{
  char **arguments;
  bool nothing;
  int code;

  if (cs_process.child)
    return cs_err_set (err, CS_E_REFUSED, "cannot go back to the last commit:"
                       " this is a forked child of the workspace");
  if (cs_hooks_running () || cs_state_is_saving ())
    return cs_err_set (err, CS_E_REFUSED, "cannot go back to the last commit:"
                       " this is called by %s", cs_hooks_running ()
                       ? cs_hooks_running () : "a port that is written out");
  if (!cs_state_params ()->execute_again)
    return cs_err_set (err, CS_E_REFUSED, "cannot go back to the last commit:"
                       " this program cannot be executed again");
  in_repl = in_repl && cs_state_is_main_thread ();
  arguments = choose_arguments (expression, in_repl, &nothing);
  if (!arguments)
    return cs_err_sys (err, ENOMEM, "cannot go back to the last commit");
  if (nothing)
    cs_leave_discard ();
  cs_leave_flush ();
  code = go_again (arguments, err);
  free (arguments);
  return code;
}

/* Arriving.  */

static void
close_range_of (unsigned first, unsigned last)
{
  long end = sysconf (_SC_OPEN_MAX);

  if (first > last || syscall (SYS_close_range, first, last, 0) == 0)
    return;
  /* Linux before 5.9.  */
  for (unsigned fd = first; fd <= last && (end < 0 || fd < (unsigned) end);
       fd++)
    close ((int) fd);
}

void
cs_rollback_exec_end (int fd)
{
  close_range_of (3, (unsigned) fd - 1);
  close_range_of ((unsigned) fd + 1, UINT_MAX);
  cs_requests_exec_end ();
}

static void
discard (int signum, const struct sigaction *action)
{
  signal (signum, SIG_IGN);     /* sigaction(2) */
  sigaction (signum, action, NULL);
}

void
cs_rollback_let_in (uint64_t signals)
{
  struct sigaction action;

  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (signals & (uint64_t) 1 << (signum - 1))
      {
        if (sigaction (signum, NULL, &action) == 0
            && action.sa_handler == SIG_DFL)
          discard (signum, &action);
        cs_process_unblock_signal (signum);
      }
}
