/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.c -- finding, opening, reading and writing the store's file.  */

#include <errno.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store/place.h"
#include "store/store-private.h"
#include "store/sys.h"

/* Descriptors of the tools start here: the interpreter in a store expects
   its own low numbers back.  Below 64, because a process begins with room
   for 64 (NR_OPEN_DEFAULT, linux/fdtable.h): a higher number makes the kernel
   allocate a larger table, and with threads wait for all of them.  */
#define HIGH_FD 56

#define RUN_MAX (256 * 1024)    /* bytes a write: they stay in the cache
                                   between looking at them and writing */

int
cs_file_move (int fd, int lowest_wanted)
{
  struct rlimit limit;
  int high = cs_sys.dup (fd, F_DUPFD_CLOEXEC, lowest_wanted);

  /* EINVAL: beyond RLIMIT_NOFILE; EMFILE: all from there up are taken.  */
  if (high < 0 && getrlimit (RLIMIT_NOFILE, &limit) == 0)
    {
      int end = limit.rlim_cur < (rlim_t) lowest_wanted ? (int) limit.rlim_cur
                                                        : lowest_wanted;

      for (int lowest = end - 16; high < 0 && lowest > fd; lowest /= 2)
        high = cs_sys.dup (fd, F_DUPFD_CLOEXEC, lowest);
    }
  if (high < 0)
    return fd;
  cs_sys.close (fd);
  return high;
}

int
cs_file_move_high (int fd)
{
  return cs_file_move (fd, HIGH_FD);
}

/* By its name, if that leads there.  */
static int
open_named (const struct cs_store *store)
{
  struct stat named, opened;
  int fd = cs_sys.openat (store->dirfd, store->name,
                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
                          | O_CLOEXEC, 0);

  if (fd < 0
      || (cs_sys.fstat (fd, &named) == 0
          && cs_sys.fstat (store->fd, &opened) == 0
          && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino))
    return fd;
  cs_sys.close (fd);
  return -1;
}

int
cs_file_open_again (const struct cs_store *store)
{
  char path[64];
  int fd = open_named (store);

  if (fd < 0)
    {
      snprintf (path, sizeof path, "/proc/thread-self/fd/%d", store->fd);
      fd = cs_sys.openat (AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    }
  return fd < 0 ? -errno : cs_file_move_high (fd);
}

void
cs_file_close (int *fd)
{
  if (*fd >= 0)
    cs_sys.close (*fd);
  *fd = -1;
}

int
cs_file_sync_names (struct cs_store *store)
{
  int fd, r = 0;

  if (store->names_synced)
    return 0;
  fd = cs_sys.openat (store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                      0);
  if (fd < 0 || cs_sys.fsync (fd) < 0)
    r = -errno;
  cs_file_close (&fd);
  store->names_synced = r == 0;
  return r;
}

ssize_t
cs_file_read (int fd, void *buf, size_t len, uint64_t off)
{
  size_t done = 0;

  while (done < len)
    {
      ssize_t n = cs_sys.pread (fd, (char *) buf + done, len - done,
                                (off_t) (off + done));
      if (n == 0)
        break;
      if (n > 0)
        done += (size_t) n;
      else if (errno != EINTR)
        return -errno;
    }
  return (ssize_t) done;
}

int
cs_file_read_parts (int fd, struct iovec *parts, int nr, uint64_t off)
{
  while (nr > 0)
    {
      ssize_t n = cs_sys.preadv (fd, parts, nr, (off_t) off);

      if (n == 0)
        return -EIO;
      if (n < 0 && errno != EINTR)
        return -errno;
      for (off += n > 0 ? (uint64_t) n : 0; n > 0;)
        {
          size_t part = (size_t) n < parts->iov_len ? (size_t) n
                                                    : parts->iov_len;

          parts->iov_base = (char *) parts->iov_base + part;
          parts->iov_len -= part;
          n -= (ssize_t) part;
          if (parts->iov_len == 0)
            {
              parts++;
              nr--;
            }
        }
    }
  return 0;
}

int
cs_file_write (int fd, const void *buf, size_t len, uint64_t off)
{
  size_t done = 0;

  while (done < len)
    {
      ssize_t n = cs_sys.pwrite (fd, (const char *) buf + done, len - done,
                                 (off_t) (off + done));
      if (n > 0)
        done += (size_t) n;
      else if (n == 0)
        return -EIO;
      else if (errno != EINTR)
        return -errno;
    }
  return 0;
}

bool
cs_page_is_zero (const char *page)
{
  const uint64_t *words = (const void *) page;

  for (size_t i = 0; i < CS_STORE_PAGE_LEN / sizeof *words; i += 8)
    if (words[i] | words[i + 1] | words[i + 2] | words[i + 3]
        | words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7])
      return false;
  return true;
}

int
cs_file_write_pages (int fd, const char *data, uint64_t len, uint64_t off)
{
  uint64_t pos = 0, run;
  int r = 0;

  for (; pos < len && r == 0; pos += run)
    {
      run = 0;
      while (pos < len && cs_page_is_zero (data + pos))
        pos += CS_STORE_PAGE_LEN;
      while (pos + run < len && run < RUN_MAX && !cs_page_is_zero (data + pos + run))
        run += CS_STORE_PAGE_LEN;
      r = cs_file_write (fd, data + pos, (size_t) run, off + pos);
    }
  return r;
}

int
cs_file_punch (int fd, uint64_t off, uint64_t len)
{
  static const char zeros[CS_STORE_PAGE_LEN];
  int r = cs_sys.fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t) off, (off_t) len);

  if (r == 0)
    return 0;
  for (r = 0; len > 0 && r == 0; len -= sizeof zeros, off += sizeof zeros)
    r = cs_file_write (fd, zeros, sizeof zeros, off);
  return r;
}

/* SIGXFSZ is sent to the thread that writes (setrlimit(2)).  */
void
cs_file_begin_limited (sigset_t *mask)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &set, mask);
}

void
cs_file_end_limited (const sigset_t *mask, int code)
{
  static const struct timespec now = { 0, 0 };
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  if (code == -EFBIG && !sigismember (mask, SIGXFSZ))
    sigtimedwait (&set, NULL, &now);
  pthread_sigmask (SIG_SETMASK, mask, NULL);
}

int
cs_file_locate (struct cs_store *store, struct cs_err *err)
{
  struct cs_place place = { store->dirfd, store->name, NULL };
  int r = cs_place_find (store->path, &place, err);

  store->dirfd = place.dirfd;
  store->name = place.name;
  if (r == 0 && cs_own_set_place (store, place.path) < 0)
    r = cs_err_sys (err, ENOMEM, "directory");
  free (place.path);
  return r;
}

int
cs_file_open (int dirfd, const char *name, int flags, struct stat *st,
              struct cs_err *err)
{
  int fd = cs_sys.openat (dirfd, name,
                          flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

  if (fd < 0 && (errno == EISDIR || errno == ENXIO))
    return cs_err_set (err, CS_E_REFUSED, "not a regular file");
  if (fd < 0)
    return cs_err_sys (err, errno, "%s",
                       (flags & O_ACCMODE) == O_RDWR ? "open for writing"
                       : "open for reading");
  if (cs_sys.fstat (fd, st) < 0)
    cs_err_sys (err, errno, "status of the file");
  else if (!S_ISREG (st->st_mode))
    cs_err_set (err, CS_E_REFUSED, "not a regular file");
  else
    return cs_file_move_high (fd);
  cs_sys.close (fd);
  return err->code;
}

int
cs_file_check_owner (const char *path, const struct stat *st,
                     struct cs_err *err)
{
  if (st->st_uid != geteuid () && st->st_uid != 0)
    {
      cs_err_set (err, CS_E_REFUSED, "owned by user %ld, who could have put "
                  "anything into it", (long) st->st_uid);
      if (geteuid () == 0)
        cs_err_advise (err, "make it your own if you trust its contents: "
                       "chown 0 '%s'", path);
      else
        cs_err_advise (err, "make a copy that is your own if you trust its "
                       "contents: cp '%s' COPY", path);
      return err->code;
    }
  if (st->st_mode & (S_IWGRP | S_IWOTH))
    {
      cs_err_set (err, CS_E_REFUSED, "mode %04o lets others write to it",
                  (unsigned int) st->st_mode & 07777);
      return cs_err_advise (err, "remove write permission for others: "
                            "chmod go-w '%s'", path);
    }
  return 0;
}

int
cs_file_keep_owner (int from, int to, mode_t executable)
{
  struct stat old, new;
  mode_t mode;

  if (cs_sys.fstat (from, &old) < 0 || cs_sys.fstat (to, &new) < 0)
    return -errno;
  mode = old.st_mode & 07777;
  mode |= mode >> 2 & executable;
  if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid)
      && cs_sys.fchown (to, old.st_uid, old.st_gid) < 0
      && cs_sys.fchown (to, (uid_t) -1, old.st_gid) < 0)
    mode &= ~(mode_t) S_IRWXG;  /* what the old group may, ours may not */
  return (mode == (new.st_mode & 07777) ? 0
          : cs_sys.fchmod (to, mode) < 0 ? -errno : 0);
}

int
cs_file_is_current (const struct cs_store *store, int fd, bool *exists)
{
  struct stat named, opened;

  *exists = true;
  if (cs_sys.fstat (fd, &opened) < 0)
    return -errno;
  if (cs_sys.fstatat (store->dirfd, store->name, &named,
                      AT_SYMLINK_NOFOLLOW) < 0)
    {
      *exists = errno != ENOENT;
      return *exists ? -errno : 0;
    }
  return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}
