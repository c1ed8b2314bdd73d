/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* changes.c -- which pages differ from the last commit.

   Every extent that belongs to the file is searched for pages that were
   written to (dirty.h).  Such a page may still be as it was: it was written
   to with what it held, or was part of the last commit, which this process
   goes on using in its own memory.  If its sum is another one than the last
   commit's, it has changed.  If not, it is compared byte by byte, as sums let
   one change in 2^32 go unnoticed.  The file is mapped a second time for
   that, to be looked at only; reading it with pread(2) takes several times
   as long.

   A change may mean nothing to the next process: a function's address, which
   each start sets again.  The owner of the memory says so, if asked
   (cs_store_set_ignores), and the page stays as the last commit has it.

   A process that goes on after a commit, or commits for the second time, will do
   so again.  From then on it is watched (watch.h), so that its later commits need
   not look at what the earlier ones wrote.
   Where that cannot be had, pages that turn out to
   be the same are given back to the kernel, and read from the file when they
   are needed: the next commit does not look at them, and they are not this
   process's own memory any more.  Not so those that are in the log only: the
   file's place for them holds other contents.

   Behind the last commit's image nothing is compared: a page there was zeros,
   whatever the table has as its sum (commit.c, G4).

   Runs while the world is stopped: no allocation.  */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "store/changes.h"
#include "store/sys.h"
#include "store/watch.h"

/* A run of detached pages is mapped from the file again if it has this many
   pages: each run can cost the kernel two mappings more, of which a process
   can have 65530.  */
#define ATTACH_MIN 64

/* Sums of the table read at a time.  They are read, not looked at in the view:
   in a file system in memory a page of a hole takes memory when it is looked
   at, and when there is none, a signal is sent.  */
#define SUMS 1024

/* The owner is asked about so many pages of a commit: where more have changed,
   the few that mean nothing make no difference.  */
#define ASKED_MAX 1024
#define NO_SUMS UINT64_MAX      /* not a multiple of that */

struct search
{
  struct cs_store *store;
  struct cs_changes *changes;
  struct cs_append *append;
  const struct cs_extent_disk *extent;
  bool detached;                /* the stretch looked at */
  uint64_t next;                /* offset behind the pages looked at */
  uint64_t same, same_end;      /* run of pages that are as committed */
  uint32_t sums[SUMS];          /* of the pages from SUMS_FROM on, as they lie
                                   in the table: what was read last */
  uint64_t sums_from;
  uint32_t nr_asked;            /* pages that their owner was asked about */
};

/* What a page is, compared with the last commit.  */
enum likeness
{
  CHANGED,
  SAME,
  SAME_IN_MEANING               /* this process goes on with its own */
};

/* Give back the run of pages that are as the image says.  A failure only
   means that they are looked at again next time.  */
static void
give_back (struct search *s)
{
  char *start = s->store->image + s->same;
  uint64_t len = s->same_end - s->same;

  if (len > 0 && !s->detached)
    {
      if (!s->store->relocated) /* W1 */
        cs_sys.madvise (start, (size_t) len, MADV_DONTNEED);
    }
  else if (len >= ATTACH_MIN * CS_STORE_PAGE_LEN
           && s->extent->kind != CS_EXTENT_LIBRARY_DATA
           && s->same_end <= s->store->superblock.committed
           && cs_region_map_over (s->store, s->same, len,
                                  (int) s->extent->prot,
                                  cs_region_fd (s->store)) == 0)
    cs_detached_set (s->store, s->same, len, false);
  s->same = s->same_end = 0;
}

/* The page at OFF, which was written to, is the same as in the image.  */
static void
is_same (struct search *s, uint64_t off)
{
  if (s->same_end != off)
    give_back (s);
  if (s->same == s->same_end)
    s->same = off;
  s->same_end = off + CS_STORE_PAGE_LEN;
}

/* Detached pages that this process does not have are zeros.  They can be
   part of a run of pages that are the same, but do not begin one.  What the
   table has behind the image is looked at too (G4).  */
static int
look_at_absent (struct search *s, uint64_t off, uint64_t end)
{
  uint32_t sums[SUMS];
  int r = 0;

  for (uint64_t nr; off < end && r == 0; off += nr * CS_STORE_PAGE_LEN)
    {
      uint64_t page = off / CS_STORE_PAGE_LEN;
      bool same = s->same_end == off && s->same_end > s->same;

      nr = (end - off) / CS_STORE_PAGE_LEN;
      nr = nr < SUMS ? nr : SUMS;
      r = cs_sums_read (s->store->fd, page, nr, sums);
      for (uint64_t i = 0; i < nr && r == 0; i++)
        {
          cs_patch_sum (s->store, page + i, &sums[i]);
          if (sums[i])
            r = cs_append_page (s->append, page + i, 0);
          same = same && !sums[i] && !cs_patch_exists (s->store, page + i);
        }
      if (same)
        s->same_end = off + nr * CS_STORE_PAGE_LEN;
    }
  return r;
}

/* What the last commit has for the page at OFF: from the view of the file if
   it can be looked at there.  NULL: not to be had, with *R set.  */
static const char *
committed_page (struct search *s, uint64_t off, int *r)
{
  const struct cs_store *store = s->store;
  uint64_t page = off / CS_STORE_PAGE_LEN;
  uint64_t in_file = cs_patch_exists (store, page)
                     ? cs_patch_place (store, page)
                     : cs_store_image_off (&store->superblock) + off;

  if (in_file < store->view_len)
    return store->view + in_file;
  *r = cs_committed_read (store, page, 1, cs_append_spare (s->append));
  return *r == 0 ? cs_append_spare (s->append) : NULL;
}

/* The sum that the last commit has for PAGE: 0 or -errno.  */
static int
committed_sum (struct search *s, uint64_t page, uint32_t *sum)
{
  uint64_t from = page / SUMS * SUMS;
  int r = 0;

  if (from != s->sums_from)
    r = cs_sums_read (s->store->fd, from, SUMS, s->sums);
  s->sums_from = r == 0 ? from : NO_SUMS;
  *sum = s->sums[page - from];
  cs_patch_sum (s->store, page, sum);
  return r;
}

/* COPY, of the page at OFF, is not what the last commit has: does it mean the
   same?  An enum likeness, or -errno.  */
static int
compare_meaning (struct search *s, uint64_t off, const char *copy)
{
  const struct cs_store *store = s->store;
  const char *then;
  int r = 0;

  if (!store->ignores || s->nr_asked >= ASKED_MAX
      || off >= store->superblock.committed)
    return CHANGED;
  s->nr_asked++;
  then = committed_page (s, off, &r);
  if (!then)
    return r;
  return (store->ignores (store->image + off, copy, then) ? SAME_IN_MEANING
          : CHANGED);
}

/* COPY, whose sum is SUM, and what the last commit has for the page at OFF: an
   enum likeness, or -errno.  */
static int
likeness (struct search *s, uint64_t off, const char *copy, uint32_t sum)
{
  const char *then;
  uint32_t sum_then;
  int r = committed_sum (s, off / CS_STORE_PAGE_LEN, &sum_then);

  if (r < 0)
    return r;
  if (sum != sum_then)
    return sum_then == 0 ? CHANGED : compare_meaning (s, off, copy);
  if (sum == 0)
    return SAME;
  then = committed_page (s, off, &r);
  return !then ? r : memcmp (copy, then, CS_STORE_PAGE_LEN) == 0 ? SAME
         : CHANGED;
}

/* Looked at is what will be written, a copy: from a page that somebody changes
   meanwhile, against the rule, comes one that was never there as a whole, but
   not a record that does not hold.  */
static int
compare_page (struct search *s, uint64_t off)
{
  uint64_t page = off / CS_STORE_PAGE_LEN;
  char *copy = cs_append_room (s->append);
  uint32_t sum;
  int r;

  memcpy (copy, s->store->image + off, CS_STORE_PAGE_LEN);
  sum = cs_page_sum (copy);
  r = likeness (s, off, copy, sum);
  if (r == CHANGED)
    {
      cs_direct_note (s->append, off, sum);
      return cs_append_page (s->append, page, sum);
    }
  if (r == SAME && !s->changes->dirty.watched
      && !cs_patch_exists (s->store, page))
    is_same (s, off);
  return r < 0 ? r : 0;
}

static int
compare (struct search *s, uint64_t off, uint64_t len)
{
  uint64_t end = off + len;
  int r = 0;

  for (uint64_t part; off < end && r == 0; off += part)
    {
      part = cs_direct_run (s->append, off, end);
      if (part > 0)
        {
          r = cs_direct_write (s->append, off, part);
          continue;
        }
      part = CS_STORE_PAGE_LEN;
      if (off + part < end)
        cs_page_prefetch (s->store->image + off + part);
      r = compare_page (s, off);
    }
  return r;
}

static int
visit (void *context, char *start, uint64_t len, bool written)
{
  struct search *s = context;
  uint64_t off = (uint64_t) (start - s->store->image);
  int r = s->detached ? look_at_absent (s, s->next, off) : 0;

  if (r == 0 && written)
    r = compare (s, off, len);
  s->next = off + len;
  return r;
}

/* Pages of [OFF, END) that are behind the image and stay zeros (G4).  */
static int
look_at_unused (struct search *s, uint64_t off, uint64_t end)
{
  uint64_t behind = s->store->superblock.committed;
  uint64_t next = s->append->record.head.superblock.committed;

  off = off > behind ? off : behind;
  end = end < next ? end : next;
  give_back (s);
  return off < end ? look_at_absent (s, off, end) : 0;
}

/* Pages of a library that are its own file's, or not mapped at all.  */
static int
look_at_library (struct search *s, uint64_t off, uint64_t end)
{
  int r = 0;

  for (; off < end && r == 0; off += CS_STORE_PAGE_LEN)
    if (cs_sys.msync (s->store->image + off, CS_STORE_PAGE_LEN, MS_ASYNC)
        == 0)
      r = compare (s, off, CS_STORE_PAGE_LEN);
    else
      r = look_at_unused (s, off, off + CS_STORE_PAGE_LEN);
  return r;
}

/* A part of an extent that is all detached, or all not.  */
static int
look_at_stretch (struct search *s, uint64_t off, uint64_t end)
{
  char *start = s->store->image + off;
  int r;

  s->detached = cs_detached_get (s->store, off);
  s->next = off;
  s->same = s->same_end = 0;
  if (s->extent->kind == CS_EXTENT_LIBRARY_DATA
      && (s->detached || s->changes->dirty.pagemap < 0))
    return look_at_library (s, off, end);
  r = cs_dirty_scan (&s->changes->dirty, start, end - off, s->detached, visit,
                     s);
  if (r == 0 && s->detached)
    r = look_at_absent (s, s->next, end);
  give_back (s);
  return r;
}

static int
look_at_extent (struct search *s)
{
  const struct cs_extent_disk *e = s->extent;
  uint64_t end = cs_extent_end (e), off = e->off, stop;
  char *start = s->store->image + e->off;
  bool hidden = !(e->prot & PROT_READ);
  int r = 0;

  if (hidden && cs_sys.mprotect (start, (size_t) e->len,
                                 (int) e->prot | PROT_READ) < 0)
    return -errno;
  for (; off < end && r == 0; off = stop)
    {
      stop = cs_detached_stretch (s->store, off, end);
      r = look_at_stretch (s, off, stop);
    }
  if (hidden && cs_sys.mprotect (start, (size_t) e->len, (int) e->prot) < 0
      && r == 0)
    r = -errno;
  return r;
}

/* Free space whose old contents are still in the file: punch them out.  */
static int
look_at_free (struct search *s, uint64_t off, uint64_t end)
{
  uint64_t committed = s->store->superblock.committed;
  uint64_t last = end < committed ? end : committed, stop;
  int r = 0;

  for (; off < last && r == 0; off = stop)
    {
      stop = cs_detached_stretch (s->store, off, last);

      if (cs_detached_get (s->store, off))
        {
          s->same = s->same_end = 0;
          r = look_at_absent (s, off, stop);
        }
    }
  return r < 0 ? r : look_at_unused (s, off, end);
}

int
cs_changes_find (struct cs_store *store, struct cs_changes *changes,
                 struct cs_append *append)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  struct search s = { .store = store, .changes = changes, .append = append,
                      .sums_from = NO_SUMS };
  uint64_t off = 0;
  int r = 0;

  for (size_t i = 0; i < cs_directory (store)->nr_extents && r == 0; i++)
    {
      s.extent = &table[i];
      r = look_at_free (&s, off, table[i].off);
      off = cs_extent_end (&table[i]);
      if (r == 0)
        r = cs_extent_in_file (&table[i]) ? look_at_extent (&s)
            : look_at_unused (&s, table[i].off, off);
    }
  return r < 0 ? r : look_at_free (&s, off, UINT64_MAX);
}

/* Have a view of the file, up to the end of the image, or of the log that there
   is at first.  Without one pages are read.  */
static void
look_at_file (struct cs_store *store)
{
  uint64_t len = (cs_store_image_off (&store->superblock)
                  + store->superblock.committed);
  void *view;

  if (store->view_len >= len)
    return;
  cs_changes_forget_view (store);
  if (store->log.len > 0)
    len = cs_log_end (store);
  if (len > SIZE_MAX)
    return;
  view = cs_sys.mmap (NULL, (size_t) len, PROT_READ, MAP_SHARED,
                      cs_region_fd (store), 0);
  if (view == MAP_FAILED)
    return;
  store->view = view;
  store->view_len = len;
}

void
cs_changes_forget_view (struct cs_store *store)
{
  if (store->view_len > 0)
    cs_sys.munmap (store->view, (size_t) store->view_len);
  store->view = NULL;
  store->view_len = 0;
}

/* Watch what this process writes to, once that is wanted: a failure means to go
   on without.  */
static void
watch (struct cs_store *store, struct cs_dirty *dirty)
{
  struct cs_watch *w = &store->watch;

  if (w->state == CS_WATCH_NOT_YET || dirty->pagemap < 0)
    return;
  if (w->state == CS_WATCH_WANTED)
    w->fd = cs_watch_open ();
  if (w->fd >= 0
      && cs_watch_region (w->fd, store->image, store->superblock.reserved)
         < 0)
    cs_file_close (&w->fd);
  w->state = CS_WATCH_BEGUN;
  dirty->watched = w->fd >= 0;
  dirty->since = w->since_commit;
}

/* Open pagemap, or take the one that was kept.  */
static void
open_pagemap (struct cs_watch *w, struct cs_dirty *dirty)
{
  dirty->pagemap = w->pagemap;
  w->pagemap = -1;
  if (dirty->pagemap < 0)
    cs_dirty_open (dirty);
}

void
cs_store_set_ignores (struct cs_store *store, cs_store_ignores *ignores)
{
  store->ignores = ignores;
}

bool
cs_store_holds (const struct cs_store *store, uint64_t addr, size_t len)
{
  uint64_t off = addr - store->superblock.base;
  const struct cs_extent_disk *e = cs_extent_table (store);
  size_t i;

  if (off >= store->superblock.reserved)
    return false;
  i = cs_extent_index (store, off);
  return (i < cs_directory (store)->nr_extents && e[i].off <= off
          && cs_extent_in_file (&e[i]) && (e[i].prot & PROT_READ)
          && len <= cs_extent_end (&e[i]) - off);
}

void
cs_changes_begin (struct cs_store *store, struct cs_changes *changes)
{
  *changes = (struct cs_changes) { .dirty.pagemap = -1 };
  open_pagemap (&store->watch, &changes->dirty);
  watch (store, &changes->dirty);
  look_at_file (store);
}

void
cs_changes_end (struct cs_store *store, struct cs_changes *changes,
                bool committed)
{
  struct cs_watch *w = &store->watch;

  w->since_commit = committed && changes->dirty.watched;
  if (committed && w->state == CS_WATCH_NOT_YET)
    w->state = CS_WATCH_WANTED;
  if (w->fd >= 0)
    w->pagemap = changes->dirty.pagemap;
  else
    cs_file_close (&changes->dirty.pagemap);
  cs_own_note_new (store);
}
