/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fork.c -- a fork beside a checkpoint.

   What another thread is changing at the moment of the fork is either waited
   for, if it must be whole (before), or begins again in the child (after).  */

#include "guile/api.h"
#include "guile/finalizers.h"
#include "guile/mutex.h"
#include "guile/pointers.h"
#include "guile/threads.h"
#include "process/process.h"
#include "workspace/background-apply.h"
#include "workspace/fork.h"
#include "workspace/last-error.h"
#include "workspace/main-thread.h"
#include "workspace/requests.h"
#include "workspace/shell-command.h"

static void
before (void)
{
  cs_finalizers_before_fork ();
  cs_pointers_before_fork ();
}

static void
after (bool in_child)
{
  cs_pointers_after_fork ();
  if (in_child)
    {
      cs_threads_forked ();
      cs_signals_forked ();
      cs_applier_forked ();
      cs_failure_forked ();
      cs_mutex_forked ();
      cs_system_forked ();
      cs_interpreter_forked ();
    }
  cs_finalizers_after_fork (in_child);
}

void
cs_fork_watch (void)
{
  cs_process.before_fork = before;
  cs_process.after_fork = after;
}
