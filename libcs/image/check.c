/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* check.c -- all that can be checked without the interpreter.  */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "image/damage.h"
#include "image/heap.h"
#include "image/modules.h"
#include "image/sections.h"
#include "intern/elf.h"
#include "intern/intern.h"
#include "intern/library.h"

static int
check_directory (struct cs_store *store, struct cs_err *err)
{
  return cs_store_check (store, err);
}

/* Does every extent that is in the file end inside it?  */
static int
check_extents (struct cs_store *store, struct cs_err *err)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);
  const struct cs_extent_disk *extents = cs_image_extents (store);
  uint32_t nr = cs_image_directory (store)->nr_extents;
  struct stat status;

  if (stat (cs_store_path (store), &status) != 0)
    return cs_err_sys (err, errno, "cannot look at '%.300s'",
                       cs_store_path (store));
  if ((uint64_t) status.st_size < cs_store_image_off (sb) + sb->committed)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s': expected %" PRIu64 " bytes, found %" PRIu64,
                       cs_store_path (store),
                       cs_store_image_off (sb) + sb->committed,
                       (uint64_t) status.st_size);
  for (uint32_t i = 0; i < nr; i++)
    if (extents[i].kind != CS_EXTENT_LIBRARY_TEXT && extents[i].prot != 0
        && extents[i].off + extents[i].len > sb->committed)
      return cs_err_set (err, CS_E_DAMAGED,
                         "'%.300s': extent %" PRIu32 " at offset %" PRIu64
                         ": expected to end before %" PRIu64 ", ends at %"
                         PRIu64, cs_store_path (store), i, extents[i].off,
                         sb->committed, extents[i].off + extents[i].len);
  return 0;
}

static int
check_symbols (struct cs_store *store, struct cs_err *err)
{
  struct cs_table_disk *table;

  return cs_intern_open (store, &table, err);
}

/* A word of the copy against the record.  */
static int
differs (const struct cs_store *store, const struct cs_library_disk *library,
         const char *what, const char *expected, const char *found,
         struct cs_err *err)
{
  return cs_err_set (err, CS_E_DAMAGED,
                     "'%.200s': copy of %s: %s: expected '%.100s', found "
                     "'%.100s'", cs_store_path (store), library->soname,
                     what, expected, found);
}

static int
check_layout (const struct cs_store *store,
              const struct cs_library_disk *library,
              const struct cs_elf_layout *layout, struct cs_err *err)
{
  if (layout->start == library->addr && layout->len == library->len
      && layout->data_start == library->data_addr
      && layout->data_len == library->data_len)
    return 0;
  return cs_err_set (err, CS_E_DAMAGED,
                     "'%.200s': copy of %s: expected at 0x%" PRIx64 " with "
                     "data at 0x%" PRIx64 ", found at 0x%" PRIx64 " with "
                     "data at 0x%" PRIx64, cs_store_path (store),
                     library->soname, library->addr, library->data_addr,
                     layout->start, layout->data_start);
}

/* L2.  */
static int
check_slots (const struct cs_store *store,
             const struct cs_libraries_disk *libraries,
             const struct cs_library_disk *library, struct cs_err *err)
{
  const struct cs_library_slot_disk *slots
    = cs_library_slots (libraries, library);

  for (uint32_t i = 0; i < library->nr_slots; i++)
    if (slots[i].addr - library->addr >= library->len)
      return cs_err_set (err, CS_E_DAMAGED,
                         "'%.200s': slot %" PRIu32 " of %s: expected in "
                         "the library, found at 0x%" PRIx64,
                         cs_store_path (store), i, library->soname,
                         slots[i].addr);
  return 0;
}

static int
check_library (const struct cs_store *store,
               const struct cs_libraries_disk *libraries,
               const struct cs_library_disk *library, struct cs_err *err)
{
  struct cs_elf *elf;
  const char *build_id;
  int code = cs_elf_open_memory (library->soname,
                                 (const char *) libraries + library->copy,
                                 (size_t) library->copy_len, &elf, err);

  if (code < 0)
    return cs_err_prefix (err, "'%.200s': carried copy",
                          cs_store_path (store));
  build_id = cs_elf_build_id (elf);
  /* The record is cut off if the build id is longer than it.  */
  if (strncmp (build_id, library->build_id, sizeof library->build_id - 1)
      != 0)
    code = differs (store, library, "build id", library->build_id, build_id,
                    err);
  else if (strcmp (cs_elf_soname (elf), library->soname) != 0)
    code = differs (store, library, "soname", library->soname,
                    cs_elf_soname (elf), err);
  else
    code = check_layout (store, library, cs_elf_layout (elf), err);
  cs_elf_close (elf);
  return code < 0 ? code : check_slots (store, libraries, library, err);
}

static int
check_libraries (struct cs_store *store, struct cs_err *err)
{
  struct cs_library_cursor cursor = { 0 };
  int code = 0, r = 0;

  while (code == 0 && (r = cs_library_next (store, &cursor, err)) > 0)
    code = check_library (store, cursor.block, cursor.library, err);
  return r < 0 ? r : code;
}

static int
check_process (struct cs_store *store, struct cs_err *err)
{
  return cs_image_process (store, err) ? 0 : err->code;
}

static int
check_threads (struct cs_store *store, struct cs_err *err)
{
  return cs_image_threads (store, err) ? 0 : err->code;
}

static int
check_guile (struct cs_store *store, struct cs_err *err)
{
  return cs_image_guile (store, err) ? 0 : err->code;
}

static int
check_report (struct cs_store *store, struct cs_err *err)
{
  return cs_image_report (store, err) ? 0 : err->code;
}

static int
check_imports (struct cs_store *store, struct cs_err *err)
{
  return cs_interpose_read (store, err) ? 0 : err->code;
}

static int
check_bindings (const struct cs_heap *heap,
                const struct cs_module_list *modules, struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < modules->nr; i++)
    {
      struct cs_binding_list list;

      code = cs_bindings_read (heap, &modules->items[i], &list, err);
      cs_bindings_fini (&list);
    }
  return code;
}

static int
check_modules (struct cs_store *store, struct cs_err *err)
{
  struct cs_module_list modules = { NULL, 0, 0 };
  struct cs_heap heap;
  int code = cs_heap_open (store, &heap, err);

  if (code == 0)
    code = cs_modules_read (&heap, &modules, err);
  if (code == 0)
    code = check_bindings (&heap, &modules, err);
  cs_modules_fini (&modules);
  cs_heap_fini (&heap);
  return code;
}

size_t
cs_image_check (struct cs_store *store, cs_image_found *found,
                  void *closure)
{
  static const struct
  {
    const char *name;
    int (*check) (struct cs_store *store, struct cs_err *err);
  } subjects[] = {
    { "directory", check_directory },
    { "extents", check_extents },
    { "libraries", check_libraries },
    { "symbols", check_symbols },
    { "imports", check_imports },
    { "process", check_process },
    { "threads", check_threads },
    { "report", check_report },
    { "guile", check_guile },
    { "modules", check_modules }
  };
  size_t wrong = cs_image_checksums (store, found, closure);

  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
    {
      struct cs_err err = CS_ERR_INIT;
      bool sound = subjects[i].check (store, &err) == 0;

      wrong += !sound;
      found (closure, subjects[i].name, sound ? NULL : &err);
    }
  return wrong;
}
