/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault-loop.h -- an operation of which one call after the other fails.

   fault_loop() lets the first call fail, then the second, and so on until none
   is left: system calls of the store layer, once and for good, then
   allocations, by malloc(3) and by mmap(2).  After each it demands an error
   that is allowed, no descriptor, mapping or memory left behind, and what the
   operation itself checks.  */
#ifndef FAULT_LOOP_H
#define FAULT_LOOP_H

#include <malloc.h>

#include "store-faults.h"

/* Memory that nobody can reach, in a build with AddressSanitizer.  That has an
   allocator of its own, which maps memory when it likes, and cannot be made to
   fail here.  */
#ifdef __SANITIZE_ADDRESS__
extern int __lsan_do_recoverable_leak_check (void);
#define HAS_SANITIZER 1
static long
blocks (void)
{
  return 0;
}
#else
#define HAS_SANITIZER 0

static long nr_blocks;
static int blocks_until_failure;        /* 0: none fails */

extern void *__libc_malloc (size_t);
extern void *__libc_calloc (size_t, size_t);
extern void *__libc_realloc (void *, size_t);
extern void __libc_free (void *);

static long
blocks (void)
{
  return nr_blocks;
}

static bool
block_fails (void)
{
  if (blocks_until_failure == 0 || --blocks_until_failure > 0)
    return false;
  blocks_until_failure = for_good;
  fired++;
  errno = ENOMEM;
  return true;
}

void *
malloc (size_t len)
{
  void *p = block_fails () ? NULL : __libc_malloc (len);

  nr_blocks += p != NULL;
  return p;
}

void *
calloc (size_t nr, size_t len)
{
  void *p = block_fails () ? NULL : __libc_calloc (nr, len);

  nr_blocks += p != NULL;
  return p;
}

void *
realloc (void *old, size_t len)
{
  void *p = block_fails () ? NULL : __libc_realloc (old, len);

  nr_blocks += p != NULL && !old;
  return p;
}

void
free (void *p)
{
  nr_blocks -= p != NULL;
  __libc_free (p);
}
#endif

static size_t
mappings (void)
{
  char buf[4096];
  size_t nr = 0;
  int fd = open ("/proc/self/maps", O_RDONLY);
  ssize_t n;

  CHECK (fd >= 0);
  while ((n = read (fd, buf, sizeof buf)) > 0)
    for (ssize_t i = 0; i < n; i++)
      nr += buf[i] == '\n';
  close (fd);
  return nr;
}

static void *
f_mmap (void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  if (!fails ())
    return real.mmap (addr, len, prot, flags, fd, off);
  errno = ENOMEM;
  return MAP_FAILED;
}

enum fault
{
  FAULT_ONCE,                   /* a system call */
  FAULT_FOR_GOOD,
  FAULT_MALLOC,
  FAULT_MALLOC_FOR_GOOD,
  FAULT_MMAP,
  FAULT_MMAP_FOR_GOOD,
  FAULTS
};

/* What a loop does.  The result of RUN is 0, -EIO or -ENOMEM by what has
   failed, or another error that is allowed.  */
struct operation
{
  void (*prepare) (void);
  int (*run) (void);
  void (*check) (int r);
  int other_error;
};

static void
begin_faults (enum fault fault, int nth)
{
  let_fail (fault < FAULT_MALLOC ? nth : 0, fault % 2);
  if (fault < FAULT_MALLOC)
    return;
  cs_sys = real;
  if (fault >= FAULT_MMAP)
    {
      countdown = nth;
      cs_sys.mmap = f_mmap;
      return;
    }
#if !HAS_SANITIZER
  blocks_until_failure = nth;
#endif
}

static void
end_faults (void)
{
  cs_sys = real;
#if !HAS_SANITIZER
  blocks_until_failure = 0;
#endif
}

/* Let call NTH fail.  False when no call was left to fail.  */
static bool
run_with_fault (const struct operation *op, enum fault fault, int nth)
{
  int error = fault < FAULT_MALLOC ? EIO : ENOMEM, r;
  size_t descriptors_before, mappings_before;
  long blocks_before;

  op->prepare ();
  descriptors_before = descriptors ();
  mappings_before = mappings ();
  blocks_before = blocks ();
  begin_faults (fault, nth);
  err = (struct cs_err) CS_ERR_INIT;
  r = op->run ();
  end_faults ();
  if (r != 0 && r != -error && r != -op->other_error)
    fprintf (stderr, "fault %d, call %d: %d, %s\n", fault, nth, r, err.text);
  CHECK (r == 0
         || ((r == -error || r == -op->other_error) && err.text[0]));
  CHECK (descriptors () == descriptors_before);
  CHECK (blocks () == blocks_before);
  if (mappings () != mappings_before)
    fprintf (stderr, "fault %d, call %d: %zu mappings, %zu before\n", fault,
             nth, mappings (), mappings_before);
  CHECK (mappings () == mappings_before || HAS_SANITIZER);
  op->check (r);
  return fired > 0;
}

/* How many calls there were that could fail is at least LEAST.  */
static void
fault_loop (const struct operation *op, int least)
{
  /* What libc sets up once.  It keeps to its heap.  */
  mallopt (M_MMAP_THRESHOLD, 1 << 29);
  mallopt (M_TRIM_THRESHOLD, 1 << 29);
  op->prepare ();
  CHECK (op->run () == 0);
  op->check (0);
  for (enum fault fault = 0; fault < FAULTS; fault++)
    {
      int nth = 1;

      while (run_with_fault (op, fault, nth))
        nth++;
      if (fault < FAULT_MALLOC && nth <= least)
        fprintf (stderr, "only %d calls\n", nth - 1);
      CHECK (fault >= FAULT_MALLOC || nth > least);
    }
#if HAS_SANITIZER
  CHECK (__lsan_do_recoverable_leak_check () == 0);
#endif
}

#endif
