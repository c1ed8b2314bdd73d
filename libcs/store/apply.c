/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* apply.c -- putting the log's commits into the image.

   The states, and what makes each transition:

     in the log --cs_apply_keep---> and what it overwrites in the history
                --mark_image------> and the image says that it is to change
                --write_image-----> and in the image, in part or whole
                --finish----------> and on stable storage there
                --wipe_log--------> in the image only

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
   A6  Beside a running program all of this is done in slices (slice.h): image,
       superblock, mark and the log's beginning change only while the one who
       changes them has the lock `applying` and the readers' lock (L4).  Between
       two slices the file is as a kill there would leave it: all records are in
       the log, which is in force (L3).  So anybody may come between them: a
       reader or a fork's child, which then keeps the next slice from beginning;
       a commit; and the end of the process.
   A7  Commits that come between are no part of the round that is under way: they
       append to the log behind its records, and put pages in place only behind
       the image of any of these (G1).  A commit's comparisons use the log for
       each page that the round writes, as it has a patch until the round's image
       is synced.  Anything else that changes the image or the log's place, as
       another apply or a new file, is counted; a round that finds another count
       than its own ends, and touches nothing (CS_OVERTAKEN).
   A8  A round leads to the newest generation at its beginning.  When image and
       superblock of that are synced, the patches that lie in its records are
       forgotten, and the log is wiped if it has no newer record.  If it has,
       all of it stays in force, and the next round begins behind the generation
       that this process has synced (`applied`).  Another process does not know
       of that, and begins with the first record: a superblock that was written
       before its image was synced says nothing of the image.

   Uses no memory but from mmap(2): when a process leaves, threads may have
   been stopped inside malloc.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/apply.h"
#include "store/history.h"
#include "store/sys.h"

#define CHUNK 64                /* pages copied at a time, at most */
#define SPAN 1024               /* of so many pages of the region */

/* The blocks of a log that was longer than this go back to the file system at
   once, and not only when the writer leaves.  Those of a shorter one are used
   again by the next commits, whose syncs are faster for it.  */
#define LOG_KEPT ((uint64_t) 32 << 20)

/* An index is loaded beside others if it has more entries, and the file is cut
   by so many bytes in a slice.  */
#define ENTRIES_MAX 8192
#define CUT_MAX ((uint64_t) 2 << 20)

static uint64_t
image_off (const struct cs_store *store, uint64_t page)
{
  return (cs_store_image_off (&store->superblock)
          + page * CS_STORE_PAGE_LEN);
}

int
cs_apply_begin_round (struct cs_apply *a, struct cs_store *store,
                      struct cs_err *err)
{
  a->store = store;
  a->at = *store;
  return cs_superblock_reread (store, &a->image, err);
}

/* 1, 0 if it is not as it was written, CS_OVERTAKEN, or -errno.  */
static int
load (struct cs_apply *a, struct cs_record *record)
{
  bool beside = record->head.nr > ENTRIES_MAX;
  int r, entered;

  if (beside)
    cs_slice_leave (&a->slice);
  r = cs_record_load (record);
  entered = beside ? cs_slice_enter (&a->slice) : 0;
  if (entered < 0 && r == 1)
    cs_record_unload (record);
  return entered < 0 ? entered : r;
}

int
cs_apply_each_record (struct cs_apply *a,
                      int (*visit) (void *context, struct cs_apply *a,
                                    const struct cs_record *record,
                                    struct cs_err *err),
                      void *context, struct cs_err *err)
{
  uint64_t off = cs_log_off (&a->at), end = off + a->at.log.len;
  struct cs_record record;
  int r;

  for (; off < end; off += cs_record_len (&record.head))
    {
      r = cs_record_find (a->slice.fd, off, &a->at.superblock, &record);
      if (r == 1 && record.head.superblock.generation <= a->at.log.applied)
        continue;               /* of a round before (A8) */
      if (r == 1)
        r = load (a, &record);
      if (r < 0)
        return cs_err_sys (err, -r, "read the log");
      if (r == 0)
        return cs_err_set (err, CS_E_DAMAGED, "log record at offset %" PRIu64
                           " is not as it was written", off);
      r = visit (context, a, &record, err);
      cs_record_unload (&record);
      if (r < 0)
        return r;
    }
  return 0;
}

/* Have on the disk what was written to the store's file, beside others.  */
static int
sync_file (struct cs_apply *a, const char *what, struct cs_err *err)
{
  int r = cs_slice_sync (&a->slice, cs_sys.fdatasync, a->slice.sync_fd);

  return r < 0 ? cs_err_sys (err, -r, "%s", what) : 0;
}

/* A4.  */
static int
mark_image (struct cs_apply *a, struct cs_err *err)
{
  struct cs_store *store = a->store;
  uint64_t generation = a->at.superblock.generation;
  int r;

  if (store->log.applying == generation)
    return 0;
  r = cs_mark_write (a->slice.fd, a->image.generation, generation);
  if (r < 0)
    return cs_err_sys (err, -r, "mark the image");
  r = sync_file (a, "mark the image", err);
  if (r == 0)
    store->log.applying = generation;
  return r;
}

/* Entries of an index that are put into the image together, and their data.  */
struct part
{
  const struct cs_entry_disk *e;
  uint64_t nr, nr_data;
  char *data;
};

/* What can be the next part of the first MAX entries at E.  */
static struct part
next_part (const struct cs_entry_disk *e, uint64_t max, char *data)
{
  struct part p = { .e = e, .data = data };

  for (; p.nr < max && p.nr < CHUNK && e[p.nr].page - e->page < SPAN; p.nr++)
    p.nr_data += e[p.nr].sum != 0;
  return p;
}

/* Read the data of P, at OFF in the log: 0, -errno, or -CS_E_DAMAGED if a page
   is not as its entry says.  */
static int
read_part (int fd, const struct part *p, uint64_t off)
{
  size_t len = (size_t) p->nr_data * CS_STORE_PAGE_LEN;
  ssize_t n = len > 0 ? cs_file_read (fd, p->data, len, off) : 0;
  const char *page = p->data;

  if (n < 0)
    return (int) n;
  if ((size_t) n < len)
    return -CS_E_DAMAGED;
  for (uint64_t i = 0; i < p->nr; i++)
    if (p->e[i].sum != 0)
      {
        if (cs_page_sum (page) != p->e[i].sum)
          return -CS_E_DAMAGED;
        page += CS_STORE_PAGE_LEN;
      }
  return 0;
}

/* How many of the first MAX entries at E follow each other in the region,
   and are all zeros or all not.  */
static uint64_t
run_len (const struct cs_entry_disk *e, uint64_t max)
{
  uint64_t run = 1;

  while (run < max && e[run].page == e->page + run
         && !e[run].sum == !e->sum)
    run++;
  return run;
}

/* Put P's pages in their place.  0 or -errno.  */
static int
write_pages (const struct cs_apply *a, const struct part *p)
{
  const struct cs_entry_disk *e = p->e;
  const char *data = p->data;
  int r = 0;

  for (uint64_t i = 0, run; i < p->nr && r == 0; i += run, e += run)
    {
      uint64_t off = image_off (&a->at, e->page);
      size_t len;

      run = run_len (e, p->nr - i);
      len = (size_t) run * CS_STORE_PAGE_LEN;
      r = e->sum ? cs_file_write (a->slice.fd, data, len, off)
          : cs_file_punch (a->slice.fd, off, len);
      data += e->sum ? len : 0;
    }
  return r;
}

/* The same for P's sums.  Those of pages in between stay as they are: nobody else
   writes to the table in this slice.  */
static int
write_sums (const struct cs_apply *a, const struct part *p)
{
  uint64_t first = p->e->page, nr = p->e[p->nr - 1].page - first + 1;
  uint32_t sums[SPAN];
  int r = nr > p->nr ? cs_sums_read (a->slice.fd, first, nr, sums) : 0;

  for (uint64_t i = 0; i < p->nr; i++)
    sums[p->e[i].page - first] = p->e[i].sum;
  return r < 0 ? r : cs_sums_write (a->slice.fd, first, nr, sums);
}

/* P, whose data is at OFF in the log.  */
static int
write_part (struct cs_apply *a, const struct part *p, uint64_t off,
            struct cs_err *err)
{
  uint64_t from = image_off (&a->at, p->e->page);
  uint64_t to = image_off (&a->at, p->e[p->nr - 1].page + 1);
  int r = read_part (a->slice.fd, p, off);

  if (r == -CS_E_DAMAGED)
    return cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64
                       ": pages are not as they were written", off);
  if (r == 0)
    r = write_pages (a, p);
  if (r == 0)
    r = write_sums (a, p);
  if (r < 0)
    return cs_err_sys (err, -r, "write to the image");
  cs_slice_wrote (&a->slice, from, to, p->nr * CS_STORE_PAGE_LEN);
  return cs_slice_give_way (&a->slice);
}

static int
write_record (void *buf, struct cs_apply *a, const struct cs_record *record,
              struct cs_err *err)
{
  uint64_t off = record->off + CS_RECORD_DATA;
  struct part p;
  int r = 0;

  for (uint64_t i = 0; i < record->head.nr && r == 0; i += p.nr)
    {
      p = next_part (record->index + i, record->head.nr - i, buf);
      r = write_part (a, &p, off, err);
      off += p.nr_data * CS_STORE_PAGE_LEN;
    }
  return r;
}

static int
write_image (struct cs_apply *a, struct cs_err *err)
{
  char *buf = cs_scratch_map (CHUNK * CS_STORE_PAGE_LEN);
  int r;

  if (!buf)
    return cs_err_sys (err, ENOMEM, "write to the image");
  r = cs_apply_each_record (a, write_record, buf, err);
  cs_scratch_unmap (buf, CHUNK * CS_STORE_PAGE_LEN);
  return r;
}

static int
leave_record (void *context, struct cs_apply *a,
              const struct cs_record *record, struct cs_err *err)
{
  uint64_t nr = record->head.nr, part;
  int r = 0;

  (void) context;
  (void) err;
  for (uint64_t i = 0; i < nr && r == 0; i += part)
    {
      part = nr - i < ENTRIES_MAX ? nr - i : ENTRIES_MAX;
      cs_patch_leave (a->store, record, i, part);
      r = cs_slice_give_way (&a->slice);
    }
  return r;
}

/* The log has nothing that is not in the image.  A commit that comes before this
   sync makes its own before it writes (A2, L6).  */
static int
wipe_log (struct cs_apply *a, struct cs_err *err)
{
  struct cs_log *log = &a->store->log;
  int r = cs_log_wipe (a->store, cs_log_off (a->store));

  if (r < 0)
    return cs_err_sys (err, -r, "wipe the log");
  log->len = 0;
  log->settled = false;
  r = sync_file (a, "sync the end of the log", err);
  if (r == 0)
    log->settled = true;
  else if (r != CS_OVERTAKEN)
    log->broken = true;         /* nothing may be written over it (A2) */
  return r;
}

/* The superblock, and the end of the log, unless it has more (A2, A3, A8).  */
static int
finish (struct cs_apply *a, struct cs_err *err)
{
  struct cs_store *store = a->store;
  struct cs_superblock_disk sb = a->at.superblock;
  int slot = (int) (sb.generation & 1), r;

  memcpy (sb.former_uuid, store->former_uuid, sizeof sb.former_uuid);
  cs_superblock_seal (&sb);
  r = cs_superblock_write_slot (a->slice.fd, &sb, slot);
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  r = sync_file (a, "sync the image", err);
  if (r < 0)
    return r;
  store->log.by_note = false;
  store->log.applied = sb.generation;
  /* From here on all pages are in the image.  */
  r = cs_apply_each_record (a, leave_record, NULL, err);
  if (r < 0)
    return r;
  r = cs_superblock_write_slot (a->slice.fd, &sb, !slot);
  store->log.applying = 0;
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  return (store->superblock.generation == sb.generation
          ? wipe_log (a, err) : 0);
}

static int
trim_history (struct cs_apply *a)
{
  const struct cs_superblock_disk *sb = &a->at.superblock;
  int folder;

  cs_slice_leave (&a->slice);
  folder = cs_history_open (&a->at);
  if (folder >= 0 && sb->generation > sb->history + 1)
    cs_history_trim (&a->at, folder, sb->generation - sb->history - 1);
  cs_file_close (&folder);
  return cs_slice_enter (&a->slice);
}

/* Give back what a log of LEN bytes had.  A file system takes long to cut off
   much.  */
static int
give_back (struct cs_apply *a, uint64_t len)
{
  struct cs_store *store = a->store;
  uint64_t size = cs_log_off (store) + len;
  int r = 0;

  while (a->slice.divided && size > cs_log_off (store) && r == 0
         && store->log.len == 0)
    {
      size -= size - cs_log_off (store) < CUT_MAX
              ? size - cs_log_off (store) : CUT_MAX;
      if (cs_sys.ftruncate (store->fd, (off_t) size) < 0)
        return 0;
      cs_slice_leave (&a->slice);
      r = cs_slice_enter (&a->slice);
    }
  if (r == 0)
    cs_log_cut_off (store);
  return r;
}

/* Apply what the log has now.  */
static int
apply_round (struct cs_apply *a, struct cs_store *store, struct cs_err *err)
{
  uint64_t len = store->log.len;
  int r = cs_log_settle (store, err);   /* L6 */

  if (r == 0)
    r = cs_apply_begin_round (a, store, err);
  if (r == 0)
    r = cs_apply_keep (a, err);
  if (r == 0)
    r = mark_image (a, err);
  if (r == 0)
    r = write_image (a, err);
  if (r == 0)
    r = finish (a, err);
  if (r == 0)
    r = trim_history (a);
  if (r == 0 && len > LOG_KEPT && store->log.len == 0)
    r = give_back (a, len);
  return r;
}

/* An apply failed with CODE.  The commits are safe in the log.  What the log has of
   a page takes room again in the image, if that has no such page yet, or in the
   history, which gets what was there: once, at most.  */
static int
advise_room (const struct cs_store *store, int code, struct cs_err *err)
{
  if (code == -ENOSPC || code == -EDQUOT)
    cs_err_advise (err, "nothing is lost: free %" PRIu64 " KiB where the store"
                   " lies; until then, cs-run --ephemeral runs it",
                   (store->log.len + 1023) / 1024);
  return code;
}

static int
apply (struct cs_store *store, bool divided, struct cs_err *err)
{
  struct cs_apply a;
  int r;

  if (store->log.len == 0 || store->log.broken || store->log.held_back)
    return 0;
  r = cs_slice_begin (&a.slice, store, divided);
  if (r != 1)
    return r < 0 ? cs_err_sys (err, -r, "lock out readers") : 0;
  do
    r = apply_round (&a, store, err);
  while (r == 0 && store->log.len > 0 && !store->log.broken);
  cs_slice_end (&a.slice);
  if (r != CS_OVERTAKEN)
    return advise_room (store, r, err);
  *err = (struct cs_err) CS_ERR_INIT;
  return 0;
}

int
cs_apply_unless_read (struct cs_store *store, struct cs_err *err)
{
  return apply (store, false, err);
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

/* In slices.  Without descriptors of its own the thread could find another file
   under the store's number in the next one (D4, own.c).  */
static int
apply_beside (struct cs_store *store, struct cs_err *err)
{
  bool alone = cs_store_separate (store);
  int r;

  drop_old_history (store);
  r = is_due (store, err);
  if (r != 1)
    return r;
  store->at_work = true;
  r = apply (store, alone, err);
  store->at_work = false;
  return r;
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

/* Take the lock when no thread is at work in slices: what such a thread has begun
   with it brings to its end sooner than anybody who begins again.  */
static void
lock (struct cs_store *store)
{
  cs_applying_lock (store);
  while (store->at_work)
    {
      cs_applying_unlock (store);
      cs_sys.nanosleep (&(struct timespec) { 0, 1000000 }, NULL);
      cs_applying_lock (store);
    }
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
  lock (store);
  sigpending (&pending);
  r = cs_own_recover (store);
  if (r < 0)
    cs_own_refuse (store, r, err);
  else
    r = step (store, err);
  if (r < 0)
    cs_new_file_calm (&pending);
  cs_applying_unlock (store);
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
cs_store_apply_beside (struct cs_store *store, struct cs_err *err)
{
  return call (store, apply_beside, err);
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
