/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-resolve.c -- what the words of a carried library refer to.  */

#include <errno.h>
#include <string.h>

#include "intern/intern.h"
#include "intern/library-carry.h"

/* Does BLOCK bind entry I at each start?  */
static bool
has_import (const struct cs_libraries_disk *block, uint32_t i)
{
  const struct cs_library_import_disk *f = cs_library_imports (block);

  for (uint32_t n = 0; n < block->nr_imports; n++)
    if (f[n].entry == i)
      return true;
  return false;
}

/* The same for the blocks that are there.  All libraries share one trampoline for
   a symbol: the first library that uses it decides where it leads.  */
static bool
is_bound (const struct cs_carry *c, uint32_t i)
{
  struct cs_err ignored = CS_ERR_INIT;
  struct cs_library_cursor cursor = { 0 };

  while (c->extension && cs_library_next (c->store, &cursor, &ignored) > 0)
    if (cursor.nr == 0 && has_import (cursor.block, i))
      return true;
  return false;
}

/* Note that entry I is used by a carried library, and bound at each start: it
   is outside of them, or replaced.  */
static void
add_import (struct cs_carry *c, uint32_t i, const char *replacement)
{
  const struct cs_table_disk *table = c->with->table;
  const struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  const struct cs_library_import_disk *imports
    = (const void *) c->imports.data;
  struct cs_library_import_disk new = {
    .entry = i, .replacement = CS_LIBRARY_KEEP
  };

  for (uint32_t n = 0; n < c->head.nr_imports; n++)
    if (imports[n].entry == i)
      return;
  if (is_bound (c, i))
    return;
  if (replacement)
    new.replacement = cs_carry_number (c, replacement);
  if (!(entry->flags & CS_TABLE_PERSISTENT))
    {
      new.name = cs_carry_name (c, cs_table_string (table, entry->name));
      new.symver = cs_carry_name (c, cs_table_string (table, entry->symver));
    }
  if (cs_carry_append (&c->imports, &new, sizeof new) != 0)
    c->code = -ENOMEM;
  c->head.nr_imports++;
}

/* The carried library that defines SYMBOL: the one being rebased first, as
   if it were linked with -Bsymbolic, then those it may mean, in order.  */
static const struct cs_carry_plan *
find_definition (const struct cs_carry *c, const struct cs_elf_symbol *symbol,
                 const struct cs_elf_symbol **definition)
{
  const struct cs_carry_plan *plan = c->plans;

  *definition = symbol;
  if (symbol->defined)
    return c->current;
  for (size_t i = 0; i < c->nr_plans; i++, plan++)
    {
      if (symbol->library[0]
          && strcmp (symbol->library, cs_elf_soname (plan->elf)) != 0)
        continue;
      *definition = cs_elf_symbol_find (plan->elf, symbol->name);
      if (*definition)
        return plan;
    }
  return NULL;
}

/* The entry of function NAME of LIBRARY, a new one if there is none and the
   policy interns it; FIELDS says what a new one holds.  Negative if it is
   not interned.  */
static long
find_entry (struct cs_carry *c, const char *library, const char *name,
            const char *symver, const struct cs_table_entry_disk *fields)
{
  struct cs_table_entry_disk new = *fields;
  long i = cs_table_find (c->with->table, library, name);
  unsigned line = 0;

  if (i >= 0 || !cs_policy_interns (c->with->policy, library, name,
                                    CS_SYMBOL_FUNCTION, &line))
    return i;
  new.kind = CS_SYMBOL_FUNCTION;
  new.line = line;
  i = cs_table_add (c->with->table, library, name, symver, &new);
  if (i == -ENOSPC)
    c->code = -ENOSPC;
  return i;
}

static uint64_t
use_trampoline (struct cs_carry *c, uint32_t i)
{
  cs_table_entry (c->with->table, i)->flags |= CS_TABLE_USED;
  return cs_intern_trampoline (c->with->table, i);
}

/* The entry for a function of PLAN's library whose address is taken.  The
   name may belong to an older build of it, at another address.  */
static long
find_inside (struct cs_carry *c, const struct cs_carry_plan *plan,
             const struct cs_elf_symbol *definition)
{
  const char *library = cs_elf_soname (plan->elf);
  const struct cs_table_entry_disk fields = {
    .flags = CS_TABLE_PERSISTENT, .size = definition->size,
    .value = definition->value, .offset = definition->value
  };
  struct cs_table_disk *table = c->with->table;
  uint32_t before = table->count;
  long i = find_entry (c, library, definition->name, "", &fields);

  if (i >= 0 && table->count > before)
    cs_intern_bind (table, (uint32_t) i, definition->value + plan->addr);
  if (i >= 0 && c->extension
      && cs_table_entry (table, (uint32_t) i)->value
           != definition->value + plan->addr)
    return -ENOENT;
  return i;
}

/* A symbol of a carried library: its fixed address, or the trampoline if
   the address is taken and the symbol interned.  */
static bool
resolve_inside (struct cs_carry *c, const struct cs_carry_plan *plan,
                const struct cs_elf_symbol *definition, bool taken,
                uint64_t *value)
{
  long i = -ENOENT;

  if (definition->tls || definition->ifunc)
    return false;
  if (taken && definition->kind == CS_SYMBOL_FUNCTION)
    i = find_inside (c, plan, definition);
  if (i >= 0)
    *value = use_trampoline (c, (uint32_t) i);
  else
    *value = definition->value + (definition->absolute ? 0 : plan->addr);
  return true;
}

/* A symbol from outside: the trampoline if its address is taken and it is
   interned as a function, otherwise ld.so's business.  A weak symbol without
   a version may be there or not: the library tests it.  */
static bool
resolve_outside (struct cs_carry *c, const struct cs_elf_symbol *symbol,
                 const char *replacement, bool taken, uint64_t *value)
{
  const struct cs_table_entry_disk none = { 0 };
  long i = -ENOENT;

  if (taken && symbol->kind == CS_SYMBOL_FUNCTION
      && !(symbol->weak && !*symbol->version))
    i = find_entry (c, symbol->library, symbol->name, symbol->version, &none);
  else if (taken)
    i = cs_table_find (c->with->table, symbol->library, symbol->name);
  if (i < 0 || cs_table_entry (c->with->table, (uint32_t) i)->kind
                 != CS_SYMBOL_FUNCTION)
    return false;
  add_import (c, (uint32_t) i, replacement);
  *value = use_trampoline (c, (uint32_t) i);
  return true;
}

/* A symbol of a carried library that is replaced.  A call is bound like
   others that are; an address that is taken may be kept in the heap, so it is
   that of a trampoline, which each start leads to the replacement.  */
static bool
replace_inside (struct cs_carry *c, const struct cs_carry_plan *plan,
                const struct cs_elf_symbol *definition,
                const char *replacement, bool taken, uint64_t *value)
{
  long i;

  if (!taken)
    return false;
  i = find_inside (c, plan, definition);
  if (i < 0 || cs_table_entry (c->with->table, (uint32_t) i)->kind
                 != CS_SYMBOL_FUNCTION)
    {
      c->code = -ENOENT;
      c->unnamed = definition->name;
      return false;
    }
  add_import (c, (uint32_t) i, replacement);
  *value = use_trampoline (c, (uint32_t) i);
  return true;
}

bool
cs_carry_resolve (void *closure, const struct cs_elf_symbol *symbol,
                  const struct cs_elf_reloc *reloc, uint64_t *value)
{
  struct cs_carry *c = closure;
  bool taken = reloc->kind != CS_RELOC_JUMP_SLOT;
  const char *replacement
    = cs_policy_replacement (c->with->policy, cs_elf_soname (c->current->elf),
                             symbol->name);
  const struct cs_elf_symbol *definition;
  const struct cs_carry_plan *plan
    = find_definition (c, symbol, &definition);

  if (!plan)
    return resolve_outside (c, symbol, replacement, taken, value);
  if (replacement)
    return replace_inside (c, plan, definition, replacement, taken, value);
  return resolve_inside (c, plan, definition, taken, value);
}

void
cs_carry_add_slots (struct cs_carry *c, const struct cs_carry_plan *plan)
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
      if (cs_carry_append (&c->slots, &slot, sizeof slot) != 0)
        c->code = -ENOMEM;
      c->head.nr_slots++;
    }
  for (size_t i = 0; i < rebased->nr_slots; i++)
    {
      symbol = cs_elf_symbol_get (plan->elf, rebased->slots[i].symbol);
      replacement = cs_policy_replacement (c->with->policy,
                                           cs_elf_soname (plan->elf),
                                           symbol->name);
      slot = (struct cs_library_slot_disk) {
        .addr = rebased->slots[i].addr, .kind = rebased->slots[i].kind,
        .replacement = replacement ? cs_carry_number (c, replacement)
                                   : CS_LIBRARY_KEEP
      };
      if (cs_carry_append (&c->slots, &slot, sizeof slot) != 0)
        c->code = -ENOMEM;
      c->head.nr_slots++;
    }
}
