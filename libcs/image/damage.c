/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* damage.c -- what is hit where a checksum is wrong.  */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/damage.h"
#include "intern/library.h"

#define NAMED_MAX 20            /* damages told one by one */

struct finder
{
  struct cs_store *store;
  cs_image_found *found;
  void *closure;
  size_t nr;
};

/* Does ADDR lie in the copy of an extension?  The others are in sections.  */
static bool
is_in_copy (const struct cs_store *store,
            const struct cs_library_cursor *cursor, uint64_t addr)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_extensions_disk *extensions
    = cs_library_extensions (store, &err);
  const struct cs_library_disk *l = cursor->library;

  return extensions && cursor->nr_block > 0
         && addr - extensions->items[cursor->nr_block - 1].block - l->copy
              < l->copy_len;
}

/* The part of a carried library that ADDR is in; false: none.  */
static bool
name_library (const struct cs_store *store, uint64_t addr, char *text,
              size_t len)
{
  struct cs_library_cursor cursor = { 0 };
  struct cs_err err = CS_ERR_INIT;
  const struct cs_library_disk *l;
  const char *part;

  while (cs_library_next (store, &cursor, &err) > 0)
    {
      l = cursor.library;
      part = addr - l->data_addr < l->data_len ? "data"
             : is_in_copy (store, &cursor, addr) ? "copy" : NULL;
      if (!part)
        continue;
      snprintf (text, len, "%s of %s", part, l->soname);
      return true;
    }
  return false;
}

static void
name_owner (const struct cs_store *store, uint64_t addr, char *text,
            size_t len)
{
  const struct cs_directory_disk *d = cs_image_directory (store);
  const struct cs_extent_disk *e = cs_image_extents (store);
  uint64_t off = addr - cs_store_superblock (store)->base;

  if (name_library (store, addr, text, len))
    return;
  snprintf (text, len, "free space");
  for (uint32_t i = 0; i < d->nr_extents; i++)
    if (off - e[i].off < e[i].len)
      snprintf (text, len, "%s", cs_image_extent_kind (e[i].kind));
  for (uint32_t i = 0; i < d->nr_sections; i++)
    if (off - d->sections[i].off < d->sections[i].len)
      snprintf (text, len, "section '%.8s'", d->sections[i].name);
}

static void
describe (const struct cs_store *store, const struct cs_damage *damage,
          struct cs_err *err)
{
  char owner[96];

  if (strcmp (damage->structure, "page") == 0)
    {
      name_owner (store, damage->addr, owner, sizeof owner);
      cs_err_set (err, CS_E_DAMAGED, "%s at 0x%" PRIx64 " (%s), offset %"
                  PRIu64 ": checksum: expected 0x%08" PRIx32 ", found 0x%08"
                  PRIx32, damage->structure, damage->addr, owner,
                  damage->off, damage->expected, damage->found);
    }
  else if (strcmp (damage->structure, "history") == 0)
    cs_err_set (err, CS_E_DAMAGED, "history: what leads back to generation %"
                PRIu64 " is damaged", damage->off);
  else if (strcmp (damage->structure, "log") == 0)
    cs_err_set (err, CS_E_DAMAGED, "log at offset %" PRIu64 ": a commit that"
                " was cut off, or is damaged", damage->off);
  else if (strcmp (damage->structure, "log record") == 0)
    cs_err_set (err, CS_E_DAMAGED, "log record at offset %" PRIu64 ": its "
                "pages are not as they were written", damage->off);
  else
    cs_err_set (err, CS_E_DAMAGED, "%s at offset %" PRIu64 ": checksum: "
                "expected 0x%08" PRIx32 ", found 0x%08" PRIx32,
                damage->structure, damage->off, damage->expected,
                damage->found);
}

static void
tell (void *closure, const struct cs_damage *damage)
{
  struct finder *f = closure;
  struct cs_err err = CS_ERR_INIT;

  if (f->nr++ >= NAMED_MAX)
    return;
  describe (f->store, damage, &err);
  f->found (f->closure, "checksums", &err);
}

size_t
cs_image_checksums (struct cs_store *store, cs_image_found *found,
                      void *closure)
{
  struct finder f = { store, found, closure, 0 };
  struct cs_err err = CS_ERR_INIT;
  int code = cs_store_verify (store, tell, &f, &err);

  if (f.nr > NAMED_MAX)
    cs_err_set (&err, CS_E_DAMAGED, "and %zu more", f.nr - NAMED_MAX);
  if (code < 0 || f.nr > NAMED_MAX)
    found (closure, "checksums", &err);
  else if (f.nr == 0)
    found (closure, "checksums", NULL);
  return f.nr > 0 || code < 0;
}
