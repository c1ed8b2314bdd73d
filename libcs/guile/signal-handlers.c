/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* signal-handlers.c -- handlers of Scheme code for signals.  */

#include <signal.h>

#include "guile/functions.h"
#include "guile/signal-handlers.h"
#include "process/process.h"

/* The REPL handles SIGINT while it runs (module/ice-9/top-repl.scm,
   call-with-sigint).  A REPL that ran while the image was written has ended with
   its process: SIGINT does what it does in a new process.  */
static bool
is_of_repl (int signum, SCM handler)
{
  SCM find;

  if (signum != SIGINT)
    return false;
  find = scm.variable_ref (scm.c_private_lookup ("coldstore",
                                                 "repl-handler"));
  return scm_is_eq (scm.call_0 (find), handler);
}

/* A handler runs on the thread that is named in libguile's tables, which is
   gone, and is delivered by a thread that is gone too.  Installing it again
   names this one and starts another (3.0.8, libguile/scmsigs.c,
   scm_sigaction_for_thread).  */
static void
install_again (int signum)
{
  SCM number = scm.from_int32 (signum);
  SCM action = scm.sigaction_for_thread (number, SCM_UNDEFINED,
                                         SCM_UNDEFINED, SCM_UNDEFINED);
  SCM handler = scm_is_pair (action) ? SCM_CAR (action) : SCM_BOOL_F;

  if (scm_is_false (scm.procedure_p (handler)))
    return;
  if (is_of_repl (signum, handler))
    scm.sigaction_for_thread (number, scm.from_int32 (0), SCM_UNDEFINED,
                              SCM_UNDEFINED);
  else
    scm.sigaction_for_thread (number, handler, SCM_CDR (action),
                              SCM_UNDEFINED);
}

void
cs_signal_handlers_restore (void)
{
  for (int i = 1; i < CS_PROCESS_SIGNALS_MAX; i++)
    if (cs_process_handles_signal (i) && i != gc.get_suspend_signal ()
        && i != gc.get_thr_restart_signal ())
      install_again (i);
  cs_process_admit_signals ();
}
