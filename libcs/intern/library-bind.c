/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-bind.c -- the words of a loaded library that lead out of it.  */

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "intern/intern.h"
#include "intern/library-load.h"
#include "report.h"

#define SLOTS_MAX 8192          /* of one library; libguile 3.0.8 has 562 */

int
cs_loader_lay_data (const struct cs_loader *loader,
                    const struct cs_library_disk *library,
                    struct cs_err *err)
{
  const struct cs_library_slot_disk *slots
    = cs_library_slots (loader->libraries, library);
  uintptr_t *fresh = calloc (library->nr_slots + 1, sizeof *fresh);
  int code;

  if (!fresh)
    return cs_err_sys (err, ENOMEM, "cannot read the words of '%s'",
                       library->soname);
  for (uint32_t i = 0; i < library->nr_slots; i++)
    if (cs_library_in_data (library, slots[i].addr))
      fresh[i] = *(uintptr_t *) (uintptr_t) slots[i].addr;
  code = cs_store_map_extent (loader->store,
                              (void *) (uintptr_t) library->data_addr,
                              library->data_len, err);
  for (uint32_t i = 0; code == 0 && i < library->nr_slots; i++)
    if (cs_library_in_data (library, slots[i].addr))
      *(uintptr_t *) (uintptr_t) slots[i].addr = fresh[i];
  free (fresh);
  return code;
}

int
cs_library_write (const struct cs_library_disk *library, uint64_t addr,
                  uintptr_t value)
{
  char *page = (char *) (uintptr_t) (addr & -(uint64_t) CS_STORE_PAGE_LEN);
  bool relro = !cs_library_in_data (library, addr);

  if (relro && mprotect (page, CS_STORE_PAGE_LEN, PROT_READ | PROT_WRITE) != 0)
    return -errno;
  *(uintptr_t *) (uintptr_t) addr = value;
  if (relro && mprotect (page, CS_STORE_PAGE_LEN, PROT_READ) != 0)
    return -errno;
  return 0;
}

/* The pages of words that ld.so has made read-only, from the first to the
   last that is replaced; empty if there is none.  */
static void
find_read_only (const struct cs_loader *loader,
                const struct cs_library_disk *library, uintptr_t *start,
                uintptr_t *end)
{
  const struct cs_library_slot_disk *slot
    = cs_library_slots (loader->libraries, library);
  uintptr_t page;

  *start = *end = 0;
  for (uint32_t i = 0; i < library->nr_slots; i++, slot++)
    {
      if (slot->replacement >= loader->libraries->nr_replacements
          || cs_library_in_data (library, slot->addr))
        continue;
      page = (uintptr_t) slot->addr & -(uintptr_t) CS_STORE_PAGE_LEN;
      if (*end == 0 || page < *start)
        *start = page;
      if (page + CS_STORE_PAGE_LEN > *end)
        *end = page + CS_STORE_PAGE_LEN;
    }
}

static int
protect (uintptr_t start, uintptr_t end, int prot)
{
  return start < end && mprotect ((void *) start, end - start, prot) != 0
           ? -errno : 0;
}

int
cs_loader_replace_calls (const struct cs_loader *loader,
                         const struct cs_library_disk *library,
                         struct cs_err *err)
{
  const struct cs_library_slot_disk *slot
    = cs_library_slots (loader->libraries, library);
  uintptr_t start, end;
  int code;

  find_read_only (loader, library, &start, &end);
  code = protect (start, end, PROT_READ | PROT_WRITE);
  for (uint32_t i = 0; code == 0 && i < library->nr_slots; i++, slot++)
    if (slot->replacement < loader->libraries->nr_replacements)
      *(uintptr_t *) (uintptr_t) slot->addr
        = (uintptr_t) loader->replacements[slot->replacement];
  if (code == 0)
    code = protect (start, end, PROT_READ);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot replace calls of '%s'",
                       library->soname);
  return 0;
}

static int
find_replacements (struct cs_loader *loader, cs_library_replacement *find,
                   struct cs_err *err)
{
  const char *name;

  for (uint32_t i = 0; i < loader->libraries->nr_replacements; i++)
    {
      name = cs_library_name (loader->libraries,
                              loader->libraries->replacements[i]);
      loader->replacements[i] = find (name);
      if (!loader->replacements[i])
        return cs_err_set (err, CS_E_INCOMPATIBLE,
                           "'%s' wants replacement '%s', which this version"
                           " does not have",
                           cs_store_path (loader->store), name);
    }
  return 0;
}

static bool
is_replacement (const struct cs_loader *loader, uint32_t number)
{
  return number == CS_LIBRARY_KEEP
         || number < loader->libraries->nr_replacements;
}

static int
check_imports (const struct cs_loader *loader, struct cs_err *err)
{
  const struct cs_library_import_disk *f
    = cs_library_imports (loader->libraries);

  for (uint32_t i = 0; i < loader->libraries->nr_imports; i++, f++)
    if (f->entry >= loader->table->count
        || !is_replacement (loader, f->replacement))
      return cs_err_set (err, CS_E_DAMAGED,
                         "'%s': carried libraries: float %" PRIu32
                         " is of no entry or replacement",
                         cs_store_path (loader->store), i);
  return 0;
}

/* L2, and that they fit our buffer.  */
static int
check_slots (const struct cs_loader *loader, struct cs_err *err)
{
  const struct cs_library_disk *library;
  const struct cs_library_slot_disk *slots;
  uint64_t word = sizeof (uintptr_t);

  for (uint32_t n = 0; n < loader->libraries->count; n++)
    {
      library = cs_library_get (loader->libraries, n);
      slots = cs_library_slots (loader->libraries, library);
      for (uint32_t i = 0; i < library->nr_slots; i++)
        if (library->nr_slots > SLOTS_MAX || slots[i].addr % word != 0
            || slots[i].addr - library->addr > library->len - word
            || !is_replacement (loader, slots[i].replacement))
          return cs_err_set (err, CS_E_DAMAGED,
                             "'%s': carried libraries: slot %" PRIu32
                             " of '%s' is outside of it or of no"
                             " replacement",
                             cs_store_path (loader->store), i,
                             library->soname);
    }
  return 0;
}

int
cs_loader_check (struct cs_loader *loader, struct cs_err *err)
{
  int code = find_replacements (loader, loader->with->find, err);

  if (code == 0)
    code = check_slots (loader, err);
  return code == 0 ? check_imports (loader, err) : code;
}

void *
cs_library_today (void *handle, const char *name, const char *version)
{
  void *addr = version[0] ? dlvsym (handle, name, version) : NULL;

  return addr ? addr : dlsym (handle, name);
}

static void
bind_import (const struct cs_loader *loader,
             const struct cs_library_import_disk *f)
{
  const struct cs_libraries_disk *libraries = loader->libraries;
  const struct cs_library_loaded *last = cs_loader_item (loader,
                                                 libraries->count - 1);
  bool replaced = f->replacement < libraries->nr_replacements;
  const char *name = cs_library_name (libraries, f->name);
  const char *version = cs_library_name (libraries, f->symver);
  void *addr = replaced ? loader->replacements[f->replacement]
                        : cs_library_today (last->handle, name, version);

  if (!addr)
    cs_report (CS_REPORT_MISSING, "function '%s' of the libraries that '%s'"
               " needs", name, last->library->soname);
  if (replaced && f->name == 0)
    cs_intern_redirect (loader->table, f->entry, (uintptr_t) addr);
  else
    cs_intern_bind_anew (loader->table, f->entry, (uintptr_t) addr);
}

void
cs_loader_bind_imports (const struct cs_loader *loader)
{
  const struct cs_library_import_disk *f
    = cs_library_imports (loader->libraries);

  for (uint32_t i = 0; i < loader->libraries->nr_imports; i++, f++)
    if (f->entry < loader->table->count)
      bind_import (loader, f);
}
