/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-superblock.c -- the two superblock slots and the lock record.

   Input: a byte of flags (enum below), how many bytes of the file's end are
   missing (2), slot A, slot B, the lock record.

   Stores are only read here: a mapping mode would map whatever address the
   superblock says over this process.  fuzz-log.c and fuzz-directory.c do
   that.  */

#include "fuzz-store.h"

enum
{
  SEAL_A = 1, SEAL_B = 2, SEAL_LOCK = 4
};

unsigned long fuzz_accepted;

static void
put_slot (struct fuzz_input *in, int slot, bool seal)
{
  struct cs_superblock_disk sb;

  fuzz_take (in, &sb, sizeof sb);
  if (seal)
    cs_superblock_seal (&sb);
  fuzz_patch (STORE, (uint64_t) slot * CS_STORE_SLOT_LEN, &sb, sizeof sb);
}

static void
put_lock (struct fuzz_input *in, bool seal)
{
  struct cs_lock_disk lock;

  fuzz_take (in, &lock, sizeof lock);
  if (seal)
    lock.crc = (uint32_t) crc32 (0, (const Bytef *) &lock,
                                 offsetof (struct cs_lock_disk, crc));
  fuzz_patch (STORE, CS_STORE_LOCK_OFF, &lock, sizeof lock);
}

/* Whoever finds the store held is told by whom, whatever the record says.  */
static void
ask_for_holder (void)
{
  int holder = open (STORE, O_RDWR), other = open (STORE, O_RDWR);
  struct cs_err err = CS_ERR_INIT;

  REQUIRE (holder >= 0 && cs_lock_take (holder, NULL) == 0);
  REQUIRE (cs_lock_take (other, &err) == -CS_E_HELD);
  fuzz_answer (-CS_E_HELD, &err);
  close (holder);
  close (other);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct fuzz_input in = { data, len };
  struct cs_superblock_disk sb;
  struct fuzz_seen seen;
  unsigned flags = fuzz_byte (&in), missing = fuzz_short (&in);

  fuzz_prepare (false);
  fuzz_begin ();
  put_slot (&in, 0, flags & SEAL_A);
  put_slot (&in, 1, flags & SEAL_B);
  put_lock (&in, flags & SEAL_LOCK);
  REQUIRE (truncate (STORE, (off_t) (fuzz_store_file.len - missing)) == 0);
  seen = fuzz_read (STORE, CS_STORE_NEWEST);
  if (seen.opened)
    {
      peek (0, &sb, sizeof sb);
      /* The newer one that is whole, and no log is in the file.  */
      REQUIRE (!cs_superblock_is_sealed (&sb)
               || memcmp (sb.magic, CS_STORE_MAGIC, sizeof sb.magic) != 0
               || sb.reserved3 != 0 || seen.generation >= sb.generation);
      fuzz_accepted++;
    }
  fuzz_read (STORE, 2);
  ask_for_holder ();
  return 0;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  struct cs_superblock_disk a, b;
  struct cs_lock_disk lock;
  char name[40];

  fuzz_prepare (false);
  fuzz_begin ();
  peek (0, &a, sizeof a);
  peek (CS_STORE_SLOT_LEN, &b, sizeof b);
  peek (CS_STORE_LOCK_OFF, &lock, sizeof lock);
  for (unsigned flags = 0; flags < 8; flags++)
    {
      out.len = 0;
      fuzz_put_byte (&out, flags);
      fuzz_put_short (&out, 0);
      fuzz_put (&out, &a, sizeof a);
      fuzz_put (&out, &b, sizeof b);
      fuzz_put (&out, &lock, sizeof lock);
      snprintf (name, sizeof name, "slots-%u", flags);
      seed (closure, name, out.data, out.len, true);
    }
}
