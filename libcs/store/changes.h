/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* changes.h -- which pages differ from the last commit.  */
#ifndef CS_CHANGES_H
#define CS_CHANGES_H

#include "store/append.h"
#include "store/dirty.h"

struct cs_changes
{
  struct cs_dirty dirty;
};

/* Get ready to look; end with cs_changes_end(), which is told if all that was
   found was committed.  */
void cs_changes_begin (struct cs_store *store, struct cs_changes *changes);
void cs_changes_end (struct cs_store *store, struct cs_changes *changes,
                     bool committed);

/* Unmap the view of the image that is kept from one commit to the next.  */
void cs_changes_forget_view (struct cs_store *store);

/* Add to APPEND all pages that are not as the last commit of STORE has them,
   as long as nobody writes to the region.  Those that are may be given back.
   0 or -errno.  */
int cs_changes_find (struct cs_store *store, struct cs_changes *changes,
                     struct cs_append *append);

#endif
