/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imports-check.c -- checking section "imports".  */

#include "intern/imports.h"
#include "intern/section.h"

#define FITS(member, max) \
  cs_field_between (s, CS_FIELD (all, member, i), all->member, 0, max)

static bool
counts_fit (const struct cs_section *s, const struct cs_imports_disk *all)
{
  const size_t i = 0;

  return FITS (nr_records, CS_IMPORTS_RECORDS_MAX)
         && FITS (nr_slots, CS_IMPORTS_SLOTS_MAX)
         && FITS (nr_names, CS_LIBRARY_REPLACEMENTS_MAX);
}

/* A text that fills its array has no end.  */
static bool
names_fit (const struct cs_section *s, const struct cs_imports_disk *all)
{
  const size_t last = CS_IMPORTS_NAME_MAX - 1;

  for (uint32_t i = 0; i < all->nr_names; i++)
    if (!cs_field_ends_text (s, CS_FIELD (all, names[i], i),
                             all->names[i][last]))
      return false;
  return true;
}

static bool
records_fit (const struct cs_section *s, const struct cs_imports_disk *all)
{
  const size_t last = sizeof all->records->soname - 1;

  for (uint32_t i = 0; i < all->nr_records; i++)
    if (!cs_field_ends_text (s, CS_FIELD (all, records[i].soname, i),
                             all->records[i].soname[last])
        || !FITS (records[i].build_id_len, sizeof all->records->build_id)
        || !FITS (records[i].first_slot, all->nr_slots)
        || !FITS (records[i].nr_slots,
                  all->nr_slots - all->records[i].first_slot))
      return false;
  return true;
}

struct cs_imports_disk *
cs_imports_read (const struct cs_store *store, struct cs_err *err)
{
  static const struct cs_section_kind kind = {
    .name = "imports", .magic = CS_IMPORTS_MAGIC,
    .len = sizeof (struct cs_imports_disk)
  };
  struct cs_section s;
  struct cs_imports_disk *all;

  if (!cs_section_open (&s, store, &kind, err))
    return NULL;
  all = s.start;
  return counts_fit (&s, all) && names_fit (&s, all) && records_fit (&s, all)
           ? all : NULL;
}
