/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* record.c -- a record: the pages that lead from one generation to another.

   Everything here but cs_record_seal() reads files that somebody may have
   damaged: nothing in them is used before it was checked.  */

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "arch/crc.h"
#include "store/record.h"
#include "store/sys.h"

_Static_assert (sizeof (struct cs_entry_disk) == 8, "entry");
_Static_assert (sizeof (struct cs_record_disk) == 184, "record");
_Static_assert (offsetof (struct cs_record_disk, superblock) == 32, "");
_Static_assert (offsetof (struct cs_record_disk, crc) == 164, "");

static uint32_t
plain_crc (const void *page)
{
  return (uint32_t) crc32 (0, page, CS_STORE_PAGE_LEN);
}

uint32_t
cs_page_sum (const char *page)
{
  static cs_page_crc *_Atomic best;     /* NULL: not known yet */
  cs_page_crc *crc = atomic_load_explicit (&best, memory_order_relaxed);
  uint32_t sum;

  if (cs_page_is_zero (page))
    return 0;
  if (!crc)
    {
      crc = cs_arch_page_crc (0);
      crc = crc ? crc : plain_crc;
      atomic_store_explicit (&best, crc, memory_order_relaxed);
    }
  sum = crc (page);
  return sum ? sum : 1;
}

static uint32_t
index_crc (const struct cs_entry_disk *index, uint64_t nr)
{
  return (uint32_t) crc32_z (0, (const Bytef *) index,
                             (size_t) nr * sizeof *index);
}

static uint32_t
head_crc (const struct cs_record_disk *head)
{
  return (uint32_t) crc32 (0, (const Bytef *) head,
                           offsetof (struct cs_record_disk, crc));
}

static uint32_t
in_place_crc (const struct cs_record_disk *head)
{
  return head->nr_in_place == 0 ? 0
         : (uint32_t) crc32 (0, (const Bytef *) &head->nr_in_place,
                             sizeof head->nr_in_place);
}

void
cs_record_begin (struct cs_record_disk *head)
{
  memcpy (head->magic, CS_RECORD_MAGIC, sizeof head->magic);
  head->crc = ~head_crc (head);
}

void
cs_record_seal (struct cs_record_disk *head,
                const struct cs_entry_disk *index, uint64_t nr)
{
  memcpy (head->magic, CS_RECORD_MAGIC, sizeof head->magic);
  head->nr = nr;
  head->nr_data = 0;
  for (uint64_t i = 0; i < nr; i++)
    head->nr_data += index[i].sum != 0;
  head->index_crc = index_crc (index, nr);
  head->crc = head_crc (head);
  head->in_place_crc = in_place_crc (head);
}

/* Could SB, of a record, be one of the store whose superblock is OWN (R2)?
   Both are used for the same file, so what never changes is the same.  */
static bool
is_of_store (const struct cs_superblock_disk *sb,
             const struct cs_superblock_disk *own)
{
  return (memcmp (sb->magic, own->magic, sizeof sb->magic) == 0
          && memcmp (sb->uuid, own->uuid, sizeof sb->uuid) == 0
          && sb->machine == own->machine && sb->word_len == own->word_len
          && sb->page_len == own->page_len
          && sb->base == own->base && sb->reserved == own->reserved
          && cs_superblock_is_sealed (sb)
          && cs_superblock_check (sb, 0, NULL) == 0);
}

int
cs_record_find (int fd, uint64_t off, const struct cs_superblock_disk *sb,
                struct cs_record *record)
{
  struct cs_record_disk *head = &record->head;
  ssize_t n = cs_file_read (fd, memset (head, 0, sizeof *head), sizeof *head,
                            off);
  uint64_t pages = sb->reserved / CS_STORE_PAGE_LEN;

  if (n < 0)
    return (int) n;
  record->fd = fd;
  record->off = off;
  record->index = NULL;
  return ((size_t) n == sizeof *head
          && memcmp (head->magic, CS_RECORD_MAGIC, sizeof head->magic) == 0
          && head->crc == head_crc (head)
          && head->in_place_crc == in_place_crc (head) && head->reserved == 0
          && is_of_store (&head->superblock, sb)
          && head->nr <= pages && head->nr_data <= head->nr);
}

uint64_t
cs_index_check (const struct cs_entry_disk *index, uint64_t i, uint64_t end,
                uint64_t limit)
{
  for (; i < end; i++)
    if (index[i].page >= limit
        || (i > 0 && index[i].page <= index[i - 1].page))
      return i;
  return end;
}

static bool
index_is_right (const struct cs_record *record)
{
  const struct cs_record_disk *head = &record->head;
  uint64_t data = 0;

  if (index_crc (record->index, head->nr) != head->index_crc)
    return false;
  for (uint64_t i = 0; i < head->nr; i++)
    data += record->index[i].sum != 0;
  return data == head->nr_data;
}

/* Read the index in pieces, and look at each before there is memory for the
   next: what the head says of its length may be all there is to it.  1, 0 or
   -errno.  */
static int
read_index (const struct cs_record *record)
{
  uint64_t nr = record->head.nr, done = 0, part;
  uint64_t pages = record->head.superblock.reserved / CS_STORE_PAGE_LEN;
  uint64_t off = record->off + cs_record_index (&record->head);

  for (; done < nr; done += part)
    {
      uint64_t at = done * sizeof *record->index;
      size_t len;
      ssize_t n;

      part = nr - done < CS_INDEX_PIECE ? nr - done : CS_INDEX_PIECE;
      /* With the last one what it is padded with.  */
      len = (size_t) (done + part < nr ? part * sizeof *record->index
                      : cs_record_index_len (&record->head) - at);
      n = cs_file_read (record->fd, record->index + done, len, off + at);
      if (n < 0)
        return (int) n;
      if ((size_t) n < len
          || cs_index_check (record->index, done, done + part, pages)
             < done + part)
        return 0;
    }
  return index_is_right (record);
}

int
cs_record_load (struct cs_record *record)
{
  uint64_t len = cs_record_index_len (&record->head);
  int r;

  if (len == 0)
    return 1;
  record->index = cs_scratch_map (len);
  if (!record->index)
    return -ENOMEM;
  r = read_index (record);
  if (r != 1)
    cs_record_unload (record);
  return r;
}

void
cs_record_unload (struct cs_record *record)
{
  cs_scratch_unmap (record->index, cs_record_index_len (&record->head));
  record->index = NULL;
}

int
cs_record_verify (const struct cs_record *record)
{
  enum { PAGES = 4 };
  char buf[PAGES * CS_STORE_PAGE_LEN] __attribute__ ((aligned (8)));
  uint64_t off = record->off + CS_RECORD_DATA;
  uint64_t left = record->head.nr_data;
  size_t have = 0, at = 0;

  for (uint64_t i = 0; i < record->head.nr; i++)
    {
      if (record->index[i].sum == 0)
        continue;
      if (at == have)
        {
          size_t want = left < PAGES ? (size_t) left : PAGES;
          ssize_t n = cs_file_read (record->fd, buf,
                                    want * CS_STORE_PAGE_LEN, off);

          if (n < 0)
            return (int) n;
          if ((size_t) n < want * CS_STORE_PAGE_LEN)
            return 0;
          off += (uint64_t) n;
          left -= want;
          have = want;
          at = 0;
        }
      if (cs_page_sum (buf + at++ * CS_STORE_PAGE_LEN)
          != record->index[i].sum)
        return 0;
    }
  return 1;
}
