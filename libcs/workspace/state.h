/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.h -- what this process was told to do with its workspace, and how far it
   has come.  */
#ifndef CS_STATE_H
#define CS_STATE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>

#include "image/guile.h"
#include "workspace/workspace.h"

/* There is one workspace in a process.  Only the steps of its life, the files
   of this folder, look in here.  */
struct cs_workspace
{
  struct cs_guile_disk *image;  /* section "guile" */
  const struct cs_run_params *params;   /* NULL while booting */
  void (*finish) (int status);  /* main-thread.h */
  void *(*body) (void *);       /* what Guile is entered for */
  pthread_t thread;             /* the main thread */
  sigjmp_buf start;             /* where cs_leave() jumps to */
  int status;                   /* to exit with */
  bool entered;                 /* Guile runs the program */
  bool left;                    /* exit() was called: a hook may call it again */
  bool exiting;                 /* ... of libc itself: there is no way back */
  bool failed;                  /* an error that nothing caught ended it */
  bool finished;                /* Guile has been left: exit handlers run */
  bool discarded;               /* nothing is to be saved from now on */
};

extern struct cs_workspace cs_workspace;

/* This thread saves the workspace, and may come upon code of the program's
   meanwhile.  */
extern __thread bool cs_state_saving;

/* What this process was told to do; NULL while booting.  */
const struct cs_run_params *cs_state_params (void);

/* Is the calling thread the one that runs the program?  */
bool cs_state_is_main_thread (void);

/* Is what this process does to be saved?  */
bool cs_state_will_save (void);

/* Is this called by what the program does for a checkpoint: a procedure of a
   hook, or of a port that is written out?  */
bool cs_state_is_saving (void);

#endif
