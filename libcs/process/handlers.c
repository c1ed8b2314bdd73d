/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handlers.c -- what the carried libraries want run at fork and at exit.

   Their handlers are in the store, at addresses that stay; libc is told of
   one set of functions here, which runs them in libc's order: prepare in
   reverse order of registration, parent and child in order, exit handlers in
   reverse order.

   Around a fork our own locks are taken last and released first: another
   thread may be in the middle of something.

   A forked child goes on with its private copy of the memory, but it never
   commits (invariant S5 of store.h).  */

#include <errno.h>
#include <stdlib.h>

#include "process/private.h"

typedef void plain (void);

static void
run (uint64_t function)
{
  if (function)
    ((plain *) (uintptr_t) function) ();
}

void
cs_process_run_prepare (void)
{
  for (uint32_t i = cs_process.image->nr_atforks; i > 0; i--)
    run (cs_process.image->atforks[i - 1].prepare);
}

void
cs_process_run_parent (void)
{
  for (uint32_t i = 0; i < cs_process.image->nr_atforks; i++)
    run (cs_process.image->atforks[i].parent);
}

void
cs_process_run_child (void)
{
  for (uint32_t i = 0; i < cs_process.image->nr_atforks; i++)
    run (cs_process.image->atforks[i].child);
}

static void
before_fork (void)
{
  if (cs_process.before_fork)
    cs_process.before_fork ();
  cs_process_run_prepare ();
  cs_foreign_hold ();
  cs_borrowed_hold ();
  cs_regex_hold ();
  cs_callback_hold ();
  cs_mapping_hold ();
  cs_keys_hold ();
  cs_stop_hold ();
  cs_store_hold (cs_process.store);
}

static void
release_locks (void)
{
  cs_stop_release ();
  cs_keys_release ();
  cs_mapping_release ();
  cs_callback_release ();
  cs_regex_release ();
  cs_borrowed_release ();
  cs_foreign_release ();
}

static void
after_fork_in_parent (void)
{
  cs_store_release (cs_process.store);
  release_locks ();
  cs_process_run_parent ();
  if (cs_process.after_fork)
    cs_process.after_fork (false);
}

static void
after_fork_in_child (void)
{
  cs_process.child = true;
  cs_stop_forked ();
  cs_thread_forked ();
  cs_store_disown (cs_process.store);   /* in place of releasing it */
  release_locks ();
  cs_process_run_child ();
  if (cs_process.after_fork)
    cs_process.after_fork (true);
}

static void
run_exit_handlers (void)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_atexit_disk handler;

  while (image->nr_atexits > 0)
    {
      handler = image->atexits[--image->nr_atexits];
      ((void (*) (void *)) (uintptr_t) handler.function)
        ((void *) (uintptr_t) handler.argument);
    }
}

/* Tell libc; once in each process.  */
int
cs_handlers_start (void)
{
  int code = pthread_atfork (before_fork, after_fork_in_parent,
                             after_fork_in_child);

  if (code == 0 && atexit (run_exit_handlers) != 0)
    code = ENOMEM;
  return -code;
}

int
cs_handlers_atfork (void (*prepare) (void), void (*parent) (void),
                    void (*child) (void), void *dso)
{
  struct cs_process_disk *image = cs_process.image;

  (void) dso;
  if (image->nr_atforks == CS_PROCESS_ATFORKS_MAX)
    return ENOMEM;
  image->atforks[image->nr_atforks++] = (struct cs_atfork_disk) {
    (uintptr_t) prepare, (uintptr_t) parent, (uintptr_t) child
  };
  return 0;
}

int
cs_handlers_cxa_atexit (void (*function) (void *), void *argument, void *dso)
{
  struct cs_process_disk *image = cs_process.image;

  (void) dso;
  if (image->nr_atexits == CS_PROCESS_ATEXITS_MAX)
    return -1;
  image->atexits[image->nr_atexits++] = (struct cs_atexit_disk) {
    (uintptr_t) function, (uintptr_t) argument
  };
  return 0;
}

void
cs_process_forget_exit_handlers (void)
{
  cs_process.image->nr_atexits = 0;
}

int
cs_handlers_atexit (void (*function) (void))
{
  return cs_handlers_cxa_atexit ((void (*) (void *)) function, NULL, NULL);
}

void
cs_process_exit (int status)
{
  if (cs_process.leaving)
    cs_process.leaving (status);
  exit (status);
}
