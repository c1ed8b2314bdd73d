/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* commit.c -- a new generation: a whole new file in place of the old.

   The states of the new file, and what makes each transition:

     (none) --begin_file--> unnamed (O_TMPFILE), or NAME.tmp-PID-N
            --write_file--> complete, and on stable storage
            --publish-----> NAME; what had that name is gone (S4)
            --sync_folder-> stays NAME through a power failure

   Until publish() any failure removes the new file and leaves the old one
   untouched.  The new file is locked before it gets a name: there is no
   moment at which another writer could take the store.  An opener that
   locks the old file just after we let go of it notices that it has lost
   its name (store.c).

   Nothing here allocates, or takes memory from the region: the world is
   stopped.  */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

#define NAME_TRIES 1000
#define RUN_MAX (256 * 1024)    /* bytes a write: they stay in the cache
                                   between looking at them and writing */

struct new_file
{
  int fd;
  char name[NAME_MAX + 1];      /* in the store's folder; "" if it has none */
};

static bool
is_zero (const char *page)
{
  const uint64_t *words = (const void *) page;

  for (size_t i = 0; i < CS_STORE_PAGE_LEN / sizeof *words; i += 8)
    if (words[i] | words[i + 1] | words[i + 2] | words[i + 3]
        | words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7])
      return false;
  return true;
}

/* Write the LEN bytes at DATA to image offset OFF, but for zero pages.  */
static int
write_pages (int fd, const char *data, uint64_t off, uint64_t len)
{
  uint64_t pos = 0, run;
  int r = 0;

  for (; pos < len && r == 0; pos += run)
    {
      run = 0;
      while (pos < len && is_zero (data + pos))
        pos += CS_STORE_PAGE_LEN;
      while (pos + run < len && run < RUN_MAX && !is_zero (data + pos + run))
        run += CS_STORE_PAGE_LEN;
      r = cs_file_write (fd, data + pos, (size_t) run,
                         CS_STORE_IMAGE_OFF + off + pos);
    }
  return r;
}

/* Write one page of a library that is not loaded, or only in part.  */
static int
write_library_page (const struct cs_store *store, int fd, uint64_t off)
{
  char page[CS_STORE_PAGE_LEN] __attribute__ ((aligned (8))) = { 0 };
  ssize_t n;

  if (cs_sys.msync (store->image + off, sizeof page, MS_ASYNC) == 0)
    return write_pages (fd, store->image + off, off, sizeof page);
  if (off + sizeof page > store->superblock.committed)
    return 0;
  n = cs_file_read (store->fd, page, sizeof page, CS_STORE_IMAGE_OFF + off);
  return n < 0 ? (int) n : write_pages (fd, page, off, sizeof page);
}

static int
write_library (const struct cs_store *store, int fd,
               const struct cs_extent_disk *e)
{
  int r = 0;

  /* msync is the cheapest question whether all of a range is mapped.  */
  if (cs_sys.msync (store->image + e->off, (size_t) e->len, MS_ASYNC) == 0)
    return write_pages (fd, store->image + e->off, e->off, e->len);
  for (uint64_t off = e->off; off < cs_extent_end (e) && r == 0;
       off += CS_STORE_PAGE_LEN)
    r = write_library_page (store, fd, off);
  return r;
}

static int
write_extent (const struct cs_store *store, int fd,
              const struct cs_extent_disk *e)
{
  char *data = store->image + e->off;
  bool hidden = !(e->prot & PROT_READ);
  int r;

  if (!cs_extent_in_file (e))
    return 0;
  if (hidden && cs_sys.mprotect (data, (size_t) e->len,
                                 (int) e->prot | PROT_READ) < 0)
    return -errno;
  r = (e->kind == CS_EXTENT_LIBRARY_DATA ? write_library (store, fd, e)
       : write_pages (fd, data, e->off, e->len));
  if (hidden
      && cs_sys.mprotect (data, (size_t) e->len, (int) e->prot) < 0
      && r == 0)
    r = -errno;
  return r;
}

/* What the superblock will be.  */
static struct cs_superblock_disk
next_superblock (const struct cs_store *store)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  struct cs_superblock_disk sb = store->superblock;

  sb.generation++;
  sb.committed_at = time (NULL);
  sb.committed = 0;
  for (size_t i = 0; i < cs_directory (store)->nr_extents; i++)
    if (cs_extent_in_file (&table[i]))
      sb.committed = cs_extent_end (&table[i]);
  cs_superblock_seal (&sb);
  return sb;
}

static int
write_superblocks (int fd, const struct cs_superblock_disk *sb)
{
  int r = cs_file_write (fd, sb, sizeof *sb, 0);

  return r < 0 ? r : cs_file_write (fd, sb, sizeof *sb, CS_STORE_SLOT_LEN);
}

/* Mode, owner and group of the new file: those of the old.  */
static int
keep_owner (const struct cs_store *store, int fd)
{
  struct stat old, new;
  mode_t mode;

  if (store->created)
    return 0;
  if (cs_sys.fstat (store->fd, &old) < 0 || cs_sys.fstat (fd, &new) < 0)
    return -errno;
  mode = old.st_mode & 07777;
  if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid)
      && cs_sys.fchown (fd, old.st_uid, old.st_gid) < 0
      && cs_sys.fchown (fd, (uid_t) -1, old.st_gid) < 0)
    mode &= ~(mode_t) S_IRWXG;  /* what the old group may, ours may not */
  return cs_sys.fchmod (fd, mode) < 0 ? -errno : 0;
}

/* Write everything to FD and make it stable.  */
static int
write_file (const struct cs_store *store, int fd,
            const struct cs_superblock_disk *sb, struct cs_err *err)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  int r = 0;

  if (cs_sys.ftruncate (fd, (off_t) (CS_STORE_IMAGE_OFF + sb->committed)) < 0)
    return cs_err_sys (err, errno, "set the length of the new file");
  for (size_t i = 0; i < cs_directory (store)->nr_extents && r == 0; i++)
    r = write_extent (store, fd, &table[i]);
  if (r == 0)
    r = write_superblocks (fd, sb);
  if (r == 0)
    r = cs_lock_record (store, fd);
  if (r < 0)
    return cs_err_sys (err, -r, "write the new file");
  r = keep_owner (store, fd);
  if (r < 0)
    return cs_err_sys (err, -r, "set the mode of the new file");
  if (cs_sys.fsync (fd) < 0)
    return cs_err_sys (err, errno, "sync the new file");
  return 0;
}

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
begin_file (const struct cs_store *store, struct new_file *file)
{
  int fd = -1;

  file->name[0] = '\0';
  if (cs_sys.faccessat (AT_FDCWD, "/proc/self/fd", F_OK, 0) == 0)
    fd = cs_sys.openat (store->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                        0600);
  for (int i = 0; fd < 0 && i < NAME_TRIES; i++)
    {
      temporary_name (store, i, file->name);
      fd = cs_sys.openat (store->dirfd, file->name,
                          O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
      if (fd < 0 && errno != EEXIST)
        break;
    }
  if (fd < 0)
    return -errno;
  file->fd = cs_file_move_high (fd);
  return 0;
}

static void
abandon_file (const struct cs_store *store, struct new_file *file)
{
  if (file->name[0] != '\0')
    cs_sys.unlinkat (store->dirfd, file->name, 0);
  cs_file_close (&file->fd);
}

/* Make NAME a name of the unnamed file.  0 or -errno.  */
static int
link_file (const struct cs_store *store, const struct new_file *file,
           const char *name)
{
  char path[64];

  snprintf (path, sizeof path, "/proc/self/fd/%d", file->fd);
  return cs_sys.linkat (AT_FDCWD, path, store->dirfd, name,
                        AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int
publish_over (const struct cs_store *store, struct new_file *file)
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
publish_new (const struct cs_store *store, struct new_file *file)
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

/* Give the new file the store's name, and let go of the old one.  */
static int
publish (struct cs_store *store, struct new_file *file, struct cs_err *err)
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
  store->created = false;
  return 0;
}

static int
sync_folder (int fd, struct cs_err *err)
{
  if (cs_sys.fsync (fd) == 0)
    return 0;
  cs_err_sys (err, errno, "sync its folder");
  cs_err_advise (err, "the new generation is in place, but a power failure "
                 "may bring back the one before");
  return err->code;
}

static int
commit (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk sb = next_superblock (store);
  struct new_file file = { .fd = -1 };
  /* Opened first: nothing may fail for this reason after publish().  */
  int folder = cs_sys.openat (store->dirfd, ".",
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  int r;

  if (folder < 0)
    return cs_err_sys (err, errno, "open its folder");
  r = begin_file (store, &file);
  if (r < 0)
    r = cs_err_sys (err, -r, "create a file beside it");
  if (r == 0)
    r = cs_lock_take (file.fd, err);
  if (r == 0)
    r = write_file (store, file.fd, &sb, err);
  if (r == 0)
    r = publish (store, &file, err);
  if (r == 0)
    {
      store->superblock = sb;
      r = sync_folder (folder, err);
    }
  else
    abandon_file (store, &file);
  cs_file_close (&folder);
  return r;
}

/* A write beyond RLIMIT_FSIZE sends SIGXFSZ besides failing; it is blocked
   now, and would end the process as soon as it is not.  */
static void
discard_signal (const sigset_t *pending_before)
{
  struct timespec now = { 0, 0 };
  sigset_t set;

  if (sigismember (pending_before, SIGXFSZ))
    return;
  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  sigtimedwait (&set, NULL, &now);
}

int
cs_store_commit (struct cs_store *store, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  sigset_t mask, pending;
  int r;

  if (!err)
    err = &own;
  if (store->mode != CS_STORE_WRITE)
    r = cs_err_set (err, CS_E_REFUSED, "not opened for writing");
  else if (store->owner != getpid ())
    r = cs_err_set (err, CS_E_REFUSED, "this is a child of the process that "
                    "holds it");
  else
    {
      cs_space_enter (store, &mask);
      sigpending (&pending);
      r = commit (store, err);
      if (r < 0)
        discard_signal (&pending);
      cs_space_leave (store, &mask);
    }
  return r < 0 ? cs_err_prefix (err, "cannot save '%s'", store->path) : 0;
}
