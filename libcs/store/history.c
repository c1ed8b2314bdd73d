/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* history.c -- older generations of a store.  */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "store/history.h"
#include "store/sys.h"

#define CHUNK 16                /* pages copied at a time */

/* Make the folder, and its name last.  0 or -errno.  */
static int
make_folder (const struct cs_store *store, const char *name)
{
  int fd, r = 0;

  if (cs_sys.mkdirat (store->dirfd, name, 0700) < 0)
    return errno == EEXIST ? 0 : -errno;
  fd = cs_sys.openat (store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                      0);
  if (fd < 0 || cs_sys.fsync (fd) < 0)
    r = -errno;
  cs_file_close (&fd);
  return r;
}

int
cs_history_open (const struct cs_store *store, bool create)
{
  char name[NAME_MAX + 16];
  int r, fd;

  snprintf (name, sizeof name, "%s-history", store->name);
  r = create ? make_folder (store, name) : 0;
  if (r < 0)
    return r;
  fd = cs_sys.openat (store->dirfd, name,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
  return fd < 0 ? -errno : cs_file_move_high (fd);
}

static void
file_name (uint64_t generation, char name[24])
{
  snprintf (name, 24, "%" PRIu64, generation);
}

void
cs_history_leave (struct cs_record *record)
{
  cs_record_unload (record);
  cs_file_close (&record->fd);
}

int
cs_history_find (const struct cs_store *store, int folder,
                 uint64_t generation, struct cs_record *record)
{
  struct stat st;
  char name[24];
  int fd, r;

  file_name (generation, name);
  fd = cs_sys.openat (folder, name,
                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd < 0)
    return errno == ENOENT ? 0 : -errno;
  record->fd = fd = cs_file_move_high (fd);
  if (cs_sys.fstat (fd, &st) < 0)
    r = -errno;
  else
    r = S_ISREG (st.st_mode)
        && cs_file_check_owner (store->path, &st, NULL) == 0
        ? cs_record_find (fd, 0, &store->superblock, record) : 0;
  if (r == 1 && (record->head.superblock.generation != generation
                 || record->head.from != generation + 1))
    r = 0;
  if (r == 1)
    r = cs_record_load (record);
  if (r == 1)
    r = cs_record_verify (record);
  if (r != 1)
    {
      record->fd = fd;
      cs_history_leave (record);
    }
  return r;
}

bool
cs_history_has_file (int folder, uint64_t generation)
{
  struct stat st;
  char name[24];

  file_name (generation, name);
  return cs_sys.fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Write to FD the data of INDEX's pages as they were BEFORE.  */
static int
write_data (const struct cs_store *before, int fd,
            const struct cs_entry_disk *index, uint64_t nr, uint64_t off)
{
  char buf[CHUNK * CS_STORE_PAGE_LEN] __attribute__ ((aligned (8)));
  int r = 0;

  for (uint64_t i = 0, run; i < nr && r == 0; i += run)
    {
      for (run = 1; run < CHUNK && i + run < nr && index[i + run].sum
                    && index[i + run].page == index[i].page + run; run++)
        continue;
      if (!index[i].sum)
        {
          run = 1;
          continue;
        }
      r = cs_committed_read (before, index[i].page, run, buf);
      if (r == 0)
        r = cs_file_write (fd, buf, (size_t) run * CS_STORE_PAGE_LEN, off);
      off += run * CS_STORE_PAGE_LEN;
    }
  return r;
}

/* Fill INDEX with REDO's pages and the sums they had BEFORE.  */
static int
read_sums (const struct cs_store *before, const struct cs_record *redo,
           struct cs_entry_disk *index)
{
  int r = 0;

  for (uint64_t i = 0; i < redo->head.nr && r == 0; i++)
    {
      index[i].page = redo->index[i].page;
      r = cs_committed_sums (before, index[i].page, 1, &index[i].sum);
    }
  return r;
}

static int
write_undo (const struct cs_store *before, int fd,
            const struct cs_record *redo, struct cs_entry_disk *index)
{
  struct cs_record_disk head = {
    .from = redo->head.superblock.generation,
    .superblock = before->superblock
  };
  int r = read_sums (before, redo, index);

  if (r < 0)
    return r;
  cs_record_seal (&head, index, redo->head.nr);
  r = write_data (before, fd, index, head.nr, cs_record_data (&head));
  if (r == 0)
    r = cs_file_write (fd, index, (size_t) cs_record_index_len (&head),
                       CS_STORE_PAGE_LEN);
  if (r == 0)
    r = cs_file_write (fd, &head, sizeof head, 0);
  if (r == 0 && cs_sys.fdatasync (fd) < 0)
    r = -errno;
  return r;
}

int
cs_history_keep (const struct cs_store *before, int folder,
                 const struct cs_record *redo)
{
  uint64_t len = cs_record_index_len (&redo->head);
  struct cs_entry_disk *index;
  struct cs_record there;
  char name[24];
  int fd, r;

  /* If it is complete the image may have changed already.  */
  r = cs_history_find (before, folder, before->superblock.generation,
                       &there);
  if (r == 1)
    cs_history_leave (&there);
  if (r != 0)
    return r < 0 ? r : 0;
  file_name (before->superblock.generation, name);
  index = cs_scratch_map (len);
  if (!index)
    return -ENOMEM;
  fd = cs_sys.openat (folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
                      | O_NOFOLLOW | O_NONBLOCK, 0600);
  r = fd < 0 ? -errno : 0;
  if (r == 0)
    {
      fd = cs_file_move_high (fd);
      r = write_undo (before, fd, redo, index);
      cs_file_close (&fd);
      if (r < 0)
        cs_sys.unlinkat (folder, name, 0);
    }
  cs_scratch_unmap (index, len);
  return r;
}

void
cs_history_trim (int folder, uint64_t generation)
{
  char name[24];

  for (int gaps = 0; generation > 0 && gaps < 2; generation--)
    {
      file_name (generation, name);
      gaps = cs_sys.unlinkat (folder, name, 0) == 0 ? 0 : gaps + 1;
    }
}

void
cs_history_forget (const struct cs_store *store)
{
  int folder = cs_history_open (store, false);
  char buf[4096] __attribute__ ((aligned (8)));
  char name[NAME_MAX + 16];
  ssize_t n;

  if (folder < 0)
    return;
  /* Not readdir(3), which allocates.  */
  while ((n = getdents64 (folder, buf, sizeof buf)) > 0)
    for (ssize_t at = 0; at < n;)
      {
        const struct dirent64 *entry = (const void *) (buf + at);

        if (strspn (entry->d_name, "0123456789") == strlen (entry->d_name))
          cs_sys.unlinkat (folder, entry->d_name, 0);
        at += entry->d_reclen;
      }
  cs_file_close (&folder);
  snprintf (name, sizeof name, "%s-history", store->name);
  cs_sys.unlinkat (store->dirfd, name, AT_REMOVEDIR);
}

/* Opening an older generation.  */

static int
not_kept (uint64_t generation, struct cs_err *err)
{
  cs_err_set (err, CS_E_REFUSED, "generation %" PRIu64 " is not kept",
              generation);
  return cs_err_advise (err, "those that are: cs-inspect --history");
}

/* Enter one record of the history, whose data stay mapped.  */
static int
enter (struct cs_store *store, const struct cs_record *record,
       struct cs_err *err)
{
  uint64_t len = record->head.nr_data * CS_STORE_PAGE_LEN;
  char *data = NULL;
  int r = cs_patch_prepare (store);

  if (r == 0 && len > 0)
    {
      data = cs_sys.mmap (NULL, (size_t) len, PROT_READ, MAP_PRIVATE,
                          record->fd,
                          (off_t) cs_record_data (&record->head));
      r = data == MAP_FAILED ? -errno : 0;
    }
  if (r < 0)
    return cs_err_sys (err, -r, "map a file of the history");
  cs_patch_enter (store, record, data);
  store->superblock = record->head.superblock;
  return 0;
}

static int
go_back (struct cs_store *store, int folder, uint64_t generation,
         struct cs_err *err)
{
  uint64_t at = store->superblock.generation;
  struct cs_record record;
  int r = 0;

  while (at > generation && r == 0)
    {
      r = cs_history_find (store, folder, --at, &record);
      if (r < 0)
        return cs_err_sys (err, -r, "read the history");
      if (r == 0)
        return not_kept (generation, err);
      r = enter (store, &record, err);
      cs_history_leave (&record);
    }
  return r;
}

/* Has the newest commit begun to be applied (H1)?  */
static bool
is_begun (const struct cs_store *store, int folder)
{
  struct cs_record record;

  if (cs_history_find (store, folder, store->superblock.generation - 1,
                       &record) != 1)
    return false;
  cs_history_leave (&record);
  return true;
}

int
cs_history_go_back (struct cs_store *store, uint64_t generation,
                    struct cs_err *err)
{
  int folder, r;

  if (generation > store->superblock.generation || generation == 0)
    return not_kept (generation, err);
  if (generation == store->superblock.generation)
    return 0;
  folder = cs_history_open (store, false);
  if (store->log.len > 0 && store->superblock.history > 0
      && (folder < 0 || !is_begun (store, folder)))
    {
      /* The image is still what the log starts from.  */
      cs_patch_forget (store);
      store->log.len = 0;
      r = cs_superblock_reread (store, err);
      if (r == 0 && store->superblock.history == 0)
        r = not_kept (generation, err);
      if (r == 0 && generation > store->superblock.generation)
        r = cs_log_scan (store, generation, err);
    }
  else
    r = 0;
  if (r == 0 && store->superblock.generation != generation)
    r = folder < 0 ? not_kept (generation, err)
        : go_back (store, folder, generation, err);
  cs_file_close (&folder);
  return r;
}

/* What the history lists.  */

static size_t
list_log (const struct cs_store *store, struct cs_generation *list,
          size_t max)
{
  uint64_t off = cs_log_off (store), end = off + store->log.len;
  struct cs_record record;
  size_t nr = 0;

  /* Oldest first as they lie, so turn them round.  */
  while (off < end
         && cs_record_find (store->fd, off, &store->superblock, &record) == 1
         && record.head.superblock.generation
            <= store->superblock.generation)
    {
      if (nr == max)
        memmove (list, list + 1, --nr * sizeof *list);
      list[nr++] = (struct cs_generation) {
        record.head.superblock.generation,
        record.head.superblock.committed_at, record.head.nr
      };
      off += cs_record_len (&record.head);
    }
  for (size_t i = 0; i < nr / 2; i++)
    {
      struct cs_generation other = list[i];

      list[i] = list[nr - 1 - i];
      list[nr - 1 - i] = other;
    }
  return nr;
}

/* The image, while it is still what the log starts from: no record of the
   history leads back to it yet.  Returns how many it adds to LIST.  */
static size_t
list_image (const struct cs_store *store, int folder,
            struct cs_generation *list)
{
  struct cs_store image = *store;
  struct cs_err err = CS_ERR_INIT;

  if (store->superblock.history == 0
      || (folder >= 0 && is_begun (store, folder))
      || cs_superblock_reread (&image, &err) < 0
      || image.superblock.history == 0)
    return 0;
  *list = (struct cs_generation) {
    image.superblock.generation, image.superblock.committed_at, 0
  };
  return 1;
}

size_t
cs_store_history (const struct cs_store *store, struct cs_generation *list,
                  size_t max)
{
  int folder = cs_history_open (store, false);
  struct cs_record record;
  uint64_t generation;
  size_t nr = 0;

  if (max > 0 && store->log.len > 0)
    nr = list_log (store, list, max);
  if (nr > 0 && nr < max)
    nr += list_image (store, folder, list + nr);
  if (max > 0 && nr == 0)
    list[nr++] = (struct cs_generation) {
      store->superblock.generation, store->superblock.committed_at, 0
    };
  generation = nr > 0 ? list[nr - 1].generation : 0;
  while (folder >= 0 && nr < max
         && cs_history_find (store, folder, --generation, &record) == 1)
    {
      list[nr - 1].changed = record.head.nr;
      list[nr++] = (struct cs_generation) {
        generation, record.head.superblock.committed_at, 0
      };
      cs_history_leave (&record);
    }
  cs_file_close (&folder);
  return nr;
}
