/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store-faults.h -- system calls of the store layer that fail.

   let_fail() makes the NTH call from now on fail with EIO, and those after
   it too if wanted; put `real` back into cs_sys afterwards.  */
#ifndef STORE_FAULTS_H
#define STORE_FAULTS_H

#include "store-fixture.h"

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
f_pread (int fd, void *buf, size_t len, off_t off)
{
  return fails () ? -1 : real.pread (fd, buf, len, off);
}

static ssize_t
f_preadv (int fd, const struct iovec *parts, int nr, off_t off)
{
  return fails () ? -1 : real.preadv (fd, parts, nr, off);
}

static ssize_t
f_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  return fails () ? -1 : real.pwrite (fd, buf, len, off);
}

static ssize_t
f_read (int fd, void *buf, size_t len)
{
  return fails () ? -1 : real.read (fd, buf, len);
}

static ssize_t
f_write (int fd, const void *buf, size_t len)
{
  return fails () ? -1 : real.write (fd, buf, len);
}

static int
f_fallocate (int fd, int mode, off_t off, off_t len)
{
  return fails () ? -1 : real.fallocate (fd, mode, off, len);
}

static int
f_fdatasync (int fd)
{
  return fails () ? -1 : real.fdatasync (fd);
}

static int
f_mkdirat (int dirfd, const char *name, mode_t mode)
{
  return fails () ? -1 : real.mkdirat (dirfd, name, mode);
}

static int
f_madvise (void *addr, size_t len, int advice)
{
  return fails () ? -1 : real.madvise (addr, len, advice);
}

static int
f_pagemap_scan (int fd, void *arg)
{
  return fails () ? -1 : real.pagemap_scan (fd, arg);
}

static int
f_userfaultfd (int flags)
{
  return fails () ? -1 : real.userfaultfd (flags);
}

static int
f_userfaultfd_call (int fd, unsigned long request, void *arg)
{
  return fails () ? -1 : real.userfaultfd_call (fd, request, arg);
}

static off_t
f_lseek (int fd, off_t off, int whence)
{
  return fails () ? -1 : real.lseek (fd, off, whence);
}

static ssize_t
f_copy_file_range (int in, off_t *in_off, int out, off_t *out_off,
                   size_t len, unsigned int flags)
{
  return fails () ? -1 : real.copy_file_range (in, in_off, out, out_off, len,
                                               flags);
}

static int
f_ficlone (int to, int from)
{
  return fails () ? -1 : real.ficlone (to, from);
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
  /* Giving up a lock does not fail.  */
  return lock->l_type != F_UNLCK && fails ()
         ? -1 : real.lock (fd, command, lock);
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

static inline void
let_fail (int nth, bool always)
{
  real = cs_sys;
  countdown = nth;
  for_good = always;
  fired = 0;
  cs_sys.openat = f_openat;
  cs_sys.fstat = f_fstat;
  cs_sys.fstatat = f_fstatat;
  cs_sys.pread = f_pread;
  cs_sys.preadv = f_preadv;
  cs_sys.pwrite = f_pwrite;
  cs_sys.read = f_read;
  cs_sys.write = f_write;
  cs_sys.fallocate = f_fallocate;
  cs_sys.fdatasync = f_fdatasync;
  cs_sys.mkdirat = f_mkdirat;
  cs_sys.madvise = f_madvise;
  cs_sys.pagemap_scan = f_pagemap_scan;
  cs_sys.userfaultfd = f_userfaultfd;
  cs_sys.userfaultfd_call = f_userfaultfd_call;
  cs_sys.lseek = f_lseek;
  cs_sys.copy_file_range = f_copy_file_range;
  cs_sys.ficlone = f_ficlone;
  cs_sys.ftruncate = f_ftruncate;
  cs_sys.fsync = f_fsync;
  cs_sys.fchmod = f_fchmod;
  cs_sys.linkat = f_linkat;
  cs_sys.renameat2 = f_renameat2;
  cs_sys.lock = f_lock;
  cs_sys.dup = f_dup;
  cs_sys.mprotect = f_mprotect;
}

static inline int
no_tmpfile (int dirfd, const char *name, int flags, mode_t mode)
{
  if ((flags & O_TMPFILE) == O_TMPFILE)
    {
      errno = EOPNOTSUPP;
      return -1;
    }
  return openat (dirfd, name, flags, mode);
}

static inline int
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

static inline size_t
descriptors (void)
{
  size_t nr = 0;

  for (int fd = 0; fd < 2048; fd++)
    nr += fcntl (fd, F_GETFD) >= 0;
  return nr;
}

#endif
