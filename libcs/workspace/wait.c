/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wait.c -- saving the workspace while Guile waits in select() or poll().

   An async ends such a wait: `sleep' would return early whenever it is time to
   save (3.0.8, libguile/threads.c, scm_std_select), and `poll' would raise an
   error (poll.c, scm_primitive_poll).  So the workspace is saved from inside
   of the call.  That may not be left but by returning, for libgc's sake
   (GC_do_blocking), and procedures of a hook may have to leave: where there are
   some, the wait ends, and an async answers.  */

#include "guile/functions.h"
#include "process/process.h"
#include "workspace/answer.h"
#include "workspace/checkpoint.h"
#include "workspace/requests.h"
#include "workspace/wait.h"

static bool
has_asyncs (scm_thread *self)
{
  return !scm_is_null (__atomic_load_n (&self->pending_asyncs,
                                        __ATOMIC_SEQ_CST));
}

/* None of the program's asyncs runs in here.  Those that come meanwhile may not
   have woken this wait up, as what is waited for in here takes its place: they
   are looked for afterwards.  */
static void
answer (scm_thread *self)
{
  struct scm_thread_wake_data *wake = self->wake;

  self->block_asyncs++;
  cs_answer ();
  self->block_asyncs--;
  __atomic_store_n (&self->wake, wake, __ATOMIC_SEQ_CST);
}

static void *
save (void *goes_on)
{
  scm_thread *self = SCM_I_THREAD_DATA (scm.current_thread ());

  if (self->block_asyncs > 0)
    return NULL;
  if (cs_checkpoint_has_hook ())
    cs_requests_mark ();
  if (!has_asyncs (self))
    answer (self);
  *(bool *) goes_on = !has_asyncs (self);
  return NULL;
}

/* An async answers a request to leave.  One that has to wait does not cut this
   wait short, after which the program would go on.  */
static bool
interrupted (void)
{
  bool goes_on = true;

  if (!cs_requests_is_asked ())
    return true;
  if (!cs_requests_is_save ())
    return cs_requests_await_load ();
  scm.with_guile (save, &goes_on);
  return goes_on;
}

void
cs_wait_restore (void)
{
  cs_process.interrupted = interrupted;
}
