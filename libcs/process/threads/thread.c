/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* thread.c -- threads that the carried libraries start.

   They enlist for being stopped (stop.c) before they do anything else.

   A library may keep the number of a thread that is gone with an earlier
   process.  It leads nowhere, or to a thread of this one.  So those that can
   be joined are noted, and any other has ended.  */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/private.h"

/* What a thread is started with; it frees that.  */
struct start
{
  void *(*body) (void *);
  void *argument;
  enum cs_thread_kind kind;
  bool is_guile;                /* it will set a key */
};

/* Threads of this process that can be joined; under the lock of stop.c.  */
struct joinable
{
  struct joinable *next;
  pthread_t thread;
};

static struct joinable *joinable;

static void
take_signal_stack (void *unused)
{
  (void) unused;
  cs_process_take_signal_stack ();
}

static void *
run_thread (void *closure)
{
  struct start start = *(struct start *) closure;
  void *result;

  free (closure);
  cs_process_give_signal_stack ();
  pthread_cleanup_push (take_signal_stack, NULL);
  cs_process_thread_kind = start.kind;
  cs_stop_self.is_starting = start.is_guile;
  cs_keys_watch_end ();
  cs_stop_admit ();
  cs_stop_enlist ();
  result = start.body (start.argument);
  if (start.kind == CS_THREAD_OF_SERVICE)
    cs_once_thread_ended (start.body);
  pthread_cleanup_pop (1);
  return result;
}

static bool
is_joinable (const pthread_attr_t *attr)
{
  int state = PTHREAD_CREATE_JOINABLE;

  if (attr)
    pthread_attr_getdetachstate (attr, &state);
  return state == PTHREAD_CREATE_JOINABLE;
}

/* Start a thread and note it, before anybody can join or detach it.  */
static int
create (pthread_t *thread, const pthread_attr_t *attr, struct start *start)
{
  struct joinable *note = is_joinable (attr) ? malloc (sizeof *note) : NULL;
  int code = is_joinable (attr) && !note ? EAGAIN : 0;

  cs_stop_hold ();
  if (code == 0)
    code = pthread_create (thread, attr, run_thread, start);
  if (code == 0 && note)
    {
      *note = (struct joinable) { joinable, *thread };
      joinable = note;
    }
  cs_stop_release ();
  if (code != 0)
    {
      free (note);
      free (start);
    }
  return code;
}

static struct start *
make_start (void *(*body) (void *), void *argument)
{
  struct start *start = malloc (sizeof *start);

  if (start)
    *start = (struct start) { body, argument, CS_THREAD_OF_PROGRAM, false };
  return start;
}

int
cs_thread_create (pthread_t *thread, const pthread_attr_t *attr,
                  void *(*body) (void *), void *argument)
{
  struct start *start = make_start (body, argument);
  int code;

  if (!start)
    return EAGAIN;
  start->is_guile = true;
  /* One that is started under a once-control is the interpreter's own.  */
  if (cs_once_starts_thread (body, argument))
    start->kind = CS_THREAD_OF_SERVICE;
  cs_stop_starting ();
  code = create (thread, attr, start);
  if (code != 0)
    {
      cs_stop_not_started ();
      cs_once_thread_ended (body);
    }
  return code;
}

int
cs_thread_create_foreign (pthread_t *thread, const pthread_attr_t *attr,
                          void *(*body) (void *), void *argument)
{
  struct start *start = make_start (body, argument);

  return start ? create (thread, attr, start) : EAGAIN;
}

/* Can THREAD be joined?  It is to be, or to be detached: once.  */
static bool
take (pthread_t thread)
{
  struct joinable **place = &joinable, *note;
  bool found;

  cs_stop_hold ();
  while (*place && !pthread_equal ((*place)->thread, thread))
    place = &(*place)->next;
  note = *place;
  found = note != NULL;
  if (found)
    *place = note->next;
  cs_stop_release ();
  free (note);
  return found;
}

/* In the child of a fork: the others are not there.  */
void
cs_thread_forked (void)
{
  joinable = NULL;
}

int
cs_thread_join (pthread_t thread, void **result)
{
  if (take (thread))
    return pthread_join (thread, result);
  if (pthread_equal (thread, pthread_self ()))
    return EDEADLK;
  if (result)
    *result = NULL;
  return 0;
}

int
cs_thread_detach (pthread_t thread)
{
  return take (thread) ? pthread_detach (thread) : 0;
}

/* The letter after the command's name in parentheses (proc(5), stat).  */
bool
cs_process_thread_runs (uint32_t tid)
{
  char path[64], text[256];
  const char *state;
  ssize_t len;
  int fd;

  snprintf (path, sizeof path, "/proc/self/task/%u/stat", tid);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return true;
  len = read (fd, text, sizeof text - 1);
  close (fd);
  text[len > 0 ? len : 0] = '\0';
  state = strrchr (text, ')');
  return !state || state[1] != ' ' || state[2] == 'R';
}
