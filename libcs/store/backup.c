/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* backup.c -- a store as a stream (backup.h).

   Who has a store open as a reader sees one commit, from its image and what
   log and history put over it (patch.c).  An increment looks at two of them:
   what differs between them is where one has a patch that the other has not.
   So its cost follows the change, but for looking through their patches.

   Which pages there are is said by their sums.  A sum that was lost reads as
   that of a page of zeros; so where there should be zeros, and the file has
   something, it is read too (B4).  */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "store/backup.h"
#include "store/record.h"
#include "store/stream.h"
#include "store/sys.h"

_Static_assert (sizeof (struct cs_backup_disk) == 192, "backup");
_Static_assert (offsetof (struct cs_backup_disk, from) == 16, "");
_Static_assert (offsetof (struct cs_backup_disk, nr) == 32, "");
_Static_assert (offsetof (struct cs_backup_disk, from_crc) == 48, "");
_Static_assert (offsetof (struct cs_backup_disk, superblock) == 56, "");
_Static_assert (offsetof (struct cs_backup_disk, crc) == 188, "");

#define CHUNK 64                /* pages read at a time */

struct backup
{
  const struct cs_backup_params *params;
  struct cs_store *store;
  struct cs_store *before;      /* what an increment starts from, or NULL */
  struct cs_backup_disk head;
  struct cs_entry_disk *index;
  uint64_t index_len;           /* of its memory, bytes */
  struct cs_stream stream;
  uint64_t done;                /* pages written */
  char *buf;                    /* CHUNK pages */
};

static uint64_t
committed_pages (const struct cs_store *store)
{
  return store->superblock.committed / CS_STORE_PAGE_LEN;
}

/* What an increment starts from.  */

/* Say which generations could have been asked for.  */
static void
advise_kept (const struct cs_store *store, struct cs_err *err)
{
  struct cs_generation first;
  size_t max = cs_store_history (store, &first, 1), nr = 0;
  struct cs_generation *list = malloc (max * sizeof *list);

  if (list)
    nr = cs_store_history (store, list, max);
  if (nr > max)                 /* a writer was faster */
    nr = max;
  if (nr > 0)
    cs_err_advise (err, "generations that are kept: %" PRIu64 " to %" PRIu64,
                   list[nr - 1].generation, list[0].generation);
  free (list);
}

/* Are both of the same file?  It could have been replaced in between.  */
static int
check_same_file (const struct cs_store *a, const struct cs_store *b,
                 struct cs_err *err)
{
  struct stat sa, sb;

  if (cs_sys.fstat (a->fd, &sa) < 0 || cs_sys.fstat (b->fd, &sb) < 0)
    return cs_err_sys (err, errno, "status of the file");
  if (sa.st_dev != sb.st_dev || sa.st_ino != sb.st_ino)
    return cs_err_sys (err, EBUSY, "replaced meanwhile");
  return 0;
}

static int
open_before (struct backup *b, uint64_t generation, struct cs_err *err)
{
  int r = -CS_E_REFUSED;

  if (generation <= b->store->superblock.generation)
    r = cs_store_open_at (b->store->path, CS_STORE_READ, generation,
                          &b->before, err);
  if (r == -CS_E_REFUSED)
    {
      r = cs_err_set (err, CS_E_REFUSED, "generation %" PRIu64
                      " is not kept", generation);
      advise_kept (b->store, err);
    }
  return r < 0 ? r : check_same_file (b->store, b->before, err);
}

/* The same for the generation that another backup leads to.  */
static int
open_before_backup (struct backup *b, const char *path, struct cs_err *err)
{
  char ours[CS_UUID_TEXT_LEN], theirs[CS_UUID_TEXT_LEN];
  const struct cs_superblock_disk *sb, *now = &b->store->superblock;
  struct cs_backup_disk head;
  int r = cs_backup_read_head (path, &head, err);

  if (r < 0)
    return r;
  sb = &head.superblock;
  cs_store_uuid_text (now, ours);
  cs_store_uuid_text (sb, theirs);
  if (strcmp (ours, theirs) != 0)
    return cs_err_set (err, CS_E_REFUSED, "'%s' is a backup of store %s, "
                       "this is %s", path, theirs, ours);
  r = open_before (b, sb->generation, err);
  if (r < 0)
    return r;
  now = &b->before->superblock;
  if (now->committed_at != sb->committed_at
      || now->committed != sb->committed)
    return cs_err_set (err, CS_E_REFUSED, "'%s' is of another generation %"
                       PRIu64 " than this store has had", path,
                       sb->generation);
  return 0;
}

/* The index.  */

static void
enter (struct backup *b, uint64_t page, uint32_t sum)
{
  b->index[b->head.nr++] = (struct cs_entry_disk) { (uint32_t) page, sum };
  b->head.nr_data += sum != 0;
}

/* All pages that are not zero (B2).  0 or -errno.  */
static int
enter_all (struct backup *b)
{
  uint64_t end = committed_pages (b->store), page = 0, nr;
  uint32_t sums[1024];
  int r = 0;

  for (; page < end && r == 0; page += nr)
    {
      nr = end - page < 1024 ? end - page : 1024;
      r = cs_committed_sums (b->store, page, nr, sums);
      for (uint64_t i = 0; i < nr && r == 0; i++)
        if (sums[i])
          enter (b, page + i, sums[i]);
    }
  return r;
}

/* All pages that may not be as they were (B2).  What is behind the image that
   the increment starts from was zeros, and may have come without a patch
   (commit.c, G1).  0 or -errno.  */
static int
enter_changed (struct backup *b, uint64_t end)
{
  uint64_t behind = committed_pages (b->before);
  uLong crc = crc32 (0, NULL, 0);
  uint32_t sum, old;
  int r = 0;

  for (uint64_t page = 0; page < end && r == 0; page++)
    {
      if (page < behind && cs_patch_same (b->before, b->store, page))
        continue;
      r = cs_committed_sums (b->store, page, 1, &sum);
      if (r < 0 || (page >= behind && sum == 0))
        continue;
      r = cs_committed_sums (b->before, page, 1, &old);
      if (r == 0)
        enter (b, page, sum);
      crc = crc32 (crc, (const Bytef *) &old, sizeof old);
    }
  b->head.from = b->before->superblock.generation;
  b->head.from_at = b->before->superblock.committed_at;
  b->head.from_crc = (uint32_t) crc;
  return r;
}

static int
plan (struct backup *b, struct cs_err *err)
{
  uint64_t pages = committed_pages (b->store);
  int r;

  if (b->before && pages < committed_pages (b->before))
    pages = committed_pages (b->before);
  b->index_len = pages * sizeof *b->index;
  b->index = cs_scratch_map (b->index_len);
  if (!b->index)
    return cs_err_sys (err, ENOMEM, "list the pages");
  memcpy (b->head.magic, CS_BACKUP_MAGIC, sizeof b->head.magic);
  b->head.version = CS_BACKUP_VERSION;
  b->head.superblock = b->store->superblock;
  r = b->before ? enter_changed (b, pages) : enter_all (b);
  if (r < 0)
    return cs_err_sys (err, -r, "read the sums of the pages");
  b->head.index_crc
    = (uint32_t) crc32_z (0, (const Bytef *) b->index,
                          (size_t) b->head.nr * sizeof *b->index);
  b->head.crc = (uint32_t) crc32 (0, (const Bytef *) &b->head,
                                  offsetof (struct cs_backup_disk, crc));
  return 0;
}

/* The pages.  */

static int
damaged (const struct backup *b, uint64_t page, uint32_t expected,
         uint32_t found, struct cs_err *err)
{
  uint64_t off = page * CS_STORE_PAGE_LEN;
  const struct cs_superblock_disk *sb = &b->store->superblock;
  char place[64] = "in the log";

  if (!cs_patch_exists (b->store, page))
    snprintf (place, sizeof place, "at offset %" PRIu64,
              cs_store_image_off (sb) + off);
  cs_err_set (err, CS_E_DAMAGED, "page 0x%" PRIx64 " %s: checksum: expected "
              "0x%08" PRIx32 ", found 0x%08" PRIx32, sb->base + off, place,
              expected, found);
  return cs_err_advise (err, "cs-inspect --check lists the damage, --repair"
                        " makes a store of what is whole");
}

/* Read NR pages from PAGE on, which are to have the sums of the entries at E;
   or if that is NULL to be zero.  */
static int
read_pages (struct backup *b, uint64_t page, uint64_t nr,
            const struct cs_entry_disk *e, struct cs_err *err)
{
  int r = cs_committed_read (b->store, page, nr, b->buf);

  if (r < 0)
    return cs_err_sys (err, -r, "read the image");
  for (uint64_t i = 0; i < nr; i++)
    {
      uint32_t expected = e ? e[i].sum : 0;
      uint32_t found = cs_page_sum (b->buf + i * CS_STORE_PAGE_LEN);

      if (found != expected)
        return damaged (b, page + i, expected, found, err);
    }
  return 0;
}

/* Pages from PAGE to END should be zeros (B4): read what is no hole.  */
static int
check_gap (struct backup *b, uint64_t page, uint64_t end, struct cs_err *err)
{
  uint64_t image = cs_store_image_off (&b->store->superblock), nr;
  int r = 0;

  for (; page < end && r == 0; page += nr)
    {
      off_t off = (off_t) (image + page * CS_STORE_PAGE_LEN);
      off_t data = cs_sys.lseek (b->store->fd, off, SEEK_DATA);

      if (data < 0 && errno == ENXIO)
        return 0;
      if (data > off)
        page += (uint64_t) (data - off) / CS_STORE_PAGE_LEN;
      if (page >= end)
        return 0;
      nr = end - page < CHUNK ? end - page : CHUNK;
      r = read_pages (b, page, nr, NULL, err);
    }
  return r;
}

static int
write_out (struct backup *b, const void *data, uint64_t len,
           struct cs_err *err)
{
  int r = cs_stream_write (&b->stream, data, (size_t) len);

  return r < 0 ? cs_err_sys (err, -r, "write the backup") : 0;
}

static void
report_progress (const struct backup *b)
{
  if (b->params->progress)
    b->params->progress (b->params->closure, b->done * CS_STORE_PAGE_LEN,
                         b->head.nr_data * CS_STORE_PAGE_LEN);
}

/* Write the pages of the first entries at E, of which there are MAX: as many
   as follow each other, or one that is zero.  How many goes to *NR.  */
static int
write_run (struct backup *b, const struct cs_entry_disk *e, uint64_t max,
           uint64_t *nr, struct cs_err *err)
{
  uint64_t run = 1;
  int r;

  *nr = 1;
  if (e->sum == 0)
    return 0;
  while (run < max && run < CHUNK && e[run].page == e->page + run
         && e[run].sum)
    run++;
  *nr = run;
  r = read_pages (b, e->page, run, e, err);
  if (r == 0)
    r = write_out (b, b->buf, run * CS_STORE_PAGE_LEN, err);
  b->done += run;
  report_progress (b);
  return r;
}

static int
write_pages (struct backup *b, struct cs_err *err)
{
  uint64_t next = 0, nr = b->head.nr, run;
  int r = 0;

  report_progress (b);
  for (uint64_t i = 0; i < nr && r == 0; i += run)
    {
      const struct cs_entry_disk *e = &b->index[i];

      if (!b->before)
        r = check_gap (b, next, e->page, err);
      if (r == 0)
        r = write_run (b, e, nr - i, &run, err);
      next = e->page + run;
    }
  if (r == 0 && !b->before)
    r = check_gap (b, next, committed_pages (b->store), err);
  return r;
}

/* Write everything to FD.  */
static int
write_stream (void *context, int fd, struct cs_err *err)
{
  struct backup *b = context;
  int level = b->params->level ? b->params->level : CS_BACKUP_LEVEL;
  int r = cs_stream_write_to (&b->stream, fd, level);

  b->buf = cs_scratch_map (CHUNK * CS_STORE_PAGE_LEN);
  if (r < 0 || !b->buf)
    r = cs_err_sys (err, ENOMEM, "compress");
  if (r == 0)
    r = write_out (b, &b->head, sizeof b->head, err);
  if (r == 0)
    r = write_out (b, b->index, b->head.nr * sizeof *b->index, err);
  if (r == 0)
    r = write_pages (b, err);
  if (r == 0)
    {
      r = cs_stream_finish (&b->stream);
      if (r < 0)
        cs_err_sys (err, -r, "write the backup");
    }
  cs_scratch_unmap (b->buf, CHUNK * CS_STORE_PAGE_LEN);
  cs_stream_close (&b->stream);
  return r;
}

/* Where it goes.  */

/* What is replaced must not be what is read.  */
static int
check_target (const struct backup *b, const struct cs_store *target,
              struct cs_err *err)
{
  struct stat from, to;

  if (target->fd < 0)
    return 0;
  if (cs_sys.fstat (b->store->fd, &from) < 0
      || cs_sys.fstat (target->fd, &to) < 0)
    return cs_err_sys (err, errno, "status of the file");
  if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
    return cs_err_set (err, CS_E_REFUSED, "it is the store itself");
  return 0;
}

static int
write_file (struct backup *b, struct cs_err *err)
{
  const char *to = b->params->to;
  struct cs_store *target = cs_store_new (to, CS_STORE_WRITE);
  int r;

  if (!target)
    return cs_err_sys (err, ENOMEM, "create '%s'", to);
  r = cs_store_claim (target, b->params->force, err);
  if (r == 0)
    r = check_target (b, target, err);
  if (r < 0)
    cs_err_prefix (err, "cannot create '%s'", to);
  else
    r = cs_new_file_make (target, write_stream, b, err);
  cs_store_close (target);
  return r;
}

static int
back_up (struct backup *b, struct cs_err *err)
{
  const struct cs_backup_params *params = b->params;
  int r = 0;

  if (params->since_backup)
    r = open_before_backup (b, params->since_backup, err);
  else if (params->since)
    r = open_before (b, params->since, err);
  if (r == 0)
    r = plan (b, err);
  if (r == 0)
    r = params->to ? write_file (b, err) : write_stream (b, params->fd, err);
  cs_scratch_unmap (b->index, b->index_len);
  cs_store_close (b->before);
  return r;
}

int
cs_store_backup (const char *path, const struct cs_backup_params *params,
                 struct cs_backup_disk *head, struct cs_err *err)
{
  struct backup b = { .params = params };
  struct cs_err own = CS_ERR_INIT;
  int r;

  if (!err)
    err = &own;
  r = cs_store_open (path, CS_STORE_READ, &b.store, err);
  if (r < 0)
    return r;
  r = back_up (&b, err);
  if (r < 0)
    cs_err_prefix (err, "cannot back up '%s'", path);
  else if (head)
    *head = b.head;
  cs_store_close (b.store);
  return r;
}
