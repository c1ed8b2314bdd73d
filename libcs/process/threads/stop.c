/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stop.c -- stopping the interpreter's other threads while an image is written.

   Nothing must change between one page and the next, so every other thread
   that works in the interpreter waits in a signal handler until it is
   released, or until the process is gone.

   Threads enlist here when a carried library starts them, or when they set a
   thread key that has a destructor (keys.c), and leave when they end.

   A thread is stopped only where it may be.  While it holds a lock of a
   carried library or of ours (locks.c), or is inside of what must be done in
   full or not at all (cs_process_defer_stop), the handler only notes that a stop is
   wanted, and the thread stops itself afterwards.  So nothing that a lock
   guards is half done in the image, and whoever writes the image finds no
   lock taken that it needs itself.

   A thread that waits for a condition variable or for descriptors is stopped
   with the locks that it holds.  libguile waits there for Scheme code, and
   holds a lock meanwhile only where it calls Scheme code under that lock
   (3.0.8, libguile/scmsigs.c: sigaction).  The thread that it waits for may
   be stopped already, so the lock would never be given back.  locks.c frees
   the lock in the next process.  Another thread that wants such a lock cannot go on
   either before all are released, so that thread counts as stopped where it is.

   The collector works until the last thread has stopped, as a thread that
   holds a lock may have to allocate before it can give it back.  Therefore
   the collector's own stop signal gets through to threads that wait here
   (libgc 8.2.2, pthread_stop_world.c, GC_suspend_handler), and the caller
   takes the collector's lock (the fork handler `prepare`) after this, not
   before.

   libguile's signal thread blocks all signals (3.0.8, libguile/scmsigs.c,
   signal_delivery_thread); its masks go through here, so that this one stays
   deliverable.  */

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/private.h"

#define YIELDS 100              /* looks before the first millisecond */
#define POLLS 1000              /* milliseconds, then go on without */
#define POLLS_RUNNING 10000     /* for those that lack only a processor */
#define RESEND 8                /* milliseconds between signals to one thread */

__thread struct cs_stop_thread cs_stop_self;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cs_stop_thread *list;

/* Odd while threads shall be stopped.  They wait for it to change.  */
static atomic_uint round_number;

static _Atomic pid_t writer;    /* the thread that stops the others, or 0 */

/* Threads that were started and have not set a key yet.  */
static atomic_uint starting;

static int
stop_signal (void)
{
  return SIGRTMAX - 1;
}

void
cs_process_await (atomic_uint *word, unsigned value)
{
  while (atomic_load (word) == value)
    syscall (SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void
cs_process_awaken (atomic_uint *word)
{
  syscall (SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* In a handler or in its place: must not allocate, lock, print or enter
   Guile.  */
void
cs_stop_here (void)
{
  unsigned now = atomic_load (&round_number);
  int code = errno;

  cs_stop_self.wanted = false;
  if (now % 2 == 1 && atomic_load (&writer) != gettid ())
    {
      cs_process_note_interruption ();
      atomic_store (&cs_stop_self.stopped_in, now);
      cs_process_await (&round_number, now);
    }
  errno = code;
}

/* Whose lock is it?  libc writes that down after it has got it and before it
   gives it back (glibc 2.36, nptl/pthread_mutex_lock.c: __owner).  */
static bool
is_owner (const pthread_mutex_t *mutex, pid_t tid)
{
  return mutex->__data.__owner == tid;
}

/* Does T wait for an act of another thread in Scheme?  A thread of an extension
   that has never entered Guile does not: it gives its locks back first.  */
static bool
waits_in_scheme (const struct cs_stop_thread *t)
{
  return t->has_values && t->deferred == 0
         && (t->waiting || atomic_load (&t->waits));
}

/* A thread that takes a lock gets it from another one that may not stop
   before: so it will soon be on.  But not if the writer has it.  */
static bool
may_stop (const struct cs_stop_thread *t)
{
  const pthread_mutex_t *awaited = t->awaited, *waiting = t->waiting;

  return (cs_stop_is_free (t) || waits_in_scheme (t))
         && !(awaited && !is_owner (awaited, atomic_load (&writer)))
         && !(waiting && is_owner (waiting, t->tid));
}

static void
handle_stop (int signum)
{
  (void) signum;
  if (may_stop (&cs_stop_self))
    cs_stop_here ();
  else
    cs_stop_self.wanted = true;
}

void
cs_process_defer_stop (void)
{
  cs_stop_self.deferred++;
}

void
cs_process_allow_stop (void)
{
  cs_stop_self.deferred--;
  if (cs_stop_self.wanted && cs_stop_is_free (&cs_stop_self))
    cs_stop_here ();
}

bool
cs_process_is_free (void)
{
  return cs_stop_is_free (&cs_stop_self);
}

/* Threads whose handler must not run while the list is theirs.  */
static void
lock_list (void)
{
  cs_process_defer_stop ();
  pthread_mutex_lock (&list_lock);
}

static void
unlock_list (void)
{
  pthread_mutex_unlock (&list_lock);
  cs_process_allow_stop ();
}

void
cs_stop_hold (void)
{
  lock_list ();
}

void
cs_stop_release (void)
{
  unlock_list ();
}

bool
cs_stop_any (bool (*is_so) (const struct cs_stop_thread *t,
                            const pthread_mutex_t *mutex),
             const pthread_mutex_t *mutex)
{
  bool any = false;

  for (struct cs_stop_thread *t = list; t && !any; t = t->next)
    any = is_so (t, mutex);
  return any;
}

void
cs_stop_admit (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, stop_signal ());
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
}

void
cs_stop_enlist (void)
{
  struct cs_stop_thread *self = &cs_stop_self;

  if (self->is_enlisted)
    return;
  self->pthread = pthread_self ();
  self->tid = gettid ();
  self->is_enlisted = true;
  lock_list ();
  self->next = list;
  list = self;
  unlock_list ();
  /* It may have been started just before all were stopped.  */
  if (cs_stop_is_free (self))
    cs_stop_here ();
}

void
cs_stop_leave (void)
{
  struct cs_stop_thread **place = &list;

  cs_stop_settled ();
  if (!cs_stop_self.is_enlisted)
    return;
  lock_list ();
  while (*place != &cs_stop_self)
    place = &(*place)->next;
  *place = cs_stop_self.next;
  cs_stop_self.is_enlisted = false;
  unlock_list ();
}

/* In the child of a fork, under the lock: the other threads are not there, nor
   is one of them that had asked for a stop.  If this thread was about to ask for
   one, it has not done so yet.  */
void
cs_stop_forked (void)
{
  unsigned now = atomic_load (&round_number);

  atomic_store (&writer, 0);
  atomic_store (&round_number, now + now % 2);
  cs_stop_self.wanted = false;
  list = cs_stop_self.is_enlisted ? &cs_stop_self : NULL;
  cs_stop_self.next = NULL;
  cs_stop_self.tid = gettid ();
  atomic_store (&starting, cs_stop_self.is_starting);
}

void
cs_stop_starting (void)
{
  atomic_fetch_add (&starting, 1);
}

void
cs_stop_not_started (void)
{
  atomic_fetch_sub (&starting, 1);
}

void
cs_stop_settled (void)
{
  if (!cs_stop_self.is_starting)
    return;
  cs_stop_self.is_starting = false;
  atomic_fetch_sub (&starting, 1);
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

void
cs_process_note_interruption (void)
{
  cs_stop_self.nr_interruptions++;
}

const atomic_bool *
cs_process_waits (void)
{
  return &cs_stop_self.waits;
}

/* A call that has returned CODE waits no longer.  Shall it begin again?  If
   nothing but stops and requests has interrupted it since there were BEFORE
   interruptions, as those are none of the program's business.  libguile
   repeats what leaves EINTR in errno, also where it has succeeded (3.0.8,
   libguile/syscalls.h, SCM_SYSCALL).  */
static bool
goes_on (int code, unsigned before)
{
  bool ours = code < 0 && errno == EINTR
              && cs_stop_self.nr_interruptions != before;
  bool again;

  atomic_store (&cs_stop_self.waits, false);
  again = ours && (!cs_process.interrupted || cs_process.interrupted ());
  if (ours)
    errno = again ? 0 : EINTR;
  return again;
}

static int64_t
microseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
left_until (int64_t end)
{
  int64_t now = microseconds ();

  return end > now ? end - now : 0;
}

/* These two return early after a handler has run, also under SA_RESTART
   (signal(7)).  What a save takes is time that has passed.  */
int
cs_stop_select (int nr, fd_set *in, fd_set *out, fd_set *except,
                struct timeval *timeout)
{
  int64_t left, end = 0;
  unsigned before;
  int code;

  if (timeout && timeout->tv_sec < INT32_MAX)
    end = microseconds () + (int64_t) timeout->tv_sec * 1000000
          + timeout->tv_usec;
  for (;;)
    {
      before = cs_stop_self.nr_interruptions;
      atomic_store (&cs_stop_self.waits, true);
      code = select (nr, in, out, except, timeout);
      if (!goes_on (code, before))
        return code;
      if (end > 0)
        {
          left = left_until (end);
          timeout->tv_sec = (time_t) (left / 1000000);
          timeout->tv_usec = (suseconds_t) (left % 1000000);
        }
    }
}

int
cs_stop_poll (struct pollfd *fds, nfds_t nr, int timeout)
{
  int64_t end = timeout > 0 ? microseconds () + (int64_t) timeout * 1000 : 0;
  unsigned before;
  int code;

  for (;;)
    {
      before = cs_stop_self.nr_interruptions;
      atomic_store (&cs_stop_self.waits, true);
      code = poll (fds, nr, timeout);
      if (!goes_on (code, before))
        return code;
      if (timeout > 0)
        timeout = (int) ((left_until (end) + 999) / 1000);
    }
}

static void
install (int also)
{
  struct sigaction action = {
    .sa_handler = handle_stop, .sa_flags = SA_RESTART
  };

  sigfillset (&action.sa_mask);
  if (also > 0)
    sigdelset (&action.sa_mask, also);
  sigaction (stop_signal (), &action, NULL);
}

/* Under the list's lock: has the thread that the kernel calls TID stopped?  */
static bool
has_stopped (pid_t tid, unsigned now)
{
  for (const struct cs_stop_thread *t = list; t; t = t->next)
    if (t->tid == tid)
      return atomic_load (&t->stopped_in) == now;
  return false;
}

/* Under the list's lock: has T stopped, or does T wait for a lock whose owner has
   stopped?  While the owner was looked up, T may have got the lock and gone on:
   hence the second look at T.  */
static bool
is_at_rest (const struct cs_stop_thread *t, unsigned now)
{
  const pthread_mutex_t *awaited = t->awaited;

  if (atomic_load (&t->stopped_in) == now)
    return true;
  return awaited && cs_store_contains (cs_process.store, awaited)
         && has_stopped (awaited->__data.__owner, now)
         && t->awaited == awaited && t->blocks && cs_stop_is_free (t);
}

/* Is one of those that are not stopped yet working, or would if it got a
   processor?  Then it soon comes to where it may be stopped.  */
static bool
any_runs (unsigned now)
{
  bool runs = false;

  lock_list ();
  for (struct cs_stop_thread *t = list; t && !runs; t = t->next)
    runs = t != &cs_stop_self && !is_at_rest (t, now)
           && cs_process_thread_runs ((uint32_t) t->tid);
  unlock_list ();
  return runs;
}

/* Threads that are not stopped yet; each gets the signal if SEND.  */
static unsigned
count_running (unsigned now, bool send)
{
  unsigned running = 0;

  lock_list ();
  for (struct cs_stop_thread *t = list; t; t = t->next)
    if (t != &cs_stop_self && !is_at_rest (t, now))
      {
        running++;
        if (send)
          pthread_kill (t->pthread, stop_signal ());
      }
  unlock_list ();
  return running;
}

/* A thread between its start and its first key is not known to the next
   process, which could not weed it: let it come that far.  */
static void
wait_for_starting (void)
{
  for (int i = 0; i < POLLS / 10 && atomic_load (&starting) > 0; i++)
    poll (NULL, 0, 1);
}

/* Those that go on all the same: nobody can be asked later.  */
static struct
{
  pid_t tids[CS_UNSTOPPED_MAX];
  size_t nr;
} unstopped;

static void
note_unstopped (unsigned now)
{
  unstopped.nr = 0;
  lock_list ();
  for (struct cs_stop_thread *t = list; t; t = t->next)
    if (t != &cs_stop_self && !is_at_rest (t, now)
        && unstopped.nr < CS_UNSTOPPED_MAX)
      unstopped.tids[unstopped.nr++] = t->tid;
  unlock_list ();
}

size_t
cs_process_unstopped (pid_t *tids, size_t max)
{
  size_t nr = unstopped.nr < max ? unstopped.nr : max;

  memcpy (tids, unstopped.tids, nr * sizeof *tids);
  return nr;
}

static unsigned
wait_for_stop (unsigned now)
{
  unsigned running = count_running (now, true);

  for (int i = 0; running > 0 && i < YIELDS; i++)
    {
      sched_yield ();
      running = count_running (now, false);
    }
  for (int i = 1; running > 0
                  && (i < POLLS || (i < POLLS_RUNNING && any_runs (now)));
       i++)
    {
      poll (NULL, 0, 1);
      running = count_running (now, i % RESEND == 0);
    }
  return running;
}

/* The locks of threads that hold some all the same, this one among them.  */
static void
note_locks (void)
{
  cs_process.image->nr_locks = 0;
  cs_locks_note (&cs_stop_self);
  lock_list ();
  for (struct cs_stop_thread *t = list; t; t = t->next)
    if (t != &cs_stop_self)
      cs_locks_note (t);
  unlock_list ();
}

unsigned
cs_process_stop_threads (int also)
{
  unsigned running, now;

  install (also);
  atomic_store (&writer, gettid ());
  wait_for_starting ();
  now = atomic_fetch_add (&round_number, 1) + 1;
  running = wait_for_stop (now);
  note_unstopped (now);
  note_locks ();
  return running;
}

void
cs_process_release_threads (void)
{
  atomic_store (&writer, 0);
  atomic_fetch_add (&round_number, 1);
  cs_process_awaken (&round_number);
}
