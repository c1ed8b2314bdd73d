/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* apply-history.c -- what an apply overwrites goes into the history first (A1,
   apply.c).

   The history is written in slices, beside commits, like the image.  Between two
   slices, without the lock, an apply reads only the parts of the file that no
   commit changes: the image, the records of this round, and files of the
   history.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/apply.h"
#include "store/history.h"
#include "store/sys.h"

struct keeper
{
  struct cs_store before;       /* the store without the records to come */
  int folder;
  uint64_t turn;                /* the image may hold pages up to here */
};

static int
keep_record (void *context, struct cs_apply *a,
             const struct cs_record *record, struct cs_err *err)
{
  struct keeper *k = context;
  uint64_t generation = record->head.superblock.generation;
  uint64_t newest = a->at.superblock.generation;
  int r = 0;

  /* Records up to `turn` may be in the image already, in part.  Their files
     exist, or are older than the history keeps.  */
  if (newest - generation < a->at.superblock.history)
    r = cs_history_keep (&k->before, k->folder, record,
                         generation > k->turn, &a->slice);
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
do_without (struct cs_apply *a, int code, struct cs_err *err)
{
  struct cs_superblock_disk *both[] = {
    &a->store->superblock, &a->at.superblock
  };
  int r;

  warn (a->store, code);
  a->image.history = 0;
  cs_superblock_seal (&a->image);
  r = cs_superblock_replace (a->slice.fd, &a->image);
  if (r < 0)
    return cs_err_sys (err, -r, "write the superblock");
  for (size_t i = 0; i < sizeof both / sizeof *both; i++)
    {
      both[i]->history_wanted = both[i]->history;
      both[i]->history = 0;
      cs_superblock_seal (both[i]);
    }
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

/* Up to which generation may the image have pages?  The mark says so (A4) where
   this process has synced the image up to APPLIED.  */
static int
find_turn (struct cs_apply *a, struct keeper *k)
{
  const struct cs_log *log = &a->at.log;
  int r;

  if (log->applied > 0)
    {
      k->turn = log->applying > log->applied ? log->applying : log->applied;
      return 0;
    }
  cs_slice_leave (&a->slice);
  r = cs_history_turn (&a->at, k->folder, &k->turn);
  return cs_slice_return (&a->slice, r);
}

/* Keep what all records of the round overwrite.  -errno of the history's
   directory or files alone: no error is set.  */
static int
keep_records (struct cs_apply *a, struct keeper *k, struct cs_err *err)
{
  int r = find_turn (a, k);

  if (r < 0)
    return cs_err_sys (err, -r, "read the history");
  r = cs_apply_each_record (a, keep_record, k, err);
  if (r < 0)
    return r;
  r = cs_slice_sync (&a->slice, cs_sys.fsync, k->folder);
  return r < 0 ? cs_err_sys (err, -r, "sync '%s-history'", a->store->path) : 0;
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

int
cs_apply_keep (struct cs_apply *a, struct cs_err *err)
{
  struct keeper k = { .before = a->at, .folder = -1 };
  int r;

  if (a->at.superblock.history == 0)
    return 0;
  k.before.patches = NULL;
  k.before.patch_pages = 0;
  k.before.superblock = a->image;
  r = open_history (a->store, &k, err);
  if (r == 0)
    r = keep_records (a, &k, err);
  cs_patch_free (&k.before);
  cs_file_close (&k.folder);
  if (!stands_in_the_way (r))
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  return do_without (a, r, err);
}

int
cs_apply_keep_history (struct cs_store *store, struct cs_err *err)
{
  struct cs_apply a = { .slice = { .store = store, .fd = store->fd } };
  int r = cs_apply_begin_round (&a, store, err);

  store->applies++;
  return r < 0 ? r : cs_apply_keep (&a, err);
}
