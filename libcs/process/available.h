/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* available.h -- how much memory this process may still fill.  */
#ifndef CS_AVAILABLE_H
#define CS_AVAILABLE_H

#include <stdint.h>

/* The lesser of two numbers of bytes: those that the kernel can give without
   swapping (MemAvailable of proc(5)), and those that the process's control group
   (version 2) may still have.  The page cache of others counts as free.  0 if
   /proc cannot be read.  Takes no memory and no lock.  */
uint64_t cs_available_memory (void);

#endif
