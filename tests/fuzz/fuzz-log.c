/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-log.c -- the log: commits that are not in the image yet.

   Input: a byte (1: what was in the log before is wiped; 2: run the
   workspace on it; 4: take damage for the log's end), then records
   (fuzz-record.h), one behind the other.  */

#include "fuzz-record.h"

enum
{
  WIPE = 1, MAP = 2, SALVAGE = 4
};

unsigned long fuzz_accepted;

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct fuzz_input in = { data, len };
  unsigned flags = fuzz_byte (&in);
  struct fuzz_seen seen;
  uint64_t off;

  fuzz_prepare (true);
  fuzz_begin ();
  off = fuzz_log_off ();
  if (flags & WIPE)
    REQUIRE (truncate (STORE, (off_t) off) == 0);
  for (int i = 0; in.left > 0 && i < 8; i++)
    off = fuzz_place_record (&in, STORE, off);
  seen = fuzz_read (STORE, CS_STORE_NEWEST);
  for (uint64_t g = 1; g <= 5; g++)
    fuzz_read (STORE, g);
  if (flags & SALVAGE)
    {
      struct fuzz_seen salvaged = fuzz_read (STORE, CS_STORE_SALVAGE);

      REQUIRE (!seen.opened || (salvaged.opened && salvaged.generation
                                                   == seen.generation));
    }
  if (flags & MAP)
    fuzz_write (&seen);
  fuzz_accepted += seen.opened && seen.damages == 0 && seen.generation > 3;
  return 0;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  uint64_t off, len;
  char name[40];

  fuzz_prepare (true);
  fuzz_begin ();
  for (unsigned records = 1; records <= 2; records++)
    for (unsigned flags = 1; flags < 8; flags += 2)
      {
        out.len = 0;
        fuzz_put_byte (&out, flags);
        off = fuzz_log_off ();
        for (unsigned i = 0; i < records; i++, off += len)
          {
            len = fuzz_put_record (&out, STORE, off, SEAL_SUPERBLOCK
                                   | SEAL_HEAD | SEAL_PAGES
                                   | (flags & MAP ? COUNT : 0));
            REQUIRE (len > 0);
          }
        snprintf (name, sizeof name, "records-%u-%u", records, flags);
        seed (closure, name, out.data, out.len, true);
      }
}
