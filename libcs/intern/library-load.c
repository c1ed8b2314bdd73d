/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-load.c -- loading the carried libraries.

   This is on the path of every start.  The libraries of a block are loaded,
   one after the other, then bound.  */

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intern/intern.h"
#include "intern/library-file.h"
#include "intern/library-load.h"
#include "maps.h"
#include "report.h"

/* Put segment S of a library that was carried in this process, and may not
   be in the file yet, in its place.  */
static int
copy_segment (const struct cs_libraries_disk *libraries,
              const struct cs_library_segment_disk *s, struct cs_err *err)
{
  void *addr = (void *) (uintptr_t) s->addr;

  if (mmap (addr, s->len, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
    return cs_err_sys (err, errno, "cannot map a library at %p", addr);
  memcpy (addr, (const char *) libraries + s->copy, s->len);
  if (mprotect (addr, s->len, (int) s->prot) != 0)
    return cs_err_sys (err, errno, "cannot protect a library at %p", addr);
  return 0;
}

/* Map the segments that were left out, or the LATE ones (L3).  */
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

/* The same for all segments of a flat library, which lie in the store as they
   do in memory: two calls instead of one for each.  */
static int
map_flat (struct cs_store *store, const struct cs_libraries_disk *libraries,
          const struct cs_library_disk *library, struct cs_err *err)
{
  const struct cs_library_segment_disk *s = library->segments;
  const struct cs_library_segment_disk *last = s + library->nr_segments - 1;
  int code = cs_store_map_copy (store, (void *) (uintptr_t) s->addr,
                                (const char *) libraries + s->copy,
                                last->addr + last->len - s->addr, PROT_READ,
                                err);

  for (; code == 0 && s <= last; s++)
    if (s->prot != PROT_READ
        && mprotect ((void *) (uintptr_t) s->addr, s->len, (int) s->prot) != 0)
      code = cs_err_sys (err, errno, "cannot protect '%s'", library->soname);
  return code;
}

static int
copy_segments (const struct cs_libraries_disk *libraries,
               const struct cs_library_disk *library, struct cs_err *err)
{
  const struct cs_library_segment_disk *s = library->segments;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < library->nr_segments; i++, s++)
    code = copy_segment (libraries, s, err);
  return code;
}

/* Name the mapping that is in the way of LIBRARY.  */
static int
report_conflict (const struct cs_library_disk *library, struct cs_err *err)
{
  char name[512];

  cs_maps_find (library->addr, library->addr + library->len, name,
                sizeof name);
  return cs_err_set (err, CS_E_REFUSED,
                     "cannot load '%s' at %#" PRIx64
                     ": the address range is in use by %s",
                     library->soname, library->addr, name);
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

static struct cs_library_file
describe_file (const struct cs_loader *loader, uint32_t i, bool partial)
{
  const struct cs_library_disk *library = cs_loader_item (loader, i)->library;

  return (struct cs_library_file) {
    .copy = (const char *) loader->libraries + library->copy,
    .library = library, .partial = partial,
    .bss = !loader->resume || (library->flags & CS_LIBRARY_RESTART)
  };
}

/* Load library I from FILE, which is closed.  */
static int
open_library (struct cs_loader *loader, uint32_t i,
              const struct cs_library_file *file, struct cs_err *err)
{
  struct cs_library_loaded *item = cs_loader_item (loader, i);

  item->partial = file->partial;
  item->handle = cs_library_open_file (file->fd, loader->first + i,
                                       item->library->soname,
                                       (int) item->library->mode, err);
  close (file->fd);
  if (!item->handle)
    return cs_library_explain (item->library->soname, file->copy,
                               (size_t) item->library->copy_len, err);
  return check_address (item->handle, item->library, err);
}

/* Load library I without what it needs that is missing.  */
static int
open_partial (struct cs_loader *loader, uint32_t i, struct cs_err *err)
{
  struct cs_library_file file = describe_file (loader, i, true);
  int code = cs_library_make_files (&file, 1, err);

  return code == 0 ? open_library (loader, i, &file, err) : code;
}

/* Load library I from FILE, as well as it can be.  */
static int
open_somehow (struct cs_loader *loader, uint32_t i,
              const struct cs_library_file *file, struct cs_err *err)
{
  struct cs_err first = CS_ERR_INIT;
  int code = open_library (loader, i, file, &first);

  if (code == -CS_E_INCOMPATIBLE && loader->optional)
    {
      cs_report (CS_REPORT_MISSING, "library '%s': %s", cs_library_name
                   (loader->libraries, cs_loader_item (loader, i)->library->path),
                 first.text);
      return open_partial (loader, i, err);
    }
  if (code != 0)
    *err = first;
  return code;
}

static int
open_all (struct cs_loader *loader, struct cs_err *err)
{
  struct cs_library_file files[CS_LIBRARIES_MAX];
  uint32_t nr = loader->libraries->count, i;
  int code;

  for (i = 0; i < nr; i++)
    files[i] = describe_file (loader, i, false);
  code = cs_library_make_files (files, nr, err);
  if (code != 0)
    return code;
  for (i = 0; code == 0 && i < nr; i++)
    code = open_somehow (loader, i, &files[i], err);
  for (; i < nr; i++)
    close (files[i].fd);
  return code;
}

/* L3, L4.  */
static int
lay_over (struct cs_loader *loader, uint32_t i, struct cs_err *err)
{
  const struct cs_library_disk *library = cs_loader_item (loader, i)->library;
  bool flat = (library->flags & CS_LIBRARY_FLAT)
              && !cs_loader_item (loader, i)->partial;
  int code = !loader->resume
               ? copy_segments (loader->libraries, library, err)
             : flat ? map_flat (loader->store, loader->libraries, library, err)
             : map_segments (loader->store, loader->libraries, library, false,
                             err);

  if (code == 0 && loader->resume && !(library->flags & CS_LIBRARY_RESTART))
    code = cs_loader_lay_data (loader, library, err);
  return code == 0 ? cs_loader_replace_calls (loader, library, err) : code;
}

static int
load_all (struct cs_loader *loader, struct cs_err *err)
{
  uint32_t nr = loader->libraries->count;
  int code = open_all (loader, err);

  for (uint32_t i = 0; code == 0 && i < nr; i++)
    code = lay_over (loader, i, err);
  return code;
}

/* Enter the block's libraries in the set, not loaded yet.  */
static int
enter (struct cs_loader *loader, struct cs_err *err)
{
  struct cs_library_set *set = loader->with->set;
  const struct cs_library_disk *library;

  if (set->nr + loader->libraries->count > CS_LIBRARY_SET_MAX)
    return cs_err_set (err, CS_E_REFUSED, "'%s' carries more than %d"
                       " libraries", cs_store_path (loader->store),
                       CS_LIBRARY_SET_MAX);
  for (uint32_t i = 0; i < loader->libraries->count; i++)
    {
      library = cs_library_get (loader->libraries, i);
      set->items[set->nr++] = (struct cs_library_loaded) {
        .block = loader->libraries, .library = library,
        .restart = (library->flags & CS_LIBRARY_RESTART) != 0
      };
    }
  return 0;
}

void
cs_library_unload (struct cs_library_set *set, size_t first)
{
  while (set->nr > first)
    if (set->items[--set->nr].handle)
      dlclose (set->items[set->nr].handle);
}

static int
load_block (struct cs_loader *loader, struct cs_err *err)
{
  int code = cs_loader_check (loader, err);

  if (code == 0)
    code = enter (loader, err);
  if (code == 0)
    code = load_all (loader, err);
  if (code == 0 && loader->libraries->count > 0)
    cs_loader_bind_imports (loader);
  return code;
}

static struct cs_loader
prepare (const struct cs_library_loading *loading)
{
  return (struct cs_loader) {
    .with = loading, .store = loading->store, .table = loading->table,
    .first = loading->set->nr
  };
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

void
cs_library_construct (const struct cs_library_set *set, size_t first)
{
  for (size_t i = first; i < set->nr; i++)
    run_constructors (set->items[i].library);
}

void
cs_library_restart (const struct cs_library_set *set, size_t first,
                    size_t end)
{
  for (size_t i = first; i < end; i++)
    if (set->items[i].restart)
      run_constructors (set->items[i].library);
}

bool
cs_library_any_restarts (const struct cs_library_set *set)
{
  for (size_t i = set->nr_base; i < set->nr; i++)
    if (set->items[i].restart)
      return true;
  return false;
}

int
cs_library_load (const struct cs_library_loading *loading, bool resume,
                 struct cs_err *err)
{
  const struct cs_extensions_disk *extensions
    = cs_library_extensions (loading->store, err);
  struct cs_loader loader;
  int code = 0;

  loading->set->nr = loading->set->nr_base = 0;
  if (!extensions)
    return err->code;
  for (uint32_t i = 0; code == 0 && i <= extensions->count; i++)
    {
      loader = prepare (loading);
      loader.resume = resume;
      loader.optional = i > 0;
      loader.libraries = cs_library_block (loading->store, i, err);
      code = loader.libraries ? load_block (&loader, err) : err->code;
      if (i == 0)
        loading->set->nr_base = loading->set->nr;
    }
  return code;
}

int
cs_library_load_extension (const struct cs_library_loading *loading,
                           struct cs_err *err)
{
  const struct cs_extensions_disk *extensions
    = cs_library_extensions (loading->store, err);
  struct cs_loader loader = prepare (loading);
  int code;

  if (!extensions)
    return err->code;
  loader.libraries = cs_library_block (loading->store, extensions->count,
                                       err);
  code = loader.libraries ? load_block (&loader, err) : err->code;
  if (code != 0)
    cs_library_unload (loading->set, loader.first);
  return code;
}

/* Block 0 is read-only and has not changed since the first commit: its pages
   come back from the file.  */
static void
let_go (const struct cs_libraries_disk *block)
{
  madvise ((void *) block, block->len, MADV_DONTNEED);
}

int
cs_library_settle (struct cs_store *store, const struct cs_library_set *set,
                   struct cs_err *err)
{
  const struct cs_library_loaded *item = set->items;
  int code = 0;

  for (size_t i = 0; code == 0 && i < set->nr; i++, item++)
    {
      if (!item->partial && !(item->library->flags & CS_LIBRARY_FLAT))
        code = map_segments (store, item->block, item->library, true, err);
    }
  if (set->nr > 0)
    let_go (set->items[0].block);
  return code;
}
