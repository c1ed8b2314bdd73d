/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-bind.c -- leading calls of libraries that are not carried to
   their replacements.  */

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/interpose-private.h"
#include "report.h"

/* The replacement called section->names[I], or NULL.  Many words have the
   same.  */
static void *
find_replacement (struct cs_binder *b, uint32_t i)
{
  if (!b->found[i])
    b->found[i] = b->find (b->section->names[i]);
  return b->found[i];
}

/* Nothing is written before all of RECORD was checked.  */
static int
check_words (struct cs_binder *b, const struct cs_object *o,
             const struct cs_interpose_record_disk *record, struct cs_err *err)
{
  const struct cs_interpose_disk *section = b->section;
  const struct cs_interpose_slot_disk *slot
    = section->slots + record->first_slot;

  for (uint32_t i = 0; i < record->nr_slots; i++, slot++)
    {
      if (slot->replacement >= section->nr_names
          || !cs_object_has_word (o, slot->off))
        return cs_err_set (err, CS_E_DAMAGED,
                           "'%s': section 'imports': word %u of '%s' is not"
                           " in its data", cs_store_path (b->store), i,
                           o->soname);
      if (!find_replacement (b, slot->replacement))
        return cs_err_set (err, CS_E_INCOMPATIBLE,
                           "'%s': the replacement '%s' for calls of '%s'"
                           " does not exist", cs_store_path (b->store),
                           section->names[slot->replacement], o->soname);
    }
  return 0;
}

/* Does ADDR still lead to libc?  A variable that the program has set since
   keeps its value.  */
static bool
is_libc_address (const struct cs_binder *b, uintptr_t addr)
{
  for (size_t i = 0; i < b->objects.nr; i++)
    if (strncmp (b->objects.items[i].soname, "libc.so.", 8) == 0)
      return addr >= b->objects.items[i].addr
             && addr < b->objects.items[i].data_end;
  return false;
}

static void
write_word (struct cs_binder *b, const struct cs_object *o,
            const struct cs_interpose_slot_disk *slot)
{
  uintptr_t *word = (uintptr_t *) (uintptr_t) (o->addr + slot->off);

  if (!slot->variable || is_libc_address (b, *word))
    *word = (uintptr_t) find_replacement (b, slot->replacement);
}

static int
write_words (struct cs_binder *b, const struct cs_object *o,
             const struct cs_interpose_record_disk *record)
{
  const struct cs_interpose_slot_disk *slot
    = b->section->slots + record->first_slot;
  bool open = false;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < record->nr_slots; i++, slot++)
    {
      if (slot->relro && !open)
        {
          code = cs_object_protect (o, PROT_READ | PROT_WRITE);
          open = code == 0;
        }
      if (code == 0)
        write_word (b, o, slot);
    }
  if (open && code == 0)
    code = cs_object_protect (o, PROT_READ);
  return code;
}

/* The last start had another build of this library: say so.  */
static void
use_record (struct cs_binder *b, struct cs_interpose_record_disk *record)
{
  struct cs_interpose_record_disk *r = b->section->records;

  if (record->in_use)
    return;
  b->changed = true;
  if (record->build_id_len == 0)
    return;
  record->in_use = 1;
  for (uint32_t i = 0; i < b->section->nr_records; i++, r++)
    if (r != record && r->in_use && strcmp (r->soname, record->soname) == 0)
      {
        r->in_use = 0;
        cs_report (CS_REPORT_CHANGED, "library '%s': another build of it",
                   record->soname);
      }
}

/* A library that is never changed.  */
static void
note_object (struct cs_binder *b, const struct cs_object *o)
{
  struct cs_interpose_record_disk *record
    = cs_interpose_record_find (b->section, o);

  if (!record && o->build_id_len > 0)
    record = cs_interpose_record_add (b->section, o);
  if (record)
    use_record (b, record);
}

static int
bind_object (struct cs_binder *b, const struct cs_object *o,
             struct cs_err *err)
{
  struct cs_interpose_record_disk *record
    = cs_interpose_record_find (b->section, o);
  int code = record ? 0 : cs_interpose_look_up (b, o, &record, err);

  if (code == 0)
    code = check_words (b, o, record, err);
  if (code != 0)
    return code;
  use_record (b, record);
  code = write_words (b, o, record);
  if (record->build_id_len == 0)
    cs_interpose_record_drop (b->section, record);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot replace calls of '%s'",
                       o->soname);
  return 0;
}

static int
find_closure (struct cs_binder *b, const struct cs_library_set *set)
{
  struct link_map *map;
  struct cs_object carried;
  int code = cs_objects_read (&b->objects, b->store);

  for (size_t i = 0; code == 0 && i < set->nr; i++)
    {
      if (dlinfo (set->items[i].handle, RTLD_DI_LINKMAP, &map) != 0)
        continue;
      carried = (struct cs_object) {
        .addr = map->l_addr, .dynamic = map->l_ld
      };
      cs_objects_mark_needed (&b->objects, &carried);
    }
  return code;
}

static int
bind_all (struct cs_binder *b, const struct cs_library_set *set,
          struct cs_err *err)
{
  int code = find_closure (b, set);

  if (code != 0)
    return cs_err_sys (err, -code, "cannot look at the libraries");
  for (size_t i = 0; code == 0 && i < b->objects.nr; i++)
    if (b->objects.items[i].needed && !b->objects.items[i].never)
      code = bind_object (b, &b->objects.items[i], err);
    else if (b->objects.items[i].needed
             && !cs_store_contains (b->store, b->objects.items[i].dynamic))
      note_object (b, &b->objects.items[i]);
  return code;
}

int
cs_interpose_bind (struct cs_store *store, const struct cs_library_set *set,
                 cs_library_replacement *find, bool *changed,
                 struct cs_err *err)
{
  struct cs_binder b = { .store = store, .find = find };
  int code;

  b.section = cs_interpose_read (store, err);
  if (!b.section)
    return -CS_E_DAMAGED;
  code = bind_all (&b, set, err);
  if (changed)
    *changed = b.changed;
  cs_objects_fini (&b.objects);
  cs_policy_free (b.policy);
  return code;
}
