/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library.c -- blocks of carried libraries: reading them; finding files.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intern/library-private.h"
#include "machine.h"

/* Does [OFF, OFF + COUNT * SIZE) lie in LEN bytes?  */
static bool
fits (uint64_t off, uint64_t count, uint64_t size, uint64_t len)
{
  return off <= len && count <= (len - off) / size;
}

bool
cs_library_is_contiguous (const struct cs_library_disk *library)
{
  const struct cs_library_segment_disk *s = library->segments;

  for (uint32_t i = 1; i < library->nr_segments; i++)
    if (s[i].addr - s[0].addr != s[i].copy - s[0].copy
        || s[i].addr != s[i - 1].addr + s[i - 1].len)
      return false;
  return library->nr_segments > 0;
}

/* A segment is mapped at its address: it must be the library's (L1).  */
static bool
segments_are_sound (const struct cs_library_disk *library)
{
  const struct cs_library_segment_disk *s = library->segments;

  if (library->nr_segments > CS_LIBRARY_SEGMENTS_MAX)
    return false;
  for (uint32_t i = 0; i < library->nr_segments; i++, s++)
    if (s->len == 0 || (s->addr | s->len | s->copy) % CS_STORE_PAGE_LEN != 0
        || !fits (s->addr - library->addr, s->len, 1, library->len)
        || s->copy < library->copy
        || s->copy - library->copy >= library->copy_len)
      return false;
  return !(library->flags & CS_LIBRARY_FLAT)
         || cs_library_is_contiguous (library);
}

/* Words are read and written there: whole pages, data inside.  */
static bool
ranges_are_sound (const struct cs_library_disk *library)
{
  return (library->addr | library->len | library->data_addr
          | library->data_len) % CS_STORE_PAGE_LEN == 0
         && library->len > 0 && library->len <= UINT64_MAX - library->addr
         && library->data_len <= library->len
         && (library->data_len == 0
             || library->data_addr - library->addr
                  <= library->len - library->data_len);
}

static bool
library_is_sound (const struct cs_libraries_disk *libraries,
                  const struct cs_library_disk *library)
{
  return ranges_are_sound (library) && segments_are_sound (library)
         && library->path < libraries->names_len
         && library->copy % CS_STORE_PAGE_LEN == 0
         && fits (library->copy, library->copy_len, 1, libraries->len)
         && fits (library->first_slot, library->nr_slots, 1,
                  libraries->nr_slots)
         && memchr (library->soname, 0, sizeof library->soname)
         && memchr (library->build_id, 0, sizeof library->build_id);
}

static bool
block_is_sound (const struct cs_libraries_disk *libraries, size_t len)
{
  const struct cs_libraries_disk *l = libraries;

  if (l->len > len || l->len < sizeof *l || l->count > CS_LIBRARIES_MAX
      || !fits (sizeof *l, l->count, sizeof (struct cs_library_disk), l->len)
      || !fits (l->slots, l->nr_slots, sizeof (struct cs_library_slot_disk),
                l->len)
      || !fits (l->imports, l->nr_imports,
                sizeof (struct cs_library_import_disk), l->len)
      || l->slots % _Alignof (struct cs_library_slot_disk) != 0
      || l->imports % _Alignof (struct cs_library_import_disk) != 0
      || l->names_len == 0 || !fits (l->names, l->names_len, 1, l->len)
      || ((const char *) l)[l->names + l->names_len - 1] != '\0'
      || l->nr_replacements > CS_LIBRARY_REPLACEMENTS_MAX)
    return false;
  for (uint32_t i = 0; i < l->nr_replacements; i++)
    if (l->replacements[i] >= l->names_len)
      return false;
  for (uint32_t i = 0; i < l->count; i++)
    if (!library_is_sound (l, cs_library_get (l, i)))
      return false;
  return true;
}

static int
check_block (const struct cs_store *store,
             const struct cs_libraries_disk *libraries, size_t len,
             struct cs_err *err)
{
  if (!libraries || len < sizeof *libraries
      || memcmp (libraries->magic, CS_LIBRARIES_MAGIC,
                 sizeof libraries->magic) != 0)
    return cs_err_set (err, CS_E_DAMAGED, "'%s': no section of carried"
                       " libraries", cs_store_path (store));
  if (libraries->version != CS_LIBRARIES_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%s': carried libraries of version %u, expected %d",
                       cs_store_path (store), libraries->version,
                       CS_LIBRARIES_VERSION);
  if (!block_is_sound (libraries, len))
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%s': carried libraries: an offset leads out of its"
                       " section", cs_store_path (store));
  return 0;
}

/* Does item I lead to a block that lies in the image?  */
static int
check_item (const struct cs_store *store,
            const struct cs_extensions_disk *extensions, uint32_t i,
            struct cs_err *err)
{
  const struct cs_extension_disk *item = &extensions->items[i];

  if (item->len <= SIZE_MAX && item->block % CS_STORE_PAGE_LEN == 0
      && cs_store_view (store, item->block, (size_t) item->len))
    return 0;
  return cs_err_set (err, CS_E_DAMAGED,
                     "'%s': section 'exts': extension %" PRIu32 ": expected a"
                     " block of the image, found 0x%" PRIx64 " + 0x%" PRIx64,
                     cs_store_path (store), i, item->block, item->len);
}

struct cs_extensions_disk *
cs_library_extensions (const struct cs_store *store, struct cs_err *err)
{
  size_t len;
  struct cs_extensions_disk *extensions = cs_store_section (store, "exts",
                                                            &len);

  if (!extensions || len < sizeof *extensions
      || memcmp (extensions->magic, CS_EXTENSIONS_MAGIC,
                 sizeof extensions->magic) != 0
      || extensions->count > CS_EXTENSIONS_MAX)
    {
      cs_err_set (err, CS_E_DAMAGED,
                  "'%s': section 'exts' is missing or damaged",
                  cs_store_path (store));
      return NULL;
    }
  if (extensions->version == CS_EXTENSIONS_VERSION)
    return extensions;
  cs_err_set (err, CS_E_INCOMPATIBLE,
              "'%s': section 'exts' of version %u, expected %d",
              cs_store_path (store), extensions->version,
              CS_EXTENSIONS_VERSION);
  return NULL;
}

const struct cs_libraries_disk *
cs_library_block (const struct cs_store *store, uint32_t i,
                  struct cs_err *err)
{
  const struct cs_extensions_disk *extensions;
  const struct cs_libraries_disk *block;
  size_t len = 0;

  if (i == 0)
    block = cs_store_section (store, "libs", &len);
  else
    {
      extensions = cs_library_extensions (store, err);
      if (!extensions || check_item (store, extensions, i - 1, err) != 0)
        return NULL;
      len = (size_t) extensions->items[i - 1].len;
      block = cs_store_view (store, extensions->items[i - 1].block, len);
    }
  return check_block (store, block, len, err) == 0 ? block : NULL;
}

int
cs_library_next (const struct cs_store *store,
                 struct cs_library_cursor *cursor, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  const struct cs_extensions_disk *extensions
    = cs_library_extensions (store, err ? err : &own);

  if (!extensions)
    return -CS_E_DAMAGED;
  if (cursor->block)
    cursor->nr++;
  while (!cursor->block || cursor->nr == cursor->block->count)
    {
      if (cursor->block && ++cursor->nr_block > extensions->count)
        return 0;
      cursor->nr = 0;
      cursor->block = cs_library_block (store, cursor->nr_block,
                                        err ? err : &own);
      if (!cursor->block)
        return err ? err->code : own.code;
    }
  cursor->library = cs_library_get (cursor->block, cursor->nr);
  return 1;
}

const struct cs_library_disk *
cs_library_get (const struct cs_libraries_disk *libraries, uint32_t i)
{
  return (const struct cs_library_disk *) (libraries + 1) + i;
}

static const void *
at (const struct cs_libraries_disk *libraries, uint64_t off)
{
  return (const char *) libraries + off;
}

const struct cs_library_slot_disk *
cs_library_slots (const struct cs_libraries_disk *libraries,
                  const struct cs_library_disk *library)
{
  const struct cs_library_slot_disk *slots = at (libraries, libraries->slots);

  return slots + library->first_slot;
}

static int
compare_address (const void *key, const void *slot)
{
  uint64_t addr = *(const uint64_t *) key;
  uint64_t other = ((const struct cs_library_slot_disk *) slot)->addr;

  return addr < other ? -1 : addr > other;
}

/* Behind two of ld.so's own, which come first, a library's slots are in the
   order of their addresses (library-carry.c).  */
static bool
is_slot_of (const struct cs_library_loaded *item, uint64_t addr)
{
  const struct cs_library_slot_disk *slots
    = cs_library_slots (item->block, item->library);
  uint32_t nr = item->library->nr_slots, own = nr < 2 ? nr : 2;

  for (uint32_t i = 0; i < own; i++)
    if (slots[i].addr == addr)
      return true;
  return bsearch (&addr, slots + own, nr - own, sizeof *slots,
                  compare_address) != NULL;
}

bool
cs_library_is_slot (const struct cs_library_set *set, uint64_t addr)
{
  for (size_t i = 0; i < set->nr; i++)
    {
      const struct cs_library_loaded *item = &set->items[i];
      const struct cs_library_disk *library = item->library;

      if (!item->restart && addr - library->addr < library->len)
        return is_slot_of (item, addr);
    }
  return false;
}

const struct cs_library_import_disk *
cs_library_imports (const struct cs_libraries_disk *libraries)
{
  return at (libraries, libraries->imports);
}

const char *
cs_library_name (const struct cs_libraries_disk *libraries, uint32_t off)
{
  return off < libraries->names_len ? at (libraries, libraries->names + off)
                                    : "";
}

int
cs_library_find (const char *soname, char *path, size_t len)
{
  /* ld.so(8) and, for the first two, the multiarch folders of Debian.  */
  static const char *const folders[] = {
    "/lib/" CS_MACHINE_TRIPLET, "/usr/lib/" CS_MACHINE_TRIPLET,
    "/usr/local/lib", "/lib64", "/usr/lib64", "/lib", "/usr/lib"
  };
  int n;

  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    {
      n = snprintf (path, len, "%s/%s", folders[i], soname);
      if (n > 0 && (size_t) n < len && access (path, R_OK) == 0)
        return 0;
    }
  return -ENOENT;
}
