/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main-thread.c -- the main thread of a workspace, which enters Guile.  */

#include <errno.h>
#include <stdlib.h>

#include "guile/collector.h"
#include "guile/functions.h"
#include "process/process.h"
#include "workspace/leave.h"
#include "workspace/main-thread.h"
#include "workspace/resume.h"
#include "workspace/state.h"

/* Entered apart from cs_resume_take_up(): errors that nobody catches are
   reported on what is the current error port on entry (Guile 3.0.8,
   libguile/continuations.c, scm_i_with_continuation_barrier).  */
static void *
run_shell (void *unused)
{
  (void) unused;
  scm.shell (cs_workspace.params->argc, cs_workspace.params->argv);
  return NULL;
}

/* The main thread of a boot registers itself with the collector, that of a later
   process is registered when it enters Guile.  */
static void *
live (void *unused)
{
  struct GC_stack_base base;

  (void) unused;
  cs_workspace.thread = pthread_self ();
  cs_process_thread_kind = CS_THREAD_OF_MAIN;
  if (sigsetjmp (cs_workspace.start, 0) == 0)
    {
      if (!cs_workspace.params)
        {
          gc.get_stack_base (&base);
          cs_collector_register_thread (&base);
        }
      if (cs_workspace.params)
        scm.with_guile (cs_resume_take_up, NULL);
      cs_workspace.entered = cs_workspace.params != NULL;
      scm.with_guile (cs_workspace.body, NULL);
      /* Both leave by exit(), unless an error ended them: then plain Guile
         exits with 1 (libguile/init.c, scm_boot_guile).  */
      cs_workspace.failed = true;
      cs_leave (EXIT_FAILURE);
    }
  cs_collector_leave_thread ();
  return NULL;
}

int
cs_main_thread_run (void *(*body) (void *), size_t stack_len,
                    struct cs_err *err)
{
  pthread_attr_t attr;
  int code = pthread_attr_init (&attr);

  cs_workspace.body = body;
  if (code == 0 && stack_len > 0)
    code = pthread_attr_setstacksize (&attr, stack_len);
  if (code == 0)
    code = pthread_create (&cs_workspace.thread, &attr, live, NULL);
  if (code != 0)
    return cs_err_sys (err, code, "cannot start the main thread");
  pthread_attr_destroy (&attr);
  pthread_join (cs_workspace.thread, NULL);
  return 0;
}

int
cs_main_thread_run_shell (const struct cs_run_params *params,
                          cs_main_thread_finish *finish, struct cs_err *err)
{
  int code = 0;

  cs_workspace.params = params;
  cs_workspace.finish = finish;
  cs_workspace.body = run_shell;
  cs_process.leaving = cs_leave;
  if (on_exit (cs_leave_libc, NULL) != 0)
    return cs_err_sys (err, ENOMEM, "register with the C library");
  if (params->stack_len > 0)
    code = cs_main_thread_run (run_shell, params->stack_len, err);
  else
    live (NULL);
  if (code == 0)
    finish (cs_workspace.status);
  return code;
}
