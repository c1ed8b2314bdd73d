/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap-open.c -- what must be known of a store to read its heap.  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/objects.h"
#include "image/sections.h"
#include "intern/elf-image.h"
#include "intern/library.h"

/* The record that the interpreter's layer keeps.  */
static int
read_record (struct cs_heap *heap, struct cs_err *err)
{
  const struct cs_guile_disk *guile = cs_image_guile (heap->store, err);

  if (!guile)
    return err->code;
  heap->dynamic_state = guile->dynamic_state;
  memcpy (heap->ports, guile->ports.standard, sizeof heap->ports);
  heap->modules = guile->modules;
  heap->park = guile->module.park;
  heap->before_checkpoint = guile->module.before_checkpoint;
  heap->after_resume = guile->module.after_resume;
  heap->threads = guile->threads;
  return 0;
}

/* The value of libguile's variable NAME, or 0.  */
static uint64_t
variable (const struct cs_heap *heap, const struct cs_elf *elf,
          const char *name)
{
  const struct cs_elf_symbol *symbol = cs_elf_symbol_find (elf, name);
  uint64_t word;

  return symbol && cs_heap_word (heap, symbol->value, 0, &word) ? word : 0;
}

/* What is found by name in libguile.  A rebased copy's symbols have the
   addresses they are loaded at.  */
static void
read_symbols (struct cs_heap *heap, const struct cs_elf *elf)
{
  const struct cs_elf_symbol *smobs = cs_elf_symbol_find (elf, "scm_smobs");

  heap->module_tag = variable (heap, elf, "scm_module_tag");
  heap->smobs = smobs ? smobs->value : 0;
  heap->nr_smobs = variable (heap, elf, "scm_numsmob");
}

/* The word of LIBRARY's memory that has VALUE, as an index; its number of
   words if there is none.  */
static uint64_t
find_word (const struct cs_heap *heap, const struct cs_heap_library *library,
           uint64_t value)
{
  uint64_t nr = library->len / heap->word_len, word;

  for (uint64_t i = 0; i < nr; i++)
    {
      word = 0;
      memcpy (&word, library->image + i * heap->word_len, heap->word_len);
      if (word == value)
        return i;
    }
  return nr;
}

/* The release of libguile, in its table of what %guile-build-info lists: pairs
   of C strings, one of them "guileversion" and the release (load.c,
   init_build_info).  "" if there is none.  */
static void
read_release (struct cs_heap *heap, const struct cs_heap_library *library)
{
  static const char name[] = "guileversion";
  const unsigned char *at = library->image;
  size_t left = library->len;
  uint64_t i, text = 0;

  at = memmem (at, left, name, sizeof name);
  if (!at)
    return;
  i = find_word (heap, library, library->addr + (uint64_t) (at - library->image));
  if ((i + 2) * heap->word_len > library->len)
    return;
  memcpy (&text, library->image + (i + 1) * heap->word_len, heap->word_len);
  snprintf (heap->release, sizeof heap->release, "%s",
            cs_heap_c_string (heap, text));
  heap->objects = cs_objects_find (heap->release);
}

static bool
is_libguile (const struct cs_library_disk *library)
{
  return strncmp (library->soname, "libguile-", 9) == 0;
}

static int
read_library (struct cs_heap *heap, const struct cs_libraries_disk *libraries,
              const struct cs_library_disk *library, struct cs_err *err)
{
  struct cs_heap_library *new = &heap->libraries[heap->nr_libraries];
  struct cs_elf *elf;
  int code;

  /* What is in the constants of the rest prints without its text.  */
  if (heap->nr_libraries == CS_HEAP_LIBRARIES_MAX)
    return 0;
  code = cs_elf_open_memory (library->soname,
                             (const char *) libraries + library->copy,
                             (size_t) library->copy_len, &elf, err);

  if (code < 0)
    return cs_err_prefix (err, "'%.300s': carried copy",
                          cs_store_path (heap->store));
  code = cs_elf_image (elf, &new->image, &new->len);
  if (code < 0)
    cs_err_sys (err, -code, "cannot read the copy of %s", library->soname);
  else
    {
      new->addr = cs_elf_layout (elf)->start;
      heap->nr_libraries++;
      if (is_libguile (library))
        {
          read_symbols (heap, elf);
          read_release (heap, new);
        }
    }
  cs_elf_close (elf);
  return code;
}

int
cs_heap_open (const struct cs_store *store, struct cs_heap *heap,
              struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  struct cs_library_cursor cursor = { 0 };
  bool found = false;
  int code, r = 0;

  *heap = (struct cs_heap) {
    .store = store, .word_len = cs_store_superblock (store)->word_len
  };
  if (!err)
    err = &own;
  if (heap->word_len != 4 && heap->word_len != 8)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%.300s': words of %u bytes, expected 4 or 8",
                       cs_store_path (store), heap->word_len);
  code = read_record (heap, err);
  while (code == 0 && (r = cs_library_next (store, &cursor, err)) > 0)
    {
      code = read_library (heap, cursor.block, cursor.library, err);
      found = found || is_libguile (cursor.library);
    }
  if (r < 0)
    return r;
  if (code == 0 && !found)
    code = cs_err_set (err, CS_E_INCOMPATIBLE, "'%.300s' carries no libguile",
                       cs_store_path (store));
  if (code == 0 && !heap->objects)
    code = cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%.300s': Guile %.20s: its objects are not known, "
                       "expected one of %s", cs_store_path (store),
                       heap->release[0] ? heap->release : "of unknown release",
                       cs_objects_releases ());
  return code;
}

void
cs_heap_fini (struct cs_heap *heap)
{
  for (size_t i = 0; i < heap->nr_libraries; i++)
    free (heap->libraries[i].image);
  heap->nr_libraries = 0;
  free (heap->pages);
  heap->pages = NULL;
}
