/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* requests.c -- signals that are requests to the workspace.

   A handler may do next to nothing, so it notes the signal and wakes the service
   thread, which enters Guile and marks an async for the main thread.  Between
   signals the service thread is none of Guile's: it has no record, holds nothing,
   and is not in the way of a checkpoint.  */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "guile/collector.h"
#include "guile/functions.h"
#include "guile/service.h"
#include "process/process.h"
#include "workspace/requests.h"

/* A second SIGTERM so many milliseconds after the first one is no repetition:
   somebody has waited for the first.  */
#define PATIENCE 5000

/* A request waits so many milliseconds, at most, for the end of a module that is
   being loaded.  A server may be such a module for all of its life: for one load
   there is one wait.  */
#define LOAD_PATIENCE 2000

/* A save waits so many milliseconds, at most, for the end of a once-routine.  */
#define ROUTINE_PATIENCE 500

static struct
{
  atomic_int leave;             /* the first signal that asked to; or 0 */
  atomic_bool left;             /* the workspace is being left */
  atomic_uint terminated;       /* milliseconds(): the first SIGTERM; or 0 */
  atomic_bool save;
  atomic_bool by_time;          /* SAVE comes of EVERY_MS, not of a signal */
  atomic_bool ran;              /* the async has run since this was cleared */
  sem_t arrived;
  uint64_t every_ms;            /* from one save's end to the next; 0: never */
  atomic_bool saving;
  bool told;                    /* that the saves of late have failed */
  bool quiet;                   /* do not tell if this one fails, too */
  pid_t owner;
  void (*failed) (const struct cs_err *err);
  SCM answer, thread;           /* found by the collector: static data */
  _Atomic (SCM) given_up;       /* a load that lasted longer than a request
                                   waits: cs_loading_list() as it was */
  const struct cs_loading_disk *loading;
  pthread_t workspace;
  const atomic_bool *waits;     /* in a call that wait.c answers from */
} requests;

/* Keeps the service thread out of Guile.  */
static pthread_mutex_t in_guile = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* A thread of the program has IN_GUILE, for a once-routine.  */
static atomic_uint nr_routines;

static bool save_has_it;        /* ... and the thread that saves has it */

static unsigned
milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (unsigned) now.tv_sec * 1000 + (unsigned) (now.tv_nsec / 1000000);
}

/* For a handler: let SIGNUM do what it does by default.  */
static void
give_in (int signum)
{
  signal (signum, SIG_DFL);
  raise (signum);
}

/* Does this SIGTERM come so late after the first one that it is not the same
   request?  */
static bool
is_impatient (void)
{
  unsigned now = milliseconds () | 1, first = 0;

  return !atomic_compare_exchange_strong (&requests.terminated, &first, now)
         && now - first >= PATIENCE;
}

/* A terminal that closes sends SIGHUP twice, by its shell and by the kernel,
   and a service manager may send both signals: all that ask to leave are one
   request.  */
static void
note_leave (int signum)
{
  if (signum == SIGTERM && is_impatient ())
    give_in (signum);
  else
    atomic_compare_exchange_strong (&requests.leave, &(int) { 0 }, signum);
}

/* Handler.  A forked child has no thread to wake: there it is as if nothing
   had been installed.  */
static void
note (int signum)
{
  int code = errno;

  cs_process_note_interruption ();
  if (getpid () != requests.owner)
    {
      give_in (signum);
      return;
    }
  if (signum == SIGUSR1)
    {
      atomic_store (&requests.by_time, false);
      atomic_store (&requests.save, true);
    }
  else
    note_leave (signum);
  sem_post (&requests.arrived);
  errno = code;
}

void
cs_requests_mark (void)
{
  scm.system_async_mark_for_thread (requests.answer, requests.thread);
}

static void *
mark_async (void *unused)
{
  cs_requests_mark ();
  return unused;
}

static bool
is_pending (void)
{
  return !atomic_load (&requests.left)
         && (atomic_load (&requests.leave) || atomic_load (&requests.save));
}

bool
cs_requests_is_save (void)
{
  return is_pending () && !atomic_load (&requests.leave);
}

bool
cs_requests_is_asked (void)
{
  return is_pending () && !cs_process.child
         && pthread_equal (pthread_self (), requests.workspace);
}

/* A once-routine may run Scheme code, in an async, that waits for the thread that
   saves.  Its thread keeps the service out of Guile just as well.  */
static bool
keep_service_out (void)
{
  unsigned begin = milliseconds ();

  while (pthread_mutex_trylock (&in_guile) != 0)
    {
      if (atomic_load (&nr_routines) > 0
          && milliseconds () - begin >= ROUTINE_PATIENCE)
        return false;
      poll (NULL, 0, 1);
    }
  return true;
}

void
cs_requests_save (void)
{
  save_has_it = keep_service_out ();
}

void
cs_requests_release (void)
{
  if (save_has_it)
    pthread_mutex_unlock (&in_guile);
}

/* A thread that leaves Guile while libguile's signal thread is being started
   takes the locks of both in the other order: neither would ever go on (3.0.8,
   libguile/threads.c, on_thread_exit; scmsigs.c, start_signal_delivery_thread,
   scm_i_close_signal_pipe).  */
static void
stay_out (bool begins)
{
  if (begins)
    {
      pthread_mutex_lock (&in_guile);
      atomic_fetch_add (&nr_routines, 1);
    }
  else
    {
      atomic_fetch_sub (&nr_routines, 1);
      pthread_mutex_unlock (&in_guile);
    }
}

bool
cs_requests_await_load (void)
{
  SCM list = cs_loading_list (requests.loading);

  return !scm_is_null (list)
         && !scm_is_eq (list, atomic_load (&requests.given_up));
}

/* BEGIN is when the request came.  */
static void
await_load (unsigned begin)
{
  while (is_pending () && cs_requests_await_load ())
    if (milliseconds () - begin < LOAD_PATIENCE)
      poll (NULL, 0, 10);
    else
      atomic_store (&requests.given_up, cs_loading_list (requests.loading));
}

static void
enter_to_mark (void)
{
  pthread_mutex_lock (&in_guile);
  scm.with_guile (mark_async, NULL);
  cs_collector_leave_thread ();
  pthread_mutex_unlock (&in_guile);
}

/* A main thread that is in read(2) or the like looks for asyncs only
   when the call was interrupted (libguile/fports.c, fport_read).  The signal
   itself has interrupted it before the async was marked, so it is
   interrupted again until it has answered.  One in select() needs no async for
   a save (wait.h).  An async that has run is marked again as long as a request
   is pending: it may have been put off, or have come while another one was
   answered.  */
static void
pass_on (void)
{
  unsigned begin = milliseconds ();
  bool marked = false;

  for (await_load (begin); is_pending (); await_load (begin))
    {
      if (atomic_exchange (&requests.ran, false))
        marked = false;
      if (!marked && !(cs_requests_is_save () && atomic_load (requests.waits)))
        {
          enter_to_mark ();
          marked = true;
        }
      pthread_kill (requests.workspace, CS_PROCESS_INTERRUPT);
      poll (NULL, 0, 10);
    }
}

/* Wait for a signal, or until it is time to save: is there something to do?
   The end of a save is told like a signal, and the wait begins again with it: a
   program whose saves take longer than EVERY_MS would do nothing else.  */
static bool
wait_for_one (void)
{
  struct timespec until;

  if (requests.every_ms == 0)
    return sem_wait (&requests.arrived) == 0 && is_pending ();
  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t) (requests.every_ms / 1000);
  until.tv_nsec += (long) (requests.every_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000)
    {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
  if (sem_clockwait (&requests.arrived, CLOCK_MONOTONIC, &until) == 0)
    return is_pending ();
  if (errno != ETIMEDOUT || atomic_load (&requests.saving))
    return false;
  atomic_store (&requests.by_time, true);
  atomic_store (&requests.save, true);
  return true;
}

static void *
wait_for_requests (void *unused)
{
  cs_process_thread_kind = CS_THREAD_OF_SERVICE;
  for (;;)
    if (wait_for_one ())
      pass_on ();
  return unused;
}

static void
interrupt (int signum)
{
  (void) signum;
  cs_process_note_interruption ();
}

void
cs_requests_exec_abort (void)
{
  struct sigaction action = { .sa_handler = interrupt };

  sigaction (CS_PROCESS_INTERRUPT, &action, NULL);
}

/* What is pending is discarded when it is ignored (sigaction(2)).  */
void
cs_requests_exec_begin (void)
{
  signal (CS_PROCESS_INTERRUPT, SIG_IGN);
}

void
cs_requests_exec_end (void)
{
  signal (CS_PROCESS_INTERRUPT, SIG_DFL);
}

static void
install (int signum)
{
  struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

  sigemptyset (&action.sa_mask);
  cs_process_own_action (signum, &action);
}

void
cs_requests_restore (SCM answer, const struct cs_loading_disk *loading,
                  uint64_t every_ms, void (*failed) (const struct cs_err *err))
{
  requests.answer = answer;
  requests.loading = loading;
  requests.thread = scm.current_thread ();
  requests.failed = failed;
  requests.every_ms = every_ms;
  requests.owner = getpid ();
  requests.workspace = pthread_self ();
  requests.waits = cs_process_waits ();
  cs_process.around_once = stay_out;
  sem_init (&requests.arrived, 0, 0);
  cs_requests_exec_abort ();
  if (cs_service_start (wait_for_requests) != 0)
    return;
  install (SIGTERM);
  install (SIGHUP);
  install (SIGUSR1);
}

void
cs_requests_fork_child (void)
{
  atomic_store (&requests.leave, 0);
  atomic_store (&requests.left, false);
  atomic_store (&requests.save, false);
  in_guile = (pthread_mutex_t) PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  atomic_store (&nr_routines, 0);
}

void
cs_requests_finish (void)
{
  atomic_store (&requests.left, true);
}

int
cs_requests_status (int status)
{
  int signum = atomic_load (&requests.leave);

  return signum ? 128 + signum : status;
}

bool
cs_requests_are_over (void)
{
  return atomic_load (&requests.left);
}

void
cs_requests_note_answer (void)
{
  atomic_store (&requests.ran, true);
}

bool
cs_requests_take_save (void)
{
  return atomic_exchange (&requests.save, false);
}

/* A save that comes by time fails again and again, until somebody has made room
   or the like: that is told once.  */
void
cs_requests_begin_save (void)
{
  requests.quiet = atomic_exchange (&requests.by_time, false) && requests.told;
  atomic_store (&requests.saving, true);
}

void
cs_requests_end_save (const struct cs_err *err)
{
  /* A child that the hook has forked was not asked.  */
  if (err && !requests.quiet && !cs_process.child && requests.failed)
    requests.failed (err);
  requests.told = err != NULL;
  atomic_store (&requests.saving, false);
  sem_post (&requests.arrived);
}
