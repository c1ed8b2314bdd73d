/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* own.c -- the store's own descriptors, whose numbers a program may close.

   A daemon closes every number from 3 up, and opens files that get these
   numbers.  Calls of the interpreter do not reach the store's descriptors
   (process/descriptors/numbers.c).  Other code may close or reuse their numbers, and no
   data is lost by it either:

   D1  A lock does not need a number.  The kernel drops an OFD lock with the
       last reference to the open file, and a mapping is one: one page of each
       locked file stays mapped (cs_lock_keep).
   D2  Before a number is used, moved or closed, the file behind it is
       compared with the file that was opened.  A number that leads elsewhere
       is the program's, and is forgotten.
   D3  A file that has lost its number is opened again by its name, and used
       if it is the same file.
   D4  While the program's threads run, the store's files are written by a
       thread that has a descriptor table of its own (cs_store_separate): a
       number cannot become another file's between D2 and its use.  A commit only
       syncs then, which does no harm to another file, and makes sure afterwards
       (C3, commit.c).

   Nothing here allocates, except cs_own_set_place(): the world may be
   stopped.  */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

/* Where a descriptor goes that is in the way of the image's own numbers.  */
#define YIELD_FD 1000

/* The numbers, in the order of store->own.  */
struct numbers
{
  int *fd[CS_OWN_NR];
};

static struct numbers
numbers_of (struct cs_store *store)
{
  return (struct numbers) {
    { &store->fd, &store->map_fd, &store->dirfd, &store->watch.fd,
      &store->watch.pagemap }
  };
}

/* What number I, FD, leads to now: 0 or -errno.  How a file is open matters
   for the one that is written to.  */
static int
identify (size_t i, int fd, struct cs_own *own)
{
  struct stat st;
  int flags = i == CS_OWN_FILE ? cs_sys.get_flags (fd) : 0;

  if (flags < 0 || cs_sys.fstat (fd, &st) < 0)
    return -errno;
  *own = (struct cs_own) { st.st_dev, st.st_ino, flags };
  return 0;
}

static bool
is_same (const struct cs_own *a, const struct cs_own *b)
{
  return a->dev == b->dev && a->ino == b->ino
         && !((a->flags ^ b->flags) & (O_ACCMODE | O_APPEND | O_PATH));
}

/* Does FD lead where number I did?  Also if nothing can be said: that was not
   noted, or there was an error.  */
static bool
leads_to (const struct cs_store *store, size_t i, int fd)
{
  const struct cs_own *own = &store->own[i];
  struct cs_own now;
  int r = own->flags < 0 ? 0 : identify (i, fd, &now);

  return own->flags < 0 || (r < 0 ? r != -EBADF : is_same (&now, own));
}

static void
note (struct cs_store *store, size_t i, int fd)
{
  if (fd < 0 || identify (i, fd, &store->own[i]) < 0)
    store->own[i] = (struct cs_own) { .flags = -1 };
}

void
cs_own_note (struct cs_store *store)
{
  struct numbers n = numbers_of (store);

  for (size_t i = 0; i < CS_OWN_NR; i++)
    note (store, i, *n.fd[i]);
}

void
cs_own_note_new (struct cs_store *store)
{
  struct numbers n = numbers_of (store);

  for (size_t i = 0; i < CS_OWN_NR; i++)
    if ((*n.fd[i] < 0) != (store->own[i].flags < 0))
      note (store, i, *n.fd[i]);
}

void
cs_own_check (struct cs_store *store)
{
  struct numbers n = numbers_of (store);

  for (size_t i = 0; i < CS_OWN_NR; i++)
    if (*n.fd[i] >= 0 && !leads_to (store, i, *n.fd[i]))
      *n.fd[i] = -1;
}

bool
cs_own_is_file (const struct cs_store *store)
{
  return leads_to (store, CS_OWN_FILE, store->fd);
}

int
cs_own_set_place (struct cs_store *store, const char *path)
{
  char cwd[PATH_MAX], *place;

  if (*path == '/' || !getcwd (cwd, sizeof cwd))
    place = strdup (path);
  else if (asprintf (&place, "%s/%s", cwd, path) < 0)
    place = NULL;
  if (!place)
    return -ENOMEM;
  free (store->place);
  store->place = place;
  return 0;
}

/* Open NAME in DIRFD again as what number I led to; a descriptor or
   -errno.  */
static int
open_same (const struct cs_store *store, size_t i, int dirfd,
           const char *name, int flags)
{
  int fd = cs_sys.openat (dirfd, name, flags | O_NONBLOCK | O_NOCTTY
                          | O_CLOEXEC, 0);

  if (fd < 0)
    return -errno;
  if (leads_to (store, i, fd))
    return cs_file_move_high (fd);
  cs_sys.close (fd);
  return -ESTALE;
}

/* The directory that the store is in.  */
static int
open_directory (struct cs_store *store)
{
  char path[PATH_MAX];
  const char *slash = strrchr (store->place, '/');
  size_t len = slash ? (size_t) (slash - store->place) + 1 : 0;

  if (len == 0 || len >= sizeof path)
    return -ENOENT;
  memcpy (path, store->place, len);
  path[len] = '\0';
  store->dirfd = open_same (store, CS_OWN_DIRECTORY, AT_FDCWD, path,
                            O_PATH | O_DIRECTORY);
  return store->dirfd < 0 ? store->dirfd : 0;
}

static int
open_file (struct cs_store *store)
{
  int r;

  store->fd = store->mode == CS_STORE_WRITE
              ? open_same (store, CS_OWN_FILE, store->dirfd, store->name,
                           O_RDWR | O_NOFOLLOW)
              : open_same (store, CS_OWN_FILE, AT_FDCWD, store->place,
                           O_RDONLY);
  if (store->fd < 0 || store->mode == CS_STORE_WRITE)
    return store->fd < 0 ? store->fd : 0;
  /* The mapping still has the lock: nobody has to be waited for.  */
  r = cs_lock_share (store->fd, NULL);
  if (r < 0)
    cs_file_close (&store->fd);
  return r == -CS_E_HELD ? -EBUSY : r;
}

int
cs_own_recover (struct cs_store *store)
{
  int r = 0;

  cs_own_check (store);
  if (store->owner != 0 && store->owner != getpid ())
    return 0;
  if (store->dirfd < 0 && store->own[CS_OWN_DIRECTORY].flags >= 0)
    r = open_directory (store);
  if (r == 0 && store->fd < 0 && store->own[CS_OWN_FILE].flags >= 0)
    r = open_file (store);
  if (r == 0 && store->map_fd < 0 && store->own[CS_OWN_MAPPED].flags >= 0)
    {
      store->map_fd = cs_file_open_again (store);
      r = store->map_fd < 0 ? store->map_fd : 0;
      cs_own_note (store);
    }
  return r;
}

int
cs_own_refuse (const struct cs_store *store, int code, struct cs_err *err)
{
  cs_err_sys (err, -code, "the program has closed its descriptors, and '%s' "
              "cannot be opened again", store->place);
  return cs_err_advise (err, "if the file was moved, move it back there, and "
                        "save again");
}

static int *
find_own (struct cs_store *store, int fd)
{
  struct numbers n = numbers_of (store);

  for (size_t i = 0; fd >= 0 && i < CS_OWN_NR; i++)
    if (*n.fd[i] == fd && leads_to (store, i, fd))
      return n.fd[i];
  return NULL;
}

bool
cs_store_owns_descriptor (const struct cs_store *store, int fd)
{
  return find_own ((struct cs_store *) store, fd) != NULL;
}

int
cs_store_next_descriptor (const struct cs_store *store, int lowest)
{
  struct numbers n = numbers_of ((struct cs_store *) store);
  int next = -1;

  for (size_t i = 0; i < CS_OWN_NR; i++)
    if (*n.fd[i] >= lowest && (next < 0 || *n.fd[i] < next)
        && cs_store_owns_descriptor (store, *n.fd[i]))
      next = *n.fd[i];
  return next;
}

bool
cs_store_separate (const struct cs_store *store)
{
  unsigned first = STDERR_FILENO + 1;
  int own;

  if (close_range (0, STDERR_FILENO - 1, CLOSE_RANGE_UNSHARE) < 0)
    return false;
  for (; (own = cs_store_next_descriptor (store, (int) first)) >= 0;
       first = (unsigned) own + 1)
    if ((unsigned) own > first)
      close_range (first, (unsigned) own - 1, 0);
  close_range (first, UINT_MAX, 0);
  return true;
}

/* Threads that have this lock are not stopped: a commit waits for it.  */
static void
lock_applying (struct cs_store *store, sigset_t *mask)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, mask);
  cs_applying_lock (store);
}

static void
unlock_applying (struct cs_store *store, const sigset_t *mask)
{
  cs_applying_unlock (store);
  pthread_sigmask (SIG_SETMASK, mask, NULL);
}

int
cs_own_recover_alone (struct cs_store *store)
{
  sigset_t mask;
  int r;

  lock_applying (store, &mask);
  r = cs_own_recover (store);
  unlock_applying (store, &mask);
  return r;
}

int
cs_store_yield_descriptor (struct cs_store *store, int fd)
{
  sigset_t mask;
  int *own, r = 0;

  if (!cs_store_owns_descriptor (store, fd))
    return 0;
  lock_applying (store, &mask);
  own = find_own (store, fd);
  if (own)
    {
      *own = cs_file_move (fd, YIELD_FD);
      r = *own == fd ? -EMFILE : 0;
    }
  unlock_applying (store, &mask);
  return r;
}
