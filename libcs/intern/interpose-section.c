/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-section.c -- section "imports": its check, its records.  */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/interpose-private.h"
#include "intern/section.h"

#define FITS(member, max) \
  cs_field_between (s, CS_FIELD (all, member, i), all->member, 0, max)

static bool
counts_fit (const struct cs_section *s, const struct cs_interpose_disk *all)
{
  const size_t i = 0;

  return FITS (nr_records, CS_INTERPOSE_RECORDS_MAX)
         && FITS (nr_slots, CS_INTERPOSE_SLOTS_MAX)
         && FITS (nr_names, CS_LIBRARY_REPLACEMENTS_MAX);
}

/* A text that fills its array has no end.  */
static bool
names_fit (const struct cs_section *s, const struct cs_interpose_disk *all)
{
  const size_t last = CS_INTERPOSE_NAME_MAX - 1;

  for (uint32_t i = 0; i < all->nr_names; i++)
    if (!cs_field_ends_text (s, CS_FIELD (all, names[i], i),
                             all->names[i][last]))
      return false;
  return true;
}

static bool
records_fit (const struct cs_section *s, const struct cs_interpose_disk *all)
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

struct cs_interpose_disk *
cs_interpose_read (const struct cs_store *store, struct cs_err *err)
{
  static const struct cs_section_kind kind = {
    .name = "imports", .magic = CS_INTERPOSE_MAGIC,
    .len = sizeof (struct cs_interpose_disk)
  };
  struct cs_section s;
  struct cs_interpose_disk *all;

  if (!cs_section_open (&s, store, &kind, err))
    return NULL;
  all = s.start;
  return counts_fit (&s, all) && names_fit (&s, all) && records_fit (&s, all)
           ? all : NULL;
}

int
cs_interpose_create (struct cs_store *store, const struct cs_policy *policy,
                   struct cs_err *err)
{
  struct cs_interpose_disk *section;
  size_t len;
  const char *text = cs_policy_text (policy, &len);
  void *start, *copy;
  int code = cs_store_section_create (store, "imports", sizeof *section,
                                      PROT_READ | PROT_WRITE, &start);

  if (code == 0)
    code = cs_store_section_create (store, "policy", len + 1,
                                    PROT_READ | PROT_WRITE, &copy);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'imports'");
  section = start;
  memcpy (section->magic, CS_INTERPOSE_MAGIC, sizeof section->magic);
  memcpy (copy, text, len);
  return 0;
}

struct cs_interpose_record_disk *
cs_interpose_record_find (struct cs_interpose_disk *section,
                          const struct cs_object *o)
{
  struct cs_interpose_record_disk *r = section->records;

  for (uint32_t i = 0; i < section->nr_records; i++, r++)
    if (r->build_id_len > 0 && r->build_id_len == o->build_id_len
        && memcmp (r->build_id, o->build_id, o->build_id_len) == 0)
      return r;
  return NULL;
}

long
cs_interpose_number (struct cs_interpose_disk *section, const char *name)
{
  uint32_t i = 0;

  while (i < section->nr_names && strcmp (section->names[i], name) != 0)
    i++;
  if (i == CS_LIBRARY_REPLACEMENTS_MAX
      || strlen (name) >= CS_INTERPOSE_NAME_MAX)
    return -ENOSPC;
  if (i == section->nr_names)
    {
      strcpy (section->names[i], name);
      section->nr_names++;
    }
  return (long) i;
}

struct cs_interpose_record_disk *
cs_interpose_record_add (struct cs_interpose_disk *section,
                         const struct cs_object *o)
{
  struct cs_interpose_record_disk *record;

  if (section->nr_records == CS_INTERPOSE_RECORDS_MAX)
    return NULL;
  record = &section->records[section->nr_records++];
  memset (record, 0, sizeof *record);
  strncpy (record->soname, o->soname, sizeof record->soname - 1);
  if (o->build_id_len > 0)
    memcpy (record->build_id, o->build_id, o->build_id_len);
  record->build_id_len = o->build_id_len;
  record->first_slot = section->nr_slots;
  return record;
}

void
cs_interpose_record_drop (struct cs_interpose_disk *section,
                          const struct cs_interpose_record_disk *record)
{
  section->nr_slots = record->first_slot;
  section->nr_records--;
}
