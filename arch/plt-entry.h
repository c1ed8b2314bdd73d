/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-entry.h -- entries of section .plt.got, by their shapes.

   A linker makes each entry of one of a few fixed shapes: constant bytes around
   one field, the operand of the jump.  A machine lists its shapes; finding one
   and changing its field is the same for all machines.  */
#ifndef CS_PLT_ENTRY_H
#define CS_PLT_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#define CS_PLT_ENTRY_FIELD_LEN 4

/* An entry of LEN bytes, with a little-endian field of four bytes at offset
   FIELD.  */
struct cs_plt_entry_shape
{
  uint8_t len, field;
  uint8_t bytes[16];            /* zeros where the field is */
};

/* The first of the NR SHAPES that the LEN bytes at CODE begin with, or
   NULL.  */
const struct cs_plt_entry_shape *
cs_plt_entry_shape (const struct cs_plt_entry_shape *shapes, size_t nr,
                    const void *code, size_t len);

/* The field of the entry at CODE, which has that SHAPE; set it.  */
uint32_t cs_plt_entry_field (const struct cs_plt_entry_shape *shape,
                             const void *code);
void cs_plt_entry_set_field (const struct cs_plt_entry_shape *shape,
                             void *code, uint32_t value);

#endif
