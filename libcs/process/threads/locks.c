/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* locks.c -- the locks of the carried libraries, and ours.

   Each thread keeps a list of the locks it holds, so that it is not stopped
   while it holds one (stop.c).  A lock that is held in the image all the
   same, because its thread could not be stopped in time, or is the one that
   writes the image, is noted in the store, and is free in the next process:
   its holder will not give it back.

   While a thread waits for a condition variable it does not hold the mutex
   that it waits with, but there are moments, before it has let go of it and
   after it has it again, at which libc does not say so yet or any more.  An
   image may have one from such a moment.  libguile waits in one place only,
   with the mutexes that Scheme code makes; mutex.c of guile/ frees them.

   A forked child has the locks that other threads of its parent held at that
   moment, and nobody who will give them back.  What it knows of those threads
   need not fit: the kernel copies page after page while they run.  So whoever
   waits for a lock in a child looks from time to time whether a thread of the
   child has it.  */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/private.h"

#define CHILD_PATIENCE_NS 20000000

static void
push (struct cs_stop_thread *t, pthread_mutex_t *mutex)
{
  if (t->nr_held < CS_STOP_HELD_MAX)
    {
      t->held[t->nr_held] = mutex;
      t->nr_held++;
    }
  else
    t->nr_more++;
}

/* A lock that this thread has not taken is none of its list: the collector
   gives back in a child what its parent has taken.  */
static void
pop (struct cs_stop_thread *t, const pthread_mutex_t *mutex)
{
  unsigned i = t->nr_held;

  while (i > 0 && t->held[i - 1] != mutex)
    i--;
  if (i > 0)
    {
      t->held[i - 1] = t->held[t->nr_held - 1];
      t->nr_held--;
    }
  else if (t->nr_more > 0)
    t->nr_more--;
}

/* A handler of this thread sees all that was written before.  */
static void
publish (void)
{
  atomic_signal_fence (memory_order_seq_cst);
}

static int
take (pthread_mutex_t *mutex, int (*how) (pthread_mutex_t *mutex))
{
  struct cs_stop_thread *t = &cs_stop_self;
  int code;

  t->blocks = how == pthread_mutex_lock;
  publish ();
  t->awaited = mutex;
  publish ();
  code = how (mutex);
  if (code == 0)
    push (t, mutex);
  publish ();
  t->awaited = NULL;
  return code;
}

/* ETIMEDOUT if somebody has it all the time.  */
static int
lock_for_a_while (pthread_mutex_t *mutex)
{
  struct timespec end;

  clock_gettime (CLOCK_MONOTONIC, &end);
  end.tv_nsec += CHILD_PATIENCE_NS;
  if (end.tv_nsec >= 1000000000)
    {
      end.tv_nsec -= 1000000000;
      end.tv_sec++;
    }
  return pthread_mutex_clocklock (mutex, CLOCK_MONOTONIC, &end);
}

static bool
has (const struct cs_stop_thread *t, const pthread_mutex_t *mutex)
{
  for (unsigned i = 0; i < t->nr_held; i++)
    if (t->held[i] == mutex)
      return true;
  return false;
}

/* Its owner may be a thread that has not enlisted.  None is written down for
   a few instructions when it is taken or given back.  */
static bool
is_left_behind (const pthread_mutex_t *mutex)
{
  pid_t owner = mutex->__data.__owner;

  return !cs_stop_any (has, mutex)
         && (owner == 0 || tgkill (getpid (), owner, 0) != 0);
}

static int
lock_in_child (pthread_mutex_t *mutex)
{
  int code;

  while ((code = take (mutex, lock_for_a_while)) == ETIMEDOUT)
    {
      cs_stop_hold ();
      if (is_left_behind (mutex))
        cs_process_free_lock (mutex);
      cs_stop_release ();
    }
  return code;
}

int
cs_locks_lock (pthread_mutex_t *mutex)
{
  return cs_process.child ? lock_in_child (mutex)
                          : take (mutex, pthread_mutex_lock);
}

int
cs_locks_trylock (pthread_mutex_t *mutex)
{
  return take (mutex, pthread_mutex_trylock);
}

int
cs_locks_unlock (pthread_mutex_t *mutex)
{
  struct cs_stop_thread *t = &cs_stop_self;
  int code = pthread_mutex_unlock (mutex);

  publish ();
  pop (t, mutex);
  publish ();
  if (t->wanted && cs_stop_is_free (t))
    cs_stop_here ();
  return code;
}

static void
begin_wait (struct cs_stop_thread *t, pthread_mutex_t *mutex)
{
  t->waiting = mutex;
  publish ();
  pop (t, mutex);
  publish ();
}

static void
end_wait (struct cs_stop_thread *t, pthread_mutex_t *mutex)
{
  publish ();
  push (t, mutex);
  publish ();
  t->waiting = NULL;
}

int
cs_locks_wait (pthread_cond_t *condition, pthread_mutex_t *mutex)
{
  int code;

  begin_wait (&cs_stop_self, mutex);
  code = pthread_cond_wait (condition, mutex);
  end_wait (&cs_stop_self, mutex);
  return code;
}

int
cs_locks_timedwait (pthread_cond_t *condition, pthread_mutex_t *mutex,
                    const struct timespec *end)
{
  int code;

  begin_wait (&cs_stop_self, mutex);
  code = pthread_cond_timedwait (condition, mutex, end);
  end_wait (&cs_stop_self, mutex);
  return code;
}

void
cs_locks_note (const struct cs_stop_thread *t)
{
  struct cs_process_disk *image = cs_process.image;

  for (unsigned i = 0; i < t->nr_held; i++)
    if (cs_store_contains (cs_process.store, t->held[i])
        && image->nr_locks < CS_PROCESS_LOCKS_MAX)
      image->locks[image->nr_locks++] = (uintptr_t) t->held[i];
}

/* Free as pthread_mutex_init() makes one, but of the kind it was (glibc
   2.36, bits/struct_mutex.h).  */
void
cs_process_free_lock (pthread_mutex_t *mutex)
{
  int kind = mutex->__data.__kind;

  memset (mutex, 0, sizeof *mutex);
  mutex->__data.__kind = kind;
}

void
cs_locks_resume (void)
{
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_locks; i++)
    cs_process_free_lock ((pthread_mutex_t *) (uintptr_t) image->locks[i]);
  image->nr_locks = 0;
}
