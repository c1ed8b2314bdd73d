/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-checks.c -- checks of the store that only rare events put to the test:
   damage between two looks, two pages with one checksum, memory that was
   swapped out.  */

#include <sys/ioctl.h>
#include <time.h>
#include <zlib.h>

#include "store-fixture.h"

#include "store/dirty.h"
#include "store/record.h"

#define PAGES 64                /* of the heap */
#define PRESENT ((uint64_t) 1 << 63)
#define SWAPPED ((uint64_t) 1 << 62)
#define SCAN_SWAPPED (1 << 4)   /* PAGE_IS_SWAPPED of <linux/fs.h> */

static struct cs_err err;

/* A store in generation 1, with a heap whose pages begin with their numbers,
   from 1; opened again for writing.  */
static char *
make_heap (struct cs_store **store)
{
  char *heap;

  *store = create (false);
  heap = cs_store_map (*store, PAGES * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  for (size_t i = 0; i < PAGES; i++)
    *(uint64_t *) (heap + i * PAGE) = i + 1;
  commit_ok (*store);
  close_and_unmap (*store);
  *store = open_mode (CS_STORE_WRITE);
  return heap;
}

static uint64_t
newest_generation (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  uint64_t generation = cs_store_superblock (store)->generation;

  cs_store_close (store);
  return generation;
}

/* The heap's page I in the file of the store that is open.  */
static uint64_t
in_image (const struct cs_store *store, const char *heap, size_t i)
{
  uint64_t value;

  peek (cs_store_image_off (&store->superblock)
        + (uint64_t) (heap - store->image) + i * PAGE, &value, sizeof value);
  return value;
}

/* Records of the log.  */

static uint64_t record_off;     /* of the one that is changed */
static struct cs_record_disk head;
static struct cs_entry_disk list[PAGE / sizeof (struct cs_entry_disk)];

/* Make a store whose log leads to generation LAST, each commit with two pages;
   read the record that leads to GENERATION.  */
static void
make_log (uint64_t last, uint64_t generation)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  for (uint64_t g = 2; g <= last; g++)
    {
      if (g == generation)
        record_off = cs_log_off (store) + store->log.len;
      heap[2 * PAGE + 8] = heap[3 * PAGE + 8] = (char) g;
      commit_ok (store);
    }
  close_and_unmap (store);
  peek (record_off, &head, sizeof head);
  CHECK (head.superblock.generation == generation && head.nr == 2
         && head.nr_data == 2);
  peek (record_off + cs_record_index (&head), list, sizeof list);
}

/* Put the record back, with checksums that are right.  */
static void
put_record (void)
{
  cs_superblock_seal (&head.superblock);
  head.index_crc = (uint32_t) crc32_z (0, (const Bytef *) list,
                                       (size_t) head.nr * sizeof *list);
  head.crc = (uint32_t) crc32 (0, (const Bytef *) &head,
                               offsetof (struct cs_record_disk, crc));
  patch (record_off, &head, sizeof head);
  patch (record_off + cs_record_index (&head), list, sizeof list);
}

static void
damaged_before_apply (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  uint64_t off = cs_log_off (store) + CS_RECORD_DATA;

  *(uint64_t *) (heap + 5 * PAGE) = 500;
  commit_ok (store);
  CHECK (store->log.len > 0);
  patch (off + 9, "x", 1);
  CHECK (cs_store_apply (store, &err) == -CS_E_DAMAGED);
  CHECK (in_image (store, heap, 5) == 6);
}

static void
index_out_of_order (void)
{
  char pages[2][PAGE];
  struct cs_entry_disk first;

  make_log (2, 2);
  first = list[0];
  list[0] = list[1];
  list[1] = first;
  peek (record_off + CS_RECORD_DATA, pages, sizeof pages);
  patch (record_off + CS_RECORD_DATA, pages[1], PAGE);
  patch (record_off + CS_RECORD_DATA + PAGE, pages[0], PAGE);
  put_record ();
  CHECK (newest_generation () == 1);
}

static void
index_names_a_page_twice (void)
{
  make_log (2, 2);
  list[1].page = list[0].page;
  put_record ();
  CHECK (newest_generation () == 1);
}

static void
index_leads_out (void)
{
  make_log (2, 2);
  list[1].page = (uint32_t) (head.superblock.reserved / PAGE);
  put_record ();
  CHECK (newest_generation () == 1);
}

static void
index_has_other_data (void)
{
  make_log (2, 2);
  head.nr_data = 1;
  put_record ();
  CHECK (newest_generation () == 1);
}

/* All that is read of it is right, but there is a page too many: the last entry
   is of zeros.  */
static void
index_has_less_data (void)
{
  make_log (2, 2);
  head.nr = head.nr_data = 3;
  list[2].page = list[1].page + 1;
  list[2].sum = 0;
  put_record ();
  CHECK (newest_generation () == 1);
}

static void
record_of_another_store (void)
{
  make_log (2, 2);
  head.superblock.uuid[0] ^= 1;
  put_record ();
  CHECK (newest_generation () == 1);
}

/* A record of the history that leads back from another generation.  */
static void
history_from_elsewhere (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  int fd;

  heap[8] = 2;
  commit_ok (store);
  settle_ok (store);
  close_and_unmap (store);
  fd = open (STORE "-history/1", O_RDWR);
  for (uint64_t from = 1; from <= 3; from++)
    {
      CHECK (pread (fd, &head, sizeof head, 0) == sizeof head);
      head.from = from;
      head.crc = (uint32_t) crc32 (0, (const Bytef *) &head,
                                   offsetof (struct cs_record_disk, crc));
      CHECK (pwrite (fd, &head, sizeof head, 0) == sizeof head);
      CHECK (cs_store_open_at (STORE, CS_STORE_READ, 1, &store, &err)
             == (from == 2 ? 0 : -CS_E_REFUSED));
      if (from == 2)
        cs_store_close (store);
    }
}

static void
generation_left_out (void)
{
  make_log (3, 3);
  head.superblock.generation = 4;
  put_record ();
  CHECK (newest_generation () == 2);
}

static void
log_begins_too_late (void)
{
  make_log (2, 2);
  head.superblock.generation = 4;
  put_record ();
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
}

/* The record that the image's generation came from, in part, as applying it was
   cut off behind the superblock.  */
static void
image_without_its_record (void)
{
  make_log (2, 2);
  patch (0, &head.superblock, sizeof head.superblock);
  patch (CS_STORE_SLOT_LEN, &head.superblock, sizeof head.superblock);
  CHECK (newest_generation () == 2);
  patch (record_off + CS_RECORD_DATA + 9, "x", 1);
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
}

/* L3.  What was left of a log that was applied long ago.  */
static void
log_of_before (void)
{
  struct cs_superblock_disk sb;
  struct cs_store *store;
  char value;

  make_log (2, 2);
  sb = head.superblock;
  sb.generation = 3;
  cs_superblock_seal (&sb);
  patch (0, &sb, sizeof sb);
  patch (CS_STORE_SLOT_LEN, &sb, sizeof sb);
  CHECK (newest_generation () == 3);
  store = open_mode (CS_STORE_EPHEMERAL);
  value = store->image[list[0].page * PAGE + 8];
  CHECK (list[0].sum && value == 0);
}

static void
put_mark (uint64_t generation, uint64_t applying, uint32_t flip)
{
  struct cs_mark_disk mark = {
    .generation = generation, .applying = applying
  };

  mark.crc = (uint32_t) crc32 (0, (const Bytef *) &mark,
                               offsetof (struct cs_mark_disk, crc)) ^ flip;
  patch (CS_STORE_MARK_OFF, &mark, sizeof mark);
}

/* A4, L9.  A mark that is not as it was written, or of another generation's
   image, says nothing.  */
static void
marks (void)
{
  make_log (2, 2);
  put_mark (1, 99, 0);
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
  put_mark (1, 99, 1);
  CHECK (newest_generation () == 2);
  for (uint64_t generation = 0; generation < 4; generation++)
    if (generation != 1)
      {
        put_mark (generation, 99, 0);
        CHECK (newest_generation () == 2);
      }
  put_mark (1, 2, 0);
  CHECK (newest_generation () == 2);
}

static void
padding_is_zero (void)
{
  static char page[PAGE], zeros[PAGE];
  struct cs_store *store;
  char *heap = make_heap (&store);

  for (size_t i = 0; i < PAGES; i++)
    heap[i * PAGE + 8] = 1;
  commit_ok (store);
  record_off = cs_log_off (store) + store->log.len;
  heap[8] = 2;
  commit_ok (store);
  peek (record_off, &head, sizeof head);
  CHECK (head.superblock.generation == 3 && head.nr < PAGES);
  peek (record_off + cs_record_index (&head), page, PAGE);
  CHECK (memcmp (page + head.nr * sizeof *list, zeros,
                 PAGE - head.nr * sizeof *list) == 0);
}

/* The image of a record's superblock is longer than the file.  */
static void
image_longer_than_file (void)
{
  other_reserved = 1 << 30;
  make_log (2, 2);
  head.superblock.committed = head.superblock.reserved / 2;
  head.superblock.log_start
    = (uint32_t) (head.superblock.committed >> 20) + 64;
  put_record ();
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
}

/* Checksums.  */

/* The state of a CRC-32 before four bytes of zeros that lead to STATE.  */
static uint32_t
before_zeros (uint32_t state)
{
  for (int i = 0; i < 32; i++)
    state = state >> 31 ? (state ^ 0xedb88320) << 1 | 1 : state << 1;
  return state;
}

/* Only a page of zeros has the sum 0, also if the CRC-32 of another is 0.  */
static void
sum_of_a_page_is_not_zero (void)
{
  char page[PAGE] __attribute__ ((aligned (8)));
  uint32_t last;

  memset (page, 7, sizeof page);
  last = ~(uint32_t) crc32 (0, (const Bytef *) page, PAGE - 4)
         ^ before_zeros (0xffffffff);
  memcpy (page + PAGE - 4, &last, 4);
  CHECK (crc32 (0, (const Bytef *) page, PAGE) == 0);
  CHECK (cs_page_sum (page) != 0);
}

/* A CRC-32 does not change if its polynomial is added anywhere.  */
static void
equal_sums (void)
{
  static const unsigned char polynomial[] = { 0x41, 0x06, 0x71, 0xdb, 0x01 };
  struct cs_store *store;
  char *heap = make_heap (&store), old[PAGE] __attribute__ ((aligned (8)));
  char *page = heap + 4 * PAGE;

  memcpy (old, page, PAGE);
  for (size_t i = 0; i < sizeof polynomial; i++)
    page[100 + i] ^= (char) polynomial[i];
  CHECK (cs_page_sum (page) == cs_page_sum (old));
  memcpy (old, page, PAGE);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (memcmp (page, old, PAGE) == 0);
}

static unsigned nr_damages;

static void
count (void *closure, const struct cs_damage *damage)
{
  (void) closure;
  (void) damage;
  nr_damages++;
}

static void
verify (const char *path)
{
  struct cs_store *store = NULL;

  nr_damages = 0;
  CHECK (cs_store_open (path, CS_STORE_READ, &store, &err) == 0);
  CHECK (cs_store_verify (store, count, NULL, &err) == 0);
  cs_store_close (store);
}

/* Sums of pages that only the newer generation has are not the copy's.  */
static void
copy_of_a_shorter_generation (void)
{
  struct cs_store *store;
  char *more;

  make_heap (&store);
  more = cs_store_map (store, PAGES * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (more);
  memset (more, 1, PAGES * PAGE);
  commit_ok (store);
  settle_ok (store);
  close_and_unmap (store);
  CHECK (cs_store_clone (STORE, 1, "b.store", false, &err) == 0);
  verify ("b.store");
  CHECK (nr_damages == 0);
}

/* A page that reads as zeros, of a hole, but has a sum.  */
static void
hole_with_a_sum (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  uint64_t page = (uint64_t) (heap - store->image) / PAGE + PAGES + 8000;
  uint32_t sum = 1;

  CHECK (cs_store_map_at (store, store->image + page * PAGE, PAGES * PAGE, RW,
                          CS_EXTENT_HEAP) == 0);
  store->image[(page + PAGES - 1) * PAGE] = 1;
  commit_ok (store);
  settle_ok (store);
  page -= 4000;
  close_and_unmap (store);
  verify (STORE);
  CHECK (nr_damages == 0);
  patch (CS_STORE_SUMS_OFF + page * sizeof sum, &sum, sizeof sum);
  verify (STORE);
  CHECK (nr_damages == 1);
}

static int
no_fallocate (int fd, int mode, off_t off, off_t len)
{
  (void) fd;
  (void) mode;
  (void) off;
  (void) len;
  errno = EOPNOTSUPP;
  return -1;
}

static void
zeros_without_holes (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  cs_sys.fallocate = no_fallocate;
  memset (heap + 6 * PAGE, 0, 2 * PAGE);
  commit_ok (store);
  settle_ok (store);
  CHECK (in_image (store, heap, 5) == 6 && in_image (store, heap, 6) == 0
         && in_image (store, heap, 7) == 0 && in_image (store, heap, 8) == 9);
}

static void
names_of_stores (void)
{
  struct cs_superblock_disk first;
  struct cs_store *store;

  make_heap (&store);
  first = *cs_store_superblock (store);
  CHECK (first.created > 0 && first.created <= time (NULL));
  close_and_unmap (store);
  CHECK (rename (STORE, "b.store") == 0);
  make_heap (&store);
  CHECK (memcmp (cs_store_superblock (store)->uuid, first.uuid, 16) != 0);
}

/* What was unmapped takes no room in the file.  */
static void
unmapped_pages_are_punched (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  CHECK (cs_store_unmap (store, heap + 6 * PAGE, 2 * PAGE) == 0);
  commit_ok (store);
  settle_ok (store);
  CHECK (in_image (store, heap, 5) == 6 && in_image (store, heap, 6) == 0
         && in_image (store, heap, 7) == 0 && in_image (store, heap, 8) == 9);
}

/* Pages of the log are in memory only where they are copied.  */
static void
copy_of_pages_in_the_log (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store), *copy;

  *(uint64_t *) (heap + PAGE) = 200;
  commit_ok (store);
  copy = mmap (NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK (copy != MAP_FAILED);
  CHECK (cs_store_map_copy (store, copy, heap, 4 * PAGE, PROT_READ, &err)
         == 0);
  CHECK (*(uint64_t *) copy == 1 && *(uint64_t *) (copy + PAGE) == 200);
}

/* A child applies nothing, also if nobody has told the store of the fork.  */
static void
child_does_not_apply (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  int status;
  pid_t pid;

  heap[8] = 1;
  commit_ok (store);
  pid = fork ();
  if (pid == 0)
    _exit (cs_store_apply (store, &err) == -CS_E_REFUSED ? 0 : 1);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
}

/* Memory that was swapped out.  */

static uintptr_t swapped;       /* address of a page that is taken for that */

/* As the kernel would answer.  */
static int
scan_swapped (int fd, void *argument)
{
  struct cs_pagemap_scan *arg = argument;
  struct cs_page_region *regions = (void *) (uintptr_t) arg->vec;
  int nr = ioctl (fd, CS_PAGEMAP_SCAN, arg);

  for (int i = 0; i < nr && !(arg->category_anyof_mask & SCAN_SWAPPED); i++)
    if (regions[i].start == swapped)
      {
        CHECK (regions[i].end == swapped + PAGE);
        memmove (&regions[i], &regions[i + 1],
                 (size_t) (--nr - i) * sizeof *regions);
      }
  return nr;
}

static ssize_t
read_swapped (int fd, void *buf, size_t len, off_t off)
{
  ssize_t n = pread (fd, buf, len, off);
  off_t at = (off_t) (swapped / PAGE * sizeof (uint64_t));
  uint64_t *word = (uint64_t *) ((char *) buf + (at - off));

  /* Nothing of a store is so far behind its beginning.  */
  if (n > 0 && swapped && at >= off && at < off + n)
    {
      CHECK (*word & PRESENT);
      *word = (*word & ~PRESENT) | SWAPPED;
    }
  return n;
}

/* Commit three times, the last two with what is watched if that can be; each
   time page I, the only one that was written to, is swapped out.  */
static void
commit_swapped (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);

  for (size_t i = 10; i < 40; i += 10)
    {
      *(uint64_t *) (heap + i * PAGE) = 7000 + i;
      swapped = (uintptr_t) heap + i * PAGE;
      commit_ok (store);
      swapped = 0;
    }
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  for (size_t i = 10; i < 40; i += 10)
    CHECK (*(uint64_t *) (heap + i * PAGE) == 7000 + i);
}

static void
swapped_by_scan (void)
{
  cs_sys.pagemap_scan = scan_swapped;
  commit_swapped ();
}

static void
swapped_by_pagemap (void)
{
  cs_sys.pagemap_scan = no_scan;
  cs_sys.pread = read_swapped;
  commit_swapped ();
}

/* The word of /proc/self/pagemap for ADDR; 0 if there is none.  */
static uint64_t
pagemap_word (const void *addr)
{
  int fd = open ("/proc/self/pagemap", O_RDONLY);
  uint64_t word = 0;

  if (fd < 0
      || pread (fd, &word, sizeof word,
                (off_t) ((uintptr_t) addr / PAGE * sizeof word))
         != sizeof word)
    word = 0;
  close (fd);
  return word;
}

/* With the system's own swap, if it has any: pages that are swapped out, with
   and without having been looked at since.  */
static void
really_swapped (void)
{
  struct cs_store *store;
  char *heap = make_heap (&store);
  size_t nr = 0;

  for (int round = 0; round < 3; round++)
    {
      for (size_t i = 0; i < PAGES; i++)
        ((uint64_t *) (heap + i * PAGE))[1] = (uint64_t) round + 1;
      madvise (heap, PAGES * PAGE, MADV_PAGEOUT);
      for (size_t i = 0; i < PAGES; i++)
        nr += (pagemap_word (heap + i * PAGE) & SWAPPED) != 0;
      commit_ok (store);
    }
  printf ("# %zu of %zu pages were swapped out\n", nr, 3 * (size_t) PAGES);
  fflush (stdout);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  for (size_t i = 0; i < PAGES; i++)
    CHECK (((uint64_t *) (heap + i * PAGE))[1] == 3);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "pages of the log are checked before they are in the image",
      damaged_before_apply },
    { "R1: an index whose pages are not in order", index_out_of_order },
    { "R1: an index that names a page twice", index_names_a_page_twice },
    { "R1: an index that leads out of the region", index_leads_out },
    { "R1: an index with another number of pages", index_has_other_data },
    { "R1: a record with more pages than its index", index_has_less_data },
    { "R2: a record of another store", record_of_another_store },
    { "H2: a record of the history from another generation",
      history_from_elsewhere },
    { "L2: a log that leaves a generation out", generation_left_out },
    { "L2: a log that begins too late", log_begins_too_late },
    { "L3: a damaged record of the image's own generation",
      image_without_its_record },
    { "L3: an older log than the image counts for nothing", log_of_before },
    { "A4: marks that count, and marks that do not", marks },
    { "an index ends with zeros", padding_is_zero },
    { "an image that is longer than its file", image_longer_than_file },
    { "only zeros have the sum 0", sum_of_a_page_is_not_zero },
    { "a page that changed, but not its sum, is written", equal_sums },
    { "a copy of a generation with a shorter image",
      copy_of_a_shorter_generation },
    { "a hole in the file with a sum is damage", hole_with_a_sum },
    { "zeros where the file system makes no holes", zeros_without_holes },
    { "each store has a name of its own", names_of_stores },
    { "what was unmapped is punched out of the file",
      unmapped_pages_are_punched },
    { "pages of the log are in a mapped copy", copy_of_pages_in_the_log },
    { "S5: a child does not apply", child_does_not_apply },
    { "a page that was swapped out is written", swapped_by_scan },
    { "the same with /proc/self/pagemap", swapped_by_pagemap },
    { "the same with real swap, if there is any", really_swapped }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
