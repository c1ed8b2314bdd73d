/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-carry.c -- copying libraries into a store: rebasing them, and
   writing their block.

   When the store is made, the interpreter's libraries get fixed places at
   the beginning of the region.  Extensions are carried while the interpreter
   runs, wherever there is room.  */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "intern/intern.h"
#include "intern/library-private.h"
#include "intern/plt-got.h"

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
  struct cs_elf *elf;
  uint64_t addr;                /* 0 for a known one: its copy is rebased */
  struct cs_rebased rebased;
};

#define PLANS_MAX 64            /* known libraries among them */

struct carry
{
  struct cs_store *store;
  const struct cs_library_carrying *with;
  struct plan plans[PLANS_MAX]; /* those to be carried, then the known ones */
  size_t nr, nr_plans;
  const struct plan *current;   /* the one being rebased */
  bool extension;               /* in a running process */
  int mode;                     /* of dlopen() */
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

/* Does BLOCK bind entry I at each start?  */
static bool
has_float (const struct cs_libraries_disk *block, uint32_t i)
{
  const struct cs_library_float_disk *f = cs_library_floats (block);

  for (uint32_t n = 0; n < block->nr_floats; n++)
    if (f[n].entry == i)
      return true;
  return false;
}

/* The same for the blocks that are there.  A trampoline is one for all
   libraries: whoever was first decides what it leads to.  */
static bool
is_bound (const struct carry *c, uint32_t i)
{
  struct cs_err ignored = CS_ERR_INIT;
  struct cs_library_cursor cursor = { 0 };

  while (c->extension && cs_library_next (c->store, &cursor, &ignored) > 0)
    if (cursor.nr == 0 && has_float (cursor.block, i))
      return true;
  return false;
}

/* Note that entry I is used by a carried library, and bound at each start: it
   is outside of them, or replaced.  */
static void
add_float (struct carry *c, uint32_t i, const char *replacement)
{
  const struct cs_table_disk *table = c->with->table;
  const struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  const struct cs_library_float_disk *floats = (const void *) c->floats.data;
  struct cs_library_float_disk new = {
    .entry = i, .replacement = CS_LIBRARY_KEEP
  };

  for (uint32_t n = 0; n < c->head.nr_floats; n++)
    if (floats[n].entry == i)
      return;
  if (is_bound (c, i))
    return;
  if (replacement)
    new.replacement = number_replacement (c, replacement);
  if (!(entry->flags & CS_TABLE_PERSISTENT))
    {
      new.name = add_name (c, cs_table_string (table, entry->name));
      new.symver = add_name (c, cs_table_string (table, entry->symver));
    }
  if (append (&c->floats, &new, sizeof new) != 0)
    c->code = -ENOMEM;
  c->head.nr_floats++;
}

/* The carried library that defines SYMBOL: the one being rebased first, as
   if it were linked with -Bsymbolic, then those it may mean, in order.  */
static const struct plan *
find_definition (const struct carry *c, const struct cs_elf_symbol *symbol,
                 const struct cs_elf_symbol **definition)
{
  const struct plan *plan = c->plans;

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
find_entry (struct carry *c, const char *library, const char *name,
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
use_trampoline (struct carry *c, uint32_t i)
{
  cs_table_entry (c->with->table, i)->flags |= CS_TABLE_USED;
  return cs_intern_trampoline (c->with->table, i);
}

/* The entry for a function of PLAN's library whose address is taken.  The
   name may belong to an older build of it, at another address.  */
static long
find_inside (struct carry *c, const struct plan *plan,
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
resolve_inside (struct carry *c, const struct plan *plan,
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
resolve_outside (struct carry *c, const struct cs_elf_symbol *symbol,
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
  i = find_inside (c, plan, definition);
  if (i < 0 || cs_table_entry (c->with->table, (uint32_t) i)->kind
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
    = cs_policy_replacement (c->with->policy, cs_elf_soname (c->current->elf),
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
      replacement = cs_policy_replacement (c->with->policy,
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

static bool
is_restarted (const struct carry *c, const struct plan *plan)
{
  return cs_policy_role (c->with->policy, cs_elf_soname (plan->elf))
         == CS_POLICY_RESTART;
}

static char *
start_of (const struct plan *plan)
{
  return (char *) (uintptr_t) (plan->addr + cs_elf_layout (plan->elf)->start);
}

/* Keep PLAN's range free for ld.so, and its data part in the file (L4).  */
static int
claim (struct carry *c, const struct plan *plan, struct cs_err *err)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  char *data = (char *) (uintptr_t) (plan->addr + layout->data_start);
  int code = cs_store_map_at (c->store, start_of (plan), layout->len,
                              PROT_READ, CS_EXTENT_LIBRARY_TEXT);

  if (code == 0 && layout->data_len > 0 && !is_restarted (c, plan))
    code = cs_store_map_at (c->store, data, layout->data_len,
                            PROT_READ | PROT_WRITE, CS_EXTENT_LIBRARY_DATA);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot claim %#llx bytes at %p for '%s'",
                       (unsigned long long) layout->len,
                       (void *) start_of (plan), cs_elf_soname (plan->elf));
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
      code = claim (c, &c->plans[i], err);
      addr += cs_elf_layout (c->plans[i].elf)->start
              + cs_elf_layout (c->plans[i].elf)->len;
      addr = (addr + 2 * DISTANCE - 1) & -DISTANCE;
    }
  return code;
}

/* Find room for PLAN, aligned as it has to be.  */
static int
place_extension (struct carry *c, struct plan *plan, struct cs_err *err)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  uint64_t len = layout->len + layout->align, start, end;
  char *room = cs_store_map (c->store, len, PROT_READ,
                             CS_EXTENT_LIBRARY_TEXT);

  if (!room)
    return cs_err_sys (err, errno, "cannot find room for '%s'",
                       cs_elf_soname (plan->elf));
  start = (uintptr_t) room - layout->start + layout->align - 1;
  plan->addr = start & -layout->align;
  start = plan->addr + layout->start;
  end = start + layout->len;
  if (start > (uintptr_t) room)
    cs_store_unmap (c->store, room, start - (uintptr_t) room);
  if (end < (uintptr_t) room + len)
    cs_store_unmap (c->store, (void *) (uintptr_t) end,
                    (uintptr_t) room + len - end);
  return claim (c, plan, err);
}

/* The slot of the trampoline at ADDR.  */
static uint64_t
find_slot (void *closure, uint64_t addr)
{
  const struct cs_table_disk *table = closure;
  long i = cs_intern_at (table, addr);

  if (i < 0 || cs_intern_trampoline (table, (uint32_t) i) != addr)
    return 0;
  return cs_intern_slot (table, (uint32_t) i);
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
      if (code == 0)
        code = cs_plt_got_direct (c->current->elf, c->current->addr,
                                  find_slot, c->with->table,
                                  &c->plans[i].rebased, err);
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
  struct cs_table_disk *table = c->with->table;
  struct cs_table_entry_disk *entry;
  const struct cs_elf_symbol *symbol;
  const char *library;

  for (uint32_t i = 0; i < table->count; i++)
    {
      entry = cs_table_entry (table, i);
      library = cs_table_string (table, entry->library);
      for (size_t n = 0; n < c->nr; n++)
        if (strcmp (cs_elf_soname (c->plans[n].elf), library) == 0)
          {
            symbol = cs_elf_symbol_find (c->plans[n].elf,
                                         cs_table_string (table,
                                                          entry->name));
            cs_intern_bind (table, i,
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
    .flags = is_restarted (c, plan) ? CS_LIBRARY_RESTART : 0,
    .mode = (uint32_t) c->mode,
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

/* Where everything goes in the block.  */
static int
lay_out (struct carry *c, struct cs_library_disk *libraries,
         struct cs_err *err)
{
  struct cs_libraries_disk *head = &c->head;
  uint64_t copy = 0;
  uint32_t first_slot = 0;

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
  return 0;
}

/* Write the block to head.len bytes at OUT.  */
static void
write_block (const struct carry *c, const struct cs_library_disk *libraries,
             char *out)
{
  const struct cs_libraries_disk *head = &c->head;

  memcpy (out, head, sizeof *head);
  memcpy (out + sizeof *head, libraries, c->nr * sizeof *libraries);
  if (c->slots.len > 0)
    memcpy (out + head->slots, c->slots.data, c->slots.len);
  if (c->floats.len > 0)
    memcpy (out + head->floats, c->floats.data, c->floats.len);
  memcpy (out + head->names, c->names.data, c->names.len);
  for (size_t i = 0; i < c->nr; i++)
    memcpy (out + libraries[i].copy, c->plans[i].rebased.data,
            c->plans[i].rebased.len);
}

/* Give the block its place: *OUT.  */
static int
make_block (struct carry *c, void **out)
{
  if (!c->extension)
    return cs_store_section_create (c->store, "libs", c->head.len,
                                    PROT_READ | PROT_WRITE, out);
  *out = cs_store_map (c->store, c->head.len, PROT_READ | PROT_WRITE,
                       CS_EXTENT_DIRECTORY);
  return *out ? 0 : -errno;
}

static int
finish_block (struct carry *c, void **out, struct cs_err *err)
{
  struct cs_library_disk libraries[CS_LIBRARIES_MAX];
  int code = lay_out (c, libraries, err);

  if (code != 0)
    return code;
  code = make_block (c, out);
  if (code == 0)
    {
      write_block (c, libraries, *out);
      code = cs_store_protect (c->store, *out, c->head.len, PROT_READ);
      if (code != 0)
        cs_store_unmap (c->store, *out, c->head.len);
    }
  return code == 0 ? 0 : cs_err_sys (err, -code, "cannot make room for copies"
                                     " of libraries");
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

static int
begin (struct carry *c, struct cs_err *err)
{
  const struct cs_library_carrying *with = c->with;
  struct name_check check = { with->find, err, 0 };

  if (with->nr > CS_LIBRARIES_MAX || with->nr + with->nr_known > PLANS_MAX)
    return cs_err_set (err, CS_E_REFUSED,
                       "%zu libraries shall be carried and %zu are needed, at"
                       " most %d and %d can be", with->nr, with->nr_known,
                       CS_LIBRARIES_MAX, PLANS_MAX - CS_LIBRARIES_MAX);
  cs_policy_each_replacement (with->policy, check_name, &check);
  if (check.code != 0)
    return check.code;
  for (size_t i = 0; i < with->nr; i++)
    c->plans[i].elf = with->elfs[i];
  for (size_t i = 0; i < with->nr_known; i++)
    c->plans[with->nr + i].elf = with->known[i];
  c->nr = with->nr;
  c->nr_plans = with->nr + with->nr_known;
  add_name (c, "");
  return c->code == 0 ? 0 : cs_err_sys (err, -c->code, "cannot carry"
                                        " libraries");
}

static void
end (struct carry *c)
{
  for (size_t i = 0; i < c->nr; i++)
    cs_rebased_fini (&c->plans[i].rebased);
  free (c->slots.data);
  free (c->floats.data);
  free (c->names.data);
}

/* Once all are placed.  */
static int
write_all (struct carry *c, void **block, struct cs_err *err)
{
  int code = rebase_all (c, err);

  for (size_t i = 0; code == 0 && i < c->nr; i++)
    add_slots (c, &c->plans[i]);
  return code == 0 ? finish_block (c, block, err) : code;
}

static int
make_extensions (struct cs_store *store, struct cs_err *err)
{
  struct cs_extensions_disk *extensions;
  void *section;
  int code = cs_store_section_create (store, "exts", sizeof *extensions,
                                      PROT_READ | PROT_WRITE, &section);

  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'exts'");
  extensions = section;
  memcpy (extensions->magic, CS_EXTENSIONS_MAGIC, sizeof extensions->magic);
  extensions->version = CS_EXTENSIONS_VERSION;
  return 0;
}

int
cs_library_carry (struct cs_store *store,
                  const struct cs_library_carrying *carrying,
                  struct cs_err *err)
{
  struct carry c = {
    .store = store, .with = carrying, .mode = RTLD_LAZY | RTLD_GLOBAL
  };
  void *block;
  int code = begin (&c, err);

  if (code == 0)
    code = place (&c, err);
  if (code == 0)
    code = write_all (&c, &block, err);
  if (code == 0)
    code = make_extensions (store, err);
  if (code == 0)
    bind_inside (&c);
  end (&c);
  return code;
}

/* Give back what the first NR libraries claimed.  */
static void
unclaim (struct carry *c)
{
  for (size_t i = 0; i < c->nr; i++)
    if (c->plans[i].addr != 0)
      cs_store_unmap (c->store, start_of (&c->plans[i]),
                      cs_elf_layout (c->plans[i].elf)->len);
}

/* The file behind PATH, for telling when it is another one.  */
static void
look_at (const char *path, struct cs_extension_disk *item)
{
  struct stat status;

  if (stat (path, &status) != 0)
    return;
  item->dev = status.st_dev;
  item->ino = status.st_ino;
  item->file_len = (uint64_t) status.st_size;
  item->mtime = (int64_t) status.st_mtim.tv_sec * 1000000000
                + status.st_mtim.tv_nsec;
}

/* The last step: from now on the block is one.  */
static void
publish (struct carry *c, struct cs_extensions_disk *extensions,
         const void *block)
{
  struct cs_extension_disk *item = &extensions->items[extensions->count];

  *item = (struct cs_extension_disk) {
    .block = (uintptr_t) block, .len = c->head.len
  };
  look_at (cs_elf_path (c->plans[c->nr - 1].elf), item);
  extensions->count++;
}

int
cs_library_carry_extension (struct cs_store *store,
                            const struct cs_library_carrying *carrying,
                            int mode, struct cs_err *err)
{
  struct carry c = {
    .store = store, .with = carrying, .mode = mode, .extension = true
  };
  struct cs_extensions_disk *extensions = cs_library_extensions (store, err);
  void *block;
  int code;

  if (!extensions)
    return err->code;
  if (extensions->count == CS_EXTENSIONS_MAX)
    return cs_err_set (err, CS_E_REFUSED, "the store carries %d extensions"
                       " already", CS_EXTENSIONS_MAX);
  code = begin (&c, err);
  for (size_t i = 0; code == 0 && i < c.nr; i++)
    code = place_extension (&c, &c.plans[i], err);
  if (code == 0)
    code = write_all (&c, &block, err);
  if (code == 0)
    publish (&c, extensions, block);
  else
    unclaim (&c);
  end (&c);
  return code;
}

void
cs_library_drop_extension (struct cs_store *store)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_extensions_disk *extensions = cs_library_extensions (store, &err);
  const struct cs_extension_disk *item;
  const struct cs_libraries_disk *block;
  const struct cs_library_disk *library;

  if (!extensions || extensions->count == 0)
    return;
  block = cs_library_block (store, extensions->count, &err);
  item = &extensions->items[--extensions->count];
  for (uint32_t i = 0; block && i < block->count; i++)
    {
      library = cs_library_get (block, i);
      cs_store_unmap (store, (void *) (uintptr_t) library->addr,
                      (size_t) library->len);
    }
  if (block)
    cs_store_unmap (store, (void *) (uintptr_t) item->block,
                    (size_t) item->len);
}
