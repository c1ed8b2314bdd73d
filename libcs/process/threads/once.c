/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* once.c -- pthread_once, for routines that start threads; ending threads
   that are gone.

   A once-control that has run stays "done" in the store.  That is right for
   what it left in the heap, and wrong for a thread it started: libguile
   starts its signal delivery thread under one (3.0.8, libguile/scmsigs.c,
   scm_i_ensure_signal_delivery_thread).  A control whose routine created a
   thread is therefore remembered, and armed again at each resume.

   From 3.0.10 on, libguile also keeps in a variable whether the thread runs,
   which only the thread itself resets, when its pipe is at its end; a routine
   that finds it set aborts.  So the thread is brought to its end once more:
   its body runs in a thread of this process, for which every descriptor is at
   its end (ending_in_this_thread).  That is possible where the body has no
   argument; one of a thread that has gone would lead nowhere.  The finalizer
   thread, which may be started in a routine, too, if that allocates, has
   ended by itself when an image is written.

   The thread's pipe is closed when another thread finds that nobody else is
   left (3.0.8, libguile/threads.c, on_thread_exit), whoever has its number by
   then: at a resume the two ends become numbers that nobody has.

   A thread is not stopped while it runs a routine.  A save does not wait for
   it for ever, as the routine may wait for something itself: libguile's runs
   Scheme code, and with it asyncs.  Another process would wait for the end of a
   routine that is under way in the image (glibc 2.36, nptl/pthread_once.c), so
   a control is remembered before its routine runs, and forgotten afterwards
   if the routine has started no thread.  */

#include <string.h>
#include <unistd.h>

#include "process/private.h"

static __thread void (*current_routine) (void);
static __thread pthread_once_t *current_control;
static __thread int *current_pipe;      /* the first one of the routine's */
static __thread unsigned threads_created;
static __thread bool ending_in_this_thread;
static __thread int **watched_pipe;

static pthread_mutex_t onces_lock = PTHREAD_MUTEX_INITIALIZER;

/* Threads of the last process, to be brought to their ends.  */
static uint64_t bodies[CS_PROCESS_ONCES_MAX];
static uint32_t nr_bodies;

/* That of CONTROL; a new one if there is none, or NULL if there is no room.  */
static struct cs_once_disk *
find (const pthread_once_t *control)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_once_disk *once = image->onces;

  while (once < image->onces + image->nr_onces
         && once->control != (uintptr_t) control)
    once++;
  if (once == image->onces + CS_PROCESS_ONCES_MAX)
    return NULL;
  if (once == image->onces + image->nr_onces)
    {
      *once = (struct cs_once_disk) { .control = (uintptr_t) control };
      image->nr_onces++;
    }
  return once;
}

/* Remember CONTROL, and that BODY runs because of it; NULL: not known.  */
static void
remember (const pthread_once_t *control, void *(*body) (void *))
{
  struct cs_once_disk *once;

  cs_locks_lock (&onces_lock);
  once = find (control);
  if (once && body)
    once->body = (uintptr_t) body;
  if (once && current_pipe)
    once->pipe = (uintptr_t) current_pipe;
  cs_locks_unlock (&onces_lock);
}

static void
forget (const pthread_once_t *control)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_once_disk *once;

  cs_locks_lock (&onces_lock);
  once = find (control);
  if (once)
    *once = image->onces[--image->nr_onces];
  cs_locks_unlock (&onces_lock);
}

static void
run_routine (void)
{
  pthread_once_t *control = current_control;
  unsigned before = threads_created;

  remember (control, NULL);
  current_routine ();
  if (threads_created == before)
    forget (control);
}

/* glibc 2.36, nptl/pthread_once.c: __PTHREAD_ONCE_DONE.  Later versions may
   only make this false too often.  */
static bool
is_done (const pthread_once_t *control)
{
  return __atomic_load_n (control, __ATOMIC_ACQUIRE) == 2;
}

static void
tell_of_routine (bool begins)
{
  if (cs_process.around_once)
    cs_process.around_once (begins);
}

int
cs_once_run (pthread_once_t *control, void (*routine) (void))
{
  bool runs = !is_done (control);
  void (*outer_routine) (void) = current_routine;
  pthread_once_t *outer_control = current_control;
  int *outer_pipe = current_pipe;
  int code;

  current_routine = routine;
  current_control = control;
  current_pipe = NULL;
  if (runs)
    tell_of_routine (true);
  cs_process_defer_stop ();
  code = pthread_once (control, run_routine);
  cs_process_allow_stop ();
  if (runs)
    tell_of_routine (false);
  current_routine = outer_routine;
  current_control = outer_control;
  current_pipe = outer_pipe;
  return code;
}

int
cs_once_pipe2 (int ends[2], int flags)
{
  int code = pipe2 (ends, flags);

  if (code == 0 && current_control && !current_pipe
      && cs_store_contains (cs_process.store, ends))
    {
      current_pipe = ends;
      remember (current_control, NULL);
    }
  if (code == 0 && watched_pipe)
    *watched_pipe = ends;
  return code;
}

int **
cs_process_watch_pipe (int **ends)
{
  int **old = watched_pipe;

  watched_pipe = ends;
  return old;
}

bool
cs_once_starts_thread (void *(*body) (void *), const void *argument)
{
  threads_created++;
  if (!current_control)
    return false;
  if (!argument)
    remember (current_control, body);
  return true;
}

void
cs_once_thread_ended (void *(*body) (void *))
{
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_onces; i++)
    if (image->onces[i].body == (uintptr_t) body)
      image->onces[i].body = 0;
}

static void
forget_pipe (int *ends)
{
  if (ends)
    ends[0] = ends[1] = -1;
}

void
cs_once_rearm (void)
{
  static const pthread_once_t armed = PTHREAD_ONCE_INIT;
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_onces; i++)
    {
      memcpy ((void *) (uintptr_t) image->onces[i].control, &armed,
              sizeof armed);
      forget_pipe ((int *) (uintptr_t) image->onces[i].pipe);
      if (image->onces[i].body)
        bodies[nr_bodies++] = image->onces[i].body;
    }
  image->nr_onces = 0;
}

bool
cs_once_is_ending (void)
{
  return ending_in_this_thread;
}

static void *
run_to_end (void *body)
{
  ending_in_this_thread = true;
  return ((void *(*) (void *)) (uintptr_t) *(uint64_t *) body) (NULL);
}

/* A thread that cannot be started is missed when it is started anew.  */
void
cs_process_end_threads (void)
{
  pthread_t thread;

  for (uint32_t i = 0; i < nr_bodies; i++)
    if (cs_thread_create (&thread, NULL, run_to_end, &bodies[i]) == 0)
      cs_thread_join (thread, NULL);
  nr_bodies = 0;
}
