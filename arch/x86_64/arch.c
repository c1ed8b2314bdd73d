/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* arch.c -- x86-64 (LP64): the description of the machine.

   The default region starts at 32 TiB.  With five-level page tables or not,
   Linux gives a process the 47 bits below 0x7ffffffff000 unless it asks for
   more (Documentation/arch/x86/x86_64/5level-paging.rst).  Of these, a
   position-dependent program and its heap begin at 4 MiB, a
   position-independent one at two thirds of the range (0x555555554000) plus
   at most 2^32 pages, and mmap() goes down from the stack at the top, 2^32
   pages of randomness included.  So nothing that the kernel places by
   itself comes within 50 TiB of 0x200000000000.  */

#include <elf.h>

#include "machine-code.h"

/* The Intel 64 manual, volume 2, CALL: E8 with a displacement of four bytes,
   or FF with 2 as the register in its ModR/M byte, which up to five bytes
   follow.  */
bool
cs_x86_64_follows_call (const void *code)
{
  const uint8_t *end = code;

  if (end[-5] == 0xe8)
    return true;
  for (int len = 2; len <= 7; len++)
    if (end[-len] == 0xff && (end[1 - len] >> 3 & 7) == 2)
      return true;
  return false;
}

const struct cs_arch cs_arch_x86_64 = {
  .name = "x86_64",
  .elf_machine = EM_X86_64,
  .word_len = 8,
  .rela = true,
  .page_len = 4096,
  .address_end = 0x7ffffffff000,
  .region_base = 0x200000000000,
  .region_len = (uint64_t) 64 << 30,
  .reloc_kind = cs_x86_64_reloc_kind,
  .reloc_name = cs_x86_64_reloc_name,
  .is_plt_tag = cs_x86_64_is_plt_tag,
  .trampoline_len = 32,
  .stub_off = 16,
  .encode_trampoline = cs_x86_64_encode_trampoline,
  .decode_plt_got = cs_x86_64_decode_plt_got,
  .encode_plt_got = cs_x86_64_encode_plt_got,
  .follows_call = cs_x86_64_follows_call
};
