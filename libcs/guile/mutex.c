/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mutex.c -- Scheme's mutexes and condition variables, across processes.

   Guile's objects are as below (3.0.8 to 3.0.11, libguile/threads.c, struct
   scm_mutex and struct scm_cond; cs_mutex_check() looks whether they still
   are).  Their first member is a lock of libc's, whose last four bytes libc
   does not use: they are the end of a list pointer for robust mutexes, or of
   the counters of lock elision (glibc 2.36, bits/struct_mutex.h).  There lies
   the epoch of the process that has last brought the object up to date, and
   in the lowest bit whether the mutex was abandoned.  0, as in a new object,
   is no process's.  */

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "guile/functions.h"
#include "guile/mutex.h"
#include "guile/threads.h"
#include "process/process.h"

struct mutex
{
  pthread_mutex_t lock;
  SCM owner;                    /* a thread, or #f */
  SCM waiting;                  /* queue: a pair (LAST . LIST of threads) */
  int level;                    /* of a recursive one: locks after the first */
};

struct condition
{
  pthread_mutex_t lock;         /* never used */
  SCM waiting;
};

/* Threads wait for it a few instructions long.  */
static pthread_mutex_t settling = PTHREAD_MUTEX_INITIALIZER;

static struct mutex *
mutex_of (SCM m)
{
  return SCM_SMOB_PREDICATE (*scm_data.tc16_mutex, m)
         ? (struct mutex *) SCM_SMOB_DATA (m) : NULL;
}

static struct condition *
condition_of (SCM c)
{
  return SCM_SMOB_PREDICATE (*scm_data.tc16_condvar, c)
         ? (struct condition *) SCM_SMOB_DATA (c) : NULL;
}

static uint32_t *
stamp_of (pthread_mutex_t *lock)
{
  return (uint32_t *) (lock + 1) - 1;
}

static uint32_t
this_epoch (void)
{
  return (uint32_t) cs_process.image->epoch << 1;
}

static bool
is_settled (pthread_mutex_t *lock)
{
  return (__atomic_load_n (stamp_of (lock), __ATOMIC_ACQUIRE) & ~1u)
         == this_epoch ();
}

/* All who wait in it have gone.  */
static void
empty_queue (SCM queue)
{
  if (!scm_is_pair (queue))
    return;
  SCM_SETCAR (queue, SCM_EOL);
  SCM_SETCDR (queue, SCM_EOL);
}

/* The main thread is alive in each process, but what it was in the middle of
   when it locked a mutex in an earlier one is not.  */
static bool
is_gone (SCM owner)
{
  return scm_is_true (scm.thread_exited_p (owner))
         || cs_threads_is_main (owner);
}

/* Returns whether M, which no thread of this process has locked yet, was
   abandoned.  */
static bool
abandon (struct mutex *m)
{
  cs_process_free_lock (&m->lock);
  empty_queue (m->waiting);
  if (scm_is_false (m->owner) || !is_gone (m->owner))
    return false;
  m->owner = SCM_BOOL_F;
  m->level = 0;
  return true;
}

static void
settle (pthread_mutex_t *lock, struct mutex *m, struct condition *c)
{
  bool abandoned = false;

  cs_process_defer_stop ();
  pthread_mutex_lock (&settling);
  if (!is_settled (lock))
    {
      if (m)
        abandoned = abandon (m);
      else
        empty_queue (c->waiting);
      __atomic_store_n (stamp_of (lock), this_epoch () | abandoned,
                        __ATOMIC_RELEASE);
    }
  pthread_mutex_unlock (&settling);
  cs_process_allow_stop ();
}

/* An object that another thread was about to settle is not marked as such, and
   will be settled once more.  */
void
cs_mutex_fork_child (void)
{
  pthread_mutex_init (&settling, NULL);
}

static void
settle_mutex (SCM object)
{
  struct mutex *m = mutex_of (object);

  if (m && !is_settled (&m->lock))
    settle (&m->lock, m, NULL);
}

static void
settle_condition (SCM object)
{
  struct condition *c = condition_of (object);

  if (c && !is_settled (&c->lock))
    settle (&c->lock, NULL, c);
}

static SCM
timed_lock_mutex (SCM m, SCM timeout)
{
  settle_mutex (m);
  return scm.timed_lock_mutex (m, timeout);
}

static SCM
unlock_mutex (SCM m)
{
  settle_mutex (m);
  return scm.unlock_mutex (m);
}

static SCM
mutex_owner (SCM m)
{
  settle_mutex (m);
  return scm.mutex_owner (m);
}

static SCM
mutex_level (SCM m)
{
  settle_mutex (m);
  return scm.mutex_level (m);
}

static SCM
mutex_locked_p (SCM m)
{
  settle_mutex (m);
  return scm.mutex_locked_p (m);
}

static SCM
timed_wait_condition_variable (SCM c, SCM m, SCM timeout)
{
  settle_condition (c);
  settle_mutex (m);
  return scm.timed_wait_condition_variable (c, m, timeout);
}

static SCM
signal_condition_variable (SCM c)
{
  settle_condition (c);
  return scm.signal_condition_variable (c);
}

static SCM
broadcast_condition_variable (SCM c)
{
  settle_condition (c);
  return scm.broadcast_condition_variable (c);
}

void *
cs_mutex_replacement (const char *name)
{
  static const struct
  {
    const char *name;
    void *function;
  } replacements[] = {
    { "guile:timed_lock_mutex", timed_lock_mutex },
    { "guile:unlock_mutex", unlock_mutex },
    { "guile:mutex_owner", mutex_owner },
    { "guile:mutex_level", mutex_level },
    { "guile:mutex_locked_p", mutex_locked_p },
    { "guile:timed_wait_condition_variable", timed_wait_condition_variable },
    { "guile:signal_condition_variable", signal_condition_variable },
    { "guile:broadcast_condition_variable", broadcast_condition_variable }
  };

  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
    if (strcmp (replacements[i].name, name) == 0)
      return replacements[i].function;
  return NULL;
}

bool
cs_mutex_check (void)
{
  SCM object = scm.make_mutex_with_kind (scm.from_utf8_symbol ("recursive"));
  const struct mutex *m = mutex_of (object);
  const struct condition *c = condition_of (scm.make_condition_variable ());
  bool sound;

  if (!m || !c)
    return false;
  sound = scm_is_false (m->owner) && m->level == 0
          && scm_is_pair (m->waiting) && scm_is_null (SCM_CDR (m->waiting))
          && scm_is_pair (c->waiting) && scm_is_null (SCM_CDR (c->waiting));
  scm.timed_lock_mutex (object, SCM_UNDEFINED);
  scm.timed_lock_mutex (object, SCM_UNDEFINED);
  sound = sound && scm_is_eq (m->owner, scm.current_thread ())
          && m->level == 1;
  scm.unlock_mutex (object);
  scm.unlock_mutex (object);
  return sound && scm_is_false (m->owner) && m->level == 0;
}

bool
cs_mutex_was_abandoned (SCM object)
{
  struct mutex *m = mutex_of (object);

  if (!m)
    return false;
  settle_mutex (object);
  return __atomic_exchange_n (stamp_of (&m->lock), this_epoch (),
                              __ATOMIC_ACQ_REL) & 1;
}

bool
cs_mutex_is_old (SCM object)
{
  struct mutex *m = mutex_of (object);

  return m && !is_settled (&m->lock);
}
