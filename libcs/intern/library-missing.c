/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-missing.c -- extensions that refer to what is missing today.

   The libraries that an extension needs are the system's.  When one has gone
   or has lost a symbol, ld.so would refuse the extension, or end the process
   at the first call.  Instead the extension is loaded without it; a call of
   what is missing raises an error that names it, and a variable that is
   missing reads as zeros.

   All this is off the path of an ordinary start: it is done when ld.so
   refused a library, or when a library that the carried ones need is not the
   build of the last start.  */

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/intern.h"
#include "intern/library-load.h"
#include "report.h"

#define ZEROS_LEN 65536

/* What missing variables are, made for the first of them; 0 without memory.
   It is not among our own data, which the collector takes for roots and goes
   through each time (libgc 8.2.2, dyn_load.c,
   GC_register_dynlib_callback).  */
static uintptr_t
zeros (void)
{
  static void *addr;

  if (!addr)
    addr = mmap (NULL, ZEROS_LEN, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (addr != MAP_FAILED)
    return (uintptr_t) addr;
  addr = NULL;
  return 0;
}

/* ELF32_ST_INFO and ELF64_ST_INFO are the same (elf.h).  */
static void
weaken (ElfW (Sym) *symbols, size_t nr)
{
  for (size_t i = 1; i < nr; i++)
    if (symbols[i].st_shndx == SHN_UNDEF)
      symbols[i].st_info
        = ELF64_ST_INFO (STB_WEAK, ELF64_ST_TYPE (symbols[i].st_info));
}

/* Can ld.so load the library that ENTRY of the copy needs?  It stays loaded
   then.  */
static bool
is_there (const char *strings, const ElfW (Dyn) *entry)
{
  return dlopen (strings + entry->d_un.d_val, RTLD_LAZY) != NULL;
}

int
cs_library_drop_missing (const char *name, void *copy, size_t len,
                         struct cs_err *err)
{
  ElfW (Dyn) *d = cs_library_dynamic (copy);
  const char *strings = NULL;
  ElfW (Sym) *symbols = NULL;
  struct cs_elf *elf;
  int code = cs_elf_open_memory (name, copy, len, &elf, err);

  if (code != 0)
    return code;
  for (const ElfW (Dyn) *entry = d; entry->d_tag != DT_NULL; entry++)
    if (entry->d_tag == DT_STRTAB)
      strings = cs_library_bytes (copy, entry->d_un.d_ptr);
    else if (entry->d_tag == DT_SYMTAB)
      symbols = cs_library_bytes (copy, entry->d_un.d_ptr);
  for (; d->d_tag != DT_NULL; d++)
    if (d->d_tag == DT_VERNEED || d->d_tag == DT_VERNEEDNUM
        || d->d_tag == DT_VERSYM
        || (d->d_tag == DT_NEEDED && !is_there (strings, d)))
      cs_library_forget_entry (d);
  weaken (symbols, cs_elf_nr_symbols (elf));
  cs_elf_close (elf);
  return 0;
}

/* A library that ELF needs and that is not loaded, or "".  */
static const char *
missing_library (const struct cs_elf *elf)
{
  void *handle;

  for (size_t i = 0; i < cs_elf_nr_needed (elf); i++)
    {
      handle = dlopen (cs_elf_needed (elf, i), RTLD_LAZY | RTLD_NOLOAD);
      if (!handle)
        return cs_elf_needed (elf, i);
      dlclose (handle);
    }
  return "";
}

struct binder
{
  const struct cs_library_loading *loading;
  const struct cs_library_loaded *item;
  const char *library;          /* that is missing, or "" */
};

static bool
is_function (const struct cs_elf_symbol *symbol,
             const struct cs_elf_reloc *reloc)
{
  return reloc->kind == CS_RELOC_JUMP_SLOT
         || symbol->kind == CS_SYMBOL_FUNCTION;
}

/* The stub of function SYMBOL, or what a variable of that name is; 0 if there
   is no room for it.  */
static uintptr_t
substitute (const struct binder *b, const struct cs_elf_symbol *symbol,
            const struct cs_elf_reloc *reloc)
{
  const struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_USED
  };
  const char *library = symbol->library[0] ? symbol->library : b->library;
  struct cs_table_disk *table = b->loading->table;
  long i;

  if (!is_function (symbol, reloc))
    return zeros ();
  i = cs_table_add (table, library, symbol->name, symbol->version, &fields);
  return i < 0 ? 0 : (uintptr_t) cs_intern_stub (table, (uint32_t) i);
}

static void
tell (const struct binder *b, const struct cs_elf_symbol *symbol,
      const struct cs_elf_reloc *reloc)
{
  if (!b->item->partial)
    cs_report (CS_REPORT_MISSING, "%s '%s' of the libraries that '%s' needs",
               is_function (symbol, reloc) ? "function" : "variable",
               symbol->name, b->item->library->soname);
}

static int
bind (const struct binder *b, const struct cs_elf_symbol *symbol,
      const struct cs_elf_reloc *reloc)
{
  uintptr_t value;

  if (symbol->defined || symbol->weak || symbol->tls
      || cs_library_today (b->item->handle, symbol->name, symbol->version))
    return 0;
  value = substitute (b, symbol, reloc);
  if (value == 0)
    return -ENOSPC;
  tell (b, symbol, reloc);
  return cs_library_write (b->item->library, reloc->off, value);
}

int
cs_library_bind_missing (const struct cs_library_loading *loading,
                         size_t number, struct cs_err *err)
{
  const struct cs_library_loaded *item = &loading->set->items[number];
  struct binder b = { .loading = loading, .item = item };
  const struct cs_elf_reloc *reloc;
  struct cs_elf *elf;
  int code = cs_elf_open_memory (item->library->soname,
                                 (const char *) item->block
                                   + item->library->copy,
                                 (size_t) item->library->copy_len, &elf, err);

  if (code != 0)
    return code;
  b.library = missing_library (elf);
  for (size_t i = 0; code == 0 && i < cs_elf_nr_relocs (elf); i++)
    {
      reloc = cs_elf_reloc_get (elf, i);
      if (reloc->symbol)
        code = bind (&b, cs_elf_symbol_get (elf, reloc->symbol), reloc);
    }
  cs_elf_close (elf);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot replace what '%s' misses",
                       item->library->soname);
  return 0;
}
