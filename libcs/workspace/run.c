/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* run.c -- resuming a workspace, and leaving it.  Every start goes
   through here: what can be done when the workspace is made is not done
   here.  */

#include <stdlib.h>

#include "intern/intern.h"
#include "process/process.h"
#include "workspace/background-apply.h"
#include "workspace/checkpoint.h"
#include "workspace/crash-handler.h"
#include "workspace/leave.h"
#include "workspace/load.h"
#include "workspace/main-thread.h"
#include "workspace/resume.h"
#include "workspace/rollback.h"
#include "workspace/save-policy.h"
#include "workspace/scheme-api.h"
#include "workspace/state.h"
#include "workspace/workspace.h"

static int
resume (struct cs_store *store, struct cs_err *err)
{
  struct cs_table_disk *table;
  int code;

  cs_process_stop_readahead (store);
  code = cs_intern_attach (store, &table, err);
  if (code == 0)
    code = cs_process_open (store, table, err);
  if (code == 0)
    code = cs_load (store, table, true, err);
  if (code != 0)
    return code;
  cs_process_resume ();
  cs_scheme_api_restore (&cs_workspace.image->module);
  cs_resume ();
  return 0;
}

/* What finish() needs: there is one workspace in a process.  */
static struct
{
  const struct cs_run_params *params;
  struct cs_store *store;
} running;

static void
finish (int status)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_state_will_save ()
      && (cs_checkpoint_last (running.store, &err) != 0
          || cs_store_leave (running.store, &err) != 0))
    {
      if (running.params->failed)
        running.params->failed (&err);
      status = running.params->failed_status;
    }
  cs_save_policy_saved ();
  if (cs_state_will_save ())
    cs_background_apply_warn (running.store, running.params->warn);
  cs_leave_exit (status);
}

int
cs_workspace_run (const char *path, const struct cs_run_params *params,
                  struct cs_err *err)
{
  enum cs_store_mode mode = params->ephemeral ? CS_STORE_EPHEMERAL
                                              : CS_STORE_WRITE;
  uint64_t generation = params->generation ? params->generation
                                           : CS_STORE_NEWEST;
  int inherited = params->inherited ? params->inherited : -1;
  int code;

  if (inherited >= 0)
    cs_rollback_exec_end (inherited);
  code = cs_store_open_inherited (path, mode, generation, inherited,
                                  &running.store, err);
  running.params = params;
  if (code == 0)
    cs_background_apply_warn (running.store, params->warn);
  cs_process.changed_files = params->changed_files;
  /* Nothing is at stake: it can always be looked at.  */
  cs_process.never_refuse = params->ephemeral;
  if (code == 0 && params->history)
    cs_store_set_history (running.store, *params->history);
  if (code == 0)
    cs_crash_handler_install (running.store, params->damaged_status);
  if (code == 0)
    code = resume (running.store, err);
  if (code == 0)
    code = cs_main_thread_run_shell (params, finish, err);
  return code;
}
