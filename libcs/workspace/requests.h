/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* requests.h -- handlers of Scheme code, and signals that are requests to the
   workspace.

   SIGTERM and SIGHUP: leave as by exit, with status 128 + the number of the
   first that came; the others are the same request, but a SIGTERM that comes
   five seconds or more after the first one ends the process at once.  SIGUSR1:
   save and go on.
   They are answered by the workspace thread at its next safe point, or after a
   module that is being loaded, if that ends within two seconds.  Scheme code
   may install handlers of its own in their place.  */
#ifndef CS_REQUESTS_H
#define CS_REQUESTS_H

#include <stdbool.h>

#include <libguile.h>

#include "err.h"
#include "guile/loading.h"

/* In Guile mode on the workspace thread, at a resume: the handlers that Scheme
   code has installed run on this thread from now on, also for signals that
   have arrived since the process began.  */
void cs_signals_follow (void);

/* Begin to answer them: those that are not ignored.  ANSWER is the procedure
   to run on the calling thread, which is in Guile mode.  If EVERY_MS is not 0,
   save and go on so many milliseconds after each request was answered, too.
   FAILED is called with the error when a save fails that SIGUSR1 asked for,
   or the first one of a row that come by time; may be NULL.  */
void cs_signals_begin (SCM answer, const struct cs_loading_disk *loading,
                       uint64_t every_ms,
                       void (*failed) (const struct cs_err *err));

/* Keep the thread that serves signals out of Guile, from before the threads
   are held until the image is written: it would otherwise be written while
   that thread holds a lock of libguile's.  False if a once-routine keeps the
   thread out already, and may not end before the save does.  A thread that
   leaves for good need not release it.  */
bool cs_signals_hold (void);

/* HELD is the result of cs_signals_hold().  */
void cs_signals_release (bool held);

/* In the child of a fork (fork.h): what was asked of its parent is not asked
   of it.  */
void cs_signals_forked (void);

/* Before execve(): nothing that was sent to wake the workspace thread up may
   arrive in the program that is executed, which calls the third.  The second
   undoes it if the execution failed.  */
void cs_signals_end (void);
void cs_signals_begin_again (void);
void cs_signals_arrive (void);

/* Let the signals of the set SIGNALS through (bit N - 1 for signal N), which
   have been blocked since before execve().  A signal without a handler is
   discarded: it was meant for one that has been rolled back.  */
void cs_signals_let_in (uint64_t signals);

/* Is only a save asked for, and not to leave as well?  */
bool cs_signals_is_save (void);

/* Is a module being loaded for whose end requests wait?  */
bool cs_signals_await_load (void);

/* In Guile mode: have the workspace thread answer at its next safe point.  */
void cs_signals_mark (void);

/* Is the calling thread the one to answer, and is there something to?  */
bool cs_signals_is_asked (void);

/* In Guile mode: do what has been asked for since the last call, if that can be
   done here; otherwise it will be asked again.  */
void cs_signals_answer (void);

/* The workspace is being left: that answers all requests.  */
void cs_signals_leave (void);

/* The status to leave with: STATUS, or what a request to leave stands for
   that has come, also when the program left by itself meanwhile.  */
int cs_signals_status (int status);

#endif
