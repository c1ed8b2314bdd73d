/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-conditions.c -- condition variables of an earlier process.  */

#include "process-fixture.h"

static pthread_cond_t condition;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_there, waits;

static void *
wait_for_it (void *unused)
{
  pthread_mutex_lock (&mutex);
  waits = true;
  while (!is_there)
    cs_conditions_wait (&condition, &mutex);
  pthread_mutex_unlock (&mutex);
  return unused;
}

static bool
somebody_waits (void)
{
  bool so;

  pthread_mutex_lock (&mutex);
  so = waits;
  pthread_mutex_unlock (&mutex);
  return so;
}

/* As if threads waited that there are not, and a lock were held, whatever the
   layout.  */
static void
leave_behind (int byte)
{
  memset (&condition, byte, sizeof condition);
}

static void
meet (void)
{
  pthread_t thread;

  CHECK (pthread_create (&thread, NULL, wait_for_it, NULL) == 0);
  while (!somebody_waits ())
    usleep (1000);
  pthread_mutex_lock (&mutex);
  is_there = true;
  CHECK (cs_conditions_broadcast (&condition) == 0);
  pthread_mutex_unlock (&mutex);
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
first_waits (void)
{
  leave_behind (0x16);
  meet ();
}

static void
first_wakes (void)
{
  leave_behind (0xff);
  pthread_mutex_lock (&mutex);
  CHECK (cs_conditions_broadcast (&condition) == 0);
  pthread_mutex_unlock (&mutex);
  meet ();
}

static const struct test_case cases[] = {
  { "who waits first waits, and is woken", first_waits },
  { "who wakes first wakes nobody, and is not held up", first_wakes }
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
