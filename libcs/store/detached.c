/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* detached.c -- pages that are not mapped from the store's file.

   A page of the region that a process has not written to reads as its file
   says if it is mapped from the image, and as zeros if it was mapped anew
   since: it is detached.  One bit a page, in memory of this process, for
   writers only.  Nothing here allocates, but for the start.  */

#include <errno.h>

#include "store/store-private.h"

#define BITS 64

static uint64_t
map_len (const struct cs_store *store)
{
  return cs_round_up (cs_region_pages (store), BITS) / 8;
}

int
cs_detached_begin (struct cs_store *store)
{
  store->detached = cs_scratch_map (map_len (store));
  return store->detached ? 0 : -ENOMEM;
}

void
cs_detached_end (struct cs_store *store)
{
  cs_scratch_unmap (store->detached, map_len (store));
  store->detached = NULL;
}

void
cs_detached_set (struct cs_store *store, uint64_t off, uint64_t len,
                 bool detached)
{
  uint64_t page = off / CS_STORE_PAGE_LEN;
  uint64_t end = page + len / CS_STORE_PAGE_LEN;

  if (!store->detached)
    return;
  while (page < end)
    {
      uint64_t in_word = BITS - page % BITS;
      uint64_t nr = end - page < in_word ? end - page : in_word;
      uint64_t mask = (nr == BITS ? UINT64_MAX : ((uint64_t) 1 << nr) - 1)
                      << page % BITS;

      if (detached)
        store->detached[page / BITS] |= mask;
      else if (store->detached[page / BITS])
        store->detached[page / BITS] &= ~mask;
      page += nr;
    }
}

bool
cs_detached_get (const struct cs_store *store, uint64_t off)
{
  uint64_t page = off / CS_STORE_PAGE_LEN;

  return store->detached[page / BITS] >> page % BITS & 1;
}

uint64_t
cs_detached_stretch (const struct cs_store *store, uint64_t off,
                     uint64_t end)
{
  uint64_t page = off / CS_STORE_PAGE_LEN, last = end / CS_STORE_PAGE_LEN;
  uint64_t same = cs_detached_get (store, off) ? UINT64_MAX : 0;

  while (page < last)
    {
      uint64_t word = (store->detached[page / BITS] ^ same) >> page % BITS;

      if (word)
        {
          page += (uint64_t) __builtin_ctzll (word);
          break;
        }
      page += BITS - page % BITS;
    }
  return (page < last ? page : last) * CS_STORE_PAGE_LEN;
}
