/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-keys.c -- thread keys that outlive their process.  */

#include "process-fixture.h"

static unsigned nr_first, nr_second;
static void *last_first, *last_second;

static void
first_destructor (void *value)
{
  nr_first++;
  last_first = value;
}

static void
second_destructor (void *value)
{
  nr_second++;
  last_second = value;
}

static void
run_thread (void *(*body) (void *), void *argument)
{
  pthread_t thread;

  CHECK (pthread_create (&thread, NULL, body, argument) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
}

static uint64_t
nr_records (void)
{
  uint64_t nr = 0;

  for (uint64_t i = 0; i < cs_process.threads->count; i++)
    nr += cs_process.threads->threads[i].value != 0;
  return nr;
}

static pthread_key_t key_a, key_b;

static void *
see_own_values (void *unused)
{
  int mine;

  (void) unused;
  CHECK (cs_keys_get (key_a) == NULL && cs_keys_get (key_b) == NULL);
  CHECK (cs_keys_set (key_b, &mine) == 0);
  CHECK (cs_keys_get (key_b) == &mine);
  return NULL;
}

static void
values_per_thread_body (void)
{
  int mine;

  begin ();
  CHECK (cs_keys_create (&key_a, NULL) == 0);
  CHECK (cs_keys_create (&key_b, NULL) == 0);
  CHECK (key_a != key_b);
  CHECK (cs_keys_get (key_a) == NULL);
  CHECK (cs_keys_set (key_a, &mine) == 0 && cs_keys_set (key_b, "b") == 0);
  run_thread (see_own_values, NULL);
  CHECK (cs_keys_get (key_a) == &mine);
  CHECK (!strcmp (cs_keys_get (key_b), "b"));
  CHECK (cs_keys_set (key_a, NULL) == 0 && cs_keys_get (key_a) == NULL);
  CHECK (nr_records () == 0);
}

static void
refusals (void)
{
  pthread_key_t key;
  int nr = 0;

  begin ();
  CHECK (cs_keys_set (0, "x") == EINVAL);
  CHECK (cs_keys_set (CS_PROCESS_KEYS_MAX, "x") == EINVAL);
  CHECK (cs_keys_get (CS_PROCESS_KEYS_MAX) == NULL);
  CHECK (cs_keys_delete (0) == EINVAL);
  CHECK (cs_keys_delete (CS_PROCESS_KEYS_MAX) == EINVAL);
  while (nr <= CS_PROCESS_KEYS_MAX && cs_keys_create (&key, NULL) == 0)
    nr++;
  CHECK (nr == CS_PROCESS_KEYS_MAX);
  CHECK (cs_keys_create (&key, NULL) == EAGAIN);
  CHECK (cs_keys_delete (7) == 0);
  CHECK (cs_keys_set (7, "x") == EINVAL);
  /* Others may have values under it: it is not given out again.  */
  CHECK (cs_keys_create (&key, NULL) == EAGAIN);
}

static void *
set_both (void *unused)
{
  (void) unused;
  CHECK (cs_keys_set (key_a, &key_a) == 0);
  CHECK (cs_keys_set (key_b, &key_b) == 0);
  CHECK (nr_records () == 2);
  return NULL;
}

static void *
set_end_and_set (void *unused)
{
  set_both (unused);
  cs_process_end_thread ();
  CHECK (nr_first == 2 && nr_second == 2 && nr_records () == 0);
  CHECK (cs_keys_get (key_a) == NULL);
  return NULL;
}

static void
end_of_thread (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, first_destructor) == 0);
  CHECK (cs_keys_create (&key_b, second_destructor) == 0);
  run_thread (set_both, NULL);
  CHECK (nr_first == 1 && last_first == &key_a);
  CHECK (nr_second == 1 && last_second == &key_b);
  CHECK (nr_records () == 0);
  run_thread (set_end_and_set, NULL);
  CHECK (nr_first == 2 && nr_second == 2);
}

static void
changing_a_value (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, first_destructor) == 0);
  CHECK (cs_keys_set (key_a, "one") == 0 && nr_records () == 1);
  CHECK (cs_keys_set (key_a, "two") == 0 && nr_records () == 1);
  CHECK (cs_keys_set (key_a, "two") == 0 && nr_records () == 1);
  CHECK (cs_process.threads->threads[0].tid == (uint32_t) gettid ());
  CHECK (cs_keys_set (key_a, NULL) == 0 && nr_records () == 0);
  CHECK (cs_process.threads->count == 0 && nr_first == 0);
}

/* A destructor that sets its own key again, twice.  */
static void
stubborn_destructor (void *value)
{
  if (++nr_first < 3)
    CHECK (cs_keys_set (key_a, value) == 0);
}

static void *
set_a (void *value)
{
  CHECK (cs_keys_set (key_a, value) == 0);
  return NULL;
}

static void
destructor_sets_again (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, stubborn_destructor) == 0);
  run_thread (set_a, &key_a);
  CHECK (nr_first == 3 && nr_records () == 0);
  /* The same where libc does not ask again.  */
  nr_first = 0;
  set_a (&key_a);
  cs_process_end_thread ();
  CHECK (nr_first == 3 && nr_records () == 0);
}

/* Deleting a key forgets its values, in all threads.  */
static void
deleted_body (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, first_destructor) == 0);
  CHECK (cs_keys_set (key_a, "old") == 0);
  CHECK (cs_keys_delete (key_a) == 0);
  CHECK (nr_records () == 0);
  CHECK (cs_keys_create (&key_b, second_destructor) == 0);
  CHECK (cs_keys_get (key_b) == NULL);
  cs_process_weed ();
  cs_process_end_thread ();
  CHECK (nr_first == 0 && nr_second == 0);
}

/* Across processes.  */

static void
leave_values (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, NULL) == 0);
  CHECK (cs_keys_create (&key_a, first_destructor) == 0);
  CHECK (cs_keys_create (&key_b, second_destructor) == 0);
  words->word[0] = key_a;
  words->word[1] = key_b;
  CHECK (cs_keys_set (key_a, &words->word[10]) == 0);
  CHECK (cs_keys_set (key_b, &words->word[11]) == 0);
  CHECK (cs_keys_set (0, &words->word[12]) == 0);
  save_and_leave ();
}

static void
find_keys (void)
{
  pthread_key_t key;

  resume ();
  key_a = (pthread_key_t) words->word[0];
  key_b = (pthread_key_t) words->word[1];
  CHECK (cs_keys_get (0) == NULL && cs_keys_get (key_a) == NULL);
  CHECK (cs_keys_create (&key, NULL) == 0 && key != key_a && key != key_b);
  cs_process_weed ();
  CHECK (nr_first == 1 && last_first == &words->word[10]);
  CHECK (nr_second == 1 && last_second == &words->word[11]);
  cs_process_weed ();
  CHECK (nr_first == 1 && nr_second == 1 && nr_records () == 0);
  CHECK (cs_process.threads->count == 0);       /* there is room again */
  run_thread (set_a, &key_a);
  CHECK (nr_first == 2 && last_first == &key_a);
  save_and_leave ();
}

static void
find_nothing_to_weed (void)
{
  resume ();
  cs_process_weed ();
  CHECK (nr_first == 0 && nr_second == 0);
}

static void
next_process (void)
{
  CHECK (in_child (leave_values) == 0);
  CHECK (in_child (find_keys) == 0);
  CHECK (in_child (find_nothing_to_weed) == 0);
}

static void
leave_ended_thread (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, first_destructor) == 0);
  run_thread (set_a, &key_a);
  CHECK (nr_first == 1);
  save_and_leave ();
}

static void
ended_threads_stay_ended (void)
{
  CHECK (in_child (leave_ended_thread) == 0);
  CHECK (in_child (find_nothing_to_weed) == 0);
}

/* What a destructor does while weeding belongs to this thread.  */
static void
setting_destructor (void *value)
{
  nr_first++;
  last_first = value;
  if (nr_first == 1)
    CHECK (cs_keys_set (key_b, &key_b) == 0);
}

static void
leave_one_value (void)
{
  begin ();
  CHECK (cs_keys_create (&key_a, setting_destructor) == 0);
  CHECK (cs_keys_create (&key_b, second_destructor) == 0);
  words->word[0] = key_a;
  words->word[1] = key_b;
  CHECK (cs_keys_set (key_a, "stale") == 0);
  save_and_leave ();
}

static void
weed_and_end (void)
{
  resume ();
  key_a = (pthread_key_t) words->word[0];
  key_b = (pthread_key_t) words->word[1];
  cs_process_weed ();
  CHECK (nr_first == 1 && nr_second == 0);
  CHECK (cs_keys_get (key_b) == &key_b && nr_records () == 1);
  cs_process_end_thread ();
  CHECK (nr_second == 1 && nr_records () == 0);
}

static void
weeding_destructor_sets (void)
{
  CHECK (in_child (leave_one_value) == 0);
  CHECK (in_child (weed_and_end) == 0);
}

static const struct test_case cases[] = {
  { "each thread has its own values", values_per_thread_body },
  { "wrong and too many keys are refused", refusals },
  { "the end of a thread runs its destructors", end_of_thread },
  { "a thread has one record for each key that is set", changing_a_value },
  { "a destructor that sets its key again runs again",
    destructor_sets_again },
  { "a deleted key leaves no value behind", deleted_body },
  { "numbers and destructors are kept; threads that are gone are weeded"
    " once", next_process },
  { "a thread that ended is not weeded", ended_threads_stay_ended },
  { "what a destructor sets while weeding is this thread's",
    weeding_destructor_sets },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
