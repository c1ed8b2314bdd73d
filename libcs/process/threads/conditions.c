/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conditions.c -- the collector's condition variables, in each process.

   No thread waits for one that comes from an earlier process: the threads have
   ended with it.  What libc has written there speaks of them all the same, in
   the layout of the libc that wrote it.  glibc 2.41 took a member out of the
   middle of pthread_cond_t (nptl: __g_refs), so an older libc takes a number
   for its own lock there, and waits for ever.  So each is as
   PTHREAD_COND_INITIALIZER makes it when this process comes to it first.

   The collector has two, for markers and for those who fill free lists, and
   uses each with its lock of the markers held (libgc 8.2.2, pthread_support.c,
   GC_wait_marker, GC_notify_all_builder): that lock guards the list here.  */

#include <stddef.h>

#include "process/private.h"

#define CONDITIONS_MAX 8

static const pthread_cond_t *known[CONDITIONS_MAX];
static size_t nr_known;

static void
renew (pthread_cond_t *condition)
{
  size_t i = 0;

  while (i < nr_known && known[i] != condition)
    i++;
  if (i < nr_known || nr_known == CONDITIONS_MAX)
    return;
  known[nr_known++] = condition;
  *condition = (pthread_cond_t) PTHREAD_COND_INITIALIZER;
}

int
cs_conditions_wait (pthread_cond_t *condition, pthread_mutex_t *mutex)
{
  renew (condition);
  return pthread_cond_wait (condition, mutex);
}

int
cs_conditions_broadcast (pthread_cond_t *condition)
{
  renew (condition);
  return pthread_cond_broadcast (condition);
}
