/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-log.c -- the log, applying it, readers, and older generations.  */

#include <inttypes.h>

#include "store-numbers.h"

#include "store/dirty.h"
#include "store/watch.h"

static struct cs_err err;

#define MANY 3000               /* pages */

/* A store with section "words" and a heap of MANY pages, each with its
   number in its first word.  */
static char *
make_heap (struct cs_store **store)
{
  void *addr;
  char *heap;

  *store = create (false);
  CHECK (cs_store_section_create (*store, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (*store, MANY * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  for (size_t i = 0; i < MANY; i++)
    *(uint64_t *) (heap + i * PAGE) = i + 1;
  strcpy (addr, "1");
  commit_ok (*store);
  return heap;
}

static char *
make_and_reopen (struct cs_store **store)
{
  char *heap = make_heap (store);

  close_and_unmap (*store);
  *store = open_mode (CS_STORE_WRITE);
  return heap;
}

static uint64_t
generation (const struct cs_store *store)
{
  return cs_store_superblock (store)->generation;
}

/* What the last commit wrote, in pages.  */
static uint64_t
written (struct cs_store *store)
{
  struct cs_generation list[2];

  CHECK (cs_store_history (store, list, 2) > 0);
  return list[0].changed;
}

static void
only_what_changed (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  commit_ok (store);
  CHECK (generation (store) == 1);      /* nothing had changed */
  heap[0] = 7;
  heap[77 * PAGE] = 7;
  heap[78 * PAGE + 5] = 7;
  heap[79 * PAGE] = heap[79 * PAGE];    /* written to, but the same */
  commit_ok (store);
  CHECK (generation (store) == 2 && written (store) == 3);
  commit_ok (store);
  CHECK (generation (store) == 2);
  heap[0] = 8;
  commit_ok (store);
  CHECK (generation (store) == 3 && written (store) == 1);
  settle_ok (store);
  commit_ok (store);
  CHECK (generation (store) == 3);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (heap[0] == 8 && heap[77 * PAGE] == 7 && heap[78 * PAGE + 5] == 7);
  CHECK (*(uint64_t *) (heap + 2999 * PAGE) == 3000);
}

static int
no_madvise (void *addr, size_t len, int advice)
{
  (void) addr;
  (void) len;
  (void) advice;
  errno = EINVAL;
  return -1;
}

/* Pages that are 16 MiB apart, as a search goes in steps; and again, when an
   older generation's are forgotten, with and without the kernel's help.  */
static void
patches_far_apart (void)
{
  enum { FAR = 6000 };
  static char buf[2 * CS_STORE_PAGE_LEN];
  struct cs_store *store;
  char *heap = make_and_reopen (&store), *far;
  uint64_t first, page;

  far = cs_store_map (store, FAR * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (far);
  for (size_t i = 0; i < FAR; i++)
    far[i * PAGE] = 1;
  commit_ok (store);
  settle_ok (store);
  heap[0] = 77;
  far[(FAR - 1) * PAGE] = 78;
  commit_ok (store);
  first = (uint64_t) (heap - store->image) / PAGE;
  page = (uint64_t) (far - store->image) / PAGE + FAR - 1;
  CHECK (page > first + 2 * 4096);
  CHECK (cs_patch_next (store, first, page + 1) == first);
  CHECK (cs_patch_next (store, first + 1, page + 1) <= page);
  for (uint64_t i = first + 1; i < page; i += 1 + (page - first) / 50)
    {
      uint64_t next = i;

      while ((next = cs_patch_next (store, next, page + 1)) < page)
        next++;
      CHECK (next == page);
    }
  /* Behind the image there are zeros.  */
  memset (buf, 1, sizeof buf);
  CHECK (cs_committed_read (store, store->superblock.committed / PAGE - 1, 2,
                            buf) == 0);
  for (size_t i = PAGE; i < sizeof buf; i++)
    CHECK (buf[i] == 0);
  for (int i = 0; i < 2; i++)
    {
      if (i > 0)
        store = open_mode (CS_STORE_READ);
      CHECK (cs_patch_exists (store, page));
      cs_sys.madvise = i ? no_madvise : madvise;
      cs_patch_forget (store);
      cs_sys.madvise = madvise;
      CHECK (!cs_patch_exists (store, page) && !cs_patch_exists (store, first)
             && cs_patch_next (store, 0, page + 1) == page + 1);
    }
}

/* In a file system in memory that is full, who looks at a hole of a mapped file
   gets a signal, and the table of sums has holes.  */
static void
holes_are_not_looked_at (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  heap[0] = 7;
  commit_ok (store);
  CHECK (store->view_len > 0);
  CHECK (mprotect (store->view,
                   (size_t) cs_store_image_off (&store->superblock),
                   PROT_NONE) == 0);
  heap[77 * PAGE] = 7;
  heap[79 * PAGE] = heap[79 * PAGE];
  CHECK (cs_store_clear (store, heap + 100 * PAGE, 9 * PAGE) == 0);
  commit_ok (store);
  CHECK (generation (store) == 3 && written (store) == 10);
  settle_ok (store);
}

/* What the kernel says after KSM has merged a page with the zero page
   (use_zero_pages): as here, for a page that has been written to.  */
static uint64_t merged;

static int
scan_merged (int fd, void *context)
{
  enum { ZERO = 1 << 5 };
  struct cs_pagemap_scan *arg = context;
  struct cs_page_region *regions = (void *) (uintptr_t) arg->vec;
  int nr = ioctl (fd, CS_PAGEMAP_SCAN, arg);

  for (int i = 0; i < nr && (arg->category_mask & ZERO); i++)
    if (regions[i].start == merged)
      {
        CHECK (regions[i].end == merged + PAGE);
        memmove (&regions[i], &regions[i + 1],
                 (size_t) (--nr - i) * sizeof *regions);
      }
  return nr;
}

/* Zeros over what the file has, merged before the commit.  */
static void
merged_with_zero_page (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  cs_sys.pagemap_scan = scan_merged;
  for (int i = 0; i < 2; i++)   /* the second time it is watched */
    {
      size_t page = 77 + 10 * (size_t) i;

      CHECK (heap[page * PAGE]);
      memset (heap + page * PAGE, 0, PAGE);
      merged = (uintptr_t) heap + page * PAGE;
      commit_ok (store);
    }
  settle_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (cs_page_is_zero (heap + 77 * PAGE)
         && cs_page_is_zero (heap + 87 * PAGE));
}

static bool
is_anonymous (const void *page)
{
  int fd = open ("/proc/self/pagemap", O_RDONLY);
  uint64_t word;

  CHECK (fd >= 0 && pread (fd, &word, sizeof word,
                           (off_t) ((uintptr_t) page / PAGE * 8)) == 8);
  close (fd);
  return (word >> 63 & 1) && !(word >> 61 & 1);
}

/* Where processes cannot be watched.  */
static void
clean_again (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  cs_sys.userfaultfd = no_watch;
  heap[5 * PAGE] = 9;
  commit_ok (store);
  CHECK (is_anonymous (heap + 5 * PAGE));
  commit_ok (store);
  CHECK (is_anonymous (heap + 5 * PAGE));       /* it is not in the image */
  CHECK (cs_store_apply (store, &err) == 0);
  commit_ok (store);
  CHECK (!is_anonymous (heap + 5 * PAGE) && heap[5 * PAGE] == 9);
  CHECK (generation (store) == 2);
}

static void
by_pagemap (void)
{
  cs_sys.pagemap_scan = no_scan;
  only_what_changed ();
}

/* No page is left out, wherever the parts begin in which pagemap is read.  */
static void
all_pages_by_pagemap (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  cs_sys.pagemap_scan = no_scan;
  for (size_t i = 0; i < MANY; i++)
    heap[i * PAGE + 9] = 7;
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  for (size_t i = 0; i < MANY; i++)
    CHECK (heap[i * PAGE + 9] == 7);
}

static off_t pagemap_off;

/* pagemap ends early: nothing is where the region is.  */
static ssize_t
short_pagemap (int fd, void *buf, size_t len, off_t off)
{
  return off >= pagemap_off ? 0 : pread (fd, buf, len, off);
}

static void
pagemap_cut_off (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  cs_sys.pagemap_scan = no_scan;
  pagemap_off = (off_t) (store->superblock.base / PAGE * sizeof (uint64_t));
  heap[9] = 7;
  cs_sys.pread = short_pagemap;
  CHECK (cs_store_commit (store, &err) == -EIO);
  cs_sys.pread = pread;
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (heap[9] == 7);
}

static void
clean_by_pagemap (void)
{
  cs_sys.pagemap_scan = no_scan;
  clean_again ();
}

static int
no_proc (int dirfd, const char *name, int flags, mode_t mode)
{
  if (strncmp (name, "/proc", 5) == 0)
    {
      errno = ENOENT;
      return -1;
    }
  return openat (dirfd, name, flags, mode);
}

static void
without_proc (void)
{
  cs_sys.openat = no_proc;
  only_what_changed ();
}

/* Heap that a process gets and fills is its own memory first, and the
   file's after it was applied.  */
static void
grown_heap (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store), *more;

  cs_sys.userfaultfd = no_watch;
  more = cs_store_map (store, MANY * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (more);
  for (size_t i = 0; i < MANY; i++)
    if (i % 700 != 3)
      more[i * PAGE] = (char) (i + 1);
  commit_ok (store);
  settle_ok (store);
  commit_ok (store);
  CHECK (generation (store) == 2);
  for (size_t i = 0; i < MANY; i++)
    CHECK (more[i * PAGE] == (i % 700 != 3 ? (char) (i + 1) : 0));
  CHECK (!is_anonymous (more + 500 * PAGE));
  more[500 * PAGE] = 1;
  more[703 * PAGE] = 2;
  commit_ok (store);
  CHECK (written (store) == 2);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (more[500 * PAGE] == 1 && more[703 * PAGE] == 2);
  CHECK (more[3 * PAGE] == 0 && heap[0] == 1);
}

/* Is what others find in the file what is in memory?  */
static void
check_image (const struct cs_store *store)
{
  struct cs_store *view = open_mode (CS_STORE_READ);
  const struct cs_extent_disk *table = cs_extent_table (view);

  for (size_t i = 0; i < cs_directory (view)->nr_extents; i++)
    if (cs_extent_in_file (&table[i]))
      CHECK (memcmp (view->image + table[i].off,
                     store->image + table[i].off, (size_t) table[i].len)
             == 0);
  cs_store_close (view);
}

static bool
can_watch (void)
{
  int fd = cs_watch_open ();
  bool can = fd >= 0;

  cs_file_close (&fd);
  return can;
}

/* What happens to memory between two commits: a little of everything, and
   another little each time.  */
static void
live_on (struct cs_store *store, char *heap, unsigned int n)
{
  int fd = open ("/dev/zero", O_RDONLY);
  char *more;

  heap[n % 3 * PAGE] = (char) n;                /* some again and again */
  heap[(1000 + n * 37) % MANY * PAGE] ^= 1;
  heap[(1009 + n * 41) % MANY * PAGE] += 0;
  CHECK (pread (fd, heap + (1501 + n * 11) * PAGE, PAGE / 2, 0)
         == PAGE / 2);                          /* by the kernel */
  close (fd);
  more = cs_store_map (store, 5 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (more);
  more[n % 5 * PAGE] = 1;
  CHECK (cs_store_clear (store, heap + (200 + n) * PAGE, 2 * PAGE) == 0);
  CHECK (cs_store_protect (store, heap + (300 + n) * PAGE, PAGE, PROT_READ)
         == 0);
  CHECK (cs_store_unmap (store, heap + (400 + n) * PAGE, PAGE) == 0);
}

static void
watched (void)
{
  enum { COMMITS = 24 };
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  for (unsigned int n = 0; n < COMMITS; n++)
    {
      live_on (store, heap, n);
      commit_ok (store);
      CHECK (store->watch.since_commit == (n > 0 && can_watch ()));
      check_image (store);
      if (n % 4 == 3)
        CHECK (cs_store_apply (store, &err) == 0);
      if (n % 5 == 4)
        commit_ok (store);                      /* there is nothing */
      CHECK (generation (store) == n + 2);
    }
  heap[0] = 99;
  heap[2999 * PAGE] = 99;
  commit_ok (store);
  CHECK (written (store) == 2);
}

static void
unwatched (void)
{
  cs_sys.userfaultfd = no_watch;
  watched ();
}

/* Descriptors are kept from one commit to the next, and the program closes all
   but its own: from /dev/zero nothing would seem to have been written to.  */
static void
watched_without_descriptor (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  for (char n = 2; n < 4; n++)
    {
      heap[0] = n;
      commit_ok (store);
    }
  CHECK ((store->watch.pagemap >= 0) == can_watch ());
  if (store->watch.pagemap < 0)
    return;
  CHECK (dup2 (open ("/dev/zero", O_RDONLY), store->watch.pagemap) >= 0);
  heap[PAGE] = 7;
  commit_ok (store);
  CHECK (generation (store) == 4 && written (store) == 1);
  close (store->watch.pagemap);
  heap[PAGE] = 8;
  commit_ok (store);
  CHECK (generation (store) == 5 && written (store) == 1);
}

static unsigned int failing_scan, failing_write;

static int
failing_pagemap_scan (int fd, void *arg)
{
  if (failing_scan > 0 && --failing_scan == 0)
    {
      errno = EIO;
      return -1;
    }
  return ioctl (fd, CS_PAGEMAP_SCAN, arg);
}

static ssize_t
failing_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  if (failing_write > 0 && --failing_write == 0)
    {
      errno = EIO;
      return -1;
    }
  return pwrite (fd, buf, len, off);
}

/* What a commit has looked at that then fails is found by the next.  */
static void
watched_with_trouble (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);
  unsigned int n, nth;

  cs_sys.pagemap_scan = failing_pagemap_scan;
  cs_sys.pwrite = failing_pwrite;
  for (n = 0; n < 4; n++)
    {
      live_on (store, heap, n);
      commit_ok (store);
    }
  for (nth = 1; failing_scan == 0; nth++, n++)
    {
      failing_scan = nth;
      live_on (store, heap, n);
      commit_ok (store);
      check_image (store);
    }
  CHECK (nth > 5);
  failing_scan = 0;
  for (nth = 1; failing_write == 0; nth++, n++)
    {
      failing_write = nth;
      live_on (store, heap, n);
      cs_store_commit (store, &err);
      commit_ok (store);
      check_image (store);
    }
  CHECK (nth > 3 && n < 90);
}

/* A range that is given back and taken again reads as zeros, now and in the
   next process, though nobody wrote zeros to it.  */
static void
reused_ranges (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  CHECK (cs_store_unmap (store, heap + 10 * PAGE, 100 * PAGE) == 0);
  CHECK (cs_store_map_at (store, heap + 20 * PAGE, 50 * PAGE, RW,
                          CS_EXTENT_HEAP) == 0);
  CHECK (cs_store_clear (store, heap + 200 * PAGE, 10 * PAGE) == 0);
  heap[30 * PAGE] = 5;
  commit_ok (store);
  CHECK (file_says ("1"));
  settle_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (heap[30 * PAGE] == 5 && heap[20 * PAGE] == 0
         && heap[69 * PAGE] == 0 && heap[205 * PAGE] == 0
         && heap[210 * PAGE] == (char) 211);
  CHECK (cs_store_map_at (store, heap + 10 * PAGE, 10 * PAGE, RW,
                          CS_EXTENT_HEAP) == 0);
  CHECK (heap[10 * PAGE] == 0);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (heap[10 * PAGE] == 0 && heap[19 * PAGE] == 0);
}

/* A range whose protection goes to nothing and back keeps what it held in
   this process.  */
static void
hidden_ranges (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  heap[7 * PAGE] = 77;
  CHECK (cs_store_protect (store, heap + 6 * PAGE, 3 * PAGE, PROT_NONE) == 0);
  commit_ok (store);
  settle_ok (store);
  CHECK (cs_store_protect (store, heap + 6 * PAGE, 3 * PAGE, RW) == 0);
  CHECK (heap[7 * PAGE] == 77 && heap[6 * PAGE] == 7 && heap[8 * PAGE] == 9);
  commit_ok (store);
  CHECK (cs_store_protect (store, heap + 6 * PAGE, 3 * PAGE, PROT_NONE) == 0);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_protect (store, heap + 6 * PAGE, 3 * PAGE, RW) == 0);
  CHECK (heap[7 * PAGE] == 0 && heap[6 * PAGE] == 0);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (heap[7 * PAGE] == 0 && heap[6 * PAGE] == 0 && heap[9 * PAGE] == 10);
}

/* Ends without closing, as by a signal.  */
static void
leave_a_log (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);
  char *heap = store->image + cs_directory_len (cs_directory (store)) + PAGE;

  CHECK (*(uint64_t *) heap == 1);
  say (store, "2");
  heap[PAGE] = 22;
  commit_ok (store);
  say (store, "3");
  heap[2 * PAGE] = 33;
  commit_ok (store);
}

static void
recovery (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  close_and_unmap (store);
  CHECK (in_child (leave_a_log) == 0);
  CHECK (file_says ("3"));      /* a reader lays the log over the image */
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (store->log.len > 0 && heap[PAGE] == 22 && heap[2 * PAGE] == 33);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len > 0 && generation (store) == 3);
  CHECK (heap[PAGE] == 22 && heap[2 * PAGE] == 33 && heap[3 * PAGE] == 4);
  commit_ok (store);
  CHECK (generation (store) == 3);      /* nothing had changed */
  settle_ok (store);
  close_and_unmap (store);
  CHECK (file_says ("3"));
}

/* A record that is cut off anywhere was never made (R1, L1).  */
static void
torn_records (void)
{
  struct cs_store *store;
  uint64_t start, len;

  make_heap (&store);
  close_and_unmap (store);
  CHECK (in_child (leave_a_log) == 0);
  store = open_mode (CS_STORE_READ);
  start = cs_log_off (store);
  len = store->log.len;
  cs_store_close (store);
  for (uint64_t cut = len - 1; cut > 0; cut -= cut > 512 ? 512 : cut)
    {
      CHECK (truncate (STORE, (off_t) (start + cut)) == 0);
      CHECK (file_says (cut >= len / 2 ? "2" : "1"));
    }
  store = open_mode (CS_STORE_WRITE);
  CHECK (generation (store) == 1);
  say (store, "2");
  commit_ok (store);
  CHECK (file_says ("2"));
}

/* A bit of the log that is not what it was is noticed: the commit counts as
   never made if it is the last, and as damage if it is not.  */
static void
damaged_log (void)
{
  struct cs_store *store;
  uint64_t start, len;

  make_heap (&store);
  close_and_unmap (store);
  CHECK (in_child (leave_a_log) == 0);
  store = open_mode (CS_STORE_READ);
  start = cs_log_off (store);
  len = store->log.len;
  cs_store_close (store);
  for (uint64_t at = PAGE; at < len / 2 - PAGE; at += 997)
    {
      unsigned char byte;

      peek (start + at, &byte, 1);
      byte ^= 4;
      patch (start + at, &byte, 1);
      CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_DAMAGED);
      CHECK (strstr (err.text, "log record at offset "));
      byte ^= 4;
      patch (start + at, &byte, 1);
    }
  CHECK (file_says ("3"));
}

/* An image that grows to where the log is.  */
static void
grow (bool with_reader)
{
  struct cs_store *store, *reader = NULL;
  size_t len = 200 << 20;
  char *heap, *more;

  other_reserved = 256 << 20;
  heap = make_and_reopen (&store);
  say (store, "2");
  commit_ok (store);
  if (with_reader)
    reader = open_mode (CS_STORE_READ);
  more = cs_store_map (store, len, RW, CS_EXTENT_HEAP);
  CHECK (more);
  for (size_t off = 0; off < len; off += 1 << 20)
    more[off] = 5;
  say (store, "3");
  commit_ok (store);
  CHECK (file_says ("3"));
  heap[0] = 6;
  say (store, "4");
  commit_ok (store);
  CHECK (file_says ("4"));
  cs_store_close (reader);
  settle_ok (store);
  CHECK (file_says ("4"));
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (heap[0] == 6 && heap[PAGE] == 2);
  for (size_t off = 0; off < len; off += 1 << 20)
    CHECK (more[off] == 5 && more[off + PAGE] == 0);
  say (store, "5");
  commit_ok (store);
  CHECK (store->log.len > 0 && file_says ("5"));
}

static void
growing_image (void)
{
  grow (false);
}

static void
growing_image_with_readers (void)
{
  grow (true);
}

/* L4.  */
static void
readers_wait_for_nobody (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);
  size_t len;
  const char *words;

  reader = open_mode (CS_STORE_READ);
  words = cs_store_section (reader, "words", &len);
  for (int i = 2; i < 40; i++)
    {
      char text[16];

      snprintf (text, sizeof text, "%d", i);
      say (store, text);
      heap[i * PAGE] = 99;
      commit_ok (store);
      CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
      CHECK (file_says (text));
    }
  CHECK (strcmp (words, "1") == 0);
  CHECK (*(const uint64_t *) cs_store_view (reader,
                                            (uintptr_t) heap + 9 * PAGE, 8)
         == 10);
  cs_store_close (reader);
  settle_ok (store);
  CHECK (file_says ("39") && heap[39 * PAGE] == 99);
  commit_ok (store);
  CHECK (generation (store) == 39);
}

/* A writer that finds readers and a log goes on with both.  */
static void
log_with_readers (void)
{
  struct cs_store *store, *reader;
  char *heap = make_heap (&store);

  close_and_unmap (store);
  CHECK (in_child (leave_a_log) == 0);
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len > 0 && heap[PAGE] == 22 && heap[2 * PAGE] == 33);
  commit_ok (store);
  CHECK (generation (store) == 3);
  say (store, "4");
  commit_ok (store);
  CHECK (generation (store) == 4 && file_says ("4"));
  cs_store_close (reader);
  settle_ok (store);
  CHECK (file_says ("4") && heap[PAGE] == 22);
}

/* Readers leave, and so does the space of the commits made meanwhile.  */
static void
long_log (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);
  struct stat st;

  reader = open_mode (CS_STORE_READ);
  for (int i = 1; i <= 4; i++)
    {
      for (size_t k = 0; k < MANY; k++)
        heap[k * PAGE + 9] = (char) i;
      commit_ok (store);
      CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
    }
  cs_store_close (reader);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  CHECK (stat (STORE, &st) == 0
         && (uint64_t) st.st_size
            == cs_store_image_off (&store->superblock)
               + store->superblock.committed);
  heap[9] = 8;
  commit_ok (store);
  CHECK (stat (STORE, &st) == 0
         && (uint64_t) st.st_size > cs_log_off (store));
  settle_ok (store);
}

/* A child of the writer goes on with what it mapped, while the parent
   commits and would like to apply.  */
static void
child_of_a_writer (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);
  int go[2], status;
  pid_t pid;

  CHECK (pipe (go) == 0);
  cs_store_hold (store);
  pid = fork ();
  if (pid == 0)
    {
      char byte;

      alarm (60);
      cs_store_disown (store);
      close (go[1]);
      CHECK (read (go[0], &byte, 1) == 1);
      CHECK (heap[100 * PAGE] == 101);
      CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
      _exit (0);
    }
  cs_store_release (store);
  heap[100 * PAGE] = 1;
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  CHECK (write (go[1], "x", 1) == 1);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  settle_ok (store);
}

/* Older generations.  */

static void
check_generation (uint64_t wanted, const char *text)
{
  struct cs_store *store = NULL;
  size_t len;

  CHECK (cs_store_open_at (STORE, CS_STORE_READ, wanted, &store, &err) == 0);
  CHECK (generation (store) == wanted);
  CHECK (strcmp (cs_store_section (store, "words", &len), text) == 0);
  cs_store_close (store);
}

static void
check_history (uint64_t oldest, uint64_t newest)
{
  char text[16];

  for (uint64_t g = oldest; g <= newest; g++)
    {
      snprintf (text, sizeof text, "%" PRIu64, g);
      check_generation (g, text);
    }
}

static bool
is_kept (uint64_t wanted)
{
  struct cs_store *store = NULL;
  int r = cs_store_open_at (STORE, CS_STORE_READ, wanted, &store, &err);

  CHECK (r == 0 || (r == -CS_E_REFUSED && strstr (err.text, "is not kept")));
  if (r == 0)
    cs_store_close (store);
  return r == 0;
}

static void
history (void)
{
  struct cs_generation list[32];
  struct cs_store *store;
  char *heap = make_and_reopen (&store);
  int64_t before = 0;
  size_t nr;

  for (uint64_t g = 2; g <= 20; g++)
    {
      say_number (store, g);
      heap[g * PAGE] = 1;
      memset (heap + 2000 * PAGE, (int) g, (g % 5) * PAGE);
      if (g == 12)
        CHECK (cs_store_unmap (store, heap + 2500 * PAGE, 10 * PAGE) == 0);
      commit_ok (store);
      if (g % 3)
        CHECK (cs_store_apply (store, &err) == 0);
    }
  settle_ok (store);
  check_history (12, 20);
  CHECK (!is_kept (11) && !is_kept (21) && !is_kept (0));
  nr = cs_store_history (store, list, 32);
  CHECK (nr == 9);
  for (size_t i = 0; i < nr; i++)
    {
      CHECK (list[i].generation == 20 - i);
      CHECK (i == nr - 1 ? list[i].changed == 0 : list[i].changed >= 2);
      CHECK (i == 0 || list[i].committed_at <= before);
      before = list[i].committed_at;
    }
  close_and_unmap (store);
  CHECK (cs_store_open_at (STORE, CS_STORE_EPHEMERAL, 12, &store, &err) == 0);
  CHECK (heap[12 * PAGE] == 1 && heap[13 * PAGE] == 14
         && heap[2001 * PAGE] == 12);
  close_and_unmap (store);
  CHECK (cs_store_open_at (STORE, CS_STORE_WRITE, 19, &store, &err)
         == -CS_E_REFUSED);
}

/* A list that has room for a part of them.  */
static void
part_of_the_history (void)
{
  struct cs_generation list[8], untouched, *all;
  struct cs_store *store;
  size_t nr;

  make_and_reopen (&store);
  cs_store_set_history (store, 100);
  for (uint64_t g = 2; g <= 70; g++)
    {
      commit_number (store, g);
      if (g % 16 == 0)
        CHECK (cs_store_apply (store, &err) == 0);
    }
  settle_ok (store);
  memset (&untouched, 0x5a, sizeof untouched);
  for (size_t max = 0; max < 8; max++)
    {
      memset (list, 0x5a, sizeof list);
      CHECK (cs_store_history (store, list, max) == 70);
      for (size_t i = 0; i < 8; i++)
        if (i < max)
          CHECK (list[i].generation == 70 - i && list[i].changed > 0);
        else
          CHECK (memcmp (&list[i], &untouched, sizeof untouched) == 0);
    }
  all = cs_store_generations (store, &nr);
  CHECK (all && nr == 70);
  for (size_t i = 0; i < nr; i++)
    CHECK (all[i].generation == 70 - i);
  free (all);
}

/* Pages of zeros among those that the history keeps.  */
static void
zeros_in_the_history (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  memset (heap + 11 * PAGE, 0, PAGE);
  memset (heap + 14 * PAGE, 0, 2 * PAGE);
  commit_number (store, 2);
  memset (heap + 10 * PAGE, 3, 10 * PAGE);
  commit_number (store, 3);
  settle_ok (store);
  check_history (2, 3);
  close_and_unmap (store);
  CHECK (cs_store_open_at (STORE, CS_STORE_EPHEMERAL, 2, &store, &err) == 0);
  for (size_t i = 9; i < 21; i++)
    CHECK (i == 11 || i == 14 || i == 15
           ? cs_page_is_zero (heap + i * PAGE) : heap[i * PAGE] != 3);
}

static int stores_fd;

static ssize_t
full_for_others (int fd, const void *buf, size_t len, off_t off)
{
  if (fd == stores_fd || off == 0)
    return pwrite (fd, buf, len, off);
  errno = ENOSPC;
  return -1;
}

/* What the history has no room for leaves nothing behind.  */
static void
no_room_for_history (void)
{
  struct cs_store *store;

  make_and_reopen (&store);
  commit_number (store, 2);
  stores_fd = store->fd;
  cs_sys.pwrite = full_for_others;
  CHECK (cs_store_apply (store, &err) == -ENOSPC);
  CHECK (access (STORE "-history", F_OK) == 0
         && access (STORE "-history/1", F_OK) < 0);
  cs_sys.pwrite = pwrite;
  settle_ok (store);
  check_history (1, 2);
}

/* What is in the place of a record is no record, and does not end a list of
   those to be removed.  */
static void
strangers_in_the_history (void)
{
  struct cs_store *store;

  make_and_reopen (&store);
  for (uint64_t g = 2; g <= 6; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  CHECK (rename (STORE "-history/3", "3") == 0);
  CHECK (mkfifo (STORE "-history/3", 0600) == 0);
  CHECK (cs_store_open_at (STORE, CS_STORE_READ, 3, &store, &err)
         == -CS_E_REFUSED);
  CHECK (strstr (err.text, "generation 3 is not kept"));
  CHECK (unlink (STORE "-history/3") == 0 && rename ("3", STORE "-history/3")
         == 0);
  check_history (1, 6);
}

static void
gap_in_the_history (void)
{
  struct cs_store *store;

  make_and_reopen (&store);
  for (uint64_t g = 2; g <= 6; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  CHECK (unlink (STORE "-history/3") == 0);
  cs_store_set_history (store, 1);
  commit_number (store, 7);
  settle_ok (store);
  check_history (6, 7);
  CHECK (access (STORE "-history/6", F_OK) == 0);
  for (char name[] = STORE "-history/1"; name[sizeof name - 2] < '6';
       name[sizeof name - 2]++)
    CHECK (access (name, F_OK) < 0);
}

/* The same for generations that are in the log still, alone and together
   with a history.  */
static void
history_in_the_log (void)
{
  struct cs_store *store, *reader;

  make_and_reopen (&store);
  for (uint64_t g = 2; g <= 5; g++)
    {
      commit_number (store, g);
    }
  settle_ok (store);
  reader = open_mode (CS_STORE_READ);
  for (uint64_t g = 6; g <= 9; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  CHECK (store->log.len > 0);
  check_history (1, 9);
  cs_store_close (reader);
  settle_ok (store);
  check_history (1, 9);
}

static void
clone_of_a_generation (void)
{
  struct cs_store *store;

  make_and_reopen (&store);
  for (uint64_t g = 2; g <= 5; g++)
    {
      commit_number (store, g);
      if (g == 2)
        settle_ok (store);      /* a history begins */
    }
  CHECK (cs_store_clone (STORE, 3, "b.store", false, &err) == 0);
  CHECK (cs_store_clone (STORE, 99, "c.store", false, &err)
         == -CS_E_REFUSED);
  settle_ok (store);
  CHECK (rename ("b.store", STORE) == 0);
  CHECK (file_says ("3"));
  check_generation (3, "3");
  CHECK (!is_kept (1));         /* another store's history */
}

/* Memory of the process's own that ends where it was asked to.  */
static void *
mmap_exactly (void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  char *p;

  if (addr || !(flags & MAP_ANONYMOUS) || !(prot & PROT_WRITE))
    return mmap (addr, len, prot, flags, fd, off);
  p = mmap (NULL, len + PAGE, PROT_NONE, flags, -1, 0);
  return p == MAP_FAILED || mprotect (p, len, prot) < 0 ? MAP_FAILED : p;
}

/* Many pages in one run are written in parts that have room.  */
static void
long_runs (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);

  cs_sys.mmap = mmap_exactly;
  for (int g = 2; g <= 4; g++)
    {
      memset (heap + PAGE, g, 1000 * PAGE);
      commit_ok (store);
      settle_ok (store);
    }
  close_and_unmap (store);
  for (int g = 2; g <= 4; g++)
    {
      CHECK (cs_store_open_at (STORE, CS_STORE_EPHEMERAL, (uint64_t) g,
                               &store, &err) == 0);
      for (size_t i = 1; i <= 1000; i++)
        CHECK (heap[i * PAGE] == g && heap[i * PAGE + PAGE - 1] == g);
      close_and_unmap (store);
    }
}

/* No more and no less of a log that is applied at once.  */
static void
history_of_a_log (void)
{
  struct cs_generation list[8];
  struct cs_store *store;

  make_and_reopen (&store);
  cs_store_set_history (store, 3);
  for (uint64_t g = 2; g <= 8; g++)
    {
      commit_number (store, g);
    }
  settle_ok (store);
  check_history (5, 8);
  CHECK (!is_kept (4) && cs_store_history (store, list, 8) == 4);
}

static void
history_length (void)
{
  struct cs_store *store;

  make_and_reopen (&store);
  cs_store_set_history (store, 2);
  for (uint64_t g = 2; g <= 6; g++)
    {
      commit_number (store, g);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  check_history (4, 6);
  CHECK (!is_kept (3));
  cs_store_set_history (store, 0);
  commit_number (store, 7);
  settle_ok (store);
  CHECK (!is_kept (6) && is_kept (7));
}

int
main (void)
{
  static const struct test_case cases[] = {
{ "a commit writes the pages that changed", only_what_changed },
    { "the same with /proc/self/pagemap", by_pagemap },
    { "each page is found there", all_pages_by_pagemap },
    { "what that does not tell is an error", pagemap_cut_off },
    { "the same without /proc", without_proc },
    { "zeros that KSM merged with the zero page are written",
      merged_with_zero_page },
    { "applied pages are the file's again", clean_again },
    { "the same with /proc/self/pagemap", clean_by_pagemap },
    { "new heap becomes the file's", grown_heap },
    { "a commit looks at no hole of the file", holes_are_not_looked_at },
    { "patches of pages that are far apart", patches_far_apart },
    { "a process that is watched", watched },
    { "the same where it cannot be", unwatched },
    { "the same when its descriptor has gone", watched_without_descriptor },
    { "what a commit that failed had looked at is not forgotten",
      watched_with_trouble },
    { "ranges that are used again begin with zeros", reused_ranges },
    { "ranges that nobody may access for a while", hidden_ranges },
    { "L1, L3: who opens next finds what was committed", recovery },
    { "R1: a record that was cut off counts for nothing", torn_records },
    { "R1, L2: a damaged record", damaged_log },
    { "the log makes way for an image that grows", growing_image },
    { "the same while others read the store", growing_image_with_readers },
    { "L4: readers see one generation while others follow",
      readers_wait_for_nobody },
    { "L4: a writer finds a log, and readers", log_with_readers },
    { "L4: a child of the writer is a reader", child_of_a_writer },
    { "the space of a long log is given back", long_log },
    { "H2: older generations can be opened", history },
    { "H2: the same while they are in the log", history_in_the_log },
    { "a list of some of them, and of many", part_of_the_history },
    { "zeros among their pages", zeros_in_the_history },
    { "no room for a history", no_room_for_history },
    { "what is no record in the place of one", strangers_in_the_history },
    { "a history with a gap is removed behind it too", gap_in_the_history },
    { "a copy of an older generation", clone_of_a_generation },
    { "the same of generations that are applied at once", history_of_a_log },
    { "long runs of pages", long_runs },
    { "the length of the history", history_length }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
