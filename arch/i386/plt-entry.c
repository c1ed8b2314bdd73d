/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-entry.c -- i386: entries of section .plt.got.

     +0   ff a3 OFF32         jmp   *off(%ebx)
     +6   66 90               xchg  %ax, %ax

     +0   f3 0f 1e fb         endbr32
     +4   ff a3 OFF32         jmp   *off(%ebx)
     +10  66 0f 1f 44 00 00   nopw  0(%eax,%eax,1)

   As GNU ld makes them for libraries (binutils 2.40, bfd/elf32-i386.c,
   elf_i386_pic_non_lazy_plt_entry and elf_i386_pic_non_lazy_ibt_plt_entry).
   Callers have the address of the GOT in %ebx (i386 psABI 1.1, "Procedure
   Linkage Table").  An entry that is changed jumps through an absolute
   address instead, `ff 25 ADDR32`, which is as long.  */

#include <errno.h>

#include "arch/plt-entry.h"

#include "machine-code.h"

enum { WORD_LEN = 4, MOD_RM_EBX = 0xa3, MOD_RM_ABSOLUTE = 0x25 };

static const struct cs_plt_entry_shape shapes[] = {
  { 8, 2, { 0xff, MOD_RM_EBX, 0, 0, 0, 0, 0x66, 0x90 } },
  { 16, 6, { 0xf3, 0x0f, 0x1e, 0xfb, 0xff, MOD_RM_EBX, 0, 0, 0, 0,
             0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 } }
};

#define NR_SHAPES (sizeof shapes / sizeof *shapes)

size_t
cs_i386_decode_plt_got (const void *code, size_t len, uint64_t addr,
                        uint64_t got, uint64_t *word_addr)
{
  const struct cs_plt_entry_shape *shape
    = cs_plt_entry_shape (shapes, NR_SHAPES, code, len);

  (void) addr;
  if (!shape || got == 0)
    return 0;
  *word_addr = (uint32_t) (got + cs_plt_entry_field (shape, code));
  return shape->len;
}

int
cs_i386_encode_plt_got (void *code, size_t len, uint64_t addr,
                        uint64_t word_addr)
{
  const struct cs_plt_entry_shape *shape
    = cs_plt_entry_shape (shapes, NR_SHAPES, code, len);

  (void) addr;
  if (!shape)
    return -EINVAL;
  if (word_addr > UINT32_MAX - (WORD_LEN - 1))
    return -ERANGE;
  ((uint8_t *) code)[shape->field - 1] = MOD_RM_ABSOLUTE;
  cs_plt_entry_set_field (shape, code, (uint32_t) word_addr);
  return 0;
}
