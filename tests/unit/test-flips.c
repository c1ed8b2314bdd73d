/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-flips.c -- a bit of a store, its log or its history that is not what
   it was is noticed, wherever it is.  */

#include <inttypes.h>

#include "store/history.h"

#include "store-fixture.h"

#define FLIPS 1000

static struct cs_err err;
static unsigned noticed;

static void
count (void *closure, const struct cs_damage *damage)
{
  (void) closure;
  CHECK (damage->structure[0]);
  noticed++;
}

/* Is something found, by opening or by looking at all of it?  */
static bool
is_noticed (void)
{
  struct cs_store *store = NULL;

  err = (struct cs_err) CS_ERR_INIT;
  noticed = 0;
  if (cs_store_open (STORE, CS_STORE_READ, &store, &err) < 0)
    {
      CHECK (err.code == -CS_E_DAMAGED || err.code == -CS_E_INCOMPATIBLE);
      return true;
    }
  CHECK (cs_store_verify (store, count, NULL, &err) == 0);
  cs_store_close (store);
  return noticed > 0;
}

static void
say_number (struct cs_store *store, char *heap, unsigned number)
{
  char text[16];

  snprintf (text, sizeof text, "%u", number);
  say (store, text);
  memset (heap + number % 7 * 3 * PAGE, (int) number, 2 * PAGE + number);
  commit_ok (store);
}

/* Three generations in the history, two in the log.  Ends without closing,
   as by a signal.  */
static void
make_all (void)
{
  struct cs_store *store, *reader;
  void *addr;
  char *heap;

  other_reserved = 16 << 20;
  store = create (false);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (store, 400 * PAGE, RW, CS_EXTENT_HEAP);
  memset (heap, 1, 390 * PAGE);
  for (unsigned g = 1; g <= 4; g++)
    say_number (store, heap, g);
  CHECK (cs_store_settle (store, &err) == 0);
  reader = open_mode (CS_STORE_READ);
  say_number (store, heap, 5);
  say_number (store, heap, 6);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  (void) reader;
}

/* What is not zero, or may not be: the file's parts with data.  */
struct range
{
  uint64_t start, end;
};

static size_t
data_ranges (const char *path, struct range *ranges, size_t max)
{
  int fd = open (path, O_RDONLY);
  off_t data = 0, hole;
  size_t nr = 0;

  CHECK (fd >= 0);
  while (nr < max && (data = lseek (fd, data, SEEK_DATA)) >= 0)
    {
      hole = lseek (fd, data, SEEK_HOLE);
      ranges[nr++] = (struct range) { (uint64_t) data, (uint64_t) hole };
      data = hole;
    }
  close (fd);
  return nr;
}

static bool
is_between (uint64_t off, uint64_t start, uint64_t end)
{
  return start <= off && off < end;
}

/* Bytes of a record at START that nothing is kept in: the rest of the head's
   page and of the index's last one.  */
static bool
is_padding (const struct cs_record_disk *head, uint64_t start, uint64_t off)
{
  return is_between (off, start + sizeof *head, start + PAGE)
         || is_between (off, start + cs_record_index (head)
                             + head->nr * sizeof (struct cs_entry_disk),
                        start + cs_record_len (head));
}

/* Is OFF in a page, or its sum, that the log has too, or that is behind the
   image?  */
static bool
does_not_count (const struct cs_superblock_disk *sb, uint64_t off)
{
  uint64_t image = cs_store_image_off (sb);
  uint64_t page = off < image ? (off - CS_STORE_SUMS_OFF) / 4
                  : (off - image) / PAGE;
  struct cs_store *store = open_mode (CS_STORE_READ);
  bool behind = page >= store->superblock.committed / PAGE;
  bool replaced = !behind && cs_patch_exists (store, page);

  cs_store_close (store);
  return behind || replaced;
}

/* Provably unused: superblock slots' rest, lock record, the space up to the
   sums, padding, what the log replaces, and what is behind the image.  */
static bool
is_unused (uint64_t off)
{
  struct cs_superblock_disk sb;
  struct cs_record_disk head;
  uint64_t start;

  if (off < CS_STORE_SUMS_OFF)
    return off % CS_STORE_SLOT_LEN >= sizeof sb
           || off >= 2 * CS_STORE_SLOT_LEN;
  peek (0, &sb, sizeof sb);
  start = cs_store_image_off (&sb) + ((uint64_t) sb.log_start << 20);
  if (off < start)
    return does_not_count (&sb, off);
  while (off >= start)
    {
      peek (start, &head, sizeof head);
      if (memcmp (head.magic, CS_RECORD_MAGIC, 8) != 0)
        return false;
      if (is_padding (&head, start, off))
        return true;
      start += cs_record_len (&head);
    }
  return false;
}

static void
flip (const char *path, uint64_t off, unsigned bit)
{
  int fd = open (path, O_RDWR);
  unsigned char byte;

  CHECK (fd >= 0 && pread (fd, &byte, 1, (off_t) off) == 1);
  byte ^= (unsigned char) (1u << bit);
  CHECK (pwrite (fd, &byte, 1, (off_t) off) == 1);
  close (fd);
}

static uint64_t
random_offset (const struct range *ranges, size_t nr)
{
  uint64_t total = 0, at;

  for (size_t i = 0; i < nr; i++)
    total += ranges[i].end - ranges[i].start;
  at = (uint64_t) rand () % total;
  for (size_t i = 0; i < nr; i++)
    {
      if (at < ranges[i].end - ranges[i].start)
        return ranges[i].start + at;
      at -= ranges[i].end - ranges[i].start;
    }
  return 0;
}

static void
tell (const char *what, unsigned unused)
{
  printf ("# figure: 0 of %d flips of %s unnoticed, %u in unused space\n",
          FLIPS, what, unused);
  fflush (stdout);
}

static void
flips_in_store (void)
{
  struct range ranges[64];
  unsigned unused = 0;
  size_t nr;

  CHECK (in_child (make_all) == 0);
  CHECK (!is_noticed ());
  nr = data_ranges (STORE, ranges, 64);
  srand (1999);
  for (int i = 0; i < FLIPS; i++)
    {
      uint64_t off = random_offset (ranges, nr);
      unsigned bit = (unsigned) rand () % 8;
      bool unnoticed;

      flip (STORE, off, bit);
      unnoticed = !is_noticed ();
      flip (STORE, off, bit);
      if (unnoticed && !is_unused (off))
        fprintf (stderr, "not noticed: bit %u at offset %" PRIu64 "\n", bit,
                 off);
      CHECK (!unnoticed || is_unused (off));
      unused += unnoticed;
    }
  CHECK (unused < FLIPS / 4 && !is_noticed ());
  tell ("a store and its log", unused);
}

/* Everywhere in the first pages, where a byte means most.  */
static void
flips_in_superblocks (void)
{
  CHECK (in_child (make_all) == 0);
  for (uint64_t off = 0; off < CS_STORE_SLOT_LEN + 128;
       off += off == 127 ? CS_STORE_SLOT_LEN - 127 : 1)
    {
      flip (STORE, off, (unsigned) off % 8);
      CHECK (is_noticed ());
      flip (STORE, off, (unsigned) off % 8);
    }
}

static void
flips_in_history (void)
{
  struct cs_record_disk head;
  unsigned unused = 0;
  char path[64];

  CHECK (in_child (make_all) == 0);
  srand (2024);
  for (int i = 0; i < FLIPS; i++)
    {
      unsigned bit = (unsigned) rand () % 8;
      struct stat st;
      uint64_t off;
      int fd;

      snprintf (path, sizeof path, STORE "-history/%d", 1 + i % 3);
      CHECK (stat (path, &st) == 0);
      off = (uint64_t) rand () % (uint64_t) st.st_size;
      fd = open (path, O_RDONLY);
      CHECK (read (fd, &head, sizeof head) == sizeof head);
      close (fd);
      flip (path, off, bit);
      if (!is_noticed ())
        {
          CHECK (is_padding (&head, 0, off));
          unused++;
        }
      flip (path, off, bit);
    }
  CHECK (unused < FLIPS / 2 && !is_noticed ());
  tell ("a history", unused);
}

/* Each byte of the head and of the index of the record at START of PATH.  */
static void
flip_record (const char *path, uint64_t start)
{
  struct cs_record_disk head;
  int fd = open (path, O_RDONLY);
  uint64_t index, end;

  CHECK (fd >= 0 && pread (fd, &head, sizeof head, (off_t) start)
                    == sizeof head);
  close (fd);
  index = start + cs_record_index (&head);
  end = index + head.nr * sizeof (struct cs_entry_disk);
  CHECK (memcmp (head.magic, CS_RECORD_MAGIC, 8) == 0 && end > index);
  for (uint64_t off = start; off < end;
       off = off + 1 == start + sizeof head ? index : off + 1)
    {
      flip (path, off, (unsigned) off % 8);
      CHECK (is_noticed ());
      flip (path, off, (unsigned) off % 8);
    }
}

static void
flips_in_records (void)
{
  struct cs_superblock_disk sb;

  CHECK (in_child (make_all) == 0);
  peek (0, &sb, sizeof sb);
  flip_record (STORE, cs_store_image_off (&sb)
                      + ((uint64_t) sb.log_start << 20));
  flip_record (STORE "-history/2", 0);
  CHECK (!is_noticed ());
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "1000 flips of a store and its log: none is unnoticed",
      flips_in_store },
    { "flips of each byte of the superblocks", flips_in_superblocks },
    { "flips of each byte of a record's head and index", flips_in_records },
    { "1000 flips of a history: none is unnoticed", flips_in_history }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
