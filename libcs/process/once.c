/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* once.c -- pthread_once, for routines that start threads.

   A once-control that has run stays "done" in the store.  That is right for
   what it left in the heap, and wrong for a thread it started: libguile
   starts its signal delivery thread under one (3.0.8, libguile/scmsigs.c,
   scm_i_ensure_signal_delivery_thread).  A control whose routine created a
   thread is therefore remembered, and armed again at each resume.

   A control whose routine runs is never in an image: another process would
   wait for its end (glibc 2.36, nptl/pthread_once.c).  */

#include <string.h>

#include "private.h"

static __thread void (*current_routine) (void);
static __thread pthread_once_t *current_control;
static __thread unsigned threads_created;

static void
remember (const pthread_once_t *control)
{
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_onces; i++)
    if (image->onces[i].control == (uintptr_t) control)
      return;
  if (image->nr_onces < CS_PROCESS_ONCES_MAX)
    image->onces[image->nr_onces++].control = (uintptr_t) control;
}

static void
run_routine (void)
{
  pthread_once_t *control = current_control;
  unsigned before = threads_created;

  current_routine ();
  if (threads_created != before)
    remember (control);
}

int
cs_once_run (pthread_once_t *control, void (*routine) (void))
{
  void (*outer_routine) (void) = current_routine;
  pthread_once_t *outer_control = current_control;
  int code;

  current_routine = routine;
  current_control = control;
  cs_process_defer_stop ();
  code = pthread_once (control, run_routine);
  cs_process_allow_stop ();
  current_routine = outer_routine;
  current_control = outer_control;
  return code;
}

/* Called for each thread that is started.  Is that done under a control?  */
bool
cs_once_starts_thread (void)
{
  threads_created++;
  return current_control != NULL;
}

void
cs_once_rearm (void)
{
  static const pthread_once_t armed = PTHREAD_ONCE_INIT;
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_onces; i++)
    memcpy ((void *) (uintptr_t) image->onces[i].control, &armed,
            sizeof armed);
  image->nr_onces = 0;
}
