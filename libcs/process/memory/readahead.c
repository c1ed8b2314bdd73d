/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* readahead.c -- what the kernel reads of a store's file.

   Pages of zeros are holes in the file, and not in the page cache.  The
   first access to one makes the kernel read ahead, that is, fill the cache
   with the zeros that are near, and map what is there around every page that
   is touched later: a resumed, idle workspace had up to 1 MiB of zeros
   resident, a tenth of all.  So there is no reading ahead in a store that is
   in the page cache.  In one that is not, as it was not used for long, it
   halves the time of the start.

   A start uses little of a large heap, and tells nothing about the rest.  So
   reading ahead is off for the image's beginning only; the kernel reads ahead
   behind that as it does anywhere.  The first collection of a process looks at
   the whole heap: before it, libcs asks the kernel to read the missing
   ranges.  */

#include <sys/mman.h>

#include "process/private.h"
#include "process/available.h"

/* A new workspace's image, with as much again.  */
#define BEGINNING_LEN ((uint64_t) 128 << 20)

void
cs_process_stop_readahead (struct cs_store *store)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);
  uint64_t end = sb->committed < BEGINNING_LEN ? sb->committed
                 : BEGINNING_LEN;
  unsigned char resident;
  size_t len;
  void *image = cs_store_section (store, "process", &len);

  /* The range has gaps, where libraries will be: then madvise() returns an
     error, but did what it could.  */
  if (image && mincore (image, CS_STORE_PAGE_LEN, &resident) == 0
      && (resident & 1))
    madvise ((void *) (uintptr_t) sb->base, (size_t) end, MADV_RANDOM);
}

void
cs_process_read_ahead (struct cs_store *store)
{
  if (cs_store_superblock (store)->committed > BEGINNING_LEN)
    cs_store_read_ahead (store, cs_available_memory ());
}
