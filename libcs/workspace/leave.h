/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* leave.h -- leaving Guile, and the process.  */
#ifndef CS_LEAVE_H
#define CS_LEAVE_H

/* In Guile mode: exit() was called, with STATUS.  Brings the interpreter to where
   its image can be written, if it is to be saved, and goes on where the main
   thread entered Guile, or with cs_workspace.finish() if this is another thread.
   Returns in a forked child only.  */
void cs_leave (int status);

/* For on_exit(): foreign code has called libc's exit().  */
void cs_leave_libc (int status, void *unused);

/* In the child of a fork (fork.h): it leaves like any process.  */
void cs_leave_fork_child (void);

/* In Guile mode: write out what ports hold, and give back what standard input
   has read ahead.  */
void cs_leave_flush (void);

/* In Guile mode: end this process with status 0, as exit() does, but without
   saving.  */
void cs_leave_discard (void) __attribute__ ((noreturn));

/* Guile has been left: end the process, as plain Guile would have ended: by
   SIGPIPE if the reader of a port had gone when it was left, else with STATUS.  */
void cs_leave_exit (int status) __attribute__ ((noreturn));

#endif
