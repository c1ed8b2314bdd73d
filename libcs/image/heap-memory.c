/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap-memory.c -- bytes, words and C strings of an image.  */

#include <string.h>

#include "image/heap.h"

#define C_STRING_MAX 64

const void *
cs_heap_view (const struct cs_heap *heap, uint64_t addr, uint64_t len)
{
  const void *place;

  if (len > SIZE_MAX)
    return NULL;
  place = cs_store_view (heap->store, addr, (size_t) len);
  for (size_t i = 0; !place && i < heap->nr_libraries; i++)
    {
      const struct cs_heap_library *l = &heap->libraries[i];

      if (addr >= l->addr && addr - l->addr <= l->len
          && len <= l->len - (addr - l->addr))
        place = l->image + (addr - l->addr);
    }
  return place;
}

bool
cs_heap_word (const struct cs_heap *heap, uint64_t addr, uint64_t i,
              uint64_t *word)
{
  const void *place;
  uint64_t off = i * heap->word_len;
  uint32_t half;

  if (i > UINT64_MAX / 8 || addr + off < addr)
    return false;
  place = cs_heap_view (heap, addr + off, heap->word_len);
  if (!place)
    return false;
  if (heap->word_len == 8)
    memcpy (word, place, 8);
  else
    {
      memcpy (&half, place, 4);
      *word = half;
    }
  return true;
}

const char *
cs_heap_c_string (const struct cs_heap *heap, uint64_t addr)
{
  const char *c;
  uint64_t len = 0;

  do
    {
      c = cs_heap_view (heap, addr, ++len);
      if (!c || len > C_STRING_MAX
          || (c[len - 1] && (unsigned char) (c[len - 1] - 0x20) >= 0x7f - 0x20))
        return "";
    }
  while (c[len - 1]);
  return c;
}
