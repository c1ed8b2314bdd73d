/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* new-file.c -- a file that takes a store's name once it is complete.

   It has no name while it is written (O_TMPFILE) where the file system can
   do that, so that a process that is killed leaves nothing.  Nothing here
   allocates.  */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

#define NAME_TRIES 1000

static void
temporary_name (const struct cs_store *store, int i, char *name)
{
  /* 200 and the rest stay below NAME_MAX.  */
  snprintf (name, NAME_MAX + 1, "%.200s.tmp-%ld-%d", store->name,
            (long) store->owner, i);
}

/* Open a new file in the store's folder, without a name if that is
   possible.  Its name can later only be made through /proc.  */
static int
open_file (const struct cs_store *store, struct cs_new_file *file)
{
  int fd = -1;

  if (cs_sys.faccessat (AT_FDCWD, "/proc/self/fd", F_OK, 0) == 0)
    fd = cs_sys.openat (store->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                        0600);
  for (int i = 0; fd < 0 && i < NAME_TRIES; i++)
    {
      temporary_name (store, i, file->name);
      fd = cs_sys.openat (store->dirfd, file->name,
                          O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
      if (fd < 0)
        file->name[0] = '\0';
      if (fd < 0 && errno != EEXIST)
        break;
    }
  if (fd < 0)
    return -errno;
  file->fd = cs_file_move_high (fd);
  return 0;
}

int
cs_new_file_begin (const struct cs_store *store, struct cs_new_file *file,
                   struct cs_err *err)
{
  int r;

  *file = (struct cs_new_file) { .fd = -1, .name = "" };
  /* Opened first: nothing may fail for this reason after publishing.  */
  file->folder = cs_sys.openat (store->dirfd, ".",
                                O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (file->folder < 0)
    return cs_err_sys (err, errno, "open its folder");
  r = open_file (store, file);
  if (r == 0)
    return 0;
  cs_file_close (&file->folder);
  return cs_err_sys (err, -r, "create a file beside it");
}

void
cs_new_file_end (const struct cs_store *store, struct cs_new_file *file)
{
  if (file->fd >= 0 && file->name[0] != '\0')
    cs_sys.unlinkat (store->dirfd, file->name, 0);
  cs_file_close (&file->fd);
  cs_file_close (&file->folder);
}

/* Make NAME a name of the unnamed file.  0 or -errno.  */
static int
link_file (const struct cs_store *store, const struct cs_new_file *file,
           const char *name)
{
  char path[64];

  snprintf (path, sizeof path, "/proc/self/fd/%d", file->fd);
  return cs_sys.linkat (AT_FDCWD, path, store->dirfd, name,
                        AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int
publish_over (const struct cs_store *store, struct cs_new_file *file)
{
  char name[NAME_MAX + 1];
  int r = -EEXIST;

  for (int i = 0; file->name[0] == '\0' && r == -EEXIST && i < NAME_TRIES;
       i++)
    {
      temporary_name (store, i, name);
      r = link_file (store, file, name);
      if (r == 0)
        strcpy (file->name, name);
    }
  if (file->name[0] == '\0')
    return r;
  return cs_sys.renameat2 (store->dirfd, file->name, store->dirfd,
                           store->name, 0) < 0 ? -errno : 0;
}

static int
publish_new (const struct cs_store *store, struct cs_new_file *file)
{
  if (file->name[0] == '\0')
    return link_file (store, file, store->name);
  if (cs_sys.renameat2 (store->dirfd, file->name, store->dirfd, store->name,
                        RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -errno;
  /* The file system has no such rename, but two names do as well.  */
  if (cs_sys.linkat (store->dirfd, file->name, store->dirfd, store->name, 0)
      < 0)
    return -errno;
  cs_sys.unlinkat (store->dirfd, file->name, 0);
  return 0;
}

int
cs_new_file_publish (struct cs_store *store, struct cs_new_file *file,
                     struct cs_err *err)
{
  bool exists = false;
  int r = 0;

  if (store->fd >= 0)
    r = cs_file_is_current (store, store->fd, &exists);
  if (r < 0)
    return cs_err_sys (err, -r, "status of the file");
  if (r == 0 && exists)
    return cs_err_set (err, CS_E_REFUSED, "its name has gone to another file "
                       "since it was opened");
  r = r == 1 ? publish_over (store, file) : publish_new (store, file);
  if (r == -EEXIST)
    return cs_err_set (err, CS_E_REFUSED, "another file with this name was "
                       "created meanwhile");
  if (r < 0)
    return cs_err_sys (err, -r, "rename the new file");
  cs_file_close (&store->fd);
  store->fd = file->fd;
  file->fd = -1;
  store->created = false;
  cs_own_note (store);
  return 0;
}

int
cs_new_file_settle (struct cs_new_file *file, struct cs_err *err)
{
  if (cs_sys.fsync (file->folder) == 0)
    return 0;
  cs_err_sys (err, errno, "sync its folder");
  cs_err_advise (err, "the new generation is in place, but a power failure "
                 "may bring back the one before");
  return err->code;
}

void
cs_new_file_calm (const sigset_t *pending_before)
{
  struct timespec now = { 0, 0 };
  sigset_t set;

  if (sigismember (pending_before, SIGXFSZ))
    return;
  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  sigtimedwait (&set, NULL, &now);
}

/* One that is ignored is kept waiting too, as all are blocked.  */
bool
cs_new_file_interrupted (void)
{
  static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
  struct sigaction action;
  sigset_t pending;

  sigpending (&pending);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigismember (&pending, signals[i])
        && sigaction (signals[i], NULL, &action) == 0
        && action.sa_handler != SIG_IGN)
      return true;
  return false;
}

static int
make_file (struct cs_store *store, cs_new_file_fill *fill, void *context,
           struct cs_err *err)
{
  struct cs_new_file file;
  int r = cs_new_file_begin (store, &file, err);

  if (r < 0)
    return r;
  r = fill (context, file.fd, err);
  if (r == 0 && cs_sys.fsync (file.fd) < 0)
    r = cs_err_sys (err, errno, "sync the new file");
  if (r == 0)
    r = cs_new_file_publish (store, &file, err);
  if (r == 0)
    r = cs_new_file_settle (&file, err);
  cs_new_file_end (store, &file);
  return r;
}

int
cs_new_file_make (struct cs_store *store, cs_new_file_fill *fill,
                  void *context, struct cs_err *err)
{
  sigset_t all, mask, pending;
  int r;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &mask);
  sigpending (&pending);
  r = make_file (store, fill, context, err);
  if (r < 0)
    cs_new_file_calm (&pending);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  return r;
}
