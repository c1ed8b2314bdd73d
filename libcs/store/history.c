/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* history.c -- older generations of a store.  */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/history.h"
#include "store/sys.h"

#define CHUNK ((uint64_t) 64)   /* pages copied at a time */
#define SUMS 1024               /* read at a time */

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
    return errno == ENOENT || errno == ELOOP ? 0 : -errno;
  record->fd = fd;
  if (cs_sys.fstat (fd, &st) < 0)
    r = -errno;
  else
    r = S_ISREG (st.st_mode) && cs_history_is_trusted (store, &st)
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

/* A record that leads back, on its way to a file.  */
struct undo
{
  const struct cs_store *before;
  int fd;
  struct cs_entry_disk *index;
  char *buf;                    /* CHUNK pages */
  size_t used;                  /* bytes of it that are not written yet */
  uint64_t off;                 /* where they belong in the file */
  struct cs_slice *slice;
};

static int
write_buf (struct undo *u)
{
  int r = cs_file_write (u->fd, u->buf, u->used, u->off);

  cs_slice_push (u->slice, u->fd, u->off, u->off + u->used);
  u->off += u->used;
  u->used = 0;
  return r;
}

/* Write the data of NR pages as they were before.  0 or -errno.  */
static int
write_data (struct undo *u, uint64_t nr)
{
  const struct cs_entry_disk *e = u->index;
  int r = 0;

  for (uint64_t i = 0, run; i < nr && r == 0; i += run)
    {
      uint64_t room = CHUNK - u->used / CS_STORE_PAGE_LEN;

      run = 1;
      if (!e[i].sum)
        continue;
      while (run < room && i + run < nr && e[i + run].sum
             && e[i + run].page == e[i].page + run)
        run++;
      r = cs_committed_read (u->before, e[i].page, run, u->buf + u->used);
      u->used += run * CS_STORE_PAGE_LEN;
      if (r == 0 && run == room)
        r = write_buf (u);
    }
  return r == 0 ? write_buf (u) : r;
}

/* Fill the index with REDO's pages and the sums they had before.  */
static int
read_sums (struct undo *u, const struct cs_record *redo)
{
  const struct cs_entry_disk *e = redo->index;
  uint64_t from = UINT64_MAX;
  uint32_t sums[SUMS];
  int r = 0;

  for (uint64_t i = 0; i < redo->head.nr && r == 0; i++)
    {
      if (e[i].page / SUMS != from)
        {
          from = e[i].page / SUMS;
          r = cs_committed_sums (u->before, from * SUMS, SUMS, sums);
        }
      u->index[i] = (struct cs_entry_disk) {
        e[i].page, sums[e[i].page % SUMS]
      };
    }
  return r;
}

/* Write what comes before the index.  Commits and readers may come in between; who
   changes the image overtakes this.  */
static int
write_beside (struct undo *u, const struct cs_record *redo,
              struct cs_record_disk *head)
{
  int r;

  cs_slice_leave (u->slice);
  r = read_sums (u, redo);
  /* A process that is killed here leaves a file that is known to be ours
     (H3).  */
  cs_record_begin (head);
  if (r == 0)
    r = cs_file_write (u->fd, head, sizeof *head, 0);
  if (r == 0)
    r = write_data (u, redo->head.nr);
  return cs_slice_return (u->slice, r);
}

static int
write_undo (struct undo *u, const struct cs_record *redo)
{
  struct cs_record_disk head = {
    .from = redo->head.superblock.generation,
    .superblock = u->before->superblock,
    .nr_in_place = redo->head.nr_in_place
  };
  int r = write_beside (u, redo, &head);

  if (r < 0)
    return r;
  cs_record_seal (&head, u->index, redo->head.nr);
  r = cs_file_write (u->fd, u->index, (size_t) cs_record_index_len (&head),
                       cs_record_index (&head));
  if (r == 0)
    r = cs_file_write (u->fd, &head, sizeof head, 0);
  return r < 0 ? r : cs_slice_sync (u->slice, cs_sys.fdatasync, u->fd);
}

/* If there is a record that leads back from REDO, see to it that it stays:
   who wrote it may have been killed before the sync.  1, 0 or -errno.  */
static int
sync_undo (const struct cs_store *before, int folder,
           const struct cs_record *redo)
{
  struct cs_record there;
  int r = cs_history_find (before, folder,
                           redo->head.superblock.generation - 1, &there);

  if (r != 1)
    return r;
  if (cs_sys.fdatasync (there.fd) < 0)
    r = -errno;
  cs_history_leave (&there);
  return r;
}

/* Make the file NAME.  A file that has the name is replaced if it is a record
   of this store, which cs_history_find() has found to be incomplete or open to
   others' writes, or if a power failure left nothing in it.  Returns a
   descriptor, or -errno: -EEXIST for any other file.  */
static int
make_file (const struct cs_store *store, int folder, const char *name)
{
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = cs_sys.openat (folder, name, flags, 0600), r;

  if (fd < 0 && errno == EEXIST)
    {
      if (cs_history_is_record (folder, name, store->superblock.uuid) != 1
          && !cs_history_is_blank (folder, name))
        return -EEXIST;
      if (cs_sys.unlinkat (folder, name, 0) < 0)
        return -errno;
      fd = cs_sys.openat (folder, name, flags, 0600);
    }
  if (fd < 0)
    return -errno;
  r = cs_file_keep_owner (store->fd, fd, 0);
  if (r == 0)
    return cs_file_move_high (fd);
  cs_sys.close (fd);
  cs_sys.unlinkat (folder, name, 0);
  return r;
}

/* Sync the record that leads back from REDO: 1, 0 if there is none, CS_OVERTAKEN or
   -errno.  */
static int
sync_undo_beside (const struct cs_store *before, int folder,
                  const struct cs_record *redo, struct cs_slice *slice)
{
  int r;

  cs_slice_leave (slice);
  r = sync_undo (before, folder, redo);
  return cs_slice_return (slice, r);
}

/* What has been overtaken is not removed: another apply may have given the name
   to a file of its own.  */
static int
make_undo (struct undo *u, int folder, const struct cs_record *redo)
{
  char name[24];
  int r;

  file_name (u->before->superblock.generation, name);
  u->fd = make_file (u->before, folder, name);
  if (u->fd < 0)
    return u->fd;
  r = write_undo (u, redo);
  cs_file_close (&u->fd);
  if (r < 0 && r != CS_OVERTAKEN)
    cs_sys.unlinkat (folder, name, 0);
  return r;
}

int
cs_history_keep (const struct cs_store *before, int folder,
                 const struct cs_record *redo, bool write,
                 struct cs_slice *slice)
{
  uint64_t len = cs_record_index_len (&redo->head);
  struct undo u = { .before = before, .off = CS_RECORD_DATA, .slice = slice };
  int r = sync_undo_beside (before, folder, redo, slice);

  if (r != 0 || !write)
    return r < 0 ? r : 0;
  u.index = cs_scratch_map (len);
  u.buf = cs_scratch_map (CHUNK * CS_STORE_PAGE_LEN);
  r = u.index && u.buf ? make_undo (&u, folder, redo) : -ENOMEM;
  cs_scratch_unmap (u.index, len);
  cs_scratch_unmap (u.buf, CHUNK * CS_STORE_PAGE_LEN);
  return r;
}

/* Opening an older generation.  */

static int
not_trusted (const struct cs_store *store, struct cs_err *err)
{
  cs_err_set (err, CS_E_REFUSED, "'%s-history' is somebody else's, or others "
              "can write to it", store->path);
  return cs_err_advise (err, "if you trust its contents, make it your own:"
                        " chown and chmod go-w");
}

static int
not_kept (uint64_t generation, struct cs_err *err)
{
  cs_err_set (err, CS_E_REFUSED, "generation %" PRIu64 " is not kept",
              generation);
  return cs_err_advise (err, "those that are: cs-inspect --history");
}

/* Enter one record of the history.  */
static int
enter (struct cs_store *store, const struct cs_record *record,
       struct cs_err *err)
{
  char *data = NULL;
  int r = cs_patch_prepare (store, cs_record_pages (record));

  if (r == 0 && record->head.nr_data > 0)
    r = cs_patch_map (store, record, &data);
  if (r < 0)
    return cs_err_sys (err, -r, "map a file of the history");
  cs_patch_enter (store, record, data);
  store->superblock = record->head.superblock;
  return 0;
}

/* From generation AT, which the image may have pages of.  */
static int
go_back (struct cs_store *store, int folder, uint64_t at,
         uint64_t generation, struct cs_err *err)
{
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

/* Is there a record that leads back to GENERATION?  1, 0 or -errno.  */
static int
leads_back (const struct cs_store *store, int folder, uint64_t generation)
{
  struct cs_record record;
  int r = cs_history_find (store, folder, generation, &record);

  if (r == 1)
    cs_history_leave (&record);
  return r;
}

int
cs_history_turn (const struct cs_store *store, int folder, uint64_t *turn)
{
  const struct cs_store *s = store;
  uint64_t off = cs_log_off (s), end = off + s->log.len, undone = 0;
  struct cs_superblock_disk image;
  struct cs_err err = CS_ERR_INIT;
  struct cs_record record;
  int r = cs_superblock_reread (s, &image, &err);

  if (r < 0)
    return r;
  *turn = image.generation;
  for (; r >= 0 && off < end; off += cs_record_len (&record.head))
    {
      const struct cs_superblock_disk *sb = &record.head.superblock;
      uint64_t needed;

      r = cs_record_find (s->fd, off, &s->superblock, &record);
      if (r == 1)
        r = leads_back (s, folder, sb->generation - 1);
      else if (r == 0)
        r = -EIO;               /* it was there when the store was opened */
      needed = sb->generation - s->log.first + 1;
      if (sb->history < needed)
        needed = sb->history;
      undone = r == 1 ? undone + 1 : 0;
      /* The log may still have records that are all in the image (A2).  */
      if (r >= 0 && sb->generation > *turn
          && (undone >= needed || image.history == 0))
        *turn = sb->generation;
    }
  return r < 0 ? r : 0;
}

/* Forget the records of the log that lead beyond GENERATION, which is not
   newer than the newest.  */
static int
shorten_log (struct cs_store *store, uint64_t generation, struct cs_err *err)
{
  uint64_t first = store->log.first;
  int r;

  cs_patch_forget (store);
  store->log.len = 0;
  r = cs_superblock_reread (store, &store->superblock, err);
  return (r == 0 && generation >= first
          ? cs_log_scan (store, generation, err) : r);
}

/* The image may have pages of generations that the log no longer leads to
   (L9).  What the log leads to up to GENERATION counts, and over that the
   records that lead back from the newest of those pages: whatever the image
   has of a page, they have it as it was.  */
static int
leave_mix (struct cs_store *store, uint64_t generation, struct cs_err *err)
{
  uint64_t applying = store->log.applying;
  int folder = cs_history_open (store);
  int r = folder < 0 ? not_kept (generation, err)
          : shorten_log (store, generation, err);

  if (r == 0)
    r = go_back (store, folder, applying, generation, err);
  cs_file_close (&folder);
  if (r != -CS_E_REFUSED)
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  return cs_err_set (err, CS_E_DAMAGED, "the image has pages of generations "
                     "up to %" PRIu64 ", and neither log nor history leads "
                     "from there to generation %" PRIu64, applying,
                     generation);
}

int
cs_history_go_back (struct cs_store *store, uint64_t generation,
                    struct cs_err *err)
{
  uint64_t newest = store->superblock.generation, turn = newest;
  int folder, r = 0;

  if (generation > newest || generation == 0
      || newest - generation > store->superblock.history)
    return not_kept (generation, err);
  if (cs_log_is_cut (store))
    return leave_mix (store, generation, err);
  if (generation == newest)
    return 0;
  folder = cs_history_open (store);
  if (folder == -CS_E_REFUSED)
    return not_trusted (store, err);
  if (folder < 0)
    return not_kept (generation, err);
  if (store->log.len > 0)
    r = cs_history_turn (store, folder, &turn);
  if (r < 0)
    r = cs_err_sys (err, -r, "read the history");
  else if (turn < newest)
    r = shorten_log (store, turn > generation ? turn : generation, err);
  if (r == 0)
    r = go_back (store, folder, store->superblock.generation, generation,
                 err);
  cs_file_close (&folder);
  return r;
}

/* What the history lists.  */

struct list
{
  struct cs_generation *at;
  size_t nr, max;
};

/* How many pages the commit changed that RECORD is of, or leads back from.  */
static uint64_t
nr_changed (const struct cs_record *record)
{
  return record->head.nr + record->head.nr_in_place;
}

/* Put a generation in place I, to which PAGES led (0: not known yet).  */
static void
put (struct list *list, size_t i, const struct cs_superblock_disk *sb,
     uint64_t pages)
{
  if (i < list->max)
    list->at[i] = (struct cs_generation) {
      sb->generation, sb->committed_at, pages
    };
  if (i >= list->nr)
    list->nr = i + 1;
}

/* What the log makes, from the generation in force down to TURN.  */
static void
list_log (const struct cs_store *store, uint64_t turn, struct list *list)
{
  uint64_t off = cs_log_off (store), end = off + store->log.len;
  uint64_t newest = store->superblock.generation;
  struct cs_record record;

  for (; off < end
         && cs_record_find (store->fd, off, &store->superblock, &record) == 1;
       off += cs_record_len (&record.head))
    {
      const struct cs_superblock_disk *sb = &record.head.superblock;

      if (sb->generation >= turn && sb->generation <= newest)
        put (list, (size_t) (newest - sb->generation), sb,
             nr_changed (&record));
    }
}

/* What can be had by going back from the last one of LIST, TURN.  */
static void
list_folder (const struct cs_store *store, int folder, uint64_t turn,
             struct list *list)
{
  struct cs_record record;

  while (cs_history_find (store, folder, --turn, &record) == 1)
    {
      if (list->nr <= list->max)
        list->at[list->nr - 1].changed = nr_changed (&record);
      put (list, list->nr, &record.head.superblock, 0);
      cs_history_leave (&record);
    }
}

size_t
cs_store_history (const struct cs_store *store, struct cs_generation *at,
                  size_t max)
{
  uint64_t newest = store->superblock.generation, turn = newest;
  struct list list = { at, 0, max };
  struct cs_superblock_disk image = store->superblock;
  struct cs_err err = CS_ERR_INIT;
  int folder = cs_history_open (store);

  if (folder >= 0 && store->log.len > 0
      && (cs_history_turn (store, folder, &turn) < 0
          || cs_superblock_reread (store, &image, &err) < 0))
    turn = newest;
  if (store->log.len > 0)
    list_log (store, turn, &list);
  if (list.nr == 0)
    put (&list, 0, &store->superblock, 0);
  else if (turn < store->log.first)
    put (&list, list.nr, &image, 0);
  if (folder >= 0)
    list_folder (store, folder, turn < newest ? turn : newest, &list);
  cs_file_close (&folder);
  /* There may be more in the log, and files that an apply has not removed
     yet.  */
  return (list.nr > (size_t) store->superblock.history
          ? (size_t) store->superblock.history + 1 : list.nr);
}

struct cs_generation *
cs_store_generations (const struct cs_store *store, size_t *nr)
{
  struct cs_generation *list = NULL, *grown;
  size_t room = 0;

  do
    {
      room = room ? 2 * room : 64;
      grown = reallocarray (list, room, sizeof *list);
      if (!grown)
        {
          free (list);
          return NULL;
        }
      list = grown;
      *nr = cs_store_history (store, list, room);
    }
  while (*nr > room);
  return list;
}
