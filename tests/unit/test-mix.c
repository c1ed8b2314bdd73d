/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-mix.c -- applying was cut off, and a bit of the log is not what it
   was: no store opens as a mix of generations (A4, L9).

   All states are gone through: how many commits the log has and how many
   generations the history keeps; before which of its writes the process that
   applies them was killed; which record is damaged, and where.  */

#include <inttypes.h>

#include "store/record.h"

#include "store-fixture.h"

#define FIRST 3                 /* the image's generation before */
#define PAGES 12                /* of the heap */
#define RECORDS_MAX 3

static struct cs_err err;

/* What page I of the heap is full of in GENERATION: of the generation that
   wrote to it last, or nothing.  */
static int
contents (uint64_t generation, unsigned i)
{
  for (uint64_t g = generation; g > 1; g--)
    if (i == 7 || (g + i) % 3 == 0)
      return (g + i) % 4 == 0 ? 0 : (int) g;
  return 1;
}

static char *heap;

static void
commit_next (struct cs_store *store)
{
  uint64_t generation = store->superblock.generation + 1;

  for (unsigned i = 0; i < PAGES; i++)
    memset (heap + i * PAGE, contents (generation, i), PAGE);
  commit_ok (store);
  CHECK (store->superblock.generation == generation);
}

/* Processes are killed here, and no power fails.  */
static int
no_sync (int fd)
{
  return fd < 0 ? -1 : 0;
}

static void
make (uint32_t history)
{
  struct cs_store *store;

  cs_sys.fsync = cs_sys.fdatasync = no_sync;
  other_reserved = CS_STORE_RESERVED_MIN;
  store = create (false);
  cs_store_set_history (store, history);
  heap = cs_store_map (store, PAGES * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  memset (heap, 1, PAGES * PAGE);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  while (store->superblock.generation < FIRST)
    {
      commit_next (store);
      CHECK (cs_store_apply (store, &err) == 0);
    }
  close_and_unmap (store);
}

/* The writes of applying.  */

static int writes_left, applied_fd;

static void
count_write (int fd)
{
  if (fd == applied_fd && writes_left-- == 0)
    _exit (0);
}

static ssize_t
counted_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  count_write (fd);
  return pwrite (fd, buf, len, off);
}

static int
counted_fallocate (int fd, int mode, off_t off, off_t len)
{
  count_write (fd);
  return fallocate (fd, mode, off, len);
}

static unsigned nr_records;

/* Commit, apply, be killed: 7 if applying ends before.  */
static void
be_killed (void)
{
  struct cs_store *reader = open_mode (CS_STORE_READ);
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  for (unsigned i = 0; i < nr_records; i++)
    commit_next (store);
  cs_store_close (reader);
  applied_fd = store->fd;
  cs_sys.pwrite = counted_pwrite;
  cs_sys.fallocate = counted_fallocate;
  CHECK (cs_store_apply (store, &err) == 0);
  _exit (7);
}

/* Is STORE one generation, whole?  */
static bool
is_whole (struct cs_store *store)
{
  uint64_t generation = store->superblock.generation;
  const char *view = cs_store_view (store, (uintptr_t) heap, PAGES * PAGE);

  CHECK (view);
  for (unsigned i = 0; i < PAGES * PAGE; i++)
    if (view[i] != contents (generation, i / PAGE))
      return false;
  return true;
}

/* Open GENERATION: its number, 0 if it is refused; never a mix.  */
static uint64_t
open_one (enum cs_store_mode mode, uint64_t generation)
{
  struct cs_store *store = NULL;
  uint64_t found;

  err = (struct cs_err) CS_ERR_INIT;
  if (cs_store_open_at (STORE, mode, generation, &store, &err) < 0)
    {
      CHECK (err.code == -CS_E_DAMAGED || err.code == -CS_E_REFUSED);
      return 0;
    }
  found = store->superblock.generation;
  CHECK (is_whole (store));
  if (mode == CS_STORE_READ)
    cs_store_close (store);
  else
    close_and_unmap (store);
  return found;
}

static struct cs_record records[RECORDS_MAX];

static void
find_records (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  uint64_t off = cs_log_off (store);

  for (unsigned i = 0; i < nr_records; i++)
    {
      CHECK (cs_record_find (store->fd, off, &store->superblock, &records[i])
             == 1);
      off += cs_record_len (&records[i].head);
    }
  cs_store_close (store);
}

static void
flip (uint64_t off)
{
  char byte;

  peek (off, &byte, 1);
  byte ^= 4;
  patch (off, &byte, 1);
}

/* Of record K, from 0, the byte at OFF is damaged.  HISTORY has all that leads
   back from the newest, if it is long enough.  */
static void
look_at_damage (unsigned k, uint64_t off, uint32_t history)
{
  uint64_t before = FIRST + k, all = FIRST + nr_records, newest;

  flip (off);
  newest = open_one (CS_STORE_READ, CS_STORE_NEWEST);
  CHECK (newest == 0 || newest == before || newest == all);
  CHECK (open_one (CS_STORE_EPHEMERAL, CS_STORE_NEWEST) == newest);
  if (newest == 0)
    CHECK (open_one (CS_STORE_WRITE, CS_STORE_NEWEST) == 0);
  newest = open_one (CS_STORE_READ, CS_STORE_SALVAGE);
  CHECK (newest == 0 || newest == before || newest == all);
  CHECK (newest || history < nr_records);
  for (uint64_t g = 1; g <= FIRST + nr_records; g++)
    {
      uint64_t found = open_one (CS_STORE_READ, g);

      CHECK (found == 0 || found == g);
      if (history >= nr_records + FIRST && g <= before)
        CHECK (found == g);
    }
  flip (off);
}

static void
look_at_all_damage (uint32_t history)
{
  for (unsigned k = 0; k < nr_records; k++)
    {
      const struct cs_record *r = &records[k];
      uint64_t head = r->off, data = r->off + CS_RECORD_DATA;

      look_at_damage (k, head + 3, history);    /* the magic */
      look_at_damage (k, head + offsetof (struct cs_record_disk, nr),
                      history);
      look_at_damage (k, head + offsetof (struct cs_record_disk, superblock)
                      + offsetof (struct cs_superblock_disk, generation),
                      history);
      look_at_damage (k, head + offsetof (struct cs_record_disk, crc),
                      history);
      look_at_damage (k, data + 5, history);
      look_at_damage (k, data + (r->head.nr_data - 1) * PAGE + 4000, history);
      look_at_damage (k, head + cs_record_index (&r->head), history);
    }
}

/* Returns whether applying was cut off.  */
static bool
look_at_state (uint32_t history, int cut)
{
  int status;

  make (history);
  writes_left = cut;
  status = in_child (be_killed);
  CHECK (status == 0 || status == 7);
  CHECK (open_one (CS_STORE_READ, CS_STORE_NEWEST) == FIRST + nr_records);
  if (status == 0)
    {
      find_records ();
      look_at_all_damage (history);
      CHECK (open_one (CS_STORE_WRITE, CS_STORE_NEWEST)
             == FIRST + nr_records);
    }
  CHECK (system ("rm -r " STORE "*") == 0);
  return status == 0;
}

static void
look_at_states (uint32_t history)
{
  int cut = 0;

  for (nr_records = 1; nr_records <= RECORDS_MAX; nr_records++)
    for (cut = 0; look_at_state (history, cut); cut++)
      continue;
  CHECK (cut > 10);
}

static void
no_history (void)
{
  look_at_states (0);
}

static void
history_of_one (void)
{
  look_at_states (1);
}

static void
history_of_two (void)
{
  look_at_states (2);
}

static void
history_of_all (void)
{
  look_at_states (8);
}

/* Cut off in the middle of the image, the last record damaged.  */
static void
leave_mix (uint32_t history)
{
  nr_records = 2;
  make (history);
  writes_left = 4;
  CHECK (in_child (be_killed) == 0);
  find_records ();
  flip (records[1].off + CS_RECORD_DATA);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "was being put into the image")
         && strstr (err.advice, "--repair"));
}

static void
repaired (void)
{
  struct cs_repair repair;

  leave_mix (8);
  CHECK (cs_store_repair (STORE, &repair, &err) == 0);
  CHECK (repair.damaged && repair.generation == FIRST + 1);
  CHECK (open_one (CS_STORE_WRITE, CS_STORE_NEWEST) == FIRST + 1);
}

static void
not_repaired (void)
{
  struct cs_repair repair;

  leave_mix (0);
  CHECK (cs_store_repair (STORE, &repair, &err) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "none of the generations"));
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
}

/* A copy of the file of an older generation, beside the history of the newer
   ones, is no mix.  */
static void
older_copy (void)
{
  make (8);
  CHECK (system ("cp --sparse=always " STORE " copy") == 0);
  nr_records = 2;
  writes_left = 1000;
  CHECK (in_child (be_killed) == 7);
  CHECK (rename ("copy", STORE) == 0);
  CHECK (open_one (CS_STORE_READ, CS_STORE_NEWEST) == FIRST);
  CHECK (open_one (CS_STORE_WRITE, CS_STORE_NEWEST) == FIRST);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "L9: no mix without a history", no_history },
    { "L9: no mix with one generation kept", history_of_one },
    { "L9: no mix with two generations kept", history_of_two },
    { "L9: no mix, and nothing lost, with all kept", history_of_all },
    { "L9: the last whole generation is made by repair", repaired },
    { "L9: or refused, if nothing leads there", not_repaired },
    { "an older copy beside a newer history opens", older_copy },
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
