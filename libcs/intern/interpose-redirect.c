/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-redirect.c -- addresses of its own functions that an extension
   which is not carried hands to the interpreter.  */

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "intern/interpose-private.h"

struct redirection
{
  const struct cs_object *object;
  cs_interpose_redirect *redirect;
  void *closure;
};

static bool
table_uses_carried (struct cs_store *store, const struct cs_object *o,
                    const struct cs_object_table *t)
{
  const ElfW (Sym) *symbols
    = (const ElfW (Sym) *) cs_object_addr (o, DT_SYMTAB);
  const char *strings = (const char *) cs_object_addr (o, DT_STRTAB);
  const ElfW (Sym) *symbol;
  const ElfW (Rel) *reloc;
  void *addr;

  for (size_t off = 0; t->start && off + t->entry_len <= t->len;
       off += t->entry_len)
    {
      reloc = (const ElfW (Rel) *) (t->start + off);
      symbol = &symbols[cs_object_reloc_symbol (reloc)];
      if (symbol->st_name == 0 || symbol->st_shndx != SHN_UNDEF)
        continue;
      addr = dlsym (RTLD_DEFAULT, strings + symbol->st_name);
      if (addr && cs_store_contains (store, addr))
        return true;
    }
  return false;
}

/* Is this word the address of a function of the library's own?  */
static bool
is_own_function (const ElfW (Rel) *reloc, const ElfW (Sym) *symbol)
{
  enum cs_reloc_kind kind
    = cs_arch_native ()->reloc_kind (cs_object_reloc_type (reloc));

  /* ELF32_ST_TYPE and ELF64_ST_TYPE are the same (elf.h).  */
  return (kind == CS_RELOC_GLOB_DAT || kind == CS_RELOC_ABSOLUTE)
         && symbol->st_shndx != SHN_UNDEF
         && ELF64_ST_TYPE (symbol->st_info) == STT_FUNC;
}

static void
redirect_table (const struct redirection *r, const struct cs_object_table *t)
{
  const struct cs_object *o = r->object;
  const ElfW (Sym) *symbols
    = (const ElfW (Sym) *) cs_object_addr (o, DT_SYMTAB);
  const char *strings = (const char *) cs_object_addr (o, DT_STRTAB);
  const ElfW (Sym) *symbol;
  const ElfW (Rel) *reloc;
  uintptr_t *word, value;

  for (size_t off = 0; t->start && off + t->entry_len <= t->len;
       off += t->entry_len)
    {
      reloc = (const ElfW (Rel) *) (t->start + off);
      symbol = &symbols[cs_object_reloc_symbol (reloc)];
      if (!is_own_function (reloc, symbol))
        continue;
      word = (uintptr_t *) (uintptr_t) (o->addr + reloc->r_offset);
      /* Another library's function of that name may have come before.  */
      if (*word != o->addr + symbol->st_value)
        continue;
      value = r->redirect (r->closure, strings + symbol->st_name, *word);
      if (value != 0)
        *word = value;
    }
}

static int
redirect_object (struct cs_store *store, const struct redirection *r)
{
  struct cs_object_table tables[3];
  bool uses = false;
  int code;

  cs_object_tables (r->object, tables);
  for (size_t i = 0; i < 3; i++)
    uses = uses || table_uses_carried (store, r->object, &tables[i]);
  code = uses ? cs_object_protect (r->object, PROT_READ | PROT_WRITE) : 0;
  if (!uses || code != 0)
    return code;
  for (size_t i = 0; i < 3; i++)
    redirect_table (r, &tables[i]);
  code = cs_object_protect (r->object, PROT_READ);
  return code == 0 ? 1 : code;
}

int
cs_interpose_redirect_own (struct cs_store *store, void *handle,
                         cs_interpose_redirect *redirect, void *closure)
{
  struct cs_objects objects = { 0 };
  struct redirection r = { .redirect = redirect, .closure = closure };
  struct link_map *map;
  int code;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0)
    return 0;
  code = cs_objects_read (&objects, store);
  for (size_t i = 0; i < objects.nr; i++)
    if (objects.items[i].dynamic == map->l_ld && !objects.items[i].never)
      r.object = &objects.items[i];
  if (code == 0 && r.object)
    code = redirect_object (store, &r);
  cs_objects_fini (&objects);
  return code;
}
