/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* slice.c -- long work of a writer, in slices between which others have their
   turn.  */

#include <errno.h>
#include <time.h>

#include "store/slice.h"
#include "store/sys.h"

#define MILLISECOND 1000000

/* A slice writes so much at most, give or take a part.  The pages may be far from
   each other on the disk.  */
#define WRITTEN_MAX ((uint64_t) 256 << 10)

/* How often readers are waited for.  A child that executes a program, as that of
   system(3), is a reader for a moment; the waits come to a fifth of a second.  */
#define LOOKS 17

int64_t cs_slice_len = MILLISECOND;
void (*cs_slice_between) (struct cs_store *store);

static int64_t
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

int
cs_slice_begin (struct cs_slice *slice, struct cs_store *store, bool divided)
{
  int r;

  *slice = (struct cs_slice) {
    .store = store, .divided = divided, .fd = store->fd, .sync_fd = -1,
    .number = ++store->applies, .end = now () + cs_slice_len
  };
  r = cs_lock_readers (slice->fd);
  if (r == 1 && divided)
    slice->sync_fd = cs_file_open_again (store);
  if (slice->sync_fd < 0)
    slice->sync_fd = slice->fd;
  return r;
}

void
cs_slice_end (struct cs_slice *slice)
{
  if (slice->sync_fd != slice->fd)
    cs_file_close (&slice->sync_fd);
  cs_lock_admit_readers (slice->fd);
}

/* Can the work go on?  A number that is not the file's any more is not looked
   for again.  */
static bool
is_in_force (const struct cs_slice *slice)
{
  const struct cs_store *store = slice->store;

  return (store->applies == slice->number && store->fd == slice->fd
          && !store->log.broken && !store->log.held_back);
}

void
cs_slice_push (struct cs_slice *slice, int fd, uint64_t from, uint64_t to)
{
  if (slice->divided
      && cs_sys.sync_file_range (fd, (off_t) from, (off_t) (to - from),
                                 SYNC_FILE_RANGE_WAIT_BEFORE
                                 | SYNC_FILE_RANGE_WRITE
                                 | SYNC_FILE_RANGE_WAIT_AFTER) < 0
      && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
    slice->code = -errno;
}

void
cs_slice_leave (struct cs_slice *slice)
{
  if (!slice->divided)
    return;
  cs_lock_admit_readers (slice->fd);
  cs_applying_unlock (slice->store);
  if (slice->written > 0)
    cs_slice_push (slice, slice->sync_fd, slice->from, slice->to);
  slice->written = 0;
  if (cs_slice_between)
    cs_slice_between (slice->store);
}

int
cs_slice_enter (struct cs_slice *slice)
{
  struct timespec wait = { 0, MILLISECOND };
  int r = 0;

  if (!slice->divided)
    return 0;
  cs_applying_lock (slice->store);
  for (int i = 0; i < LOOKS && is_in_force (slice); i++)
    {
      r = cs_lock_readers (slice->fd);
      if (r != 0)
        break;
      cs_applying_unlock (slice->store);
      cs_sys.nanosleep (&wait, NULL);
      if (wait.tv_nsec < 16 * MILLISECOND)
        wait.tv_nsec *= 2;
      cs_applying_lock (slice->store);
    }
  slice->end = now () + cs_slice_len;
  return r == 1 ? 0 : CS_OVERTAKEN;
}

int
cs_slice_return (struct cs_slice *slice, int r)
{
  int entered = cs_slice_enter (slice);

  return entered < 0 ? entered : r;
}

int
cs_slice_sync (struct cs_slice *slice, int (*sync) (int fd), int fd)
{
  int r;

  cs_slice_leave (slice);
  r = sync (fd) < 0 ? -errno : slice->code;
  return cs_slice_return (slice, r);
}

int
cs_slice_give_way (struct cs_slice *slice)
{
  if (!slice->divided
      || (slice->written < WRITTEN_MAX && now () < slice->end))
    return 0;
  cs_slice_leave (slice);
  return cs_slice_enter (slice);
}

void
cs_slice_wrote (struct cs_slice *slice, uint64_t from, uint64_t to,
                uint64_t len)
{
  if (slice->written == 0 || from < slice->from)
    slice->from = from;
  if (slice->written == 0 || to > slice->to)
    slice->to = to;
  slice->written += len;
}
