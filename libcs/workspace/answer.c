/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* answer.c -- answering requests to the workspace.  */

#include "process/process.h"
#include "workspace/answer.h"
#include "workspace/checkpoint.h"
#include "workspace/requests.h"
#include "workspace/state.h"

/* An async may run where libguile holds a lock: in the middle of starting its
   signal thread (3.0.8, libguile/scmsigs.c, start_signal_delivery_thread, whose
   scm_spawn_thread runs Scheme code).  The service thread may be waiting for that
   lock, and a save waits for the service thread.  */
static bool
postpone (void)
{
  cs_requests_note_answer ();
  return !cs_process_is_free () || cs_requests_await_load ();
}

static void
save (void)
{
  struct cs_err err = CS_ERR_INIT;

  cs_requests_begin_save ();
  cs_requests_end_save (cs_checkpoint (&err) == 0 ? NULL : &err);
}

void
cs_answer (void)
{
  int status = cs_requests_status (0);

  if (postpone () || cs_requests_are_over ())
    return;
  if (status != 0)
    cs_process_exit (status);
  /* If this is a hook of a checkpoint, that is the one which was asked for.  */
  if (cs_requests_take_save () && !cs_state_is_saving ())
    save ();
}
