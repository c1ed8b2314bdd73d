/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* background-apply.h -- putting commits into the image while the interpreter goes
   on.  */
#ifndef CS_BACKGROUND_APPLY_H
#define CS_BACKGROUND_APPLY_H

#include "store/store.h"

/* Start a thread that applies the commits of STORE (service.h), unless one is at
   work.  Guile does not know the thread.  The thread calls FAILED, if it is not
   NULL, when applying fails in another way than the last time; nothing is lost
   then (cs_store_apply_beside).  The thread calls WARN, if it is not NULL, with the
   text of cs_store_take_warning().  */
void cs_background_apply_start (struct cs_store *store,
                       void (*failed) (const struct cs_err *err),
                       void (*warn) (const char *text));

/* Tell WARN, which may be NULL, what cs_store_take_warning() has.  */
void cs_background_apply_warn (struct cs_store *store,
                      void (*warn) (const char *text));

/* In the child of a fork (fork.h), which has no such thread.  */
void cs_background_apply_fork_child (void);

#endif
