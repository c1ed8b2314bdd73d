/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-history.c -- files of the history, which lead back to a generation.

   Input: a byte (the file's name in its lower half, 16: run the workspace on
   it, 32: clone an older generation), and a record (fuzz-record.h).  */

#include "fuzz-record.h"

enum
{
  MAP = 16, CLONE = 32
};

unsigned long fuzz_accepted;

/* SOURCE is what reading GENERATION gave.  */
static void
clone_older (uint64_t generation, const struct fuzz_seen *source)
{
  int r;

  unlink ("b.store");
  fuzz_err = (struct cs_err) CS_ERR_INIT;
  r = cs_store_clone (STORE, generation, "b.store", false, &fuzz_err);
  fuzz_answer (r, &fuzz_err);
  if (r == 0)
    {
      struct fuzz_seen seen = fuzz_read ("b.store", CS_STORE_NEWEST);

      REQUIRE (seen.opened && seen.generation == generation
               && (seen.damages == 0 || source->damages > 0));
    }
  unlink ("b.store");
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct fuzz_input in = { data, len };
  unsigned flags = fuzz_byte (&in), opened = 0;
  struct fuzz_seen seen, first = { .opened = false };
  char name[40];

  fuzz_prepare (true);
  fuzz_begin ();
  snprintf (name, sizeof name, HISTORY "/%u", flags & 15);
  unlink (name);
  fuzz_place_record (&in, name, 0);
  seen = fuzz_read (STORE, CS_STORE_NEWEST);
  REQUIRE (seen.opened && seen.generation == 5);
  for (uint64_t g = 1; g <= 6; g++)
    {
      struct fuzz_seen older = fuzz_read (STORE, g);

      REQUIRE (!older.opened || older.generation == g);
      opened += older.opened && seen.damages == 0;
      if (g == 1)
        first = older;
    }
  if (flags & CLONE)
    clone_older (1, &first);
  if (flags & MAP)
    fuzz_write (&seen);
  fuzz_accepted += opened == 5;
  return 0;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  char name[40];

  fuzz_prepare (true);
  fuzz_begin ();
  for (size_t i = 0; i < fuzz_nr_history; i++)
    for (unsigned flags = 0; flags < 64; flags += 16)
      {
        const char *path = fuzz_history[i].name;
        unsigned generation = (unsigned) atoi (strchr (path, '/') + 1);

        out.len = 0;
        fuzz_put_byte (&out, flags | generation);
        REQUIRE (fuzz_put_record (&out, path, 0, SEAL_SUPERBLOCK | SEAL_HEAD
                                  | SEAL_PAGES | (flags & MAP ? COUNT : 0)));
        snprintf (name, sizeof name, "generation-%u-%u", generation,
                  flags >> 4);
        seed (closure, name, out.data, out.len, true);
      }
}
