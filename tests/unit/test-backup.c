/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-backup.c -- backups and what is restored from them.  */

#include <zlib.h>

#include "backup-fixture.h"

#include "store/stream.h"

#define BYTES_MAX (1 << 20)

static uint64_t
generation (const struct cs_store *store)
{
  return cs_store_superblock (store)->generation;
}

static void
full (void)
{
  static const char none[sizeof (struct cs_lock_disk)];
  char record[sizeof none];
  struct stat st, of_store;
  int fd;

  make_closed ();
  ok (back_up (BACKUP, 0));
  CHECK (stat (BACKUP, &st) == 0 && (st.st_mode & 07777) == 0600);
  ok (restore2 (BACKUP, NULL, false));
  CHECK (entries () == 3 && same_store (STORE, CS_STORE_NEWEST, COPY));
  CHECK (stat (COPY, &st) == 0 && (st.st_mode & 07777) == 0600);
  CHECK (stat (STORE, &of_store) == 0 && st.st_size == of_store.st_size);
  CHECK (st.st_blocks <= of_store.st_blocks);
  fd = open (COPY, O_RDONLY);
  CHECK (pread (fd, record, sizeof record, CS_STORE_LOCK_OFF)
         == sizeof record);
  CHECK (memcmp (record, none, sizeof none) == 0);
}

/* What gunzip makes of a backup.  */
static size_t
unzipped (const char *path, char *buf, size_t max)
{
  gzFile gz = gzopen (path, "rb");
  int n = gzread (gz, buf, (unsigned) max);

  CHECK (gz && n >= 0 && (size_t) n < max && gzclose (gz) == Z_OK);
  return (size_t) n;
}

static void
only_what_is_there (void)
{
  static char buf[BYTES_MAX];
  const struct cs_backup_disk *head = (const void *) buf;
  const struct cs_entry_disk *index = (const void *) (buf + sizeof *head);
  size_t len, data;

  make_closed ();
  ok (back_up (BACKUP, 0));
  len = unzipped (BACKUP, buf, sizeof buf);
  CHECK (memcmp (head->magic, CS_BACKUP_MAGIC, 8) == 0 && head->from == 0);
  /* Of the heap two thirds; directory, extent table, section.  */
  CHECK (head->nr == HEAP_PAGES * 2 / 3 + 1 + 3 && head->nr_data == head->nr);
  data = sizeof *head + head->nr * sizeof *index;
  CHECK (len == data + head->nr * PAGE);
  for (size_t i = 0; i < head->nr; i++)
    CHECK (index[i].sum == crc32 (0, (const Bytef *) buf + data + i * PAGE,
                                  PAGE));
}

static struct cs_store *writer;
static char *writers_heap;

/* Three commits while a backup is written, one of them before its end.  */
static void
commit_meanwhile (void *closure, uint64_t done, uint64_t total)
{
  int *nr = closure;

  CHECK (done <= total && total == (HEAP_PAGES * 2 / 3 + 4) * PAGE);
  if (++*nr > 3)
    return;
  say (writer, *nr % 2 ? "odd" : "even");
  writers_heap[*nr * PAGE] = 99;
  commit_ok (writer);
  CHECK (cs_store_apply (writer, &err) == 0);
}

static void
beside_a_writer (void)
{
  int nr = 0;
  struct cs_backup_params params = {
    .to = BACKUP, .progress = commit_meanwhile, .closure = &nr
  };
  struct cs_backup_disk head;

  writers_heap = make_heap (&writer);
  say (writer, "uncommitted");
  ok (cs_store_backup (STORE, &params, &head, &err));
  CHECK (nr > 3 && generation (writer) == 4 && writer->log.len > 0);
  CHECK (head.superblock.generation == 1);
  ok (restore2 (BACKUP, NULL, false));
  CHECK (same_store (STORE, 1, COPY));
  ok (back_up (SECOND, 1));
  ok (restore2 (BACKUP, SECOND, true));
  CHECK (same_store (STORE, 4, COPY));
}

/* Commit NR times: pages change, become zeros, come and go.  */
static void
change (struct cs_store *store, char *heap, int nr)
{
  static char *more;

  for (int i = 0; i < nr; i++)
    {
      int n = (int) generation (store);

      memset (heap + n % HEAP_PAGES * PAGE, n * 3 + 1, 100);
      memset (heap + (n * 7 + 1) % HEAP_PAGES * PAGE, 0, PAGE);
      if (more)
        {
          CHECK (cs_store_unmap (store, more, 8 * PAGE) == 0);
          more = NULL;
        }
      else
        {
          more = cs_store_map (store, 8 * PAGE, RW, CS_EXTENT_HEAP);
          memset (more, n, 8 * PAGE);
        }
      commit_ok (store);
    }
}

/* Back up since each generation that is kept, and see what comes out.  */
static void
check_all_since (uint64_t newest)
{
  char name[32];

  for (uint64_t from = 1; from <= newest; from++)
    {
      snprintf (name, sizeof name, "full-%d", (int) from);
      ok (back_up (SECOND, from));
      ok (restore2 (name, SECOND, true));
      CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
      CHECK (unlink (SECOND) == 0);
    }
}

/* A full backup of each generation as it comes.  */
static void
back_up_each (struct cs_store *store, char *heap, int nr)
{
  char name[32];

  for (int i = 0; i < nr; i++)
    {
      change (store, heap, 1);
      snprintf (name, sizeof name, "full-%d", (int) generation (store));
      ok (back_up (name, 0));
    }
}

static void
since_each_generation (void)
{
  struct cs_store *store, *reader;
  char *heap = make_heap (&store);

  ok (back_up ("full-1", 0));
  back_up_each (store, heap, 3);
  check_all_since (4);          /* all in the log */
  settle_ok (store);
  check_all_since (4);          /* all in the history */
  reader = open_mode (CS_STORE_READ);
  back_up_each (store, heap, 3);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  check_all_since (7);          /* some here, some there */
  cs_store_close (reader);
  settle_ok (store);
  check_all_since (7);
}

/* The pages of an increment are those that changed.  */
static void
follows_the_change (void)
{
  static char buf[BYTES_MAX];
  const struct cs_backup_disk *head = (const void *) buf;
  const struct cs_entry_disk *index = (const void *) (buf + sizeof *head);
  struct cs_store *store;
  char *heap = make_heap (&store);
  size_t len;

  heap[3 * PAGE] = 7;
  commit_ok (store);
  heap[4 * PAGE] = 7;
  memset (heap + 6 * PAGE, 0, PAGE);
  commit_ok (store);
  for (int settled = 0; settled < 2; settled++)
    {
      ok (back_up (BACKUP, 2));
      len = unzipped (BACKUP, buf, sizeof buf);
      CHECK (head->from == 2 && head->nr == 2 && head->nr_data == 1);
      CHECK (len == sizeof *head + 2 * sizeof *index + PAGE);
      CHECK (index[1].page == index[0].page + 2 && index[1].sum == 0);
      CHECK (unlink (BACKUP) == 0);
      settle_ok (store);
    }
  ok (back_up (BACKUP, 3));
  CHECK (unzipped (BACKUP, buf, sizeof buf) == sizeof *head);
}

static int
back_up_since_backup (const char *since)
{
  struct cs_backup_params params = {
    .to = SECOND, .force = true, .since_backup = since
  };

  err = (struct cs_err) CS_ERR_INIT;
  return cs_store_backup (STORE, &params, NULL, &err);
}

static void
since_a_backup (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  ok (back_up (BACKUP, 0));
  change (store, heap, 2);
  ok (back_up_since_backup (BACKUP));
  ok (restore2 (BACKUP, SECOND, false));
  CHECK (same_store (STORE, 3, COPY));
  CHECK (back_up_since_backup (STORE) == -CS_E_DAMAGED);
  CHECK (back_up_since_backup ("missing") == -ENOENT && err.text[0]);
  /* Another store.  */
  ok (back_up ("c.gz", 0));
  settle_ok (store);
  close_and_unmap (store);
  CHECK (cs_store_clone (STORE, CS_STORE_NEWEST, COPY, true, &err) == 0);
  CHECK (rename (COPY, STORE) == 0);
  CHECK (back_up_since_backup ("c.gz") == -CS_E_REFUSED);
  CHECK (strstr (err.text, "'c.gz' is a backup of store "));
}

static void
not_kept (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  cs_store_set_history (store, 2);
  change (store, heap, 6);
  settle_ok (store);
  CHECK (back_up (BACKUP, 4) == -CS_E_REFUSED && !exists (BACKUP));
  CHECK (strstr (err.text, "generation 4 is not kept"));
  CHECK (strstr (err.advice, "5 to 7"));
  CHECK (back_up (BACKUP, 8) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "generation 8 is not kept"));
  ok (back_up (BACKUP, 5));
}

/* What does not follow the backup before it (B5).  */

static void
wrong_order (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  ok (back_up ("1", 0));
  change (store, heap, 1);
  ok (back_up ("1-2", 1));
  change (store, heap, 1);
  ok (back_up ("2-3", 2));
  CHECK (restore2 ("1-2", NULL, false) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "backup '1-2'") && strstr (err.advice, "--from"));
  CHECK (restore2 ("1", "2-3", false) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "starts from generation 2, but '1' leads to 1"));
  CHECK (restore2 ("1", "1", false) == -CS_E_REFUSED);
  CHECK (restore2 ("1-2", "2-3", false) == -CS_E_REFUSED && !exists (COPY));
  ok (cs_store_restore ((const char *[]) { "1", "1-2", "2-3" }, 3, COPY,
                        false, NULL, NULL, &err));
  CHECK (same_store (STORE, 3, COPY));
}

static void
another_store (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  ok (back_up (BACKUP, 0));
  change (store, heap, 1);
  settle_ok (store);
  close_and_unmap (store);
  ok (cs_store_clone (STORE, 1, COPY, false, &err));
  CHECK (rename (COPY, STORE) == 0);
  store = open_mode (CS_STORE_WRITE);
  change (store, heap, 1);
  ok (back_up (SECOND, 1));
  CHECK (restore2 (BACKUP, SECOND, false) == -CS_E_REFUSED && !exists (COPY));
  CHECK (strstr (err.text, "it is of store ") && strstr (err.text, BACKUP));
}

/* Two stores that were one until generation 1, and each have another
   generation 2, made in the same second.  */
static void
another_line (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  ok (back_up ("1", 0));
  heap[0] = 11;
  commit_ok (store);
  ok (back_up ("2", 0));
  settle_ok (store);
  close_and_unmap (store);
  CHECK (unlink (STORE) == 0);
  ok (restore2 ("1", NULL, false));
  CHECK (rename (COPY, STORE) == 0);
  store = open_mode (CS_STORE_WRITE);
  heap[0] = 22;
  commit_ok (store);
  heap[0] = 33;
  commit_ok (store);
  ok (back_up ("2-3", 2));
  CHECK (restore2 ("2", "2-3", false) == -CS_E_REFUSED && !exists (COPY));
  CHECK (strstr (err.text, "another generation 2 than '2' leads to"));
  ok (back_up ("1-3", 1));
  ok (restore2 ("1", "1-3", false));
}

/* What was in the way of a restored store: its older generations would be
   taken for its own.  */

static void
older_generations (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  struct cs_generation list[8];

  ok (back_up (BACKUP, 0));
  change (store, heap, 4);
  settle_ok (store);
  CHECK (exists (STORE "-history/4"));
  close_and_unmap (store);
  ok (cs_store_restore ((const char *[]) { BACKUP }, 1, STORE, true, NULL,
                        NULL, &err));
  CHECK (!exists (STORE "-history"));
  store = open_mode (CS_STORE_WRITE);
  change (store, heap, 2);
  settle_ok (store);
  CHECK (cs_store_history (store, list, 8) == 3);
}

/* Whoever is killed in the removal leaves them: they do not count.  */
static int
no_unlink (int dirfd, const char *name, int flags)
{
  (void) dirfd;
  (void) name;
  (void) flags;
  errno = EROFS;
  return -1;
}

static void
history_stays (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  struct cs_generation list[8];

  change (store, heap, 2);
  settle_ok (store);
  close_and_unmap (store);
  ok (back_up (BACKUP, 0));
  CHECK (exists (STORE "-history/1"));
  cs_sys.unlinkat = no_unlink;
  ok (cs_store_restore ((const char *[]) { BACKUP }, 1, STORE, true, NULL,
                        NULL, &err));
  CHECK (exists (STORE "-history/1"));
  store = open_mode (CS_STORE_READ);
  CHECK (cs_store_history (store, list, 8) == 1);
  cs_store_close (store);
  store = open_mode (CS_STORE_WRITE);
  change (store, heap, 2);
  settle_ok (store);            /* without a history, which is said */
  CHECK (exists (STORE "-history/1") && cs_store_history (store, list, 8) == 1);
  CHECK (strstr (store->warning, STORE "-history': Read-only"));
  close_and_unmap (store);
  cs_sys.unlinkat = unlinkat;
  store = open_mode (CS_STORE_WRITE);
  CHECK (!exists (STORE "-history/1"));
  change (store, heap, 2);
  settle_ok (store);
  change (store, heap, 2);
  settle_ok (store);
  CHECK (cs_store_history (store, list, 8) > 1);
}

/* A page that is not as it was written (B4).  */

static uint64_t
heap_off (int page)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  struct cs_extent_disk extents[8];
  size_t nr = cs_store_extents (store, extents, 8);
  uint64_t off = 0;

  for (size_t i = 0; i < nr; i++)
    if (extents[i].kind == CS_EXTENT_HEAP)
      off = extents[i].off;
  cs_store_close (store);
  CHECK (off > 0);
  return IMAGE_OFF + off + (uint64_t) page * PAGE;
}

static void
damage_is_found (const char *text)
{
  CHECK (back_up (BACKUP, 0) == -CS_E_DAMAGED && !exists (BACKUP));
  if (!strstr (err.text, text))
    fprintf (stderr, "%s\n", err.text);
  CHECK (strstr (err.text, text) && strstr (err.text, "page 0x"));
  CHECK (entries () == 1);
}

static void
damaged_pages (void)
{
  static const char zeros[PAGE];
  char page[PAGE], text[64];
  uint64_t off, sum_off;
  uint32_t sum, none = 0;

  make_closed ();
  off = heap_off (4);
  sum_off = CS_STORE_SUMS_OFF + (off - IMAGE_OFF) / PAGE * 4;
  peek (off, page, PAGE);
  peek (sum_off, &sum, sizeof sum);
  page[100] ^= 4;
  patch (off, page, PAGE);
  snprintf (text, sizeof text, "at offset %llu: checksum: expected 0x%08x",
            (unsigned long long) off, sum);
  damage_is_found (text);
  patch (off, zeros, PAGE);     /* lost */
  damage_is_found (text);
  page[100] ^= 4;
  patch (off, page, PAGE);
  patch (sum_off, &none, sizeof none);  /* its sum lost */
  damage_is_found ("expected 0x00000000");
  patch (sum_off, &sum, sizeof sum);
  patch (heap_off (5) + 8, "x", 1);     /* where there was nothing */
  damage_is_found ("expected 0x00000000");
  patch (heap_off (5), zeros, PAGE);
  ok (back_up (BACKUP, 0));
}

/* Backups that are not as they were written (B3).  */

static int
no_sync (int fd)
{
  (void) fd;
  return 0;
}

static void
cut_short (void)
{
  static char buf[BYTES_MAX];
  size_t len;

  make_closed ();
  ok (back_up (BACKUP, 0));
  len = slurp (BACKUP, buf, sizeof buf);
  CHECK (len > 100);
  cs_sys.fsync = no_sync;
  for (size_t n = 0; n < len; n++)
    {
      spit (SECOND, buf, n);
      CHECK (restore2 (SECOND, NULL, false) == -CS_E_DAMAGED);
      CHECK (strstr (err.text, "cut short"));
      CHECK (entries () == 3);
    }
  spit (SECOND, buf, len);
  ok (restore2 (SECOND, NULL, false));
  buf[len] = '\0';
  spit (SECOND, buf, len + 1);
  CHECK (restore2 (SECOND, NULL, true) == -CS_E_DAMAGED);
  memcpy (buf + len, buf, len);
  spit (SECOND, buf, 2 * len);
  CHECK (restore2 (SECOND, NULL, true) == -CS_E_DAMAGED);
}

static void
flipped_bits (void)
{
  static unsigned char buf[BYTES_MAX];
  size_t len;

  make_closed ();
  ok (back_up (BACKUP, 0));
  len = slurp (BACKUP, buf, sizeof buf);
  cs_sys.fsync = no_sync;
  for (size_t bit = 0; bit < 8 * len; bit++)
    {
      buf[bit / 8] ^= (unsigned char) (1 << bit % 8);
      spit (SECOND, buf, len);
      CHECK (restore2 (SECOND, NULL, false) == -CS_E_DAMAGED);
      CHECK (entries () == 3);
      buf[bit / 8] ^= (unsigned char) (1 << bit % 8);
    }
  CHECK (8 * len >= 1000);
  printf ("# figure: 0 of %zu flips of a backup unnoticed, all there are\n",
          8 * len);
  fflush (stdout);
}

/* Write a backup again with CHANGE made to what is in it, and a right CRC of
   its head.  */
static void
forge (void (*change_head) (struct cs_backup_disk *head))
{
  static char buf[BYTES_MAX];
  struct cs_backup_disk *head = (void *) buf;
  size_t len = unzipped (BACKUP, buf, sizeof buf);
  int fd = open (SECOND, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  struct cs_stream stream;

  change_head (head);
  cs_superblock_seal (&head->superblock);
  head->crc = (uint32_t) crc32 (0, (const Bytef *) head,
                                offsetof (struct cs_backup_disk, crc));
  CHECK (fd >= 0 && cs_stream_write_to (&stream, fd, 1) == 0);
  CHECK (cs_stream_write (&stream, buf, len) == 0);
  CHECK (cs_stream_finish (&stream) == 0);
  cs_stream_close (&stream);
  close (fd);
}

static void
no_change (struct cs_backup_disk *head)
{
  (void) head;
}

static void
other_version (struct cs_backup_disk *head)
{
  head->version = 99;
}

static void
other_store_version (struct cs_backup_disk *head)
{
  head->superblock.version = 99;
}

static void
no_base (struct cs_backup_disk *head)
{
  head->superblock.base = 0;
}

static void
too_many (struct cs_backup_disk *head)
{
  head->nr = UINT64_MAX / 8;
}

static void
one_less (struct cs_backup_disk *head)
{
  head->nr--;
}

static void
less_data (struct cs_backup_disk *head)
{
  head->nr_data--;
}

static void
from_later (struct cs_backup_disk *head)
{
  head->from = 77;
}

static void
short_image (struct cs_backup_disk *head)
{
  head->superblock.committed = PAGE;
}

static void
wrong_page (struct cs_backup_disk *head)
{
  char *pages = (char *) (head + 1)
                + head->nr * sizeof (struct cs_entry_disk);

  pages[PAGE + 5] ^= 1;
}

static void
wrong_index (struct cs_backup_disk *head)
{
  struct cs_entry_disk *index = (struct cs_entry_disk *) (head + 1);

  index[2].page++;
}

/* What only broken software, or somebody of ill will, could write.  */
static void
forged (void)
{
  static const struct
  {
    void (*change) (struct cs_backup_disk *head);
    int code;
  } cases[] = {
    { no_change, 0 },
    { other_version, CS_E_INCOMPATIBLE },
    { other_store_version, CS_E_INCOMPATIBLE },
    { no_base, CS_E_DAMAGED },
    { too_many, CS_E_DAMAGED },
    { one_less, CS_E_DAMAGED },
    { less_data, CS_E_DAMAGED },
    { from_later, CS_E_DAMAGED },
    { short_image, CS_E_DAMAGED },
    { wrong_page, CS_E_DAMAGED },
    { wrong_index, CS_E_DAMAGED }
  };

  make_closed ();
  ok (back_up (BACKUP, 0));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      forge (cases[i].change);
      CHECK (restore2 (SECOND, NULL, false) == -cases[i].code);
      CHECK (exists (COPY) == (cases[i].code == 0));
      unlink (COPY);
    }
}

static void
no_backups (void)
{
  gzFile gz = gzopen (BACKUP, "wb");

  CHECK (gz && gzclose (gz) == Z_OK);
  CHECK (restore2 (BACKUP, NULL, false) == -CS_E_DAMAGED);
  gz = gzopen (BACKUP, "wb");
  for (int i = 0; i < 100; i++)
    CHECK (gzputs (gz, "something else\n") > 0);
  CHECK (gzclose (gz) == Z_OK && cs_backup_recognize (BACKUP));
  CHECK (restore2 (BACKUP, NULL, false) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "not a backup of a store"));
  spit (BACKUP, "text", 4);
  CHECK (!cs_backup_recognize (BACKUP));
  CHECK (restore2 (BACKUP, NULL, false) == -CS_E_DAMAGED);
  CHECK (restore2 ("missing", NULL, false) == -ENOENT);
  CHECK (!cs_backup_recognize ("missing"));
  CHECK (restore2 (".", NULL, false) == -CS_E_REFUSED);
  CHECK (!cs_backup_recognize (".") && entries () == 1);
}

static void
refusals (void)
{
  make_closed ();
  ok (back_up (BACKUP, 0));
  CHECK (back_up (BACKUP, 0) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "exists already"));
  CHECK (strstr (err.advice, "--force"));
  CHECK (back_up ("missing/a.gz", 0) == -ENOENT);
  CHECK (back_up (STORE, 0) == -CS_E_REFUSED);
  CHECK (cs_store_backup (STORE, &(struct cs_backup_params) {
                            .to = STORE, .force = true }, NULL, &err)
         == -CS_E_REFUSED);
  CHECK (strstr (err.text, "the store itself"));
  CHECK (cs_store_restore ((const char *[]) { BACKUP }, 1, BACKUP, true, NULL,
                           NULL, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "'a.gz' itself"));
  CHECK (chmod (BACKUP, 0620) == 0);
  CHECK (restore2 (BACKUP, NULL, false) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "lets others write") && entries () == 2);
}

static void
change_machine (struct cs_superblock_disk *sb)
{
  sb->machine = 40;             /* EM_ARM */
  sb->word_len = 4;
  sb->base = PAGE;
  sb->reserved = (uint64_t) 1 << 31;
}

static void
other_machine (void)
{
  struct cs_store *store;

  /* The table of sums is of the same length, so the image is in its place.  */
  other_reserved = (uint64_t) 1 << 31;
  if (sizeof (void *) == 4)
    other_reserved = 64 << 20;
  store = create (false);
  commit_ok (store);
  close_and_unmap (store);
  if (sizeof (void *) == 8)
    change_superblock (change_machine);
  ok (back_up (BACKUP, 0));
  ok (restore2 (BACKUP, NULL, false));
  CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "B1, B2: what is restored is the store", full },
    { "B2: holes and zeros are left out", only_what_is_there },
    { "B1: commits meanwhile are not in it", beside_a_writer },
    { "B2: increments since each generation, from log and history",
      since_each_generation },
    { "B2: an increment has what changed", follows_the_change },
    { "an increment since a backup", since_a_backup },
    { "since a generation that is not kept", not_kept },
    { "B5: backups in the wrong order", wrong_order },
    { "B5: an increment of another store", another_store },
    { "B5: an increment of the same store after it was restored",
      another_line },
    { "older generations of a store that is replaced go", older_generations },
    { "or they count for nothing", history_stays },
    { "B4: damage in the store gets into no backup", damaged_pages },
    { "B3: a backup cut short anywhere, and one with more behind it",
      cut_short },
    { "B3: a flipped bit anywhere", flipped_bits },
    { "impossible heads", forged },
    { "no backups", no_backups },
    { "what is refused", refusals },
    { "a store of another machine", other_machine }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
