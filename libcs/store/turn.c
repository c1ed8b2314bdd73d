/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* turn.c -- the lock of those who change a store's file.

   A mutex of glibc goes to the thread that asks first after it was given back, and
   that is the thread that runs.  An apply in slices would have it again and
   again.  So the next thread waits with a second mutex taken, through which the
   others pass.  */

#include "store/store-private.h"
#include "store/sys.h"

/* A waiting thread looks so often for the end of another thread's sync, which
   takes a millisecond where the disk is fast.  */
#define LOOK_NS 200000

void
cs_applying_lock_beside (struct cs_store *store)
{
  pthread_mutex_lock (&store->turn);
  pthread_mutex_lock (&store->applying);
  pthread_mutex_unlock (&store->turn);
}

void
cs_applying_lock (struct cs_store *store)
{
  cs_applying_lock_beside (store);
  while (store->unsynced)
    {
      cs_applying_unlock (store);
      cs_sys.nanosleep (&(struct timespec) { 0, LOOK_NS }, NULL);
      cs_applying_lock_beside (store);
    }
}

void
cs_applying_unlock (struct cs_store *store)
{
  pthread_mutex_unlock (&store->applying);
}
