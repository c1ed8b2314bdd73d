/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-unsynced.c -- a program that goes on while its commit is synced (C1 to C3,
   commit.c).  */

#include <pthread.h>

#include "store-numbers.h"

#include "store/slice.h"

static struct cs_err err;
static struct cs_store *store;
static char *heap;

static void
start (void)
{
  void *addr;

  store = create (false);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (store, 800 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  memset (heap, 1, 800 * PAGE);
  commit_number (store, 1);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
}

static void
begin (uint64_t number)
{
  say_number (store, number);
  heap[0] = (char) number;
  CHECK (cs_store_commit_begin (store, &err) == 0);
  CHECK (store->unsynced && store->superblock.generation == number - 1);
}

static void
end (uint64_t number)
{
  CHECK (cs_store_commit_end (store, &err) == 0);
  CHECK (!store->unsynced && store->superblock.generation == number);
}

/* What GENERATION has at the beginning of two pages.  */
static void
check (uint64_t generation, char first, char last)
{
  struct cs_store *view = NULL;
  const char *then;

  CHECK (cs_store_open_at (STORE, CS_STORE_READ, generation, &view, &err)
         == 0);
  then = cs_store_view (view, (uintptr_t) heap, 800 * PAGE);
  CHECK (then && then[0] == first && then[799 * PAGE] == last);
  CHECK (cs_store_check (view, &err) == 0);
  cs_store_close (view);
}

/* The first time nothing is watched, the second time it may be.  */
static void
changes (void)
{
  start ();
  for (uint64_t n = 2; n < 8; n += 2)
    {
      begin (n);
      heap[0] = 100;
      heap[799 * PAGE] = (char) n;
      heap = cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP) ? heap : NULL;
      end (n);
      check (n, (char) n, n == 2 ? 1 : (char) (n - 1));
      heap[799 * PAGE] = (char) (n + 1);
      begin (n + 1);
      end (n + 1);
      check (n + 1, (char) (n + 1), (char) (n + 1));
    }
  CHECK (cs_store_commit_begin (store, &err) == 0 && !store->unsynced);
  CHECK (cs_store_commit_end (store, &err) == 0);
  settle_ok (store);
  close_and_unmap (store);
}

static void
look (void)
{
  cs_store_disown (store);
  CHECK (!store->unsynced && heap[0] == 2);
  CHECK (cs_store_commit_end (store, &err) == 0);
  CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
}

static void
forks (void)
{
  pid_t pid;
  int status;

  start ();
  begin (2);
  cs_store_hold (store);
  pid = fork ();
  CHECK (pid >= 0);
  if (pid == 0)
    {
      look ();
      _exit (0);
    }
  cs_store_release (store);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  end (2);
  check (2, 2, 1);
  close_and_unmap (store);
}

static void
die_between (void)
{
  store = open_mode (CS_STORE_WRITE);
  begin (2);
}

/* The record is in the page cache.  */
static void
kill_between (void)
{
  start ();
  close_and_unmap (store);
  CHECK (in_child (die_between) == 0);
  check (2, 2, 1);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->superblock.generation == 2);
  begin (3);
  end (3);
  close_and_unmap (store);
}

/* Whoever wants the lock looks again and again; the third time the commit ends.  */
static unsigned int looks;
static pthread_t committer;
static atomic_bool waited;

static int
look_again (const struct timespec *time, struct timespec *left)
{
  if (++looks >= 3)
    atomic_store (&waited, true);
  return nanosleep (time, left);
}

static void *
commit_too (void *unused)
{
  struct cs_err e = CS_ERR_INIT;

  CHECK (cs_store_commit (store, &e) == 0);
  return unused;
}

static void
another_commit (void)
{
  start ();
  begin (2);
  heap[799 * PAGE] = 5;
  cs_sys.nanosleep = look_again;
  CHECK (pthread_create (&committer, NULL, commit_too, NULL) == 0);
  while (!atomic_load (&waited))
    usleep (100);
  CHECK (store->superblock.generation == 1);
  end (2);
  CHECK (pthread_join (committer, NULL) == 0);
  CHECK (store->superblock.generation == 3);
  settle_ok (store);
  check (2, 2, 1);
  check (3, 2, 5);
  close_and_unmap (store);
}

/* Between two slices of an apply.  */
static unsigned int slices;

static int
end_then (const struct timespec *time, struct timespec *left)
{
  (void) left;
  if (store->unsynced && ++looks >= 3)
    end (3);
  return nanosleep (time, NULL);
}

static void
begin_between (struct cs_store *s)
{
  CHECK (!s->unsynced);
  if (slices++ == 2)
    {
      CHECK (s->log.len > 0);
      begin (3);
    }
}

static void
slices_wait (void)
{
  start ();
  memset (heap, 2, 700 * PAGE);
  begin (2);
  end (2);
  cs_slice_len = 0;
  cs_sys.nanosleep = end_then;
  cs_slice_between = begin_between;
  CHECK (cs_store_apply_beside (store, &err) == 0);
  CHECK (looks >= 3 && slices > 5 && store->log.len == 0);
  CHECK (store->superblock.generation == 3);
  check (2, 2, 1);
  check (3, 3, 1);
  close_and_unmap (store);
}

static int
no_disk (int fd)
{
  (void) fd;
  errno = EIO;
  return -1;
}

/* What was changed meanwhile is in the next commit, too.  */
static void
failed_sync (void)
{
  struct cs_sys real = cs_sys;

  start ();
  begin (2);
  end (2);
  begin (3);
  heap[799 * PAGE] = 7;
  cs_sys.fdatasync = no_disk;
  CHECK (cs_store_commit_end (store, &err) == -EIO);
  cs_sys.fdatasync = real.fdatasync;
  CHECK (!store->unsynced && store->superblock.generation == 2);
  check (2, 2, 1);
  CHECK (cs_store_commit_begin (store, &err) == 0 && !store->unsynced);
  CHECK (store->superblock.generation == 3);
  check (3, 3, 7);
  close_and_unmap (store);
}

/* The number becomes another file's during the sync.  */
static int
sync_other (int fd)
{
  int other = open ("other", O_RDWR | O_CREAT, 0600);

  CHECK (dup2 (other, fd) == fd && close (other) == 0);
  return fdatasync (fd);
}

static void
lost_descriptor (void)
{
  struct cs_sys real = cs_sys;
  struct stat st;

  start ();
  begin (2);
  cs_sys.fdatasync = sync_other;
  CHECK (cs_store_commit_end (store, &err) == -EBADF);
  cs_sys.fdatasync = real.fdatasync;
  CHECK (stat ("other", &st) == 0 && st.st_size == 0);
  heap[799 * PAGE] = 7;
  CHECK (cs_store_commit (store, &err) == 0);
  CHECK (store->superblock.generation == 2);
  check (2, 2, 7);
  CHECK (stat ("other", &st) == 0 && st.st_size == 0);
  close_and_unmap (store);
}

/* The disk fails where a slice's pages are brought to it: the kernel tells that
   once, and a sync afterwards succeeds.  */
static int
fail_once (int fd, off_t off, off_t len, unsigned int flags)
{
  if (slices > 0 && (flags & SYNC_FILE_RANGE_WAIT_AFTER) && slices-- == 1)
    {
      errno = EIO;
      return -1;
    }
  return sync_file_range (fd, off, len, flags);
}

static void
failed_push (void)
{
  struct cs_sys real = cs_sys;

  start ();
  memset (heap, 2, 700 * PAGE);
  begin (2);
  end (2);
  cs_slice_len = 0;
  for (unsigned int nth = 1; nth < 6; nth++)
    {
      slices = nth;
      cs_sys.sync_file_range = fail_once;
      CHECK (cs_store_apply_beside (store, &err) == -EIO && slices == 0);
      CHECK (store->log.len > 0);
      check (2, 2, 1);
    }
  cs_sys.sync_file_range = real.sync_file_range;
  CHECK (cs_store_apply_beside (store, &err) == 0 && store->log.len == 0);
  check (2, 2, 1);
  close_and_unmap (store);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "C1: changes meanwhile are the next commit's", changes },
    { "C1: a kill meanwhile", kill_between },
    { "C2: a fork does not wait", forks },
    { "C2: another commit waits", another_commit },
    { "C2: slices of an apply wait", slices_wait },
    { "L5: a sync that fails", failed_sync },
    { "C3: the program closes the descriptor meanwhile", lost_descriptor },
    { "a slice whose pages do not reach the disk", failed_push }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
