/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* zone.c -- a place for the collector's memory, above everything else.

   When the collector marks, it takes each word that lies between the lowest
   address of its heap and the highest, with 64 MiB to spare, for a pointer
   into the heap, and looks it up (8.2.2, mark.c, GC_mark_from; alloc.c,
   GC_expand_hp_inner).  Most of what it scans as roots points to compiled
   files and libraries.  If they lie below the heap, one comparison tells
   them apart; otherwise each costs a search in the table of headers, and an
   entry in the black list.  That is a third of the marking of a small heap.

   The zone is a range without access that the collector's memory is cut
   from.  What does not fit in any more goes anywhere: the larger the heap,
   the less the roots matter.  */

#include <sys/mman.h>

#include "process/private.h"

/* From the beginning of the region; what lies below has to be enough for the
   carried libraries and for what else a boot maps.  */
#define ZONE_OFF ((uint64_t) 64 << 20)
#define ZONE_LEN ((uint64_t) 32 << 20)

void
cs_zone_create (void)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (cs_process.store);
  void *zone = (void *) (uintptr_t) (sb->base + ZONE_OFF);

  if (sb->reserved < 2 * (ZONE_OFF + ZONE_LEN)
      || cs_store_map_at (cs_process.store, zone, ZONE_LEN, PROT_NONE,
                          CS_EXTENT_HEAP) != 0)
    return;
  cs_process.image->zone_addr = (uintptr_t) zone;
  cs_process.image->zone_len = ZONE_LEN;
}

/* The collector calls this with its lock held (8.2.2, alloc.c,
   GC_expand_hp_inner; headers.c, GC_scratch_alloc).  */
void *
cs_zone_mmap (void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  const int wanted = MAP_PRIVATE | MAP_ANONYMOUS;
  struct cs_process_disk *image = cs_process.image;
  void *start = (void *) (uintptr_t) image->zone_addr;
  size_t room = (len + CS_STORE_PAGE_LEN - 1) & -(size_t) CS_STORE_PAGE_LEN;

  if ((flags & (wanted | MAP_FIXED)) != wanted || room < len || room == 0
      || room > image->zone_len)
    return cs_mapping_mmap (addr, len, prot, flags, fd, off);
  cs_process_defer_stop ();
  addr = cs_mapping_mmap (start, room, prot, flags | MAP_FIXED, -1, 0);
  if (addr == start)
    {
      image->zone_addr += room;
      image->zone_len -= room;
    }
  cs_process_allow_stop ();
  return addr;
}
