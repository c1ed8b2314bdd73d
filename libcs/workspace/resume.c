/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resume.c -- going on with Guile in another process.

   A restart is what the child does after fork(), at another time: the last
   process called libgc's fork handler `prepare` before it wrote the image,
   this one calls `child`.  That drops all threads from the collector's list
   and releases its locks (libgc 8.2.2, pthread_support.c, fork_prepare_proc
   and fork_child_proc).  Then the interpreter's own threads are taken off
   its list (cs_process_weed).  */

#include "guile/collector.h"
#include "guile/environment.h"
#include "guile/finalizers.h"
#include "guile/functions.h"
#include "guile/ignored.h"
#include "guile/loading.h"
#include "guile/pointers.h"
#include "guile/ports.h"
#include "guile/readline.h"
#include "guile/scheme-threads.h"
#include "guile/signal-handlers.h"
#include "guile/threads.h"
#include "process/process.h"
#include "report.h"
#include "workspace/crash-report.h"
#include "workspace/hooks.h"
#include "workspace/requests.h"
#include "workspace/resume.h"
#include "workspace/rollback.h"
#include "workspace/save-policy.h"
#include "workspace/state.h"
#include "workspace/wait.h"

/* The REPL and --debug set the slower engine of the virtual machine, also for
   later threads.  That is for the process they run in.  */
static void
reset_engine (void)
{
  scm.c_set_default_vm_engine_x (SCM_VM_REGULAR_ENGINE);
  scm.c_set_vm_engine_x (SCM_VM_REGULAR_ENGINE);
}

/* The resume is complete: say what there was to say about it.  */
static void
tell_report (void (*note) (const char *event, const char *text))
{
  const struct cs_report_entry_disk *line;
  uint64_t n = 0;

  while (note && (line = cs_report_own (&n)))
    note (cs_report_word (line->kind), line->text);
}

static void *
restore_ports (void *unused)
{
  cs_pointers_restore_objects ();
  cs_ports_restore (&cs_workspace.image->ports);
  return unused;
}

static void *
restore_modules (void *unused)
{
  cs_loading_restore (&cs_workspace.image->loading);
  cs_scheme_threads_restore (&cs_workspace.image->module);
  cs_readline_restore (&cs_workspace.image->module);
  return unused;
}

static void *
restore_environment (void *unused)
{
  cs_environment_restore (&cs_workspace.image->environment,
                         cs_workspace.image->module.follow,
                         cs_workspace.params->argc, cs_workspace.params->argv);
  return unused;
}

static void *
restore_services (void *unused)
{
  reset_engine ();
  cs_signal_handlers_restore ();
  cs_finalizers_restore ();
  if (cs_state_will_save ())
    {
      cs_wait_restore ();
      cs_requests_restore (scm_of (cs_workspace.image->module.answer_signals),
                           &cs_workspace.image->loading,
                           cs_workspace.params->checkpoint_ms,
                           cs_workspace.params->failed);
    }
  cs_rollback_let_in (cs_workspace.params->held_signals);
  if (cs_state_will_save ())
    cs_save_policy_restore ();
  return unused;
}

/* Whatever the program has left in a state that makes a step raise an error,
   which scm_with_guile reports, the others are taken.  Handlers of signals
   that have come wait until the last one.  */
void *
cs_resume_take_up (void *unused)
{
  static void *(*const steps[]) (void *) = {
    restore_ports, restore_modules, restore_environment, restore_services
  };

  cs_threads_become_main (&cs_workspace.image->main_thread);
  scm.set_current_dynamic_state (scm_of (cs_workspace.image->dynamic_state));
  cs_threads_block_asyncs ();
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    scm.with_guile (steps[i], NULL);
  cs_threads_unblock_asyncs ();
  tell_report (cs_workspace.params->note);
  cs_hooks_run ("after-resume-hook", cs_workspace.image->module.after_resume);
  return unused;
}

/* The collector may be disabled in the image, by the program or by a thread that
   could not be stopped in time and will not enable it again.  It works in each
   process from its beginning.  */
void
cs_resume (void)
{
  cs_collector_restore ();
  cs_pointers_restore (&cs_workspace.image->pointers);
  cs_process_run_child ();
  /* A thread of the last process may have had this one's number.  */
  if (gc.thread_is_registered ())
    gc.unregister_my_thread ();
  *gc_data.dont_gc = 0;
  /* An image of an earlier ColdStore may have the address of a notifier.  */
  gc.set_finalizer_notifier (NULL);
  atomic_store (&cs_process.collector_ready, true);
  gc.set_on_collection_event (cs_collector_event);
  cs_threads_restore (&cs_workspace.image->threads);
  cs_process_end_threads ();
  cs_library_restart (&cs_process.libraries, cs_process.libraries.nr_base,
                      cs_process.libraries.nr);
  cs_crash_report_restore ();
  cs_store_set_ignores (cs_process.store, cs_ignored_page);
}
