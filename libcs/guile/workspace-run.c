/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workspace-run.c -- resuming a workspace, and leaving it.  Every start goes
   through here: what can be done when the workspace is made is not done
   here.  */

#include <stdlib.h>

#include "guile/interpreter.h"
#include "guile/workspace.h"
#include "intern/intern.h"
#include "process/process.h"

static int
resume (struct cs_store *store, struct cs_err *err)
{
  struct cs_table_disk *table;
  int code = cs_intern_attach (store, &table, err);

  if (code == 0)
    code = cs_process_open (store, table, err);
  if (code == 0)
    code = cs_interpreter_load (store, table, true, err);
  if (code != 0)
    return code;
  cs_process_resume ();
  return cs_interpreter_resume (store, err);
}

int
cs_workspace_run (const char *path, const struct cs_run_params *params,
                  struct cs_err *err)
{
  bool save = !params->ephemeral && !params->no_save;
  struct cs_store *store;
  int status = 0;
  int code = cs_store_open (path, params->ephemeral ? CS_STORE_EPHEMERAL
                                                    : CS_STORE_WRITE,
                            &store, err);

  if (code == 0)
    code = resume (store, err);
  if (code == 0)
    code = cs_interpreter_run (params, &status, err);
  if (code != 0)
    return code;
  if (save && cs_interpreter_save (store, err) != 0)
    {
      if (params->checkpoint_failed)
        status = params->checkpoint_failed (err);
      else if (status == 0)
        status = 1;
    }
  exit (status);
}
