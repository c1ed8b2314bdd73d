/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* thread.c -- threads that the carried libraries start.

   They enlist for being stopped (stop.c) before they do anything else.  */

#include <errno.h>
#include <stdlib.h>

#include "private.h"

struct start
{
  void *(*body) (void *);
  void *argument;
  bool is_own;
};

static void *
run_thread (void *closure)
{
  struct start start = *(struct start *) closure;

  free (closure);
  cs_process_own_thread = start.is_own;
  cs_stop_self.is_starting = true;
  cs_keys_watch_end ();
  cs_stop_enlist ();
  return start.body (start.argument);
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
  *start = (struct start) { body, argument, cs_once_starts_thread () };
  cs_stop_starting ();
  code = pthread_create (thread, attr, run_thread, start);
  if (code != 0)
    {
      cs_stop_not_started ();
      free (start);
    }
  return code;
}
