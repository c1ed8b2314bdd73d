/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-got.c -- x86-64: entries of section .plt.got.

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
#include <string.h>

#include "machine-code.h"

enum { DISP_LEN = 4 };

static const struct shape
{
  uint8_t len, disp;            /* disp: offset of the displacement */
  uint8_t bytes[16];
} shapes[] = {
  { 8, 2, { 0xff, 0x25, 0, 0, 0, 0, 0x66, 0x90 } },
  { 8, 3, { 0xf2, 0xff, 0x25, 0, 0, 0, 0, 0x90 } },
  { 16, 6, { 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0, 0, 0, 0,
             0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 } },
  { 16, 7, { 0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0, 0, 0, 0,
             0x0f, 0x1f, 0x44, 0x00, 0x00 } }
};

/* Are the LEN bytes at CODE, or the first of them, of this shape?  */
static bool
has_shape (const struct shape *shape, const uint8_t *code, size_t len)
{
  size_t after = shape->disp + DISP_LEN;

  return len >= shape->len && memcmp (code, shape->bytes, shape->disp) == 0
         && memcmp (code + after, shape->bytes + after, shape->len - after)
              == 0;
}

static const struct shape *
find_shape (const uint8_t *code, size_t len)
{
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (has_shape (&shapes[i], code, len))
      return &shapes[i];
  return NULL;
}

size_t
cs_x86_64_decode_plt_got (const void *code, size_t len, uint64_t addr,
                          uint64_t got, uint64_t *word_addr)
{
  const struct shape *shape = find_shape (code, len);
  const uint8_t *bytes = code;
  uint32_t displacement = 0;

  (void) got;
  if (!shape)
    return 0;
  for (int i = 0; i < DISP_LEN; i++)
    displacement |= (uint32_t) bytes[shape->disp + i] << (8 * i);
  *word_addr = addr + shape->disp + DISP_LEN
               + (uint64_t) (int64_t) (int32_t) displacement;
  return shape->len;
}

int
cs_x86_64_encode_plt_got (void *code, size_t len, uint64_t addr,
                          uint64_t word_addr)
{
  const struct shape *shape = find_shape (code, len);
  uint8_t *bytes = code;
  int64_t displacement;

  if (!shape)
    return -EINVAL;
  displacement = (int64_t) (word_addr - (addr + shape->disp + DISP_LEN));
  if (displacement < INT32_MIN || displacement > INT32_MAX)
    return -ERANGE;
  for (int i = 0; i < DISP_LEN; i++)
    bytes[shape->disp + i] = (uint8_t) ((uint64_t) displacement >> (8 * i));
  return 0;
}
