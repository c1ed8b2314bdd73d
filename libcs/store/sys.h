/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sys.h -- the system calls of the store layer, in a table.

   Everything in libcs/store reaches the system through `cs_sys`, so that a
   test can put its own function into a place and make the Nth call fail.
   Each function has the contract of the call it is named after: a negative
   value or MAP_FAILED, and errno.  Nobody but a test writes to the table.  */
#ifndef CS_SYS_H
#define CS_SYS_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct cs_sys
{
  int (*openat) (int dirfd, const char *name, int flags, mode_t mode);
  int (*close) (int fd);
  int (*fstat) (int fd, struct stat *st);
  int (*fstatat) (int dirfd, const char *name, struct stat *st, int flags);
  ssize_t (*readlinkat) (int dirfd, const char *name, char *buf, size_t len);
  int (*faccessat) (int dirfd, const char *name, int mode, int flags);
  ssize_t (*pread) (int fd, void *buf, size_t len, off_t off);
  ssize_t (*preadv) (int fd, const struct iovec *parts, int nr, off_t off);
  ssize_t (*pwrite) (int fd, const void *buf, size_t len, off_t off);
  ssize_t (*read) (int fd, void *buf, size_t len);
  ssize_t (*write) (int fd, const void *buf, size_t len);
  off_t (*lseek) (int fd, off_t off, int whence);
  ssize_t (*copy_file_range) (int in, off_t *in_off, int out, off_t *out_off,
                              size_t len, unsigned int flags);
  int (*ficlone) (int to, int from);                       /* ioctl */
  int (*ftruncate) (int fd, off_t len);
  int (*fallocate) (int fd, int mode, off_t off, off_t len);
  int (*fsync) (int fd);
  int (*fdatasync) (int fd);
  int (*sync_file_range) (int fd, off_t off, off_t len, unsigned int flags);
  int (*fchmod) (int fd, mode_t mode);
  int (*fchown) (int fd, uid_t uid, gid_t gid);
  int (*linkat) (int old_dirfd, const char *old_name, int new_dirfd,
                 const char *new_name, int flags);
  int (*renameat2) (int old_dirfd, const char *old_name, int new_dirfd,
                    const char *new_name, unsigned int flags);
  int (*unlinkat) (int dirfd, const char *name, int flags);
  int (*mkdirat) (int dirfd, const char *name, mode_t mode);
  int (*lock) (int fd, int command, struct flock *lock);   /* fcntl */
  int (*nanosleep) (const struct timespec *time, struct timespec *left);
  int (*dup) (int fd, int command, int lowest);            /* fcntl */
  int (*set_flags) (int fd, int flags);                    /* F_SETFD */
  int (*get_flags) (int fd);                               /* F_GETFL */
  void *(*mmap) (void *addr, size_t len, int prot, int flags, int fd,
                 off_t off);
  int (*munmap) (void *addr, size_t len);
  int (*mprotect) (void *addr, size_t len, int prot);
  int (*msync) (void *addr, size_t len, int flags);
  int (*madvise) (void *addr, size_t len, int advice);
  int (*pagemap_scan) (int fd, void *arg);                 /* ioctl */
  int (*userfaultfd) (int flags);
  int (*userfaultfd_call) (int fd, unsigned long request, void *arg);
};

extern struct cs_sys cs_sys;

#endif
