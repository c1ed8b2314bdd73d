/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-entry.c -- entries of section .plt.got, by their shapes.  */

#include <stdbool.h>
#include <string.h>

#include "arch/plt-entry.h"

static bool
has_shape (const struct cs_plt_entry_shape *shape, const uint8_t *code,
           size_t len)
{
  size_t after = shape->field + CS_PLT_ENTRY_FIELD_LEN;

  return len >= shape->len && memcmp (code, shape->bytes, shape->field) == 0
         && memcmp (code + after, shape->bytes + after, shape->len - after)
              == 0;
}

const struct cs_plt_entry_shape *
cs_plt_entry_shape (const struct cs_plt_entry_shape *shapes, size_t nr,
                  const void *code, size_t len)
{
  for (size_t i = 0; i < nr; i++)
    if (has_shape (&shapes[i], code, len))
      return &shapes[i];
  return NULL;
}

uint32_t
cs_plt_entry_field (const struct cs_plt_entry_shape *shape, const void *code)
{
  const uint8_t *bytes = (const uint8_t *) code + shape->field;
  uint32_t value = 0;

  for (int i = 0; i < CS_PLT_ENTRY_FIELD_LEN; i++)
    value |= (uint32_t) bytes[i] << (8 * i);
  return value;
}

void
cs_plt_entry_set_field (const struct cs_plt_entry_shape *shape, void *code,
                      uint32_t value)
{
  uint8_t *bytes = (uint8_t *) code + shape->field;

  for (int i = 0; i < CS_PLT_ENTRY_FIELD_LEN; i++)
    bytes[i] = (uint8_t) (value >> (8 * i));
}
