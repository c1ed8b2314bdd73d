/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rollback.h -- back to the last commit, within the process.

   The process executes its program once more, without saving: what is in
   memory is dropped with everything that hangs on it, and the workspace is
   resumed as by any other start.  Process id, standard descriptors,
   environment and current folder stay; so does the lock (store.h,
   cs_store_hand_over).

   The command line has run already, and would do again what led here.  So
   only its switches that set up a REPL are given to Guile again, and then
   there is a REPL, or an expression that the caller names.  A program that
   wants neither ends.  */
#ifndef CS_ROLLBACK_H
#define CS_ROLLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "workspace/workspace.h"

/* In Guile mode.  EXPRESSION is what to evaluate afterwards; NULL: the REPL,
   if the command line asked for one, or if IN_REPL and this is the main
   thread, otherwise nothing.  Returns only if it cannot be done.
   Errors: -CS_E_REFUSED (a forked child; nobody can execute the program),
   -ENOENT (the store has no name any more), -errno of execve().  */
int cs_rollback (const char *expression, bool in_repl, struct cs_err *err);

/* In a process that was executed so, before anything else is done: FD is the
   descriptor that was handed over.  Closes all others but the standard
   ones, which belong to what is gone.  */
void cs_rollback_exec_end (int fd);

/* Let the signals of the set SIGNALS through (bit N - 1 for signal N), which
   have been blocked since before execve().  A signal without a handler is
   discarded: it was meant for a handler that has been rolled back.  */
void cs_rollback_let_in (uint64_t signals);

#endif
