/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resume.h -- going on with Guile in another process.  */
#ifndef CS_RESUME_H
#define CS_RESUME_H

/* Not in Guile mode, when the image is loaded (load.h) and its process's parts are
   restored: make the interpreter whole again in this process: the collector's
   locks and threads, and the threads of the last process.  */
void cs_resume (void);

/* In Guile mode, on the main thread of a resumed image: restore the rest, and run
   the procedures of after-resume-hook.  For scm_with_guile; returns UNUSED.  */
void *cs_resume_take_up (void *unused);

#endif
