/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* applier.c -- putting commits into the image while the interpreter goes
   on.

   A checkpoint is made as soon as it is in the log.  One thread at most is
   at work on the rest; a commit that comes meanwhile waits for it, and
   leaving the process does too (store.h, cs_store_apply).  */

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "guile/applier.h"
#include "guile/failure.h"

#define STACK_LEN (1024 * 1024)

static struct
{
  struct cs_store *store;
  int (*failed) (const struct cs_err *err);
} work;

static void *
apply (void *unused)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_store_apply (work.store, &err) == 0)
    cs_failure_clear (CS_FAILURE_APPLY);
  else if (cs_failure_note (CS_FAILURE_APPLY, &err) && work.failed)
    work.failed (&err);
  return unused;
}

void
cs_applier_start (struct cs_store *store,
                  int (*failed) (const struct cs_err *err))
{
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all, old;

  work.store = store;
  work.failed = failed;
  if (pthread_attr_init (&attr) != 0)
    return;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  pthread_attr_setstacksize (&attr, STACK_LEN);
  pthread_attr_setdetachstate (&attr, PTHREAD_CREATE_DETACHED);
  pthread_create (&thread, &attr, apply, NULL);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  pthread_attr_destroy (&attr);
}
