/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* arch.c -- i386: the description of the machine.

   The default region is 0x70000000 to 0xd0000000, for a 32-bit process on
   a 64-bit kernel, which has the addresses below 0xffffe000.  What the
   kernel places by itself there:
   - a position-dependent program at 0x08048000, its heap after it;
   - the legacy layout (no limit on the stack) maps upwards from about
     0x2aaaa000;
   - a position-independent program at 0x56555000 plus at most 16 bits of
     pages (vm.mmap_rnd_compat_bits, 8 by default), so below 0x66556000,
     and its heap after it plus at most 32 MiB;
   - mmap() goes down from the stack: a gap of at least 128 MiB below
     0xffffe000, and at most 16 bits of pages again, so from 0xe7000000 at
     the lowest and from about 0xf7f00000 by default.  What is left above
     the region is for libraries and the stacks of threads.
   A 32-bit kernel ends processes at 0xc0000000; a store for one needs a
   smaller region.  */

#include <elf.h>

#include "machine-code.h"

/* The IA-32 manual, volume 2, CALL: E8 with a displacement of four bytes,
   or FF with 2 as the register in its ModR/M byte, which up to five bytes
   follow.  */
bool
cs_i386_follows_call (const void *code)
{
  const uint8_t *end = code;

  if (end[-5] == 0xe8)
    return true;
  for (int len = 2; len <= 7; len++)
    if (end[-len] == 0xff && (end[1 - len] >> 3 & 7) == 2)
      return true;
  return false;
}

const struct cs_arch cs_arch_i386 = {
  .name = "i386",
  .elf_machine = EM_386,
  .word_len = 4,
  .rela = false,
  .page_len = 4096,
  .address_end = 0xffffe000,
  .region_base = 0x70000000,
  .region_len = 0x60000000,
  .reloc_kind = cs_i386_reloc_kind,
  .reloc_name = cs_i386_reloc_name,
  .is_plt_tag = cs_i386_is_plt_tag,
  .trampoline_len = 32,
  .stub_off = 16,
  .encode_trampoline = cs_i386_encode_trampoline,
  .decode_plt_got = cs_i386_decode_plt_got,
  .encode_plt_got = cs_i386_encode_plt_got,
  .follows_call = cs_i386_follows_call
};
