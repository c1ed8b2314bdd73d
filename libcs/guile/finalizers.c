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
   is given ours, which calls libguile's unless it is held.

   A child that is forked without libguile, or beside another thread that
   forks, has no such thread, and libguile's word that it runs; what it wrote to
   the pipe would reach the thread of its parent.  So libguile is made to end
   it there, with a pipe that leads nowhere.  */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "guile/finalizers.h"
#include "guile/functions.h"
#include "process/process.h"

static _Atomic (GC_finalizer_notifier_proc) notifier;
static atomic_bool missed;      /* a notification came while it was held */
static int *_Atomic pipe_ends;  /* libguile's; NULL: it has not made one yet */

/* Under the lock, which a fork keeps.  */
static struct
{
  pthread_mutex_t lock;
  unsigned notifying;           /* calls of libguile's notifier */
  bool held;
  atomic_uint changes;          /* of the two */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* No thread is stopped while it has the lock: collections of the one that
   writes the image come here, too.  */
static void
enter (void)
{
  cs_process_defer_stop ();
  pthread_mutex_lock (&state.lock);
}

static void
leave (void)
{
  pthread_mutex_unlock (&state.lock);
  cs_process_allow_stop ();
}

static void
leave_changed (void)
{
  atomic_fetch_add (&state.changes, 1);
  leave ();
  cs_process_awaken (&state.changes);
}

/* A thread is stopped while it waits, unless its caller has deferred that.  */
static void
enter_when_idle (bool unheld)
{
  unsigned now;

  for (;;)
    {
      enter ();
      if (state.notifying == 0 && !(unheld && state.held))
        return;
      now = atomic_load (&state.changes);
      leave ();
      cs_process_await (&state.changes, now);
    }
}

static bool
begin_to_notify (void)
{
  bool held;

  enter ();
  held = state.held;
  state.notifying += !held;
  leave ();
  return !held;
}

static void
end_notifying (void)
{
  enter ();
  state.notifying--;
  leave_changed ();
}

/* libguile makes its pipe in here.  */
static void
call_notifier (void)
{
  GC_finalizer_notifier_proc call = atomic_load (&notifier);
  int *ends = NULL, **outer = cs_process_watch_pipe (&ends);

  if (call)
    call ();
  cs_process_watch_pipe (outer);
  if (ends)
    atomic_store (&pipe_ends, ends);
}

/* A collection in here notifies again, on this thread.  */
static void GC_CALLBACK
notify (void)
{
  cs_process_defer_stop ();
  if (begin_to_notify ())
    {
      call_notifier ();
      end_notifying ();
    }
  else
    atomic_store (&missed, true);
  cs_process_allow_stop ();
}

/* While a save holds the notifier, libgc has none: libgc's variable is in the
   image, and the address of notify() is this process's.  A fork on another thread
   sets libguile's notifier again (3.0.8, scm_i_finalizer_pre_fork).  */
void GC_CALLBACK
cs_finalizers_set_notifier (GC_finalizer_notifier_proc call)
{
  cs_process_defer_stop ();
  atomic_store (&notifier, call);
  if (begin_to_notify ())
    {
      gc.set_finalizer_notifier (call ? notify : NULL);
      end_notifying ();
    }
  cs_process_allow_stop ();
}

static void *
end_thread (void *unused)
{
  scm.set_automatic_finalization_enabled (0);
  gc.set_finalizer_notifier (NULL);
  return unused;
}

void
cs_finalizers_save (void)
{
  enter_when_idle (true);
  state.held = true;
  leave ();
  scm.with_guile (end_thread, NULL);
}

void
cs_finalizers_restore (void)
{
  scm.set_automatic_finalization_enabled (1);
}

void
cs_finalizers_release (void)
{
  enter ();
  state.held = false;
  leave_changed ();
  cs_finalizers_restore ();
  if (atomic_exchange (&missed, false))
    notify ();
}

/* libguile's pipe is either whole or not there, and its lock is not taken by a
   notifier.  */
void
cs_finalizers_fork_prepare (void)
{
  enter_when_idle (false);
}

/* Its descriptors are left to exec: another thread may have closed them, and a
   third one have got their numbers.  */
static void
begin_in_child (void)
{
  int *ends = atomic_load (&pipe_ends);

  if (ends)
    ends[0] = ends[1] = -1;
  scm.set_automatic_finalization_enabled (0);
  cs_finalizers_restore ();
}

void
cs_finalizers_fork_parent (void)
{
  leave ();
}

void
cs_finalizers_fork_child (void)
{
  state.held = false;
  leave ();
  begin_in_child ();
}
