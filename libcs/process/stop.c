/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stop.c -- stopping the interpreter's other threads for good.

   Before an image is written by a process that then ends, every other thread
   that works in the interpreter is made to wait in a signal handler until
   the process is gone: nothing must change between one page and the next.
   The caller holds the collector's lock (it has run the fork handler
   `prepare`), so none of them is in the middle of an allocation or a
   collection.

   Threads are those with a record in section "threads".  libguile's signal
   thread blocks all signals (3.0.8, libguile/scmsigs.c,
   signal_delivery_thread); its masks go through here, so that this one stays
   deliverable.  */

#include <errno.h>
#include <time.h>

#include "private.h"

#define POLLS 1000              /* times a millisecond: then go on without */

static atomic_uint stopped;

static int
stop_signal (void)
{
  return SIGRTMAX - 1;
}

/* Handler: must not allocate, lock, print or enter Guile.  */
static void
wait_for_end (int signum)
{
  sigset_t all;

  (void) signum;
  sigfillset (&all);
  atomic_fetch_add (&stopped, 1);
  for (;;)
    sigsuspend (&all);
}

int
cs_stop_sigmask (int how, const sigset_t *set, sigset_t *old)
{
  sigset_t allowed;

  if (!set || how == SIG_UNBLOCK)
    return pthread_sigmask (how, set, old);
  allowed = *set;
  sigdelset (&allowed, stop_signal ());
  return pthread_sigmask (how, &allowed, old);
}

unsigned
cs_process_stop_threads (void)
{
  struct sigaction action = { .sa_handler = wait_for_end };
  const struct timespec millisecond = { 0, 1000000 };
  unsigned asked;

  sigfillset (&action.sa_mask);
  sigaction (stop_signal (), &action, NULL);
  atomic_store (&stopped, 0);
  asked = cs_keys_signal_others (stop_signal ());
  for (int i = 0; i < POLLS && atomic_load (&stopped) < asked; i++)
    nanosleep (&millisecond, NULL);
  return asked - atomic_load (&stopped);
}
