/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* signal-stack.c -- a stack of its own for a thread's signal handlers.

   Recursion without end is one way in which a thread faults, and the handler
   that says so (workspace/crash-handler.c) needs room then.  The room is no part of the
   thread's stack, and no static array: the collector scans those.  */

#include <sys/mman.h>

#include "process/private.h"

#define STACK_LEN (128 * 1024)

void
cs_process_give_signal_stack (void)
{
  stack_t stack = { .ss_size = STACK_LEN };

  stack.ss_sp = mmap (NULL, STACK_LEN, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack.ss_sp != MAP_FAILED)
    sigaltstack (&stack, NULL);
}

void
cs_process_take_signal_stack (void)
{
  stack_t none = { .ss_flags = SS_DISABLE }, old;

  if (sigaltstack (&none, &old) == 0 && !(old.ss_flags & SS_DISABLE)
      && old.ss_size == STACK_LEN)
    munmap (old.ss_sp, old.ss_size);
}
