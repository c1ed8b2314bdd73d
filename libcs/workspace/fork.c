/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fork.c -- a fork beside a checkpoint.

   What another thread is changing at the moment of the fork is either waited
   for, if it must be whole, or begins again in the child.  */

#include <stddef.h>

#include "guile/finalizers.h"
#include "guile/mutex.h"
#include "guile/pointers.h"
#include "guile/threads.h"
#include "process/process.h"
#include "workspace/background-apply.h"
#include "workspace/fork.h"
#include "workspace/last-error.h"
#include "workspace/leave.h"
#include "workspace/requests.h"
#include "workspace/shell-command.h"

/* Prepared in this order, and released or begun again in the opposite one.  */
static const struct
{
  void (*prepare) (void);
  void (*parent) (void);
  void (*child) (void);
} parts[] = {
  { cs_finalizers_fork_prepare, cs_finalizers_fork_parent,
    cs_finalizers_fork_child },
  { NULL, NULL, cs_leave_fork_child },
  { NULL, NULL, cs_shell_command_fork_child },
  { NULL, NULL, cs_mutex_fork_child },
  { NULL, NULL, cs_last_error_fork_child },
  { NULL, NULL, cs_background_apply_fork_child },
  { NULL, NULL, cs_requests_fork_child },
  { NULL, NULL, cs_threads_fork_child },
  { cs_pointers_fork_prepare, cs_pointers_fork_parent,
    cs_pointers_fork_child }
};

#define NR_PARTS (sizeof parts / sizeof *parts)

static void
before (void)
{
  for (size_t i = 0; i < NR_PARTS; i++)
    if (parts[i].prepare)
      parts[i].prepare ();
}

static void
after (bool in_child)
{
  void (*step) (void);

  for (size_t i = NR_PARTS; i-- > 0;)
    {
      step = in_child ? parts[i].child : parts[i].parent;
      if (step)
        step ();
    }
}

void
cs_fork_watch (void)
{
  cs_process.before_fork = before;
  cs_process.after_fork = after;
}
