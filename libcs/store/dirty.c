/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dirty.c -- which pages of this process differ from their file.  */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "store/dirty.h"
#include "store/store-private.h"
#include "store/sys.h"

/* Categories of PAGEMAP_SCAN.  */
#define PAGE_FILE (1 << 2)
#define PAGE_PRESENT (1 << 3)
#define PAGE_SWAPPED (1 << 4)
#define PAGE_ZERO (1 << 5)      /* the zero page: read, never written to */

/* Bits of a word of pagemap.  */
#define WORD_PRESENT ((uint64_t) 1 << 63)
#define WORD_SWAPPED ((uint64_t) 1 << 62)
#define WORD_FILE ((uint64_t) 1 << 61)

#define REGIONS 128             /* a call */
#define WORDS 512               /* a read */

int
cs_dirty_open (void)
{
  int fd = cs_sys.openat (AT_FDCWD, "/proc/self/pagemap",
                          O_RDONLY | O_CLOEXEC, 0);

  return fd < 0 ? -1 : cs_file_move_high (fd);
}

static int
scan_by_ioctl (int pagemap, char *start, uint64_t len, cs_dirty_visit *visit,
               void *context)
{
  struct cs_page_region regions[REGIONS];
  struct cs_pagemap_scan arg = {
    .size = sizeof arg,
    .start = (uintptr_t) start,
    .end = (uintptr_t) start + len,
    .vec = (uintptr_t) regions,
    .vec_len = REGIONS,
    .category_inverted = PAGE_FILE | PAGE_ZERO,
    .category_mask = PAGE_FILE | PAGE_ZERO,
    .category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED,
    .return_mask = PAGE_PRESENT
  };
  int r = 0;

  while (r == 0 && arg.start < arg.end)
    {
      int nr = cs_sys.pagemap_scan (pagemap, &arg);

      if (nr < 0 && errno != EINTR)
        return -errno;
      for (int i = 0; i < nr && r == 0; i++)
        r = visit (context, (char *) (uintptr_t) regions[i].start,
                   regions[i].end - regions[i].start);
      arg.start = arg.walk_end;
    }
  return r;
}

static bool
is_written (uint64_t word)
{
  return (word & (WORD_PRESENT | WORD_SWAPPED)) && !(word & WORD_FILE);
}

/* Visit the runs among the NR pages at START that WORDS describe.  */
static int
visit_runs (const uint64_t *words, size_t nr, char *start,
            cs_dirty_visit *visit, void *context)
{
  int r = 0;

  for (size_t i = 0, run; i < nr && r == 0; i += run)
    {
      bool written = is_written (words[i]);

      for (run = 1; i + run < nr && is_written (words[i + run]) == written;
           run++)
        continue;
      if (written)
        r = visit (context, start + i * CS_STORE_PAGE_LEN,
                   run * CS_STORE_PAGE_LEN);
    }
  return r;
}

static int
scan_by_read (int pagemap, char *start, uint64_t len, cs_dirty_visit *visit,
              void *context)
{
  uint64_t words[WORDS], pages = len / CS_STORE_PAGE_LEN;
  int r = 0;

  for (uint64_t i = 0; i < pages && r == 0; i += WORDS)
    {
      size_t nr = pages - i < WORDS ? (size_t) (pages - i) : WORDS;
      char *at = start + i * CS_STORE_PAGE_LEN;
      uint64_t off = (uintptr_t) at / CS_STORE_PAGE_LEN * sizeof *words;
      ssize_t n = cs_file_read (pagemap, words, nr * sizeof *words, off);

      if (n < 0)
        return (int) n;
      if ((size_t) n < nr * sizeof *words)
        return -EIO;
      r = visit_runs (words, nr, at, visit, context);
    }
  return r;
}

int
cs_dirty_scan (int pagemap, char *start, uint64_t len, cs_dirty_visit *visit,
               void *context)
{
  int r;

  if (len == 0)
    return 0;
  if (pagemap < 0)
    return visit (context, start, len);
  r = scan_by_ioctl (pagemap, start, len, visit, context);
  if (r == -ENOTTY || r == -EINVAL || r == -ENOSYS)
    r = scan_by_read (pagemap, start, len, visit, context);
  return r;
}
