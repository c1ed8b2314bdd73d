/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* thread.c -- threads that the carried libraries start.

   They enlist for being stopped (stop.c) before they do anything else.  */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

struct start
{
  void *(*body) (void *);
  void *argument;
  enum cs_thread_kind kind;
};

static void *
run_thread (void *closure)
{
  struct start start = *(struct start *) closure;
  void *result;

  free (closure);
  cs_process_thread_kind = start.kind;
  cs_stop_self.is_starting = true;
  cs_keys_watch_end ();
  cs_stop_enlist ();
  result = start.body (start.argument);
  if (start.kind == CS_THREAD_OF_SERVICE)
    cs_once_thread_ended (start.body);
  return result;
}

int
cs_thread_create (pthread_t *thread, const pthread_attr_t *attr,
                  void *(*body) (void *), void *argument)
{
  struct start *start = malloc (sizeof *start);
  int code;

  if (!start)
    return EAGAIN;
  /* One that is started under a once-control is the interpreter's own.  */
  *start = (struct start) { body, argument, CS_THREAD_OF_PROGRAM };
  if (cs_once_starts_thread (body, argument))
    start->kind = CS_THREAD_OF_SERVICE;
  cs_stop_starting ();
  code = pthread_create (thread, attr, run_thread, start);
  if (code != 0)
    {
      cs_stop_not_started ();
      cs_once_thread_ended (body);
      free (start);
    }
  return code;
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
