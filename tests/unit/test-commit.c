/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-commit.c -- commits in which a system call fails.  */

#include <inttypes.h>
#include <sys/resource.h>

#include "store-faults.h"

static struct cs_err err;

/* What the store's file says must be one of two texts, and one only when the
   commit succeeded.  */
static void
check_state (struct cs_store *store, int r, uint64_t generation)
{
  char old[32], new[32];

  snprintf (old, sizeof old, "%" PRIu64, generation);
  snprintf (new, sizeof new, "%" PRIu64, generation + 1);
  CHECK (r == 0 || (r == -EIO && err.text[0]));
  CHECK (r < 0 || cs_store_superblock (store)->generation == generation + 1);
  if (cs_store_superblock (store)->generation == generation)
    /* A record that could be neither synced nor wiped may count.  */
    CHECK (file_says (old) || (for_good && strstr (err.text, "sync the log")
                               && file_says (new)));
  else
    CHECK (file_says (new));
  CHECK (cs_store_check (store, NULL) == 0);
}

/* Commit and apply with call NTH failing; all states between old and new are
   wrong.  Returns false when no call was left to fail.  */
static bool
commit_with_fault (struct cs_store *store, int nth, bool always)
{
  uint64_t generation = cs_store_superblock (store)->generation;
  size_t open_before = descriptors ();
  char new[32];
  int r;

  snprintf (new, sizeof new, "%" PRIu64, generation + 1);
  say (store, new);
  let_fail (nth, always);
  r = cs_store_commit (store, &err);
  if (r == 0 && cs_store_apply (store, &err) < 0)
    CHECK (err.text[0]);
  cs_sys = real;
  check_state (store, r, generation);
  CHECK (entries () == 1 && descriptors () == open_before);
  return fired > 0;
}

/* Commits with each call failing, in a process of its own: a failed sync
   ends the use of the log.  */
static bool for_good_now;
static int call;

/* So much that a part is written before the last page, which has to be made
   readable, is looked at.  */
#define MUCH (80 * PAGE)

static void
one_fault (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);
  char *much = cs_store_map (store, MUCH, RW, CS_EXTENT_HEAP);
  char *hidden = much + MUCH - PAGE;
  char next[32];

  CHECK (much);
  memset (much, 1, MUCH);
  CHECK (cs_store_protect (store, hidden, PAGE, PROT_EXEC) == 0);
  if (!commit_with_fault (store, call, for_good_now))
    _exit (77);
  CHECK (cs_store_protect (store, hidden, PAGE, PROT_READ) == 0);
  CHECK (hidden[5] == 1);
  /* The next commit succeeds, whatever happened to this one.  */
  snprintf (next, sizeof next, "%" PRIu64,
            cs_store_superblock (store)->generation + 1);
  say (store, next);
  commit_ok (store);
  CHECK (file_says (next));
  CHECK (cs_store_settle (store, &err) == 0 && file_says (next));
  CHECK (cs_store_unmap (store, much, MUCH) == 0);
  snprintf (next, sizeof next, "%" PRIu64,
            cs_store_superblock (store)->generation + 1);
  say (store, next);
  commit_ok (store);
  close_and_unmap (store);
}

static void
each_fault (bool always)
{
  int status = 0;

  make_store ("1");
  for_good_now = always;
  for (call = 1; status == 0 && call < 1000; call++)
    {
      struct cs_store *store;

      status = in_child (one_fault);
      CHECK (status == 0 || status == 77);
      store = open_mode (CS_STORE_WRITE);
      settle_ok (store);
      close_and_unmap (store);
    }
  CHECK (status == 77 && call > 25);
}

static void
fault_once (void)
{
  each_fault (false);
}

static void
fault_for_good (void)
{
  each_fault (true);
}

/* First commits, which write a whole file.  */
static void
first_commit (void)
{
  int r, nth = 0;

  do
    {
      struct cs_store *store = create (false);
      size_t open_before = descriptors ();
      void *addr;

      CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
      strcpy (addr, "1");
      nth++;
      let_fail (nth, nth % 2);
      r = cs_store_commit (store, &err);
      cs_sys = real;
      CHECK (r == 0 || (r == -EIO && err.text[0]));
      if (r < 0 && strstr (err.text, "sync its folder"))
        CHECK (strstr (err.advice, "power failure") && file_says ("1")
               && entries () == 1);
      else
        CHECK (entries () == (r == 0));
      CHECK ((store->fd >= 0) == (entries () == 1));
      CHECK (descriptors () == open_before + (store->fd >= 0)
                               + (store->map_fd >= 0));
      CHECK (r < 0 || file_says ("1"));
      close_and_unmap (store);
      unlink (STORE);
    }
  while (fired > 0);
  CHECK (r == 0 && nth > 10);
}

static void
first_commit_without_tmpfile (void)
{
  cs_sys.openat = no_tmpfile;
  cs_sys.renameat2 = no_renameat2;
  first_commit ();
}

static ssize_t
no_space (int fd, const void *buf, size_t len, off_t off)
{
  (void) fd;
  (void) buf;
  (void) len;
  (void) off;
  errno = ENOSPC;
  return -1;
}

static int
no_sync (int fd)
{
  (void) fd;
  errno = EIO;
  return -1;
}

static void
disk_full (void)
{
  struct cs_store *store;
  struct stat st;

  make_store ("old");
  store = open_mode (CS_STORE_WRITE);
  say (store, "new");
  cs_sys.pwrite = no_space;
  CHECK (cs_store_commit (store, &err) == -ENOSPC);
  CHECK (strcmp (err.text, "cannot save 'a.store': write the changes: "
                 "No space left on device") == 0);
  CHECK (file_says ("old"));
  cs_sys.pwrite = pwrite;
  commit_ok (store);
  CHECK (file_says ("new"));
  /* What has been committed stays so if it cannot be applied.  */
  cs_sys.fdatasync = no_sync;
  CHECK (cs_store_apply (store, &err) == -EIO && file_says ("new"));
  cs_sys.fdatasync = fdatasync;
  CHECK (cs_store_settle (store, &err) == 0 && file_says ("new"));
  CHECK (stat (STORE, &st) == 0
         && (uint64_t) st.st_size == IMAGE_OFF
                                     + store->superblock.committed);
}

/* L5.  */
static void
sync_failed (void)
{
  struct cs_store *store;
  ino_t before;
  struct stat st;

  make_store ("old");
  CHECK (stat (STORE, &st) == 0);
  before = st.st_ino;
  store = open_mode (CS_STORE_WRITE);
  say (store, "new");
  cs_sys.fdatasync = no_sync;
  CHECK (cs_store_commit (store, &err) == -EIO);
  CHECK (strcmp (err.text, "cannot save 'a.store': sync the log: "
                 "Input/output error") == 0);
  cs_sys.fdatasync = fdatasync;
  CHECK (file_says ("old"));
  commit_ok (store);
  CHECK (stat (STORE, &st) == 0 && st.st_ino != before);
  CHECK (file_says ("new") && entries () == 1);
  say (store, "newer");
  commit_ok (store);
  CHECK (file_says ("newer"));
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  say (store, "newest");
  commit_ok (store);
  CHECK (store->log.len > 0 && file_says ("newest"));
}

static void
file_size_limit (void)
{
  struct rlimit limit = { 1 << 20, RLIM_INFINITY };
  struct cs_store *store;

  make_store ("old");
  store = open_mode (CS_STORE_WRITE);
  say (store, "new");
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (cs_store_commit (store, &err) == -EFBIG);
  CHECK (file_says ("old"));
  limit.rlim_cur = RLIM_INFINITY;
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  commit_ok (store);
}

static time_t now;

/* In place of libc's.  */
time_t
time (time_t *t)
{
  if (t)
    *t = now;
  return now;
}

/* The history's times do not go backwards with the clock.  */
static void
clock_goes_back (void)
{
  static const time_t times[] = { 2000000000, 1000000000, 5, 2000000001 };
  struct cs_generation list[8];
  struct cs_store *store;
  char text[2] = "a";

  now = 1999999999;
  make_store ("old");
  store = open_mode (CS_STORE_WRITE);
  for (size_t i = 0; i < sizeof times / sizeof *times; i++, text[0]++)
    {
      now = times[i];
      say (store, text);
      commit_ok (store);
      CHECK (cs_store_settle (store, &err) == 0);
    }
  CHECK (cs_store_history (store, list, 8) == 5);
  CHECK (list[0].committed_at == times[3] && list[3].committed_at == times[0]);
  for (size_t i = 1; i < 5; i++)
    CHECK (list[i].committed_at <= list[i - 1].committed_at);
  CHECK (file_says ("d"));
}

/* The first byte of a page means nothing.  */
static bool
ignores_first (const char *addr, const char *page, const char *then)
{
  (void) addr;
  return memcmp (page + 1, then + 1, PAGE - 1) == 0;
}

/* The first byte that the store's file has for PAGE.  */
static char
in_file (const char *page)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  const char *view = cs_store_view (store, (uintptr_t) page, PAGE);
  char first = view ? view[0] : '?';

  cs_store_close (store);
  return first;
}

/* The page that is ignored stays this process's own, whether it is watched or
   not, and the file has what was saved last.  */
static void
ignored (void)
{
  struct cs_store *store = create (false);
  uint64_t generation;
  void *words;
  char *page;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &words) == 0);
  page = cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP);
  strcpy (page, "ab");
  commit_ok (store);
  cs_store_set_ignores (store, ignores_first);
  for (int i = 0; i < 3; i++)
    {
      generation = cs_store_superblock (store)->generation;
      page[0] = (char) ('0' + i);
      commit_ok (store);
      CHECK (cs_store_superblock (store)->generation == generation);
      CHECK (page[0] == '0' + i && in_file (page) == 'a');
      /* Something else is saved, and watching begins.  */
      strcpy (words, i == 0 ? "2" : i == 1 ? "3" : "4");
      commit_ok (store);
      CHECK (page[0] == '0' + i);
    }
  page[1] = 'c';
  commit_ok (store);
  CHECK (in_file (page) == '2');
  CHECK (!cs_store_holds (store, (uintptr_t) page + 1, 64 * PAGE));
  CHECK (cs_store_holds (store, (uintptr_t) page, PAGE));
  CHECK (!cs_store_holds (store, 1, 1));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "L1: each system call of commit and apply may fail, once",
      fault_once },
    { "L1: each system call of commit and apply may fail, for good",
      fault_for_good },
    { "S4: each system call of a first commit may fail", first_commit },
    { "S4: the same without O_TMPFILE", first_commit_without_tmpfile },
    { "L1: a full disk, a failed sync of the image", disk_full },
    { "L5: a failed sync of the log", sync_failed },
    { "a clock that goes backwards", clock_goes_back },
    { "a file size limit is an error, not a signal", file_size_limit },
    { "a change that its owner ignores is not saved, and not undone", ignored }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
