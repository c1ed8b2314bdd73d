/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dynamic-state.h -- the values of fluids and parameters, and the current
   module, that a workspace goes on with.

   The next process begins at the top of the program, so what with-fluids,
   parameterize and the like had bound for a while must not be bound there:
   the current output port may have been a string, the REPL one level deep.
   So is the module that was current only while a module or a file was being
   loaded.  Values that were set, and not bound, are kept.  */
#ifndef CS_DYNAMIC_STATE_H
#define CS_DYNAMIC_STATE_H

#include <libguile.h>

#include "guile/loading.h"

/* In Guile mode: the dynamic state of THREAD as it would be if it left all
   dynamic extents that it is in.  THREAD is the calling one, or is held.  */
SCM cs_dynamic_state_outermost (SCM thread,
                                const struct cs_loading_disk *loading);

#endif
