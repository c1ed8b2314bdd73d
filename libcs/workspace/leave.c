/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* leave.c -- leaving Guile, and the process.

   exit() of the interpreter arrives in cs_leave().  It flushes the ports, keeps
   the dynamic state, ends the finalizer thread, and jumps back to where the main
   thread entered Guile; the frames in between are no longer needed.  The thread
   then leaves Guile like any other.  */

#include <signal.h>
#include <stdlib.h>

#include "guile/functions.h"
#include "guile/port-output.h"
#include "guile/ports.h"
#include "guile/threads.h"
#include "process/process.h"
#include "workspace/checkpoint.h"
#include "workspace/hooks.h"
#include "workspace/leave.h"
#include "workspace/requests.h"
#include "workspace/save-policy.h"
#include "workspace/state.h"

/* The workspace is left: the other threads are parked if it is saved, and run
   if not.  */
static void *
leave_parked (void *unused)
{
  cs_port_output_leave (&cs_workspace.image->ports,
                        scm_of (cs_workspace.image->module.park), true);
  return unused;
}

static void *
leave_running (void *unused)
{
  cs_port_output_leave (&cs_workspace.image->ports, SCM_BOOL_F, false);
  return unused;
}

/* What ports could not write before the image was written.  */
static void
finish_ports (void)
{
  if (cs_port_output_finish (cs_workspace.params ? cs_workspace.params->warn
                                                 : NULL))
    raise (SIGPIPE);
}

/* A hook that exits would keep the workspace from being opened ever again, or
   from being saved.  Raises.  Not in foreign code's exit(), which cannot be
   left, and not for who was asked to leave from outside.  */
static void
refuse_to_leave_hook (void)
{
  const char *hook = cs_hooks_running ();

  if (hook && !cs_process.child && !cs_workspace.exiting
      && cs_requests_status (0) == 0)
    scm.misc_error ("exit", "Not in ~A",
                    scm.cons (scm.from_utf8_string (hook), SCM_EOL));
}

/* What the program does for a checkpoint on leaving; the second time this is
   left out, as it was that which has called exit().  */
static void
prepare_to_leave (bool again)
{
  cs_hooks_leave ();
  cs_state_saving = true;
  if (again)
    return;
  if (cs_state_will_save ())
    cs_workspace.discarded = !cs_save_policy_decide (cs_workspace.failed,
                                                     cs_requests_status (0) != 0);
  if (cs_state_will_save ())
    cs_checkpoint_run_hook ();
  scm.with_guile (cs_checkpoint_flush_ports, NULL);
}

/* A forked child ends like any process, and leaves the store alone.  An exit
   handler of an extension that calls exit() finds the workspace saved: libc goes on
   with the handlers that remain, and takes the new status.  */
void
cs_leave (int status)
{
  bool jumps, again = cs_workspace.left;

  if (cs_workspace.finished)
    return;
  refuse_to_leave_hook ();
  jumps = cs_state_is_main_thread () && !cs_workspace.exiting;
  cs_workspace.left = true;
  cs_requests_finish ();
  prepare_to_leave (again);
  if (cs_process.child)
    {
      scm.with_guile (leave_running, NULL);
      finish_ports ();
      return;
    }
  cs_threads_block_asyncs ();
  if (cs_state_will_save () || !cs_workspace.params)
    cs_checkpoint_quiesce (leave_parked);
  else
    scm.with_guile (leave_running, NULL);
  status = cs_requests_status (status);
  if (!jumps)
    cs_workspace.finish (status);
  cs_workspace.status = status;
  siglongjmp (cs_workspace.start, 1);
}

/* Foreign code has called exit(), which knows nothing of us: the workspace is
   left all the same.  What then calls exit() once more goes on with the
   handlers that remain (atexit(3), NOTES).  */
void
cs_leave_libc (int status, void *unused)
{
  (void) unused;
  if (!cs_workspace.entered || (cs_workspace.left && !cs_hooks_running ()))
    return;
  cs_workspace.exiting = true;
  cs_leave (status);
}

void
cs_leave_fork_child (void)
{
  cs_workspace.left = cs_workspace.exiting = cs_state_saving = false;
}

static void *
unread_input (void *unused)
{
  cs_ports_unread (&cs_workspace.image->ports);
  return unused;
}

void
cs_leave_flush (void)
{
  cs_state_saving = true;
  scm.with_guile (cs_checkpoint_flush_ports, NULL);
  scm.with_guile (leave_running, NULL);
  cs_port_output_await ();
  scm.with_guile (unread_input, NULL);
  cs_state_saving = false;
}

void
cs_leave_discard (void)
{
  cs_workspace.discarded = true;
  cs_process_exit (EXIT_SUCCESS);
}

void
cs_leave_exit (int status)
{
  finish_ports ();
  cs_workspace.finished = true;
  exit (status);
}
