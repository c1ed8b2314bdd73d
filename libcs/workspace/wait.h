/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wait.h -- saving the workspace while Guile waits in select() or poll().  */
#ifndef CS_WAIT_H
#define CS_WAIT_H

/* In the main thread: from now on, a request to save that interrupts its
   sleep, select or poll is answered there and then, and the wait goes on.  */
void cs_wait_restore (void);

#endif
