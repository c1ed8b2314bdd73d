/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-zone.c -- the collector's memory has a place of its own.  */

#include "process-fixture.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define LARGE ((uint64_t) 512 << 20)

static char *
map_for (void *(*mmap_of) (void *, size_t, int, int, int, off_t), size_t len)
{
  char *addr = mmap_of (NULL, len, RW, ANON, -1, 0);

  CHECK (addr != MAP_FAILED && is_in_store (addr));
  CHECK ((uintptr_t) addr % PAGE == 0);
  CHECK (addr[0] == 0 && addr[len - 1] == 0);
  addr[0] = addr[len - 1] = 'x';
  return addr;
}

static char *
map_heap (size_t len)
{
  return map_for (cs_zone_mmap, len);
}

static char *
map_other (size_t len)
{
  return map_for (cs_mapping_mmap, len);
}

static void
above (void)
{
  char *first, *other, *second;

  other_reserved = LARGE;
  begin ();
  CHECK (cs_process.image->zone_len > 0);
  first = map_heap (10 * PAGE);
  other = map_other (10 * PAGE);
  second = map_heap (PAGE + 1);
  CHECK (second == first + 10 * PAGE);
  CHECK (map_heap (PAGE) == second + 2 * PAGE);
  CHECK (other < first);
  /* Before the zone there is room for more than a boot maps.  */
  CHECK (map_other ((size_t) 40 << 20) < first);
}

static void
leave_heap (void)
{
  other_reserved = LARGE;
  begin ();
  words->word[0] = (uintptr_t) map_heap (3 * PAGE);
  words->word[1] = cs_process.image->zone_len;
  save_and_leave ();
}

static void
find_heap (void)
{
  char *kept;

  resume ();
  kept = (char *) (uintptr_t) words->word[0];
  CHECK (kept[0] == 'x' && kept[3 * PAGE - 1] == 'x');
  CHECK (cs_process.image->zone_len == words->word[1]);
  CHECK (map_heap (PAGE) == kept + 3 * PAGE);
  CHECK (cs_process.image->zone_len == words->word[1] - PAGE);
}

static void
next_process (void)
{
  CHECK (in_child (leave_heap) == 0);
  CHECK (in_child (find_heap) == 0);
}

static void
full (void)
{
  struct cs_process_disk *image;
  char *next, *addr;
  uint64_t len;

  other_reserved = LARGE;
  begin ();
  image = cs_process.image;
  next = (char *) (uintptr_t) image->zone_addr;
  len = image->zone_len;
  /* What does not fit in goes elsewhere, and what does still fits in.  */
  addr = map_heap (len + 1);
  CHECK (addr + len < next || addr >= next + len);
  CHECK (map_heap (len) == next && image->zone_len == 0);
  addr = map_heap (PAGE);
  CHECK (addr < next || addr >= next + len);
  CHECK (next[0] == 'x' && next[len - 1] == 'x');
  CHECK (cs_zone_mmap (NULL, 0, RW, ANON, -1, 0) == MAP_FAILED);
  CHECK (cs_zone_mmap (NULL, SIZE_MAX, RW, ANON, -1, 0) == MAP_FAILED);
}

static void
small_region (void)
{
  other_reserved = 128 << 20;   /* it would fit in */
  begin ();
  CHECK (cs_process.image->zone_len == 0);
  map_heap (PAGE);
}

/* Only what asks for new memory is for the zone.  */
static void
other_calls (void)
{
  struct cs_process_disk *image;
  char *heap, *outside;
  uint64_t len;

  other_reserved = LARGE;
  begin ();
  image = cs_process.image;
  heap = map_heap (2 * PAGE);
  len = image->zone_len;
  CHECK (cs_zone_mmap (heap, PAGE, RW, ANON | MAP_FIXED, -1, 0) == heap);
  CHECK (heap[0] == 0 && heap[2 * PAGE - 1] == 'x');
  outside = cs_zone_mmap (NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK (outside != MAP_FAILED && !is_in_store (outside));
  CHECK (image->zone_len == len);
}

static const struct test_case cases[] = {
  { "the collector's memory lies above all other, in one piece", above },
  { "the next process goes on where the last one ended", next_process },
  { "a full zone is no limit", full },
  { "a small region has no zone", small_region },
  { "MAP_FIXED and MAP_SHARED are not for the zone", other_calls },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
