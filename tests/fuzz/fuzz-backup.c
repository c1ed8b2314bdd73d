/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-backup.c -- backups: one, or a full one and an increment.

   Input: a byte (1: the second one is read, too; 2: the store is replaced),
   then for each backup a byte of flags (fuzz-record.h), its head as it lies
   on disk, and entries and pages as in a record.  They are compressed and
   sealed here; with RAW what follows is the compressed file itself.  */

#include "store/backup.h"
#include "store/stream.h"

#include "fuzz-record.h"

enum
{
  SECOND = 1, FORCE = 2
};

unsigned long fuzz_accepted;

static void
seal_head (struct cs_backup_disk *head, const struct fuzz_record *r,
           unsigned flags)
{
  if (flags & SEAL_SUPERBLOCK)
    cs_superblock_seal (&head->superblock);
  if (flags & COUNT)
    {
      head->nr = r->nr;
      head->nr_data = 0;
      for (uint64_t i = 0; i < r->nr; i++)
        head->nr_data += r->index[i].sum != 0;
    }
  if (!(flags & SEAL_HEAD))
    return;
  head->index_crc = (uint32_t) crc32_z (0, (const Bytef *) r->index,
                                        r->nr * sizeof *r->index);
  head->crc = (uint32_t) crc32 (0, (const Bytef *) head,
                                offsetof (struct cs_backup_disk, crc));
}

static void
place_backup (struct fuzz_input *in, const char *path)
{
  static struct fuzz_record r;
  struct cs_backup_disk head;
  struct cs_stream stream;
  unsigned flags = fuzz_byte (in);
  int fd;

  unlink (path);
  if (flags & RAW)
    {
      fuzz_patch (path, 0, in->data, in->left);
      in->left = 0;
      return;
    }
  fuzz_take (in, &head, sizeof head);
  fuzz_take_pages (in, &r);
  if (flags & SEAL_PAGES)
    fuzz_seal_pages (&r);
  seal_head (&head, &r, flags);
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  REQUIRE (fd >= 0 && cs_stream_write_to (&stream, fd, 1) == 0);
  REQUIRE (cs_stream_write (&stream, &head, sizeof head) == 0);
  REQUIRE (cs_stream_write (&stream, r.index, r.nr * sizeof *r.index) == 0);
  REQUIRE (cs_stream_write (&stream, r.pages,
                            r.nr_pages * CS_STORE_PAGE_LEN) == 0);
  REQUIRE (cs_stream_finish (&stream) == 0);
  cs_stream_close (&stream);
  close (fd);
}

/* B6: what has the name is whole.  */
static void
check_restored (bool restored, bool before)
{
  struct fuzz_seen seen;

  REQUIRE ((access ("b.store", F_OK) == 0) == (restored || before));
  if (!restored)
    return;
  seen = fuzz_read ("b.store", CS_STORE_NEWEST);
  REQUIRE (seen.damages == 0);
  fuzz_accepted += seen.opened;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  static const char *const from[] = { "a.gz", "b.gz" };
  struct fuzz_input in = { data, len };
  unsigned flags = fuzz_byte (&in);
  struct cs_backup_disk head;
  size_t nr = flags & SECOND ? 2 : 1;
  int before, r;

  fuzz_prepare (true);
  for (size_t i = 0; i < nr; i++)
    place_backup (&in, from[i]);
  unlink ("b.store");
  if (flags & FORCE)
    fuzz_patch ("b.store", 0, "text", 4);
  before = fuzz_free_descriptor ();
  fuzz_err = (struct cs_err) CS_ERR_INIT;
  fuzz_answer (cs_backup_read_head (from[0], &head, &fuzz_err), &fuzz_err);
  fuzz_err = (struct cs_err) CS_ERR_INIT;
  r = cs_store_restore (from, nr, "b.store", flags & FORCE, NULL, NULL,
                        &fuzz_err);
  fuzz_answer (r, &fuzz_err);
  REQUIRE (before == fuzz_free_descriptor ());
  check_restored (r == 0, flags & FORCE);
  return 0;
}

/* Seeds.  */

static void
back_up (const char *to, uint64_t since)
{
  struct cs_backup_params params = { .to = to, .since = since };

  unlink (to);
  fuzz_err = (struct cs_err) CS_ERR_INIT;
  REQUIRE (cs_store_backup (STORE, &params, NULL, &fuzz_err) == 0);
}

static void
put_backup (struct fuzz_output *out, const char *path, unsigned flags)
{
  static struct fuzz_record r;
  struct cs_backup_disk head;
  struct cs_stream stream;
  int fd = open (path, O_RDONLY);

  REQUIRE (fd >= 0 && cs_stream_read_from (&stream, fd) == 0);
  REQUIRE (cs_stream_read (&stream, &head, sizeof head, &fuzz_err) == 0);
  r.nr = head.nr;
  r.nr_pages = head.nr_data;
  REQUIRE (r.nr <= RECORD_ENTRIES_MAX && r.nr_pages <= RECORD_PAGES_MAX);
  REQUIRE (cs_stream_read (&stream, r.index, r.nr * sizeof *r.index,
                           &fuzz_err) == 0);
  REQUIRE (cs_stream_read (&stream, r.pages,
                           r.nr_pages * CS_STORE_PAGE_LEN, &fuzz_err) == 0);
  cs_stream_close (&stream);
  close (fd);
  fuzz_put_byte (out, flags);
  fuzz_put (out, &head, sizeof head);
  fuzz_put_pages (out, &r);
}

static void
put_raw (struct fuzz_output *out, const char *path)
{
  char buf[1 << 15];
  int fd = open (path, O_RDONLY);
  ssize_t n = read (fd, buf, sizeof buf);

  REQUIRE (fd >= 0 && n > 0 && (size_t) n < sizeof buf);
  close (fd);
  fuzz_put_byte (out, RAW);
  fuzz_put (out, buf, (size_t) n);
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  const unsigned all = SEAL_SUPERBLOCK | SEAL_HEAD | SEAL_PAGES;
  char name[40];

  fuzz_prepare (true);
  fuzz_begin ();
  back_up ("b.gz", 3);
  for (unsigned flags = 0; flags < 4; flags++)
    {
      out.len = 0;
      fuzz_put_byte (&out, flags);
      fuzz_begin ();
      if (flags & SECOND)       /* which starts from generation 3 */
        REQUIRE (truncate (STORE, (off_t) fuzz_log_off ()) == 0);
      back_up ("a.gz", 0);
      put_backup (&out, "a.gz", flags & FORCE ? all : all | COUNT);
      if (flags & SECOND)
        put_backup (&out, "b.gz", flags & FORCE ? all : all | COUNT);
      snprintf (name, sizeof name, "backup-%u", flags);
      seed (closure, name, out.data, out.len, true);
    }
  out.len = 0;
  fuzz_put_byte (&out, 0);
  put_raw (&out, "a.gz");
  seed (closure, "raw", out.data, out.len, true);
}
