/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.h -- the steps of interpreter.h's files that call each
   other: from -state.c, which all use, over -checkpoint.c, -leave.c and
   -resume.c to the workspace thread in interpreter.c, and -boot.c above.  */
#ifndef CS_STATE_H
#define CS_STATE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

#include "guile/api.h"
#include "workspace/main-thread.h"

/* The workspace thread of this process.  */
struct cs_workspace
{
  struct cs_guile_disk *image;
  const struct cs_run_params *params;   /* NULL while booting */
  cs_interpreter_finish *finish;
  void *(*body) (void *);       /* what Guile is entered for */
  pthread_t thread;
  sigjmp_buf start;             /* where cs_interpreter_leave() jumps to */
  int status;
  bool unknown;                 /* Guile's objects are laid out otherwise */
  bool entered;                 /* Guile runs the program */
  bool left;                    /* exit() was called: a hook may call it again */
  bool exiting;                 /* ... of libc itself: there is no way back */
  bool discarded;               /* nothing is to be saved from now on */
};

extern struct cs_workspace cs_workspace;

/* This thread saves the workspace, and may come upon code of the program's
   meanwhile.  */
extern __thread bool cs_interpreter_saving;

/* An object in the image, and back.  */
static inline SCM
scm_of (uint64_t bits)
{
  return SCM_PACK ((scm_t_bits) bits);
}

static inline uint64_t
bits_of (SCM value)
{
  return (uint64_t) SCM_UNPACK (value);
}

/* In Guile mode: write out what ports hold, other threads running.  For
   scm_with_guile; returns UNUSED.  */
void *cs_interpreter_flush_ports (void *unused);

/* In Guile mode: run the program's hook, which may do anything.  */
void cs_interpreter_run_checkpoint_hook (void);

/* Bring the interpreter to where its image can be written; OUTPUT writes what
   ports on files hold.  An error in a step is reported by scm_with_guile, and
   the next one is taken.  */
void cs_interpreter_quiesce (void *(*output) (void *));

/* In Guile mode: let no async run on this thread until it is unblocked.  */
void cs_interpreter_block_asyncs (void);
void cs_interpreter_unblock_asyncs (void);

/* In Guile mode: exit() was called.  Returns in a forked child only.  */
void cs_interpreter_leave (int status);

/* For on_exit(): foreign code has called libc's exit().  */
void cs_interpreter_leave_libc (int status, void *unused);

/* In Guile mode, on the workspace thread of a resumed image: take up what the
   last process left.  For scm_with_guile; returns UNUSED.  */
void *cs_interpreter_take_up (void *unused);

/* Enter Guile for cs_workspace.body on a thread with a stack of STACK_LEN
   bytes, or the default if that is 0, and wait for its end.  */
int cs_interpreter_run_thread (size_t stack_len, struct cs_err *err);

#endif
