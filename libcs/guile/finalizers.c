/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* finalizers.c -- holding the finalizer thread.

   libgc calls a notifier, on whatever thread has collected, when objects wait
   for their finalizers.  libguile's starts the finalizer thread or writes to
   its pipe (3.0.8, libguile/finalizers.c, spawn_finalizer_thread,
   notify_finalizers_to_run), and takes for granted that nobody ends the thread
   and closes the pipe meanwhile.  A save does that while other threads work:
   the thread would be started once more, which the image would tell to a
   process that has none and would later join it, or the byte would go to a
   pipe that nobody reads, or to what has got its descriptor since.  So libgc
   is given ours, which calls libguile's unless it is held.  */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "guile/api.h"
#include "guile/finalizers.h"
#include "process/process.h"

static _Atomic (GC_finalizer_notifier_proc) notifier;
static atomic_bool missed;      /* a notification came while it was held */

/* Read: in a notifier.  Written: held.  Whoever holds is not kept waiting by
   notifiers that come later: they only try.  */
static pthread_rwlock_t hold
  = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* While the finalizer thread is ended or begun.  A fork waits for that: its
   child would find libguile's lock of that thread taken (3.0.10,
   libguile/finalizers.c, stop_finalization_thread).  */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static bool ended;              /* changed with CHANGING held */

/* A collection in here notifies again, on this thread.  */
static void GC_CALLBACK
notify (void)
{
  GC_finalizer_notifier_proc call;

  cs_process_defer_stop ();
  if (pthread_rwlock_tryrdlock (&hold) == 0)
    {
      call = atomic_load (&notifier);
      if (call)
        call ();
      pthread_rwlock_unlock (&hold);
    }
  else
    atomic_store (&missed, true);
  cs_process_allow_stop ();
}

void GC_CALLBACK
cs_finalizers_set_notifier (GC_finalizer_notifier_proc call)
{
  atomic_store (&notifier, call);
  gc.set_finalizer_notifier (call ? notify : NULL);
}

/* Also a notifier that a fork on another thread sets anew: its address is of
   this process.  */
static void *
end_thread (void *unused)
{
  scm.set_automatic_finalization_enabled (0);
  gc.set_finalizer_notifier (NULL);
  return unused;
}

void
cs_finalizers_hold (void)
{
  pthread_rwlock_wrlock (&hold);
  pthread_mutex_lock (&changing);
  scm.with_guile (end_thread, NULL);
  ended = true;
  pthread_mutex_unlock (&changing);
}

void
cs_finalizers_begin (void)
{
  scm.set_automatic_finalization_enabled (1);
}

void
cs_finalizers_release (void)
{
  pthread_mutex_lock (&changing);
  cs_finalizers_begin ();
  ended = false;
  pthread_mutex_unlock (&changing);
  pthread_rwlock_unlock (&hold);
  if (atomic_exchange (&missed, false))
    notify ();
}

void
cs_finalizers_before_fork (void)
{
  pthread_mutex_lock (&changing);
}

/* In the child nobody holds, and nobody is in a notifier.  */
static void
begin_in_child (void)
{
  hold = (pthread_rwlock_t) PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
  if (ended)
    cs_finalizers_begin ();
  ended = false;
}

void
cs_finalizers_after_fork (bool in_child)
{
  if (in_child)
    begin_in_child ();
  pthread_mutex_unlock (&changing);
}
