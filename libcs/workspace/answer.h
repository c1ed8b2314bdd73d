/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* answer.h -- answering requests to the workspace.  */
#ifndef CS_ANSWER_H
#define CS_ANSWER_H

/* In Guile mode on the main thread: do what has been asked for since the last
   call (requests.h), if that can be done here; otherwise it will be asked
   again.  Does not return if the workspace is left.  */
void cs_answer (void);

#endif
