/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap-memory.c -- bytes, words and C strings of an image.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/heap.h"
#include "image/sections.h"

#define C_STRING_MAX 64

int
cs_heap_index (struct cs_heap *heap)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (heap->store);
  const struct cs_extent_disk *e = cs_image_extents (heap->store);
  uint32_t nr = cs_image_directory (heap->store)->nr_extents;
  uint64_t page, end, len = sb->committed / CS_STORE_PAGE_LEN;

  heap->pages = calloc (len / 64 + 1, sizeof *heap->pages);
  if (!heap->pages)
    return -ENOMEM;
  heap->base = sb->base;
  heap->image_len = sb->committed;
  heap->image = cs_store_view (heap->store, sb->base, 1);
  for (; nr > 0 && heap->image; nr--, e++)
    {
      page = e->off / CS_STORE_PAGE_LEN;
      end = page + e->len / CS_STORE_PAGE_LEN;
      if (cs_store_view (heap->store, sb->base + e->off, (size_t) e->len))
        for (; page < end && page < len; page++)
          heap->pages[page / 64] |= (uint64_t) 1 << page % 64;
    }
  return 0;
}

/* LEN bytes at ADDR, if the index has the page that they all lie in.  */
static inline const void *
view_in_page (const struct cs_heap *heap, uint64_t addr, uint64_t len)
{
  uint64_t off = addr - heap->base, page = off / CS_STORE_PAGE_LEN;

  if (!heap->pages || off >= heap->image_len || !heap->image
      || len > CS_STORE_PAGE_LEN - off % CS_STORE_PAGE_LEN
      || !(heap->pages[page / 64] >> page % 64 & 1))
    return NULL;
  return heap->image + off;
}

const void *
cs_heap_view (const struct cs_heap *heap, uint64_t addr, uint64_t len)
{
  const void *place = view_in_page (heap, addr, len);

  if (place)
    return place;
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
