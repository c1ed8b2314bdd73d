/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-carry.c -- writing the section "libs" of a new store.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/intern.h"
#include "intern/library.h"

/* Where the libraries lie in the region, and the distance between them: more
   than any p_align in use, so that ld.so's alignment changes nothing (glibc
   2.36, elf/dl-map-segments.h, _dl_map_segment).  */
#define FIRST_OFF ((uint64_t) 16 << 20)
#define DISTANCE ((uint64_t) 2 << 20)

struct part                     /* a growing array */
{
  char *data;
  size_t len, room;
};

struct plan                     /* one library */
{
  const struct cs_elf *elf;
  uint64_t addr;
  struct cs_rebased rebased;
};

struct carry
{
  struct cs_store *store;
  struct cs_policy *policy;
  struct cs_table_disk *table;
  cs_library_replacement *find;
  struct plan plans[CS_LIBRARIES_MAX];
  size_t nr;
  const struct plan *current;   /* the one being rebased */
  struct cs_libraries_disk head;
  struct part slots, floats, names;
  int code;                     /* the first failure inside the resolver */
  const char *unnamed;          /* -ENOENT: a symbol that is not interned */
};

static int
append (struct part *part, const void *data, size_t len)
{
  size_t room = part->room ? part->room : 4096;
  char *grown;

  while (room - part->len < len)
    room *= 2;
  if (room != part->room)
    {
      grown = realloc (part->data, room);
      if (!grown)
        return -ENOMEM;
      part->data = grown;
      part->room = room;
    }
  memcpy (part->data + part->len, data, len);
  part->len += len;
  return 0;
}

/* Offset of NAME in the names, which begin with an empty one.  */
static uint32_t
add_name (struct carry *c, const char *name)
{
  uint32_t off = (uint32_t) c->names.len;

  if (append (&c->names, name, strlen (name) + 1) != 0)
    c->code = -ENOMEM;
  return off;
}

/* The number of replacement NAME.  */
static uint32_t
number_replacement (struct carry *c, const char *name)
{
  for (uint32_t i = 0; i < c->head.nr_replacements; i++)
    if (strcmp (c->names.data + c->head.replacements[i], name) == 0)
      return i;
  if (c->head.nr_replacements == CS_LIBRARY_REPLACEMENTS_MAX)
    {
      c->code = -ENOSPC;
      return CS_LIBRARY_KEEP;
    }
  c->head.replacements[c->head.nr_replacements] = add_name (c, name);
  return c->head.nr_replacements++;
}

/* Note that entry I is used by a carried library, and bound at each start: it
   is outside of them, or replaced.  */
static void
add_float (struct carry *c, uint32_t i, const char *replacement)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (c->table, i);
  const struct cs_library_float_disk *floats = (const void *) c->floats.data;
  struct cs_library_float_disk new = {
    .entry = i, .replacement = CS_LIBRARY_KEEP
  };

  for (uint32_t n = 0; n < c->head.nr_floats; n++)
    if (floats[n].entry == i)
      return;
  if (replacement)
    new.replacement = number_replacement (c, replacement);
  if (!(entry->flags & CS_TABLE_PERSISTENT))
    {
      new.name = add_name (c, cs_table_string (c->table, entry->name));
      new.symver = add_name (c, cs_table_string (c->table, entry->symver));
    }
  if (append (&c->floats, &new, sizeof new) != 0)
    c->code = -ENOMEM;
  c->head.nr_floats++;
}

/* The carried library that defines SYMBOL: the one being rebased first, as
   if it were linked with -Bsymbolic, then in load order.  */
static const struct plan *
find_definition (const struct carry *c, const struct cs_elf_symbol *symbol,
                 const struct cs_elf_symbol **definition)
{
  *definition = symbol;
  if (symbol->defined)
    return c->current;
  for (size_t i = 0; i < c->nr; i++)
    {
      *definition = cs_elf_symbol_find (c->plans[i].elf, symbol->name);
      if (*definition)
        return &c->plans[i];
    }
  return NULL;
}

static uint64_t
use_trampoline (struct carry *c, uint32_t i)
{
  cs_table_entry (c->table, i)->flags |= CS_TABLE_USED;
  return cs_intern_trampoline (c->table, i);
}

/* A symbol of a carried library: its fixed address, or the trampoline if
   the address is taken and the symbol interned.  */
static bool
resolve_inside (struct carry *c, const struct plan *plan,
                const struct cs_elf_symbol *definition, bool taken,
                uint64_t *value)
{
  long i = -ENOENT;

  if (definition->tls || definition->ifunc)
    return false;
  if (taken && definition->kind == CS_SYMBOL_FUNCTION)
    i = cs_table_find (c->table, cs_elf_soname (plan->elf),
                       definition->name);
  if (i >= 0)
    *value = use_trampoline (c, (uint32_t) i);
  else
    *value = definition->value + (definition->absolute ? 0 : plan->addr);
  return true;
}

/* A symbol from outside: the trampoline if its address is taken and it is
   interned as a function, otherwise ld.so's business.  */
static bool
resolve_outside (struct carry *c, const struct cs_elf_symbol *symbol,
                 const char *replacement, bool taken, uint64_t *value)
{
  long i = taken ? cs_table_find (c->table, symbol->library, symbol->name)
                 : -ENOENT;

  if (i < 0 || cs_table_entry (c->table, (uint32_t) i)->kind
                 != CS_SYMBOL_FUNCTION)
    return false;
  add_float (c, (uint32_t) i, replacement);
  *value = use_trampoline (c, (uint32_t) i);
  return true;
}

/* A symbol of a carried library that is replaced.  A call is bound like
   others that are; an address that is taken may be kept in the heap, so it is
   that of a trampoline, which each start leads to the replacement.  */
static bool
replace_inside (struct carry *c, const struct plan *plan,
                const struct cs_elf_symbol *definition,
                const char *replacement, bool taken, uint64_t *value)
{
  long i;

  if (!taken)
    return false;
  i = cs_table_find (c->table, cs_elf_soname (plan->elf), definition->name);
  if (i < 0 || cs_table_entry (c->table, (uint32_t) i)->kind
                 != CS_SYMBOL_FUNCTION)
    {
      c->code = -ENOENT;
      c->unnamed = definition->name;
      return false;
    }
  add_float (c, (uint32_t) i, replacement);
  *value = use_trampoline (c, (uint32_t) i);
  return true;
}

static bool
resolve (void *closure, const struct cs_elf_symbol *symbol,
         const struct cs_elf_reloc *reloc, uint64_t *value)
{
  struct carry *c = closure;
  bool taken = reloc->kind != CS_RELOC_JUMP_SLOT;
  const char *replacement
    = cs_policy_replacement (c->policy, cs_elf_soname (c->current->elf),
                             symbol->name);
  const struct cs_elf_symbol *definition;
  const struct plan *plan = find_definition (c, symbol, &definition);

  if (!plan)
    return resolve_outside (c, symbol, replacement, taken, value);
  if (replacement)
    return replace_inside (c, plan, definition, replacement, taken, value);
  return resolve_inside (c, plan, definition, taken, value);
}

/* The words that ld.so still relocates: bound to a replacement, or kept.  */
static void
add_slots (struct carry *c, const struct plan *plan)
{
  const struct cs_rebased *rebased = &plan->rebased;
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  const struct cs_elf_symbol *symbol;
  struct cs_library_slot_disk slot;
  const char *replacement;
  uint64_t word = cs_elf_arch (plan->elf)->word_len;

  /* The two words after GOT[0] are ld.so's (its link map and resolver).  */
  for (int i = 1; layout->got_plt && i <= 2; i++)
    {
      slot = (struct cs_library_slot_disk) {
        .addr = layout->got_plt + plan->addr + (uint64_t) i * word,
        .kind = CS_RELOC_NONE, .replacement = CS_LIBRARY_KEEP
      };
      if (append (&c->slots, &slot, sizeof slot) != 0)
        c->code = -ENOMEM;
      c->head.nr_slots++;
    }
  for (size_t i = 0; i < rebased->nr_slots; i++)
    {
      symbol = cs_elf_symbol_get (plan->elf, rebased->slots[i].symbol);
      replacement = cs_policy_replacement (c->policy,
                                           cs_elf_soname (plan->elf),
                                           symbol->name);
      slot = (struct cs_library_slot_disk) {
        .addr = rebased->slots[i].addr, .kind = rebased->slots[i].kind,
        .replacement = replacement ? number_replacement (c, replacement)
                                   : CS_LIBRARY_KEEP
      };
      if (append (&c->slots, &slot, sizeof slot) != 0)
        c->code = -ENOMEM;
      c->head.nr_slots++;
    }
}

/* Keep LIBRARY's range free for ld.so, and its data part in the file.  */
static int
claim (struct cs_store *store, const struct plan *plan, struct cs_err *err)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  char *start = (char *) (uintptr_t) (plan->addr + layout->start);
  char *data = (char *) (uintptr_t) (plan->addr + layout->data_start);
  int code = cs_store_map_at (store, start, layout->len, PROT_READ,
                              CS_EXTENT_LIBRARY_TEXT);

  if (code == 0 && layout->data_len > 0)
    code = cs_store_map_at (store, data, layout->data_len,
                            PROT_READ | PROT_WRITE, CS_EXTENT_LIBRARY_DATA);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot claim %#llx bytes at %p for '%s'",
                       (unsigned long long) layout->len, (void *) start,
                       cs_elf_soname (plan->elf));
  return 0;
}

static int
place (struct carry *c, struct cs_err *err)
{
  uint64_t addr = cs_store_superblock (c->store)->base + FIRST_OFF;
  int code = 0;

  for (size_t i = 0; code == 0 && i < c->nr; i++)
    {
      c->plans[i].addr = addr;
      code = claim (c->store, &c->plans[i], err);
      addr += cs_elf_layout (c->plans[i].elf)->start
              + cs_elf_layout (c->plans[i].elf)->len;
      addr = (addr + 2 * DISTANCE - 1) & -DISTANCE;
    }
  return code;
}

static int
rebase_all (struct carry *c, struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < c->nr; i++)
    {
      c->current = &c->plans[i];
      code = cs_rebase (c->current->elf, c->current->addr, resolve, c,
                        &c->plans[i].rebased, err);
      if (code == 0)
        code = c->code;
      if (c->unnamed)
        code = cs_err_set (err, CS_E_MISUSE, "'%s' is replaced, and its"
                           " address is taken in %s: a rule must intern it",
                           c->unnamed, cs_elf_soname (c->current->elf));
    }
  return code;
}

/* Every function that a carried library defines keeps its address.  */
static void
bind_inside (struct carry *c)
{
  struct cs_table_entry_disk *entry;
  const struct cs_elf_symbol *symbol;
  const char *library;

  for (uint32_t i = 0; i < c->table->count; i++)
    {
      entry = cs_table_entry (c->table, i);
      library = cs_table_string (c->table, entry->library);
      for (size_t n = 0; n < c->nr; n++)
        if (strcmp (cs_elf_soname (c->plans[n].elf), library) == 0)
          {
            symbol = cs_elf_symbol_find (c->plans[n].elf,
                                         cs_table_string (c->table,
                                                          entry->name));
            cs_intern_bind (c->table, i,
                            symbol ? symbol->value + c->plans[n].addr : 0);
          }
    }
}

static uint64_t
to_pages (uint64_t len)
{
  return (len + CS_STORE_PAGE_LEN - 1) & -(uint64_t) CS_STORE_PAGE_LEN;
}

static struct cs_library_disk
describe (struct carry *c, const struct plan *plan, uint32_t *first_slot,
          uint64_t *copy)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  struct cs_library_disk d = {
    .path = add_name (c, cs_elf_path (plan->elf)),
    .first_slot = *first_slot,
    .nr_slots = (uint32_t) plan->rebased.nr_slots + (layout->got_plt ? 2 : 0),
    .addr = plan->addr + layout->start, .len = layout->len,
    .data_addr = plan->addr + layout->data_start,
    .data_len = layout->data_len,
    .copy = *copy, .copy_len = plan->rebased.len
  };

  strncpy (d.soname, cs_elf_soname (plan->elf), sizeof d.soname - 1);
  strncpy (d.build_id, cs_elf_build_id (plan->elf), sizeof d.build_id - 1);
  cs_library_split (&d, plan->rebased.data, plan->rebased.len);
  *first_slot += d.nr_slots;
  *copy = to_pages (*copy + d.copy_len);
  return d;
}

/* The copies follow the rest at START.  */
static void
place_copies (struct carry *c, struct cs_library_disk *libraries,
              uint64_t start)
{
  for (size_t i = 0; i < c->nr; i++)
    {
      libraries[i].copy += start;
      for (uint32_t n = 0; n < libraries[i].nr_segments; n++)
        libraries[i].segments[n].copy += libraries[i].copy;
    }
}

/* Lay out the section and write it.  */
static int
write_section (struct carry *c, struct cs_err *err)
{
  struct cs_libraries_disk *head = &c->head;
  struct cs_library_disk libraries[CS_LIBRARIES_MAX];
  uint64_t copy = 0;
  uint32_t first_slot = 0;
  void *section;
  char *out;
  int code;

  for (size_t i = 0; i < c->nr; i++)
    libraries[i] = describe (c, &c->plans[i], &first_slot, &copy);
  if (c->code != 0)
    return cs_err_sys (err, -c->code, "cannot describe the libraries");
  memcpy (head->magic, CS_LIBRARIES_MAGIC, sizeof head->magic);
  head->version = CS_LIBRARIES_VERSION;
  head->count = (uint32_t) c->nr;
  head->slots = sizeof *head + c->nr * sizeof *libraries;
  head->floats = head->slots + c->slots.len;
  head->names = head->floats + c->floats.len;
  head->names_len = c->names.len;
  head->len = to_pages (head->names + c->names.len);
  place_copies (c, libraries, head->len);
  head->len += copy;

  code = cs_store_section_create (c->store, "libs", head->len,
                                  PROT_READ | PROT_WRITE, &section);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'libs'");
  out = section;
  memcpy (out, head, sizeof *head);
  memcpy (out + sizeof *head, libraries, c->nr * sizeof *libraries);
  memcpy (out + head->slots, c->slots.data, c->slots.len);
  if (c->floats.len > 0)
    memcpy (out + head->floats, c->floats.data, c->floats.len);
  memcpy (out + head->names, c->names.data, c->names.len);
  for (size_t i = 0; i < c->nr; i++)
    memcpy (out + libraries[i].copy, c->plans[i].rebased.data,
            c->plans[i].rebased.len);
  code = cs_store_protect (c->store, section, head->len, PROT_READ);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot protect section 'libs'");
  return 0;
}

struct name_check
{
  cs_library_replacement *find;
  struct cs_err *err;
  int code;
};

static void
check_name (void *closure, const char *name, const char *where)
{
  struct name_check *check = closure;

  if (check->code == 0 && !check->find (name))
    check->code = cs_err_set (check->err, CS_E_MISUSE,
                              "%s: there is no replacement '%s'", where,
                              name);
}

int
cs_library_carry (struct cs_store *store, struct cs_policy *policy,
                  struct cs_table_disk *table, struct cs_elf *const *elfs,
                  size_t nr, cs_library_replacement *find,
                  struct cs_err *err)
{
  struct carry c = {
    .store = store, .policy = policy, .table = table, .find = find, .nr = nr
  };
  struct name_check check = { find, err, 0 };
  int code;

  if (nr > CS_LIBRARIES_MAX)
    return cs_err_set (err, CS_E_REFUSED,
                       "%zu libraries shall persist, at most %d can", nr,
                       CS_LIBRARIES_MAX);
  cs_policy_each_replacement (policy, check_name, &check);
  if (check.code != 0)
    return check.code;
  for (size_t i = 0; i < nr; i++)
    c.plans[i].elf = elfs[i];
  add_name (&c, "");
  code = place (&c, err);
  if (code == 0)
    code = rebase_all (&c, err);
  for (size_t i = 0; code == 0 && i < nr; i++)
    add_slots (&c, &c.plans[i]);
  if (code == 0)
    code = write_section (&c, err);
  if (code == 0)
    bind_inside (&c);
  for (size_t i = 0; i < nr; i++)
    cs_rebased_fini (&c.plans[i].rebased);
  free (c.slots.data);
  free (c.floats.data);
  free (c.names.data);
  return code;
}
