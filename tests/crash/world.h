/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.h -- what a power loss can leave of the files of a trace.

   The model.  A power loss comes at a point of the trace: the events before
   it have happened, those from it on have not.

   - What is certain: everything about a file or folder up to its last sync
     that succeeded.  A sync of a file makes its contents and its length
     certain, fsync and fdatasync alike, and not its names; a sync of a
     folder makes the names in it certain, and nothing about the files.
   - All other changes are pending, and may be there or not each for itself,
     in any order: nothing of what ext4 or XFS promise beyond POSIX is used,
     neither that metadata is written in order nor that data comes before it.
   - Contents come and go by sectors of 512 bytes.  A sector is as it was
     after one of the writes to it that are not older than the last sync: the
     page cache may have been written out at any moment.  A sector is never
     half old and half new, nor anything else.
   - The length is one that the file had since the last sync, whatever of the
     contents is there; what a sector behind the end held is zeros, as is
     what was never written.
   - A name leads where it led after one of the changes to it since the last
     sync.  A rename takes away the old name only where it has set the new
     one.
   - A failed sync makes nothing certain, and what was pending of a file's
     contents and length stays so for ever: Linux takes such pages for clean
     (fsync(2), errors), so that a later sync does not write them.  A folder
     is written again by the next sync: it is not in pages of this kind.  */
#ifndef WORLD_H
#define WORLD_H

#include "trace.h"

#define SECTOR 512

/* One way to lose power.  */
enum loss_kind
{
  LOSS_ALL,                     /* of what is pending, nothing is there */
  LOSS_NOTHING,                 /* everything is there */
  LOSS_SUBSET,                  /* the bits of SEED say which events are */
  LOSS_ALL_BUT_ONE,             /* only event WHICH is there */
  LOSS_ONE,                     /* event WHICH is not there */
  LOSS_ONE_TORN,                /* some sectors of event WHICH are not there */
  LOSS_EVENTS,                  /* events at random */
  LOSS_PAGES,                   /* pages at random */
  LOSS_SECTORS,                 /* sectors at random */
  LOSS_LENGTHS,                 /* changes of lengths are not there */
  LOSS_CONTENTS                 /* only these are */
};

struct loss
{
  uint32_t point;               /* the first event that has not happened */
  enum loss_kind kind;
  uint32_t which;
  uint64_t seed;
};

struct world;

/* The world of TRACE, to which nothing may be added any more.  */
struct world *world_new (const struct trace *trace);
void world_free (struct world *world);

/* The pending events at POINT: copies up to MAX to EVENTS, oldest first, and
   returns how many there are.  */
size_t world_pending (const struct world *world, size_t point,
                      uint32_t *events, size_t max);

/* A number for what LOSS leaves: others for other files.  */
uint64_t world_hash (const struct world *world, const struct loss *loss);

/* Put it into the working folder, which must be empty.  */
void world_make (const struct world *world, const struct loss *loss);

uint64_t mix (uint64_t a, uint64_t b);

void loss_describe (const struct loss *loss, char *text, size_t len);

#endif
