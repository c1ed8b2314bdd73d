/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* checkpoint.c -- bringing Guile to rest, and writing its image.

   The process's threads are stopped, and libgc's fork handlers are run, as a
   fork would run them (resume.c).  */

#include "guile/dynamic-state.h"
#include "guile/finalizers.h"
#include "guile/functions.h"
#include "guile/port-output.h"
#include "guile/ports.h"
#include "guile/readline.h"
#include "guile/threads.h"
#include "process/process.h"
#include "workspace/background-apply.h"
#include "workspace/checkpoint.h"
#include "workspace/hooks.h"
#include "workspace/last-error.h"
#include "workspace/requests.h"
#include "workspace/state.h"
#include "workspace/world.h"

void *
cs_checkpoint_flush_ports (void *unused)
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

/* In Guile mode: keep the main thread's dynamic state.  Another thread
   that exits keeps what the last run left.  */
static void *
keep_dynamic_state (void *unused)
{
  if (cs_state_is_main_thread ())
    cs_workspace.image->dynamic_state
      = bits_of (cs_dynamic_state_outermost (scm.current_thread (),
                                             &cs_workspace.image->loading));
  return unused;
}

static void *
record_ports (void *unused)
{
  cs_ports_save (&cs_workspace.image->ports);
  return unused;
}

static void *
park_others (void *unused)
{
  cs_threads_save (scm_of (cs_workspace.image->module.park));
  return unused;
}

void
cs_checkpoint_quiesce (void *(*output) (void *))
{
  cs_readline_save (&cs_workspace.image->module);
  cs_requests_save ();
  scm.with_guile (keep_dynamic_state, NULL);
  cs_finalizers_save ();
  scm.with_guile (park_others, NULL);
  scm.with_guile (output, NULL);
  scm.with_guile (record_ports, NULL);
}

bool
cs_checkpoint_has_hook (void)
{
  return cs_hooks_any (cs_workspace.image->module.before_checkpoint);
}

void
cs_checkpoint_run_hook (void)
{
  cs_hooks_run ("before-checkpoint-hook",
                cs_workspace.image->module.before_checkpoint);
}

static bool
refuse_to_save (struct cs_err *err)
{
  if (cs_state_saving)
    {
      cs_err_set (err, CS_E_REFUSED, "cannot save '%s': it is being saved, by"
                  " what has called this", cs_store_path (cs_process.store));
      return true;
    }
  if (cs_state_will_save ())
    return false;
  cs_err_set (err, CS_E_REFUSED, "cannot save '%s': %s",
              cs_store_path (cs_process.store),
              cs_process.child ? "this is a forked child of the workspace"
                               : "this process was not started to save it");
  return true;
}

/* What the program does for a checkpoint.  */
static void
run_program (void)
{
  cs_state_saving = true;
  cs_checkpoint_run_hook ();
  scm.with_guile (cs_checkpoint_flush_ports, NULL);
  cs_state_saving = false;
}

/* The world is stopped; COMMIT it.  */
static int
write_image (struct cs_store *store,
             int (*commit) (struct cs_store *store, struct cs_err *err),
             struct cs_err *err)
{
  cs_process_record_timers ();
  cs_process_record_statics ();
  return commit (store, err);
}

/* Out of Guile mode, so that collections need not wait for the disk.  */
static void *
sync_image (void *err)
{
  return cs_store_commit_end (cs_process.store, err) == 0 ? NULL : err;
}

/* The other threads go on while the disk gets what was written; WRITTEN is how
   that went.  A save on another thread waits for this one: it wants the service's
   lock, or, where that could not be had, the store (C2, store/commit.c), for which
   this thread may not be stopped in between.  */
static int
release_and_sync (int written, struct cs_err *err)
{
  int code = written;

  cs_process_defer_stop ();
  cs_world_release ();
  cs_threads_release ();
  if (code == 0 && scm.without_guile (sync_image, err))
    code = err->code;
  cs_process_allow_stop ();
  return code;
}

/* The other steps of cs_checkpoint_quiesce() backwards.  */
static void
go_on (void)
{
  cs_requests_release ();
  cs_threads_unblock_asyncs ();
  cs_finalizers_release ();
}

int
cs_checkpoint (struct cs_err *err)
{
  int code;

  if (refuse_to_save (err))
    return err->code;
  run_program ();
  /* The hook, or a port of the program's own, may have forked.  */
  if (refuse_to_save (err))
    return err->code;
  cs_threads_block_asyncs ();
  cs_checkpoint_quiesce (write_ports);
  cs_world_stop ();
  code = write_image (cs_process.store, cs_store_commit_begin, err);
  code = release_and_sync (code, err);
  cs_world_warn ();
  go_on ();
  cs_last_error_set (CS_LAST_ERROR_COMMIT, code == 0 ? NULL : err);
  if (code == 0)
    cs_background_apply_start (cs_process.store, cs_workspace.params->failed,
                               cs_workspace.params->warn);
  return code;
}

int
cs_checkpoint_last (struct cs_store *store, struct cs_err *err)
{
  int code;

  cs_world_stop ();
  cs_process_trim ();
  code = write_image (store, cs_store_commit, err);
  cs_world_release_collector ();
  /* They may go on: the process ends.  */
  if (cs_process_unstopped (&(pid_t) { 0 }, 1) > 0)
    {
      cs_process_release_threads ();
      cs_world_warn ();
    }
  return code;
}
