/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* changes.h -- which pages differ from the last commit.  */
#ifndef CS_CHANGES_H
#define CS_CHANGES_H

#include "store/record.h"

struct cs_changes
{
  struct cs_entry_disk *index;  /* room for all pages of the region; the sum
                                   is 0 for zeros, 1 for what is to be read
                                   from memory */
  uint64_t nr;                  /* entries found */
  uint64_t len;                 /* bytes of that room */
  char *buf;                    /* room for a page */
  int pagemap;                  /* cs_dirty_open() */
};

/* Get the room; end with cs_changes_end().  0 or -ENOMEM.  */
int cs_changes_begin (struct cs_store *store, struct cs_changes *changes);
void cs_changes_end (struct cs_changes *changes);

/* Unmap the view of the image that is kept from one commit to the next.  */
void cs_changes_forget_view (struct cs_store *store);

/* Find all pages that are not as the last commit of STORE has them, and
   give back those that are, as long as nobody writes to the region.  0 or
   -errno.  */
int cs_changes_find (struct cs_store *store, struct cs_changes *changes);

#endif
