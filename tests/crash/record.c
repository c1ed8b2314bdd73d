/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* record.c -- the store's system calls, recorded.

   Only calls that change files or folders, or sync them, are of interest;
   they are really made, but for the syncs: what is in the page cache is seen
   by everybody until the power fails, and that is played later.  */

#include "../unit/store-fixture.h"

#include "trace.h"

static struct trace *trace;
static struct cs_sys real;
static unsigned int until, sync_fails_at, syncs_fail, write_fails_at;

void
record_until (unsigned int nth)
{
  until = nth;
}

void
record_failing_syncs (unsigned int nth, unsigned int nr)
{
  sync_fails_at = nth;
  syncs_fail = nr;
}

void
record_failing_write (unsigned int nth)
{
  write_fails_at = nth;
}

/* Before every event.  */
static void
live_or_die (void)
{
  if (until > 0 && --until == 0)
    _exit (RECORD_KILLED);
}

static int
file_of (int fd)
{
  struct stat st;

  CHECK (fstat (fd, &st) == 0);
  return trace_find (trace, st.st_dev, st.st_ino);
}

static int
folder_of (int dirfd)
{
  struct stat st;

  if (dirfd != AT_FDCWD)
    return file_of (dirfd);
  CHECK (stat (".", &st) == 0);
  return trace_find (trace, st.st_dev, st.st_ino);
}

/* The file that NAME leads to, or NONE.  */
static int
target_of (int dirfd, const char *name, bool follow)
{
  struct stat st;

  if (fstatat (dirfd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
    return NONE;
  return trace_find (trace, st.st_dev, st.st_ino);
}

static int
r_openat (int dirfd, const char *name, int flags, mode_t mode)
{
  bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  struct stat st;
  bool existed;
  int fd;

  if (!(flags & (O_CREAT | O_TRUNC)) && !unnamed)
    return real.openat (dirfd, name, flags, mode);
  existed = !unnamed && fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  live_or_die ();
  fd = real.openat (dirfd, name, flags, mode);
  if (fd < 0)
    return fd;
  if (!existed)
    {
      int file;

      CHECK (fstat (fd, &st) == 0);
      file = trace_new_file (trace, st.st_dev, st.st_ino, false);
      if (!unnamed)
        trace_entry (trace, folder_of (dirfd), name, file);
    }
  else if (flags & O_TRUNC)
    trace_add (trace, EVENT_RESIZE, file_of (fd))->off = 0;
  return fd;
}

static ssize_t
r_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  ssize_t n;

  live_or_die ();
  if (write_fails_at > 0 && --write_fails_at == 0)
    {
      errno = ENOSPC;
      return -1;
    }
  n = real.pwrite (fd, buf, len, off);
  if (n > 0)
    trace_write (trace, file_of (fd), (uint64_t) off, buf, (size_t) n);
  return n;
}

static ssize_t
r_copy_file_range (int in, off_t *in_off, int out, off_t *out_off,
                   size_t len, unsigned int flags)
{
  char *buf = malloc (len);
  ssize_t n;

  live_or_die ();
  n = real.copy_file_range (in, in_off, out, out_off, len, flags);
  if (n > 0)
    {
      off_t off = *out_off - n;

      CHECK (buf && pread (out, buf, (size_t) n, off) == n);
      trace_write (trace, file_of (out), (uint64_t) off, buf, (size_t) n);
    }
  free (buf);
  return n;
}

static int
r_ficlone (int to, int from)
{
  (void) to;
  (void) from;
  errno = EOPNOTSUPP;           /* the same everywhere */
  return -1;
}

static int
r_ftruncate (int fd, off_t len)
{
  int r;

  live_or_die ();
  r = real.ftruncate (fd, len);
  if (r == 0)
    trace_add (trace, EVENT_RESIZE, file_of (fd))->off = (uint64_t) len;
  return r;
}

static int
r_fallocate (int fd, int mode, off_t off, off_t len)
{
  int r;

  live_or_die ();
  r = real.fallocate (fd, mode, off, len);
  if (r == 0)
    {
      struct event *e = trace_add (trace, EVENT_ZERO, file_of (fd));

      e->off = (uint64_t) off;
      e->len = (uint64_t) len;
    }
  return r;
}

static int
r_sync (int fd)
{
  live_or_die ();
  if (syncs_fail > 0 && (sync_fails_at == 0 || --sync_fails_at == 0))
    {
      syncs_fail--;
      trace_add (trace, EVENT_SYNC_FAILED, file_of (fd));
      errno = EIO;
      return -1;
    }
  trace_add (trace, EVENT_SYNC, file_of (fd));
  return 0;
}

static int
r_linkat (int old_dirfd, const char *old_name, int new_dirfd,
          const char *new_name, int flags)
{
  int file = target_of (old_dirfd, old_name, flags & AT_SYMLINK_FOLLOW), r;

  live_or_die ();
  r = real.linkat (old_dirfd, old_name, new_dirfd, new_name, flags);
  if (r == 0)
    trace_entry (trace, folder_of (new_dirfd), new_name, file);
  return r;
}

static int
r_renameat2 (int old_dirfd, const char *old_name, int new_dirfd,
             const char *new_name, unsigned int flags)
{
  int file = target_of (old_dirfd, old_name, false), r;

  CHECK ((flags & ~(unsigned int) RENAME_NOREPLACE) == 0);
  live_or_die ();
  r = real.renameat2 (old_dirfd, old_name, new_dirfd, new_name, flags);
  if (r == 0)
    {
      struct change *gone;

      trace_entry (trace, folder_of (new_dirfd), new_name, file);
      gone = &trace->events[trace->nr_events - 1].changes[1];
      gone->folder = folder_of (old_dirfd);
      gone->target = NONE;
      strcpy (gone->name, old_name);
      trace->events[trace->nr_events - 1].nr_changes = 2;
    }
  return r;
}

static int
r_unlinkat (int dirfd, const char *name, int flags)
{
  int r;

  live_or_die ();
  r = real.unlinkat (dirfd, name, flags);
  if (r == 0)
    trace_entry (trace, folder_of (dirfd), name, NONE);
  return r;
}

static int
r_mkdirat (int dirfd, const char *name, mode_t mode)
{
  struct stat st;
  int r;

  live_or_die ();
  r = real.mkdirat (dirfd, name, mode);
  if (r == 0)
    {
      CHECK (fstatat (dirfd, name, &st, 0) == 0);
      trace_entry (trace, folder_of (dirfd), name,
                   trace_new_file (trace, st.st_dev, st.st_ino, true));
    }
  return r;
}

void
record_into (struct trace *into)
{
  trace = into;
  until = sync_fails_at = syncs_fail = write_fails_at = 0;
  real = cs_sys;
  cs_sys.openat = r_openat;
  cs_sys.pwrite = r_pwrite;
  cs_sys.copy_file_range = r_copy_file_range;
  cs_sys.ficlone = r_ficlone;
  cs_sys.ftruncate = r_ftruncate;
  cs_sys.fallocate = r_fallocate;
  cs_sys.fsync = r_sync;
  cs_sys.fdatasync = r_sync;
  cs_sys.linkat = r_linkat;
  cs_sys.renameat2 = r_renameat2;
  cs_sys.unlinkat = r_unlinkat;
  cs_sys.mkdirat = r_mkdirat;
}

/* What can be seen of a store.  */

static size_t
count_pages (const struct cs_store *store, const struct cs_extent_disk *e)
{
  size_t nr = 0;

  for (uint64_t off = e->off; off < cs_extent_end (e); off += PAGE)
    nr += !cs_page_is_zero (store->image + off);
  return nr;
}

static void
add_pages (struct attempt *a, const struct cs_store *store,
           const struct cs_extent_disk *e)
{
  for (uint64_t off = e->off; off < cs_extent_end (e); off += PAGE)
    if (!cs_page_is_zero (store->image + off))
      {
        memcpy (a->contents + a->nr_pages * PAGE, store->image + off, PAGE);
        a->page[a->nr_pages++] = off / PAGE;
      }
}

struct attempt *
record_contents (struct trace *into, const struct cs_store *store,
                 const char *path, uint64_t generation)
{
  struct attempt *a = trace_memory (into, sizeof *a);
  const struct cs_extent_disk *table = cs_extent_table (store);
  size_t nr = cs_directory (store)->nr_extents, nr_pages = 0;

  a->path = path;
  a->generation = generation;
  a->nr_extents = nr;
  a->extents = trace_memory (into, nr * sizeof *table);
  memcpy (a->extents, table, nr * sizeof *table);
  for (size_t i = 0; i < nr; i++)
    if (cs_extent_in_file (&table[i]))
      nr_pages += count_pages (store, &table[i]);
  a->page = trace_memory (into, nr_pages * sizeof *a->page);
  a->contents = trace_memory (into, nr_pages * PAGE);
  for (size_t i = 0; i < nr; i++)
    if (cs_extent_in_file (&table[i]))
      add_pages (a, store, &table[i]);
  return a;
}

void (*record_meanwhile) (void);

int
record_commit (struct trace *into, struct cs_store *store)
{
  struct cs_err err = CS_ERR_INIT;
  struct attempt *a
    = record_contents (into, store, STORE,
                       store->superblock.generation + 1);
  int r;

  trace_add (into, EVENT_BEGIN, NONE)->attempt = a;
  r = cs_store_commit_begin (store, &err);
  if (r == 0 && record_meanwhile)
    record_meanwhile ();
  if (r == 0)
    r = cs_store_commit_end (store, &err);
  if (r == 0)
    trace_add (into, EVENT_ACKNOWLEDGED, NONE)->attempt = a;
  return r;
}
