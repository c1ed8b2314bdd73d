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
#define PAGE_WRITTEN (1 << 1)   /* since the note was taken away */
#define PAGE_FILE (1 << 2)
#define PAGE_PRESENT (1 << 3)
#define PAGE_SWAPPED (1 << 4)
#define PAGE_ZERO (1 << 5)      /* the zero page */

/* Flags of it: take away the note of what is reported; fail where nothing is
   watched, instead of skipping it.  */
#define TAKE_NOTES 1
#define WATCHED_ONLY 2

/* Bits of a word of pagemap.  */
#define WORD_PRESENT ((uint64_t) 1 << 63)
#define WORD_SWAPPED ((uint64_t) 1 << 62)
#define WORD_FILE ((uint64_t) 1 << 61)

#define REGIONS 128             /* a call */
#define WORDS 512               /* a read */

void
cs_dirty_open (struct cs_dirty *dirty)
{
  int fd = cs_sys.openat (AT_FDCWD, "/proc/self/pagemap",
                          O_RDONLY | O_CLOEXEC, 0);

  dirty->pagemap = fd < 0 ? -1 : cs_file_move_high (fd);
}

struct search
{
  struct cs_dirty *dirty;
  bool all;
  cs_dirty_visit *visit;
  void *context;
};

/* The categories of anonymous pages.  In a mapping that is not of a file the
   kernel need not look at the page itself; the zero page is there for one that
   was only read, and what is not visited counts as zeros.  A mapping of a file
   has the zero page only where KSM has merged with it a page of zeros that was
   written (Documentation/admin-guide/mm/ksm.rst, use_zero_pages).  */
static void
ask_for_anonymous (struct cs_pagemap_scan *arg, const struct search *s)
{
  arg->category_inverted = arg->category_mask
    = s->all ? PAGE_ZERO : PAGE_FILE;
  arg->category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED;
  arg->return_mask = PAGE_PRESENT;
}

/* Visit them in [START, END).  With NOTES, those of watched pages are taken
   away; once they cannot be, all from there on counts as written to.
   The kernel writes as many regions as the call returns (PAGEMAP_SCAN of
   Linux 6.7).  Valgrind 3.19 does not know that call: it takes the regions, and
   what compare() in changes.c does with them, for uninitialised.  */
static int
scan_anonymous (const struct search *s, uint64_t start, uint64_t end,
                bool notes)
{
  struct cs_page_region regions[REGIONS];
  struct cs_pagemap_scan arg = {
    .size = sizeof arg, .end = end, .vec = (uintptr_t) regions,
    .vec_len = REGIONS
  };
  int r = 0;

  ask_for_anonymous (&arg, s);
  if (notes)
    {
      arg.flags = TAKE_NOTES | WATCHED_ONLY;
      arg.return_mask |= PAGE_WRITTEN;
    }
  for (arg.start = start; r == 0 && arg.start < end; arg.start = arg.walk_end)
    {
      uint64_t from = arg.start;
      int nr = cs_sys.pagemap_scan (s->dirty->pagemap, &arg);

      if (nr < 0 && notes)
        {
          s->dirty->watched = false;
          return scan_anonymous (s, from, end, false);
        }
      if (nr < 0)
        return -errno;
      for (int i = 0; i < nr && r == 0; i++)
        r = s->visit (s->context, (char *) (uintptr_t) regions[i].start,
                      regions[i].end - regions[i].start,
                      !notes || !s->dirty->since
                      || (regions[i].categories & PAGE_WRITTEN));
    }
  return r;
}

/* A single page, which may still be one of the file, is looked at as quickly
   as the kernel is asked.  The kernel maps pages of files several at a
   time.  */
static int
visit_noted (const struct search *s, const struct cs_page_region *region)
{
  if (region->end - region->start > CS_STORE_PAGE_LEN)
    return scan_anonymous (s, region->start, region->end, false);
  return s->visit (s->context, (char *) (uintptr_t) region->start,
                   CS_STORE_PAGE_LEN, true);
}

/* Visit the anonymous ones among the pages of [START, END) that were mapped or
   written to since the last search: only these are looked at.  */
static int
scan_noted (const struct search *s, uint64_t start, uint64_t end)
{
  struct cs_page_region regions[REGIONS];
  struct cs_pagemap_scan arg = {
    .size = sizeof arg, .end = end, .vec = (uintptr_t) regions,
    .vec_len = REGIONS,
    .flags = TAKE_NOTES | WATCHED_ONLY,
    .category_mask = PAGE_WRITTEN,
    .category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED,
    .return_mask = PAGE_WRITTEN
  };
  int r = 0;

  for (arg.start = start; r == 0 && arg.start < end; arg.start = arg.walk_end)
    {
      uint64_t from = arg.start;
      int nr = cs_sys.pagemap_scan (s->dirty->pagemap, &arg);

      if (nr < 0)
        {
          s->dirty->watched = false;
          return scan_anonymous (s, from, end, false);
        }
      for (int i = 0; i < nr && r == 0; i++)
        {
          if (i + 1 < nr)
            cs_page_prefetch ((char *) (uintptr_t) regions[i + 1].start);
          r = visit_noted (s, &regions[i]);
        }
    }
  return r;
}

static int
scan_by_ioctl (const struct search *s, char *start, uint64_t len)
{
  uint64_t from = (uintptr_t) start;

  if (s->dirty->watched && s->dirty->since && !s->all)
    return scan_noted (s, from, from + len);
  return scan_anonymous (s, from, from + len, s->dirty->watched);
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
                   run * CS_STORE_PAGE_LEN, true);
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

/* The kernel has no such request, or a sandbox denies it.  */
static bool
is_missing (int code)
{
  return code == -ENOTTY || code == -EINVAL || code == -ENOSYS
         || code == -EPERM || code == -EACCES;
}

int
cs_dirty_scan (struct cs_dirty *dirty, char *start, uint64_t len, bool all,
               cs_dirty_visit *visit, void *context)
{
  struct search s = { dirty, all, visit, context };
  int r;

  if (len == 0)
    return 0;
  if (dirty->pagemap < 0)
    return visit (context, start, len, true);
  r = scan_by_ioctl (&s, start, len);
  if (is_missing (r))
    r = scan_by_read (dirty->pagemap, start, len, visit, context);
  return r;
}
