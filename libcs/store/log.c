/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* log.c -- the log: commits that are not in the image yet.

   The log lies in the store's own file, so that nothing of a store is left
   behind when that is renamed or copied, at some distance behind the image.
   When the image grows to where it is, it is moved while it is empty, and
   what was written there is cut off.  It is a chain of records (record.h),
   the first at the start of the log, each next one behind the one before.

   L1  A commit is made when its record is complete and synced.  What it
       changes is in the image only later (apply.c).
   L2  The records of a log follow each other without a gap in their
       generations, and the first starts from the generation of the image
       or from an earlier one.
   L3  A log whose last record leads to the image's generation or a later
       one is in force: all its pages count, and the image is not looked at
       for them, as applying may have been cut off.  Any other log is what
       was left of one that was applied, and counts for nothing.
   L4  The image changes only while the one who changes it has the readers'
       lock for itself: a page of it that a process has mapped, and not
       written to, would change with it.
   L5  A record that could not be synced is never trusted: it is wiped, and
       the log not used again while the store is open.
   L6  What a process finds in the file, and cannot know to be on stable
       storage, it syncs before it writes to the log or puts it into the
       image.  Who was before may have been killed between writing and
       syncing a record, or the end of a log (A2): the page cache shows what
       a power failure would take back.  A file that ends with its image
       needs no sync: only who has synced the log's end, and found or made
       zeros, on stable storage, of what is between image and log (G3), cuts
       it off there.
   L7  A commit is made in a file whose name is on stable storage: who gave
       it the name (new-file.c) may have been killed before the sync.
   L8  Where the image grows over an older log, that is cut off, and the end
       of the file synced, before there is a record of such an image: of
       what is not synced, a power failure may keep any part.
   L9  A log that does not reach the generation whose pages the image may have
       (A4) was damaged.  The newest generation is refused then; an older one
       that the log reaches, or the image, is made by the history's records
       from that generation back (history.c), and only so.
   L10 A writer that leaves writes a note, after its last sync: the generation,
       where in the file the log ended, and the file's name (settled.c).  An
       opener that finds that generation and that end knows that all it has found
       of image and log is on stable storage: L6 asks for no sync, but before the
       image grows (G3).  Nor does L7, if the name is the noted one.  If the
       opener finds anything else, the last writer was killed, or power failed,
       and L6 and L7 hold as they stand.
   L11 The records that the note speaks of were complete.  Their pages are not
       summed when they are read, as the image's are not.  A log that does not
       reach the note's generation was damaged: the newest generation is
       refused, because a commit that was made does not vanish.  */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "store/direct.h"
#include "store/history.h"
#include "store/sys.h"

#define MIB ((uint64_t) 1 << 20)

/* How far behind the image the log begins at least: a quarter of the image
   within these bounds.  The space is never written to, but is counted in the
   length of the file.  */
#define DISTANCE_MIN (8 * MIB)
#define DISTANCE_MAX (64 * MIB)

/* A longer log, or one of more records, makes opening slow.  */
#define LEN_MAX (2 * MIB)
#define RECORDS_MAX 32

uint64_t
cs_log_off (const struct cs_store *store)
{
  return (cs_store_image_off (&store->superblock)
          + (uint64_t) store->log.start * MIB);
}

uint64_t
cs_log_end (const struct cs_store *store)
{
  return cs_log_off (store) + store->log.len;
}

uint64_t
cs_store_log_len (const struct cs_store *store, uint64_t *commits)
{
  *commits = store->log.len > 0
             ? store->superblock.generation - store->log.first + 1 : 0;
  return store->log.len;
}

bool
cs_log_is_long (const struct cs_store *store)
{
  uint64_t records;

  return (cs_store_log_len (store, &records) > LEN_MAX
          || records >= RECORDS_MAX);
}

uint32_t
cs_log_start (uint64_t committed)
{
  uint64_t distance = committed / 4;

  if (distance < DISTANCE_MIN)
    distance = DISTANCE_MIN;
  if (distance > DISTANCE_MAX)
    distance = DISTANCE_MAX;
  return (uint32_t) (cs_round_up (committed + distance, MIB) / MIB);
}

/* Wherever one of the slots says it begins, there is no log.  What was left
   of older logs is cut off last, as the image will read as zeros where nothing
   was written to it (L8).  */
static int
move (const struct cs_store *store, const struct cs_superblock_disk *sb)
{
  int r = cs_superblock_replace (store->fd, sb);

  if (r < 0)
    return r;
  return cs_sys.ftruncate (store->fd, (off_t) (cs_store_image_off (sb)
                                               + sb->committed)) < 0
         || cs_sys.fdatasync (store->fd) < 0 ? -errno : 0;
}

int
cs_log_settle (struct cs_store *store, struct cs_err *err)
{
  if (store->log.settled)
    return 0;
  if (cs_sys.fdatasync (store->fd) < 0)
    {
      store->log.broken = true;
      return cs_err_sys (err, errno, "sync what was left in the log");
    }
  store->log.settled = true;
  return 0;
}

int
cs_log_move (struct cs_store *store, uint64_t committed, struct cs_err *err)
{
  struct cs_superblock_disk sb = store->superblock;
  int r;

  sb.log_start = cs_log_start (committed);
  cs_superblock_seal (&sb);
  r = move (store, &sb);
  if (r < 0)
    {
      store->log.broken = true; /* where it is, is open */
      return cs_err_sys (err, -r, "move the log");
    }
  store->superblock = sb;
  store->log.start = sb.log_start;
  store->log.settled = store->log.clean = true;
  return 0;
}

static int
say_damaged (uint64_t off, uint64_t generation, struct cs_err *err)
{
  cs_err_set (err, CS_E_DAMAGED, "log record at offset %" PRIu64 ": checksum"
              " of generation %" PRIu64 " is wrong", off, generation);
  return cs_err_advise (err, "cs-inspect --check lists the damage, --repair"
                        " makes a store of what is whole");
}

/* RECORD, which is not complete, ends the log behind generation LAST.  It was
   damaged, and is not what is left of a commit that was cut off, if there is
   another one behind it, or if it leads to the image's generation: the log of
   that was complete.  A head that is not right may still say how long the
   record was.  */
static int
check_end (struct cs_store *store, const struct cs_record *record,
           bool has_head, uint64_t last, struct cs_err *err)
{
  uint64_t generation = record->head.superblock.generation;
  uint64_t image = store->superblock.generation;
  struct cs_record next;

  if (store->salvage)
    return 0;
  if (has_head && generation <= image)
    return say_damaged (record->off, generation, err);
  if (record->head.nr > cs_region_pages (store)
      || record->head.nr_data > record->head.nr
      || cs_record_find (store->fd,
                         record->off + cs_record_len (&record->head),
                         &store->superblock, &next) != 1)
    return 0;
  generation = next.head.superblock.generation;
  return (last > 0 ? generation == last + 2 : generation > image + 1)
         ? say_damaged (record->off, generation - 1, err) : 0;
}

/* The next record of the chain: 1, 0 at its end, or an error.  */
static int
next_record (struct cs_store *store, uint64_t off, uint64_t last,
             struct cs_record *record, struct cs_err *err)
{
  int r = cs_record_find (store->fd, off, &store->superblock, record);
  bool has_head = r == 1;

  if (has_head && last > 0 && record->head.superblock.generation != last + 1)
    return 0;
  if (r == 1)
    r = cs_record_load (record);
  if (r == 1 && !cs_settled_covers_record (store, &record->head,
                                           off + cs_record_len (&record->head)))
    {
      r = cs_record_verify (record);
      if (r != 1)
        cs_record_unload (record);
    }
  if (r < 0)
    return cs_err_sys (err, -r, "read the log");
  return r == 1 ? 1 : check_end (store, record, has_head, last, err);
}

/* Is the log, which leads to generation LAST, in force (L2, L3)?  1, 0, or
   an error.  */
static int
is_in_force (const struct cs_store *store, uint64_t first, uint64_t last,
             struct cs_err *err)
{
  uint64_t generation = store->superblock.generation;

  if (last < generation)
    return 0;
  if (first <= generation + 1)
    return 1;
  return cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64
                     ": expected it to begin with generation %" PRIu64
                     " at most, found %" PRIu64, cs_log_off (store),
                     generation + 1, first);
}

int
cs_log_scan (struct cs_store *store, uint64_t limit, struct cs_err *err)
{
  struct cs_superblock_disk last = { .generation = 0 };
  uint64_t off = cs_log_off (store), first = 0;
  struct cs_record record;
  int r;

  while ((r = next_record (store, off, last.generation, &record, err)) == 1
         && record.head.superblock.generation <= limit)
    {
      r = cs_patch_prepare (store, cs_record_pages (&record));
      if (r == 0)
        cs_patch_enter (store, &record, NULL);
      cs_record_unload (&record);
      if (r < 0)
        {
          cs_err_sys (err, -r, "make room for the log's pages");
          return cs_err_advise_space (err);
        }
      last = record.head.superblock;
      if (first == 0)
        first = last.generation;
      off += cs_record_len (&record.head);
    }
  if (r == 1)
    cs_record_unload (&record);
  if (r < 0 || first == 0)
    return r < 0 ? r : 0;
  r = is_in_force (store, first, last.generation, err);
  if (r == 1)
    {
      store->log.first = first;
      store->log.len = off - cs_log_off (store);
      if (last.generation > store->superblock.generation)
        store->superblock = last;
    }
  else
    cs_patch_forget (store);
  return r < 0 ? r : 0;
}

/* The log, and first what the header says of it: a writer may be writing
   both.  */
static int
read_log (struct cs_store *store, const struct stat *st, struct cs_err *err)
{
  int r = cs_mark_read (store->fd, store->superblock.generation,
                        &store->log.applying);

  if (r == 0)
    r = cs_settled_read (store, st);
  if (r < 0)
    return cs_err_sys (err, -r, "read the mark");
  if ((uint64_t) st->st_size > cs_log_off (store))
    r = cs_log_scan (store, UINT64_MAX, err);
  if (!store->log.clean)
    store->log.settled = store->log.by_note = cs_settled_covers (store);
  return r;
}

int
cs_log_open (struct cs_store *store, const struct stat *st,
             struct cs_err *err)
{
  const struct cs_log *log = &store->log;
  uint64_t generation;
  int r;

  store->log.start = store->superblock.log_start;
  store->log.settled = store->log.clean
    = (uint64_t) st->st_size <= (cs_store_image_off (&store->superblock)
                                 + store->superblock.committed);
  r = read_log (store, st, err);
  generation = store->superblock.generation;
  if (r < 0 || store->salvage)
    return r;
  if (cs_log_is_cut (store))
    cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64 " ends with "
                "generation %" PRIu64 ", but generation %" PRIu64 " was being "
                "put into the image", cs_log_off (store), generation,
                log->applying);
  else if (log->noted > generation)     /* L11 */
    cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64 " ends with "
                "generation %" PRIu64 ", but generation %" PRIu64 " was left in"
                " it", cs_log_off (store), generation, log->noted);
  else
    return 0;
  return cs_err_advise (err, "cs-inspect --repair makes a store of what is "
                        "whole");
}

bool
cs_log_is_cut (const struct cs_store *store)
{
  return store->log.applying > store->superblock.generation;
}

void
cs_log_cut_off (struct cs_store *store)
{
  const struct cs_superblock_disk *sb = &store->superblock;
  off_t end = (off_t) (cs_store_image_off (sb) + sb->committed);
  struct stat st;

  if (store->fd >= 0 && sb->generation > 0 && store->log.len == 0
      && store->log.settled && !store->log.broken
      && cs_sys.fstat (store->fd, &st) == 0 && st.st_size > end
      && cs_direct_clean (store, &(struct cs_err) CS_ERR_INIT) == 0)
    cs_sys.ftruncate (store->fd, end);
}

int
cs_log_wipe (const struct cs_store *store, uint64_t off)
{
  static const char zeros[sizeof (struct cs_record_disk)];

  return cs_file_write (store->fd, zeros, sizeof zeros, off);
}
