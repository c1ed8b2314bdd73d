/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-direct.c -- new pages are put into the image before the commit
   (commit.c, G1 to G4).  */

#include <sys/resource.h>

#include "backup-fixture.h"
#include "fault-loop.h"

#include "store/direct.h"

#define MORE 3000               /* new pages: several pieces, and 11 MiB */
#define STEP 7                  /* each page with such a number is zeros */
#define SAVED "saved.store"

static int more_pages = MORE;

/* Behind all that is there: new pages, most of them in place.  NULL if there is
   no memory.  */
static char *
try_add (struct cs_store *store, int n)
{
  size_t nr = cs_directory (store)->nr_extents;
  char *more = store->image + cs_extent_end (&cs_extent_table (store)[nr - 1]);

  if (cs_store_map_at (store, more, (size_t) more_pages * PAGE, RW,
                       CS_EXTENT_HEAP) < 0)
    return NULL;
  for (int i = 0; i < more_pages; i++)
    if (i % STEP != n % STEP)
      *(int *) (more + i * (int) PAGE + 8 * (i % 100)) = i + n;
  cs_direct_threshold = (uint64_t) more_pages / 50 * PAGE;
  return more;
}

static char *
add (struct cs_store *store, int n)
{
  char *more = try_add (store, n);

  CHECK (more);
  return more;
}

static bool
is_there (const char *more, int n)
{
  for (int i = 0; i < more_pages; i++)
    if (*(const int *) (more + i * (int) PAGE + 8 * (i % 100))
        != (i % STEP != n % STEP ? i + n : 0))
      return false;
  return true;
}

static void
count (void *closure, const struct cs_damage *damage)
{
  (void) damage;
  ++*(int *) closure;
}

static int
damages (const char *path, uint64_t generation)
{
  struct cs_store *store;
  int nr = 0;

  ok (cs_store_open_at (path, CS_STORE_READ, generation, &store, &err));
  ok (cs_store_verify (store, count, &nr, &err));
  cs_store_close (store);
  return nr;
}

static uint64_t
disk_usage (void)
{
  struct stat st;

  CHECK (stat (STORE, &st) == 0);
  return (uint64_t) st.st_blocks * 512;
}

/* The new pages are written once: the log has those below the threshold, and
   nothing is left to be put into the image but these.  */
static void
written_once (void)
{
  struct cs_store *store;
  struct cs_generation list[4];
  char *more;

  make_heap (&store);
  more = add (store, 1);
  commit_ok (store);
  CHECK (store->log.len < 100 * PAGE);
  CHECK (cs_store_history (store, list, 4) == 2
         && list[0].changed >= MORE - MORE / STEP - 1
         && list[0].changed <= MORE - MORE / STEP + 8);
  settle_ok (store);
  CHECK (cs_store_history (store, list, 4) == 2
         && list[0].changed >= MORE - MORE / STEP - 1);
  CHECK (is_there (more, 1));
  commit_ok (store);
  CHECK (store->superblock.generation == 2 && is_there (more, 1));
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (is_there (more, 1) && damages (STORE, CS_STORE_NEWEST) == 0);
}

/* Generations before, a copy of one, and increments, also where the pages
   change again.  */
static void
older_generations (void)
{
  struct cs_store *store;
  char *more;

  make_heap (&store);
  ok (back_up (BACKUP, 0));
  more = add (store, 1);
  commit_ok (store);
  settle_ok (store);
  ok (back_up (SECOND, 1));
  ok (restore2 (BACKUP, SECOND, false));
  CHECK (same_store (STORE, 2, COPY));
  CHECK (unlink (SECOND) == 0);
  memset (more, 5, 3 * PAGE);
  memset (more + 9 * PAGE, 0, PAGE);
  add (store, 2);
  commit_ok (store);
  ok (back_up (SECOND, 1));
  ok (restore2 (BACKUP, SECOND, true));
  CHECK (same_store (STORE, 3, COPY));
  settle_ok (store);
  for (uint64_t g = 1; g <= 3; g++)
    {
      CHECK (damages (STORE, g) == 0);
      ok (cs_store_clone (STORE, g, COPY, true, &err));
      CHECK (damages (COPY, CS_STORE_NEWEST) == 0);
      CHECK (same_pages (STORE, g, COPY, false));
    }
  close_and_unmap (store);
  ok (cs_store_open_at (STORE, CS_STORE_EPHEMERAL, 2, &store, &err));
  CHECK (is_there (more, 1));
}

/* A reader that was there before keeps what it has, and finds nothing wrong; the
   log, and who comes now, have the new pages.  */
static void
beside_a_reader (void)
{
  struct cs_store *store, *reader;
  char *heap = make_heap (&store), *more;
  const char *page;
  int nr = 0;

  reader = open_mode (CS_STORE_READ);
  more = add (store, 1);
  heap[0] = 99;
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  page = cs_store_view (reader, (uintptr_t) heap, PAGE);
  CHECK (page && page[0] == 1);
  ok (cs_store_verify (reader, count, &nr, &err));
  CHECK (nr == 0 && damages (STORE, CS_STORE_NEWEST) == 0);
  ok (cs_store_clone (STORE, CS_STORE_NEWEST, COPY, true, &err));
  CHECK (same_pages (STORE, 2, COPY, false));
  cs_store_close (reader);
  settle_ok (store);
  CHECK (is_there (more, 1) && damages (STORE, CS_STORE_NEWEST) == 0);
}

static int pwrites;             /* until one ends the process or fails */

static ssize_t
kill_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  if (--pwrites == 0)
    kill (getpid (), SIGKILL);
  return pwrite (fd, buf, len, off);
}

static ssize_t
full_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  if (--pwrites > 0)
    return pwrite (fd, buf, len, off);
  errno = ENOSPC;
  return -1;
}

static void
die_in_commit (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  add (store, 1);
  pwrites = 300;
  cs_sys.pwrite = kill_pwrite;
  cs_store_commit (store, &err);
}

/* What is left of a commit that was killed is not damage, and goes away with the
   next one who leaves, or under other pages.  */
static void
killed (void)
{
  struct cs_store *store;
  uint64_t before;
  char *more;

  make_closed ();
  before = disk_usage ();
  CHECK (in_child (die_in_commit) == 128 + SIGKILL);
  CHECK (disk_usage () > before + MORE / 4 * PAGE);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  ok (cs_store_clone (STORE, CS_STORE_NEWEST, COPY, true, &err));
  CHECK (damages (COPY, CS_STORE_NEWEST) == 0);
  CHECK (in_child (die_in_commit) == 128 + SIGKILL);
  store = open_mode (CS_STORE_WRITE);
  more = add (store, 2);
  memset (more + 1000 * PAGE, 0, 1000 * PAGE);
  commit_ok (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  settle_ok (store);
  close_and_unmap (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  CHECK (disk_usage () < before + (MORE - 800) * PAGE);
}

static void
killed_and_left (void)
{
  struct cs_store *store;
  uint64_t before;

  make_closed ();
  before = disk_usage ();
  CHECK (in_child (die_in_commit) == 128 + SIGKILL);
  store = open_mode (CS_STORE_WRITE);
  say (store, "goes on");
  commit_ok (store);
  settle_ok (store);
  close_and_unmap (store);
  CHECK (disk_usage () < before + 64 * PAGE);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0 && file_says ("goes on"));
}

static off_t
lseek_without_holes (int fd, off_t off, int whence)
{
  errno = EINVAL;
  return whence == SEEK_DATA || whence == SEEK_HOLE ? -1
         : lseek (fd, off, whence);
}

/* Where the file system cannot tell holes from data.  */
static void
killed_without_holes (void)
{
  struct cs_store *store;
  uint64_t before;

  make_closed ();
  before = disk_usage ();
  CHECK (in_child (die_in_commit) == 128 + SIGKILL);
  store = open_mode (CS_STORE_WRITE);
  add (store, 2);
  memset (store->image + store->superblock.committed, 0, 2000 * PAGE);
  cs_sys.lseek = lseek_without_holes;
  commit_ok (store);
  settle_ok (store);
  close_and_unmap (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  CHECK (disk_usage () < before + (MORE - 1800) * PAGE);
}

static int syncs;               /* until one fails */

static int
fail_fdatasync (int fd)
{
  if (--syncs != 0)
    return fdatasync (fd);
  errno = EIO;
  return -1;
}

/* L5: what was written in vain may be written in the page cache only, and a
   second sync would not say so.  The next commit makes a whole new file.  */
static void
failed_sync (void)
{
  static const char *const texts[] = {
    "sync what was left in the log", "sync the space behind the image",
    "sync the image", "sync the log"
  };
  struct cs_store *store;
  struct stat before, after;
  char *more;

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      make_closed ();
      CHECK (in_child (die_in_commit) == 128 + SIGKILL);
      store = open_mode (CS_STORE_WRITE);
      more = add (store, 1);
      CHECK (stat (STORE, &before) == 0);
      syncs = 1 + (int) i;
      cs_sys.fdatasync = fail_fdatasync;
      CHECK (cs_store_commit (store, &err) == -EIO);
      CHECK (strstr (err.text, texts[i]));
      cs_sys.fdatasync = fdatasync;
      err = (struct cs_err) CS_ERR_INIT;
      commit_ok (store);
      CHECK (stat (STORE, &after) == 0 && after.st_ino != before.st_ino);
      CHECK (is_there (more, 1) && damages (STORE, CS_STORE_NEWEST) == 0);
      close_and_unmap (store);
      CHECK (unlink (STORE) == 0);
    }
}

/* A full disk gets its blocks back at once, and the work is not lost.  */
static void
no_room (void)
{
  struct cs_store *store;
  uint64_t before;
  char *more;

  make_heap (&store);
  before = disk_usage ();
  more = add (store, 1);
  pwrites = 300;
  cs_sys.pwrite = full_pwrite;
  CHECK (cs_store_commit (store, &err) == -ENOSPC);
  CHECK (strstr (err.text, "write the changes"));
  cs_sys.pwrite = pwrite;
  CHECK (disk_usage () < before + 64 * PAGE);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  memset (more + 1000 * PAGE, 0, 500 * PAGE);
  commit_ok (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
}

static void
too_long_a_file (void)
{
  struct cs_store *store;
  struct rlimit limit = { 0, RLIM_INFINITY };
  char *more;

  make_heap (&store);
  more = add (store, 1);
  limit.rlim_cur = (rlim_t) (IMAGE_OFF + (uint64_t) (more - store->image)
                             + 1000 * PAGE);
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (cs_store_commit (store, &err) == -EFBIG);
  limit.rlim_cur = RLIM_INFINITY;
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  commit_ok (store);
  settle_ok (store);
  CHECK (is_there (more, 1) && damages (STORE, CS_STORE_NEWEST) == 0);
}

/* Pages that the program cannot read, that it has given back, and such of other
   kinds than heap are what they have to be.  */
static void
kinds_of_ranges (void)
{
  struct cs_store *store;
  char *more;

  make_closed ();
  CHECK (in_child (die_in_commit) == 128 + SIGKILL);
  store = open_mode (CS_STORE_WRITE);
  more = add (store, 1);
  CHECK (cs_store_protect (store, more + 500 * PAGE, 90 * PAGE, PROT_NONE)
         == 0);
  CHECK (cs_store_protect (store, more + 600 * PAGE, 90 * PAGE, PROT_WRITE)
         == 0);
  CHECK (cs_store_unmap (store, more + 700 * PAGE, 90 * PAGE) == 0);
  CHECK (cs_store_map_at (store, more + 800 * PAGE, 90 * PAGE, PROT_READ,
                          CS_EXTENT_LIBRARY_DATA) == 0);
  commit_ok (store);
  settle_ok (store);
  close_and_unmap (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
  store = open_mode (CS_STORE_READ);
  CHECK (*(const int *) cs_store_view (store, (uintptr_t) more + 600 * PAGE,
                                       PAGE) == 601);
  cs_store_close (store);
}

/* Faults.  */

static int
no_sync (int fd)
{
  (void) fd;
  return 0;
}

static void
restore_saved (void)
{
  ok (cs_store_clone (SAVED, CS_STORE_NEWEST, STORE, true, &err));
}

static int
run_growth (void)
{
  struct cs_store *store = NULL;
  int r = cs_store_open (STORE, CS_STORE_WRITE, &store, &err);

  if (r < 0)
    return r;
  r = try_add (store, 3) ? cs_store_commit (store, &err)
      : cs_err_sys (&err, ENOMEM, "more memory");
  if (r == 0)
    r = cs_store_settle (store, &err);
  close_and_unmap (store);
  return r;
}

static void
check_growth (int r)
{
  struct cs_store *store;
  size_t nr;

  store = open_mode (CS_STORE_READ);
  nr = cs_directory (store)->nr_extents;
  CHECK (store->superblock.generation == 2 || r < 0);
  CHECK (store->superblock.generation == 1
         || is_there (store->image + cs_extent_end
                      (&cs_extent_table (store)[nr - 1]) - (uint64_t) more_pages * PAGE,
                      3));
  cs_store_close (store);
  CHECK (damages (STORE, CS_STORE_NEWEST) == 0);
}

static void
make_saved (void)
{
  make_closed ();
  CHECK (rename (STORE, SAVED) == 0);
}

static void
faults (void)
{
  struct operation op = { restore_saved, run_growth, check_growth, 0 };

  CHECK (in_child (make_saved) == 0);
  cs_sys.fsync = cs_sys.fdatasync = no_sync;
  more_pages = 100;
  fault_loop (&op, 60);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "many new pages are written once", written_once },
    { "older generations, copies and increments are right",
      older_generations },
    { "a reader sees nothing of them", beside_a_reader },
    { "what is left of a commit that was killed is harmless", killed },
    { "and goes away", killed_and_left },
    { "also where holes cannot be found", killed_without_holes },
    { "L5: a sync that failed is not believed afterwards", failed_sync },
    { "a full disk gets its blocks back", no_room },
    { "a file that must not become so long", too_long_a_file },
    { "all kinds of ranges", kinds_of_ranges },
    { "each system call may fail", faults }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
