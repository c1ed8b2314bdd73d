/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* space.c -- operations on ranges of the region.

   All of them may be called from inside a garbage collector that holds its
   own lock: they do not allocate, do not enter anything above, and take one
   lock.  A collector stops threads by signals.  A thread that was stopped
   while it held our lock would block the collector for ever as soon as that
   needs memory itself, so signals (but for those that a fault raises) are
   blocked from before the lock is taken until after it is released.

   fork(2) copies a locked mutex.  Whoever forks while other threads may be
   here brackets the fork with cs_store_hold() and cs_store_release(); in
   the child cs_store_disown() makes the lock anew.

   The order in each operation: check everything, then change the mappings,
   then the table, which cannot fail.  */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* How often, and from which step on, cs_store_map() looks further if
   something foreign lies in a region that could not be reserved.  */
#define PROBES 24
#define PROBE_STEP 65536

void
cs_space_enter (struct cs_store *store, sigset_t *mask)
{
  static const int faults[] = {
    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS
  };
  sigset_t all;

  sigfillset (&all);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset (&all, faults[i]);
  pthread_sigmask (SIG_BLOCK, &all, mask);
  pthread_mutex_lock (&store->mutex);
}

void
cs_space_leave (struct cs_store *store, const sigset_t *mask)
{
  pthread_mutex_unlock (&store->mutex);
  pthread_sigmask (SIG_SETMASK, mask, NULL);
}

/* What the child of a writer maps must not change (L4).  It cannot take the
   readers' lock itself, as the image may be changed before it can do so.  The
   child has it by a mapping, not by a number that it may close.  No slice of this
   process is under way: the caller has the lock `applying` (A6).  */
static void
share_for_child (struct cs_store *store)
{
  int fd = -1;

  if (store->mode != CS_STORE_WRITE || store->created
      || store->owner != getpid ())
    return;
  if (cs_own_recover (store) == 0)
    fd = cs_file_open_again (store);
  if (fd < 0 || cs_lock_share (fd, NULL) < 0
      || cs_lock_keep (fd, true, &store->share_page) < 0)
    store->log.held_back = true;
  cs_file_close (&fd);
}

void
cs_store_hold (struct cs_store *store)
{
  sigset_t all, old, mask;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &old);
  cs_applying_lock_beside (store);
  cs_space_enter (store, &mask);
  store->mask = old;
  store->held_for_fork = true;
  share_for_child (store);
}

void
cs_store_release (struct cs_store *store)
{
  sigset_t mask = store->mask;

  cs_lock_leave (&store->share_page);
  store->held_for_fork = false;
  cs_applying_unlock (store);
  cs_space_leave (store, &mask);
}

/* Turn the arguments into a range of the region: 0 or -errno.  */
static int
get_range (const struct cs_store *store, const void *addr, size_t len,
           struct cs_extent_disk *range)
{
  uint64_t reserved = store->superblock.reserved;
  uint64_t off = (uint64_t) (uintptr_t) addr - store->superblock.base;
  uint64_t rounded = cs_round_up (len, CS_STORE_PAGE_LEN);

  if (store->mode == CS_STORE_READ)
    return -EPERM;
  if (len == 0 || (uintptr_t) addr % CS_STORE_PAGE_LEN)
    return -EINVAL;
  if (!cs_store_contains (store, addr) || rounded < len
      || rounded > reserved - off)
    return -ENOMEM;
  range->off = off;
  range->len = rounded;
  return 0;
}

/* Release in a region that is not held the parts of [OFF, END) that are
   free according to the table.  */
static void
unclaim (struct cs_store *store, uint64_t off, uint64_t end)
{
  uint64_t len;

  for (; cs_extent_next_free (store, off, end, &off, &len); off += len)
    cs_sys.munmap (store->image + off, (size_t) len);
}

/* Make sure that the free parts of the range are ours, so that they can be
   mapped over.  */
static int
claim (struct cs_store *store, const struct cs_extent_disk *range)
{
  uint64_t end = cs_extent_end (range), off = range->off, len;
  int r;

  if (store->held)
    return 0;
  for (; cs_extent_next_free (store, off, end, &off, &len); off += len)
    {
      r = cs_region_map_new (store, off, len, PROT_NONE, -1, NULL);
      if (r < 0)
        {
          unclaim (store, range->off, off);
          return r;
        }
    }
  return 0;
}

/* Unmap the parts of the range that no library has.  */
static int
leave_to_libraries (struct cs_store *store,
                    const struct cs_extent_disk *range)
{
  uint64_t off = range->off, end = cs_extent_end (range), next;
  struct cs_extent_disk piece;

  for (; off < end; off = next)
    {
      next = end;
      if (cs_extent_next_used (store, off, end, &piece))
        next = piece.off > off ? piece.off : cs_extent_end (&piece);
      else
        piece.off = end;
      if (piece.off == off && cs_extent_is_library (&piece))
        continue;
      if (cs_sys.munmap (store->image + off, (size_t) (next - off)) < 0)
        return -errno;
    }
  return 0;
}

/* Map RANGE, whose fields are all set, in place of what was there.  */
static int
place (struct cs_store *store, const struct cs_extent_disk *range)
{
  int r;

  if (!cs_extent_has_room (store))
    return -ENOMEM;
  r = claim (store, range);
  if (r < 0)
    return r;
  r = (cs_extent_is_library (range) ? leave_to_libraries (store, range)
       : cs_region_map_over (store, range->off, range->len,
                             (int) range->prot, -1));
  if (r == 0)
    {
      cs_extent_set (store, range);
      cs_detached_set (store, range->off, range->len, true);
    }
  else if (!store->held)
    unclaim (store, range->off, cs_extent_end (range));
  return r;
}

/* Place RANGE at the lowest free offset.  */
static int
place_anywhere (struct cs_store *store, struct cs_extent_disk *range)
{
  uint64_t off = 0, step = PROBE_STEP;
  int r = -ENOMEM;

  for (int i = 0; i < PROBES; i++, off += step, step *= 2)
    {
      if (!cs_extent_find_gap (store, range->len, &off))
        return -ENOMEM;
      range->off = off;
      r = place (store, range);
      if (r != -EEXIST)
        break;
    }
  return r;
}

static bool
are_valid (int prot, enum cs_extent_kind kind)
{
  return (!(prot & ~PROT_ALL) && kind >= CS_EXTENT_DIRECTORY
          && kind <= CS_EXTENT_LIBRARY_TEXT
          && (kind != CS_EXTENT_LIBRARY_DATA || (prot & PROT_READ)));
}

void *
cs_store_map (struct cs_store *store, size_t len, int prot,
              enum cs_extent_kind kind)
{
  struct cs_extent_disk range = {
    .len = cs_round_up (len, CS_STORE_PAGE_LEN),
    .prot = (uint32_t) prot,
    .kind = kind
  };
  sigset_t mask;
  int r;

  if (store->mode == CS_STORE_READ || len == 0 || !are_valid (prot, kind)
      || range.len < len)
    {
      errno = store->mode == CS_STORE_READ ? EPERM : EINVAL;
      return NULL;
    }
  cs_space_enter (store, &mask);
  r = place_anywhere (store, &range);
  cs_space_leave (store, &mask);
  if (r == 0)
    return store->image + range.off;
  errno = -r;
  return NULL;
}

int
cs_store_map_at (struct cs_store *store, void *addr, size_t len, int prot,
                 enum cs_extent_kind kind)
{
  struct cs_extent_disk range = { .prot = (uint32_t) prot, .kind = kind };
  int r = get_range (store, addr, len, &range);
  sigset_t mask;

  if (r < 0)
    return r;
  if (!are_valid (prot, kind))
    return -EINVAL;
  cs_space_enter (store, &mask);
  if (cs_directory_touches (store, range.off, range.len)
      || cs_section_touches (store, range.off, range.len, false))
    r = -EINVAL;
  else
    r = place (store, &range);
  cs_space_leave (store, &mask);
  return r;
}

/* The mappings of cs_store_unmap().  */
static int
unmap_range (struct cs_store *store, const struct cs_extent_disk *range)
{
  uint64_t end = cs_extent_end (range), off = range->off;
  struct cs_extent_disk piece;

  if (store->held)
    return cs_region_map_over (store, range->off, range->len, PROT_NONE, -1);
  for (; cs_extent_next_used (store, off, end, &piece);
       off = cs_extent_end (&piece))
    if (cs_sys.munmap (store->image + piece.off, (size_t) piece.len) < 0)
      return -errno;
  return 0;
}

int
cs_store_unmap (struct cs_store *store, void *addr, size_t len)
{
  struct cs_extent_disk range;
  int r = get_range (store, addr, len, &range);
  sigset_t mask;

  if (r < 0)
    return r;
  cs_space_enter (store, &mask);
  if (cs_directory_touches (store, range.off, range.len)
      || cs_section_touches (store, range.off, range.len, false))
    r = -EINVAL;
  else if (!cs_extent_has_room (store))
    r = -ENOMEM;
  else
    r = unmap_range (store, &range);
  if (r == 0)
    {
      cs_extent_set_free (store, range.off, range.len);
      cs_detached_set (store, range.off, range.len, true);
    }
  cs_space_leave (store, &mask);
  return r;
}

static bool
is_all_used (const struct cs_store *store,
             const struct cs_extent_disk *range)
{
  uint64_t off, len;

  return !cs_extent_next_free (store, range->off, cs_extent_end (range),
                               &off, &len);
}

static int
protect_range (struct cs_store *store, const struct cs_extent_disk *range,
               int prot)
{
  uint64_t end = cs_extent_end (range), off = range->off;
  struct cs_extent_disk piece;

  if (cs_directory_touches (store, range->off, range->len)
      || cs_section_touches (store, range->off, range->len, true)
      || (prot == PROT_NONE
          && cs_section_touches (store, range->off, range->len, false)))
    return -EINVAL;
  if (!is_all_used (store, range) || !cs_extent_has_room (store))
    return -ENOMEM;
  if (cs_sys.mprotect (store->image + range->off, (size_t) range->len,
                       prot) < 0)
    return -errno;
  for (; cs_extent_next_used (store, off, end, &piece);
       off = cs_extent_end (&piece))
    {
      piece.prot = (uint32_t) prot;
      cs_extent_set (store, &piece);
    }
  return 0;
}

int
cs_store_protect (struct cs_store *store, void *addr, size_t len, int prot)
{
  struct cs_extent_disk range;
  int r = get_range (store, addr, len, &range);
  sigset_t mask;

  if (r < 0)
    return r;
  if (prot & ~PROT_ALL)
    return -EINVAL;
  cs_space_enter (store, &mask);
  r = protect_range (store, &range, prot);
  cs_space_leave (store, &mask);
  return r;
}

static int
clear_range (struct cs_store *store, const struct cs_extent_disk *range)
{
  uint64_t end = cs_extent_end (range), off = range->off;
  struct cs_extent_disk piece;
  int r = 0;

  if (cs_directory_touches (store, range->off, range->len))
    return -EINVAL;
  if (!is_all_used (store, range))
    return -ENOMEM;
  for (; cs_extent_next_used (store, off, end, &piece);
       off = cs_extent_end (&piece))
    if (piece.kind == CS_EXTENT_LIBRARY_TEXT)
      return -EINVAL;
  for (off = range->off; r == 0
       && cs_extent_next_used (store, off, end, &piece);
       off = cs_extent_end (&piece))
    {
      r = cs_region_map_over (store, piece.off, piece.len, (int) piece.prot,
                              -1);
      if (r == 0)
        cs_detached_set (store, piece.off, piece.len, true);
    }
  return r;
}

int
cs_store_clear (struct cs_store *store, void *addr, size_t len)
{
  struct cs_extent_disk range;
  int r = get_range (store, addr, len, &range);
  sigset_t mask;

  if (r < 0)
    return r;
  cs_space_enter (store, &mask);
  r = clear_range (store, &range);
  cs_space_leave (store, &mask);
  return r;
}

size_t
cs_store_extents (struct cs_store *store, struct cs_extent_disk *extents,
                  size_t max)
{
  sigset_t mask;
  size_t nr;

  cs_space_enter (store, &mask);
  nr = cs_directory (store)->nr_extents;
  if (max > 0)
    memcpy (extents, cs_extent_table (store),
            (nr < max ? nr : max) * sizeof *extents);
  cs_space_leave (store, &mask);
  return nr;
}

/* Map RANGE for a new section and enter it in the directory.  */
static int
add_section (struct cs_store *store, const char *name,
             struct cs_extent_disk *range)
{
  struct cs_directory_disk *d = cs_directory (store);
  struct cs_section_disk *s = &d->sections[d->nr_sections];
  int r;

  if (cs_section_find (store, name))
    return -EEXIST;
  if (d->nr_sections == CS_STORE_SECTIONS_MAX)
    return -ENOSPC;
  r = place_anywhere (store, range);
  if (r < 0)
    return r;
  memset (s, 0, sizeof *s);
  memcpy (s->name, name, strlen (name));
  s->off = range->off;
  s->len = range->len;
  d->nr_sections++;
  return 0;
}

int
cs_store_section_create (struct cs_store *store, const char *name,
                         size_t len, int prot, void **addr)
{
  struct cs_extent_disk range = {
    .len = cs_round_up (len, CS_STORE_PAGE_LEN),
    .prot = (uint32_t) prot,
    .kind = CS_EXTENT_DIRECTORY
  };
  size_t name_len = strlen (name);
  sigset_t mask;
  int r;

  assert (name_len > 0
          && name_len <= sizeof cs_directory (store)->sections->name);
  if (store->mode == CS_STORE_READ)
    return -EPERM;
  if (len == 0 || range.len < len || prot == PROT_NONE
      || (prot & ~PROT_ALL))
    return -EINVAL;
  cs_space_enter (store, &mask);
  r = add_section (store, name, &range);
  cs_space_leave (store, &mask);
  if (r == 0)
    *addr = store->image + range.off;
  return r;
}
