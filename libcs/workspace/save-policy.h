/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* save-policy.h -- is the workspace saved at the end of a run?

   A run that ends as its program wants saves the workspace.  An error that
   nothing catches may have left half of a change behind, so that such a run
   does not, unless the policy says otherwise.  The policy lies in section
   "guile"; a run may have another one.  Checkpoints that the program or the user
   asks for do not depend on the policy.  */
#ifndef CS_SAVE_POLICY_H
#define CS_SAVE_POLICY_H

#include <stdbool.h>

#include "workspace/workspace.h"

/* The policy of the workspace, from "success", "always", "never" and "ask"; and
   set it, from the next checkpoint on.  false: there is no such policy.  */
const char *cs_save_policy_name (void);
bool cs_save_policy_set (const char *name);

/* For a new store.  CS_SAVE_STORED: success.  */
void cs_save_policy_create (enum cs_save policy);

/* The run ends; FAILED: by an error that nothing caught; REQUESTED: by SIGTERM or
   SIGHUP, when nobody is asked.  Is the workspace to be
   saved?  Asks a user at a terminal if that is the policy, and tells the user why
   the workspace is not saved, unless this run was told not to save.  */
bool cs_save_policy_decide (bool failed, bool requested);

/* From now on, SIGINT and SIGPIPE, where they end the process, say first that
   the workspace is not saved.  */
void cs_save_policy_restore (void);

/* The workspace has been saved, and the process ends.  */
void cs_save_policy_saved (void);

#endif
