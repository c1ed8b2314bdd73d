/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* direct.c -- new pages of a commit, put into the image at once (invariants:
   commit.c).  */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "store/append.h"
#include "store/sys.h"

/* The sync that in-place pages cost takes as long as writing some MiB.  */
uint64_t cs_direct_threshold = (uint64_t) 16 << 20;

/* The disk is told of so much at a time.  */
#define BEGIN_LEN ((uint64_t) 8 << 20)

static uint64_t
file_off (const struct cs_store *store, uint64_t off)
{
  return cs_store_image_off (&store->superblock) + off;
}

int
cs_direct_clean (struct cs_store *store, struct cs_err *err)
{
  uint64_t off = file_off (store, store->superblock.committed);
  uint64_t end = cs_log_off (store);
  bool has_data;
  off_t data;
  int r;

  if (store->log.clean)
    return 0;
  data = cs_sys.lseek (store->fd, (off_t) off, SEEK_DATA);
  if (data < 0 && errno != ENXIO)
    data = (off_t) off;         /* the file system cannot tell */
  has_data = data >= 0 && (uint64_t) data < end;
  r = has_data ? cs_file_punch (store->fd, (uint64_t) data,
                                end - (uint64_t) data) : 0;
  if (r < 0)
    return cs_err_sys (err, -r, "clear the space behind the image");
  /* The note does not speak of this space: a hole may be one that somebody made
     and did not sync.  */
  if ((has_data || store->log.by_note) && cs_sys.fdatasync (store->fd) < 0)
    {
      store->log.broken = true;
      return cs_err_sys (err, errno, "sync the space behind the image");
    }
  store->log.by_note = false;
  store->log.clean = true;
  return 0;
}

void
cs_direct_note (struct cs_append *append, uint64_t off, uint32_t sum)
{
  if (sum != 0 && off >= append->store->superblock.committed)
    append->direct.in_log += CS_STORE_PAGE_LEN;
}

/* A page with a patch is not new, whatever the superblock says of it.  */
uint64_t
cs_direct_run (const struct cs_append *append, uint64_t off, uint64_t end)
{
  uint64_t page = off / CS_STORE_PAGE_LEN;

  if (append->direct.in_log < cs_direct_threshold
      || off < append->store->superblock.committed)
    return 0;
  return (cs_patch_next (append->store, page, end / CS_STORE_PAGE_LEN) - page)
         * CS_STORE_PAGE_LEN;
}

/* Let the disk begin while we go on.  */
static void
begin (const struct cs_store *store, struct cs_direct *d)
{
  if (d->end - d->begun < BEGIN_LEN)
    return;
  cs_sys.sync_file_range (store->fd, (off_t) d->begun,
                          (off_t) (d->end - d->begun),
                          SYNC_FILE_RANGE_WRITE);
  d->begun = d->end;
}

/* Write the pages of a piece at COPY that are not zeros; the place of the
   others is a hole (G3).  */
static int
write_piece (struct cs_append *append, const char *copy, uint64_t off,
             uint64_t len)
{
  enum { PAGES = CS_DIRECT_PIECE / CS_STORE_PAGE_LEN };
  const struct cs_store *store = append->store;
  struct cs_direct *d = &append->direct;
  uint32_t sums[PAGES];
  uint64_t nr = len / CS_STORE_PAGE_LEN;
  int r;

  for (uint64_t i = 0; i < nr; i++)
    {
      sums[i] = cs_page_sum (copy + i * CS_STORE_PAGE_LEN);
      d->pages += sums[i] != 0;
    }
  r = cs_file_write_pages (store->fd, copy, len, file_off (store, off));
  return (r < 0 ? r
          : cs_sums_write (store->fd, off / CS_STORE_PAGE_LEN, nr, sums));
}

int
cs_direct_write (struct cs_append *append, uint64_t off, uint64_t len)
{
  const struct cs_store *store = append->store;
  struct cs_direct *d = &append->direct;
  char *copy = cs_append_piece (append);
  int r = 0;

  if (d->end == 0)
    d->begun = file_off (store, off);
  for (uint64_t part; len > 0 && r == 0; off += part, len -= part)
    {
      part = CS_DIRECT_PIECE - off % CS_DIRECT_PIECE;
      part = part < len ? part : len;
      memcpy (copy, store->image + off, (size_t) part);
      d->end = file_off (store, off) + part;
      r = write_piece (append, copy, off, part);
      begin (store, d);
    }
  append->failed = r < 0;
  return r;
}

int
cs_direct_sync (struct cs_append *append, struct cs_err *err)
{
  if (append->direct.end == 0
      || cs_sys.fdatasync (append->store->fd) == 0)
    return 0;
  append->store->log.broken = true;
  return cs_err_sys (err, errno, "sync the image");
}

/* The sums stay: what has none in a later commit says so in its record (G4).
   The disk may be full, and cannot wait for the next commit.  */
void
cs_direct_abort (struct cs_append *append)
{
  struct cs_store *store = append->store;
  uint64_t off = file_off (store, store->superblock.committed);

  if (append->direct.end == 0)
    return;
  cs_sys.fallocate (store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t) off, (off_t) (append->direct.end - off));
  store->log.clean = store->log.settled = false;
}
