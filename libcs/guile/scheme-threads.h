/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scheme-threads.h -- what Scheme code keeps of threads: SRFI-18, futures, and
   mutexes that a thread's end abandons.  */
#ifndef CS_SCHEME_THREADS_H
#define CS_SCHEME_THREADS_H

#include "image/guile.h"

/* In Guile mode, once in a process that has resumed, before anything of the
   program's runs: tell (coldstore threads) which threads are gone, if it has
   something to do.  */
void cs_scheme_threads_restore (const struct cs_scheme_api_disk *image);

#endif
