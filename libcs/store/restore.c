/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* restore.c -- a store out of streams (backup.h).

   Everything here but the file that is written comes from elsewhere: nothing
   of it is used before it was checked.  Pages go into the new file as they
   come; it has no name until the last stream has come to its end (B6).

   A restored store has the uuid of the one that was backed up, because it is
   the same one, and increments shall fit.  So the older generations of the
   store that it replaces could be taken for its own: until they have been
   removed, its superblock says that nothing in NAME-history counts (H3).  */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "store/backup.h"
#include "store/history.h"
#include "store/stream.h"
#include "store/sys.h"

#define CHUNK 64                /* pages written at a time */

/* One backup that is being read.  */
struct source
{
  const char *name;             /* for messages */
  int fd;                       /* 0 is lent */
  struct cs_stream stream;
  struct cs_backup_disk head;
  struct cs_entry_disk *index;
  uint64_t index_len;           /* of its memory, bytes */
  char *buf;                    /* CHUNK pages */
};

struct restore
{
  const char *const *from;
  size_t nr;
  struct cs_store *target;
  int fd;                       /* the new file */
  const char *last;             /* name of the backup that was read last */
  struct cs_superblock_disk superblock; /* what it led to; generation 0:
                                           there was none */
  cs_backup_progress *progress;
  void *closure;
};

static bool
is_standard_input (const char *path)
{
  return strcmp (path, "-") == 0;
}

/* Open the backup at PATH; with TRUSTED refuse what others could have
   written.  */
static int
open_source (struct source *s, const char *path, bool trusted,
             struct cs_err *err)
{
  struct stat st;
  int r = 0;

  *s = (struct source) { .name = path, .fd = 0 };
  if (is_standard_input (path))
    s->name = "standard input";
  else
    {
      s->fd = cs_file_open (AT_FDCWD, path, O_RDONLY, &st, err);
      if (s->fd < 0)
        return s->fd;
      if (trusted)
        r = cs_file_check_owner (path, &st, err);
    }
  if (r == 0)
    {
      r = cs_stream_read_from (&s->stream, s->fd);
      if (r < 0)
        cs_err_sys (err, -r, "decompress");
    }
  if (r < 0 && s->fd > 0)
    cs_file_close (&s->fd);
  return r;
}

static void
close_source (struct source *s)
{
  cs_stream_close (&s->stream);
  cs_scratch_unmap (s->index, s->index_len);
  cs_scratch_unmap (s->buf, CHUNK * CS_STORE_PAGE_LEN);
  if (s->fd > 0)
    cs_file_close (&s->fd);
}

bool
cs_backup_recognize (const char *path)
{
  unsigned char magic[2] = { 0, 0 };
  struct cs_err err = CS_ERR_INIT;
  struct stat st;
  ssize_t n;
  int fd;

  if (is_standard_input (path))
    return true;
  fd = cs_file_open (AT_FDCWD, path, O_RDONLY, &st, &err);
  if (fd < 0)
    return false;
  n = cs_file_read (fd, magic, sizeof magic, 0);
  cs_file_close (&fd);
  return n == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b;
}

/* The head (B3).  */

static int
wrong_head (struct cs_err *err, const char *field, uint64_t found)
{
  return cs_err_set (err, CS_E_DAMAGED, "head: impossible %s: %" PRIu64,
                     field, found);
}

static int
check_values (const struct cs_backup_disk *head, struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &head->superblock;
  int r;

  if (!cs_superblock_is_sealed (sb))
    return wrong_head (err, "CRC-32 of the superblock", sb->crc);
  r = cs_superblock_check (sb, offsetof (struct cs_backup_disk, superblock),
                           err);
  if (r < 0)
    return cs_err_prefix (err, "head");
  if (sb->page_len != CS_STORE_PAGE_LEN)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "head: page length: expected "
                       "%d, found %" PRIu32, CS_STORE_PAGE_LEN, sb->page_len);
  if (head->from > sb->generation)
    return wrong_head (err, "generation to start from", head->from);
  if (head->nr > sb->reserved / CS_STORE_PAGE_LEN)
    return wrong_head (err, "number of pages", head->nr);
  if (head->nr_data > head->nr || (head->from == 0 && head->nr_data < head->nr))
    return wrong_head (err, "number of pages with data", head->nr_data);
  return 0;
}

static int
read_head (struct source *s, struct cs_err *err)
{
  struct cs_backup_disk *head = &s->head;
  int r = cs_stream_read (&s->stream, head, sizeof *head, err);
  uint32_t crc;

  if (r < 0)
    return r;
  if (memcmp (head->magic, CS_BACKUP_MAGIC, sizeof head->magic) != 0)
    return cs_err_set (err, CS_E_DAMAGED, "head: magic: expected '%s', found "
                       "another: not a backup of a store", CS_BACKUP_MAGIC);
  crc = (uint32_t) crc32 (0, (const Bytef *) head,
                          offsetof (struct cs_backup_disk, crc));
  if (head->crc != crc)
    return cs_err_set (err, CS_E_DAMAGED, "head: CRC-32: expected 0x%08"
                       PRIx32 ", found 0x%08" PRIx32, crc, head->crc);
  if (head->version != CS_BACKUP_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "format version of the backup:"
                       " expected %d, found %" PRIu32, CS_BACKUP_VERSION,
                       head->version);
  return check_values (head, err);
}

int
cs_backup_read_head (const char *path, struct cs_backup_disk *head,
                     struct cs_err *err)
{
  struct source s;
  int r = open_source (&s, path, false, err);

  if (r == 0)
    {
      r = read_head (&s, err);
      *head = s.head;
      close_source (&s);
    }
  return r < 0 ? cs_err_prefix (err, "backup '%s'", path) : 0;
}

/* The index (B3).  */

static int
check_entries (const struct source *s, uint64_t i, uint64_t end,
               struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &s->head.superblock;
  uint64_t committed = sb->committed / CS_STORE_PAGE_LEN;
  uint64_t right = cs_index_check (s->index, i, end,
                                   sb->reserved / CS_STORE_PAGE_LEN);

  while (i < right && (s->index[i].sum == 0 || s->index[i].page < committed))
    i++;
  return (i == end ? 0
          : cs_err_set (err, CS_E_DAMAGED, "index: entry %" PRIu64
                        ": impossible page %" PRIu32, i, s->index[i].page));
}

/* Each piece is looked at before there is memory for the next: a short stream
   may stand for a long index of zeros.  */
static int
read_entries (struct source *s, struct cs_err *err)
{
  uint64_t nr = s->head.nr, done = 0, part;
  int r = 0;

  for (; done < nr && r == 0; done += part)
    {
      part = nr - done < CS_INDEX_PIECE ? nr - done : CS_INDEX_PIECE;
      r = cs_stream_read (&s->stream, s->index + done,
                          (size_t) part * sizeof *s->index, err);
      if (r == 0)
        r = check_entries (s, done, done + part, err);
    }
  return r;
}

static int
check_index (const struct source *s, struct cs_err *err)
{
  uint32_t crc = (uint32_t) crc32_z (0, (const Bytef *) s->index,
                                     (size_t) s->head.nr * sizeof *s->index);
  uint64_t data = 0;

  if (crc != s->head.index_crc)
    return cs_err_set (err, CS_E_DAMAGED, "index: CRC-32: expected 0x%08"
                       PRIx32 ", found 0x%08" PRIx32, s->head.index_crc, crc);
  for (uint64_t i = 0; i < s->head.nr; i++)
    data += s->index[i].sum != 0;
  if (data != s->head.nr_data)
    return cs_err_set (err, CS_E_DAMAGED, "index: pages with data: expected %"
                       PRIu64 ", found %" PRIu64, s->head.nr_data, data);
  return 0;
}

static int
read_index (struct source *s, struct cs_err *err)
{
  int r;

  s->index_len = cs_round_up (s->head.nr * sizeof *s->index + 1,
                              CS_STORE_PAGE_LEN);
  s->index = cs_scratch_map (s->index_len);
  if (!s->index)
    return cs_err_sys (err, ENOMEM, "list the pages");
  r = read_entries (s, err);
  return r < 0 ? r : check_index (s, err);
}

/* Does it fit (B5)?  */

static int
check_kind (const struct restore *rs, const struct source *s,
            struct cs_err *err)
{
  if (s->head.from != 0 && rs->superblock.generation == 0)
    {
      cs_err_set (err, CS_E_REFUSED, "it leads from generation %" PRIu64
                  " to %" PRIu64 ", and no backup leads to the first",
                  s->head.from, s->head.superblock.generation);
      return cs_err_advise (err, "name the full backup first, then this one: "
                            "--from FULL --from '%s'", s->name);
    }
  if (s->head.from == 0 && rs->superblock.generation != 0)
    return cs_err_set (err, CS_E_REFUSED, "it is a full backup; only the "
                       "first one may be");
  return 0;
}

/* The CRC-32 of the sums that the pages of the index have now.  */
static int
sums_before (const struct restore *rs, const struct source *s, uint32_t *crc,
             struct cs_err *err)
{
  uLong c = crc32 (0, NULL, 0);

  for (uint64_t i = 0; i < s->head.nr; i++)
    {
      uint32_t sum;
      int r = cs_sums_read (rs->fd, s->index[i].page, 1, &sum);

      if (r < 0)
        return cs_err_sys (err, -r, "read the new file");
      c = crc32 (c, (const Bytef *) &sum, sizeof sum);
    }
  *crc = (uint32_t) c;
  return 0;
}

/* By its head: nothing of the rest has been read.  */
static int
check_store (const struct restore *rs, const struct source *s,
             struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &s->head.superblock;
  char here[CS_UUID_TEXT_LEN], there[CS_UUID_TEXT_LEN];
  int r = check_kind (rs, s, err);

  if (r < 0 || s->head.from == 0)
    return r;
  cs_store_uuid_text (&rs->superblock, here);
  cs_store_uuid_text (sb, there);
  if (strcmp (here, there) != 0)
    return cs_err_set (err, CS_E_REFUSED, "it is of store %s, but '%s' of %s",
                       there, rs->last, here);
  if (s->head.from != rs->superblock.generation)
    return cs_err_set (err, CS_E_REFUSED, "it starts from generation %" PRIu64
                       ", but '%s' leads to %" PRIu64, s->head.from, rs->last,
                       rs->superblock.generation);
  return 0;
}

static int
check_fit (const struct restore *rs, const struct source *s,
           struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &s->head.superblock;
  uint32_t crc = 0;
  int r = s->head.from == 0 ? 0 : sums_before (rs, s, &crc, err);

  if (r < 0 || s->head.from == 0)
    return r;
  if (s->head.from_at != rs->superblock.committed_at
      || s->head.from_crc != crc || sb->base != rs->superblock.base
      || sb->reserved != rs->superblock.reserved)
    return cs_err_set (err, CS_E_REFUSED, "it starts from another generation "
                       "%" PRIu64 " than '%s' leads to", s->head.from,
                       rs->last);
  return 0;
}

/* The pages.  */

/* How many of the first MAX entries at E follow each other in the region,
   and are all zeros or all not.  */
static uint64_t
run_len (const struct cs_entry_disk *e, uint64_t max)
{
  uint64_t run = 1;

  while (run < max && run < CHUNK && e[run].page == e->page + run
         && !e[run].sum == !e->sum)
    run++;
  return run;
}

/* Read the data of the NR entries at E, and check it.  */
static int
read_run (struct source *s, const struct cs_entry_disk *e, uint64_t nr,
          struct cs_err *err)
{
  int r = cs_stream_read (&s->stream, s->buf,
                          (size_t) nr * CS_STORE_PAGE_LEN, err);

  for (uint64_t i = 0; i < nr && r == 0; i++)
    {
      uint32_t sum = cs_page_sum (s->buf + i * CS_STORE_PAGE_LEN);

      if (sum != e[i].sum)
        r = cs_err_set (err, CS_E_DAMAGED, "page 0x%" PRIx64 ": checksum: "
                        "expected 0x%08" PRIx32 ", found 0x%08" PRIx32,
                        s->head.superblock.base
                        + (uint64_t) e[i].page * CS_STORE_PAGE_LEN,
                        e[i].sum, sum);
    }
  return r;
}

/* Put NR entries' pages, whose data is in S's buffer, into the new file.  */
static int
write_run (const struct restore *rs, const struct source *s,
           const struct cs_entry_disk *e, uint64_t nr, struct cs_err *err)
{
  uint64_t off = cs_store_image_off (&s->head.superblock)
                 + (uint64_t) e->page * CS_STORE_PAGE_LEN;
  uint64_t len = nr * CS_STORE_PAGE_LEN;
  uint32_t sums[CHUNK];
  int r = e->sum ? cs_file_write (rs->fd, s->buf, (size_t) len, off)
          : cs_file_punch (rs->fd, off, len);

  for (uint64_t i = 0; i < nr; i++)
    sums[i] = e[i].sum;
  if (r == 0)
    r = cs_sums_write (rs->fd, e->page, nr, sums);
  return r < 0 ? cs_err_sys (err, -r, "write the new file") : 0;
}

static int
copy_pages (const struct restore *rs, struct source *s, struct cs_err *err)
{
  const struct cs_entry_disk *e = s->index;
  uint64_t left = s->head.nr, done = 0, run;
  int r = 0;

  for (; left > 0 && r == 0; left -= run, e += run)
    {
      if (rs->progress)
        rs->progress (rs->closure, done * CS_STORE_PAGE_LEN,
                      s->head.nr_data * CS_STORE_PAGE_LEN);
      run = run_len (e, left);
      if (e->sum)
        r = read_run (s, e, run, err);
      if (r == 0)
        r = write_run (rs, s, e, run, err);
      done += e->sum ? run : 0;
    }
  return r;
}

/* All together.  */

static int
apply_source (struct restore *rs, struct source *s, struct cs_err *err)
{
  int r = read_head (s, err);

  if (r == 0)
    r = check_store (rs, s, err);
  if (r == 0)
    r = read_index (s, err);
  if (r == 0)
    r = check_fit (rs, s, err);
  if (r == 0)
    {
      s->buf = cs_scratch_map (CHUNK * CS_STORE_PAGE_LEN);
      r = s->buf ? copy_pages (rs, s, err)
          : cs_err_sys (err, ENOMEM, "copy the pages");
    }
  if (r == 0)
    r = cs_stream_read_end (&s->stream, err);
  rs->superblock = s->head.superblock;
  rs->last = s->name;
  return r;
}

/* Make FD a store.  */
static int
write_store (void *context, int fd, struct cs_err *err)
{
  struct restore *rs = context;
  struct cs_superblock_disk *sb = &rs->superblock;
  struct source s;
  int r = 0;

  rs->fd = fd;
  for (size_t i = 0; i < rs->nr && r == 0; i++)
    {
      r = open_source (&s, rs->from[i], true, err);
      if (r == 0)
        {
          r = apply_source (rs, &s, err);
          close_source (&s);
        }
      if (r < 0)
        cs_err_prefix (err, "backup '%s'", s.name);
    }
  if (r < 0)
    return r;
  if (cs_sys.ftruncate (fd, (off_t) (cs_store_image_off (sb)
                                     + sb->committed)) < 0)
    return cs_err_sys (err, errno, "set the length of the new file");
  sb->log_start = cs_log_start (sb->committed);
  memcpy (sb->former_uuid, rs->target->former_uuid, sizeof sb->former_uuid);
  cs_superblock_seal (sb);
  r = cs_superblock_write (fd, sb);
  if (r < 0)
    return cs_err_sys (err, -r, "write the new file");
  return 0;
}

/* Is one of the backups the file that is replaced?  */
static int
check_target (const struct restore *rs, struct cs_err *err)
{
  struct stat to, from;

  if (rs->target->fd < 0)
    return 0;
  if (cs_sys.fstat (rs->target->fd, &to) < 0)
    return cs_err_sys (err, errno, "status of the file");
  for (size_t i = 0; i < rs->nr; i++)
    if (!is_standard_input (rs->from[i])
        && cs_sys.fstatat (AT_FDCWD, rs->from[i], &from, 0) == 0
        && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
      return cs_err_set (err, CS_E_REFUSED, "it is the backup '%s' itself",
                         rs->from[i]);
  return 0;
}

int
cs_store_restore (const char *const *from, size_t nr, const char *to,
                  bool force, cs_backup_progress *progress, void *closure,
                  struct cs_err *err)
{
  struct restore rs = {
    .from = from, .nr = nr, .fd = -1, .progress = progress, .closure = closure
  };
  struct cs_err own = CS_ERR_INIT;
  int r;

  if (!err)
    err = &own;
  rs.target = cs_store_new (to, CS_STORE_WRITE);
  if (!rs.target)
    return cs_err_sys (err, ENOMEM, "cannot create '%s'", to);
  r = cs_store_claim (rs.target, force, err);
  if (r == 0)
    r = check_target (&rs, err);
  if (r == 0)
    r = cs_history_claim (rs.target, err);
  if (r == 0)
    r = cs_new_file_make (rs.target, write_store, &rs, err);
  if (r == 0)
    cs_history_replace (rs.target, &(struct cs_err) CS_ERR_INIT);
  if (r < 0)
    cs_err_prefix (err, "cannot create '%s'", to);
  cs_store_close (rs.target);
  return r;
}
