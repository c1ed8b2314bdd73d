/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main-thread.h -- the interpreter in a store: booting, resuming, leaving.

   Guile's command line runs on the *workspace thread*: the process's main
   thread, or one with a stack of the size asked for.  It leaves Guile before
   the image is written, so that at an ordinary exit no Guile thread is left
   in it.

   What must be found again in the heap lies in section "guile"
   (image/guile.h), which is a root of the collector.  */
#ifndef CS_MAIN_THREAD_H
#define CS_MAIN_THREAD_H

#include "err.h"
#include "guile/api.h"
#include "guile/environment.h"
#include "guile/loading.h"
#include "guile/pointers.h"
#include "guile/ports.h"
#include "guile/threads.h"
#include "image/guile.h"
#include "intern/library.h"
#include "store/store.h"
#include "workspace/scheme-api.h"
#include "workspace/workspace.h"

/* Boot the loaded libguile in a new store, and end its thread again.  */
int cs_interpreter_boot (struct cs_store *store, struct cs_err *err);

/* Make the resumed image whole again in this process: the collector's locks
   and threads, and the threads of the last process.  */
void cs_interpreter_resume (void);

/* What ends the process once Guile has been left: called on the thread that
   leaves, with the status Guile wants to exit with.  Must not return.  */
typedef void cs_interpreter_finish (int status);

/* Run Guile's command line on the workspace thread.  Calls FINISH when it
   has left Guile, or when another thread called exit().  Returns a negative
   code if the thread cannot be started.  */
int cs_interpreter_run (const struct cs_run_params *params,
                        cs_interpreter_finish *finish, struct cs_err *err);

/* In Guile mode: save the image as it is and go on.  Other Guile threads are
   held meanwhile.  -CS_E_REFUSED if this process is not to save (a forked
   child, --ephemeral, --no-save); else the errors of cs_store_commit().  */
int cs_interpreter_checkpoint (struct cs_err *err);

/* In the child of a fork (fork.h): it leaves like any process.  */
void cs_interpreter_forked (void);

/* Not in Guile mode: make this thread unknown to Guile again.  */
void cs_interpreter_leave_thread (void);

/* Stop what else runs in the interpreter, for good, and commit the image.
   The process must end soon; the collector can be used meanwhile, by this
   thread.  */
int cs_interpreter_save (struct cs_store *store, struct cs_err *err);

/* End the process, as plain Guile would have ended: by SIGPIPE if the reader
   of a port had gone when it was left, else with STATUS.  */
void cs_interpreter_exit (int status) __attribute__ ((noreturn));

/* What this process was told to do, and whether this is the thread that does
   it.  */
const struct cs_run_params *cs_interpreter_params (void);
bool cs_interpreter_is_workspace_thread (void);

/* Is what this process does to be saved?  */
bool cs_interpreter_will_save (void);

/* In Guile mode: does a checkpoint run procedures of before-checkpoint-hook?  */
bool cs_interpreter_has_checkpoint_hook (void);

/* Is this called by what the program does for a checkpoint: a procedure of a
   hook, or of a port that is written out?  */
bool cs_interpreter_is_saving (void);

/* In Guile mode: end this process with status 0, as exit() does, but without
   saving.  */
void cs_interpreter_discard (void) __attribute__ ((noreturn));

/* In Guile mode: write out what ports hold, and give back what standard input
   has read ahead.  */
void cs_interpreter_flush (void);

/* In Guile mode: hold the other threads, and the collector, as for a
   commit.  */
void cs_interpreter_hold (void);
void cs_interpreter_release (void);

/* The function that a `replace` rule names: those of process.h, and
     guile:register_my_thread, guile:unregister_my_thread,
     guile:disable_collector, guile:enable_collector, guile:malloc_many,
     guile:set_finalizer_notifier (finalizers.h),
     guile:call_with_alloc_lock (stack.h)
   for the functions of libgc that do so,
     guile:gc_disable, guile:gc_enable
   for libguile's, and guile:system (system.h).  */
void *cs_interpreter_replacement (const char *name);

/* cs_policy_load(), and see that each replacement in the policy is one that
   there is: those that are not are errors of the policy as well.  */
int cs_interpreter_policy (const char *file, cs_policy_report *diagnose,
                           void *closure, struct cs_policy **policy,
                           struct cs_err *err);

/* Load the libraries that STORE carries and bind them in this process; with
   RESUME over the store's data.  Errors: those of cs_library_load(),
   cs_imports_bind() and cs_guile_api_load(); -CS_E_DAMAGED or
   -CS_E_INCOMPATIBLE if section "guile" is not as it should be.  */
int cs_interpreter_load (struct cs_store *store, struct cs_table_disk *table,
                         bool resume, struct cs_err *err);

#endif
