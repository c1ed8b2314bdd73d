/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* watch.h -- the kernel notes which pages are written to.

   userfaultfd(2) in its asynchronous mode (UFFD_FEATURE_WP_ASYNC, Linux 6.7):
   PAGEMAP_SCAN can take the note away from the pages it reports, and the
   kernel makes it again when such a page is written to, by whomever, without
   telling anybody (Documentation/admin-guide/mm/pagemap.rst).  So the pages
   of the last commit, which are this process's own memory like those that
   were written to since, need not be looked at by the next one.

   A watch is of one process: children are not watched.  It may be had by
   anybody, as it handles no faults of the kernel (UFFD_USER_MODE_ONLY), but
   not where system calls are filtered, as in some containers.  */
#ifndef CS_WATCH_H
#define CS_WATCH_H

#include <stdint.h>

/* A descriptor, to be closed with cs_file_close(), which ends the watch, or
   -errno.  */
int cs_watch_open (void);

/* Watch all that is mapped in [START, START + LEN), page-aligned, also if
   it is watched already.  What is mapped there later is not watched.  0 or
   -errno.  */
int cs_watch_region (int fd, char *start, uint64_t len);

#endif
