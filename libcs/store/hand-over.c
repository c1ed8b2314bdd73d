/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hand-over.c -- a process that executes a program again keeps its store.

   OFD locks belong to the open file, not to the process: they last as long
   as a descriptor of it does (fcntl_locking(2)).  So a descriptor that is
   inherited across execve() holds the store without a gap.  A descriptor that
   had to be opened again (own.c) has no lock of the writer's: then another
   writer may come first, and the executed program is refused.  */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/store-private.h"
#include "store/sys.h"

int
cs_store_hand_over (struct cs_store *store)
{
  int fd;

  cs_applying_lock (store);
  cs_own_recover (store);
  fd = store->fd;
  if (fd < 0)
    errno = EBADF;
  else if (cs_sys.set_flags (fd, 0) == 0)
    return fd;
  cs_applying_unlock (store);
  return -errno;
}

void
cs_store_take_back (struct cs_store *store)
{
  cs_sys.set_flags (store->fd, FD_CLOEXEC);
  cs_applying_unlock (store);
}

static bool
leads_there (const struct cs_store *store, const char *path)
{
  struct stat named, opened;

  return cs_sys.fstatat (AT_FDCWD, path, &named, 0) == 0
         && cs_sys.fstat (store->fd, &opened) == 0
         && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int
cs_store_find_path (const struct cs_store *store, char *path, size_t len)
{
  char link[64];
  ssize_t n;

  cs_own_recover_alone ((struct cs_store *) store);
  if ((size_t) snprintf (path, len, "%s", store->path) < len
      && leads_there (store, path))
    return 0;
  snprintf (link, sizeof link, "/proc/self/fd/%d", store->fd);
  n = cs_sys.readlinkat (AT_FDCWD, link, path, len);
  if (n < 0 || (size_t) n >= len)
    return -ENOENT;
  path[n] = '\0';
  return leads_there (store, path) ? 0 : -ENOENT;
}

int
cs_file_take_inherited (struct cs_store *store, struct stat *st,
                        struct cs_err *err)
{
  int fd = store->inherited;

  store->inherited = -1;
  if (cs_sys.fstat (fd, st) < 0)
    return cs_err_sys (err, errno, "inherited descriptor %d", fd);
  if (!S_ISREG (st->st_mode))
    return cs_err_set (err, CS_E_REFUSED, "inherited descriptor %d: not a "
                       "regular file", fd);
  return cs_file_move_high (fd);
}
