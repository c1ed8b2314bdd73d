/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* history-files.c -- the history's directory, and whose files are in it.

   What has the directory's name may be the user's own file or directory, a
   link, or a directory that somebody else has made in a place where all may
   write, so that the pages of our heap come into files that he can read.  So
   the directory is opened first, then checked by its descriptor, and its files
   are reached through that descriptor alone.

   A new store that replaces another one finds the other's records (H3).  */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/history.h"
#include "store/sys.h"

static void
directory_name (const struct cs_store *store, char name[NAME_MAX + 16])
{
  snprintf (name, NAME_MAX + 16, "%s-history", store->name);
}

bool
cs_history_is_trusted (const struct cs_store *store, const struct stat *st)
{
  struct stat own;

  if (st->st_mode & (S_IWGRP | S_IWOTH))
    return false;
  return (st->st_uid == geteuid () || st->st_uid == 0
          || (store->fd >= 0 && cs_sys.fstat (store->fd, &own) == 0
              && st->st_uid == own.st_uid));
}

static int
open_directory (const struct cs_store *store)
{
  char name[NAME_MAX + 16];
  struct stat st;
  int fd, r = 0;

  directory_name (store, name);
  fd = cs_sys.openat (store->dirfd, name,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0)
    return -errno;
  if (cs_sys.fstat (fd, &st) < 0)
    r = -errno;
  else if (!cs_history_is_trusted (store, &st))
    r = -CS_E_REFUSED;
  /* Any number will do: nothing is written to it, and it is closed soon.  */
  if (r == 0)
    return fd;
  cs_sys.close (fd);
  return r;
}

static bool
is_zero (const uint8_t uuid[16])
{
  static const uint8_t zero[16];

  return memcmp (uuid, zero, sizeof zero) == 0;
}

int
cs_history_open (const struct cs_store *store)
{
  return (is_zero (store->former_uuid) ? open_directory (store)
          : -ENOENT);
}

/* Users who may read the store may read its history.  */
static int
set_mode (const struct cs_store *store, int fd)
{
  return cs_file_keep_owner (store->fd, fd, S_IXUSR | S_IXGRP | S_IXOTH);
}

int
cs_history_make (struct cs_store *store)
{
  char name[NAME_MAX + 16];
  bool made;
  int fd, r;

  directory_name (store, name);
  made = cs_sys.mkdirat (store->dirfd, name, 0700) == 0;
  if (made)
    store->names_synced = false;
  else if (errno != EEXIST)
    return -errno;
  /* Also if it is there: the process that made it may have been killed before
     it came to this.  */
  r = cs_file_sync_names (store);
  fd = r < 0 ? r : cs_history_open (store);
  if (fd >= 0 && made)
    r = set_mode (store, fd);
  if (fd >= 0 && r < 0)
    {
      cs_sys.close (fd);
      return r;
    }
  return fd;
}

/* Call VISIT for each file of a generation, until it returns other than 0.
   Returns that, 0, or -errno.  Not readdir(3), which allocates.  */
static int
each_file (int folder, int (*visit) (void *closure, const char *name),
           void *closure)
{
  char buf[4096] __attribute__ ((aligned (8)));
  ssize_t n = cs_sys.lseek (folder, 0, SEEK_SET);
  int r = 0;

  while (n >= 0 && r == 0 && (n = getdents64 (folder, buf, sizeof buf)) > 0)
    for (ssize_t at = 0; at < n && r == 0;)
      {
        const struct dirent64 *entry = (const void *) (buf + at);

        if (strspn (entry->d_name, "0123456789") == strlen (entry->d_name))
          r = visit (closure, entry->d_name);
        at += entry->d_reclen;
      }
  return n < 0 ? -errno : r;
}

/* Read the head of the file NAME, or what there is of it.  The number of
   bytes, or -errno: -EEXIST if it is no regular file.  */
static ssize_t
read_head (int folder, const char *name, struct cs_record_disk *head)
{
  struct stat st;
  ssize_t n;
  int fd = cs_sys.openat (folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW
                          | O_NONBLOCK | O_NOCTTY, 0);

  memset (head, 0, sizeof *head);
  if (fd < 0)
    return errno == ELOOP || errno == ENXIO ? -EEXIST : -errno;
  if (cs_sys.fstat (fd, &st) < 0)
    n = -errno;
  else if (!S_ISREG (st.st_mode))
    n = -EEXIST;
  else
    n = cs_file_read (fd, head, sizeof *head, 0);
  cs_sys.close (fd);
  return n;
}

int
cs_history_is_record (int folder, const char *name, const uint8_t uuid[16])
{
  struct cs_record_disk head;
  ssize_t n = read_head (folder, name, &head);

  if (n < 0)
    return n == -EEXIST ? 0 : (int) n;
  return (n == sizeof head
          && memcmp (head.magic, CS_RECORD_MAGIC, sizeof head.magic) == 0
          && memcmp (head.superblock.uuid, uuid, 16) == 0);
}

bool
cs_history_is_blank (int folder, const char *name)
{
  static const struct cs_record_disk blank;
  struct cs_record_disk head;

  return (read_head (folder, name, &head) >= 0
          && memcmp (&head, &blank, sizeof head) == 0);
}

/* All files are tried; CODE is the last failure, or 0.  */
struct removal
{
  const uint8_t *uuid;
  int folder, code;
};

static int
remove_record (void *closure, const char *name)
{
  struct removal *removal = closure;
  int r = cs_history_is_record (removal->folder, name, removal->uuid);

  if (r == 1)
    r = cs_sys.unlinkat (removal->folder, name, 0) < 0 ? -errno : 0;
  if (r < 0)
    removal->code = r;
  return 0;
}

int
cs_history_forget (const struct cs_store *store, const uint8_t uuid[16])
{
  struct removal removal = { uuid, open_directory (store), 0 };
  char name[NAME_MAX + 16];
  int r;

  /* A directory that is not ours (H4) has no records of ours.  */
  if (removal.folder < 0)
    return (removal.folder == -ENOENT || removal.folder == -ENOTDIR
            || removal.folder == -ELOOP || removal.folder == -CS_E_REFUSED
            ? 0 : removal.folder);
  r = each_file (removal.folder, remove_record, &removal);
  if (r == 0)
    r = removal.code;
  if (cs_sys.fsync (removal.folder) < 0 && r == 0)
    r = -errno;
  cs_file_close (&removal.folder);
  directory_name (store, name);
  cs_sys.unlinkat (store->dirfd, name, AT_REMOVEDIR);
  return r;
}

/* Commits are applied several at a time, so there may be files of any number of
   generations too many.  */
struct trimming
{
  const uint8_t *uuid;
  int folder;
  uint64_t generation;
};

static int
trim_file (void *closure, const char *name)
{
  const struct trimming *t = closure;

  if (strtoull (name, NULL, 10) <= t->generation
      && cs_history_is_record (t->folder, name, t->uuid) == 1)
    cs_sys.unlinkat (t->folder, name, 0);
  return 0;
}

void
cs_history_trim (const struct cs_store *store, int folder,
                 uint64_t generation)
{
  struct trimming trimming = { store->superblock.uuid, folder, generation };

  each_file (folder, trim_file, &trimming);
}

/* A new store in the place of another one (H3).  */

static int
read_superblock (const struct cs_store *store, struct cs_superblock_disk *sb,
                 struct cs_err *err)
{
  struct stat st;

  if (cs_sys.fstat (store->fd, &st) < 0)
    return cs_err_sys (err, errno, "status of the file");
  return cs_superblock_read (store->fd, (uint64_t) st.st_size, sb, err);
}

struct claim
{
  struct cs_store *store;
  const struct cs_superblock_disk *replaced;    /* NULL: nothing known */
  int folder;
  struct cs_err *err;
};

static int
claim_file (void *closure, const char *name)
{
  struct claim *c = closure;
  int r = c->replaced ? cs_history_is_record (c->folder, name,
                                              c->replaced->uuid) : 0;

  if (r < 0)
    return cs_err_sys (c->err, -r, "read '%s-history/%s'", c->store->path,
                       name);
  if (r == 1)
    {
      memcpy (c->store->former_uuid, c->replaced->uuid,
              sizeof c->store->former_uuid);
      return 0;
    }
  cs_err_set (c->err, CS_E_REFUSED, "'%s-history/%s' is not of a store that is"
              " replaced", c->store->path, name);
  return cs_err_advise (c->err, "give '%s-history' another name, or choose"
                        " another one for the store: a store that is renamed"
                        " takes its history along", c->store->path);
}

int
cs_history_claim (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk sb;
  struct claim claim = { .store = store, .err = err };
  int r = store->fd < 0 ? 0 : read_superblock (store, &sb, err);

  if (r < 0 && r > -CS_E_REFUSED)
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  if (store->fd >= 0 && r == 0)
    claim.replaced = &sb;
  /* A process that was killed has left these, and nobody looks at them.  */
  if (claim.replaced && !is_zero (sb.former_uuid))
    cs_history_forget (store, sb.former_uuid);
  claim.folder = open_directory (store);
  if (claim.folder < 0)
    return 0;                   /* the first commit that needs it will say */
  r = each_file (claim.folder, claim_file, &claim);
  cs_file_close (&claim.folder);
  return r < 0 && err->code == 0 ? cs_err_sys (err, -r, "read '%s-history'",
                                               store->path) : r;
}

int
cs_history_replace (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk sb;
  int r;

  if (is_zero (store->former_uuid))
    return 0;
  r = cs_file_sync_names (store);
  if (r < 0)
    return cs_err_sys (err, -r, "sync its directory");
  r = cs_history_forget (store, store->former_uuid);
  if (r < 0)
    return cs_err_sys (err, -r, "remove the records of the store that it"
                       " replaced from '%s-history'", store->path);
  r = read_superblock (store, &sb, err);
  if (r < 0)
    return r;
  memset (sb.former_uuid, 0, sizeof sb.former_uuid);
  cs_superblock_seal (&sb);
  r = cs_superblock_replace (store->fd, &sb);
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  memset (store->former_uuid, 0, sizeof store->former_uuid);
  return 0;
}

/* Numbers of files.  */
struct numbers
{
  uint64_t *list;
  size_t nr, room;
};

static int
add_number (void *closure, const char *name)
{
  struct numbers *numbers = closure;
  uint64_t *list = numbers->list;

  if (numbers->nr == numbers->room)
    {
      numbers->room = numbers->room ? 2 * numbers->room : 64;
      list = reallocarray (list, numbers->room, sizeof *list);
      if (!list)
        return -ENOMEM;
      numbers->list = list;
    }
  errno = 0;
  list[numbers->nr] = strtoull (name, NULL, 10);
  numbers->nr += errno == 0;
  return 0;
}

static int
newest_first (const void *a, const void *b)
{
  const uint64_t *m = a, *n = b;

  return (*m < *n) - (*m > *n);
}

int
cs_history_files (int folder, uint64_t **list, size_t *nr)
{
  struct numbers numbers = { NULL, 0, 0 };
  int r = each_file (folder, add_number, &numbers);

  if (r < 0)
    {
      free (numbers.list);
      return r;
    }
  if (numbers.nr > 0)
    qsort (numbers.list, numbers.nr, sizeof *numbers.list, newest_first);
  *list = numbers.list;
  *nr = numbers.nr;
  return 0;
}
