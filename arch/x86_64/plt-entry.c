/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-entry.c -- x86-64: entries of section .plt.got.

     +0   ff 25 DISP32        jmp   *word(%rip)
     +6   66 90               xchg  %ax, %ax

     +0   f2 ff 25 DISP32     bnd jmp *word(%rip)
     +7   90                  nop

     +0   f3 0f 1e fa         endbr64
     +4   ff 25 DISP32        jmp   *word(%rip)
     +10  66 0f 1f 44 00 00   nopw  0(%rax,%rax,1)

     +0   f3 0f 1e fa         endbr64
     +4   f2 ff 25 DISP32     bnd jmp *word(%rip)
     +11  0f 1f 44 00 00      nopl  0(%rax,%rax,1)

   As GNU ld makes them (binutils 2.40, bfd/elf64-x86-64.c,
   elf_x86_64_non_lazy_plt_entry and those after it).  The displacement counts
   from its own end.  */

#include <errno.h>

#include "arch/plt-entry.h"

#include "machine-code.h"

static const struct cs_plt_entry_shape shapes[] = {
  { 8, 2, { 0xff, 0x25, 0, 0, 0, 0, 0x66, 0x90 } },
  { 8, 3, { 0xf2, 0xff, 0x25, 0, 0, 0, 0, 0x90 } },
  { 16, 6, { 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0, 0, 0, 0,
             0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 } },
  { 16, 7, { 0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0, 0, 0, 0,
             0x0f, 0x1f, 0x44, 0x00, 0x00 } }
};

#define NR_SHAPES (sizeof shapes / sizeof *shapes)

/* What the displacement of an entry at ADDR counts from.  */
static uint64_t
field_end (const struct cs_plt_entry_shape *shape, uint64_t addr)
{
  return addr + shape->field + CS_PLT_ENTRY_FIELD_LEN;
}

size_t
cs_x86_64_decode_plt_got (const void *code, size_t len, uint64_t addr,
                          uint64_t got, uint64_t *word_addr)
{
  const struct cs_plt_entry_shape *shape
    = cs_plt_entry_shape (shapes, NR_SHAPES, code, len);

  (void) got;
  if (!shape)
    return 0;
  *word_addr = field_end (shape, addr)
               + (uint64_t) (int64_t) (int32_t) cs_plt_entry_field (shape, code);
  return shape->len;
}

int
cs_x86_64_encode_plt_got (void *code, size_t len, uint64_t addr,
                          uint64_t word_addr)
{
  const struct cs_plt_entry_shape *shape
    = cs_plt_entry_shape (shapes, NR_SHAPES, code, len);
  int64_t displacement;

  if (!shape)
    return -EINVAL;
  displacement = (int64_t) (word_addr - field_end (shape, addr));
  if (displacement < INT32_MIN || displacement > INT32_MAX)
    return -ERANGE;
  cs_plt_entry_set_field (shape, code, (uint32_t) displacement);
  return 0;
}
