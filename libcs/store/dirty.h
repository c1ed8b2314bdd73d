/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dirty.h -- which pages of this process differ from their file.

   A page of a private file mapping has been written to if and only if it is
   anonymous: present (or swapped out), but no longer a page of the file.
   Two interfaces of Linux tell (Documentation/admin-guide/mm/pagemap.rst):
   the ioctl PAGEMAP_SCAN since 6.7, and the words of /proc/self/pagemap.
   Without /proc every page is taken for written to.

   Where the pages are watched (watch.h), those that were written to since
   the last search are told from those that were before.  */
#ifndef CS_DIRTY_H
#define CS_DIRTY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* <linux/fs.h> of Linux 6.7; older headers have none of it.  */
struct cs_page_region
{
  __u64 start, end, categories;
};

struct cs_pagemap_scan
{
  __u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
  __u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define CS_PAGEMAP_SCAN _IOWR ('f', 16, struct cs_pagemap_scan)

struct cs_dirty
{
  int pagemap;                  /* /proc/self/pagemap; -1: no /proc */
  bool watched;                 /* all pages are; cleared by a search that
                                   cannot make use of it */
  bool since;                   /* and were when they were last searched */
};

/* Called for each run of anonymous pages, in ascending order.  WRITTEN: they
   may have been written to since the last search.  Returns 0 or what ends
   the search.  */
typedef int cs_dirty_visit (void *context, char *start, uint64_t len,
                            bool written);

/* Set PAGEMAP.  It is good for this process only, not for its children.
   Close it with cs_file_close().  */
void cs_dirty_open (struct cs_dirty *dirty);

/* Visit at least the anonymous pages of [START, START + LEN), page-aligned: those that
   were written to since the last search, or, in a mapping of no file, ALL.
   From here on, what is written to was written to since the last search.
   Does not allocate.  Returns 0, what VISIT returned, or -errno.  */
int cs_dirty_scan (struct cs_dirty *dirty, char *start, uint64_t len,
                   bool all, cs_dirty_visit *visit, void *context);

#endif
