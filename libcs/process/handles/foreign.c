/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* foreign.c -- libraries opened at run time: dlopen, dlsym, dlclose.

   A handle that the interpreter keeps is the address of a record in the
   store which names the library as the program did (made absolute when it
   is a path).  At a resume the libraries are found again (foreign-find.c) and
   the trampolines bound by name; a library or symbol that is missing today
   leaves the trampoline at its stub, which raises an error when called.

   A function found by dlsym comes back as its trampoline, so that it may be
   kept too.  A variable comes back where it is today; its name is left for
   the caller's caller, which makes an object of the address and can change it
   at a resume (cs_process_data_symbol).

   Extensions, libraries that refer to the interpreter, are carried
   (extension.h): they are in the store like the interpreter itself.  One
   that the policy rebinds still hands addresses of its functions to the
   interpreter, for the primitives it defines.  Those that it exports are
   replaced by trampolines in its own relocated words, before it is
   initialized; what it keeps in its own statics is of this process.  */

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intern/extension.h"
#include "intern/interpose.h"
#include "process/private.h"
#include "report.h"

static struct
{
  void *handle;                 /* of ld.so */
  bool carried;                 /* it is never closed */
} real[CS_PROCESS_HANDLES_MAX]; /* today's libraries */

static __thread struct
{
  const void *addr;
  uint32_t entry;
} last_data;                    /* that dlsym gave to this thread */

static struct cs_policy *policy;        /* parsed when it is first needed */
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
soname_of (const struct cs_handle_disk *handle)
{
  return cs_process.image->strings + handle->soname;
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

/* The entry for symbol NAME of the library PATH, now at ADDR, bound; or
   negative.  */
static long
intern (const char *path, const char *name, void *addr,
        enum cs_symbol_kind kind)
{
  const struct cs_table_entry_disk fields = {
    .kind = (uint16_t) kind, .flags = CS_TABLE_USED | CS_TABLE_DYNAMIC,
    .value = (uintptr_t) addr
  };
  struct cs_table_disk *table = cs_process.table;
  long i = cs_table_add (table, path, name, "", &fields);

  if (i < 0)
    return i;
  cs_table_entry (table, (uint32_t) i)->flags
    |= CS_TABLE_USED | CS_TABLE_DYNAMIC;
  cs_intern_bind (table, (uint32_t) i, (uintptr_t) addr);
  return i;
}

/* The trampoline for function NAME of the library PATH, now at ADDR.  */
static void *
trampoline_for (const char *path, const char *name, void *addr)
{
  long i = cs_store_contains (cs_process.store, addr)
             ? find_carried (name, addr)
             : intern (path, name, addr, CS_SYMBOL_FUNCTION);

  if (i == -ENOSPC)
    return NULL;
  return i < 0 ? addr
               : (void *) (uintptr_t) cs_intern_trampoline (cs_process.table,
                                                            (uint32_t) i);
}

/* Variable NAME of the library PATH, now at ADDR.  One of a carried library
   stays where it is.  Returns false if the table is full.  */
static bool
note_data (const char *path, const char *name, void *addr)
{
  long i;

  if (cs_store_contains (cs_process.store, addr))
    return true;
  i = intern (path, name, addr, CS_SYMBOL_DATA);
  if (i < 0)
    return false;
  last_data.addr = addr;
  last_data.entry = (uint32_t) i;
  return true;
}

long
cs_process_data_symbol (const void *addr)
{
  if (!addr || last_data.addr != addr)
    return -ENOENT;
  last_data.addr = NULL;
  return (long) last_data.entry;
}

/* A function of an extension, whose address it takes itself.  */
static uintptr_t
redirect_own (void *path, const char *name, uintptr_t function)
{
  return (uintptr_t) trampoline_for (path, name, (void *) function);
}

/* Note that the program has the library PATH open, as HANDLE.  NULL when
   there is no room.  */
static struct cs_handle_disk *
keep_handle (const char *path, int flags, void *handle, bool carried)
{
  struct cs_handle_disk *kept = handle_for (path);
  size_t n;

  if (!kept)
    return NULL;
  /* As with libc, RTLD_GLOBAL and RTLD_NODELETE stay in force.  */
  if (kept->references++ == 0)
    kept->flags = 0;
  kept->flags |= (uint32_t) flags & ~(uint32_t) RTLD_NOLOAD;
  n = number_of (kept);
  /* One reference of libc's stands for all of ours.  */
  if (real[n].handle && !real[n].carried)
    dlclose (real[n].handle);
  real[n].handle = handle;
  real[n].carried = carried;
  return kept;
}

/* Let ld.so open the library that PATH names; ERR says what kept it from
   being read as one to be carried, if anything did.  */
static struct cs_handle_disk *
open_rebound (const char *path, int flags, struct cs_err *err)
{
  void *handle = dlopen (path, flags);
  struct cs_handle_disk *kept;

  if (!handle)
    return NULL;
  if (path
      && cs_interpose_redirect_own (cs_process.store, handle, redirect_own,
                                  (void *) path) == 1
      && err->code != 0)
    {
      dlclose (handle);
      return NULL;
    }
  err->code = 0;
  kept = keep_handle (path ? path : "", flags, handle, false);
  if (kept)
    {
      kept->build = cs_interpose_build (handle);
      kept->soname = path ? cs_process_string (cs_foreign_soname (handle)) : 0;
    }
  else
    {
      dlclose (handle);
      cs_err_set (err, CS_E_REFUSED, "the store has no room for another"
                  " library opened at run time");
    }
  return kept;
}

static int
open_carried (const char *path, int flags, size_t *number,
              struct cs_err *err)
{
  const struct cs_library_loading loading = {
    .store = cs_process.store, .table = cs_process.table,
    .find = cs_process.find, .set = &cs_process.libraries
  };
  int code = policy ? 0 : cs_policy_of_store (cs_process.store, &policy, err);

  return code == 0 ? cs_extension_open (&loading, policy, path, flags,
                                        number, err) : code;
}

/* Open PATH, whose file is FILE if it has a directory.  A carried library is
   one library whatever links lead to it, so it is known by its file.  */
static struct cs_handle_disk *
open_as (const char *path, const char *file, int flags, struct cs_err *err)
{
  const struct cs_library_set *set = &cs_process.libraries;
  struct cs_handle_disk *kept;
  size_t number;
  void *refused;
  int code = path && set->nr_base > 0
               ? open_carried (file ? file : path, flags, &number, err)
               : CS_EXTENSION_REBOUND;

  if (code == CS_EXTENSION_REBOUND)
    return open_rebound (path, flags, err);
  if (code == CS_EXTENSION_CARRIED)
    {
      cs_statics_start ();
      kept = keep_handle (file ? file : path, flags,
                          set->items[number].handle, true);
      if (!kept)
        cs_err_set (err, CS_E_REFUSED, "the store has no room for another"
                    " library opened at run time");
      return kept;
    }
  /* What ld.so has to say about it is what dlerror() is expected to say.  */
  refused = code == -CS_E_INCOMPATIBLE ? dlopen (path, flags) : NULL;
  if (refused)
    dlclose (refused);
  else if (code == -CS_E_INCOMPATIBLE)
    err->code = 0;
  return NULL;
}

static struct cs_handle_disk *
open_library (const char *path, int flags, struct cs_err *err)
{
  char *file = path && strchr (path, '/') ? realpath (path, NULL) : NULL;
  struct cs_handle_disk *kept = open_as (path, file, flags, err);

  free (file);
  return kept;
}

/* The name stays as it is behind the directory: a link that it may be leads
   to another file when the library is replaced.  */
static bool
make_absolute (const char *path, char absolute[static PATH_MAX])
{
  int len;

  if (!getcwd (absolute, PATH_MAX))
    return false;
  while (path[0] == '.' && path[1] == '/')
    path += 2;
  len = (int) strlen (absolute);
  return snprintf (absolute + len, (size_t) (PATH_MAX - len), "/%s", path)
         < PATH_MAX - len;
}

void *
cs_foreign_open (const char *path, int flags)
{
  struct cs_err err = CS_ERR_INIT;
  char absolute[PATH_MAX];
  struct cs_handle_disk *handle;

  if (path && strchr (path, '/') && path[0] != '/'
      && make_absolute (path, absolute))
    path = absolute;
  cs_locks_lock (&foreign_lock);
  handle = open_library (path, flags, &err);
  cs_locks_unlock (&foreign_lock);
  if (!handle && err.code != 0)
    full (err.text);
  return handle;
}

/* A library that was open without being used since the resume may be there
   again.  */
static void *
handle_of (struct cs_handle_disk *known)
{
  size_t n = number_of (known);

  if (!real[n].handle)
    real[n].handle = cs_foreign_find (path_of (known), soname_of (known),
                                      (int) known->flags);
  return real[n].handle;
}

void *
cs_foreign_symbol (void *handle, const char *name)
{
  struct cs_handle_disk *known = handle;
  void *addr;
  bool kept = true;

  if (!is_handle (handle))
    return cs_numbers_guard (dlsym (handle, name));
  addr = handle_of (known) ? dlsym (handle_of (known), name) : NULL;
  addr = cs_numbers_guard (addr);
  if (!addr)
    return NULL;
  cs_locks_lock (&foreign_lock);
  if (is_code (addr) && !is_data_symbol (addr))
    addr = trampoline_for (path_of (known), name, addr);
  else
    kept = note_data (path_of (known), name, addr);
  cs_locks_unlock (&foreign_lock);
  if (!addr || !kept)
    full ("the store's intern table is full");
  return addr;
}

int
cs_foreign_close (void *handle)
{
  struct cs_handle_disk *known = handle;
  void *today;
  size_t n;

  if (!is_handle (handle))
    return dlclose (handle);
  n = number_of (known);
  if (known->references > 0)
    known->references--;
  today = real[n].handle;
  if (!today || known->references > 0 || real[n].carried)
    return 0;
  real[n].handle = NULL;
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
    if (real[h].handle
        && strcmp (path_of (&image->handles[h]), path) == 0)
      {
        loaded = true;
        addr = cs_numbers_guard (dlsym (real[h].handle, name));
      }
  if (loaded && !addr)
    cs_report (CS_REPORT_MISSING, "%s '%s' of '%s'",
               cs_table_entry (table, i)->kind == CS_SYMBOL_DATA
                 ? "variable" : "function", name, path);
  cs_intern_bind (table, i, (uintptr_t) addr);
}

/* The newest carried library that was opened as PATH, or NULL.  */
static const struct cs_library_loaded *
find_loaded (const char *path)
{
  const struct cs_library_set *set = &cs_process.libraries;
  const struct cs_library_loaded *item;

  for (size_t i = set->nr; i > 0; i--)
    {
      item = &set->items[i - 1];
      if (strcmp (cs_library_name (item->block, item->library->path), path)
          == 0)
        return item;
    }
  return NULL;
}

/* The library is open again: say so if it is not the same one.  */
static void
compare_build (struct cs_handle_disk *handle, void *today)
{
  uint64_t build = cs_interpose_build (today);

  if (build == handle->build)
    return;
  cs_report (CS_REPORT_CHANGED, "library '%s': another build of it",
             path_of (handle));
  handle->build = build;
}

static void
open_again (uint32_t h)
{
  struct cs_handle_disk *handle = &cs_process.image->handles[h];
  const char *path = path_of (handle);
  const struct cs_library_loaded *item = find_loaded (path);

  real[h].carried = item != NULL;
  if (item)
    real[h].handle = item->handle;
  if (item || handle->references == 0)
    return;
  real[h].handle = cs_foreign_find (path, soname_of (handle),
                                    (int) handle->flags);
  if (!real[h].handle)
    cs_report (CS_REPORT_MISSING, "library '%s': %s", path, dlerror ());
  /* Of the program itself there may be any build.  */
  else if (path[0])
    compare_build (handle, real[h].handle);
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
