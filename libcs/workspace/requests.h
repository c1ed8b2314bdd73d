/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* requests.h -- signals that are requests to the workspace.

   SIGTERM and SIGHUP: leave as by exit, with status 128 + the number of the
   first that came; the others are the same request, but a SIGTERM that comes
   five seconds or more after the first one ends the process at once.  SIGUSR1:
   save and go on.
   The main thread answers them (answer.h) at its next safe point, or after a
   module that is being loaded, if that ends within two seconds.  Scheme code
   may install handlers of its own in their place.  */
#ifndef CS_REQUESTS_H
#define CS_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libguile.h>

#include "err.h"
#include "guile/loading.h"

/* Begin to take requests: by those of the signals that are not ignored.  ANSWER
   is the procedure to run on the calling thread, which is in Guile mode.  If
   EVERY_MS is not 0, save and go on so many milliseconds after each request was
   answered, too.  FAILED is called with the error when a save fails that SIGUSR1
   asked for, or the first one of a row that come by time; may be NULL.  */
void cs_requests_restore (SCM answer, const struct cs_loading_disk *loading,
                          uint64_t every_ms,
                          void (*failed) (const struct cs_err *err));

/* Keep the service thread out of Guile, from before the threads are held until
   the image is written: it would otherwise be written while that thread holds a
   lock of libguile's.  A once-routine keeps the service thread out already, and
   may not end before the save does: then it is left to the routine.  A thread
   that leaves for good need not release it.  */
void cs_requests_save (void);
void cs_requests_release (void);

/* In the child of a fork (fork.h): what was asked of its parent is not asked
   of it.  */
void cs_requests_fork_child (void);

/* Around execve(): nothing that was sent to wake the main thread up may arrive
   in the program that is executed, which calls the third.  The second undoes
   the first if the execution failed.  */
void cs_requests_exec_begin (void);
void cs_requests_exec_abort (void);
void cs_requests_exec_end (void);

/* Is only a save asked for, and not to leave as well?  */
bool cs_requests_is_save (void);

/* Is a module being loaded for whose end requests wait?  */
bool cs_requests_await_load (void);

/* In Guile mode: have the main thread answer at its next safe point.  */
void cs_requests_mark (void);

/* Is the calling thread the one to answer, and is there something to?  */
bool cs_requests_is_asked (void);

/* The workspace is being left: that answers all requests.  */
void cs_requests_finish (void);
bool cs_requests_are_over (void);

/* The status to leave with: STATUS, or what a request to leave stands for
   that has come, also when the program left by itself meanwhile.  */
int cs_requests_status (int status);

/* For answer.c.  The procedure has run: if a request is still pending, mark it
   once more.  */
void cs_requests_note_answer (void);

/* Has a save been asked for since this was last called?  */
bool cs_requests_take_save (void);

/* Around the save that answers a request; ERR is NULL if it was made.  */
void cs_requests_begin_save (void);
void cs_requests_end_save (const struct cs_err *err);

#endif
