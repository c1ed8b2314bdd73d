/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* progress.h -- how far a long operation has come, on a terminal.  */
#ifndef CS_PROGRESS_H
#define CS_PROGRESS_H

#include <stdint.h>

/* Show DONE of TOTAL bytes, the rate, and the time that is left, in one line
   on standard error, if that is a terminal and unless --quiet; not before
   half a second has gone by, then a few times a second.  TOTAL changes when
   something else begins.  CLOSURE is not used.  Fits cs_backup_progress.  */
void cs_progress_show (void *closure, uint64_t done, uint64_t total);

/* Take the line away, before anything else is printed.  */
void cs_progress_end (void);

#endif
