/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-load.c -- loading the carried libraries, and binding them.

   This is on the path of every start.  */

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intern/intern.h"
#include "intern/library.h"
#include "report.h"

#define SLOTS_MAX 8192          /* of one library; libguile 3.0.8 has 562 */

struct loader
{
  struct cs_store *store;
  struct cs_table_disk *table;
  const struct cs_libraries_disk *libraries;
  void *replacements[CS_LIBRARY_REPLACEMENTS_MAX];
  bool resume;
  int fds[CS_LIBRARIES_MAX];    /* memory files, open until all are loaded:
                                   ld.so knows a library by its path, which
                                   holds the descriptor's number */
};

/* Write the bytes [START, END) of LIBRARY's copy to its memory file.  */
static int
write_part (const struct loader *loader,
            const struct cs_library_disk *library, int fd, uint64_t start,
            uint64_t end)
{
  const char *copy = (const char *) loader->libraries + library->copy;
  ssize_t n;

  while (start < end)
    {
      n = pwrite (fd, copy + start, end - start, (off_t) start);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return -errno;
      start += (uint64_t) n;
    }
  return 0;
}

/* Write all but the segments that are mapped from the store (L3).  They are
   in rising order, as program headers are (ELF, "Program Header").  The last
   page of each is written too: the next segment may begin in it.  */
static int
write_copy (const struct loader *loader,
            const struct cs_library_disk *library, int fd)
{
  const struct cs_library_segment_disk *s = library->segments;
  uint64_t at = 0, start;
  int code = ftruncate (fd, (off_t) library->copy_len) == 0 ? 0 : -errno;

  for (uint32_t i = 0; code == 0 && i < library->nr_segments; i++, s++)
    {
      if (s->late)
        continue;
      start = s->copy - library->copy;
      code = write_part (loader, library, fd, at, start);
      at = start + s->len - CS_STORE_PAGE_LEN;
    }
  return code == 0 ? write_part (loader, library, fd, at, library->copy_len)
                   : code;
}

/* A memory file for the library.  Returns its descriptor.  */
static int
make_file (const struct loader *loader, const struct cs_library_disk *library,
           struct cs_err *err)
{
  int fd = memfd_create (library->soname, MFD_CLOEXEC);
  int code;

  if (fd < 0)
    return cs_err_sys (err, errno, "cannot make a memory file for '%s'",
                       library->soname);
  code = write_copy (loader, library, fd);
  if (code != 0)
    {
      close (fd);
      return cs_err_sys (err, -code, "cannot write a memory file for '%s'",
                         library->soname);
    }
  return fd;
}

/* Map the segments that were left out, or the LATE ones (L3).  While a store
   is made they are in memory only, so they are copied.  */
static int
map_segments (struct cs_store *store,
              const struct cs_libraries_disk *libraries,
              const struct cs_library_disk *library, bool late,
              struct cs_err *err)
{
  const struct cs_library_segment_disk *s = library->segments;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < library->nr_segments; i++, s++)
    if ((s->late != 0) == late)
      code = cs_store_map_copy (store, (void *) (uintptr_t) s->addr,
                                (const char *) libraries + s->copy, s->len,
                                (int) s->prot, err);
  return code;
}

/* Name the mapping that is in the way of LIBRARY.  */
static int
report_conflict (const struct cs_library_disk *library, struct cs_err *err)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[512], name[256] = "";
  uint64_t start, end;

  while (maps && fgets (line, sizeof line, maps))
    if (sscanf (line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %255[^\n]",
                &start, &end, name) >= 2
        && start < library->addr + library->len && end > library->addr)
      break;
    else
      name[0] = '\0';
  if (maps)
    fclose (maps);
  return cs_err_set (err, CS_E_REFUSED,
                     "cannot load '%s' at %#" PRIx64
                     ": the address range is in use by %s",
                     library->soname, library->addr,
                     name[0] ? name : "another mapping");
}

/* L1.  */
static int
check_address (void *handle, const struct cs_library_disk *library,
               struct cs_err *err)
{
  struct link_map *map;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0)
    return cs_err_set (err, CS_E_REFUSED, "cannot find '%s': %s",
                       library->soname, dlerror ());
  if (map->l_addr != 0)
    return report_conflict (library, err);
  return 0;
}

static int
open_library (struct loader *loader, uint32_t i, void **handle,
              struct cs_err *err)
{
  const struct cs_library_disk *library
    = cs_library_get (loader->libraries, i);
  char path[64];
  int fd = make_file (loader, library, err);

  if (fd < 0)
    return fd;
  loader->fds[i] = fd;
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  *handle = dlopen (path, RTLD_LAZY | RTLD_GLOBAL);
  if (!*handle)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "cannot load '%s': %s",
                       library->soname, dlerror ());
  return check_address (*handle, library, err);
}

static bool
in_data (const struct cs_library_disk *library, uint64_t addr)
{
  return addr - library->data_addr < library->data_len;
}

/* Lay the store's data pages over the library's, but keep the words that
   ld.so relocated (L2).  */
static int
overlay (struct loader *loader, const struct cs_library_disk *library,
         struct cs_err *err)
{
  const struct cs_library_slot_disk *slots
    = cs_library_slots (loader->libraries, library);
  uintptr_t fresh[SLOTS_MAX];
  int code;

  for (uint32_t i = 0; i < library->nr_slots; i++)
    if (in_data (library, slots[i].addr))
      fresh[i] = *(uintptr_t *) (uintptr_t) slots[i].addr;
  code = cs_store_map_extent (loader->store,
                              (void *) (uintptr_t) library->data_addr,
                              library->data_len, err);
  for (uint32_t i = 0; code == 0 && i < library->nr_slots; i++)
    if (in_data (library, slots[i].addr))
      *(uintptr_t *) (uintptr_t) slots[i].addr = fresh[i];
  return code;
}

/* Write VALUE to a word that ld.so has made read-only (PT_GNU_RELRO).  */
static int
write_protected (uint64_t addr, uintptr_t value)
{
  char *page = (char *) (uintptr_t) (addr & -(uint64_t) CS_STORE_PAGE_LEN);

  if (mprotect (page, CS_STORE_PAGE_LEN, PROT_READ | PROT_WRITE) != 0)
    return -errno;
  *(uintptr_t *) (uintptr_t) addr = value;
  if (mprotect (page, CS_STORE_PAGE_LEN, PROT_READ) != 0)
    return -errno;
  return 0;
}

static int
replace_calls (struct loader *loader, const struct cs_library_disk *library,
               struct cs_err *err)
{
  const struct cs_library_slot_disk *slot
    = cs_library_slots (loader->libraries, library);
  uintptr_t value;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < library->nr_slots; i++, slot++)
    {
      if (slot->replacement >= loader->libraries->nr_replacements)
        continue;
      value = (uintptr_t) loader->replacements[slot->replacement];
      if (in_data (library, slot->addr))
        *(uintptr_t *) (uintptr_t) slot->addr = value;
      else
        code = write_protected (slot->addr, value);
    }
  if (code != 0)
    return cs_err_sys (err, -code, "cannot replace calls of '%s'",
                       library->soname);
  return 0;
}

static int
find_replacements (struct loader *loader, cs_library_replacement *find,
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
is_replacement (const struct loader *loader, uint32_t number)
{
  return number == CS_LIBRARY_KEEP
         || number < loader->libraries->nr_replacements;
}

static int
check_floats (const struct loader *loader, struct cs_err *err)
{
  const struct cs_library_float_disk *f
    = cs_library_floats (loader->libraries);

  for (uint32_t i = 0; i < loader->libraries->nr_floats; i++, f++)
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
check_slots (const struct loader *loader, struct cs_err *err)
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

static void *
find_today (const struct cs_library_set *set, const char *name,
            const char *version)
{
  void *handle = set->handles[set->nr - 1];
  void *addr = version[0] ? dlvsym (handle, name, version) : NULL;

  return addr ? addr : dlsym (handle, name);
}

static void
bind_float (const struct loader *loader, const struct cs_library_set *set,
            const struct cs_library_float_disk *f)
{
  const struct cs_libraries_disk *libraries = loader->libraries;
  bool replaced = f->replacement < libraries->nr_replacements;
  const char *name = cs_library_name (libraries, f->name);
  void *addr = replaced ? loader->replacements[f->replacement]
                        : find_today (set, name,
                                      cs_library_name (libraries, f->symver));

  if (!addr)
    cs_report (CS_REPORT_MISSING, "function '%s' of the libraries that"
               " Guile needs", name);
  if (replaced && f->name == 0)
    cs_intern_redirect (loader->table, f->entry, (uintptr_t) addr);
  else
    cs_intern_bind_anew (loader->table, f->entry, (uintptr_t) addr);
}

/* Fill the slots of trampolines whose functions are outside or replaced.  */
static void
bind_floats (const struct loader *loader, const struct cs_library_set *set)
{
  const struct cs_library_float_disk *f
    = cs_library_floats (loader->libraries);

  for (uint32_t i = 0; i < loader->libraries->nr_floats; i++, f++)
    if (f->entry < loader->table->count)
      bind_float (loader, set, f);
}

static int
load_all (struct loader *loader, struct cs_library_set *set,
          struct cs_err *err)
{
  const struct cs_library_disk *library;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < loader->libraries->count; i++)
    {
      code = open_library (loader, i, &set->handles[i], err);
      set->nr = i + 1;
    }
  for (uint32_t i = 0; code == 0 && i < loader->libraries->count; i++)
    {
      library = cs_library_get (loader->libraries, i);
      code = map_segments (loader->store, loader->libraries, library, false,
                           err);
      if (code == 0 && loader->resume)
        code = overlay (loader, library, err);
      if (code == 0)
        code = replace_calls (loader, library, err);
    }
  return code;
}

/* What ld.so would do (System V ABI, "Initialization and Termination
   Functions").  */
static void
run_constructors (const struct cs_library_disk *library)
{
  typedef void constructor (int argc, char **argv, char **envp);
  static char *no_arguments[] = { NULL };
  constructor *const *array
    = (constructor *const *) (uintptr_t) library->init_array;

  if (library->init)
    ((constructor *) (uintptr_t) library->init) (0, no_arguments, environ);
  for (uint64_t i = 0; i < library->init_array_len / sizeof *array; i++)
    array[i] (0, no_arguments, environ);
}

int
cs_library_settle (struct cs_store *store, struct cs_err *err)
{
  const struct cs_libraries_disk *libraries = cs_library_section (store, err);
  int code = 0;

  if (!libraries)
    return err->code;
  for (uint32_t i = 0; code == 0 && i < libraries->count; i++)
    code = map_segments (store, libraries, cs_library_get (libraries, i),
                         true, err);
  /* The section is read-only and unchanged since the commit: its pages come
     back from the file.  */
  if (code == 0)
    madvise ((void *) libraries, libraries->len, MADV_DONTNEED);
  return code;
}

int
cs_library_load (struct cs_store *store, struct cs_table_disk *table,
                 cs_library_replacement *find, bool resume,
                 struct cs_library_set *set, struct cs_err *err)
{
  struct loader loader = {
    .store = store, .table = table, .resume = resume,
    .libraries = cs_library_section (store, err)
  };
  int code;

  set->nr = 0;
  if (!loader.libraries)
    return err->code;
  for (size_t i = 0; i < CS_LIBRARIES_MAX; i++)
    loader.fds[i] = -1;
  code = find_replacements (&loader, find, err);
  if (code == 0)
    code = check_slots (&loader, err);
  if (code == 0)
    code = check_floats (&loader, err);
  if (code == 0)
    code = load_all (&loader, set, err);
  for (size_t i = 0; i < CS_LIBRARIES_MAX; i++)
    if (loader.fds[i] >= 0)
      close (loader.fds[i]);
  if (code == 0 && set->nr > 0)
    bind_floats (&loader, set);
  for (uint32_t i = 0; code == 0 && !resume && i < set->nr; i++)
    run_constructors (cs_library_get (loader.libraries, i));
  return code;
}
