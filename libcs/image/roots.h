/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots.h -- where the collector of a workspace begins.

   The collector takes as roots the writable data of the libraries (libgc
   finds it by itself) and what libcs registers: section "guile".  Thread
   stacks are roots of a running process only: no thread is in a store.  */
#ifndef CS_ROOTS_H
#define CS_ROOTS_H

#include "image/heap.h"

enum cs_root_kind
{
  CS_ROOT_LIBRARY = 1,          /* data of a carried library */
  CS_ROOT_SECTION = 2           /* registered by libcs */
};

struct cs_root_range
{
  enum cs_root_kind kind;
  char name[72];                /* the library's soname, or the section */
  uint64_t addr, len;
  uint64_t nr_pointers;         /* words in it that look like an address of
                                   the heap */
};

#define CS_ROOT_RANGES_MAX 512  /* of libraries, and the section */

/* Fill RANGES, of CS_ROOT_RANGES_MAX elements; *NR of them are used.
   Errors: those of cs_library_next(); -CS_E_DAMAGED.  */
int cs_root_ranges (const struct cs_store *store,
                    struct cs_root_range *ranges, size_t *nr,
                    struct cs_err *err);

/* A root that has a name.  */
struct cs_named_root
{
  const char *name;             /* static */
  uint64_t value;
};

#define CS_NAMED_ROOTS_MAX 8

/* What section "guile" refers to.  Returns how many.  */
size_t cs_named_roots (const struct cs_heap *heap,
                       struct cs_named_root *roots);

#endif
