/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service.c -- threads of libcs's own.

   A signal of the program's is for the program's threads.  The collector's
   two signals must get through wherever a thread may enter Guile: libgc
   signals each registered thread and aborts the process when one of them
   never answers (8.2.2, pthread_stop_world.c, resend_lost_signals).  */

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "guile/functions.h"
#include "guile/service.h"

#define STACK_LEN (1024 * 1024)

static void
all_but_the_collectors (sigset_t *set)
{
  sigfillset (set);
  sigdelset (set, gc.get_suspend_signal ());
  sigdelset (set, gc.get_thr_restart_signal ());
}

/* The new thread inherits the mask.  A caller that has the collector's signals
   blocked lets them through meanwhile: a collecting thread that has sent one
   waits for it anyway.  */
int
cs_service_start (void *(*body) (void *))
{
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t mask, old;
  int code = pthread_attr_init (&attr);

  if (code != 0)
    return code;
  all_but_the_collectors (&mask);
  pthread_attr_setstacksize (&attr, STACK_LEN);
  pthread_attr_setdetachstate (&attr, PTHREAD_CREATE_DETACHED);
  pthread_sigmask (SIG_SETMASK, &mask, &old);
  code = pthread_create (&thread, &attr, body, NULL);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  pthread_attr_destroy (&attr);
  return code;
}
