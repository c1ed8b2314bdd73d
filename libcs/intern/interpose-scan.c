/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-scan.c -- which words of a library the policy replaces.  */

#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "intern/interpose-private.h"

/* Is the word of RELOC, of KIND, the address of a function and nothing
   else?  */
static bool
is_address (const struct cs_object *o, const struct cs_object_table *t,
            const ElfW (Rel) *reloc, enum cs_reloc_kind kind)
{
  if (kind != CS_RELOC_ABSOLUTE)
    return kind == CS_RELOC_JUMP_SLOT || kind == CS_RELOC_GLOB_DAT;
  /* A Rel's addend was in the word; what is there now tells.  */
  return t->entry_len == sizeof (ElfW (Rela))
           ? ((const ElfW (Rela) *) reloc)->r_addend == 0
           : cs_object_has_word (o, reloc->r_offset);
}

/* Note the word of RELOC for replacement NUMBER; false if there is no
   room.  */
static bool
add_slot (struct cs_interpose_disk *section, const struct cs_object *o,
          const ElfW (Rel) *reloc, enum cs_reloc_kind kind, long number)
{
  if (number < 0 || section->nr_slots == CS_INTERPOSE_SLOTS_MAX)
    return false;
  section->slots[section->nr_slots++] = (struct cs_interpose_slot_disk) {
    .off = reloc->r_offset, .replacement = (uint32_t) number,
    .relro = o->addr + reloc->r_offset - o->relro < o->relro_len,
    .variable = kind == CS_RELOC_ABSOLUTE
  };
  return true;
}

static int
look_up_table (struct cs_binder *b, const struct cs_object *o,
               const struct cs_object_table *t,
               struct cs_interpose_record_disk *record)
{
  const ElfW (Sym) *symbols
    = (const ElfW (Sym) *) cs_object_addr (o, DT_SYMTAB);
  const char *strings = (const char *) cs_object_addr (o, DT_STRTAB);
  enum cs_reloc_kind kind;
  const char *replacement;
  const ElfW (Rel) *reloc;

  for (size_t off = 0; off + t->entry_len <= t->len; off += t->entry_len)
    {
      /* A Rela begins as a Rel does.  */
      reloc = (const ElfW (Rel) *) (t->start + off);
      kind = cs_arch_native ()->reloc_kind (cs_object_reloc_type (reloc));
      if (!is_address (o, t, reloc, kind))
        continue;
      replacement = cs_policy_replacement
        (b->policy, o->soname,
         strings + symbols[cs_object_reloc_symbol (reloc)].st_name);
      if (!replacement)
        continue;
      if (!add_slot (b->section, o, reloc, kind,
                     cs_interpose_number (b->section, replacement)))
        return -ENOSPC;
      record->nr_slots++;
    }
  return 0;
}

int
cs_policy_of_store (const struct cs_store *store, struct cs_policy **policy,
                   struct cs_err *err)
{
  size_t len;
  const char *text = cs_store_section (store, "policy", &len);

  *policy = NULL;
  if (!text)
    return cs_err_set (err, CS_E_DAMAGED, "'%s': no section 'policy'",
                       cs_store_path (store));
  return cs_policy_parse ("policy of the store", text, strnlen (text, len),
                          NULL, NULL, policy, err);
}

/* Look up the words of O that the policy replaces, and keep them; NULL if
   there is no room.  */
static struct cs_interpose_record_disk *
look_up_object (struct cs_binder *b, const struct cs_object *o)
{
  struct cs_object_table tables[3];
  struct cs_interpose_record_disk *record
    = cs_interpose_record_add (b->section, o);
  int code = 0;

  cs_object_tables (o, tables);
  for (size_t i = 0; record && i < 3; i++)
    if (code == 0 && tables[i].start)
      code = look_up_table (b, o, &tables[i], record);
  if (code == 0)
    return record;
  cs_interpose_record_drop (b->section, record);
  return NULL;
}

int
cs_interpose_look_up (struct cs_binder *b, const struct cs_object *o,
                      struct cs_interpose_record_disk **result,
                      struct cs_err *err)
{
  struct cs_interpose_disk *section = b->section;
  int code = b->policy ? 0 : cs_policy_of_store (b->store, &b->policy, err);

  if (code != 0)
    return code;
  *result = look_up_object (b, o);
  if (!*result)
    {
      /* Old builds filled it: begin again, today's are looked up.  */
      section->nr_records = section->nr_slots = section->nr_names = 0;
      memset (b->found, 0, sizeof b->found);
      *result = look_up_object (b, o);
    }
  if (!*result)
    return cs_err_set (err, CS_E_REFUSED,
                       "'%s': no room for the replaced calls of '%s'",
                       cs_store_path (b->store), o->soname);
  return 0;
}
