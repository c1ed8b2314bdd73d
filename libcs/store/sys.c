/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sys.c -- the system calls of the store layer, in a table.  */

#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/sys.h"
#include "store/dirty.h"

static int
openat_call (int dirfd, const char *name, int flags, mode_t mode)
{
  return openat (dirfd, name, flags, mode);
}

static int
lock_call (int fd, int command, struct flock *lock)
{
  return fcntl (fd, command, lock);
}

static int
dup_call (int fd, int command, int lowest)
{
  return fcntl (fd, command, lowest);
}

static int
set_flags_call (int fd, int flags)
{
  return fcntl (fd, F_SETFD, flags);
}

static int
get_flags_call (int fd)
{
  return fcntl (fd, F_GETFL);
}

static int
ficlone_call (int to, int from)
{
  return ioctl (to, FICLONE, from);
}

static int
pagemap_scan_call (int fd, void *arg)
{
  return ioctl (fd, CS_PAGEMAP_SCAN, arg);
}

static int
userfaultfd_open (int flags)
{
  return (int) syscall (SYS_userfaultfd, flags);
}

static int
userfaultfd_call (int fd, unsigned long request, void *arg)
{
  return ioctl (fd, request, arg);
}

struct cs_sys cs_sys = {
  .openat = openat_call,
  .close = close,
  .fstat = fstat,
  .fstatat = fstatat,
  .readlinkat = readlinkat,
  .faccessat = faccessat,
  .pread = pread,
  .preadv = preadv,
  .pwrite = pwrite,
  .read = read,
  .write = write,
  .lseek = lseek,
  .copy_file_range = copy_file_range,
  .ficlone = ficlone_call,
  .ftruncate = ftruncate,
  .fallocate = fallocate,
  .fsync = fsync,
  .fdatasync = fdatasync,
  .sync_file_range = sync_file_range,
  .fchmod = fchmod,
  .fchown = fchown,
  .linkat = linkat,
  .renameat2 = renameat2,
  .unlinkat = unlinkat,
  .mkdirat = mkdirat,
  .lock = lock_call,
  .nanosleep = nanosleep,
  .dup = dup_call,
  .set_flags = set_flags_call,
  .get_flags = get_flags_call,
  .mmap = mmap,
  .munmap = munmap,
  .mprotect = mprotect,
  .msync = msync,
  .madvise = madvise,
  .pagemap_scan = pagemap_scan_call,
  .userfaultfd = userfaultfd_open,
  .userfaultfd_call = userfaultfd_call
};
