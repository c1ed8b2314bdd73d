/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* commit.c -- a new generation: what changed, appended to the log.

   The states of a commit, and what makes each transition:

     (none) --cs_direct_clean---> the image can grow
            --cs_changes_find---> written, in part or whole, but no record
            --cs_direct_sync----> new pages that are in their place are on
                                  stable storage there
            --cs_append_write---> complete, but not synced
            --cs_append_sync----> synced: committed (L1)
            --cs_store_apply----> in the image, at leisure (apply.c)

   New pages, those at or behind the end of the committed image, are put into
   their place where there are many (direct.c).  The image is changed before the
   commit, and beside readers (L4), but nobody sees that:

   G1  A page at or behind `committed` of a generation is zeros in it, whatever
       image and sums have there.  `committed` never becomes less.  So what is
       behind that of the generation in force is behind that of every older
       one, and of every generation that a reader has open: nobody looks
       there, and the writer may change it at any time.
   G2  What is put there is on stable storage, pages and sums, before the head of
       the record is written.  The head has the new `committed`: before it is
       there, the pages do not count; when it is there, in part or by chance
       or synced, they are.
   G3  What is between image and log reads as zeros, and that is on stable
       storage, before there is a record with a greater `committed`: pages of
       zeros are not written.  Something else is there after a commit that
       was cut off, by a signal, a full disk, or a power failure.
   G4  Not so the sums.  A page of zeros whose sum there is not 0, and that the
       commit has not put in its place, has an entry in the record like one
       that has changed; so it is in force with the record, and in the table
       with the other pages of the log.

   A commit has two parts.  The first one copies all pages to the log, in the page
   cache, while the threads that change the region are stopped.  The second one
   syncs the log, which takes most of the time; the program runs beside it.

   C1  The file sees the same calls in the same order, whether or not the program
       runs during the sync.  So a kill or a power failure leaves nothing else: the
       record is there or not, and the caller has not been told yet.  Pages that
       the program changes meanwhile are its own memory, and differ from what this
       commit has, for the next one to find.
   C2  While a commit is `unsynced`, nobody else reads or changes image and log, as
       cs_applying_lock() waits: no other commit, no slice of an apply, no handing
       over.  A fork's child needs none of it, and does not wait.
   C3  The program may close the store's descriptor during the sync, which then may
       take another file.  If the number leads to the store afterwards, that was
       synced.  If it does not, it is as if the sync had failed (L5).  Writing would
       do harm to the other file: so all is written in the first part, where that
       cannot happen.  Only after a failure is the record wiped.

   The first commit of a store, those after the log's disk has failed (L5),
   and those that find no room for the log write a whole new file instead
   (rewrite.c).

   Nothing here allocates, or takes memory from the region: the world is
   stopped.  */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "store/changes.h"
#include "store/sys.h"

/* A log that is longer than this, and than the image, is applied before there is
   another record.  Where readers forbid that (L4), image and log move to a new
   file.  So the file of a store with readers is at most some three times as
   long as its image.  */
#define LOG_MAX ((uint64_t) 64 << 20)

struct cs_superblock_disk
cs_commit_superblock (const struct cs_store *store)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  struct cs_superblock_disk sb = store->superblock;
  int64_t now = time (NULL);

  sb.generation++;
  memset (sb.former_uuid, 0, sizeof sb.former_uuid);
  /* A clock that goes backwards must not confuse who reads the history.  */
  sb.committed_at = now > sb.committed_at ? now : sb.committed_at;
  /* Never less: older generations may have had more.  */
  for (size_t i = 0; i < cs_directory (store)->nr_extents; i++)
    if (cs_extent_in_file (&table[i])
        && cs_extent_end (&table[i]) > sb.committed)
      sb.committed = cs_extent_end (&table[i]);
  cs_superblock_seal (&sb);
  return sb;
}

/* Does the file that would be written to still have the store's name?  1 if
   nothing has that name.  */
static int
check_name (const struct cs_store *store, struct cs_err *err)
{
  bool exists;
  int r = cs_file_is_current (store, store->fd, &exists);

  if (r < 0)
    return cs_err_sys (err, -r, "status of the file");
  if (r == 1)
    return 0;
  if (exists)
    return cs_err_set (err, CS_E_REFUSED, "its name has gone to another file "
                       "since it was opened");
  return 1;
}

static bool
reaches_log (const struct cs_store *store, uint64_t committed)
{
  return committed > (uint64_t) store->log.start << 20;
}

static bool
is_too_long (const struct cs_store *store)
{
  return (store->log.len > LOG_MAX
          && store->log.len > store->superblock.committed);
}

/* An image of COMMITTED bytes reaches to where the log is, or the log is too
   long: have an empty one behind the image.  */
static int
make_way (struct cs_store *store, uint64_t committed, struct cs_err *err)
{
  int r = cs_apply_unless_read (store, err);

  if (r == 0 && store->log.len > 0)
    r = cs_relocate (store, committed, err);
  if (r == 0 && reaches_log (store, committed))
    r = cs_log_move (store, committed, err);
  return r;
}

/* Append what changed to the log; if nothing did, there is no commit.  1 if
   there is no room for the log, in the file or in memory.  */
static int
append (struct cs_store *store, struct cs_changes *changes,
        struct cs_err *err)
{
  struct cs_superblock_disk sb = cs_commit_superblock (store);
  struct cs_append *append;
  int r;

  if (cs_patch_prepare (store, sb.committed / CS_STORE_PAGE_LEN) < 0)
    return 1;                   /* the address space is limited */
  if (reaches_log (store, sb.committed) || is_too_long (store))
    {
      r = make_way (store, sb.committed, err);
      if (r < 0)
        return r;
      sb = cs_commit_superblock (store);
    }
  r = cs_append_begin (&append, store, &sb, err);
  if (r == 0 && sb.committed > store->superblock.committed)
    r = cs_direct_clean (store, err);   /* G3 */
  if (r < 0)
    return r;
  r = cs_changes_find (store, changes, append);
  if (r < 0)
    {
      cs_append_abort (append);
      cs_err_sys (err, -r, append->failed ? "write the changes"
                  : "find what has changed");
    }
  else if (append->record.head.nr > 0)
    r = cs_append_write (append, err);
  if (r != -EFBIG)
    return r;
  *err = (struct cs_err) CS_ERR_INIT;   /* RLIMIT_FSIZE: the log lies behind the
                                           image, which may fit alone */
  return 1;
}

static int
commit (struct cs_store *store, struct cs_err *err)
{
  struct cs_changes changes;
  int r;

  r = cs_own_recover (store);
  if (r < 0)
    return cs_own_refuse (store, r, err);
  if (store->created || store->log.broken)
    return cs_rewrite (store, err);
  r = check_name (store, err);
  if (r != 0)
    return r < 0 ? r : cs_rewrite (store, err);
  if (cs_append_prepare (store) < 0)
    return cs_rewrite (store, err);     /* the address space is limited */
  cs_changes_begin (store, &changes);
  r = append (store, &changes, err);
  cs_changes_end (store, &changes, r == 0);
  return r == 1 ? cs_rewrite (store, err) : r;
}

static int
begin (struct cs_store *store, struct cs_err *err)
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
      cs_applying_lock (store);
      cs_space_enter (store, &mask);
      sigpending (&pending);
      r = commit (store, err);
      if (r < 0 || store->log.broken)
        cs_new_file_calm (&pending);
      cs_space_leave (store, &mask);
      cs_applying_unlock (store);
    }
  return r < 0 ? cs_err_prefix (err, "cannot save '%s'", store->path) : 0;
}

/* A process that goes on after this commit will make others.  */
int
cs_store_commit_begin (struct cs_store *store, struct cs_err *err)
{
  if (store->watch.state == CS_WATCH_NOT_YET)
    store->watch.state = CS_WATCH_WANTED;
  return begin (store, err);
}

int
cs_store_commit_end (struct cs_store *store, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  sigset_t all, mask;
  int r;

  if (!store->unsynced || store->owner != getpid ())
    return 0;
  if (!err)
    err = &own;
  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &mask);
  r = cs_append_sync (store, err);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  return r < 0 ? cs_err_prefix (err, "cannot save '%s'", store->path) : 0;
}

int
cs_store_commit (struct cs_store *store, struct cs_err *err)
{
  int r = begin (store, err);

  return r < 0 ? r : cs_store_commit_end (store, err);
}
