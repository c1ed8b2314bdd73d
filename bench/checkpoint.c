/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* checkpoint.c -- what commits cost, below Guile.

   usage: checkpoint stop|sync|idle|look|commit|image|alone|beside|second|fork|
                     large|check MIB PERMILLE ROUNDS

   Makes a store with MIB of heap in the working folder, and then, ROUNDS
   times in turn, measures A and B, with PERMILLE of the heap's pages changed,
   scattered, before each:

     stop    A: cs_store_commit_begin(), the time the world is stopped
             B: pwrite(2) of as many bytes in one piece, and fdatasync(2)
     sync    A: cs_store_commit(), until the commit is made
             B: the same
     idle    A: cs_store_commit() with nothing changed
             B: a millisecond
     look    A: the same
             B: one ioctl(2), PAGEMAP_SCAN, in which the kernel looks for pages
                of the heap that were written to, and finds none
     commit  A: cs_store_commit()
             B: pwrite(2) of the whole heap, and fdatasync(2)
     image   A: cs_store_commit() and cs_store_apply()
             B: the same
     alone   A: the longest of 50 cs_store_commit_begin()s of one changed word,
                20 ms apart
             B: 5 ms
     beside  A: the longest of these while another thread applies the commit of
                all changes
             B: 5 ms
     second  A: cs_store_commit_begin() of one changed word, the first one after a
                process has committed all changes, its first commit
             B: 5 ms
     fork    A: the longest of the times from cs_store_hold() to the end of
                cs_store_release(), 1 ms apart, while the other thread applies
             B: 1 ms
     large   A: cs_store_commit() of a small store to which MIB of heap were
                added, and cs_store_settle()
             B: pwrite(2) of the heap to a new file, and fdatasync(2)
     check   A: cs_store_verify()
             B: crc32() of zlib over the same bytes, read by mmap(2)

   Prints, on one line, nine numbers: median, least and greatest of A/B, of A
   and of B (seconds).  */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "machine.h"

#include "store/dirty.h"
#include "store/store.h"
#include "store/sys.h"

#define PAGE ((size_t) CS_STORE_PAGE_LEN)
#define RW (PROT_READ | PROT_WRITE)
#define NAME "bench.store"
/* Of <linux/fs.h>, Linux 6.7.  */
#define PAGE_WRITTEN (1 << 1)
#define PAGE_PRESENT (1 << 3)

static struct cs_store *store;
static struct cs_err err;
static char *heap;
static size_t heap_len, changed;
static bool is_new;
static uint64_t seed = 42;

static void
die (const char *what)
{
  fprintf (stderr, "checkpoint: %s: %s\n", what,
           err.code ? err.text : strerror (errno));
  exit (1);
}

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static uint64_t
next_random (void)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return seed >> 24;
}

/* Contents that neither repeat nor compress.  */
static void
fill (char *page)
{
  uint64_t *words = (uint64_t *) (void *) page;

  for (size_t i = 0; i < PAGE / 8; i++)
    words[i] = next_random ();
}

static void
add_heap (size_t len)
{
  heap = cs_store_map (store, len, RW, CS_EXTENT_HEAP);
  if (!heap)
    die ("map");
  for (size_t off = 0; off < len; off += PAGE)
    fill (heap + off);
}

static void
close_store (void)
{
  cs_store_close (store);
  munmap ((void *) 0x200000000000, (size_t) 1 << 36);
}

static void
make_store (size_t len)
{
  struct cs_store_params params = {
    .machine = CS_MACHINE_ELF, .word_len = sizeof (void *),
    .base = 0x200000000000, .reserved = (uint64_t) 1 << 36
  };

  if (cs_store_create (NAME, &params, true, &store, &err) < 0)
    die ("create");
  add_heap (len);
  if (cs_store_commit (store, &err) < 0)
    die ("commit");
  close_store ();
  if (cs_store_open (NAME, CS_STORE_WRITE, &store, &err) < 0)
    die ("open");
}

static void
change_pages (void)
{
  for (size_t i = 0; i < changed; i++)
    fill (heap + next_random () % (heap_len / PAGE) * PAGE);
}

static double
timed_commit (void)
{
  double start = now ();

  if (cs_store_commit (store, &err) < 0)
    die ("commit");
  return now () - start;
}

/* The part of a commit for which the world is stopped.  */
static double
timed_stop (void)
{
  double start = now (), took;

  if (cs_store_commit_begin (store, &err) < 0)
    die ("commit");
  took = now () - start;
  if (cs_store_commit_end (store, &err) < 0)
    die ("commit");
  return took;
}

static double
timed_apply (void)
{
  double start = now ();

  if (cs_store_apply (store, &err) < 0)
    die ("apply");
  return now () - start;
}

static double
timed_settle (void)
{
  double start = now ();

  if (cs_store_settle (store, &err) < 0)
    die ("settle");
  return now () - start;
}

/* Write LEN bytes from the heap and sync them, to a file that has its
   blocks, as the log has, or IS_NEW.  */
static double
timed_write (size_t len)
{
  static int fd = -1;
  double start;
  size_t done = 0;

  if (fd < 0)
    fd = open ("plain", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0)
    die ("plain");
  if (is_new && ftruncate (fd, 0) < 0)
    die ("truncate");
  start = now ();
  while (done < len)
    {
      ssize_t n = pwrite (fd, heap + done, len - done, (off_t) done);

      if (n < 0)
        die ("pwrite");
      done += (size_t) n;
    }
  if (fdatasync (fd) < 0)
    die ("fdatasync");
  return now () - start;
}

/* The pages that the last commit wrote: some are drawn twice.  */
static size_t
written (void)
{
  struct cs_generation list[1];

  return cs_store_history (store, list, 1) >= 1
         ? (size_t) list[0].changed * PAGE : 0;
}

static void
stop (double *a, double *b)
{
  change_pages ();
  *a = timed_stop ();
  *b = timed_write (written ());
  timed_apply ();
}

static void
sync_too (double *a, double *b)
{
  change_pages ();
  *a = timed_commit ();
  *b = timed_write (written ());
  timed_apply ();
}

static void
idle (double *a, double *b)
{
  change_pages ();
  timed_commit ();
  timed_apply ();
  timed_commit ();              /* gives the pages back */
  *a = timed_commit ();
  *b = 1e-3;
}

/* A heap of which every page is mapped, and none was written to since the
   last commit.  */
static double
timed_look (void)
{
  static int fd = -1;
  struct cs_page_region found;
  struct cs_pagemap_scan arg = {
    .size = sizeof arg, .start = (uintptr_t) heap,
    .end = (uintptr_t) heap + heap_len, .vec = (uintptr_t) &found,
    .vec_len = 1, .category_mask = PAGE_WRITTEN | PAGE_PRESENT,
    .return_mask = PAGE_WRITTEN
  };
  double start;

  if (fd < 0 && (fd = open ("/proc/self/pagemap", O_RDONLY)) < 0)
    die ("/proc/self/pagemap");
  start = now ();
  if (cs_sys.pagemap_scan (fd, &arg) != 0)
    die ("PAGEMAP_SCAN");
  return now () - start;
}

static void
look (double *a, double *b)
{
  change_pages ();
  timed_commit ();
  timed_apply ();
  timed_commit ();
  *a = timed_commit ();
  *b = timed_look ();
}

static void
commit (double *a, double *b)
{
  change_pages ();
  *a = timed_commit ();
  timed_apply ();
  *b = timed_write (heap_len);
}

static void
image (double *a, double *b)
{
  change_pages ();
  *a = timed_commit ();
  *a += timed_apply ();
  *b = timed_write (heap_len);
}

/* A thread like the one of workspace/background-apply.c.  */
static atomic_bool applying;

static void *
apply_beside (void *unused)
{
  struct cs_err failure = CS_ERR_INIT;

  if (cs_store_apply_beside (store, &failure) < 0)
    fprintf (stderr, "checkpoint: %s\n", failure.text);
  atomic_store (&applying, false);
  return unused;
}

static double
timed_word (void)
{
  heap[0]++;
  return timed_stop ();
}

static double
timed_hold (void)
{
  double start = now ();

  cs_store_hold (store);
  cs_store_release (store);
  return now () - start;
}

/* The longest STEP, each US microseconds, while all changes are applied.  */
static double
longest (double (*step) (void), long us)
{
  double longest = 0, took;
  pthread_t thread;

  change_pages ();
  timed_commit ();
  atomic_store (&applying, true);
  if (pthread_create (&thread, NULL, apply_beside, NULL) != 0)
    die ("pthread_create");
  do
    {
      nanosleep (&(struct timespec) { 0, us * 1000 }, NULL);
      took = step ();
      longest = took > longest ? took : longest;
    }
  while (atomic_load (&applying));
  pthread_join (thread, NULL);
  timed_apply ();
  return longest;
}

static void
alone (double *a, double *b)
{
  double took;

  *a = 0;
  for (int i = 0; i < 50; i++)
    {
      nanosleep (&(struct timespec) { 0, 20000000 }, NULL);
      took = timed_word ();
      *a = took > *a ? took : *a;
    }
  *b = 5e-3;
}

/* Another process's first commit is one whose store was just opened.  */
static void
second (double *a, double *b)
{
  timed_settle ();
  close_store ();
  if (cs_store_open (NAME, CS_STORE_WRITE, &store, &err) < 0)
    die ("open");
  change_pages ();
  timed_stop ();
  *a = timed_word ();
  *b = 5e-3;
}

static void
beside (double *a, double *b)
{
  *a = longest (timed_word, 20000);
  *b = 5e-3;
}

static void
fork_beside (double *a, double *b)
{
  *a = longest (timed_hold, 1000);
  *b = 1e-3;
}

/* Each time another store.  */
static void
large (double *a, double *b)
{
  close_store ();
  make_store (PAGE);
  add_heap (heap_len);
  *a = timed_commit ();
  *a += timed_settle ();
  is_new = true;
  *b = timed_write (heap_len);
}

static void
count (void *closure, const struct cs_damage *damage)
{
  (void) closure;
  (void) damage;
  die ("damaged");
}

static void
check (double *a, double *b)
{
  struct cs_store *view;
  double start = now ();
  uLong crc = 0;
  int fd;
  char *p;

  if (cs_store_open (NAME, CS_STORE_READ, &view, &err) < 0
      || cs_store_verify (view, count, NULL, &err) < 0)
    die ("verify");
  cs_store_close (view);
  *a = now () - start;
  fd = open (NAME, O_RDONLY);
  start = now ();
  p = mmap (NULL, heap_len, PROT_READ, MAP_PRIVATE, fd,
            (off_t) (cs_store_image_off (cs_store_superblock (store))
                     + (uint64_t) (heap - (char *) 0x200000000000)));
  if (p == MAP_FAILED)
    die ("mmap");
  for (size_t off = 0; off < heap_len; off += 1 << 20)
    crc = crc32 (crc, (const Bytef *) p + off, 1 << 20);
  *b = now () - start;
  munmap (p, heap_len);
  close (fd);
  if (crc == 0)
    die ("crc");
}

static int
compare (const void *x, const void *y)
{
  const double *a = x, *b = y;

  return (*a > *b) - (*a < *b);
}

static void
print (double *list, int nr)
{
  qsort (list, (size_t) nr, sizeof *list, compare);
  printf ("%g %g %g ", nr % 2 ? list[nr / 2]
                       : (list[nr / 2] + list[nr / 2 - 1]) / 2,
          list[0], list[nr - 1]);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*measure) (double *a, double *b);
  } all[] = {
    { "stop", stop }, { "sync", sync_too }, { "idle", idle }, { "look", look },
    { "alone", alone }, { "second", second },
    { "commit", commit }, { "image", image }, { "beside", beside },
    { "fork", fork_beside }, { "large", large }, { "check", check }
  };
  enum { MAX = 1000 };
  static double q[MAX], a[MAX], b[MAX];
  int rounds = argc == 5 ? atoi (argv[4]) : 0;

  if (rounds < 1 || rounds > MAX)
    return 2;
  heap_len = (size_t) atol (argv[2]) << 20;
  changed = heap_len / PAGE * (size_t) atol (argv[3]) / 1000;
  make_store (strcmp (argv[1], "large") == 0 ? PAGE : heap_len);
  for (size_t k = 0; k < sizeof all / sizeof *all; k++)
    if (strcmp (argv[1], all[k].name) == 0)
      for (int i = -1; i < rounds; i++)         /* one to warm up */
        {
          double x, y;

          all[k].measure (&x, &y);
          if (i >= 0)
            {
              a[i] = x;
              b[i] = y;
              q[i] = x / y;
            }
        }
  print (q, rounds);
  print (a, rounds);
  print (b, rounds);
  putchar ('\n');
  cs_store_settle (store, &err);
  return 0;
}
