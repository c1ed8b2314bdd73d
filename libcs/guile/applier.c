/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* applier.c -- putting commits into the image while the interpreter goes
   on.

   A checkpoint is made as soon as it is in the log.  One thread at most is
   at work on the rest; a commit that comes meanwhile waits for it, and
   leaving the process does too (store.h, cs_store_apply).  A checkpoint
   waits before it stops the world.  A thread that is stopped in here may
   have the lock, so a thread that has stopped others does not take it.

   The program may close any descriptor while the thread works, so the thread
   has a descriptor table of its own (cs_store_separate).  */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "guile/applier.h"
#include "guile/failure.h"
#include "guile/service.h"

static struct
{
  struct cs_store *store;
  void (*failed) (const struct cs_err *err);
  void (*warn) (const char *text);
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool begun;                   /* a thread is at work */
} work = {
  .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER
};

static void
end (void)
{
  pthread_mutex_lock (&work.lock);
  work.begun = false;
  pthread_cond_broadcast (&work.ended);
  pthread_mutex_unlock (&work.lock);
}

void
cs_applier_warn (struct cs_store *store, void (*warn) (const char *text))
{
  char text[1024];

  if (warn && cs_store_take_warning (store, text, sizeof text))
    warn (text);
}

static void *
apply (void *unused)
{
  struct cs_err err = CS_ERR_INIT;

  cs_store_separate (work.store);
  if (cs_store_apply_if_due (work.store, &err) == 0)
    cs_failure_clear (CS_FAILURE_APPLY);
  else if (cs_failure_note (CS_FAILURE_APPLY, &err) && work.failed)
    work.failed (&err);
  cs_applier_warn (work.store, work.warn);
  end ();
  return unused;
}

void
cs_applier_start (struct cs_store *store,
                  void (*failed) (const struct cs_err *err),
                  void (*warn) (const char *text))
{
  cs_applier_await ();
  work.store = store;
  work.warn = warn;
  work.failed = failed;
  work.begun = true;
  if (cs_service_start (apply) != 0)
    work.begun = false;         /* the next commit or the end does it */
}

void
cs_applier_await (void)
{
  pthread_mutex_lock (&work.lock);
  while (work.begun)
    pthread_cond_wait (&work.ended, &work.lock);
  pthread_mutex_unlock (&work.lock);
}

void
cs_applier_forked (void)
{
  pthread_mutex_init (&work.lock, NULL);
  pthread_cond_init (&work.ended, NULL);
  work.begun = false;
}
