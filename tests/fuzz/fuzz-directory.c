/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-directory.c -- the directory: sections and the extent table.

   Input: a byte of flags, the directory as it lies on disk, and entries of
   the extent table, which come where the directory says it is, or behind the
   directory's page if that is outside of the image.  */

#include "fuzz-store.h"

enum
{
  SEAL = 1,                     /* page sums are made right */
  MAP = 2,                      /* use it as a run of the workspace does */
  EPHEMERAL = 4                 /* the same without writing */
};

unsigned long fuzz_accepted;

static uint64_t
committed (void)
{
  struct cs_superblock_disk sb;

  peek (0, &sb, sizeof sb);
  return sb.committed;
}

/* Make the sums of the pages of [OFF, OFF + LEN) of the image right.  */
static void
seal (uint64_t off, uint64_t len)
{
  static char page[CS_STORE_PAGE_LEN] __attribute__ ((aligned (8)));

  for (uint64_t i = off / PAGE; i * PAGE < off + len; i++)
    {
      uint32_t sum;

      peek (fuzz_image + i * PAGE, page, PAGE);
      sum = cs_page_sum (page);
      fuzz_patch (STORE, CS_STORE_SUMS_OFF + i * sizeof sum, &sum,
                  sizeof sum);
    }
}

static void
put_directory (struct fuzz_input *in, bool sealed)
{
  struct cs_directory_disk d;
  struct cs_extent_disk e;
  uint64_t off, end = committed () - PAGE;

  fuzz_take (in, &d, sizeof d);
  fuzz_patch (STORE, fuzz_image, &d, sizeof d);
  off = d.extents_off < end ? d.extents_off : PAGE;
  for (uint64_t at = off; in->left > 0 && at < end; at += sizeof e)
    {
      fuzz_take (in, &e, sizeof e);
      fuzz_patch (STORE, fuzz_image + at, &e, sizeof e);
    }
  if (sealed)
    {
      seal (0, PAGE);
      seal (off, PAGE);
    }
}

/* Ranges are mapped, protected, cleared and given back.  */
static void
use_ranges (struct cs_store *store)
{
  char *addr = cs_store_map (store, 3 * PAGE, RW, CS_EXTENT_HEAP);

  REQUIRE (cs_store_check (store, NULL) == 0);
  if (!addr)
    return;
  addr[PAGE] = 1;
  REQUIRE (cs_store_protect (store, addr + PAGE, PAGE, PROT_READ) <= 0);
  REQUIRE (cs_store_clear (store, addr, PAGE) <= 0);
  REQUIRE (cs_store_check (store, NULL) == 0);
  REQUIRE (cs_store_unmap (store, addr, 2 * PAGE) <= 0);
  REQUIRE (cs_store_unmap (store, (char *) (uintptr_t)
                                  store->superblock.base + 4 * PAGE,
                           8 * PAGE) <= 0);
  REQUIRE (cs_store_check (store, NULL) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct fuzz_input in = { data, len };
  unsigned flags = fuzz_byte (&in);
  struct cs_store *store;
  struct fuzz_seen seen;

  fuzz_prepare (false);
  fuzz_begin ();
  put_directory (&in, flags & SEAL);
  seen = fuzz_read (STORE, CS_STORE_NEWEST);
  fuzz_read (STORE, 2);
  if (flags & EPHEMERAL)
    {
      store = fuzz_open (STORE, CS_STORE_EPHEMERAL, CS_STORE_NEWEST);
      REQUIRE (!store || seen.opened);
      if (store)
        {
          fuzz_touch (store);
          use_ranges (store);
          fuzz_close (store);
        }
    }
  if (flags & MAP)
    fuzz_write (&seen);
  fuzz_accepted += seen.opened && seen.damages == 0;
  return 0;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  struct cs_directory_disk d;
  struct cs_extent_disk e[8];
  char name[40];

  fuzz_prepare (false);
  fuzz_begin ();
  peek (fuzz_image, &d, sizeof d);
  REQUIRE (d.nr_extents <= 8);
  peek (fuzz_image + d.extents_off, e, d.nr_extents * sizeof *e);
  for (unsigned flags = 1; flags < 8; flags += 2)
    {
      out.len = 0;
      fuzz_put_byte (&out, flags);
      fuzz_put (&out, &d, sizeof d);
      fuzz_put (&out, e, d.nr_extents * sizeof *e);
      snprintf (name, sizeof name, "directory-%u", flags);
      seed (closure, name, out.data, out.len, true);
    }
}
