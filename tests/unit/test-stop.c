/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-stop.c -- threads are stopped while an image is written, and where.  */

#include <semaphore.h>
#include <stdatomic.h>

#include "process-fixture.h"

#define THREADS 4
#define ROUNDS 200

static atomic_bool finish;
static atomic_uint turns[THREADS];

/* Whoever stops the others polls while it waits for one of them.  */
static atomic_uint polls;

int
poll (struct pollfd *fds, nfds_t nr, int timeout)
{
  struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };

  atomic_fetch_add (&polls, 1);
  return ppoll (fds, nr, timeout < 0 ? NULL : &time, NULL);
}

static pthread_t
start (void *(*body) (void *), const void *argument)
{
  pthread_t thread;

  CHECK (cs_thread_create (&thread, NULL, body, (void *) argument) == 0);
  return thread;
}

static void
join (pthread_t thread)
{
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
wait_until (atomic_uint *counter, unsigned value)
{
  while (atomic_load (counter) < value)
    poll (NULL, 0, 1);
}

static void *
turn (void *argument)
{
  atomic_uint *mine = argument;

  cs_stop_settled ();
  while (!atomic_load (&finish))
    atomic_fetch_add (mine, 1);
  return NULL;
}

static void
all_stand_still (void)
{
  pthread_t threads[THREADS];
  unsigned seen[THREADS];

  begin ();
  for (int i = 0; i < THREADS; i++)
    threads[i] = start (turn, &turns[i]);
  for (int round = 0; round < 20; round++)
    {
      for (int i = 0; i < THREADS; i++)
        wait_until (&turns[i], atomic_load (&turns[i]) + 1);
      CHECK (cs_process_stop_threads (0) == 0);
      for (int i = 0; i < THREADS; i++)
        seen[i] = atomic_load (&turns[i]);
      poll (NULL, 0, 2);
      for (int i = 0; i < THREADS; i++)
        CHECK (seen[i] == atomic_load (&turns[i]));
      cs_process_release_threads ();
    }
  atomic_store (&finish, true);
  for (int i = 0; i < THREADS; i++)
    join (threads[i]);
  CHECK (cs_process_stop_threads (0) == 0);
}

/* Locks.  */

static pthread_mutex_t *
lock (int i)
{
  return (pthread_mutex_t *) words->text + i;
}

static void
make_locks (void)
{
  static const pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
  static const pthread_mutex_t recursive
    = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

  *lock (0) = *lock (1) = free_lock;
  *lock (2) = recursive;
}

static bool
is_free (int i)
{
  bool taken = pthread_mutex_trylock (lock (i)) == 0;

  if (taken)
    pthread_mutex_unlock (lock (i));
  return taken;
}

/* Two words that are equal whenever no thread is between them.  */
static atomic_uint left, right;

static void *
change_both (void *argument)
{
  cs_stop_settled ();
  while (!atomic_load (&finish))
    {
      if (argument)
        CHECK (cs_locks_lock (lock (0)) == 0);
      else
        while (cs_locks_trylock (lock (0)) != 0)
          continue;
      left++;
      for (volatile int i = 0; i < 100; i++)
        continue;
      right++;
      CHECK (cs_locks_unlock (lock (0)) == 0);
      atomic_fetch_add (&turns[argument != NULL], 1);
    }
  return NULL;
}

static void
not_inside_a_lock (void)
{
  pthread_t a, b;

  begin ();
  make_locks ();
  a = start (change_both, "lock");
  b = start (change_both, NULL);
  for (int round = 0; round < ROUNDS; round++)
    {
      CHECK (cs_process_stop_threads (0) == 0);
      CHECK (left == right);
      CHECK (is_free (0));
      CHECK (cs_process.image->nr_locks == 0);
      cs_process_release_threads ();
      wait_until (&turns[round % 2],
                  atomic_load (&turns[round % 2]) + 1);
    }
  atomic_store (&finish, true);
  join (a);
  join (b);
}

static pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;
static volatile bool ready;

static void
release_and_wake_up (void)
{
  cs_process_release_threads ();
  CHECK (cs_locks_lock (lock (0)) == 0);
  ready = true;
  CHECK (cs_locks_unlock (lock (0)) == 0);
  pthread_cond_broadcast (&wake_up);
}

static void *
wait_and_time_out (void *argument)
{
  struct timespec end;

  cs_stop_settled ();
  CHECK (cs_locks_lock (lock (0)) == 0);
  while (!ready)
    {
      atomic_fetch_add (&turns[0], 1);
      clock_gettime (CLOCK_REALTIME, &end);
      end.tv_nsec += argument ? 1000000 : 0;
      end.tv_sec += end.tv_nsec / 1000000000;
      end.tv_nsec %= 1000000000;
      if (argument)
        cs_locks_timedwait (&wake_up, lock (0), &end);
      else
        cs_locks_wait (&wake_up, lock (0));
    }
  CHECK (cs_locks_unlock (lock (0)) == 0);
  return NULL;
}

/* Whoever waits for a condition variable holds nothing, wherever it is in
   its wait when the others stop.  */
static void
inside_a_wait (void)
{
  pthread_t threads[THREADS];

  begin ();
  make_locks ();
  for (int i = 0; i < THREADS; i++)
    threads[i] = start (wait_and_time_out, i % 2 ? "timed" : NULL);
  for (int round = 0; round < ROUNDS; round++)
    {
      if (round % 3 == 0)
        pthread_cond_broadcast (&wake_up);
      CHECK (cs_process_stop_threads (0) == 0);
      CHECK (cs_process.image->nr_locks == 0);
      cs_process_release_threads ();
    }
  CHECK (cs_locks_lock (lock (0)) == 0);
  ready = true;
  CHECK (cs_locks_unlock (lock (0)) == 0);
  pthread_cond_broadcast (&wake_up);
  for (int i = 0; i < THREADS; i++)
    join (threads[i]);
  CHECK (is_free (0));
}

static void *
hold_and_wait (void *unused)
{
  cs_stop_settled ();
  CHECK (cs_locks_lock (lock (1)) == 0);
  CHECK (cs_locks_lock (lock (0)) == 0);
  atomic_fetch_add (&turns[0], 1);
  while (!ready)
    cs_locks_wait (&wake_up, lock (0));
  CHECK (cs_locks_unlock (lock (0)) == 0);
  CHECK (cs_locks_unlock (lock (1)) == 0);
  return unused;
}

/* A thread that has never entered Guile keeps its locks while it waits: the
   data under them may be half changed.  */
static void
waits_with_a_lock (void)
{
  pthread_t thread;

  begin ();
  make_locks ();
  thread = start (hold_and_wait, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 1);
  release_and_wake_up ();
  join (thread);
}

static pthread_key_t key;

static void
forget (void *value)
{
  (void) value;
}

/* Of a thread that has entered Guile.  */
static void
wait_with_a_lock (bool with_condition)
{
  CHECK (cs_keys_set (key, &key) == 0);
  CHECK (cs_locks_lock (lock (1)) == 0);
  CHECK (cs_locks_lock (lock (0)) == 0);
  atomic_fetch_add (&turns[0], 1);
  while (with_condition && !ready)
    cs_locks_wait (&wake_up, lock (0));
  CHECK (cs_locks_unlock (lock (0)) == 0);
  while (!ready)
    cs_stop_poll (NULL, 0, 1000);
  CHECK (cs_locks_unlock (lock (1)) == 0);
}

static void *
wait_for_condition (void *unused)
{
  wait_with_a_lock (true);
  return unused;
}

static void *
wait_for_time (void *unused)
{
  wait_with_a_lock (false);
  return unused;
}

static void *
wait_deferred (void *unused)
{
  cs_process_defer_stop ();
  wait_with_a_lock (false);
  cs_process_allow_stop ();
  return unused;
}

/* One of Guile's is, as it may wait for Scheme code of a thread that has been
   stopped; but not in what must be done in full.  */
static void
wait_stopped (void *(*body) (void *), unsigned running)
{
  pthread_t thread;

  make_locks ();
  ready = false;
  atomic_store (&turns[0], 0);
  thread = start (body, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == running);
  CHECK (cs_process.image->nr_locks == 1
         && cs_process.image->locks[0] == (uintptr_t) lock (1));
  release_and_wake_up ();
  join (thread);
}

static void
guile_waits_with_a_lock (void)
{
  begin ();
  CHECK (cs_keys_create (&key, forget) == 0);
  wait_stopped (wait_for_condition, 0);
  wait_stopped (wait_for_time, 0);
  wait_stopped (wait_deferred, 1);
}

static void *
want_lock (void *holds)
{
  cs_stop_settled ();
  if (holds)
    CHECK (cs_locks_lock (lock (2)) == 0);
  atomic_fetch_add (&turns[1], 1);
  CHECK (cs_locks_lock (lock (1)) == 0);
  CHECK (cs_locks_unlock (lock (1)) == 0);
  if (holds)
    CHECK (cs_locks_unlock (lock (2)) == 0);
  return NULL;
}

/* Until a thread waits in the kernel for MUTEX.  */
static void
wait_until_asleep (const pthread_mutex_t *mutex)
{
  while (*(const volatile int *) &mutex->__data.__lock != 2)
    poll (NULL, 0, 1);
}

/* A thread waits in Guile with a lock that another one wants: NR of these cannot
   be stopped.  */
static void
stop_who_wants_a_lock (const char *holds, unsigned nr)
{
  pthread_t waits, wants;

  make_locks ();
  ready = false;
  atomic_store (&turns[0], 0);
  atomic_store (&turns[1], 0);
  waits = start (wait_for_condition, NULL);
  wait_until (&turns[0], 1);
  wants = start (want_lock, holds);
  wait_until (&turns[1], 1);
  wait_until_asleep (lock (1));
  CHECK (cs_process_stop_threads (0) == nr);
  CHECK (cs_process.image->nr_locks == 1 + nr);
  release_and_wake_up ();
  join (waits);
  join (wants);
  CHECK (is_free (1));
}

static void
lock_of_a_stopped_thread (void)
{
  begin ();
  CHECK (cs_keys_create (&key, forget) == 0);
  stop_who_wants_a_lock (NULL, 0);
  stop_who_wants_a_lock ("holds another", 1);
}

/* A thread has a lock some instructions before it notes that: MOMENT is NULL
   when it has taken the lock, and else when it has it again after a wait.  */
static void *
have_unnoted_lock (void *moment)
{
  pthread_mutex_t *volatile *place
    = moment ? (pthread_mutex_t *volatile *) &cs_stop_self.waiting
      : (pthread_mutex_t *volatile *) &cs_stop_self.awaited;

  cs_stop_settled ();
  *place = lock (0);
  pthread_mutex_lock (lock (0));
  atomic_fetch_add (&turns[0], 1);
  while (!cs_stop_self.wanted && !atomic_load (&finish))
    continue;
  pthread_mutex_unlock (lock (0));
  *place = NULL;
  cs_process_defer_stop ();
  cs_process_allow_stop ();
  return NULL;
}

static void
unnoted_lock (void)
{
  pthread_t thread;

  begin ();
  for (int i = 0; i < 2; i++)
    {
      make_locks ();
      atomic_store (&finish, false);
      atomic_store (&turns[0], 0);
      thread = start (have_unnoted_lock, i ? "waited" : NULL);
      wait_until (&turns[0], 1);
      CHECK (cs_process_stop_threads (0) == 0);
      CHECK (is_free (0));
      cs_process_release_threads ();
      atomic_store (&finish, true);
      join (thread);
    }
}

static void *
hold_seventeen (void *unused)
{
  static pthread_mutex_t many[CS_STOP_HELD_MAX + 1];

  cs_stop_settled ();
  for (int i = 0; i <= CS_STOP_HELD_MAX; i++)
    CHECK (cs_locks_lock (&many[i]) == 0);
  CHECK (cs_stop_self.nr_held == CS_STOP_HELD_MAX);
  CHECK (cs_stop_self.nr_more == 1);
  for (int i = 0; i <= CS_STOP_HELD_MAX; i++)
    CHECK (cs_locks_unlock (&many[i]) == 0);
  CHECK (cs_stop_is_free (&cs_stop_self));
  /* One that was taken behind our back changes nothing.  */
  CHECK (cs_locks_lock (lock (1)) == 0);
  pthread_mutex_lock (lock (0));
  CHECK (cs_locks_unlock (lock (0)) == 0);
  CHECK (cs_stop_self.nr_held == 1);
  CHECK (cs_locks_unlock (lock (1)) == 0);
  CHECK (cs_stop_is_free (&cs_stop_self));
  return unused;
}

static void
many_locks (void)
{
  begin ();
  make_locks ();
  join (start (hold_seventeen, NULL));
}

/* A thread that cannot be stopped.  */

static void *
hold_deaf (void *unused)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
  CHECK (cs_locks_lock (lock (1)) == 0);
  CHECK (cs_locks_lock (lock (2)) == 0 && cs_locks_lock (lock (2)) == 0);
  cs_stop_settled ();
  atomic_fetch_add (&turns[0], 1);
  pause ();
  return unused;
}

static void
leave_locks_held (void)
{
  begin ();
  make_locks ();
  start (hold_deaf, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_locks_lock (lock (0)) == 0);
  CHECK (cs_process_stop_threads (0) == 1);
  CHECK (!is_free (0) && !is_free (1) && !is_free (2));
  CHECK (cs_process.image->nr_locks == 4);
  save_and_leave ();
}

static void
find_locks_free (void)
{
  resume ();
  CHECK (is_free (0) && is_free (1) && is_free (2));
  /* Of the kind it was.  */
  CHECK (pthread_mutex_lock (lock (2)) == 0);
  CHECK (pthread_mutex_trylock (lock (2)) == 0);
  CHECK (cs_process.image->nr_locks == 0);
}

static void
locks_of_another_process (void)
{
  CHECK (in_child (leave_locks_held) == 0);
  CHECK (in_child (find_locks_free) == 0);
}

/* The writer's own lock: whoever waits for it is stopped there.  */
static void *
wait_for_writer (void *unused)
{
  cs_stop_settled ();
  atomic_fetch_add (&turns[0], 1);
  CHECK (cs_locks_lock (lock (0)) == 0);
  CHECK (cs_locks_unlock (lock (0)) == 0);
  return unused;
}

static void
writer_holds_a_lock (void)
{
  pthread_t thread;

  begin ();
  make_locks ();
  CHECK (cs_locks_lock (lock (0)) == 0);
  thread = start (wait_for_writer, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 0);
  CHECK (cs_process.image->nr_locks == 1);
  cs_process_release_threads ();
  CHECK (cs_locks_unlock (lock (0)) == 0);
  join (thread);
}

/* A thread of the program's that blocks all signals is stopped all the
   same.  */
static void *
block_all (void *mine)
{
  sigset_t all, now;

  sigfillset (&all);
  CHECK (cs_stop_sigmask (SIG_SETMASK, &all, NULL) == 0);
  CHECK (cs_stop_sigmask (SIG_BLOCK, NULL, &now) == 0);
  CHECK (sigismember (&now, SIGUSR1) == 1);
  return turn (mine);
}

static void
blocked_signals (void)
{
  pthread_t thread;

  begin ();
  thread = start (block_all, &turns[0]);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 0);
  cs_process_release_threads ();
  atomic_store (&finish, true);
  join (thread);
}

/* The next process could not free a lock that is not in the store, and has
   room for so many.  */
static void
noted_locks (void)
{
  static pthread_mutex_t outside;
  struct cs_process_disk *image;
  struct cs_stop_thread thread = { .nr_held = 2 };

  begin ();
  make_locks ();
  image = cs_process.image;
  thread.held[0] = &outside;
  thread.held[1] = lock (0);
  cs_locks_note (&thread);
  CHECK (image->nr_locks == 1 && image->locks[0] == (uintptr_t) lock (0));
  for (int i = 0; i < 2 * CS_PROCESS_LOCKS_MAX; i++)
    cs_locks_note (&thread);
  CHECK (image->nr_locks == CS_PROCESS_LOCKS_MAX);
}

/* What may not be cut in two.  */

static void
long_routine (void)
{
  atomic_fetch_add (&turns[0], 1);
  left++;
  for (int i = 0; i < 20; i++)
    poll (NULL, 0, 1);
  right++;
}

static void *
run_once (void *unused)
{
  static pthread_once_t control = PTHREAD_ONCE_INIT;

  cs_stop_settled ();
  CHECK (cs_once_run (&control, long_routine) == 0);
  return unused;
}

static void
not_inside_a_routine (void)
{
  pthread_t thread;

  begin ();
  thread = start (run_once, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 0);
  CHECK (left == 1 && right == 1);
  cs_process_release_threads ();
  join (thread);
}

static void
slow_destructor (void *value)
{
  (void) value;
  atomic_fetch_add (&turns[0], 1);
  left++;
  poll (NULL, 0, 1);
  right++;
}

static void *
set_key (void *value)
{
  CHECK (cs_keys_set (key, value) == 0);
  return NULL;
}

/* The record of a thread is there until its destructor has run.  */
static void
threads_come_and_go (void)
{
  pthread_t threads[THREADS];

  begin ();
  CHECK (cs_keys_create (&key, slow_destructor) == 0);
  for (int round = 0; round < ROUNDS / 4; round++)
    {
      for (int i = 0; i < THREADS; i++)
        threads[i] = start (set_key, &key);
      CHECK (cs_process_stop_threads (0) == 0);
      CHECK (left == right);
      CHECK (cs_process.image->nr_locks == 0);
      cs_process_release_threads ();
      for (int i = 0; i < THREADS; i++)
        join (threads[i]);
    }
  CHECK (left == THREADS * (ROUNDS / 4));
  CHECK (cs_process.threads->count == 0);
}

/* Waiting goes on.  */

static int64_t
milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *
wait_its_time (void *argument)
{
  struct timeval timeout = { 0, 200000 };
  int64_t begin_time;

  cs_stop_settled ();
  begin_time = milliseconds ();
  errno = 0;
  atomic_fetch_add (&turns[0], 1);
  if (argument)
    CHECK (cs_stop_select (0, NULL, NULL, NULL, &timeout) == 0);
  else
    CHECK (cs_stop_poll (NULL, 0, 200) == 0);
  CHECK (milliseconds () - begin_time >= 199);
  CHECK (errno == 0);           /* libguile would wait once more for EINTR */
  atomic_fetch_add (&turns[1], 1);
  return NULL;
}

static void
waits_are_not_cut (void)
{
  pthread_t a, b;

  begin ();
  a = start (wait_its_time, "select");
  b = start (wait_its_time, NULL);
  wait_until (&turns[0], 2);
  for (int round = 0; round < 20; round++)
    {
      CHECK (cs_process_stop_threads (0) == 0);
      poll (NULL, 0, 2);
      cs_process_release_threads ();
      poll (NULL, 0, 2);
    }
  join (a);
  join (b);
}

/* Stops that go on and on do not make a wait longer: nothing but these ends the
   test.  */
static void
waits_end (void)
{
  pthread_t a, b;

  begin ();
  a = start (wait_its_time, "select");
  b = start (wait_its_time, NULL);
  wait_until (&turns[0], 2);
  for (int round = 0; round < 1500 && atomic_load (&turns[1]) < 2; round++)
    {
      CHECK (cs_process_stop_threads (0) == 0);
      cs_process_release_threads ();
      poll (NULL, 0, 5);
    }
  CHECK (atomic_load (&turns[1]) == 2);
  join (a);
  join (b);
}

static void
note_signal (int signum)
{
  (void) signum;
  atomic_fetch_add (&turns[1], 1);
}

static void *
wait_for_ever (void *unused)
{
  cs_stop_settled ();
  atomic_fetch_add (&turns[0], 1);
  CHECK (cs_stop_poll (NULL, 0, -1) == -1 && errno == EINTR);
  return unused;
}

/* Any other signal ends the wait.  */
static void
other_signals (void)
{
  struct sigaction action = { .sa_handler = note_signal };
  pthread_t thread;

  begin ();
  sigaction (SIGUSR1, &action, NULL);
  thread = start (wait_for_ever, NULL);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (SIGUSR1) == 0);
  /* Delivered to a thread that is stopped, as the collector's is.  */
  pthread_kill (thread, SIGUSR1);
  wait_until (&turns[1], 1);
  cs_process_release_threads ();
  /* It was inside of a stop, so it counts as one; now it is not.  */
  while (pthread_tryjoin_np (thread, NULL) != 0)
    {
      pthread_kill (thread, SIGUSR1);
      poll (NULL, 0, 1);
    }
}

static void *
keep_errno (void *unused)
{
  cs_stop_settled ();
  errno = 77;
  while (!atomic_load (&finish))
    {
      CHECK (errno == 77);
      atomic_fetch_add (&turns[0], 1);
    }
  return unused;
}

/* A thread is stopped anywhere: between a call and a look at errno too.  */
static void
errno_stays (void)
{
  struct sigaction action = { .sa_handler = note_signal };
  pthread_t thread;

  begin ();
  sigaction (SIGUSR1, &action, NULL);
  thread = start (keep_errno, NULL);
  for (unsigned round = 1; round <= 10; round++)
    {
      wait_until (&turns[0], atomic_load (&turns[0]) + 1);
      CHECK (cs_process_stop_threads (SIGUSR1) == 0);
      pthread_kill (thread, SIGUSR1);
      wait_until (&turns[1], round);
      cs_process_release_threads ();
    }
  wait_until (&turns[0], atomic_load (&turns[0]) + 1);
  atomic_store (&finish, true);
  join (thread);
}

static sem_t go;

static void *
enlist_late (void *unused)
{
  while (sem_wait (&go) < 0)
    continue;
  cs_stop_enlist ();
  atomic_fetch_add (&turns[0], 1);
  cs_stop_leave ();
  return unused;
}

/* A thread that comes to the interpreter while all are stopped.  */
static void
enlisted_while_stopped (void)
{
  pthread_t thread;

  begin ();
  sem_init (&go, 0, 0);
  CHECK (pthread_create (&thread, NULL, enlist_late, NULL) == 0);
  CHECK (cs_process_stop_threads (0) == 0);
  sem_post (&go);
  poll (NULL, 0, 200);
  CHECK (atomic_load (&turns[0]) == 0);
  cs_process_release_threads ();
  wait_until (&turns[0], 1);
  join (thread);
}

static pid_t deaf;

static void *
be_deaf_for_a_while (void *mine)
{
  sigset_t all, old;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  deaf = gettid ();
  cs_stop_settled ();
  atomic_fetch_add (&turns[0], 1);
  while (sem_wait (&go) < 0)
    continue;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return turn (mine);
}

/* Threads that could not be stopped are told of, those of this stop only.  */
static void
unstopped (void)
{
  pid_t tids[] = { 7, 7 };
  pthread_t thread;

  begin ();
  sem_init (&go, 0, 0);
  thread = start (be_deaf_for_a_while, &turns[1]);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 1);
  CHECK (cs_process_unstopped (tids, 0) == 0 && tids[0] == 7);
  CHECK (cs_process_unstopped (tids, 2) == 1 && tids[0] == deaf
         && tids[1] == 7);
  cs_process_release_threads ();
  sem_post (&go);
  wait_until (&turns[1], 1);
  CHECK (cs_process_stop_threads (0) == 0);
  CHECK (cs_process_unstopped (tids, 2) == 0);
  cs_process_release_threads ();
  atomic_store (&finish, true);
  join (thread);
}

/* A forked child has one thread.  */
static void
forked_child (void)
{
  pthread_t thread;
  int status;
  pid_t pid;

  begin ();
  thread = start (turn, &turns[0]);
  wait_until (&turns[0], 1);
  pid = fork ();
  if (pid == 0)
    {
      CHECK (cs_process_stop_threads (0) == 0);
      cs_process_release_threads ();
      finish = false;
      thread = start (turn, &turns[1]);
      wait_until (&turns[1], 1);
      CHECK (cs_process_stop_threads (0) == 0);
      _exit (0);
    }
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  atomic_store (&finish, true);
  join (thread);
}

/* Forks when it has been asked to stop and may not yet.  The child is not to
   stop at all; that it ends by itself shows it.  */
static void *
fork_in_deferral (void *begun)
{
  pid_t pid;
  int status;

  cs_stop_settled ();
  cs_process_defer_stop ();
  atomic_store ((atomic_uint *) begun, 1);
  while (!cs_stop_self.wanted)
    poll (NULL, 0, 1);
  pid = fork ();
  if (pid == 0)
    {
      alarm (20);
      CHECK (cs_stop_self.tid == gettid ());
      cs_process_allow_stop ();
      CHECK (cs_process_stop_threads (0) == 0);
      cs_process_release_threads ();
      /* A new thread looks whether all are to stop.  */
      atomic_store (&finish, true);
      join (start (turn, &turns[1]));
      _exit (0);
    }
  cs_process_allow_stop ();
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  return NULL;
}

static void
forked_while_all_stop (void)
{
  pthread_t thread;

  begin ();
  thread = start (fork_in_deferral, &turns[0]);
  wait_until (&turns[0], 1);
  CHECK (cs_process_stop_threads (0) == 0);
  cs_process_release_threads ();
  join (thread);
}

static void
stop_nobody (bool waits)
{
  atomic_store (&polls, 0);
  CHECK (cs_process_stop_threads (0) == 0);
  CHECK ((atomic_load (&polls) > 0) == waits);
  cs_process_release_threads ();
}

/* In a child of a process that starts a thread, which is another one or the one
   that forks.  */
static void
fork_while_starting (bool itself)
{
  int status;
  pid_t pid;

  cs_stop_starting ();
  cs_stop_self.is_starting = itself;
  pid = fork ();
  if (pid == 0)
    {
      if (itself)
        stop_nobody (true);
      cs_stop_settled ();
      stop_nobody (false);
      _exit (0);
    }
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  stop_nobody (true);
  cs_stop_self.is_starting = true;
  cs_stop_settled ();
  stop_nobody (false);
}

static void
forked_while_starting (void)
{
  begin ();
  fork_while_starting (false);
  fork_while_starting (true);
}

/* The first key that it sets may be the first after others were stopped.  */
static void
writer_enlists (void)
{
  begin ();
  cs_stop_leave ();
  CHECK (cs_process_stop_threads (0) == 0);
  cs_stop_enlist ();
  cs_process_release_threads ();
  CHECK (cs_stop_self.is_enlisted);
}

static const struct test_case cases[] = {
  { "threads stand still until they are released", all_stand_still },
  { "a thread that holds a lock gives it back first", not_inside_a_lock },
  { "a thread that waits for a condition variable holds nothing",
    inside_a_wait },
  { "locks are counted", many_locks },
  { "locks of a thread that cannot be stopped are free in the next process",
    locks_of_another_process },
  { "a foreign thread that waits with a lock is not stopped", waits_with_a_lock },
  { "one of Guile's is, unless it may not stop", guile_waits_with_a_lock },
  { "a thread that wants a lock of a stopped one is at rest, unless it holds one",
    lock_of_a_stopped_thread },
  { "a lock that a thread has and has not noted", unnoted_lock },
  { "a thread that waits for a lock of the writer's", writer_holds_a_lock },
  { "a thread that has blocked all signals", blocked_signals },
  { "locks outside the store are not noted, nor too many", noted_locks },
  { "the routine of a once-control ends first", not_inside_a_routine },
  { "threads that begin and end while others stop them",
    threads_come_and_go },
  { "select and poll wait on after a stop", waits_are_not_cut },
  { "but no longer than without", waits_end },
  { "a stopped thread keeps its errno", errno_stays },
  { "a thread that enlists while all are stopped is stopped",
    enlisted_while_stopped },
  { "threads that could not be stopped are told of", unstopped },
  { "other signals reach a stopped thread and end a wait", other_signals },
  { "a forked child stops its own threads only", forked_child },
  { "a child forked while all are to stop goes on", forked_while_all_stop },
  { "a child waits for no thread that its parent starts",
    forked_while_starting },
  { "who stops the others enlists meanwhile", writer_enlists },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
