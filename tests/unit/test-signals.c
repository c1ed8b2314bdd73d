/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-signals.c -- signal actions that are installed again.  */

#include "process-fixture.h"

static volatile sig_atomic_t nr_caught, caught, caught_code;

static void
catch (int signum)
{
  nr_caught++;
  caught = signum;
}

static void
catch_info (int signum, siginfo_t *info, void *context)
{
  (void) context;
  nr_caught++;
  caught = signum;
  caught_code = info->si_code;
}

static struct sigaction
action_of (int signum)
{
  struct sigaction action;

  CHECK (sigaction (signum, NULL, &action) == 0);
  return action;
}

static void
install (void)
{
  struct sigaction action = { .sa_flags = SA_RESTART | SA_NODEFER }, old;

  begin ();
  action.sa_handler = (void (*) (int)) in_table ("catch", catch);
  sigemptyset (&action.sa_mask);
  sigaddset (&action.sa_mask, SIGUSR2);
  sigaddset (&action.sa_mask, SIGRTMAX);
  CHECK (cs_signals_sigaction (SIGUSR1, &action, &old) == 0);
  CHECK (old.sa_handler == SIG_DFL);
  action.sa_handler = SIG_IGN;
  CHECK (cs_signals_sigaction (SIGPIPE, &action, NULL) == 0);
  action.sa_sigaction
    = (void (*) (int, siginfo_t *, void *)) in_table ("info", catch_info);
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  sigemptyset (&action.sa_mask);
  CHECK (cs_signals_sigaction (SIGRTMAX, &action, NULL) == 0);
  CHECK (raise (SIGUSR1) == 0 && nr_caught == 1 && caught == SIGUSR1);
  save_and_leave ();
}

static void
check_installed (void)
{
  struct sigaction action;

  resume ();
  action = action_of (SIGUSR1);
  CHECK ((action.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO))
         == (SA_RESTART | SA_NODEFER));
  CHECK (sigismember (&action.sa_mask, SIGUSR2) == 1);
  CHECK (sigismember (&action.sa_mask, SIGRTMAX) == 1);
  CHECK (sigismember (&action.sa_mask, SIGINT) == 0);
  /* It waits until the handler may run.  */
  CHECK (raise (SIGUSR1) == 0 && nr_caught == 0);
  cs_process_admit_signals ();
  CHECK (nr_caught == 1 && caught == SIGUSR1);
  CHECK (raise (SIGUSR1) == 0 && nr_caught == 2 && caught == SIGUSR1);
  CHECK (action_of (SIGPIPE).sa_handler == SIG_IGN);
  CHECK (action_of (SIGUSR2).sa_handler == SIG_DFL);
  CHECK (action_of (SIGRTMAX).sa_flags & SA_SIGINFO);
  CHECK (raise (SIGRTMAX) == 0 && nr_caught == 3 && caught == SIGRTMAX);
  CHECK (caught_code == SI_TKILL);
  CHECK (action_of (SIGRTMAX).sa_handler == SIG_DFL);
}

static void
kept (void)
{
  CHECK (in_child (install) == 0);
  CHECK (in_child (check_installed) == 0);
  CHECK (in_child (check_installed) == 0);
}

static void
install_and_take_back (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };
  void (*handler) (int);

  begin ();
  handler = (void (*) (int)) in_table ("catch", catch);
  CHECK (cs_signals_signal (SIGUSR1, handler) == SIG_DFL);
  CHECK (cs_signals_signal (SIGUSR2, handler) == SIG_DFL);
  CHECK (cs_signals_signal (SIGHUP, handler) == SIG_DFL);
  CHECK (cs_signals_sigaction (SIGUSR1, &action, NULL) == 0);
  /* One that is not in the store is of this process only.  */
  CHECK (cs_signals_signal (SIGUSR2, catch) == handler);
  CHECK (cs_signals_sigaction (SIGHUP, NULL, &action) == 0);
  CHECK (action.sa_handler == handler && (action.sa_flags & SA_RESTART));
  save_and_leave ();
}

static void
check_taken_back (void)
{
  resume ();
  CHECK (action_of (SIGUSR1).sa_handler == SIG_DFL);
  CHECK (action_of (SIGUSR2).sa_handler == SIG_DFL);
  cs_process_admit_signals ();
  CHECK (raise (SIGHUP) == 0 && caught == SIGHUP);
}

static void
taken_back (void)
{
  CHECK (in_child (install_and_take_back) == 0);
  CHECK (in_child (check_taken_back) == 0);
}

/* A carried library keeps what it has replaced, in its data.  */
static void
replace_own (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL }, old;

  begin ();
  action.sa_handler = (void (*) (int)) in_table ("catch", catch);
  CHECK (cs_signals_sigaction (SIGUSR1, &action, &old) == 0);
  CHECK (cs_signals_sigaction (SIGUSR2, &action, &old) == 0);
  save_and_leave ();
}

/* What earlier versions left: an address that is nothing's, or today's
   program's.  */
static void
put_back_address (void (*stale) (int))
{
  struct sigaction own = { .sa_handler = catch, .sa_flags = SA_RESTART };

  signal (SIGUSR2, SIG_IGN);
  resume ();
  cs_process_own_action (SIGUSR1, &own);
  cs_process_own_action (SIGUSR2, &own);
  cs_process_own_action (SIGHUP, &own);
  CHECK (action_of (SIGUSR1).sa_handler != catch);
  CHECK (action_of (SIGHUP).sa_handler == catch);
  CHECK (cs_signals_signal (SIGUSR1, stale) != SIG_ERR);
  CHECK (action_of (SIGUSR1).sa_handler == catch);
  CHECK (action_of (SIGUSR1).sa_flags & SA_RESTART);
  CHECK (cs_signals_signal (SIGUSR2, stale) != SIG_ERR);
  CHECK (action_of (SIGUSR2).sa_handler == SIG_IGN);
  CHECK (is_in_store ((void *) cs_signals_signal (SIGHUP, stale)));
  CHECK (action_of (SIGHUP).sa_handler == catch);
  CHECK (cs_signals_signal (SIGALRM, stale) == SIG_DFL);
  CHECK (action_of (SIGALRM).sa_handler == SIG_DFL);
  for (int i = 0; i < CS_PROCESS_SIGNALS_MAX; i++)
    CHECK (cs_process.image->signals[i].handler == 0);
}

static void
put_back (void)
{
  put_back_address ((void (*) (int)) ((uintptr_t) 1 << 20));
}

static void
other (int signum)
{
  nr_caught += signum == SIGUSR1 ? 100 : 1000;
}

static void
put_back_into_program (void)
{
  put_back_address (other);
}

static void
own_put_back (void)
{
  CHECK (in_child (replace_own) == 0);
  CHECK (in_child (put_back) == 0);
  CHECK (in_child (put_back_into_program) == 0);
}

/* The process has a handler of its own; who replaces it keeps what stands for
   it.  */
static void
replace_handler (void)
{
  struct sigaction mine = { .sa_handler = other };
  struct sigaction action = { .sa_handler = SIG_DFL }, old;

  begin ();
  CHECK (sigaction (SIGUSR1, &mine, NULL) == 0);
  action.sa_handler = (void (*) (int)) in_table ("catch", catch);
  CHECK (cs_signals_sigaction (SIGUSR1, &action, &old) == 0);
  CHECK (is_in_store ((void *) old.sa_handler));
  words->word[0] = (uintptr_t) old.sa_handler;
  /* It can be called, and asked for again.  */
  old.sa_handler (SIGUSR1);
  CHECK (nr_caught == 100);
  CHECK (cs_signals_sigaction (SIGUSR1, &old, &action) == 0);
  CHECK (action_of (SIGUSR1).sa_handler == other);
  CHECK (cs_signals_sigaction (SIGUSR1, &action, NULL) == 0);
  CHECK (raise (SIGUSR1) == 0 && nr_caught == 101);
  save_and_leave ();
}

static void (*left (void)) (int)
{
  return (void (*) (int)) (uintptr_t) words->word[0];
}

static void
call_own (void)
{
  struct sigaction mine = { .sa_handler = catch };

  resume ();
  cs_process_admit_signals ();
  /* This process has none yet.  */
  left () (SIGUSR1);
  CHECK (nr_caught == 0);
  cs_process_own_action (SIGUSR1, &mine);
  left () (SIGUSR1);
  CHECK (nr_caught == 1);
  CHECK (cs_signals_signal (SIGUSR1, left ()) != SIG_ERR);
  CHECK (action_of (SIGUSR1).sa_handler == catch);
  /* Of another signal, it is this process's only.  */
  CHECK (cs_signals_signal (SIGUSR2, left ()) == SIG_DFL);
  CHECK (action_of (SIGUSR2).sa_handler == catch);
  CHECK (cs_process.image->signals[SIGUSR2].handler == 0);
}

static void
own_handlers (void)
{
  CHECK (in_child (replace_handler) == 0);
  CHECK (in_child (call_own) == 0);
}

static void
refused (void)
{
  struct sigaction action = { .sa_handler = SIG_IGN };
  static const int wrong[] = { 0, -1, SIGKILL, SIGSTOP, 65, 100000 };

  begin ();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    {
      errno = 0;
      CHECK (cs_signals_sigaction (wrong[i], &action, NULL) == -1);
      CHECK (errno == EINVAL);
      CHECK (cs_signals_signal (wrong[i], SIG_IGN) == SIG_ERR);
    }
  for (int i = 0; i < CS_PROCESS_SIGNALS_MAX; i++)
    CHECK (cs_process.image->signals[i].handler == 0);
}

static const struct test_case cases[] = {
  { "actions come back with handler, flags and mask", kept },
  { "what was taken back, or is outside the store, does not", taken_back },
  { "what was there before is this process's own", own_put_back },
  { "a handler of the process is kept as one of each process", own_handlers },
  { "what the system refuses is not kept", refused },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
