/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-backup-length.c -- backups that say they are longer than they are.  */

#include <sys/resource.h>
#include <zlib.h>

#include "backup-fixture.h"

#include "store/stream.h"

#define FLOOD_LEN ((size_t) 128 << 20)

/* The superblock of the store, whose region is as long as can be.  */
static struct cs_superblock_disk
long_superblock (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  struct cs_superblock_disk sb = store->superblock;

  cs_store_close (store);
  sb.reserved = sb.word_len == 8 ? CS_STORE_RESERVED_MAX
                                 : (UINT64_C (1) << 32) - sb.base;
  sb.committed = sb.word_len == 8 ? (uint64_t) 1 << 40 : sb.reserved;
  sb.log_start = 1 << 20;
  cs_superblock_seal (&sb);
  return sb;
}

/* Pages of that region: as many as FLOOD_LEN bytes of index have, if there
   are so many.  */
static uint64_t
nr_pages (void)
{
  uint64_t nr = long_superblock ().reserved / PAGE;

  return nr < FLOOD_LEN / 8 ? nr : FLOOD_LEN / 8;
}

/* Write a backup since generation FROM of NR pages, NR_DATA of them with data:
   the head, and FLOOD_LEN bytes of zeros.  */
static void
write_flood (uint64_t from, uint64_t nr, uint64_t nr_data)
{
  static const char zeros[1 << 20];
  struct cs_backup_disk head = { .version = CS_BACKUP_VERSION, .from = from,
                                 .nr = nr, .nr_data = nr_data,
                                 .superblock = long_superblock () };
  int fd = open (SECOND, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  struct cs_stream stream;

  memcpy (head.magic, CS_BACKUP_MAGIC, sizeof head.magic);
  head.crc = (uint32_t) crc32 (0, (const Bytef *) &head,
                               offsetof (struct cs_backup_disk, crc));
  CHECK (fd >= 0 && cs_stream_write_to (&stream, fd, 9) == 0);
  CHECK (cs_stream_write (&stream, &head, sizeof head) == 0);
  for (size_t len = 0; len < FLOOD_LEN; len += sizeof zeros)
    CHECK (cs_stream_write (&stream, zeros, sizeof zeros) == 0);
  CHECK (cs_stream_finish (&stream) == 0);
  cs_stream_close (&stream);
  close (fd);
}

static long
peak_kib (void)
{
  struct rusage usage;

  CHECK (getrusage (RUSAGE_SELF, &usage) == 0);
  return usage.ru_maxrss;
}

/* The restore fails with TEXT, and takes little memory and no disk.  */
static void
is_refused (int code, const char *text)
{
  long before = peak_kib ();

  CHECK (restore2 (SECOND, NULL, false) == -code);
  if (!strstr (err.text, text))
    fprintf (stderr, "%s\n", err.text);
  CHECK (strstr (err.text, text) && !exists (COPY));
  CHECK (peak_kib () - before < 16 << 10);
}

static void
index_of_zeros (void)
{
  make_closed ();
  write_flood (0, nr_pages (), nr_pages ());
  is_refused (CS_E_DAMAGED, "index: entry 1: impossible page 0");
}

/* A full backup has nothing to say of pages that are zero.  */
static void
pages_without_data (void)
{
  make_closed ();
  write_flood (0, nr_pages (), 7);
  is_refused (CS_E_DAMAGED, "head: impossible number of pages with data: 7");
}

static void
increment_of_nothing (void)
{
  make_closed ();
  write_flood (1, nr_pages (), 0);
  is_refused (CS_E_REFUSED, "no backup leads to the first");
}

/* A record whose index is said to be as long as any can be, in a file that is
   a hole.  */
static void
record_of_zeros (void)
{
  struct cs_store *store = NULL;
  struct cs_record_disk head = { .from = 2 };
  struct cs_record record;
  long before;
  int fd;

  make_closed ();
  store = open_mode (CS_STORE_READ);
  head.superblock = store->superblock;
  cs_store_close (store);
  cs_record_seal (&head, NULL, 0);
  head.nr = head.superblock.reserved / PAGE;
  head.crc = (uint32_t) crc32 (0, (const Bytef *) &head,
                               offsetof (struct cs_record_disk, crc));
  fd = open ("record", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK (fd >= 0 && write (fd, &head, sizeof head) == sizeof head);
  CHECK (ftruncate (fd, (off_t) cs_record_len (&head)) == 0);
  CHECK (cs_record_find (fd, 0, &head.superblock, &record) == 1);
  before = peak_kib ();
  CHECK (cs_record_load (&record) == 0);
  CHECK (peak_kib () - before < 16 << 10);
  close (fd);
}

/* Where addresses have 32 bits, the lengths of these would wrap.  */
static void
record_of_4_gib (void)
{
  struct cs_store *store = NULL;
  struct cs_record record = { .fd = -1 };
  char *data = NULL;

  make_closed ();
  store = open_mode (CS_STORE_READ);
  for (uint64_t gib = 4; gib <= 5; gib++)
    {
      record.head.nr_data = (gib << 30) / PAGE;
      CHECK (cs_patch_map (store, &record, &data)
             == (sizeof (size_t) == 4 ? -ENOMEM : -EBADF));
    }
  cs_store_close (store);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "a short stream with a long index", index_of_zeros },
    { "a full backup that says more than it holds", pages_without_data },
    { "an increment is refused before its index is read",
      increment_of_nothing },
    { "a record with a long index in a hole", record_of_zeros },
    { "a record of 4 GiB and more", record_of_4_gib }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
