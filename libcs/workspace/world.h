/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.h -- stopping the world, as for a commit.  */
#ifndef CS_WORLD_H
#define CS_WORLD_H

/* In Guile mode: stop the process's other threads, and run libgc's fork handler
   "prepare", as a fork would: the collector is at rest then.  */
void cs_world_stop (void);

/* Run the handler "parent", and let the threads go on.  */
void cs_world_release (void);

/* The first half of it, for a process that ends soon: the threads stay where
   they are.  */
void cs_world_release_collector (void);

/* After the other threads have been released: tell the user of those that could
   not be stopped for the checkpoint.  */
void cs_world_warn (void);

#endif
