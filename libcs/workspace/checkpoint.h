/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* checkpoint.h -- bringing Guile to rest, and writing its image.  */
#ifndef CS_CHECKPOINT_H
#define CS_CHECKPOINT_H

#include <stdbool.h>

#include "err.h"
#include "store/store.h"

/* In Guile mode: save the image as it is and go on.  Other Guile threads are
   held meanwhile.  -CS_E_REFUSED if this process is not to save (a forked
   child, --ephemeral, --no-save), or is saving already, which has called this;
   else the errors of cs_store_commit().  After 0 the commit is durable, and is
   applied in the background.  */
int cs_checkpoint (struct cs_err *err);

/* Not in Guile mode, when Guile has been left: stop what else runs in the
   process, for good, and commit the image.  The process must end soon; the
   collector can be used meanwhile, by this thread.  */
int cs_checkpoint_last (struct cs_store *store, struct cs_err *err);

/* For leaving, which takes the same steps on both sides of leaving Guile.

   In Guile mode: write out what ports hold, other threads running.  For
   scm_with_guile; returns UNUSED.  */
void *cs_checkpoint_flush_ports (void *unused);

/* In Guile mode: run the procedures of before-checkpoint-hook, which may do
   anything.  Are there any?  */
void cs_checkpoint_run_hook (void);
bool cs_checkpoint_has_hook (void);

/* Bring the interpreter to where its image can be written; OUTPUT writes what
   ports on files hold.  An error in a step is reported by scm_with_guile, and
   the next one is taken.  The caller has blocked asyncs (threads.h): a signal's
   handler that leaves or saves would begin all over again.  */
void cs_checkpoint_quiesce (void *(*output) (void *));

#endif
