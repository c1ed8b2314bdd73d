/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dirty.h -- which pages of this process differ from their file.

   A page of a private file mapping has been written to if and only if it is
   anonymous: present (or swapped out), but no longer a page of the file.
   Two interfaces of Linux tell (Documentation/admin-guide/mm/pagemap.rst):
   the ioctl PAGEMAP_SCAN since 6.7, and the words of /proc/self/pagemap.
   Without /proc every page is taken for written to.  */
#ifndef CS_DIRTY_H
#define CS_DIRTY_H

#include <linux/types.h>
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

/* Called for each run of anonymous pages, in ascending order.  Returns 0 or
   what ends the search.  */
typedef int cs_dirty_visit (void *context, char *start, uint64_t len);

/* Open what cs_dirty_scan() wants; -1 if there is no /proc.  Close it with
   cs_file_close().  It is good for this process only, not for its
   children.  */
int cs_dirty_open (void);

/* Visit the anonymous pages of [START, START + LEN), page-aligned.  Does
   not allocate.  Returns 0, what VISIT returned, or -errno.  */
int cs_dirty_scan (int pagemap, char *start, uint64_t len,
                   cs_dirty_visit *visit, void *context);

#endif
