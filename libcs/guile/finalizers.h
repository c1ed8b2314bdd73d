/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* finalizers.h -- the interpreter's finalizer thread, around a save.

   An image says that the thread does not run and that its pipe is closed:
   the next process starts it again when there is something to finalize.  */
#ifndef CS_FINALIZERS_H
#define CS_FINALIZERS_H

#include <stdbool.h>

#include "guile/functions.h"

/* In the place of GC_set_finalizer_notifier(), by a `replace` rule.  */
void GC_CALLBACK cs_finalizers_set_notifier (GC_finalizer_notifier_proc call);

/* End the finalizer thread, and let nobody start or wake it until it is
   released on this thread.  Waits for another thread's hold.  A thread that
   leaves for good need not release it.  */
void cs_finalizers_save (void);

/* From a resume on, and after a hold: finalizers run again.  In Guile mode.  */
void cs_finalizers_restore (void);
void cs_finalizers_release (void);

/* Around a fork (fork.h).  In the child finalizers run, also if a checkpoint
   held them in the parent.  */
void cs_finalizers_fork_prepare (void);
void cs_finalizers_fork_parent (void);
void cs_finalizers_fork_child (void);

#endif
