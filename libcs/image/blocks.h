/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* blocks.h -- where the collector's objects begin and end, read from an image.

   libgc cuts pages into objects of one length and keeps a header for each
   page or group of pages (libgc 8.2, include/private/gc_priv.h, struct
   hblkhdr and struct bi; equal in 8.2.2, 8.2.8 and 8.2.12).  Its tables are not exported.  They are
   found because each header names its page: a word of libgc's data that leads
   to a table of headers which all name the pages they stand for is such a
   table.  */
#ifndef CS_BLOCKS_H
#define CS_BLOCKS_H

#include "image/heap.h"

struct cs_block_header
{
  uint64_t addr;                /* of the first page */
  uint64_t len;                 /* of each object in it */
  uint64_t descr;               /* what the collector scans (gc_mark.h) */
  uint8_t kind;                 /* gc_priv.h: 0 is free of pointers, 2 and 3
                                   are never collected */
};

struct cs_blocks
{
  const struct cs_heap *heap;
  uint64_t base, nr_pages;
  uint32_t *page;               /* 1 + index of its header; 0: none */
  struct cs_block_header *headers;
  size_t nr, room;              /* nr is 0 if no table was found */
};

/* One object of the collector's.  */
struct cs_block
{
  uint64_t addr, len, descr;
  uint8_t kind;
};

/* Errors: -ENOMEM; those of cs_library_next().  Release with cs_blocks_fini()
   in every case.  */
int cs_blocks_read (const struct cs_heap *heap, struct cs_blocks *blocks,
                    struct cs_err *err);
void cs_blocks_fini (struct cs_blocks *blocks);

/* The object that ADDR lies in.  It may be one that is free.  */
bool cs_blocks_find (const struct cs_blocks *blocks, uint64_t addr,
                     struct cs_block *block);

#endif
