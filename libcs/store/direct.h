/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* direct.h -- new pages of a commit, put into the image at once.

   A page at or behind the end of the committed image is new: no generation
   has it.  A commit with few new pages appends them to the log, with the
   changed ones.  Beyond that it puts them in their place, so that they are
   written once.  Why nobody sees them before the commit: commit.c, G1 to G4.

   Runs while the world is stopped: no allocation.  */
#ifndef CS_DIRECT_H
#define CS_DIRECT_H

#include "store/store-private.h"

/* So much is copied, to fit into the cache, and written at a time.  */
#define CS_DIRECT_PIECE ((uint64_t) 256 << 10)

/* New pages beyond so many bytes go to their place.  Nobody but a test writes to
   it.  */
extern uint64_t cs_direct_threshold;

struct cs_append;

struct cs_direct
{
  uint64_t in_log;              /* bytes of new pages that the log has */
  uint64_t pages;               /* new pages that are in their place */
  uint64_t begun;               /* file offset: the disk was told of what is
                                   between here and END */
  uint64_t end;                 /* behind the last piece */
};

/* Make zeros, on stable storage, of what is between image and log (G3).  Call
   it after cs_log_settle().  0 or an error; if it could not be synced, the log
   is broken.  */
int cs_direct_clean (struct cs_store *store, struct cs_err *err);

/* The page at image offset OFF, whose sum is SUM, goes to the log: count it if
   it is new.  */
void cs_direct_note (struct cs_append *append, uint64_t off, uint32_t sum);

/* The length of the part of [OFF, END), from OFF on, that goes to its place.  */
uint64_t cs_direct_run (const struct cs_append *append, uint64_t off,
                        uint64_t end);

/* Put LEN bytes of the region at OFF, new pages, into image and sums.  0 or
   -errno.  */
int cs_direct_write (struct cs_append *append, uint64_t off, uint64_t len);

/* Sync what was put there (G2).  0 or an error; then the log is broken.  */
int cs_direct_sync (struct cs_append *append, struct cs_err *err);

/* Give back what was put there.  */
void cs_direct_abort (struct cs_append *append);

#endif
