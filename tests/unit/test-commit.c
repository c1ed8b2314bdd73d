/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-commit.c -- commits in which a system call fails.  */

#include <inttypes.h>
#include <sys/resource.h>

#include "store-faults.h"

static struct cs_err err;

/* Commit with call NTH failing; all states between old and new are wrong.
   Returns false when no call was left to fail.  */
static bool
commit_with_fault (struct cs_store *store, int nth, bool always)
{
  uint64_t generation = cs_store_superblock (store)->generation;
  size_t open_before = descriptors ();
  char old[32], new[32];
  int r;

  snprintf (old, sizeof old, "%" PRIu64, generation);
  snprintf (new, sizeof new, "%" PRIu64, generation + 1);
  say (store, new);
  let_fail (nth, always);
  r = cs_store_commit (store, &err);
  cs_sys = real;
  CHECK (r == 0 || (r == -EIO && err.text[0]));
  CHECK (r < 0 || cs_store_superblock (store)->generation == generation + 1);
  if (cs_store_superblock (store)->generation == generation)
    CHECK (file_says (old));
  else
    CHECK (file_says (new));
  CHECK (entries () == 1 && descriptors () == open_before);
  CHECK (cs_store_check (store, NULL) == 0);
  return fired > 0;
}

static void
fault_loop (void)
{
  struct cs_store *store;
  char *hidden;
  int nth = 1;

  make_store ("1");
  store = open_mode (CS_STORE_WRITE);
  hidden = cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP);
  CHECK (hidden);
  memset (hidden, 1, PAGE);
  CHECK (cs_store_protect (store, hidden, PAGE, PROT_EXEC) == 0);
  while (commit_with_fault (store, nth, false))
    nth++;
  CHECK (nth > 10);
  for (nth = 1; commit_with_fault (store, nth, true); nth++)
    continue;
  CHECK (nth > 10);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  commit_ok (store);
  CHECK (cs_store_protect (store, hidden, PAGE, PROT_READ) == 0);
  CHECK (hidden[5] == 1);
}

static void
fault_loop_without_tmpfile (void)
{
  cs_sys.openat = no_tmpfile;
  cs_sys.renameat2 = no_renameat2;
  fault_loop ();
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

  make_store ("old");
  store = open_mode (CS_STORE_WRITE);
  say (store, "new");
  cs_sys.pwrite = no_space;
  CHECK (cs_store_commit (store, &err) == -ENOSPC);
  CHECK (strcmp (err.text, "cannot save 'a.store': write the new file: "
                 "No space left on device") == 0);
  CHECK (file_says ("old"));
  cs_sys.pwrite = pwrite;
  cs_sys.fsync = no_sync;
  CHECK (cs_store_commit (store, &err) == -EIO && file_says ("old"));
  cs_sys.fsync = fsync;
  commit_ok (store);
  CHECK (file_says ("new") && entries () == 1);
}

static void
folder_not_synced (void)
{
  struct cs_store *store;
  int nth = 0;

  make_store ("1");
  store = open_mode (CS_STORE_WRITE);
  do
    commit_with_fault (store, ++nth, false);
  while (!strstr (err.text, "sync its folder"));
  CHECK (err.code == -EIO && strstr (err.advice, "power failure"));
  CHECK (cs_store_superblock (store)->generation > 1);
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

int
main (void)
{
  static const struct test_case cases[] = {
    { "S4: each system call of a commit may fail", fault_loop },
    { "S4: the same without O_TMPFILE", fault_loop_without_tmpfile },
    { "S4: a full disk, a failed sync", disk_full },
    { "S4: a failed sync of the folder", folder_not_synced },
    { "a file size limit is an error, not a signal", file_size_limit }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
