/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* extension.c -- libraries that are carried while the interpreter runs.  */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intern/extension.h"
#include "intern/interpose.h"
#include "intern/needed.h"

#define KNOWN_MAX 32

struct opening
{
  const struct cs_library_loading *loading;
  struct cs_policy *policy;
  struct cs_elf *elfs[CS_LIBRARIES_MAX];        /* to be carried, each after
                                                   those it needs */
  size_t nr;
  struct cs_elf *known[KNOWN_MAX];      /* carried ones that they refer to */
  size_t numbers[KNOWN_MAX];            /* in the set */
  size_t nr_known;
};

/* The last library of the set with this soname: the newest build.  */
static const struct cs_library_loaded *
find_soname (const struct cs_library_set *set, const char *soname)
{
  for (size_t i = set->nr; i > 0; i--)
    if (strcmp (set->items[i - 1].library->soname, soname) == 0)
      return &set->items[i - 1];
  return NULL;
}

/* Is library NUMBER one that knows nothing of Guile, and begins again in each
   process: libgmp, and others that libguile needs?  Many libraries need
   these, and have nothing to do with the heap.  */
static bool
is_neutral (const struct cs_library_set *set, size_t number)
{
  return number < set->nr_base && set->items[number].restart;
}

static bool
is_carried (const struct cs_library_set *set, const char *soname)
{
  const struct cs_library_loaded *item = find_soname (set, soname);

  return item && !is_neutral (set, (size_t) (item - set->items));
}

/* Does a carried library of the interpreter define NAME?  */
static bool
is_carried_symbol (const struct cs_library_loading *loading,
                   const char *name)
{
  const struct cs_library_set *set = loading->set;
  const void *addr = set->nr_base > 0
                       ? dlsym (set->items[set->nr_base - 1].handle, name)
                       : NULL;
  uintptr_t at = (uintptr_t) addr;

  if (!addr || !cs_store_contains (loading->store, addr))
    return false;
  for (size_t i = 0; i < set->nr_base; i++)
    if (is_neutral (set, i)
        && at - set->items[i].library->addr < set->items[i].library->len)
      return false;
  return true;
}

static bool
is_extension (const struct cs_library_loading *loading,
              const struct cs_elf *elf)
{
  const struct cs_elf_symbol *symbol;

  for (size_t i = 0; i < cs_elf_nr_needed (elf); i++)
    if (is_carried (loading->set, cs_elf_needed (elf, i)))
      return true;
  for (size_t i = 1; i < cs_elf_nr_symbols (elf); i++)
    {
      symbol = cs_elf_symbol_get (elf, i);
      if (!symbol->defined && !symbol->version[0]
          && is_carried_symbol (loading, symbol->name))
        return true;
    }
  return false;
}

/* Is ELF to be carried?  1, 0 or -ENOMEM.  */
static int
is_wanted (struct opening *o, const struct cs_elf *elf)
{
  if (cs_elf_arch (elf) != cs_arch_native ())
    return 0;
  if (is_extension (o->loading, elf)
      && cs_policy_add_extension (o->policy, cs_elf_soname (elf)) != 0)
    return -ENOMEM;
  return cs_policy_role (o->policy, cs_elf_soname (elf)) != CS_POLICY_REBIND;
}

/* Read the copy of a carried library: what is to be carried may refer to
   it.  */
static int
add_known (struct opening *o, const struct cs_library_loaded *item,
           struct cs_err *err)
{
  const struct cs_library_disk *library = item->library;
  size_t number = (size_t) (item - o->loading->set->items);
  int code;

  for (size_t i = 0; i < o->nr_known; i++)
    if (o->numbers[i] == number)
      return 0;
  if (o->nr_known == KNOWN_MAX)
    return cs_err_set (err, CS_E_REFUSED, "too many carried libraries are"
                       " needed");
  code = cs_elf_open_memory (library->soname, (const char *) item->block
                                                + library->copy,
                             (size_t) library->copy_len,
                             &o->known[o->nr_known], err);
  if (code == 0)
    o->numbers[o->nr_known++] = number;
  return code;
}

static int add (struct opening *o, struct cs_elf *elf, struct cs_err *err);

/* NAME, which ELF needs: carried already, to be carried, or the system's.  */
static int
add_needed (struct opening *o, const struct cs_elf *elf, const char *name,
            struct cs_err *err)
{
  const struct cs_library_loaded *item = find_soname (o->loading->set, name);
  struct cs_elf *needed;
  int code;

  if (item)
    return add_known (o, item, err);
  for (size_t i = 0; i < o->nr; i++)
    if (strcmp (cs_elf_soname (o->elfs[i]), name) == 0)
      return 0;
  code = cs_elf_open_needed (elf, name, getenv ("LD_LIBRARY_PATH"), &needed);
  if (code != 0)
    return code == -ENOENT ? 0 : cs_err_sys (err, -code, "cannot look for"
                                             " '%s'", name);
  /* Without a soname ld.so would not find the carried one.  */
  code = strcmp (cs_elf_soname (needed), name) == 0 ? is_wanted (o, needed)
                                                     : 0;
  if (code == 1)
    return add (o, needed, err);
  cs_elf_close (needed);
  return code == 0 ? 0 : cs_err_sys (err, -code, "cannot carry '%s'", name);
}

/* Take over ELF, after all it needs.  */
static int
add (struct opening *o, struct cs_elf *elf, struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < cs_elf_nr_needed (elf); i++)
    code = add_needed (o, elf, cs_elf_needed (elf, i), err);
  if (code == 0 && o->nr == CS_LIBRARIES_MAX)
    code = cs_err_set (err, CS_E_REFUSED, "'%s' needs too many libraries"
                       " that are to be carried", cs_elf_path (elf));
  if (code == 0)
    o->elfs[o->nr++] = elf;
  else
    cs_elf_close (elf);
  return code;
}

/* Take over ELF, and find all that is carried with it, or before.  The
   interpreter's symbols are seen without being asked for, as those of
   libraries that are RTLD_GLOBAL.  */
static int
collect (struct opening *o, struct cs_elf *elf, struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < o->loading->set->nr_base; i++)
    code = add_known (o, &o->loading->set->items[i], err);
  if (code == 0)
    return add (o, elf, err);
  cs_elf_close (elf);
  return code;
}

static int
load (struct opening *o, size_t *number, struct cs_err *err)
{
  const struct cs_library_loading *loading = o->loading;
  size_t first = loading->set->nr;
  int code = cs_library_load_extension (loading, err);

  if (code == 0)
    code = cs_interpose_bind (loading->store, loading->set, loading->find, NULL,
                            err);
  if (code != 0)
    {
      cs_library_unload (loading->set, first);
      cs_library_drop_extension (loading->store);
      return code;
    }
  cs_library_construct (loading->set, first);
  *number = loading->set->nr - 1;
  return CS_EXTENSION_CARRIED;
}

static int
carry (struct opening *o, int mode, size_t *number, struct cs_err *err)
{
  const struct cs_library_carrying carrying = {
    .policy = o->policy, .table = o->loading->table,
    .find = o->loading->find, .elfs = o->elfs, .nr = o->nr,
    .known = o->known, .nr_known = o->nr_known
  };
  int code = cs_library_carry_extension (o->loading->store, &carrying, mode,
                                         err);

  return code == 0 ? load (o, number, err) : code;
}

/* The number of the library in the set that ELF is, or -1: the same build
   under the same path, or one of the interpreter's own, whichever its
   build.  */
static long
find_carried (const struct cs_library_set *set, const struct cs_elf *elf)
{
  const struct cs_library_loaded *item;
  const char *path;

  for (size_t i = set->nr; i > 0; i--)
    {
      item = &set->items[i - 1];
      path = cs_library_name (item->block, item->library->path);
      if (i <= set->nr_base
          ? strcmp (item->library->soname, cs_elf_soname (elf)) == 0
          : strcmp (path, cs_elf_path (elf)) == 0
            && strncmp (item->library->build_id, cs_elf_build_id (elf),
                        sizeof item->library->build_id - 1) == 0)
        return (long) i - 1;
    }
  return -1;
}

static int
open_elf (const char *path, struct cs_elf **elf, struct cs_err *err)
{
  if (strchr (path, '/'))
    return cs_elf_open (path, elf, err);
  return cs_elf_open_needed (NULL, path, getenv ("LD_LIBRARY_PATH"), elf);
}

static void
close_all (struct opening *o)
{
  for (size_t i = 0; i < o->nr; i++)
    cs_elf_close (o->elfs[i]);
  for (size_t i = 0; i < o->nr_known; i++)
    cs_elf_close (o->known[i]);
}

/* ELF, which is taken over, is not carried yet.  */
static int
open_new (struct opening *o, struct cs_elf *elf, int mode, size_t *number,
          struct cs_err *err)
{
  int wanted = is_wanted (o, elf), code;

  if (wanted != 1)
    {
      if (wanted < 0)
        cs_err_sys (err, -wanted, "cannot open '%s'", cs_elf_path (elf));
      cs_elf_close (elf);
      return wanted < 0 ? wanted : CS_EXTENSION_REBOUND;
    }
  code = collect (o, elf, err);
  if (code == 0)
    code = carry (o, mode, number, err);
  close_all (o);
  return code;
}

int
cs_extension_open (const struct cs_library_loading *loading,
                   struct cs_policy *policy, const char *path, int mode,
                   size_t *number, struct cs_err *err)
{
  struct opening o = { .loading = loading, .policy = policy };
  struct cs_elf *elf;
  long found;

  if (open_elf (path, &elf, err) != 0)
    return CS_EXTENSION_REBOUND;
  found = find_carried (loading->set, elf);
  if (found < 0)
    return open_new (&o, elf, mode & ~RTLD_NOLOAD, number, err);
  cs_elf_close (elf);
  *number = (size_t) found;
  return CS_EXTENSION_CARRIED;
}
