/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* append.h -- a commit on its way to the log.

   The pages are copied, summed and written one after the other, as they are
   found (changes.c): the disk begins with the first while the last are still
   looked for.  cs_append_write() makes a record of them; before, they count for
   nothing.

   Runs while the world is stopped, but for cs_append_sync(): no
   allocation.  */
#ifndef CS_APPEND_H
#define CS_APPEND_H

#include "store/direct.h"
#include "store/record.h"

struct cs_append
{
  struct cs_store *store;
  struct cs_record record;      /* its head counts what was added */
  size_t used;                  /* bytes of copies that are not written yet */
  uint64_t next;                /* where they belong in the file */
  uint64_t begun;               /* the disk was told of what is before */
  uint64_t due;                 /* and is to be told of so much at a time */
  struct cs_direct direct;      /* pages that are not in the record */
  bool failed;                  /* to write */
};

/* Get the room that STORE keeps from one commit to the next, 0 or -ENOMEM;
   free it.  */
int cs_append_prepare (struct cs_store *store);
void cs_append_free (struct cs_store *store);

/* Begin a record that leads to SB, in that room.  0 or an error.  */
int cs_append_begin (struct cs_append **append, struct cs_store *store,
                     const struct cs_superblock_disk *sb,
                     struct cs_err *err);

/* Room for a copy of the page that may be added next.  */
char *cs_append_room (const struct cs_append *append);

/* Room for another page, of no matter what; for CS_DIRECT_PIECE bytes.  */
char *cs_append_spare (const struct cs_append *append);
char *cs_append_piece (const struct cs_append *append);

/* Add PAGE, with a greater number than those before: SUM is the sum of the
   copy; 0: zeros, and no copy.  0 or -errno.  */
int cs_append_page (struct cs_append *append, uint64_t page, uint32_t sum);

/* Complete the record, which STORE has as `unsynced` from then on.  0 or an
   error: what was written is taken back.  */
int cs_append_write (struct cs_append *append, struct cs_err *err);

/* Sync the record that STORE has as `unsynced`, and then has no longer: it is
   committed (L1), and its pages are patches, for which there is room
   (cs_patch_prepare).  Signals are blocked, the lock `applying` is free (C1 to C3,
   commit.c).  0 or an error.  */
int cs_append_sync (struct cs_store *store, struct cs_err *err);

/* Take back what was written.  */
void cs_append_abort (struct cs_append *append);

#endif
