/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* intern.c -- the intern table of a store, with its trampolines.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/intern.h"

static size_t
to_pages (size_t len)
{
  return (len + CS_STORE_PAGE_LEN - 1) / CS_STORE_PAGE_LEN
    * CS_STORE_PAGE_LEN;
}

static const struct cs_arch *
table_arch (const struct cs_table_disk *table)
{
  return cs_arch_find (table->machine);
}

static size_t
code_len (const struct cs_arch *arch, const struct cs_table_disk *table)
{
  return table->capacity * arch->trampoline_len;
}

static size_t
slots_len (const struct cs_arch *arch, const struct cs_table_disk *table)
{
  return ((size_t) table->capacity + 1) * arch->word_len;
}

uint64_t
cs_intern_trampoline (const struct cs_table_disk *table, uint32_t i)
{
  return table->code_addr + (uint64_t) i * table_arch (table)->trampoline_len;
}

uint64_t
cs_intern_stub (const struct cs_table_disk *table, uint32_t i)
{
  return cs_intern_trampoline (table, i) + table_arch (table)->stub_off;
}

uint64_t
cs_intern_slot (const struct cs_table_disk *table, uint32_t i)
{
  return table->slots_addr
    + (1 + (uint64_t) i) * table_arch (table)->word_len;
}

long
cs_intern_at (const struct cs_table_disk *table, uint64_t addr)
{
  uint64_t i;

  if (addr < table->code_addr)
    return -ENOENT;
  i = (addr - table->code_addr) / table_arch (table)->trampoline_len;
  return i < table->count ? (long) i : -ENOENT;
}

/* Word number I of the slots, which are mapped at their address.  It is
   written in one store, and only if it changes: an unchanged page stays
   clean.  */
static void
set_word (const struct cs_table_disk *table, size_t i, uint64_t value)
{
  if (table_arch (table)->word_len == 8)
    {
      uint64_t *words = (uint64_t *) (uintptr_t) table->slots_addr;

      if (words[i] != value)
        __atomic_store_n (&words[i], value, __ATOMIC_RELEASE);
    }
  else
    {
      uint32_t *words = (uint32_t *) (uintptr_t) table->slots_addr;

      if (words[i] != value)
        __atomic_store_n (&words[i], (uint32_t) value, __ATOMIC_RELEASE);
    }
}

void
cs_intern_bind (struct cs_table_disk *table, uint32_t i, uint64_t addr)
{
  struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  uint16_t flags = addr ? entry->flags & ~CS_TABLE_MISSING
    : entry->flags | CS_TABLE_MISSING;

  set_word (table, 1 + (size_t) i, addr ? addr : cs_intern_stub (table, i));
  if (entry->value != addr)
    entry->value = addr;
  if (entry->flags != flags)
    entry->flags = flags;
}

void
cs_intern_bind_anew (struct cs_table_disk *table, uint32_t i, uint64_t addr)
{
  struct cs_table_entry_disk *entry = cs_table_entry (table, i);

  set_word (table, 1 + (size_t) i, addr ? addr : cs_intern_stub (table, i));
  entry->value = addr;
  entry->flags = CS_TABLE_USED | (addr ? 0 : CS_TABLE_MISSING);
}

void
cs_intern_redirect (const struct cs_table_disk *table, uint32_t i,
                    uint64_t addr)
{
  set_word (table, 1 + (size_t) i, addr);
}

void
cs_intern_set_handler (struct cs_table_disk *table,
                       void (*handler) (uint32_t index) CS_ARCH_HANDLER)
{
  set_word (table, 0, (uintptr_t) handler);
}

bool
cs_intern_is_of_process (const struct cs_table_disk *table, uint64_t addr)
{
  const struct cs_table_entry_disk *entries = cs_table_entry (table, 0);
  uint64_t off = addr - (uintptr_t) entries;

  if (addr - table->slots_addr < slots_len (table_arch (table), table))
    return true;
  return (off / sizeof *entries < table->count
          && off % sizeof *entries
             == offsetof (struct cs_table_entry_disk, value)
          && entries[off / sizeof *entries].kind == CS_SYMBOL_FUNCTION);
}

/* Making the sections.  */

/* Make section "intern" with spare room that ends with a page, and put the
   entries of FROM into it.  */
static int
create_table (struct cs_store *store, const struct cs_arch *arch,
              const struct cs_table_disk *from, struct cs_table_disk **table)
{
  size_t capacity = (from ? from->count : 0) + CS_INTERN_SPARE_ENTRIES;
  size_t used = from ? from->strings_len : 1;
  size_t fixed = cs_table_len (capacity, 0);
  size_t len = to_pages (fixed + used + CS_INTERN_SPARE_STRINGS);
  void *addr;
  int r;

  if (capacity > UINT32_MAX || len - fixed > UINT32_MAX)
    return -ENOMEM;
  r = cs_store_section_create (store, "intern", len, PROT_READ | PROT_WRITE,
                               &addr);
  if (r < 0)
    return r;
  cs_table_init (addr, arch->elf_machine, capacity, len - fixed);
  *table = addr;
  return from ? cs_table_copy (addr, from) : 0;
}

/* Encode every trampoline, also those of entries still to come, and point
   every slot to its stub.  */
static int
encode_all (const struct cs_arch *arch, struct cs_table_disk *table)
{
  char *code = (char *) (uintptr_t) table->code_addr;
  uint32_t i;

  for (i = 0; i < table->capacity; i++)
    {
      int r = arch->encode_trampoline (code + i * arch->trampoline_len,
                                       cs_intern_trampoline (table, i),
                                       cs_intern_slot (table, i),
                                       table->slots_addr, i);

      if (r < 0)
        return r;
      set_word (table, 1 + (size_t) i, cs_intern_stub (table, i));
    }
  return 0;
}

static int
create_code (struct cs_store *store, const struct cs_arch *arch,
             struct cs_table_disk *table)
{
  void *code = NULL, *slots = NULL;
  int r;

  r = cs_store_section_create (store, "code", code_len (arch, table),
                               PROT_READ | PROT_WRITE, &code);
  if (r == 0)
    r = cs_store_section_create (store, "slots", slots_len (arch, table),
                                 PROT_READ | PROT_WRITE, &slots);
  if (r < 0)
    return r;
  table->code_addr = (uintptr_t) code;
  table->slots_addr = (uintptr_t) slots;
  r = encode_all (arch, table);
  if (r == 0)
    r = cs_store_protect (store, code, to_pages (code_len (arch, table)),
                          PROT_READ | PROT_EXEC);
  return r;
}

int
cs_intern_create (struct cs_store *store, const struct cs_arch *arch,
                  const struct cs_table_disk *table, struct cs_err *err)
{
  struct cs_table_disk *new = NULL;
  int r;

  if (table && table->machine != arch->elf_machine)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "the intern table is for ELF machine %u, the store for "
                       "%s", table->machine, arch->name);
  r = create_table (store, arch, table, &new);
  if (r == 0)
    r = create_code (store, arch, new);
  if (r < 0)
    return cs_err_sys (err, -r, "cannot make the intern table of '%.300s'",
                       cs_store_path (store));
  return 0;
}

/* Opening.  */

/* Is section NAME the LEN bytes at region address ADDR?  */
static int
check_section (struct cs_store *store, const char *name, uint64_t addr,
               size_t len, struct cs_err *err)
{
  size_t found = 0;
  const void *section = cs_store_section (store, name, &found);

  if (!section)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is damaged: it has an intern table but no "
                       "section '%s'", cs_store_path (store), name);
  if (found < len)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is damaged: section '%s' has %zu bytes, its "
                       "intern table needs %zu", cs_store_path (store), name,
                       found, len);
  if (section != cs_store_view (store, addr, len))
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is damaged: its intern table expects section "
                       "'%s' at %#llx", cs_store_path (store), name,
                       (unsigned long long) addr);
  return 0;
}

typedef int table_check (const void *block, size_t len, const char *name,
                         struct cs_err *err);

static int
open_sections (struct cs_store *store, table_check *check,
               struct cs_table_disk **table, struct cs_err *err)
{
  const char *path = cs_store_path (store);
  const struct cs_arch *arch;
  struct cs_table_disk *found;
  size_t len = 0;
  int r;

  *table = NULL;
  found = cs_store_section (store, "intern", &len);
  if (!found)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is damaged: it has no section 'intern'",
                       path);
  /* The section may be longer than the table by less than a page.  */
  if (len >= sizeof *found && found->len < len
      && to_pages (found->len) == len)
    len = found->len;
  r = check (found, len, path, err);
  if (r < 0)
    return r;
  arch = table_arch (found);
  if (found->machine != cs_store_superblock (store)->machine)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is damaged: its intern table is for ELF "
                       "machine %u, its superblock for %u", path,
                       found->machine, cs_store_superblock (store)->machine);
  r = check_section (store, "code", found->code_addr,
                     code_len (arch, found), err);
  if (r == 0)
    r = check_section (store, "slots", found->slots_addr,
                       slots_len (arch, found), err);
  if (r == 0)
    *table = found;
  return r;
}

int
cs_intern_open (struct cs_store *store, struct cs_table_disk **table,
                struct cs_err *err)
{
  return open_sections (store, cs_table_check, table, err);
}

int
cs_intern_attach (struct cs_store *store, struct cs_table_disk **table,
                  struct cs_err *err)
{
  return open_sections (store, cs_table_check_header, table, err);
}
