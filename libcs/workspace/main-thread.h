/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main-thread.h -- the main thread of a workspace, which enters Guile.

   Guile's command line runs on it: it is the process's main thread, or one with a
   stack of the size asked for.  It leaves Guile before the image is written, so
   that at an ordinary exit no Guile thread is left in the image.  */
#ifndef CS_MAIN_THREAD_H
#define CS_MAIN_THREAD_H

#include <stddef.h>

#include "err.h"
#include "workspace/workspace.h"

/* What ends the process once Guile has been left: called on the thread that
   leaves, with the status Guile wants to exit with.  Must not return.  */
typedef void cs_main_thread_finish (int status);

/* Run Guile's command line on the main thread.  Calls FINISH when it has left
   Guile, or when another thread called exit().  Returns a negative code if the
   thread cannot be started.  */
int cs_main_thread_run_shell (const struct cs_run_params *params,
                              cs_main_thread_finish *finish,
                              struct cs_err *err);

/* Enter Guile for BODY on a thread with a stack of STACK_LEN bytes, or the
   default if that is 0, and wait for the thread's end.  */
int cs_main_thread_run (void *(*body) (void *), size_t stack_len,
                        struct cs_err *err);

#endif
