/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-once.c -- once-controls: armed again if they started a thread.  */

#include "process-fixture.h"

/* In the store, as a carried library's static ones are.  */
static pthread_once_t *
control (int i)
{
  return (pthread_once_t *) &words->word[8 + i];
}

static int *
pipe_of_once (void)
{
  return (int *) &words->word[20];
}

static unsigned nr_plain, nr_starting, nr_outer;

static void
plain_routine (void)
{
  nr_plain++;
}

static void *
nothing (void *unused)
{
  return unused;
}

static void
starting_routine (void)
{
  pthread_t thread;

  nr_starting++;
  CHECK (cs_once_pipe2 (pipe_of_once (), 0) == 0);
  CHECK (cs_once_pipe2 (pipe_of_once () + 2, 0) == 0);
  CHECK (cs_thread_create (&thread, NULL, nothing, NULL) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
}

/* With an argument, which would lead nowhere in the next process.  */
static void
routine_with_argument (void)
{
  pthread_t thread;

  nr_starting++;
  CHECK (cs_thread_create (&thread, NULL, nothing, &nr_plain) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
argument_first (void)
{
  begin ();
  CHECK (cs_once_run (control (0), routine_with_argument) == 0);
  CHECK (cs_process.image->nr_onces == 1);
  CHECK (cs_process.image->onces[0].body == 0);
  save_and_leave ();
}

static void
argument_later (void)
{
  resume ();
  CHECK (cs_once_run (control (0), routine_with_argument) == 0);
  CHECK (nr_starting == 1);
}

static void
with_argument (void)
{
  CHECK (in_child (argument_first) == 0);
  CHECK (in_child (argument_later) == 0);
}

static void
outer_routine (void)
{
  nr_outer++;
  CHECK (cs_once_run (control (0), plain_routine) == 0);
}

static void
run_all (void)
{
  CHECK (cs_once_run (control (0), plain_routine) == 0);
  CHECK (cs_once_run (control (1), starting_routine) == 0);
}

static void
first (void)
{
  static const pthread_once_t armed = PTHREAD_ONCE_INIT;
  pthread_t thread;

  begin ();
  memcpy (control (0), &armed, sizeof armed);
  memcpy (control (1), &armed, sizeof armed);
  /* A thread outside of any routine concerns none.  */
  CHECK (cs_thread_create (&thread, NULL, nothing, NULL) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
  run_all ();
  run_all ();
  CHECK (nr_plain == 1 && nr_starting == 1);
  CHECK (cs_process.image->nr_onces == 1);
  CHECK (pipe_of_once ()[0] >= 0 && pipe_of_once ()[1] >= 0);
  save_and_leave ();
}

static void
later (void)
{
  resume ();
  CHECK (cs_process.image->nr_onces == 0);
  /* The routine's first pipe is the thread's; it has ended.  */
  CHECK (pipe_of_once ()[0] == -1 && pipe_of_once ()[1] == -1);
  CHECK (pipe_of_once ()[2] >= 0 && pipe_of_once ()[3] >= 0);
  run_all ();
  run_all ();
  CHECK (nr_plain == 0 && nr_starting == 1);
  save_and_leave ();
}

/* One that does not run it keeps it armed for the one after.  */
static void
idle (void)
{
  resume ();
  save_and_leave ();
}

static void
re_armed (void)
{
  CHECK (in_child (first) == 0);
  CHECK (in_child (later) == 0);
  CHECK (in_child (idle) == 0);
  CHECK (in_child (later) == 0);
}

static void
starting_outer_routine (void)
{
  pthread_t thread;

  nr_outer++;
  CHECK (cs_thread_create (&thread, NULL, nothing, NULL) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
  CHECK (cs_once_run (control (0), plain_routine) == 0);
}

static void
nested_first (void)
{
  begin ();
  CHECK (cs_once_run (control (2), starting_outer_routine) == 0);
  CHECK (nr_outer == 1 && nr_plain == 1);
  CHECK (cs_process.image->nr_onces == 1);
  CHECK (cs_process.image->onces[0].control == (uintptr_t) control (2));
  save_and_leave ();
}

static void
nested_later (void)
{
  resume ();
  CHECK (cs_once_run (control (2), outer_routine) == 0);
  CHECK (nr_outer == 1 && nr_plain == 0);
}

static void
nested (void)
{
  CHECK (in_child (nested_first) == 0);
  CHECK (in_child (nested_later) == 0);
}

/* A thread in the manner of libguile's signal delivery thread: it runs until
   a pipe is at its end, then says that it has stopped.  */
enum { STATE = 20, READ_END, WRITE_END, CONTROL };

static void *
until_end (void *argument)
{
  char byte;

  CHECK (!argument && words->word[STATE] == 1);
  while (cs_numbers_read ((int) words->word[READ_END], &byte, 1) == 1)
    continue;
  CHECK (cs_numbers_close ((int) words->word[READ_END]) == 0);
  words->word[STATE] = 0;
  return NULL;
}

static void
start_until_end (void)
{
  pthread_t thread;
  int ends[2];

  CHECK (words->word[STATE] == 0 && pipe (ends) == 0);
  words->word[STATE] = 1;
  words->word[READ_END] = (uint64_t) ends[0];
  words->word[WRITE_END] = (uint64_t) ends[1];
  CHECK (cs_thread_create (&thread, NULL, until_end, NULL) == 0);
}

static pthread_once_t *
thread_control (void)
{
  return (pthread_once_t *) &words->word[CONTROL];
}

static void
leave_running (void)
{
  begin ();
  CHECK (cs_once_run (thread_control (), start_until_end) == 0);
  CHECK (words->word[STATE] == 1);
  save_and_leave ();
}

/* The numbers of the last process are somebody else's today.  */
static void
start_anew (void)
{
  int ends[2], same;

  resume ();
  CHECK (pipe (ends) == 0);
  words->word[READ_END] = (uint64_t) ends[0];
  cs_process_end_threads ();
  CHECK (words->word[STATE] == 0);
  same = fcntl (ends[0], F_GETFD);
  CHECK (same >= 0);
  CHECK (cs_once_run (thread_control (), start_until_end) == 0);
  CHECK (words->word[STATE] == 1 && words->word[READ_END] != (uint64_t) ends[0]);
  /* Descriptors are what they are for everybody else.  */
  CHECK (write (ends[1], "x", 1) == 1);
  CHECK (cs_numbers_read (ends[0], &same, 1) == 1);
  CHECK (cs_numbers_close (ends[0]) == 0 && fcntl (ends[0], F_GETFD) == -1);
  save_and_leave ();
}

/* A thread that has ended in its own process is not run again.  */
static void *
must_run_once (void *unused)
{
  CHECK (words->word[STATE]++ == 0);
  return unused;
}

static void
start_and_join (void)
{
  pthread_t thread;

  CHECK (cs_thread_create (&thread, NULL, must_run_once, NULL) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
leave_ended (void)
{
  begin ();
  CHECK (cs_once_run (thread_control (), start_and_join) == 0);
  CHECK (words->word[STATE] == 1);
  save_and_leave ();
}

static void
not_again (void)
{
  resume ();
  cs_process_end_threads ();
  CHECK (words->word[STATE] == 1);
}

static void
ended_by_itself (void)
{
  CHECK (in_child (leave_ended) == 0);
  CHECK (in_child (not_again) == 0);
}

static void
brought_to_its_end (void)
{
  CHECK (in_child (leave_running) == 0);
  CHECK (in_child (start_anew) == 0);
  CHECK (in_child (start_anew) == 0);
}

/* The process is saved, and ends, while a routine runs that has started no
   thread yet.  */
static void
routine_that_ends (void)
{
  CHECK (cs_once_pipe2 (pipe_of_once (), 0) == 0);
  save_and_leave ();
}

static void
end_in_routine (void)
{
  static const pthread_once_t armed = PTHREAD_ONCE_INIT;

  begin ();
  memcpy (control (0), &armed, sizeof armed);
  cs_once_run (control (0), routine_that_ends);
}

static void
run_once_more (void)
{
  resume ();
  CHECK (pipe_of_once ()[0] == -1 && pipe_of_once ()[1] == -1);
  CHECK (cs_once_run (control (0), plain_routine) == 0);
  CHECK (nr_plain == 1 && cs_process.image->nr_onces == 0);
  save_and_leave ();
}

static void
cut_off (void)
{
  CHECK (in_child (end_in_routine) == 0);
  CHECK (in_child (run_once_more) == 0);
}

/* A thread may be joined before it has got a processor.  */
static void
joined_at_once (void)
{
  void *result;
  pthread_t thread;

  begin ();
  for (int i = 0; i < 300; i++)
    {
      result = words;
      CHECK (cs_thread_create_foreign (&thread, NULL, nothing, NULL) == 0);
      CHECK (cs_thread_join (thread, &result) == 0 && !result);
    }
  /* It is gone, as if with an earlier process.  */
  result = words;
  CHECK (cs_thread_join (thread, &result) == 0 && !result);
  CHECK (cs_thread_detach (thread) == 0);
  CHECK (cs_thread_join (pthread_self (), NULL) == EDEADLK);
}

static const struct test_case cases[] = {
  { "threads are joined at once, and when they are gone", joined_at_once },
  { "a control that started a thread is armed again, no other", re_armed },
  { "a routine inside a routine is judged by itself", nested },
  { "a thread that is started with an argument", with_argument },
  { "a thread that ran is brought to its end in the next process",
    brought_to_its_end },
  { "one that had ended is not", ended_by_itself },
  { "a control whose routine was running is armed again", cut_off },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
