/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fork.h -- a fork beside a checkpoint.

   A thread may fork at any moment of a checkpoint that another one makes,
   until it is stopped itself.  The child has none of that: no thread that
   would end the checkpoint, and none that it could wait for.  */
#ifndef CS_FORK_H
#define CS_FORK_H

/* From now on, forks of this process leave their children with no checkpoint
   under way and no lock taken.  */
void cs_fork_watch (void);

#endif
