/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.c -- what this process was told to do with its workspace.  */

#include "process/process.h"
#include "workspace/state.h"

struct cs_workspace cs_workspace;

__thread bool cs_state_saving;

const struct cs_run_params *
cs_state_params (void)
{
  return cs_workspace.params;
}

bool
cs_state_is_main_thread (void)
{
  return pthread_equal (pthread_self (), cs_workspace.thread);
}

bool
cs_state_will_save (void)
{
  return cs_workspace.params && !cs_workspace.params->ephemeral
         && !cs_workspace.params->no_save && !cs_workspace.discarded
         && !cs_process.child;
}

bool
cs_state_is_saving (void)
{
  return cs_state_saving;
}
