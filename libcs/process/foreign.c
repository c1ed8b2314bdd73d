/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* foreign.c -- libraries opened at run time: dlopen, dlsym, dlclose.

   A handle that the interpreter keeps is the address of a record in the
   store which names the library as the program did (made absolute when it
   is a path).  A function found by dlsym comes back as its trampoline, so
   that it may be kept too.  At a resume the libraries are opened again and
   the trampolines bound by name; a library or symbol that is missing today
   leaves the trampoline at its stub, which raises an error when called.

   An extension (a library that needs libguile) also hands addresses of its
   functions to the interpreter, for the primitives it defines.  Those that
   it exports are replaced by trampolines in its own relocated words, before
   it is initialized.  What it keeps in its own statics is of this process.

   Pointers to data come back as they are: they are of this process too.  */

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "intern/imports.h"
#include "private.h"
#include "report.h"

static void *real[CS_PROCESS_HANDLES_MAX];      /* today's handles */
static pthread_mutex_t foreign_lock = PTHREAD_MUTEX_INITIALIZER;

void
cs_foreign_hold (void)
{
  cs_locks_lock (&foreign_lock);
}

void
cs_foreign_release (void)
{
  cs_locks_unlock (&foreign_lock);
}

static const char *
path_of (const struct cs_handle_disk *handle)
{
  return cs_process.image->strings + handle->path;
}

/* The record for PATH ("" is the program itself), a new one if there is
   none; NULL if there is no room.  */
static struct cs_handle_disk *
handle_for (const char *path)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_handle_disk *handle;
  uint32_t name;

  for (uint32_t i = 0; i < image->nr_handles; i++)
    if (strcmp (path_of (&image->handles[i]), path) == 0)
      return &image->handles[i];
  if (image->nr_handles == CS_PROCESS_HANDLES_MAX)
    return NULL;
  name = cs_process_string (path);
  if (name == 0 && path[0])
    return NULL;
  handle = &image->handles[image->nr_handles++];
  *handle = (struct cs_handle_disk) { .path = name };
  return handle;
}

static bool
is_handle (const void *handle)
{
  const struct cs_handle_disk *h = handle;
  const struct cs_process_disk *image = cs_process.image;

  return h >= image->handles && h < image->handles + image->nr_handles;
}

static size_t
number_of (const struct cs_handle_disk *handle)
{
  return (size_t) (handle - cs_process.image->handles);
}

static void
full (const char *what)
{
  if (cs_process.raise)
    cs_process.raise (what);
}

/* Constants may lie among code, in libraries linked without separate
   segments for them.  */
static bool
is_data_symbol (const void *addr)
{
  const ElfW (Sym) *symbol = NULL;
  Dl_info info;

  return dladdr1 (addr, &info, (void **) &symbol, RTLD_DL_SYMENT) != 0
         && symbol && info.dli_saddr == addr
         && ELF32_ST_TYPE (symbol->st_info) == STT_OBJECT;
}

struct code_search
{
  uintptr_t addr;
  bool found;
};

static int
look_in_object (struct dl_phdr_info *info, size_t len, void *closure)
{
  struct code_search *search = closure;
  const ElfW (Phdr) *segment;

  (void) len;
  for (int i = 0; i < info->dlpi_phnum; i++)
    {
      segment = &info->dlpi_phdr[i];
      if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X)
          && search->addr - (info->dlpi_addr + segment->p_vaddr)
               < segment->p_memsz)
        search->found = true;
    }
  return search->found;
}

static bool
is_code (const void *addr)
{
  struct code_search search = { (uintptr_t) addr, false };

  dl_iterate_phdr (look_in_object, &search);
  return search.found;
}

/* The entry of a carried library's function at ADDR, or -ENOENT.  */
static long
find_carried (const char *name, const void *addr)
{
  const struct cs_table_disk *table = cs_process.table;
  const struct cs_table_entry_disk *entry;

  for (uint32_t i = 0; i < table->count; i++)
    {
      entry = cs_table_entry (table, i);
      if ((entry->flags & CS_TABLE_PERSISTENT)
          && entry->value == (uintptr_t) addr
          && strcmp (cs_table_string (table, entry->name), name) == 0)
        return (long) i;
    }
  return -ENOENT;
}

/* The trampoline for function NAME of the library PATH, now at ADDR.  */
static void *
trampoline_for (const char *path, const char *name, void *addr)
{
  const struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_USED | CS_TABLE_DYNAMIC,
    .value = (uintptr_t) addr
  };
  struct cs_table_disk *table = cs_process.table;
  long i;

  if (cs_store_contains (cs_process.store, addr))
    i = find_carried (name, addr);
  else
    {
      i = cs_table_add (table, path, name, "", &fields);
      if (i >= 0)
        {
          cs_table_entry (table, (uint32_t) i)->flags
            |= CS_TABLE_USED | CS_TABLE_DYNAMIC;
          cs_intern_bind (table, (uint32_t) i, (uintptr_t) addr);
        }
    }
  if (i == -ENOSPC)
    return NULL;
  return i < 0 ? addr
               : (void *) (uintptr_t) cs_intern_trampoline (table,
                                                            (uint32_t) i);
}

/* A function of an extension, whose address it takes itself.  */
static uintptr_t
redirect_own (void *path, const char *name, uintptr_t function)
{
  return (uintptr_t) trampoline_for (path, name, (void *) function);
}

void *
cs_foreign_open (const char *path, int flags)
{
  char absolute[PATH_MAX];
  struct cs_handle_disk *handle;
  void *today = dlopen (path, flags);

  if (!today)
    return NULL;
  if (path && strchr (path, '/') && realpath (path, absolute))
    path = absolute;
  cs_locks_lock (&foreign_lock);
  handle = handle_for (path ? path : "");
  if (handle)
    {
      /* As with libc, RTLD_GLOBAL and RTLD_NODELETE stay in force.  */
      if (handle->references++ == 0)
        handle->flags = 0;
      handle->flags |= (uint32_t) flags & ~(uint32_t) RTLD_NOLOAD;
      /* One reference of libc's stands for all of ours.  */
      if (real[number_of (handle)])
        dlclose (today);
      else
        {
          real[number_of (handle)] = today;
          if (path)
            cs_imports_redirect_own (cs_process.store, today, redirect_own,
                                     (void *) path);
        }
    }
  cs_locks_unlock (&foreign_lock);
  if (!handle)
    full ("the store has no room for another library opened at run time");
  return handle;
}

void *
cs_foreign_symbol (void *handle, const char *name)
{
  struct cs_handle_disk *known = handle;
  void *addr, *result;

  if (!is_handle (handle))
    return dlsym (handle, name);
  if (!real[number_of (known)])
    real[number_of (known)] = dlopen (path_of (known)[0] ? path_of (known)
                                                         : NULL,
                                      (int) known->flags);
  if (!real[number_of (known)])
    return NULL;
  addr = dlsym (real[number_of (known)], name);
  if (!addr || !is_code (addr) || is_data_symbol (addr))
    return addr;
  cs_locks_lock (&foreign_lock);
  result = trampoline_for (path_of (known), name, addr);
  cs_locks_unlock (&foreign_lock);
  if (!result)
    full ("the store's intern table is full");
  return result;
}

int
cs_foreign_close (void *handle)
{
  struct cs_handle_disk *known = handle;
  void *today;

  if (!is_handle (handle))
    return dlclose (handle);
  if (known->references > 0)
    known->references--;
  today = real[number_of (known)];
  if (!today || known->references > 0)
    return 0;
  real[number_of (known)] = NULL;
  return dlclose (today);
}

static void
bind_entry (uint32_t i)
{
  struct cs_table_disk *table = cs_process.table;
  struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  struct cs_process_disk *image = cs_process.image;
  const char *path = cs_table_string (table, entry->library);
  const char *name = cs_table_string (table, entry->name);
  bool loaded = false;
  void *addr = NULL;

  for (uint32_t h = 0; h < image->nr_handles; h++)
    if (real[h] && strcmp (path_of (&image->handles[h]), path) == 0)
      {
        loaded = true;
        addr = dlsym (real[h], name);
      }
  if (loaded && !addr)
    cs_report (CS_REPORT_MISSING, "function '%s' of '%s'", name, path);
  cs_intern_bind (table, i, (uintptr_t) addr);
}

static void
open_again (uint32_t h)
{
  const struct cs_handle_disk *handle = &cs_process.image->handles[h];
  const char *path = path_of (handle);

  if (handle->references == 0)
    return;
  real[h] = dlopen (path[0] ? path : NULL, (int) handle->flags);
  if (!real[h])
    cs_report (CS_REPORT_MISSING, "library '%s': %s", path, dlerror ());
}

void
cs_foreign_resume (void)
{
  struct cs_process_disk *image = cs_process.image;

  if (image->nr_handles == 0)
    return;
  for (uint32_t h = 0; h < image->nr_handles; h++)
    open_again (h);
  for (uint32_t i = 0; i < cs_process.table->count; i++)
    if (cs_table_entry (cs_process.table, i)->flags & CS_TABLE_DYNAMIC)
      bind_entry (i);
}
