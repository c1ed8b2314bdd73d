/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* turn.c -- the lock of those who change a store's file.

   A mutex of glibc goes to the thread that asks first after it was given back, and
   that is the thread that runs.  An apply in slices would have it again and
   again.  So the next thread waits with a second mutex taken, through which the
   others pass.  */

#include "store/store-private.h"

void
cs_applying_lock (struct cs_store *store)
{
  pthread_mutex_lock (&store->turn);
  pthread_mutex_lock (&store->applying);
  pthread_mutex_unlock (&store->turn);
}

void
cs_applying_unlock (struct cs_store *store)
{
  pthread_mutex_unlock (&store->applying);
}
