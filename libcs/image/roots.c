/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots.c -- where the collector of a workspace begins.  */

#include <stdio.h>
#include <string.h>

#include "image/roots.h"
#include "image/sections.h"
#include "intern/library.h"

/* Does ADDR lie in what the interpreter mapped?  */
static bool
is_heap_address (const struct cs_store *store, uint64_t addr)
{
  const struct cs_extent_disk *e = cs_store_extent_at (store, addr);

  return e && e->kind == CS_EXTENT_HEAP;
}

static uint64_t
count_pointers (const struct cs_heap *heap, const struct cs_root_range *range)
{
  uint64_t word, count = 0;

  for (uint64_t i = 0; i < range->len / heap->word_len; i++)
    if (cs_heap_word (heap, range->addr, i, &word)
        && is_heap_address (heap->store, word))
      count++;
  return count;
}

static void
add (const struct cs_store *store, struct cs_root_range *range,
     enum cs_root_kind kind, const char *name, uint64_t addr, uint64_t len)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);
  const struct cs_heap heap = { .store = store, .word_len = sb->word_len };

  *range = (struct cs_root_range) { .kind = kind, .addr = addr, .len = len };
  snprintf (range->name, sizeof range->name, "%s", name);
  /* A length that cannot be right is not worth a walk.  */
  if (sb->word_len != 0 && len <= sb->committed)
    range->nr_pointers = count_pointers (&heap, range);
}

int
cs_root_ranges (const struct cs_store *store, struct cs_root_range *ranges,
                size_t *nr, struct cs_err *err)
{
  struct cs_library_cursor cursor = { 0 };
  const uint64_t base = cs_store_superblock (store)->base;
  size_t len, offset;
  const char *section = cs_store_section (store, "guile", &len);
  int r;

  *nr = 0;
  if (!cs_image_guile (store, err))
    return err->code;
  while ((r = cs_library_next (store, &cursor, err)) > 0)
    {
      const struct cs_library_disk *l = cursor.library;

      if (*nr + 1 < CS_ROOT_RANGES_MAX && l->data_len > 0
          && !(l->flags & CS_LIBRARY_RESTART))
        add (store, &ranges[(*nr)++], CS_ROOT_LIBRARY, l->soname,
             l->data_addr, l->data_len);
    }
  if (r < 0)
    return r;
  /* A view of the first byte of the region is the image's beginning.  */
  offset = (size_t) (section - (const char *) cs_store_view (store, base, 1));
  add (store, &ranges[(*nr)++], CS_ROOT_SECTION, "guile", base + offset,
       sizeof (struct cs_guile_disk));
  return 0;
}

size_t
cs_named_roots (const struct cs_heap *heap, struct cs_named_root *roots)
{
  const struct cs_named_root all[CS_NAMED_ROOTS_MAX] = {
    { "modules", heap->modules },
    { "dynamic-state", heap->dynamic_state },
    { "standard-input", heap->ports[0] },
    { "standard-output", heap->ports[1] },
    { "standard-error", heap->ports[2] },
    { "before-checkpoint-hook", heap->before_checkpoint },
    { "after-resume-hook", heap->after_resume },
    { "park", heap->park }
  };
  size_t nr = 0;

  for (size_t i = 0; i < CS_NAMED_ROOTS_MAX; i++)
    if (all[i].value)
      roots[nr++] = all[i];
  return nr;
}
