/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-commit.c -- commits in which a system call fails.  */

#include <inttypes.h>
#include <sys/resource.h>

#include "store-fixture.h"

static struct cs_err err;

static struct cs_sys real;
static int countdown;           /* to the call that fails */
static bool for_good;           /* all after it fail too */
static int fired;

static bool
fails (void)
{
  countdown--;
  if (countdown > 0 || (countdown < 0 && !for_good))
    return false;
  fired++;
  errno = EIO;
  return true;
}

static int
f_openat (int dirfd, const char *name, int flags, mode_t mode)
{
  return fails () ? -1 : real.openat (dirfd, name, flags, mode);
}

static int
f_fstat (int fd, struct stat *st)
{
  return fails () ? -1 : real.fstat (fd, st);
}

static int
f_fstatat (int dirfd, const char *name, struct stat *st, int flags)
{
  return fails () ? -1 : real.fstatat (dirfd, name, st, flags);
}

static ssize_t
f_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  return fails () ? -1 : real.pwrite (fd, buf, len, off);
}

static int
f_ftruncate (int fd, off_t len)
{
  return fails () ? -1 : real.ftruncate (fd, len);
}

static int
f_fsync (int fd)
{
  return fails () ? -1 : real.fsync (fd);
}

static int
f_fchmod (int fd, mode_t mode)
{
  return fails () ? -1 : real.fchmod (fd, mode);
}

static int
f_linkat (int old_dirfd, const char *old_name, int new_dirfd,
          const char *new_name, int flags)
{
  return fails () ? -1 : real.linkat (old_dirfd, old_name, new_dirfd,
                                      new_name, flags);
}

static int
f_renameat2 (int old_dirfd, const char *old_name, int new_dirfd,
             const char *new_name, unsigned int flags)
{
  return fails () ? -1 : real.renameat2 (old_dirfd, old_name, new_dirfd,
                                         new_name, flags);
}

static int
f_lock (int fd, int command, struct flock *lock)
{
  return fails () ? -1 : real.lock (fd, command, lock);
}

static int
f_dup (int fd, int command, int lowest)
{
  return fails () ? -1 : real.dup (fd, command, lowest);
}

static int
f_mprotect (void *addr, size_t len, int prot)
{
  return fails () ? -1 : real.mprotect (addr, len, prot);
}

static void
let_fail (int nth, bool always)
{
  real = cs_sys;
  countdown = nth;
  for_good = always;
  fired = 0;
  cs_sys.openat = f_openat;
  cs_sys.fstat = f_fstat;
  cs_sys.fstatat = f_fstatat;
  cs_sys.pwrite = f_pwrite;
  cs_sys.ftruncate = f_ftruncate;
  cs_sys.fsync = f_fsync;
  cs_sys.fchmod = f_fchmod;
  cs_sys.linkat = f_linkat;
  cs_sys.renameat2 = f_renameat2;
  cs_sys.lock = f_lock;
  cs_sys.dup = f_dup;
  cs_sys.mprotect = f_mprotect;
}

static int
no_tmpfile (int dirfd, const char *name, int flags, mode_t mode)
{
  if ((flags & O_TMPFILE) == O_TMPFILE)
    {
      errno = EOPNOTSUPP;
      return -1;
    }
  return openat (dirfd, name, flags, mode);
}

static int
no_renameat2 (int old_dirfd, const char *old_name, int new_dirfd,
              const char *new_name, unsigned int flags)
{
  if (flags)
    {
      errno = EINVAL;
      return -1;
    }
  return renameat (old_dirfd, old_name, new_dirfd, new_name);
}

static size_t
descriptors (void)
{
  size_t nr = 0;

  for (int fd = 0; fd < 2048; fd++)
    nr += fcntl (fd, F_GETFD) >= 0;
  return nr;
}

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
