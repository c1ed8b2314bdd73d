/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-store.h -- a small store that each input changes, and what is done
   with it then.

   The working folder becomes a fresh one below $TMPDIR, which is removed
   when the process ends.  The store in it is written by libcs itself, once;
   before each input its files are made what they were.  Its region has always
   the same place and size, and is unmapped after each input.  */
#ifndef CS_FUZZ_STORE_H
#define CS_FUZZ_STORE_H

#include <dirent.h>
#include <inttypes.h>
#include <zlib.h>

#include "store/history.h"
#include "store/sys.h"

#include "fuzz.h"
#include "store-fixture.h"

#define FUZZ_RESERVED ((uint64_t) 16 << 20)
#define FUZZ_HEAP 12            /* pages */
#define HISTORY STORE "-history"

static const uint64_t fuzz_image
  = CS_STORE_SUMS_OFF + FUZZ_RESERVED / CS_STORE_PAGE_LEN * 4;

static struct cs_err fuzz_err;

static char fuzz_folder[256];
static pid_t fuzz_owner;

static inline void
fuzz_leave_folder (void)
{
  if (getpid () == fuzz_owner)
    nftw (fuzz_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
fuzz_enter_folder (void)
{
  const char *tmp = getenv ("TMPDIR");

  snprintf (fuzz_folder, sizeof fuzz_folder, "%s/cs-fuzz-XXXXXX",
            tmp ? tmp : "/tmp");
  REQUIRE (mkdtemp (fuzz_folder) && chdir (fuzz_folder) == 0);
  fuzz_owner = getpid ();
  atexit (fuzz_leave_folder);
}

static bool fuzz_with_log;

static inline void
fuzz_say_number (struct cs_store *store, char *heap, unsigned number)
{
  char text[16];

  snprintf (text, sizeof text, "%u", number);
  say (store, text);
  memset (heap + number % 5 * PAGE, (int) number, 8);
  memset (heap + 9 * PAGE, number % 2 ? 0 : 7, 8);
  commit_ok (store);
}

/* Give the store, which has not been committed yet, a small extent table, so
   that all of it is read in no time.  */
static void
fuzz_make_small (struct cs_store *store)
{
  struct cs_directory_disk *d = cs_directory (store);
  struct cs_extent_disk *first = cs_extent_table (store);
  uint64_t len = first->len;

  d->extents_max = 64;
  first->len = store->directory_len = cs_directory_len (d);
  CHECK (munmap (store->image + first->len, len - first->len) == 0);
  CHECK (mmap (store->image + first->len, len - first->len, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
         == store->image + first->len);
  CHECK (cs_store_check (store, NULL) == 0);
}

/* Generations 1 to 3 in image and history; two more in the log, if
   fuzz_with_log.  Ends without closing, as by a signal, so that the log
   stays.  The uuid is always the same, so that cases stay what they are.  */
static inline void
fuzz_make_store (void)
{
  struct cs_store *store, *reader;
  void *addr;
  char *heap;

  other_reserved = FUZZ_RESERVED;
  store = create (false);
  memset (store->superblock.uuid, 0x5a, sizeof store->superblock.uuid);
  fuzz_make_small (store);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (store, FUZZ_HEAP * PAGE, RW, CS_EXTENT_HEAP);
  memset (heap, 1, 16);
  for (unsigned g = 1; g <= 3; g++)
    fuzz_say_number (store, heap, g);
  CHECK (cs_store_settle (store, &fuzz_err) == 0);
  if (!fuzz_with_log)
    return;
  reader = open_mode (CS_STORE_READ);
  fuzz_say_number (store, heap, 4);
  CHECK (cs_store_unmap (store, heap + 10 * PAGE, 2 * PAGE) == 0);
  fuzz_say_number (store, heap, 5);
  CHECK (cs_store_apply (store, &fuzz_err) == 0 && store->log.len > 0);
  (void) reader;
}

/* A file as it was written: its parts with data.  */

struct fuzz_part
{
  uint64_t off, len;
  char *data;
};

struct fuzz_file
{
  char name[64];
  uint64_t len;
  size_t nr;
  struct fuzz_part parts[32];
};

static struct fuzz_file fuzz_store_file, fuzz_history[8];
static size_t fuzz_nr_history;

static inline void
fuzz_load (struct fuzz_file *file, const char *name)
{
  int fd = open (name, O_RDONLY);
  off_t off, end;

  REQUIRE (fd >= 0 && strlen (name) < sizeof file->name);
  strcpy (file->name, name);
  file->len = (uint64_t) lseek (fd, 0, SEEK_END);
  for (off = 0; (off = lseek (fd, off, SEEK_DATA)) >= 0; off = end)
    {
      struct fuzz_part *part = &file->parts[file->nr++];

      REQUIRE (file->nr <= sizeof file->parts / sizeof *file->parts);
      end = lseek (fd, off, SEEK_HOLE);
      *part = (struct fuzz_part) { (uint64_t) off, (uint64_t) (end - off),
                                   malloc ((size_t) (end - off)) };
      REQUIRE (part->data && pread (fd, part->data, (size_t) part->len, off)
                             == (ssize_t) part->len);
    }
  close (fd);
}

static inline void
fuzz_restore_file (const struct fuzz_file *file)
{
  int fd;

  /* A new file: some file systems write out at once what was truncated.  */
  unlink (file->name);
  fd = open (file->name, O_RDWR | O_CREAT | O_EXCL, 0600);
  REQUIRE (fd >= 0 && ftruncate (fd, (off_t) file->len) == 0);
  for (size_t i = 0; i < file->nr; i++)
    REQUIRE (pwrite (fd, file->parts[i].data, (size_t) file->parts[i].len,
                     (off_t) file->parts[i].off)
             == (ssize_t) file->parts[i].len);
  close (fd);
}

/* No power fails here: a disk is not waited for.  */

static inline int
fuzz_no_sync (int fd)
{
  (void) fd;
  return 0;
}

static inline int
fuzz_no_wait (const struct timespec *time, struct timespec *left)
{
  (void) time;
  (void) left;
  return 0;
}

static inline int
fuzz_no_sync_range (int fd, off_t off, off_t len, unsigned int flags)
{
  (void) off;
  (void) len;
  (void) flags;
  return fuzz_no_sync (fd);
}

/* Make the store, in a process of its own, and remember its files.  */
static inline void
fuzz_prepare (bool with_log)
{
  struct dirent *entry;
  DIR *folder;

  if (fuzz_store_file.nr > 0)
    return;
  cs_sys.fsync = cs_sys.fdatasync = fuzz_no_sync;
  cs_sys.nanosleep = fuzz_no_wait;
  cs_sys.sync_file_range = fuzz_no_sync_range;
  fuzz_with_log = with_log;
  fuzz_enter_folder ();
  REQUIRE (in_child (fuzz_make_store) == 0);
  fuzz_load (&fuzz_store_file, STORE);
  folder = opendir (HISTORY);
  while (folder && (entry = readdir (folder)))
    if (entry->d_name[0] != '.')
      {
        char name[300];

        snprintf (name, sizeof name, HISTORY "/%s", entry->d_name);
        fuzz_load (&fuzz_history[fuzz_nr_history++], name);
      }
  REQUIRE (fuzz_nr_history >= 2);
  closedir (folder);
}

/* Remove what an input has led to, and have the store as it was.  */
static inline void
fuzz_begin (void)
{
  struct dirent *entry;
  DIR *folder;

  REQUIRE (mkdir (HISTORY, 0700) == 0 || errno == EEXIST);
  folder = opendir (HISTORY);
  REQUIRE (folder);
  while ((entry = readdir (folder)))
    unlinkat (dirfd (folder), entry->d_name, 0);
  closedir (folder);
  fuzz_restore_file (&fuzz_store_file);
  for (size_t i = 0; i < fuzz_nr_history; i++)
    fuzz_restore_file (&fuzz_history[i]);
}

/* The lowest free descriptor where the store layer keeps its own.  */
static inline int
fuzz_free_descriptor (void)
{
  int fd = fcntl (STDERR_FILENO, F_DUPFD, 56);

  close (fd);
  return fd;
}

static inline void
fuzz_count_damage (void *closure, const struct cs_damage *damage)
{
  REQUIRE (damage->structure && damage->structure[0]);
  ++*(size_t *) closure;
}

/* Open a store; NULL if it is refused.  */
static inline struct cs_store *
fuzz_open (const char *path, enum cs_store_mode mode, uint64_t generation)
{
  int before = fuzz_free_descriptor ();
  struct cs_store *store = NULL;
  int r;

  fuzz_err = (struct cs_err) CS_ERR_INIT;
  r = cs_store_open_at (path, mode, generation, &store, &fuzz_err);
  fuzz_answer (r, &fuzz_err);
  REQUIRE (r == 0 || (!store && before == fuzz_free_descriptor ()));
  return store;
}

static inline void
fuzz_close (struct cs_store *store)
{
  if (store->mode == CS_STORE_READ)
    cs_store_close (store);
  else
    close_and_unmap (store);
}

/* S1 to S3 once more, said in another way than cs_store_check() does.  */
static inline void
fuzz_check_ranges (const struct cs_store *store)
{
  const struct cs_directory_disk *d = (const void *) store->image;
  const struct cs_extent_disk *e = cs_extent_table (store);

  REQUIRE (e[0].off == 0 && e[0].kind == CS_EXTENT_DIRECTORY);
  for (uint32_t i = 0; i < d->nr_extents; i++)
    {
      REQUIRE (e[i].len > 0 && e[i].len <= store->superblock.reserved
               && e[i].off <= store->superblock.reserved - e[i].len
               && e[i].off % PAGE == 0 && e[i].len % PAGE == 0);
      REQUIRE (i == 0 || e[i - 1].off + e[i - 1].len <= e[i].off);
    }
  for (uint32_t i = 0; i < d->nr_sections; i++)
    {
      const struct cs_section_disk *s = &d->sections[i];
      unsigned inside = 0;

      for (uint32_t k = 0; k < d->nr_extents; k++)
        inside += e[k].off <= s->off && s->len <= e[k].len
                  && s->off - e[k].off <= e[k].len - s->len;
      REQUIRE (inside == 1 && s->len > 0);
    }
}

/* Read a byte of each page of sections and extents; how many pages.  */
static inline size_t
fuzz_touch (const struct cs_store *store)
{
  const struct cs_directory_disk *d = (const void *) store->image;
  const struct cs_extent_disk *e = cs_extent_table (store);
  volatile char sink = 0;
  size_t nr = 0;

  for (uint32_t i = 0; i < d->nr_extents; i++)
    for (uint64_t off = 0; off < e[i].len && nr < 10000; off += PAGE)
      {
        const char *byte = cs_store_view (store, store->superblock.base
                                                 + e[i].off + off, PAGE);

        if (byte)
          {
            sink ^= byte[0];
            sink ^= byte[PAGE - 1];
            nr++;
          }
      }
  for (uint32_t i = 0; i < d->nr_sections; i++)
    {
      char name[sizeof d->sections[i].name + 1] = "";
      const char *section;
      size_t len;

      memcpy (name, d->sections[i].name, sizeof d->sections[i].name);
      section = cs_store_section (store, name, &len);
      REQUIRE (section && len == d->sections[i].len);
      sink ^= section[0];
      sink ^= section[len - 1];
    }
  (void) sink;
  return nr;
}

/* The CRC-32 of all pages of the generation that is open.  */
static inline uint32_t
fuzz_contents (const struct cs_store *store)
{
  enum { CHUNK = 64 };
  static char pages[CHUNK * CS_STORE_PAGE_LEN] __attribute__ ((aligned (8)));
  uint64_t end = store->superblock.committed / PAGE, nr;
  uLong crc = crc32 (0, NULL, 0);

  for (uint64_t page = 0; page < end; page += nr)
    {
      nr = end - page < CHUNK ? end - page : CHUNK;
      REQUIRE (cs_committed_read (store, page, nr, pages) == 0);
      for (uint64_t i = page; i < page + nr; i++)
        if (!cs_page_is_zero (pages + (i - page) * PAGE))
          {
            crc = crc32 (crc, (const Bytef *) &i, sizeof i);
            crc = crc32 (crc, (const Bytef *) pages + (i - page) * PAGE,
                         PAGE);
          }
    }
  return (uint32_t) crc;
}

/* What reading one generation gave.  */
struct fuzz_seen
{
  bool opened;
  uint64_t generation;
  uint32_t contents;
  size_t damages;
};

/* All that is done with a store that is only read.  */
static inline struct fuzz_seen
fuzz_read (const char *path, uint64_t generation)
{
  struct cs_store *store = fuzz_open (path, CS_STORE_READ, generation);
  struct fuzz_seen seen = { .opened = store != NULL };
  struct cs_generation *list;
  struct cs_damage damage;
  size_t nr;
  int r;

  if (!store)
    return seen;
  r = cs_store_check (store, &fuzz_err);
  fuzz_answer (r, &fuzz_err);
  REQUIRE (r == 0);
  fuzz_check_ranges (store);
  fuzz_touch (store);
  list = cs_store_generations (store, &nr);
  REQUIRE (list);
  for (size_t i = 1; i < nr; i++)
    REQUIRE (list[i].generation < list[i - 1].generation);
  free (list);
  r = cs_store_verify (store, fuzz_count_damage, &seen.damages, &fuzz_err);
  fuzz_answer (r, &fuzz_err);
  r = cs_store_find_damage (store, &damage);
  REQUIRE (r <= 1);
  seen.generation = cs_store_superblock (store)->generation;
  seen.contents = fuzz_contents (store);
  cs_store_close (store);
  return seen;
}

/* What a run of the workspace does: open, use, commit, apply.  What it had
   before is SEEN; what it makes of that is read again.  */
static inline void
fuzz_write (const struct fuzz_seen *seen)
{
  struct cs_store *store = fuzz_open (STORE, CS_STORE_WRITE,
                                      CS_STORE_NEWEST);
  struct fuzz_seen after;
  void *addr;

  if (!store)
    return;
  REQUIRE (seen->opened
           && cs_store_superblock (store)->generation == seen->generation);
  fuzz_answer (cs_store_apply (store, &fuzz_err), &fuzz_err);
  fuzz_close (store);
  after = fuzz_read (STORE, CS_STORE_NEWEST);
  REQUIRE (after.opened && after.generation == seen->generation
           && after.contents == seen->contents);
  store = fuzz_open (STORE, CS_STORE_WRITE, CS_STORE_NEWEST);
  REQUIRE (store);
  addr = cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP);
  if (addr)
    memset (addr, 3, 9);
  fuzz_err = (struct cs_err) CS_ERR_INIT;
  if (cs_store_commit (store, &fuzz_err) == 0 && addr)
    {
      REQUIRE (cs_store_check (store, NULL) == 0);
      cs_store_settle (store, &fuzz_err);
      fuzz_close (store);
      after = fuzz_read (STORE, CS_STORE_NEWEST);
      REQUIRE (after.opened && after.generation == seen->generation + 1);
    }
  else
    fuzz_close (store);
}

/* Where the log begins in the store's file.  */
static inline uint64_t
fuzz_log_off (void)
{
  struct cs_superblock_disk sb;

  peek (0, &sb, sizeof sb);
  return fuzz_image + ((uint64_t) sb.log_start << 20);
}

/* Where the file of a harness is changed.  */
static inline void
fuzz_patch (const char *path, uint64_t off, const void *bytes, size_t len)
{
  int fd = open (path, O_RDWR | O_CREAT, 0600);

  REQUIRE (fd >= 0);
  REQUIRE (pwrite (fd, bytes, len, (off_t) off) == (ssize_t) len);
  close (fd);
}

#endif
