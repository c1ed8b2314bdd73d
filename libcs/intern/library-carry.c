/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-carry.c -- copying libraries into a store.

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
#include "intern/library-carry.h"
#include "intern/plt-got.h"

/* Where the libraries lie in the region, and the distance between them: more
   than any p_align in use, so that ld.so's alignment changes nothing (glibc
   2.36, elf/dl-map-segments.h, _dl_map_segment).  */
#define FIRST_OFF ((uint64_t) 16 << 20)
#define DISTANCE ((uint64_t) 2 << 20)

static char *
start_of (const struct cs_carry_plan *plan)
{
  return (char *) (uintptr_t) (plan->addr + cs_elf_layout (plan->elf)->start);
}

/* Keep PLAN's range free for ld.so, and its data part in the file (L4).  */
static int
claim (struct cs_carry *c, const struct cs_carry_plan *plan,
       struct cs_err *err)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  char *data = (char *) (uintptr_t) (plan->addr + layout->data_start);
  int code = cs_store_map_at (c->store, start_of (plan), layout->len,
                              PROT_READ, CS_EXTENT_LIBRARY_TEXT);

  if (code == 0 && layout->data_len > 0 && !cs_carry_restarts (c, plan))
    code = cs_store_map_at (c->store, data, layout->data_len,
                            PROT_READ | PROT_WRITE, CS_EXTENT_LIBRARY_DATA);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot claim %#llx bytes at %p for '%s'",
                       (unsigned long long) layout->len,
                       (void *) start_of (plan), cs_elf_soname (plan->elf));
  return 0;
}

static int
place (struct cs_carry *c, struct cs_err *err)
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
place_extension (struct cs_carry *c, struct cs_carry_plan *plan,
                 struct cs_err *err)
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
rebase_all (struct cs_carry *c, struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < c->nr; i++)
    {
      c->current = &c->plans[i];
      code = cs_rebase (c->current->elf, c->current->addr, cs_carry_resolve, c,
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
bind_inside (struct cs_carry *c)
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
begin (struct cs_carry *c, struct cs_err *err)
{
  const struct cs_library_carrying *with = c->with;
  struct name_check check = { with->find, err, 0 };

  if (with->nr > CS_LIBRARIES_MAX
      || with->nr + with->nr_known > CS_CARRY_PLANS_MAX)
    return cs_err_set (err, CS_E_REFUSED,
                       "%zu libraries shall be carried and %zu are needed, at"
                       " most %d and %d can be", with->nr, with->nr_known,
                       CS_LIBRARIES_MAX,
                       CS_CARRY_PLANS_MAX - CS_LIBRARIES_MAX);
  cs_policy_each_replacement (with->policy, check_name, &check);
  if (check.code != 0)
    return check.code;
  for (size_t i = 0; i < with->nr; i++)
    c->plans[i].elf = with->elfs[i];
  for (size_t i = 0; i < with->nr_known; i++)
    c->plans[with->nr + i].elf = with->known[i];
  c->nr = with->nr;
  c->nr_plans = with->nr + with->nr_known;
  cs_carry_name (c, "");
  return c->code == 0 ? 0 : cs_err_sys (err, -c->code, "cannot carry"
                                        " libraries");
}

static void
end (struct cs_carry *c)
{
  for (size_t i = 0; i < c->nr; i++)
    cs_rebased_fini (&c->plans[i].rebased);
  free (c->slots.data);
  free (c->imports.data);
  free (c->names.data);
}

/* Once all are placed.  */
static int
write_all (struct cs_carry *c, void **block, struct cs_err *err)
{
  int code = rebase_all (c, err);

  for (size_t i = 0; code == 0 && i < c->nr; i++)
    cs_carry_add_slots (c, &c->plans[i]);
  return code == 0 ? cs_carry_write_block (c, block, err) : code;
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
  struct cs_carry c = {
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
unclaim (struct cs_carry *c)
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
publish (struct cs_carry *c, struct cs_extensions_disk *extensions,
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
  struct cs_carry c = {
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
