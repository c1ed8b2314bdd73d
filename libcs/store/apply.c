/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* apply.c -- putting the log's commits into the image.

   The states, and what makes each transition:

     in the log --keep_history----> and what it overwrites in the history
                                    (cs_apply_keep_history)
                --mark_image------> and the image says that it is to change
                --write_image-----> and in the image, in part or whole
                --write_superblock> and on stable storage there
                --cs_log_wipe-----> in the image only

   Cut off anywhere, the log is still in force (L3), and the next one who may
   write begins again: every step leads to the same file if it is repeated.

   A1  What is overwritten is in a complete, synced record of the history.
   A2  The log is wiped after image, sums and superblock were synced, and
       that is synced before anything is written over it, by whomever (L6):
       a power failure must not bring back the head of a record whose pages
       are gone.
   A3  One of the two superblock slots is whole at any time: the other is
       written after the first was synced.
   A4  Before the image changes, a mark says up to which generation it may have
       pages, and that is synced: with a log that does not reach so far (L9)
       the image is a mix of generations.  The mark counts for as long as the
       superblock has the generation that it names.
   A5  A process that leaves, or saves and goes on, applies the log only if it is
       due: the log is long (log.c), so that opening would become slow; or the
       newest generation wants a history of another length than the image's, or
       one that has no directory of its own: what is to be dropped or kept is
       not put off.  A writer that finds a long log applies it first.

   Uses no memory but from mmap(2): when a process leaves, threads may have
   been stopped inside malloc.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/history.h"
#include "store/sys.h"

#define CHUNK 64                /* pages copied at a time */

/* The blocks of a log that was longer than this go back to the file system at
   once, and not only when the writer leaves.  Those of a shorter one are used
   again by the next commits, whose syncs are faster for it.  */
#define LOG_KEPT ((uint64_t) 32 << 20)

static uint64_t
image_off (const struct cs_store *store, uint64_t page)
{
  return (cs_store_image_off (&store->superblock)
          + page * CS_STORE_PAGE_LEN);
}

/* Call VISIT for the log's records in order, with the index loaded.  */
static int
each_record (struct cs_store *store,
             int (*visit) (void *context, struct cs_store *store,
                           const struct cs_record *record,
                           struct cs_err *err),
             void *context, struct cs_err *err)
{
  uint64_t off = cs_log_off (store), end = off + store->log.len;
  struct cs_record record;
  int r;

  for (; off < end; off += cs_record_len (&record.head))
    {
      r = cs_record_find (store->fd, off, &store->superblock, &record);
      if (r == 1)
        r = cs_record_load (&record);
      if (r < 0)
        return cs_err_sys (err, -r, "read the log");
      if (r == 0)
        return cs_err_set (err, CS_E_DAMAGED, "log record at offset %" PRIu64
                           " is not as it was written", off);
      r = visit (context, store, &record, err);
      cs_record_unload (&record);
      if (r < 0)
        return r;
    }
  return 0;
}

/* The history (A1).  */

struct keeper
{
  struct cs_store before;       /* the store without the records to come */
  struct cs_superblock_disk image;      /* its superblock */
  int folder;
  uint64_t turn;                /* the image may hold pages up to here */
};

static int
keep_record (void *context, struct cs_store *store,
             const struct cs_record *record, struct cs_err *err)
{
  struct keeper *k = context;
  uint64_t generation = record->head.superblock.generation;
  uint64_t newest = store->superblock.generation;
  int r = 0;

  /* Of those that had been begun with, what leads back from them is there,
     or nobody wants it.  */
  if (newest - generation < store->superblock.history)
    r = cs_history_keep (&k->before, k->folder, record,
                         generation > k->turn);
  if (r == 0 && generation < newest)
    r = cs_patch_prepare (&k->before, cs_record_pages (record));
  if (r < 0)
    return cs_err_sys (err, -r, "keep generation %" PRIu64 " in the history",
                       generation - 1);
  if (generation < newest)
    cs_patch_enter (&k->before, record, NULL);
  k->before.superblock = record->head.superblock;
  return 0;
}

/* Is CODE, of the history's directory or of a file in it, for the user to
   mend?  Other failures may pass by themselves.  */
static bool
stands_in_the_way (int code)
{
  static const int codes[] = {
    CS_E_REFUSED, EACCES, EPERM, EROFS, ENAMETOOLONG, ENOTDIR, ELOOP, EEXIST
  };

  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (code == -codes[i])
      return true;
  return false;
}

static const char *
reason (int code)
{
  switch (code)
    {
    case -CS_E_REFUSED:
      return "it is somebody else's, or others can write to it";
    case -ELOOP:
      return strerror (ENOTDIR);
    case -EEXIST:
      return "a file in it has a generation's name, but is not of this store";
    default:
      return strerror (-code);
    }
}

/* Once a run, whatever comes in between.  */
static void
warn (struct cs_store *store, int code)
{
  if (store->has_warned)
    return;
  store->has_warned = true;
  snprintf (store->warning, sizeof store->warning, "'%.300s' keeps no older"
            " generations: '%.300s-history': %s (the next run tries again)",
            store->path, store->path, reason (code));
}

/* Something is in the way of the history: go on without one.  The image must
   say so before it changes: who finds no history takes it for unchanged
   otherwise (history.c).  */
static int
do_without (struct cs_store *store, struct cs_superblock_disk *old, int code,
            struct cs_err *err)
{
  struct cs_superblock_disk *sb = &store->superblock;
  int r;

  warn (store, code);
  old->history = 0;
  cs_superblock_seal (old);
  r = cs_superblock_replace (store->fd, old);
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  sb->history_wanted = sb->history;
  sb->history = 0;
  cs_superblock_seal (sb);
  return 0;
}

void
cs_apply_resume_history (struct cs_store *store)
{
  struct cs_superblock_disk *sb = &store->superblock;
  struct cs_err err = CS_ERR_INIT;
  int folder;

  if (sb->history > 0 || sb->history_wanted == 0)
    return;
  folder = cs_history_replace (store, &err);
  if (folder == 0)
    folder = cs_history_make (store);
  if (folder < 0)
    warn (store, folder);
  else
    cs_store_set_history (store, sb->history_wanted);
  cs_file_close (&folder);
}

/* Keep what all records of the log overwrite.  -errno of the history's
   directory or files alone: no error is set.  */
static int
keep_records (struct cs_store *store, struct keeper *k, struct cs_err *err)
{
  int r = cs_history_turn (store, k->folder, &k->turn);

  if (r < 0)
    return cs_err_sys (err, -r, "read the history");
  r = each_record (store, keep_record, k, err);
  if (r == 0 && cs_sys.fsync (k->folder) < 0)
    r = cs_err_sys (err, errno, "sync '%s-history'", store->path);
  return r;
}

static int
open_history (struct cs_store *store, struct keeper *k, struct cs_err *err)
{
  int r = cs_history_replace (store, err);

  if (r < 0)
    return r;
  k->folder = cs_history_make (store);
  return (k->folder < 0
          ? cs_err_sys (err, -k->folder, "'%s-history'", store->path) : 0);
}

/* IMAGE is the superblock in the file, whose generation the image has.  */
static int
keep_history (struct cs_store *store, const struct cs_superblock_disk *image,
              struct cs_err *err)
{
  struct keeper k = { .before = *store, .image = *image, .folder = -1 };
  int r;

  if (store->superblock.history == 0)
    return 0;
  k.before.patches = NULL;
  k.before.patch_pages = 0;
  k.before.superblock = *image;
  r = open_history (store, &k, err);
  if (r == 0)
    r = keep_records (store, &k, err);
  cs_patch_free (&k.before);
  cs_file_close (&k.folder);
  if (!stands_in_the_way (r))
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  return do_without (store, &k.image, r, err);
}

int
cs_apply_keep_history (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk image;
  int r = cs_superblock_reread (store, &image, err);

  return r < 0 ? r : keep_history (store, &image, err);
}

/* The image.  */

/* A4.  */
static int
mark_image (struct cs_store *store, const struct cs_superblock_disk *image,
            struct cs_err *err)
{
  uint64_t generation = store->superblock.generation;
  int r;

  if (store->log.applying == generation)
    return 0;
  r = cs_mark_write (store->fd, image->generation, generation);
  if (r < 0)
    return cs_err_sys (err, -r, "mark the image");
  store->log.applying = generation;
  return 0;
}

static int
write_pages (const struct cs_store *store, const struct cs_entry_disk *e,
             uint64_t nr, const char *data)
{
  uint32_t sums[CHUNK];
  int r = e->sum ? cs_file_write (store->fd, data,
                                  (size_t) nr * CS_STORE_PAGE_LEN,
                                  image_off (store, e->page))
          : cs_file_punch (store->fd, image_off (store, e->page),
                           nr * CS_STORE_PAGE_LEN);

  for (uint64_t i = 0; i < nr; i++)
    sums[i] = e[i].sum;
  return r < 0 ? r : cs_sums_write (store->fd, e->page, nr, sums);
}

/* How many of the first MAX entries at E follow each other in the region,
   and are all zeros or all not.  */
static uint64_t
run_len (const struct cs_entry_disk *e, uint64_t max)
{
  uint64_t run = 1;

  while (run < max && run < CHUNK && e[run].page == e->page + run
         && !e[run].sum == !e->sum)
    run++;
  return run;
}

/* Is every page of a run as its entry says?  */
static bool
sums_are_right (const struct cs_entry_disk *e, uint64_t nr, const char *data)
{
  for (uint64_t i = 0; i < nr; i++)
    if (cs_page_sum (data + i * CS_STORE_PAGE_LEN) != e[i].sum)
      return false;
  return true;
}

/* The commits are safe in the log.  Pages that the image does not have yet take
   as much room there again, at most.  */
static int
refuse_image (const struct cs_store *store, int code, struct cs_err *err)
{
  cs_err_sys (err, -code, "write to the image");
  if (code == -ENOSPC || code == -EDQUOT)
    cs_err_advise (err, "nothing is lost: free %" PRIu64 " KiB where the store"
                   " lies; until then, cs-run --ephemeral runs it",
                   (store->log.len + 1023) / 1024);
  return code;
}

static int
write_record (void *buf, struct cs_store *store,
              const struct cs_record *record, struct cs_err *err)
{
  uint64_t off = record->off + CS_RECORD_DATA, run;
  const struct cs_entry_disk *e = record->index;
  int r = 0;

  for (uint64_t i = 0; i < record->head.nr; i += run, e += run)
    {
      size_t len;

      run = run_len (e, record->head.nr - i);
      len = e->sum ? (size_t) run * CS_STORE_PAGE_LEN : 0;
      if (len > 0)
        {
          ssize_t n = cs_file_read (store->fd, buf, len, off);

          if (n >= 0 && ((size_t) n < len || !sums_are_right (e, run, buf)))
            return cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64
                               ": pages are not as they were written", off);
          r = n < 0 ? (int) n : 0;
        }
      if (r == 0)
        r = write_pages (store, e, run, buf);
      if (r < 0)
        return refuse_image (store, r, err);
      off += len;
    }
  return 0;
}

static int
write_image (struct cs_store *store, struct cs_err *err)
{
  char *buf = cs_scratch_map (CHUNK * CS_STORE_PAGE_LEN);
  int r;

  if (!buf)
    return cs_err_sys (err, ENOMEM, "write to the image");
  r = each_record (store, write_record, buf, err);
  cs_scratch_unmap (buf, CHUNK * CS_STORE_PAGE_LEN);
  return r;
}

static int
leave_record (void *context, struct cs_store *store,
              const struct cs_record *record, struct cs_err *err)
{
  (void) context;
  (void) err;
  cs_patch_leave (store, record);
  return 0;
}

/* The superblock, and the end of the log (A2, A3).  */
static int
finish (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk sb = store->superblock;
  int slot = (int) (sb.generation & 1), r;

  memcpy (sb.former_uuid, store->former_uuid, sizeof sb.former_uuid);
  cs_superblock_seal (&sb);
  r = cs_superblock_write_slot (store->fd, &sb, slot);
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  if (cs_sys.fdatasync (store->fd) < 0)
    return cs_err_sys (err, errno, "sync the image");
  store->log.by_note = false;
  /* From here on all pages are in the image.  */
  r = each_record (store, leave_record, NULL, err);
  if (r < 0)
    return r;
  r = cs_superblock_write_slot (store->fd, &sb, !slot);
  store->log.applying = 0;
  if (r == 0)
    r = cs_log_wipe (store, cs_log_off (store));
  if (r < 0)
    return cs_err_sys (err, -r, "wipe the log");
  store->log.len = 0;
  if (cs_sys.fdatasync (store->fd) == 0)
    return 0;
  store->log.broken = true;     /* nothing may be written over it (A2) */
  return cs_err_sys (err, errno, "sync the end of the log");
}

static void
trim_history (const struct cs_store *store)
{
  const struct cs_superblock_disk *sb = &store->superblock;
  int folder = cs_history_open (store);

  if (folder >= 0 && sb->generation > sb->history + 1)
    cs_history_trim (store, folder, sb->generation - sb->history - 1);
  cs_file_close (&folder);
}

static int
apply (struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk image;
  uint64_t len = store->log.len;
  int r = cs_log_settle (store, err);   /* L6 */

  if (r == 0)
    r = cs_superblock_reread (store, &image, err);
  if (r == 0)
    r = keep_history (store, &image, err);
  if (r == 0)
    r = mark_image (store, &image, err);
  if (r == 0)
    r = write_image (store, err);
  if (r == 0)
    r = finish (store, err);
  if (r < 0)
    return r;
  trim_history (store);
  if (len > LOG_KEPT)
    cs_log_cut_off (store);
  return 0;
}

int
cs_apply_unless_read (struct cs_store *store, struct cs_err *err)
{
  int r;

  if (store->log.len == 0 || store->log.broken || store->log.held_back)
    return 0;
  r = cs_lock_readers (store->fd);
  if (r != 1)
    return r < 0 ? cs_err_sys (err, -r, "lock out readers") : 0;
  r = apply (store, err);
  cs_lock_admit_readers (store->fd);
  return r;
}

/* A5: 1, 0, or an error.  */
static int
is_due (const struct cs_store *store, struct cs_err *err)
{
  struct cs_superblock_disk image;
  int folder, r;

  if (store->log.len == 0 || cs_log_is_long (store))
    return store->log.len > 0;
  r = cs_superblock_reread (store, &image, err);
  if (r < 0 || image.history != store->superblock.history)
    return r < 0 ? r : 1;
  if (image.history == 0)
    return 0;
  folder = cs_history_open (store);
  r = folder < 0;
  cs_file_close (&folder);
  return r;
}

static void
drop_old_history (struct cs_store *store)
{
  if (store->forget_history)
    cs_history_forget (store, store->superblock.uuid);
  store->forget_history = false;
  /* What fails here is tried again when there is something to keep.  */
  cs_history_replace (store, &(struct cs_err) CS_ERR_INIT);
}

static int
apply_all (struct cs_store *store, struct cs_err *err)
{
  drop_old_history (store);
  return cs_apply_unless_read (store, err);
}

static int
apply_if_due (struct cs_store *store, struct cs_err *err)
{
  int r;

  drop_old_history (store);
  r = is_due (store, err);
  return r == 1 ? cs_apply_unless_read (store, err) : r;
}

/* What was synced is noted, whatever is left in the log (L10).  */
static int
end (struct cs_store *store, int r)
{
  if (r < 0)
    return r;
  cs_log_cut_off (store);
  cs_settled_write (store);
  return 0;
}

static int
settle (struct cs_store *store, struct cs_err *err)
{
  return end (store, apply_all (store, err));
}

static int
leave (struct cs_store *store, struct cs_err *err)
{
  return end (store, apply_if_due (store, err));
}

/* Call STEP with the store to ourselves.  */
static int
call (struct cs_store *store,
      int (*step) (struct cs_store *store, struct cs_err *err),
      struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  sigset_t all, mask, pending;
  int r;

  if (!err)
    err = &own;
  if (store->mode != CS_STORE_WRITE || store->owner != getpid ())
    {
      cs_err_set (err, CS_E_REFUSED, "not opened for writing");
      return cs_err_prefix (err, "cannot save '%s'", store->path);
    }
  /* Whoever is stopped must not have this lock: a commit waits for it.  */
  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &mask);
  pthread_mutex_lock (&store->applying);
  sigpending (&pending);
  r = cs_own_recover (store);
  if (r < 0)
    cs_own_refuse (store, r, err);
  else
    r = step (store, err);
  if (r < 0)
    cs_new_file_calm (&pending);
  pthread_mutex_unlock (&store->applying);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  return r < 0 ? cs_err_prefix (err, "cannot put the last commit of '%s' into"
                                " its image", store->path) : 0;
}

int
cs_store_apply (struct cs_store *store, struct cs_err *err)
{
  return call (store, apply_all, err);
}

int
cs_store_apply_if_due (struct cs_store *store, struct cs_err *err)
{
  return call (store, apply_if_due, err);
}

int
cs_store_settle (struct cs_store *store, struct cs_err *err)
{
  return call (store, settle, err);
}

int
cs_store_leave (struct cs_store *store, struct cs_err *err)
{
  return call (store, leave, err);
}
