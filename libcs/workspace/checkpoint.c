/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* checkpoint.c -- bringing Guile to rest, and writing its image.

   The process's threads are stopped, and libgc's fork handlers are run, as a
   fork would run them (interpreter-resume.c).  */

#include <stdio.h>

#include "guile/api.h"
#include "guile/dynamic-state.h"
#include "guile/finalizers.h"
#include "guile/port-output.h"
#include "guile/threads.h"
#include "image/sections.h"
#include "image/threads.h"
#include "process/process.h"
#include "workspace/background-apply.h"
#include "workspace/hooks.h"
#include "workspace/last-error.h"
#include "workspace/requests.h"
#include "workspace/state.h"

void *
cs_interpreter_flush_ports (void *unused)
{
  cs_port_output_flush ();
  return unused;
}

static void *
write_ports (void *unused)
{
  cs_port_output_write ();
  return unused;
}

/* In Guile mode: keep the workspace thread's dynamic state.  Another thread
   that exits keeps what the last run left.  */
static void *
keep_dynamic_state (void *unused)
{
  if (cs_interpreter_is_workspace_thread ())
    cs_workspace.image->dynamic_state
      = bits_of (cs_dynamic_state_outermost (scm.current_thread (),
                                             &cs_workspace.image->loading));
  return unused;
}

static void *
record_ports (void *unused)
{
  cs_ports_record (&cs_workspace.image->ports);
  return unused;
}

static void *
park_others (void *unused)
{
  cs_threads_park (scm_of (cs_workspace.image->module.park));
  return unused;
}

static bool holds_service;

void
cs_interpreter_quiesce (void *(*output) (void *))
{
  cs_module_keep_settings (&cs_workspace.image->module);
  holds_service = cs_signals_hold ();
  scm.with_guile (keep_dynamic_state, NULL);
  cs_finalizers_hold ();
  scm.with_guile (park_others, NULL);
  scm.with_guile (output, NULL);
  scm.with_guile (record_ports, NULL);
}

/* While the image is being brought to rest, no async may run on this thread:
   a signal's handler that leaves or saves would begin all over again.  */
void
cs_interpreter_block_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs++;
}

void
cs_interpreter_unblock_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs--;
}

bool
cs_interpreter_has_checkpoint_hook (void)
{
  return cs_hooks_any (cs_workspace.image->module.before_checkpoint);
}

void
cs_interpreter_run_checkpoint_hook (void)
{
  cs_hooks_run ("before-checkpoint-hook",
                cs_workspace.image->module.before_checkpoint);
}

/* Between the fork handlers, as a fork would be.  */
void
cs_interpreter_hold (void)
{
  cs_process_stop_threads (gc.get_suspend_signal ());
  cs_process_run_prepare ();
}

void
cs_interpreter_release (void)
{
  cs_process_run_parent ();
  cs_process_release_threads ();
}

/* The record of the thread that had the number TID, or NULL.  */
static const struct cs_guile_thread *
find_thread (const struct cs_thread_list *list, pid_t tid)
{
  for (size_t i = 0; i < list->nr_threads; i++)
    if (list->threads[i].record->tid == (uint32_t) tid)
      return &list->threads[i];
  return NULL;
}

static void
warn_of (const struct cs_thread_list *list, pid_t tid)
{
  const struct cs_guile_thread *thread = find_thread (list, tid);
  char text[512];

  snprintf (text, sizeof text, "the thread %s could not be stopped for the"
            " checkpoint (%s): what it was changing may be half done in it",
            thread ? thread->name : "of no name",
            thread ? thread->state : "not known where it was");
  cs_workspace.params->warn (text);
}

/* After the others have been released: one of them may have a lock of libc's,
   which is used here.  */
static void
warn_of_unstopped (void)
{
  pid_t tids[CS_UNSTOPPED_MAX];
  size_t nr = cs_process_unstopped (tids, CS_UNSTOPPED_MAX);
  struct cs_thread_list list = { .nr_threads = 0 };
  struct cs_heap heap = { .store = cs_process.store };
  struct cs_err err = CS_ERR_INIT;
  const struct cs_threads_disk *records;

  if (nr == 0 || !cs_workspace.params || !cs_workspace.params->warn)
    return;
  records = cs_inspect_threads (cs_process.store, &err);
  if (records && cs_heap_open (cs_process.store, &heap, &err) == 0)
    cs_thread_list_read (&heap, records, &list);
  for (size_t i = 0; i < nr; i++)
    warn_of (&list, tids[i]);
  cs_thread_list_fini (&list);
  cs_heap_fini (&heap);
}

static bool
refuse_to_save (struct cs_err *err)
{
  if (cs_interpreter_saving)
    {
      cs_err_set (err, CS_E_REFUSED, "cannot save '%s': it is being saved, by"
                  " what has called this", cs_store_path (cs_process.store));
      return true;
    }
  if (cs_interpreter_will_save ())
    return false;
  cs_err_set (err, CS_E_REFUSED, "cannot save '%s': %s",
              cs_store_path (cs_process.store),
              cs_process.child ? "this is a forked child of the workspace"
                               : "this process was not started to save it");
  return true;
}

int
cs_interpreter_checkpoint (struct cs_err *err)
{
  int code;

  if (refuse_to_save (err))
    return err->code;
  cs_interpreter_saving = true;
  cs_interpreter_run_checkpoint_hook ();
  scm.with_guile (cs_interpreter_flush_ports, NULL);
  cs_interpreter_saving = false;
  /* The hook, or a port of the program's own, may have forked.  */
  if (refuse_to_save (err))
    return err->code;
  cs_interpreter_block_asyncs ();
  cs_interpreter_quiesce (write_ports);
  cs_interpreter_hold ();
  cs_process_record_timers ();
  cs_process_record_statics ();
  code = cs_store_commit (cs_process.store, err);
  cs_interpreter_release ();
  warn_of_unstopped ();
  cs_threads_release ();
  cs_signals_release (holds_service);
  cs_interpreter_unblock_asyncs ();
  cs_finalizers_release ();
  if (code != 0)
    {
      cs_failure_note (CS_FAILURE_COMMIT, err);
      return code;
    }
  cs_failure_clear (CS_FAILURE_COMMIT);
  cs_applier_start (cs_process.store, cs_workspace.params->failed,
                    cs_workspace.params->warn);
  return 0;
}

int
cs_interpreter_save (struct cs_store *store, struct cs_err *err)
{
  int code;

  cs_interpreter_hold ();
  cs_process_trim ();
  cs_process_record_timers ();
  cs_process_record_statics ();
  code = cs_store_commit (store, err);
  cs_process_run_parent ();
  /* They may go on: the process ends.  */
  if (cs_process_unstopped (&(pid_t) { 0 }, 1) > 0)
    {
      cs_process_release_threads ();
      warn_of_unstopped ();
    }
  return code;
}
