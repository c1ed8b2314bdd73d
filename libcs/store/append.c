/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* append.c -- a commit on its way to the log (invariants: log.c).  */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/append.h"
#include "store/sys.h"

/* So much is copied, to fit into the cache, and written at a time: from one
   multiple of it in the file to the next, as the page cache is faster with
   such pieces.  The disk is told of more at a time, as that takes time too,
   but early of the first.  */
#define PIECE_LEN ((uint64_t) 128 << 10)
#define BEGIN_LEN ((uint64_t) 512 << 10)

/* The copies, a page of no matter what, a piece of new pages, and the commit that
   is on its way.  */
#define COMMIT_OFF (PIECE_LEN + CS_STORE_PAGE_LEN + CS_DIRECT_PIECE)
#define COPIES_LEN (COMMIT_OFF + CS_STORE_PAGE_LEN)

/* Of an index that is longer than this the memory is given back.  */
#define INDEX_KEPT ((size_t) 64 << 10)

/* What has to be on stable storage before anything is written.  */
static int
settle (struct cs_store *store, struct cs_err *err)
{
  int r = store->name_noted ? 0 : cs_file_sync_names (store);   /* L7 */

  /* Who may not read the folder cannot have made a name there.  */
  if (r < 0 && r != -EACCES && r != -EPERM)
    return cs_err_sys (err, -r, "sync its folder");
  return cs_log_settle (store, err);    /* L6 */
}

static uint64_t
index_len (const struct cs_store *store)
{
  return cs_round_up (cs_region_pages (store) * sizeof *store->index,
                      CS_STORE_PAGE_LEN);
}

int
cs_append_prepare (struct cs_store *store)
{
  if (!store->copies)
    store->copies = cs_scratch_map (COPIES_LEN);
  if (!store->index)
    store->index = cs_scratch_map (index_len (store));
  return store->copies && store->index ? 0 : -ENOMEM;
}

static void
free_index (struct cs_store *store)
{
  cs_scratch_unmap (store->index, index_len (store));
  store->index = NULL;
}

void
cs_append_free (struct cs_store *store)
{
  cs_scratch_unmap (store->copies, COPIES_LEN);
  store->copies = NULL;
  free_index (store);
}

int
cs_append_begin (struct cs_append **begun, struct cs_store *store,
                 const struct cs_superblock_disk *sb, struct cs_err *err)
{
  struct cs_append *append = (void *) (store->copies + COMMIT_OFF);

  *begun = append;
  *append = (struct cs_append) {
    .store = store,
    .record = {
      .fd = store->fd,
      .off = cs_log_end (store),
      .head = { .from = store->superblock.generation, .superblock = *sb },
      .index = store->index
    },
    .due = 2 * PIECE_LEN
  };
  append->next = append->begun = append->record.off + CS_RECORD_DATA;
  return settle (store, err);
}

/* Have zeros in the index again.  */
static void
clear_index (const struct cs_append *append)
{
  size_t len = (size_t) append->record.head.nr * sizeof *append->record.index;

  if (len <= INDEX_KEPT)
    memset (append->record.index, 0, len);
  else
    free_index (append->store);
}

char *
cs_append_room (const struct cs_append *append)
{
  return append->store->copies + append->used;
}

char *
cs_append_spare (const struct cs_append *append)
{
  return append->store->copies + PIECE_LEN;
}

char *
cs_append_piece (const struct cs_append *append)
{
  return cs_append_spare (append) + CS_STORE_PAGE_LEN;
}

/* Write the copies, and let the disk begin while we go on.  */
static int
write_copies (struct cs_append *append)
{
  int fd = append->record.fd;
  int r = cs_file_write (fd, append->store->copies, append->used,
                         append->next);

  append->failed = r < 0;
  append->next += append->used;
  append->used = 0;
  if (append->next - append->begun >= append->due)
    {
      cs_sys.sync_file_range (fd, (off_t) append->begun,
                              (off_t) (append->next - append->begun),
                              SYNC_FILE_RANGE_WRITE);
      append->begun = append->next;
      append->due = BEGIN_LEN;
    }
  return r;
}

int
cs_append_page (struct cs_append *append, uint64_t page, uint32_t sum)
{
  struct cs_record *record = &append->record;

  record->index[record->head.nr++] = (struct cs_entry_disk) {
    (uint32_t) page, sum
  };
  if (sum == 0)
    return 0;
  record->head.nr_data++;
  append->used += CS_STORE_PAGE_LEN;
  return ((append->next + append->used) % PIECE_LEN == 0
          ? write_copies (append) : 0);
}

/* The head is written last: before, there is no record.  0 or -errno.  */
static int
write_rest (struct cs_append *append)
{
  struct cs_record *record = &append->record;
  struct cs_record_disk *head = &record->head;
  int r = write_copies (append);

  head->nr_in_place = append->direct.pages;
  cs_record_seal (head, record->index, head->nr);
  if (r == 0)
    r = cs_file_write (record->fd, record->index,
                       (size_t) cs_record_index_len (head),
                       record->off + cs_record_index (head));
  if (r == 0)
    r = cs_file_write (record->fd, head, sizeof *head, record->off);
  return r;
}

void
cs_append_abort (struct cs_append *append)
{
  clear_index (append);
  cs_direct_abort (append);
  if (append->next == append->record.off + CS_RECORD_DATA)
    return;
  cs_log_wipe (append->store, append->record.off);
  cs_sys.ftruncate (append->record.fd, (off_t) append->record.off);
}

int
cs_append_write (struct cs_append *append, struct cs_err *err)
{
  int r = cs_direct_sync (append, err); /* G2 */

  if (r == 0)
    {
      r = write_rest (append);
      if (r < 0)
        cs_err_sys (err, -r, "write the changes");
    }
  if (r < 0)
    {
      cs_append_abort (append);
      return r;
    }
  append->store->unsynced = append;
  return 0;
}

/* The record of APPEND is on stable storage.  */
static void
enter (struct cs_store *store, const struct cs_append *append)
{
  const struct cs_record *record = &append->record;

  store->log.by_note = false;
  cs_patch_enter (store, record, NULL);
  if (store->log.len == 0)
    store->log.first = record->head.superblock.generation;
  store->log.len += cs_record_len (&record->head);
  store->superblock = record->head.superblock;
}

/* It may not be.  A power failure may undo the wiping: so new pages stay in their
   place.  */
static void
give_up (struct cs_store *store, const struct cs_append *append)
{
  store->log.broken = true;     /* L5 */
  store->watch.since_commit = false;
  cs_own_check (store);
  if (store->fd == append->record.fd)
    cs_log_wipe (store, append->record.off);
}

/* C3: a number that still leads to the file did so all the time.  */
int
cs_append_sync (struct cs_store *store, struct cs_err *err)
{
  struct cs_append *append = store->unsynced;
  int fd = append->record.fd;
  int code = cs_sys.fdatasync (fd) < 0 ? errno : 0;

  cs_applying_lock_beside (store);
  if (code == 0 && (fd != store->fd || !cs_own_is_file (store)))
    code = EBADF;
  if (code == 0)
    enter (store, append);
  else
    give_up (store, append);
  clear_index (append);
  store->unsynced = NULL;
  cs_applying_unlock (store);
  return code == 0 ? 0 : cs_err_sys (err, code, "sync the log");
}
