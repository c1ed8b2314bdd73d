/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* compare.c -- what the entries of a table would bind to in other
   libraries.  */

#include <string.h>

#include "intern/compare.h"

static bool
is_definition (const struct cs_elf_symbol *symbol, const char *name,
               const char *version)
{
  return symbol->defined && symbol->global && !strcmp (symbol->name, name)
    && !strcmp (symbol->version, version);
}

/* What dlsym(), or with a VERSION dlvsym(), would find in ELF.  */
static const struct cs_elf_symbol *
find_symbol (const struct cs_elf *elf, const char *name, const char *version)
{
  const struct cs_elf_symbol *symbol = cs_elf_symbol_find (elf, name);
  size_t i;

  if (!*version || (symbol && is_definition (symbol, name, version)))
    return symbol;
  for (i = 1; i < cs_elf_nr_symbols (elf); i++)
    {
      symbol = cs_elf_symbol_get (elf, i);
      if (is_definition (symbol, name, version))
        return symbol;
    }
  return NULL;
}

static enum cs_compare_status
compare (const struct cs_table_entry_disk *entry,
         const struct cs_elf_symbol *symbol)
{
  if (!symbol)
    return CS_COMPARE_MISSING;
  if (symbol->kind != entry->kind)
    return CS_COMPARE_KIND_CHANGED;
  if (entry->offset && symbol->size != entry->size)
    return CS_COMPARE_SIZE_CHANGED;
  if (entry->offset && symbol->value != entry->offset)
    return CS_COMPARE_MOVED;
  return CS_COMPARE_SAME;
}

struct cs_comparison
cs_compare_entry (const struct cs_table_disk *table, uint32_t i,
                  const struct cs_elf *const *libraries, size_t nr)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  const char *library = cs_table_string (table, entry->library);
  struct cs_comparison result = { CS_COMPARE_NOT_CHECKED, NULL };
  size_t k;

  for (k = 0; k < nr && !result.symbol; k++)
    if (!*library || !strcmp (library, cs_elf_soname (libraries[k])))
      {
        result.symbol
          = find_symbol (libraries[k], cs_table_string (table, entry->name),
                         cs_table_string (table, entry->symver));
        /* Without a library, absence proves nothing.  */
        if (result.symbol || *library)
          result.status = compare (entry, result.symbol);
      }
  return result;
}

const char *
cs_compare_name (enum cs_compare_status status)
{
  static const char *const names[CS_COMPARE_STATUSES]
    = { "same", "moved", "size-changed", "kind-changed", "missing",
        "not-checked" };

  return names[status];
}
