/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verify.c -- everything in a store's files that has a checksum.

   Opening a store looks at superblocks, directory and log only, so that it
   costs the same whatever the store's size.  This looks at all of it:

     superblocks  each slot on its own; one may be older than the other,
                  if a power failure came at the right moment
     pages        each page of the generation that is open
     log          the pages of each record; and that nothing is left of a
                  commit behind the last one
     history      each file that an older generation needs

   What is not looked at carries no data: the lock record, the space between
   these structures, sums of pages behind the image and these pages, which a
   commit that was cut off may have written (commit.c, G1), and what was left
   of a log that has been applied.  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/history.h"
#include "store/sys.h"

#define CHUNK 1024              /* pages looked at together */
#define PIECE 64                /* the same, where they are read */

struct verifier
{
  struct cs_store *store;
  cs_store_damage *report;
  void *closure;
};

static void
report (const struct verifier *v, const char *structure, uint64_t off,
        uint64_t page, uint32_t expected, uint32_t found)
{
  v->report (v->closure, &(struct cs_damage) {
    .structure = structure, .off = off,
    .addr = v->store->superblock.base + page * CS_STORE_PAGE_LEN,
    .expected = expected, .found = found
  });
}

static int
verify_superblocks (const struct verifier *v, struct cs_err *err)
{
  for (int slot = 0; slot < 2; slot++)
    {
      uint64_t off = (uint64_t) slot * CS_STORE_SLOT_LEN;
      struct cs_superblock_disk sb;
      ssize_t n = cs_file_read (v->store->fd, &sb, sizeof sb, off);

      if (n < 0)
        return cs_err_sys (err, (int) -n, "read superblocks");
      if ((size_t) n < sizeof sb || !cs_superblock_is_sealed (&sb)
          || sb.reserved3 != 0)
        report (v, "superblock", off, 0, cs_superblock_crc (&sb), sb.crc);
    }
  return 0;
}

/* Is all of [OFF, OFF + LEN) of the file a hole?  */
static bool
is_hole (int fd, uint64_t off, uint64_t len)
{
  off_t data = cs_sys.lseek (fd, (off_t) off, SEEK_DATA);

  return data < 0 ? errno == ENXIO : (uint64_t) data >= off + len;
}

/* Check NR pages against their sums.  */
static void
verify_chunk (const struct verifier *v, uint64_t page, uint64_t nr,
              const uint32_t *sums)
{
  uint64_t image = cs_store_image_off (&v->store->superblock);

  for (uint64_t i = 0; i < nr; i++)
    {
      uint64_t off = (page + i) * CS_STORE_PAGE_LEN;
      uint32_t sum = cs_page_sum (v->store->image + off);

      if (sum != sums[i])
        report (v, "page", cs_patch_exists (v->store, page + i)
                ? cs_patch_place (v->store, page + i) : image + off,
                page + i, sums[i], sum);
    }
}

static int
verify_pages (const struct verifier *v, struct cs_err *err)
{
  const struct cs_store *store = v->store;
  uint64_t image = cs_store_image_off (&store->superblock);
  uint64_t end = store->superblock.committed / CS_STORE_PAGE_LEN, nr;
  static const uint32_t none[CHUNK];
  uint32_t sums[CHUNK];

  for (uint64_t page = 0; page < end; page += nr)
    {
      int r;

      nr = end - page < CHUNK ? end - page : CHUNK;
      r = cs_committed_sums (store, page, nr, sums);
      if (r < 0)
        return cs_err_sys (err, -r, "read page sums");
      if (memcmp (sums, none, (size_t) nr * sizeof *sums) != 0
          || cs_patch_next (store, page, page + nr) < page + nr
          || !is_hole (store->fd, image + page * CS_STORE_PAGE_LEN,
                       nr * CS_STORE_PAGE_LEN))
        verify_chunk (v, page, nr, sums);
    }
  return 0;
}

/* Does HEAD begin like a record's, but for one byte at most?  */
static bool
looks_like_record (const struct cs_record_disk *head)
{
  int same = 0;

  for (size_t i = 0; i < sizeof head->magic; i++)
    same += head->magic[i] == CS_RECORD_MAGIC[i];
  return same >= (int) sizeof head->magic - 1;
}

/* Pages of a record that the note speaks of were not summed when the store was
   opened (L11), and those that a later record has again are not looked at with
   the image.  */
static int
verify_records (const struct verifier *v, struct cs_err *err)
{
  uint64_t off = cs_log_off (v->store), end = cs_log_end (v->store);
  struct cs_record record;

  for (; off < end; off += cs_record_len (&record.head))
    {
      int r = cs_record_find (v->store->fd, off, &v->store->superblock,
                              &record);

      if (r == 1)
        r = cs_record_load (&record);
      if (r == 1)
        {
          r = cs_record_verify (&record);
          cs_record_unload (&record);
        }
      if (r < 0)
        return cs_err_sys (err, -r, "read the log");
      if (r == 0)
        {
          report (v, "log record", off, 0, 0, 0);
          return 0;
        }
    }
  return 0;
}

/* Behind the last record there may be what is left of an older log, but
   nothing of a newer commit: that would be one that was cut off, or one that
   was damaged.  */
static int
verify_log (const struct verifier *v, struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &v->store->superblock;
  uint64_t off = cs_log_end (v->store);
  struct cs_record record;
  int r = cs_record_find (v->store->fd, off, sb, &record);

  if (r < 0)
    return cs_err_sys (err, -r, "read the log");
  if (r == 1 ? record.head.superblock.generation > sb->generation
      : looks_like_record (&record.head))
    report (v, "log", off, 0, 0, 0);
  return 0;
}

/* Generation of the history: 0 or -errno.  */
static int
verify_generation (const struct verifier *v, int folder, uint64_t generation)
{
  struct cs_record record;
  int r = cs_history_find (v->store, folder, generation, &record);

  if (r == 1)
    cs_history_leave (&record);
  else if (r == 0 && cs_history_has_file (folder, generation))
    report (v, "history", generation, 0, 0, 0);
  return r < 0 ? r : 0;
}

/* The files that are there, and not all numbers that there could be files
   of: these may be many.

   What leads back from a commit in the log is made before that is applied
   (H1): who was killed at it has left a part, which nobody needs, and which is
   made anew.  So only those before the image's generation have to be
   complete.  */
static int
verify_history (const struct verifier *v, struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &v->store->superblock;
  struct cs_superblock_disk image;
  int folder = cs_history_open (v->store), r;
  uint64_t *list = NULL;
  size_t nr = 0;

  if (folder < 0)
    return 0;
  r = cs_superblock_reread (v->store, &image, err);
  if (r < 0)
    {
      cs_file_close (&folder);
      return r;
    }
  r = cs_history_files (folder, &list, &nr);
  for (size_t i = 0; i < nr && r == 0; i++)
    if (list[i] > 0 && list[i] < image.generation
        && sb->generation - list[i] <= sb->history)
      r = verify_generation (v, folder, list[i]);
  free (list);
  cs_file_close (&folder);
  return r < 0 ? cs_err_sys (err, -r, "read the history") : 0;
}

/* Is a generation open that is not the newest?  Then what lies behind its
   image and its part of the log are the newer ones'.  1, 0, or an error.  */
static int
is_older (const struct verifier *v, struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &v->store->superblock;
  uint64_t off = cs_log_end (v->store);
  struct cs_superblock_disk image;
  struct cs_record record;
  int r = cs_superblock_reread (v->store, &image, err);

  if (r < 0 || image.generation > sb->generation)
    return r < 0 ? r : 1;
  r = cs_record_find (v->store->fd, off, sb, &record);
  if (r == 1 && record.head.superblock.generation != sb->generation + 1)
    r = 0;
  if (r == 1)
    r = cs_record_load (&record);
  if (r == 1)
    {
      r = cs_record_verify (&record);
      cs_record_unload (&record);
    }
  return r < 0 ? cs_err_sys (err, -r, "read the log") : r;
}

int
cs_store_verify (struct cs_store *store, cs_store_damage *found,
                 void *closure, struct cs_err *err)
{
  struct verifier v = { store, found, closure };
  int r = verify_superblocks (&v, err);

  if (r == 0)
    r = verify_pages (&v, err);
  if (r == 0)
    r = verify_records (&v, err);
  if (r == 0)
    r = is_older (&v, err);
  if (r == 0)
    r = verify_log (&v, err);
  if (r >= 0)
    r = verify_history (&v, err);
  return r < 0 ? cs_err_prefix (err, "cannot check '%s'", store->path) : 0;
}

/* As cs_store_find_damage(), with BUF for PIECE pages.  */
static int
find_damage (struct cs_store *store, char *buf, struct cs_damage *damage)
{
  uint64_t end = store->superblock.committed / CS_STORE_PAGE_LEN, nr;
  uint64_t image = cs_store_image_off (&store->superblock);
  uint32_t sums[PIECE];

  for (uint64_t page = 0; page < end; page += nr)
    {
      int r;

      nr = end - page < PIECE ? end - page : PIECE;
      *damage = (struct cs_damage) {
        .structure = "page", .off = image + page * CS_STORE_PAGE_LEN,
        .addr = store->superblock.base + page * CS_STORE_PAGE_LEN
      };
      r = cs_committed_sums (store, page, nr, sums);
      if (r == 0)
        r = cs_committed_read (store, page, nr, buf);
      if (r < 0)
        return r;
      for (uint64_t i = 0; i < nr; i++)
        {
          uint32_t sum = cs_page_sum (buf + i * CS_STORE_PAGE_LEN);

          /* What has a patch may just be changing in the image.  */
          if (sum == sums[i] || cs_patch_exists (store, page + i))
            continue;
          damage->off += i * CS_STORE_PAGE_LEN;
          damage->addr += i * CS_STORE_PAGE_LEN;
          damage->expected = sums[i];
          damage->found = sum;
          return 1;
        }
    }
  return 0;
}

/* The buffer is no static array: those are scanned at each collection.  */
int
cs_store_find_damage (struct cs_store *store, struct cs_damage *damage)
{
  const uint64_t len = PIECE * CS_STORE_PAGE_LEN;
  char *buf = cs_scratch_map (len);
  int r = buf ? find_damage (store, buf, damage) : -ENOMEM;

  cs_scratch_unmap (buf, len);
  return r;
}
