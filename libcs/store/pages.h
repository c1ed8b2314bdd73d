/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pages.h -- pages that are all zero need not be written.  */
#ifndef CS_PAGES_H
#define CS_PAGES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PAGE is aligned to 8 bytes.  */
bool cs_page_is_zero (const char *page);

/* Write LEN bytes.  0 or -errno.  */
int cs_file_write (int fd, const void *buf, size_t len, uint64_t off);

/* Write LEN bytes, whole pages from an address that is a multiple of 8, but
   leave out those that are zero.  0 or -errno.  */
int cs_file_write_pages (int fd, const char *data, uint64_t len,
                         uint64_t off);

/* Around writing to a file that RLIMIT_FSIZE may forbid, as it may a memory
   file: then writing fails with EFBIG, and no signal ends the process.  CODE is
   0 or the -errno of the writing.  *MASK is the thread's mask before.  */
void cs_file_begin_limited (sigset_t *mask);
void cs_file_end_limited (const sigset_t *mask, int code);

#endif
