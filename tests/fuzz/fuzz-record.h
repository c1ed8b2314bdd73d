/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-record.h -- records of pages (store/record.h) in inputs.

   A record is a byte of flags, the head as it lies on disk, the number of
   entries and the number of pages (a byte each), the entries, and for each
   page its length (2 bytes) and as many bytes: what follows of it is zeros.
   The same form serves backups, with their own head.  */
#ifndef CS_FUZZ_RECORD_H
#define CS_FUZZ_RECORD_H

#include "fuzz-store.h"

enum
{
  SEAL_SUPERBLOCK = 1,
  SEAL_HEAD = 2,                /* the CRCs of head and index */
  SEAL_PAGES = 4,               /* the sums of the pages in the index */
  COUNT = 8,                    /* numbers of entries and pages in the head */
  RAW = 16                      /* what follows is the file as it is */
};

#define RECORD_ENTRIES_MAX 64
#define RECORD_PAGES_MAX 24

struct fuzz_record
{
  uint64_t nr, nr_pages;        /* at hand, whatever the head says */
  struct cs_entry_disk index[RECORD_ENTRIES_MAX];
  char pages[RECORD_PAGES_MAX][CS_STORE_PAGE_LEN]
    __attribute__ ((aligned (8)));
};

static inline void
fuzz_take_pages (struct fuzz_input *in, struct fuzz_record *r)
{
  r->nr = fuzz_byte (in) % (RECORD_ENTRIES_MAX + 1);
  r->nr_pages = fuzz_byte (in) % (RECORD_PAGES_MAX + 1);
  fuzz_take (in, r->index, r->nr * sizeof *r->index);
  for (uint64_t i = 0; i < r->nr_pages; i++)
    {
      unsigned len = fuzz_short (in) % (CS_STORE_PAGE_LEN + 1);

      memset (r->pages[i], 0, CS_STORE_PAGE_LEN);
      fuzz_take (in, r->pages[i], len);
    }
}

/* The sums of the pages that are there, where the index has one.  */
static inline void
fuzz_seal_pages (struct fuzz_record *r)
{
  uint64_t page = 0;

  for (uint64_t i = 0; i < r->nr && page < r->nr_pages; i++)
    if (r->index[i].sum)
      r->index[i].sum = cs_page_sum (r->pages[page++]);
}

static inline void
fuzz_put_pages (struct fuzz_output *out, const struct fuzz_record *r)
{
  fuzz_put_byte (out, (unsigned) r->nr);
  fuzz_put_byte (out, (unsigned) r->nr_pages);
  fuzz_put (out, r->index, r->nr * sizeof *r->index);
  for (uint64_t i = 0; i < r->nr_pages; i++)
    {
      size_t len = CS_STORE_PAGE_LEN;

      while (len > 0 && !r->pages[i][len - 1])
        len--;
      fuzz_put_short (out, (unsigned) len);
      fuzz_put (out, r->pages[i], len);
    }
}

/* The same for records of log and history.  */

static inline void
fuzz_seal_head (struct cs_record_disk *head, const struct fuzz_record *r,
                unsigned flags)
{
  if (flags & SEAL_SUPERBLOCK)
    cs_superblock_seal (&head->superblock);
  if (flags & COUNT)
    cs_record_seal (head, r->index, r->nr);
  else if (flags & SEAL_HEAD)
    {
      head->index_crc = (uint32_t) crc32_z (0, (const Bytef *) r->index,
                                            r->nr * sizeof *r->index);
      head->crc = (uint32_t) crc32 (0, (const Bytef *) head,
                                    offsetof (struct cs_record_disk, crc));
    }
}

/* Put the next record of the input at OFF of the file PATH.  Returns where
   the one after it belongs.  */
static inline uint64_t
fuzz_place_record (struct fuzz_input *in, const char *path, uint64_t off)
{
  static struct fuzz_record r;
  struct cs_record_disk head;
  unsigned flags = fuzz_byte (in);
  uint64_t index_len;

  if (flags & RAW)
    {
      fuzz_patch (path, off, in->data, in->left);
      in->left = 0;
      return off;
    }
  fuzz_take (in, &head, sizeof head);
  fuzz_take_pages (in, &r);
  if (flags & SEAL_PAGES)
    fuzz_seal_pages (&r);
  fuzz_seal_head (&head, &r, flags);
  index_len = cs_round_up (r.nr * sizeof *r.index, CS_STORE_PAGE_LEN);
  fuzz_patch (path, off, &head, sizeof head);
  off += CS_RECORD_DATA;
  fuzz_patch (path, off, r.pages, r.nr_pages * CS_STORE_PAGE_LEN);
  off += r.nr_pages * CS_STORE_PAGE_LEN;
  if (index_len > 0)
    fuzz_patch (path, off + index_len - 1, "", 1);
  fuzz_patch (path, off, r.index, r.nr * sizeof *r.index);
  return off + index_len;
}

/* Put the record at OFF of PATH, which must be whole, into OUT.  Returns its
   length, 0 if there is none.  */
static inline uint64_t
fuzz_put_record (struct fuzz_output *out, const char *path, uint64_t off,
                 unsigned flags)
{
  static struct fuzz_record r;
  struct cs_superblock_disk sb;
  struct cs_record record;
  int fd = open (path, O_RDONLY);
  int found;

  peek (0, &sb, sizeof sb);
  found = cs_record_find (fd, off, &sb, &record);
  REQUIRE (found >= 0);
  if (found == 1)
    {
      REQUIRE (cs_record_load (&record) == 1);
      r.nr = record.head.nr;
      r.nr_pages = record.head.nr_data;
      REQUIRE (r.nr <= RECORD_ENTRIES_MAX && r.nr_pages <= RECORD_PAGES_MAX);
      memcpy (r.index, record.index, r.nr * sizeof *r.index);
      REQUIRE (pread (fd, r.pages, r.nr_pages * CS_STORE_PAGE_LEN,
                      (off_t) (off + CS_RECORD_DATA))
               == (ssize_t) (r.nr_pages * CS_STORE_PAGE_LEN));
      fuzz_put_byte (out, flags);
      fuzz_put (out, &record.head, sizeof record.head);
      fuzz_put_pages (out, &r);
      cs_record_unload (&record);
    }
  close (fd);
  return found == 1 ? cs_record_len (&record.head) : 0;
}

#endif
