/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* compile.c -- from a policy and libraries to an intern table.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intern/table.h"

struct compiler
{
  struct cs_policy *policy;
  const struct cs_elf *const *libraries;
  size_t nr;
  struct cs_table_disk *table;  /* with room for every symbol there is */
};

/* Where an imported symbol is defined, as far as the libraries given say.  */
struct definition
{
  const char *library;          /* "" if not known */
  const struct cs_elf_symbol *symbol;   /* NULL if not seen */
};

static int
check_machines (const struct compiler *c, struct cs_err *err)
{
  size_t i;

  for (i = 1; i < c->nr; i++)
    if (cs_elf_arch (c->libraries[i]) != cs_elf_arch (c->libraries[0]))
      return cs_err_set (err, CS_E_INCOMPATIBLE,
                         "'%.200s' is for %s, but '%.200s' is for %s",
                         cs_elf_path (c->libraries[i]),
                         cs_elf_arch (c->libraries[i])->name,
                         cs_elf_path (c->libraries[0]),
                         cs_elf_arch (c->libraries[0])->name);
  return 0;
}

/* A table that certainly has room for all symbols of all libraries.  */
static struct cs_table_disk *
new_large_table (const struct compiler *c)
{
  size_t entries = 0, len = 1, i, k;
  struct cs_table_disk *table;

  for (i = 0; i < c->nr; i++)
    {
      const struct cs_elf *elf = c->libraries[i];

      len += strlen (cs_elf_soname (elf)) + 1;
      entries += cs_elf_nr_symbols (elf);
      for (k = 0; k < cs_elf_nr_symbols (elf); k++)
        {
          const struct cs_elf_symbol *symbol = cs_elf_symbol_get (elf, k);

          len += strlen (symbol->name) + strlen (symbol->version)
            + strlen (symbol->library) + 3;
        }
    }
  if (entries > UINT32_MAX || len > UINT32_MAX)
    return NULL;
  table = calloc (1, cs_table_len (entries, len));
  if (table)
    cs_table_init (table, c->nr ? cs_elf_arch (c->libraries[0])->elf_machine
                   : cs_arch_native ()->elf_machine, entries, len);
  return table;
}

/* The definition of NAME in ELF with VERSION, "" being the default.  */
static const struct cs_elf_symbol *
find_version (const struct cs_elf *elf, const char *name, const char *version)
{
  const struct cs_elf_symbol *symbol = cs_elf_symbol_find (elf, name);
  size_t i;

  if (!*version || (symbol && !strcmp (symbol->version, version)))
    return symbol;
  for (i = 1; i < cs_elf_nr_symbols (elf); i++)
    {
      symbol = cs_elf_symbol_get (elf, i);
      if (symbol->defined && symbol->global && !strcmp (symbol->name, name)
          && !strcmp (symbol->version, version))
        return symbol;
    }
  return NULL;
}

/* Where the undefined symbol IMPORT comes from.  */
static struct definition
find_definition (const struct compiler *c, const struct cs_elf_symbol *import)
{
  struct definition found = { import->library, NULL };
  size_t i;

  for (i = 0; i < c->nr && !found.symbol; i++)
    {
      const char *soname = cs_elf_soname (c->libraries[i]);

      if (*import->library && strcmp (import->library, soname))
        continue;
      found.symbol = find_version (c->libraries[i], import->name,
                                   import->version);
      if (found.symbol)
        found.library = soname;
    }
  return found;
}

/* Is SYMBOL's address one that could be interned?  */
static bool
has_address (const struct cs_elf_symbol *symbol)
{
  return symbol->defined && symbol->global && !symbol->tls
    && !symbol->absolute
    && (symbol->kind == CS_SYMBOL_FUNCTION || symbol->kind == CS_SYMBOL_DATA);
}

/* Add NAME of LIBRARY if the policy interns it.  DEFINITION may be NULL.
   The table has room: this cannot fail.  What has no name cannot be known by
   it (T2).  */
static void
add_symbol (struct compiler *c, const char *library, const char *name,
            const char *symver, enum cs_symbol_kind kind,
            const struct cs_elf_symbol *definition)
{
  struct cs_table_entry_disk fields = { .kind = kind };
  unsigned line;

  if (!*name || !cs_policy_interns (c->policy, library, name, kind, &line))
    return;
  fields.line = line;
  if (definition)
    {
      fields.size = definition->size;
      fields.value = fields.offset = definition->value;
      if (!definition->ifunc
          && cs_policy_role (c->policy, library) != CS_POLICY_REBIND)
        fields.flags = CS_TABLE_PERSISTENT;
    }
  cs_table_add (c->table, library, name, symver, &fields);
}

/* An undefined symbol whose address a library takes.  */
static void
add_import (struct compiler *c, const struct cs_elf_symbol *import)
{
  struct definition definition = find_definition (c, import);
  enum cs_symbol_kind kind
    = definition.symbol ? definition.symbol->kind : import->kind;

  if (kind != CS_SYMBOL_FUNCTION)
    return;
  if (import->weak && !*import->version && !definition.symbol)
    return;
  if (definition.symbol && definition.symbol->default_version)
    add_symbol (c, definition.library, import->name, "", kind,
                definition.symbol);
  else
    add_symbol (c, definition.library, import->name, import->version, kind,
                definition.symbol);
}

/* How ELF refers to a symbol.  */
enum { REFERRED = 1, TAKEN = 2 };       /* TAKEN: by its address */

static void
mark_references (const struct cs_elf *elf, unsigned char *how)
{
  for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
    {
      const struct cs_elf_reloc *reloc = cs_elf_reloc_get (elf, i);

      if (reloc->symbol)
        how[reloc->symbol] |= reloc->kind == CS_RELOC_GLOB_DAT
                              || reloc->kind == CS_RELOC_ABSOLUTE
                              ? REFERRED | TAKEN : REFERRED;
    }
}

static int
add_library (struct compiler *c, const struct cs_elf *elf)
{
  const char *soname = cs_elf_soname (elf);
  size_t nr = cs_elf_nr_symbols (elf), i;
  unsigned char *how = calloc (nr + 1, sizeof *how);

  if (!how)
    return -ENOMEM;
  mark_references (elf, how);
  cs_policy_role (c->policy, soname);
  for (i = 1; i < nr; i++)
    {
      const struct cs_elf_symbol *symbol = cs_elf_symbol_get (elf, i);

      if (how[i] || !symbol->defined)
        cs_policy_replacement (c->policy, soname, symbol->name);
      if (has_address (symbol) && symbol->default_version)
        add_symbol (c, soname, symbol->name, "", symbol->kind, symbol);
      else if (!symbol->defined && (how[i] & TAKEN))
        add_import (c, symbol);
    }
  free (how);
  return 0;
}

/* A copy of TABLE without spare room, or NULL.  */
static struct cs_table_disk *
without_spare (const struct cs_table_disk *table)
{
  struct cs_table_disk *tight
    = calloc (1, cs_table_len (table->count, table->strings_len));

  if (tight)
    {
      cs_table_init (tight, table->machine, table->count, table->strings_len);
      cs_table_copy (tight, table);
    }
  return tight;
}

int
cs_table_compile (struct cs_policy *policy,
                  const struct cs_elf *const *libraries, size_t nr,
                  struct cs_table_disk **table, struct cs_err *err)
{
  struct compiler c
    = { .policy = policy, .libraries = libraries, .nr = nr };
  int r = check_machines (&c, err);
  size_t i;

  *table = NULL;
  if (r < 0)
    return r;
  c.table = new_large_table (&c);
  r = c.table ? 0 : -ENOMEM;
  for (i = 0; i < nr && r == 0; i++)
    r = add_library (&c, libraries[i]);
  if (r == 0)
    {
      *table = without_spare (c.table);
      r = *table ? 0 : -ENOMEM;
    }
  free (c.table);
  return r < 0 ? cs_err_sys (err, -r, "cannot compile the intern table") : 0;
}
