/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rewrite.c -- a whole new file in place of the old.

   cs_rewrite() commits that way: the first time, and where the log cannot be
   used.  cs_relocate() commits nothing: the new file holds the last commit, and
   an empty log.  It serves where readers keep a log from being applied (L4)
   that has become too long, or that the growing image would reach.  The
   readers go on with the old file, whose blocks the file system takes back when
   the last of them has ended.

   W1  After cs_relocate() the region is still mapped from the old file, which
       nobody changes now.  It agrees with the new file wherever this
       process has not written to a page; so a page that this process has
       written to must not be given back (changes.c).
   W2  What leads back from each record of the log is in the history, synced,
       before the new file takes the name: its log is empty.

   The states of the new file, and what makes each transition:

     (none) --cs_new_file_begin---> unnamed, or NAME.tmp-PID-N
            --write_file----------> complete, and on stable storage
            --cs_new_file_publish-> NAME; what had that name is gone (S4)
            --cs_new_file_settle--> stays NAME through a power failure

   Until it is published any failure removes the new file and leaves the old
   one untouched.  The new file is locked before it gets a name: there is no
   moment at which another writer could take the store.  An opener that
   locks the old file just after we let go of it notices that it has lost
   its name (store.c).

   Nothing here allocates, or takes memory from the region: the world is
   stopped.  */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "store/changes.h"
#include "store/history.h"
#include "store/sys.h"

/* Write the sums of the LEN bytes at DATA, which go to image offset OFF.  */
static int
write_sums (int fd, const char *data, uint64_t off, uint64_t len)
{
  enum { PART = 1024 };
  uint32_t sums[PART];
  uint64_t page = off / CS_STORE_PAGE_LEN, nr = len / CS_STORE_PAGE_LEN;
  int r = 0;

  for (uint64_t done = 0, part; done < nr && r == 0; done += part)
    {
      part = nr - done < PART ? nr - done : PART;
      for (uint64_t i = 0; i < part; i++)
        sums[i] = cs_page_sum (data + (done + i) * CS_STORE_PAGE_LEN);
      r = cs_sums_write (fd, page + done, part, sums);
    }
  return r;
}

/* Write the LEN bytes at DATA to image offset OFF, but for zero pages.  */
static int
write_pages (const struct cs_store *store, int fd, const char *data,
             uint64_t off, uint64_t len)
{
  int r = cs_file_write_pages (fd, data, len,
                               cs_store_image_off (&store->superblock) + off);

  return r < 0 ? r : write_sums (fd, data, off, len);
}

/* Write one page of a library that is not loaded, or only in part.  */
static int
write_library_page (const struct cs_store *store, int fd, uint64_t off)
{
  char page[CS_STORE_PAGE_LEN] __attribute__ ((aligned (8))) = { 0 };
  int r;

  if (cs_sys.msync (store->image + off, sizeof page, MS_ASYNC) == 0)
    return write_pages (store, fd, store->image + off, off, sizeof page);
  if (store->created)
    return 0;
  r = cs_committed_read (store, off / CS_STORE_PAGE_LEN, 1, page);
  return r < 0 ? r : write_pages (store, fd, page, off, sizeof page);
}

static int
write_library (const struct cs_store *store, int fd,
               const struct cs_extent_disk *e)
{
  int r = 0;

  /* msync is the cheapest question whether all of a range is mapped.  */
  if (cs_sys.msync (store->image + e->off, (size_t) e->len, MS_ASYNC) == 0)
    return write_pages (store, fd, store->image + e->off, e->off, e->len);
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
       : write_pages (store, fd, data, e->off, e->len));
  if (hidden
      && cs_sys.mprotect (data, (size_t) e->len, (int) e->prot) < 0
      && r == 0)
    r = -errno;
  return r;
}

static int
write_image (const struct cs_store *store, int fd)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  int r = 0;

  for (size_t i = 0; i < cs_directory (store)->nr_extents && r == 0; i++)
    r = write_extent (store, fd, &table[i]);
  return r;
}

/* Writes the image to the new file FD.  0 or -errno.  */
typedef int fill (const struct cs_store *store, int fd);

/* Write everything to FD and make it stable.  */
static int
write_file (const struct cs_store *store, int fd, fill *write_all,
            const struct cs_superblock_disk *sb, struct cs_err *err)
{
  int r;

  if (cs_sys.ftruncate (fd, (off_t) (cs_store_image_off (sb)
                                     + sb->committed)) < 0)
    return cs_err_sys (err, errno, "set the length of the new file");
  r = write_all (store, fd);
  if (r == 0)
    r = cs_superblock_write (fd, sb);
  if (r == 0)
    r = cs_lock_record (store, fd);
  if (r < 0)
    return cs_err_sys (err, -r, "write the new file");
  r = store->created ? 0 : cs_file_keep_owner (store->fd, fd, 0);
  if (r < 0)
    return cs_err_sys (err, -r, "set the mode of the new file");
  if (cs_sys.fsync (fd) < 0)
    return cs_err_sys (err, errno, "sync the new file");
  return 0;
}

static int
lock_file (const struct cs_new_file *file, void **page, struct cs_err *err)
{
  int r = cs_lock_take (file->fd, err);

  if (r < 0)
    return r;
  r = cs_lock_keep (file->fd, false, page);
  return r < 0 ? cs_err_sys (err, -r, "keep the lock") : 0;
}

/* The new file has the name, SB and an empty log.  *PAGE keeps its lock.  */
static void
take_over (struct cs_store *store, const struct cs_superblock_disk *sb,
           void **page)
{
  store->applies++;
  store->superblock = *sb;
  store->log = (struct cs_log) { .start = sb->log_start, .settled = true,
                                 .clean = true };
  cs_patch_forget (store);
  cs_changes_forget_view (store);
  cs_lock_leave (&store->lock_page);
  store->lock_page = *page;
  *page = NULL;
  cs_file_close (&store->map_fd);
  store->map_fd = cs_file_open_again (store);
  cs_own_note (store);
}

/* Returns 0 or an error; *DONE says whether the new file has the name.  */
static int
replace_file (struct cs_store *store, fill *write_all,
              const struct cs_superblock_disk *sb, bool *done,
              struct cs_err *err)
{
  struct cs_new_file file;
  void *page = NULL;
  int r = cs_new_file_begin (store, &file, err);

  *done = false;
  if (r < 0)
    return r;
  r = lock_file (&file, &page, err);
  if (r == 0)
    r = write_file (store, file.fd, write_all, sb, err);
  if (r == 0)
    r = cs_new_file_publish (store, &file, err);
  if (r == 0)
    {
      *done = true;
      take_over (store, sb, &page);
      r = cs_new_file_settle (&file, err);
      store->names_synced = r == 0;
    }
  cs_lock_leave (&page);
  cs_new_file_end (store, &file);
  return r;
}

/* SB as that of a new file, whose image is going to have COMMITTED bytes.  */
static void
renew_superblock (const struct cs_store *store, struct cs_superblock_disk *sb,
                  uint64_t committed)
{
  sb->log_start = cs_log_start (committed);
  memcpy (sb->former_uuid, store->former_uuid, sizeof sb->former_uuid);
  cs_superblock_seal (sb);
}

int
cs_rewrite (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk sb = cs_commit_superblock (store);
  bool created = store->created, done;
  int r;

  renew_superblock (store, &sb, sb.committed);
  r = replace_file (store, write_image, &sb, &done, err);
  if (done && !created)
    {
      store->log.broken = true; /* the region is mapped from the old file */
      store->forget_history = true;
    }
  return r;
}

/* A request to leave that waits is answered by the save that this is part
   of.  */
static int
copy_image (const struct cs_store *store, int fd)
{
  return cs_clone_pages (store, fd, false);
}

/* COMMITTED: the length that the image is going to have.  */
int
cs_relocate (struct cs_store *store, uint64_t committed, struct cs_err *err)
{
  struct cs_superblock_disk sb;
  bool done;
  int r = cs_log_settle (store, err);   /* L6 */

  if (r == 0)
    r = cs_apply_keep_history (store, err);     /* W2 */
  if (r < 0)
    return r;
  sb = store->superblock;
  renew_superblock (store, &sb, committed);
  r = replace_file (store, copy_image, &sb, &done, err);
  store->relocated |= done;     /* W1 */
  return r;
}
