/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-recovery.c -- what is left by processes that were killed.

   Each case is one that tests/crash/ has found; there the same is looked for
   in all states that a power failure can leave.  */

#include <inttypes.h>

#include "store-numbers.h"

#include "store/history.h"

static struct cs_err err;

/* A store of which generations 1 to LAST have been committed and applied.  */
static struct cs_store *
start (uint64_t last)
{
  struct cs_store *store;

  make_store ("1");
  store = open_mode (CS_STORE_WRITE);
  for (uint64_t g = 2; g <= last; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  return store;
}

/* What is written, and what is synced after it.  */

static off_t log_off;
static bool wipe_is_pending;
static int dies_at = -1;        /* the superblock of this descriptor */

static ssize_t
watch_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  static const char zeros[8];

  if (log_off && off >= log_off)
    CHECK (!wipe_is_pending);
  if (off == log_off && memcmp (buf, zeros, sizeof zeros) == 0)
    wipe_is_pending = true;
  if (fd == dies_at && off < CS_STORE_LOCK_OFF)
    _exit (0);
  return pwrite (fd, buf, len, off);
}

static int
watch_fdatasync (int fd)
{
  wipe_is_pending = false;
  return fdatasync (fd);
}

/* Where power fails while a record is written over the log that was applied
   before, the heads of its records must not come back: the next opener would
   take the log for damaged.  */
static void
ends_of_logs (void)
{
  struct cs_store *store = start (2);

  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = watch_pwrite;
  cs_sys.fdatasync = watch_fdatasync;
  for (uint64_t g = 3; g < 6; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
}

static bool mark_is_pending;
static unsigned nr_image_writes;

static ssize_t
watch_mark (int fd, const void *buf, size_t len, off_t off)
{
  if (off == CS_STORE_MARK_OFF)
    mark_is_pending = true;
  else if (off >= CS_STORE_SUMS_OFF && off < log_off)
    {
      CHECK (!mark_is_pending);
      nr_image_writes++;
    }
  return pwrite (fd, buf, len, off);
}

static int
watch_sync_of_mark (int fd)
{
  mark_is_pending = false;
  return fdatasync (fd);
}

/* A4: the mark is on stable storage before the image changes.  */
static void
mark_comes_first (void)
{
  struct cs_store *store = start (2);

  log_off = (off_t) cs_log_off (store);
  commit_number (store, 3);
  cs_sys.pwrite = watch_mark;
  cs_sys.fdatasync = watch_sync_of_mark;
  CHECK (cs_store_apply (store, &err) == 0 && nr_image_writes > 0);
}

static int
fail_once (int fd)
{
  static bool failed;

  if (failed || fd < 0)
    return fdatasync (fd);
  failed = true;
  errno = EIO;
  return -1;
}

static int wipes;

static ssize_t
count_wipes (int fd, const void *buf, size_t len, off_t off)
{
  ssize_t n = pwrite (fd, buf, len, off);

  if (off == log_off && wipes++ == 0)
    cs_sys.fdatasync = fail_once;
  return n;
}

static void
end_cannot_be_synced (void)
{
  struct cs_store *store = start (2);

  commit_number (store, 3);
  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = count_wipes;
  CHECK (cs_store_apply (store, &err) == -EIO);
  CHECK (strstr (err.text, "sync the end of the log"));
  commit_number (store, 4);
  CHECK (store->log.broken && wipes == 1);      /* a whole new file */
  CHECK (file_says ("4"));
}

/* Another commit, or two that are applied together.  */
static void
die_while_applying (void)
{
  struct cs_store *reader = open_mode (CS_STORE_READ);
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_number (store, store->superblock.generation + 1);
  if (store->superblock.history == 1)
    commit_number (store, store->superblock.generation + 1);
  cs_store_close (reader);
  cs_sys.pwrite = watch_pwrite;
  dies_at = store->fd;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

/* Applying is cut off; then others commit, but cannot apply.  Older
   generations are still reached, and listed.  */
static void
cut_off (void)
{
  struct cs_generation list[16];
  struct cs_store *store = start (4), *reader;

  close_and_unmap (store);
  CHECK (in_child (die_while_applying) == 0);
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  commit_number (store, 6);
  commit_number (store, 7);
  CHECK (store->log.len > 0);
  CHECK (cs_store_history (reader, list, 16) == 5);
  CHECK (cs_store_history (store, list, 16) == 7);
  for (uint64_t g = 1; g <= 7; g++)
    {
      char text[16];

      CHECK (list[7 - g].generation == g);
      snprintf (text, sizeof text, "%" PRIu64, g);
      CHECK (generation_says (g, text));
    }
  cs_store_close (reader);
  CHECK (cs_store_settle (store, &err) == 0);
  for (uint64_t g = 1; g <= 7; g++)
    CHECK (generation_says (g, (char[]) { (char) ('0' + g), '\0' }));
}

static void
die_with_two (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_number (store, store->superblock.generation + 1);
  commit_number (store, store->superblock.generation + 1);
  cs_sys.pwrite = watch_pwrite;
  dies_at = store->fd;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

/* Two commits in the log have records in the history too: each generation is
   listed once.  */
static void
cut_off_and_listed (void)
{
  struct cs_generation list[16];
  struct cs_store *store = start (4);

  close_and_unmap (store);
  CHECK (in_child (die_with_two) == 0);
  store = open_mode (CS_STORE_READ);
  CHECK (cs_store_history (store, list, 16) == 6);
  for (uint64_t g = 1; g <= 6; g++)
    {
      char text[16];

      CHECK (list[6 - g].generation == g);
      snprintf (text, sizeof text, "%" PRIu64, g);
      CHECK (generation_says (g, text));
    }
}

/* The same when the history is longer from then on: what the first did not
   keep cannot be made any more.  */
static void
cut_off_before_more_history (void)
{
  struct cs_store *store = start (2), *reader;

  cs_store_set_history (store, 1);
  commit_number (store, 3);
  CHECK (cs_store_settle (store, &err) == 0);
  close_and_unmap (store);
  CHECK (in_child (die_while_applying) == 0);
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  cs_store_set_history (store, 8);
  commit_number (store, 6);
  cs_store_close (reader);
  CHECK (cs_store_settle (store, &err) == 0);
  CHECK (generation_says (5, "5") && generation_says (4, "4"));
  CHECK (cs_store_open_at (STORE, CS_STORE_READ, 3, &reader, &err)
         == -CS_E_REFUSED);
}

/* Only the newest generation can be had when the history was removed while
   applying was cut off: the image is half of this and half of that.  */
static void
cut_off_and_removed (void)
{
  struct cs_generation list[16];
  struct cs_store *store = start (2);

  close_and_unmap (store);
  CHECK (in_child (die_while_applying) == 0);
  CHECK (nftw (STORE "-history", remove_entry, 16, FTW_DEPTH | FTW_PHYS)
         == 0);
  CHECK (cs_store_open_at (STORE, CS_STORE_READ, 2, &store, &err)
         == -CS_E_REFUSED);
  store = open_mode (CS_STORE_READ);
  CHECK (cs_store_history (store, list, 16) == 1
         && list[0].generation == 3);
}

static off_t image_off;
static bool image_changed;

static ssize_t
die_with_image_changed (int fd, const void *buf, size_t len, off_t off)
{
  image_changed = image_changed || (off >= image_off && off < log_off);
  if (image_changed && off < CS_STORE_LOCK_OFF)
    _exit (0);
  return pwrite (fd, buf, len, off);
}

static void
die_without_history (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_number (store, store->superblock.generation + 1);
  image_off = (off_t) cs_store_image_off (&store->superblock);
  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = die_with_image_changed;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

/* The same where something is in the way of a history: a file in its directory
   that is not the store's.  */
static void
cut_off_without_history (void)
{
  struct cs_store *store = start (3);
  int fd = open (STORE "-history/3", O_WRONLY | O_CREAT, 0600);

  CHECK (fd >= 0 && write (fd, "mine", 4) == 4);
  close (fd);
  close_and_unmap (store);
  CHECK (in_child (die_without_history) == 0);
  CHECK (cs_store_open_at (STORE, CS_STORE_READ, 3, &store, &err)
         == -CS_E_REFUSED);
  CHECK (file_says ("4"));
}

static ino_t synced[64];
static size_t nr_synced;

static int
note_sync (int fd)
{
  struct stat st;

  CHECK (fstat (fd, &st) == 0 && nr_synced < 64);
  synced[nr_synced++] = st.st_ino;
  return 0;
}

static bool
is_synced (const char *path)
{
  struct stat st;
  bool found = false;

  CHECK (stat (path, &st) == 0);
  for (size_t i = 0; i < nr_synced; i++)
    found = found || synced[i] == st.st_ino;
  return found;
}

static int
die (int fd)
{
  (void) fd;
  _exit (0);
}

/* A store whose log has been used, and a heap where that was.  */
static char *
grow_into_log (struct cs_store **store)
{
  char *heap;

  other_reserved = (uint64_t) 256 << 20;
  *store = start (3);
  heap = (*store)->image + ((uint64_t) (*store)->log.start << 20);
  CHECK (cs_store_map_at (*store, heap, 64 * PAGE, RW, CS_EXTENT_HEAP) == 0);
  heap[63 * PAGE] = 1;
  return heap;
}

static void
growth (void)
{
  struct cs_store *store;
  char *heap = grow_into_log (&store);

  commit_number (store, 4);
  CHECK (cs_store_settle (store, &err) == 0);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  for (size_t i = 0; i < 63; i++)
    CHECK (cs_page_is_zero (heap + i * PAGE));
  CHECK (heap[63 * PAGE] == 1);
}

static int syncs_until_failure;

static int
fail_in_a_while (int fd)
{
  if (--syncs_until_failure != 0)
    return fdatasync (fd);
  errno = EIO;
  return -1;
}

/* The log was to be moved, and may be in one place or in the other: nothing
   may be written to it.  */
static void
move_fails (void)
{
  for (int nth = 1; nth <= 4; nth++)
    {
      struct cs_store *store;
      char *heap = grow_into_log (&store);

      syncs_until_failure = nth;
      cs_sys.fdatasync = fail_in_a_while;
      CHECK (cs_store_commit (store, &err) == -EIO);
      CHECK (cs_store_unmap (store, heap, 64 * PAGE) == 0);
      commit_number (store, 4);
      CHECK (file_says ("4"));
      CHECK (cs_history_forget (store, store->superblock.uuid) == 0);
      close_and_unmap (store);
      CHECK (unlink (STORE) == 0);
    }
}

static void
die_at_fsync (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_number (store, store->superblock.generation + 1);
  cs_sys.fsync = die;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

static void
die_at_fdatasync (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_number (store, store->superblock.generation + 1);
  cs_sys.fdatasync = die;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

static void
settle_and_end (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  settle_ok (store);
  close_and_unmap (store);
}

/* What the history's folder or file is named, and holds, counts for nothing
   until somebody has synced it.  */
static void
syncs_left_out (void)
{
  make_store ("1");
  CHECK (in_child (die_at_fsync) == 0 && access (STORE "-history", F_OK) == 0);
  cs_sys.fsync = cs_sys.fdatasync = note_sync;
  settle_and_end ();
  CHECK (is_synced ("."));
  CHECK (in_child (die_at_fdatasync) == 0
         && access (STORE "-history/2", F_OK) == 0);
  nr_synced = 0;
  settle_and_end ();
  CHECK (is_synced (STORE "-history/2") && is_synced (STORE "-history"));
}

/* What a process finds in the file that another has not synced (L6).  */

static bool is_unsynced;
static int syncs;

static ssize_t
write_what_is_synced (int fd, const void *buf, size_t len, off_t off)
{
  CHECK (!is_unsynced || off == CS_STORE_LOCK_OFF);
  return pwrite (fd, buf, len, off);
}

static int
sync_and_count (int fd)
{
  is_unsynced = false;
  syncs++;
  return fdatasync (fd);
}

static void
watch_syncs (void)
{
  is_unsynced = true;
  cs_sys.pwrite = write_what_is_synced;
  cs_sys.fdatasync = sync_and_count;
}

static int
cut_off_unsynced (int fd, off_t len)
{
  is_unsynced = true;
  return ftruncate (fd, len);
}

/* A power failure that keeps a record, but not what came before it: the image
   of that record would reach over what an older log has left.  */
static void
growth_is_synced (void)
{
  struct cs_store *store;

  grow_into_log (&store);
  is_unsynced = false;
  cs_sys.ftruncate = cut_off_unsynced;
  cs_sys.pwrite = write_what_is_synced;
  cs_sys.fdatasync = sync_and_count;
  commit_number (store, 4);
  CHECK (!is_unsynced);
}

static int
die_if_wiped (int fd)
{
  if (wipe_is_pending)
    _exit (0);
  return fdatasync (fd);
}

static void
die_before_end_is_synced (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = watch_pwrite;
  cs_sys.fdatasync = die_if_wiped;
  commit_number (store, store->superblock.generation + 1);
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

static void
end_left_out (void)
{
  struct cs_store *store = start (2);

  close_and_unmap (store);
  CHECK (in_child (die_before_end_is_synced) == 0);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len == 0 && store->superblock.generation == 3);
  watch_syncs ();
  commit_number (store, 4);
  CHECK (!is_unsynced && syncs == 2);
  CHECK (cs_store_settle (store, &err) == 0);
  close_and_unmap (store);
  /* There is nothing to be synced after a process that has ended well.  */
  store = open_mode (CS_STORE_WRITE);
  syncs = 0;
  commit_number (store, 5);
  CHECK (syncs == 1);
}

static void
die_committing (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  cs_sys.fdatasync = die;
  commit_number (store, store->superblock.generation + 1);
  CHECK (!"to be reached");
}

static void
commit_left_out (void)
{
  struct cs_store *store = start (2), *reader;

  close_and_unmap (store);
  CHECK (in_child (die_committing) == 0 && file_says ("3"));
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len > 0);
  watch_syncs ();
  commit_number (store, 4);     /* behind it */
  cs_store_close (reader);
  CHECK (cs_store_settle (store, &err) == 0);
  close_and_unmap (store);
  CHECK (in_child (die_committing) == 0 && file_says ("5"));
  watch_syncs ();
  store = open_mode (CS_STORE_WRITE);
  settle_ok (store);                    /* over the image */
  CHECK (!is_unsynced);
}

/* It may never be synced.  */
static void
left_out_for_good (void)
{
  struct cs_store *store = start (2), *reader;

  close_and_unmap (store);
  CHECK (in_child (die_committing) == 0);
  syncs_until_failure = 1;
  cs_sys.fdatasync = fail_in_a_while;
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_settle (store, &err) == -EIO
         && strstr (err.text, "sync what was left in the log"));
  close_and_unmap (store);
  CHECK (file_says ("3"));
  err = (struct cs_err) CS_ERR_INIT;
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  syncs_until_failure = 1;
  say (store, "4");
  CHECK (cs_store_commit (store, &err) == -EIO && store->log.broken);
  CHECK (file_says ("3"));
  commit_number (store, 4);     /* a whole new file */
  cs_store_close (reader);
  CHECK (file_says ("4"));
}

static int
die_at_folder (int fd)
{
  struct stat st;

  CHECK (fstat (fd, &st) == 0);
  if (S_ISDIR (st.st_mode))
    _exit (0);
  return 0;
}

static void
die_creating (void)
{
  struct cs_store *store = create (true);
  void *addr;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  strcpy (addr, "new");
  cs_sys.fsync = die_at_folder;
  cs_store_commit (store, &err);
  CHECK (!"to be reached");
}

static void
name_left_out (void)
{
  struct cs_store *store;

  make_store ("old");
  CHECK (in_child (die_creating) == 0 && file_says ("new"));
  store = open_mode (CS_STORE_WRITE);
  cs_sys.fsync = cs_sys.fdatasync = note_sync;
  commit_number (store, 2);
  CHECK (is_synced (".") && is_synced (STORE));
  nr_synced = 0;
  commit_number (store, 3);
  CHECK (!is_synced (".") && is_synced (STORE));
}

static unsigned nr_named;

static void
check_synced (int dirfd, const char *name)
{
  struct stat st;
  bool found = false;

  CHECK (fstatat (dirfd, name, &st, 0) == 0);
  for (size_t i = 0; i < nr_synced; i++)
    found = found || synced[i] == st.st_ino;
  CHECK (found);
  nr_named++;
}

static int
link_when_synced (int old_dirfd, const char *old_name, int new_dirfd,
                  const char *new_name, int flags)
{
  check_synced (old_dirfd, old_name);
  return linkat (old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int
rename_when_synced (int old_dirfd, const char *old_name, int new_dirfd,
                    const char *new_name, unsigned int flags)
{
  check_synced (old_dirfd, old_name);
  return renameat2 (old_dirfd, old_name, new_dirfd, new_name, flags);
}

/* A new file has a name once it is on stable storage, whatever it is a new file
   for.  */
static void
named_when_synced (void)
{
  struct cs_store *store = start (2);

  cs_sys.fsync = cs_sys.fdatasync = note_sync;
  cs_sys.linkat = link_when_synced;
  cs_sys.renameat2 = rename_when_synced;
  store->log.broken = true;
  commit_number (store, 3);
  CHECK (nr_named > 0 && is_synced ("."));
  close_and_unmap (store);
  for (int force = 0; force < 2; force++)
    {
      nr_named = 0;
      nr_synced = 0;
      CHECK (cs_store_clone (STORE, CS_STORE_NEWEST, "b.store", force, &err)
             == 0);
      CHECK (nr_named > 0 && is_synced ("."));
    }
}

static unsigned nr_removed;

static int
remove_when_synced (int dirfd, const char *name, int flags)
{
  CHECK (is_synced ("."));
  nr_removed++;
  return unlinkat (dirfd, name, flags);
}

/* The same of a store that replaces another one: the records of that stay until
   a power failure cannot bring it back.  */
static void
replacing_left_out (void)
{
  struct cs_store *store = start (3);

  close_and_unmap (store);
  CHECK (access (STORE "-history/2", F_OK) == 0);
  CHECK (in_child (die_creating) == 0 && file_says ("new"));
  cs_sys.fsync = cs_sys.fdatasync = note_sync;
  cs_sys.unlinkat = remove_when_synced;
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_apply (store, &err) == 0);
  CHECK (nr_removed >= 2 && access (STORE "-history/2", F_OK) < 0);
}

static int
keep_records (int dirfd, const char *name, int flags)
{
  if (*name < '0' || *name > '9')
    return unlinkat (dirfd, name, flags);
  errno = EPERM;
  return -1;
}

/* They never count, and go as soon as they can.  */
static void
replaced_later (void)
{
  struct cs_store *store = start (3);
  void *addr;

  close_and_unmap (store);
  cs_sys.unlinkat = keep_records;
  store = create (true);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  for (uint64_t g = 1; g <= 3; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
      CHECK (access (STORE "-history/2", F_OK) == 0);
    }
  close_and_unmap (store);
  CHECK (cs_store_open_at (STORE, CS_STORE_READ, 2, &store, &err)
         == -CS_E_REFUSED);
  cs_sys.unlinkat = unlinkat;
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_apply (store, &err) == 0);
  CHECK (access (STORE "-history/2", F_OK) < 0);
}

static size_t
mappings (void)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  size_t nr = 0;

  CHECK (maps);
  for (int c; (c = fgetc (maps)) != EOF;)
    nr += c == '\n';
  fclose (maps);
  return nr;
}

static void
many_openings (void)
{
  size_t before;

  close_and_unmap (start (6));
  CHECK (generation_says (2, "2"));
  before = mappings ();
  for (int i = 0; i < 20; i++)
    CHECK (generation_says (2, "2"));
  CHECK (mappings () <= before + 3);    /* an allocator's, perhaps */
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "A2: a log is not written over before its end is synced",
      ends_of_logs },
    { "A2: the same when that sync fails", end_cannot_be_synced },
    { "A4: the image is marked before it changes", mark_comes_first },
    { "H2: applying is cut off, and others commit", cut_off },
    { "H2: the same with two commits, which are listed once",
      cut_off_and_listed },
    { "H1: the same, and the history becomes longer",
      cut_off_before_more_history },
    { "H2: the same, and the history is removed", cut_off_and_removed },
    { "H2: the same without a history, as something is in its place",
      cut_off_without_history },
    { "H1: syncs that a killed process left out", syncs_left_out },
    { "a heap that grows to where the log was is empty", growth },
    { "L8: what older logs left is cut off before there is a record",
      growth_is_synced },
    { "L5: the log is not used after it could not be moved", move_fails },
    { "L6: the end of a log that a killed process did not sync",
      end_left_out },
    { "L6: a commit that a killed process did not sync", commit_left_out },
    { "L6: the same when that sync fails", left_out_for_good },
    { "L7: a name that a killed process did not sync", name_left_out },
    { "L7: a file is synced before it has a name", named_when_synced },
    { "L7: the same of a store that replaces another", replacing_left_out },
    { "records of a replaced store that could not be removed",
      replaced_later },
    { "what an older generation needs is given back", many_openings }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
