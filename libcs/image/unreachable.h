/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* unreachable.h -- memory of the collector's that nothing leads to.  */
#ifndef CS_UNREACHABLE_H
#define CS_UNREACHABLE_H

#include "image/graph.h"

struct cs_unreachable
{
  /* Objects that were not collected yet, by kind: [CS_VALUE_INVALID] is memory
     without a tag.  */
  struct { uint64_t count, bytes; } kinds[CS_VALUE_KINDS];
  uint64_t reached, reached_bytes;      /* what is in use */
  uint64_t collectors, collectors_bytes;        /* its own tables */
  uint64_t free, free_bytes;    /* places for objects: empty or on a list */
};

/* Look at each place for an object that the collector has.  One that nothing
   leads to is free if all of its words behind the first are 0 and the first
   leads to no object or to such a place: the collector clears what it frees, and
   links the places by their first words (libgc 8.2, reclaim.c).  In memory
   without pointers it does not clear; what is unreached there counts as free.
   Lengths are the collector's.  */
void cs_unreachable_count (const struct cs_graph *graph,
                           struct cs_unreachable *u);

#endif
