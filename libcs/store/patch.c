/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* patch.c -- pages whose contents are not those in the image.

   A page of the generation that is open lies in the image, unless there is
   a patch for it: in a record of the log that was not applied yet, or in
   one of the history when an older generation was asked for.

   Patches are kept in one sparse array with an element a page of the
   region, made when the first is needed; the kernel gives memory to the
   parts of it that are used.  Where a limit of address space has no room for
   it, the array ends with the pages that the first patches need.  It never
   moves: another thread may have been stopped while it read the array.  Behind
   the elements is a bit for each group of them, set if there may be a patch
   among them, so that a search does not look at every page of the region.
   Nothing here allocates otherwise, but for cs_patch_map(), which only opening
   calls.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "store/record.h"
#include "store/sys.h"

/* Where a patch's contents are: an offset in the store's file, or, with this
   bit, an address.  Not looked at if the sum is 0.  */
#define IN_MEMORY ((uint64_t) 1 << 63)

/* With this bit, which no page's offset has, a patch is zeros, and the rest says
   only in which record.  */
#define ZEROS 1

#define GROUP 64                /* elements with one bit */
#define BITS 64

#define PARTS 64                /* read by one call */

struct cs_patch
{
  uint64_t where;               /* 0: no patch */
  uint32_t sum;
  uint32_t reserved;
};

/* A mapped part of a file of the history.  */
struct cs_patch_data
{
  struct cs_patch_data *next;
  void *start;
  size_t len;
};

void *
cs_scratch_map (uint64_t len)
{
  void *p = len <= SIZE_MAX
            ? cs_sys.mmap (NULL, (size_t) len, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            : MAP_FAILED;

  return p == MAP_FAILED ? NULL : p;
}

void
cs_scratch_unmap (void *scratch, uint64_t len)
{
  if (scratch)
    cs_sys.munmap (scratch, (size_t) len);
}

/* The bits of the groups, behind the patches.  */
static uint64_t *
groups (const struct cs_store *store)
{
  return (void *) (store->patches + store->patch_pages);
}

/* The length of an array for PAGES pages.  */
static uint64_t
array_len (uint64_t pages)
{
  return pages * sizeof (struct cs_patch) + pages / GROUP / 8;
}

static void
make_array (struct cs_store *store, uint64_t pages)
{
  store->patch_pages = cs_round_up (pages, GROUP * BITS);
  store->patches = cs_scratch_map (array_len (store->patch_pages));
  if (!store->patches)
    store->patch_pages = 0;
}

int
cs_patch_prepare (struct cs_store *store, uint64_t pages)
{
  if (!store->patches)
    make_array (store, cs_region_pages (store));
  if (!store->patches)
    make_array (store, pages);
  return pages <= store->patch_pages ? 0 : -ENOMEM;
}

void
cs_patch_forget (struct cs_store *store)
{
  size_t len = (size_t) array_len (store->patch_pages);

  if (store->patches
      && cs_sys.madvise (store->patches, len, MADV_DONTNEED) < 0)
    memset (store->patches, 0, len);
}

void
cs_patch_free (struct cs_store *store)
{
  struct cs_patch_data *data, *next;

  cs_scratch_unmap (store->patches, array_len (store->patch_pages));
  store->patches = NULL;
  store->patch_pages = 0;
  for (data = store->patch_data; data; data = next)
    {
      next = data->next;
      cs_sys.munmap (data->start, data->len);
      free (data);
    }
  store->patch_data = NULL;
}

int
cs_patch_map (struct cs_store *store, const struct cs_record *record,
              char **start)
{
  uint64_t len = record->head.nr_data * CS_STORE_PAGE_LEN;
  struct cs_patch_data *data = len <= SIZE_MAX ? malloc (sizeof *data) : NULL;

  if (!data)
    return -ENOMEM;
  data->len = (size_t) len;
  data->start = cs_sys.mmap (NULL, data->len, PROT_READ, MAP_PRIVATE,
                             record->fd,
                             (off_t) (record->off + CS_RECORD_DATA));
  if (data->start == MAP_FAILED)
    {
      int r = -errno;

      free (data);
      return r;
    }
  data->next = store->patch_data;
  store->patch_data = data;
  *start = data->start;
  return 0;
}

void
cs_patch_enter (struct cs_store *store, const struct cs_record *record,
                const char *data)
{
  uint64_t where = data ? (uintptr_t) data | IN_MEMORY
                   : record->off + CS_RECORD_DATA;

  for (uint64_t i = 0; i < record->head.nr; i++)
    {
      const struct cs_entry_disk *e = &record->index[i];

      store->patches[e->page] = (struct cs_patch) {
        .where = e->sum ? where : where | ZEROS, .sum = e->sum
      };
      groups (store)[e->page / GROUP / BITS] |= (uint64_t) 1
                                                << e->page / GROUP % BITS;
      if (e->sum)
        where += CS_STORE_PAGE_LEN;
    }
}

void
cs_patch_leave (struct cs_store *store, const struct cs_record *record,
                uint64_t from, uint64_t nr)
{
  uint64_t len = cs_record_len (&record->head);

  for (uint64_t i = from; i < from + nr; i++)
    {
      struct cs_patch *p = &store->patches[record->index[i].page];

      if (p->where - record->off < len)
        *p = (struct cs_patch) { .where = 0 };
    }
}

bool
cs_patch_exists (const struct cs_store *store, uint64_t page)
{
  return page < store->patch_pages && store->patches[page].where != 0;
}

void
cs_patch_sum (const struct cs_store *store, uint64_t page, uint32_t *sum)
{
  if (cs_patch_exists (store, page))
    *sum = store->patches[page].sum;
}

bool
cs_patch_same (const struct cs_store *a, const struct cs_store *b,
               uint64_t page)
{
  static const struct cs_patch none;
  const struct cs_patch *p = page < a->patch_pages ? &a->patches[page] : &none;
  const struct cs_patch *q = page < b->patch_pages ? &b->patches[page] : &none;

  return ((p->where == q->where && p->sum == q->sum)
          || (p->where & q->where & ZEROS));
}

uint64_t
cs_patch_place (const struct cs_store *store, uint64_t page)
{
  const struct cs_patch *p = &store->patches[page];

  return p->sum == 0 || (p->where & IN_MEMORY) ? UINT64_MAX : p->where;
}

static int
read_patch (const struct cs_store *store, uint64_t page, char *buf)
{
  const struct cs_patch *p = &store->patches[page];
  ssize_t n;

  if (p->sum == 0)
    memset (buf, 0, CS_STORE_PAGE_LEN);
  else if (p->where & IN_MEMORY)
    memcpy (buf, (const char *) (uintptr_t) (p->where & ~IN_MEMORY),
            CS_STORE_PAGE_LEN);
  else
    {
      n = cs_file_read (store->fd, buf, CS_STORE_PAGE_LEN, p->where);
      if (n != CS_STORE_PAGE_LEN)
        return n < 0 ? (int) n : -EIO;
    }
  return 0;
}

/* The first group from PAGE's on that may have a patch: its first page, or PAGE
   itself.  END or more: there is none before END.  */
static uint64_t
next_group (const struct cs_store *store, uint64_t page, uint64_t end)
{
  const uint64_t *bits = groups (store);

  while (page < end)
    {
      uint64_t group = page / GROUP;
      uint64_t word = bits[group / BITS] >> group % BITS;

      if (word & 1)
        return page;
      page = (word ? group + (uint64_t) __builtin_ctzll (word)
              : cs_round_up (group + 1, BITS)) * GROUP;
    }
  return end;
}

uint64_t
cs_patch_next (const struct cs_store *store, uint64_t page, uint64_t end)
{
  uint64_t last = end < store->patch_pages ? end : store->patch_pages;

  while ((page = next_group (store, page, last)) < last)
    {
      uint64_t stop = cs_round_up (page + 1, GROUP);

      for (stop = stop < last ? stop : last; page < stop; page++)
        if (store->patches[page].where != 0)
          return page;
    }
  return end;
}

/* Pages that follow each other in the log, on their way to where they belong in
   memory.  */
struct overlay
{
  int fd, nr;
  uint64_t off, end;            /* in the file */
  struct iovec parts[PARTS];
};

static int
read_parts (struct overlay *o)
{
  int r = o->nr > 0 ? cs_file_read_parts (o->fd, o->parts, o->nr, o->off) : 0;

  o->nr = 0;
  return r;
}

/* Add the page at WHERE in the file, which belongs to TO.  */
static int
add_part (struct overlay *o, uint64_t where, char *to)
{
  struct iovec *last = o->nr > 0 ? &o->parts[o->nr - 1] : NULL;
  int r = 0;

  if (last && where == o->end
      && (char *) last->iov_base + last->iov_len == to)
    last->iov_len += CS_STORE_PAGE_LEN;
  else
    {
      if (o->nr == PARTS || where != o->end)
        r = read_parts (o);
      if (o->nr == 0)
        o->off = where;
      o->parts[o->nr++] = (struct iovec) { to, CS_STORE_PAGE_LEN };
    }
  o->end = where + CS_STORE_PAGE_LEN;
  return r;
}

int
cs_patch_overlay (const struct cs_store *store, char *to, uint64_t off,
                  uint64_t len)
{
  uint64_t first = off / CS_STORE_PAGE_LEN;
  uint64_t end = first + len / CS_STORE_PAGE_LEN, page;
  struct overlay o = { .fd = store->fd };
  int r = 0;

  for (page = cs_patch_next (store, first, end); r == 0 && page < end;
       page = cs_patch_next (store, page + 1, end))
    {
      char *at = to + (page - first) * CS_STORE_PAGE_LEN;
      uint64_t where = cs_patch_place (store, page);

      r = where == UINT64_MAX ? read_patch (store, page, at)
          : add_part (&o, where, at);
    }
  return r < 0 ? r : read_parts (&o);
}

/* The contents of the image, zeros behind its end.  */
static int
read_image (const struct cs_store *store, uint64_t page, uint64_t nr,
            char *buf)
{
  size_t len = (size_t) (nr * CS_STORE_PAGE_LEN), have = 0;
  uint64_t off = page * CS_STORE_PAGE_LEN;
  uint64_t end = store->superblock.committed;
  ssize_t n;

  if (off < end)
    {
      have = end - off < len ? (size_t) (end - off) : len;
      n = cs_file_read (store->fd, buf, have,
                        cs_store_image_off (&store->superblock) + off);
      if (n < 0)
        return (int) n;
      have = (size_t) n;
    }
  memset (buf + have, 0, len - have);
  return 0;
}

int
cs_committed_read (const struct cs_store *store, uint64_t page, uint64_t nr,
                   char *buf)
{
  int r = 0;

  for (uint64_t done = 0, run; done < nr && r == 0; done += run)
    {
      char *to = buf + done * CS_STORE_PAGE_LEN;
      uint64_t next = cs_patch_next (store, page + done, page + nr);

      run = next - (page + done);
      if (run > 0)
        r = read_image (store, page + done, run, to);
      else
        {
          run = 1;
          r = read_patch (store, page + done, to);
        }
    }
  return r;
}

int
cs_committed_sums (const struct cs_store *store, uint64_t page, uint64_t nr,
                   uint32_t *sums)
{
  uint64_t end = store->superblock.committed / CS_STORE_PAGE_LEN;
  uint64_t have = page >= end ? 0 : nr < end - page ? nr : end - page;
  int r = cs_sums_read (store->fd, page, have, sums);

  memset (sums + have, 0, (size_t) (nr - have) * sizeof *sums);
  for (uint64_t i = 0; i < nr; i++)
    cs_patch_sum (store, page + i, &sums[i]);
  return r;
}
