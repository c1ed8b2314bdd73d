/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stop.c -- stopping the interpreter's other threads while an image is written.

   Nothing must change between one page and the next, so every other thread
   that works in the interpreter waits in a signal handler until it is
   released, or until the process is gone.
   The caller holds the collector's lock (it has run the fork handler
   `prepare`), so none of them is in the middle of an allocation or a
   collection.

   Threads are those with a record in section "threads".  libguile's signal
   thread blocks all signals (3.0.8, libguile/scmsigs.c,
   signal_delivery_thread); its masks go through here, so that this one stays
   deliverable.  */

#include <errno.h>
#include <poll.h>

#include "private.h"

#define POLLS 1000              /* times a millisecond: then go on without */

static atomic_uint stopped;     /* threads in the handler */
static atomic_uint releases;

static int
stop_signal (void)
{
  return SIGRTMAX - 1;
}

/* Handler: must not allocate, lock, print or enter Guile.  */
static void
wait_for_release (int signum)
{
  unsigned before = atomic_load (&releases);
  int code = errno;

  (void) signum;
  atomic_fetch_add (&stopped, 1);
  while (atomic_load (&releases) == before)
    poll (NULL, 0, 1);
  errno = code;
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
  struct sigaction action = {
    .sa_handler = wait_for_release, .sa_flags = SA_RESTART
  };
  unsigned asked;

  sigfillset (&action.sa_mask);
  sigaction (stop_signal (), &action, NULL);
  atomic_store (&stopped, 0);
  asked = cs_keys_signal_others (stop_signal ());
  for (int i = 0; i < POLLS && atomic_load (&stopped) < asked; i++)
    poll (NULL, 0, 1);
  return asked - atomic_load (&stopped);
}

void
cs_process_release_threads (void)
{
  atomic_fetch_add (&releases, 1);
}
