/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pages.c -- whose pages a run has changed.

   pages STORE A B

   Compares generation A with generation B, and prints for each owner how many
   pages differ: a section of libcs's by its name, the data of a carried library, code
   of the JIT, compiled files, and what the collector has: a page of objects by
   their length in B, the first of a large object, and the rest, which are libgc's
   headers of these pages, with a mark for each object.  For pages of objects also
   how many words differ in all, and how many of them led to a place in the same
   page in A or do in B: links of a free list.  Where libgc's tables are not found,
   all of it is the collector's.  Then the sum.

   Exit status: 0, 1 if a generation cannot be read, 2 for misuse.  */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/blocks.h"
#include "image/sections.h"
#include "intern/library.h"

#define OWNERS_MAX 64

static struct owner
{
  char name[64];
  size_t nr;
  size_t words, links;          /* that differ, of pages of objects */
} owners[OWNERS_MAX];

static struct cs_heap heap;
static struct cs_blocks blocks;

static struct cs_store *
open_generation (const char *path, const char *generation)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store;

  if (cs_store_open_at (path, CS_STORE_READ, strtoull (generation, NULL, 10),
                        &store, &err) == 0)
    return store;
  fprintf (stderr, "pages: %s\n", err.text);
  exit (1);
}

static struct owner *
count (const char *name)
{
  size_t i = 0;

  while (i < OWNERS_MAX - 1 && owners[i].name[0]
         && strcmp (owners[i].name, name) != 0)
    i++;
  snprintf (owners[i].name, sizeof owners[i].name, "%s", name);
  owners[i].nr++;
  return &owners[i];
}

static void
count_words (struct owner *owner, const uint64_t *then, const uint64_t *now,
             uint64_t addr)
{
  for (size_t i = 0; i < CS_STORE_PAGE_LEN / sizeof *now; i++)
    if (now[i] != then[i])
      {
        owner->words++;
        owner->links += now[i] - addr < CS_STORE_PAGE_LEN
                        || then[i] - addr < CS_STORE_PAGE_LEN;
      }
}

static void
name_of_collector (uint64_t addr, char *name, size_t len)
{
  struct cs_block block;

  if (!cs_blocks_find (&blocks, addr, &block))
    snprintf (name, len, blocks.nr == 0 ? "collector"
              : "collector: headers, marks, tables");
  else if (block.len > CS_STORE_PAGE_LEN / 2)
    snprintf (name, len, "collector: large objects");
  else
    snprintf (name, len, "collector: objects of %" PRIu64 " bytes%s", block.len,
              block.kind == 0 ? ", no pointers" : "");
}

/* The section that has the byte at offset OFF, or NULL.  */
static const struct cs_section_disk *
section_at (const struct cs_store *store, uint64_t off)
{
  const struct cs_directory_disk *directory = cs_image_directory (store);

  for (uint32_t i = 0; i < directory->nr_sections; i++)
    if (off - directory->sections[i].off < directory->sections[i].len)
      return &directory->sections[i];
  return NULL;
}

/* The library that is nearest below ADDR, or NULL.  */
static const struct cs_library_disk *
library_below (const struct cs_store *store, uint64_t addr)
{
  const struct cs_library_disk *found = NULL;
  struct cs_library_cursor cursor = { .library = NULL };
  struct cs_err err = CS_ERR_INIT;

  while (cs_library_next (store, &cursor, &err) == 1)
    if (cursor.library->addr <= addr
        && (!found || cursor.library->addr > found->addr))
      found = cursor.library;
  return found;
}

static void
count_page (const struct cs_store *before, const struct cs_store *store,
            const struct cs_extent_disk *e, uint64_t off)
{
  uint64_t addr = cs_store_superblock (store)->base + off;
  const struct cs_section_disk *section = section_at (store, off);
  const struct cs_library_disk *library = library_below (store, addr);
  const void *then = cs_store_view (before, addr, CS_STORE_PAGE_LEN);
  const void *now = cs_store_view (store, addr, CS_STORE_PAGE_LEN);
  struct owner *owner;
  char name[64];

  if (section)
    snprintf (name, sizeof name, "section %.8s", section->name);
  else if (e->kind == CS_EXTENT_LIBRARY_DATA && library)
    snprintf (name, sizeof name, "data of %.40s", library->soname);
  else if (e->kind != CS_EXTENT_DIRECTORY && !(e->prot & PROT_EXEC) && library)
    name_of_collector (addr, name, sizeof name);
  else
    snprintf (name, sizeof name, "%s",
              e->kind == CS_EXTENT_DIRECTORY ? "directory"
              : e->prot & PROT_EXEC ? "code of the JIT" : "compiled files");
  owner = count (name);
  if (then && now)
    count_words (owner, then, now, addr);
}

/* Is there something else at ADDR in the two?  What is not there counts as
   zeros.  */
static bool
differs (const struct cs_store *a, const struct cs_store *b, uint64_t addr)
{
  static const char zeros[CS_STORE_PAGE_LEN];
  const void *x = cs_store_view (a, addr, CS_STORE_PAGE_LEN);
  const void *y = cs_store_view (b, addr, CS_STORE_PAGE_LEN);

  return memcmp (x ? x : zeros, y ? y : zeros, CS_STORE_PAGE_LEN) != 0;
}

int
main (int argc, char **argv)
{
  const struct cs_extent_disk *e;
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *a, *b;
  size_t sum = 0;

  if (argc != 4)
    {
      fprintf (stderr, "usage: pages STORE A B\n");
      return 2;
    }
  a = open_generation (argv[1], argv[2]);
  b = open_generation (argv[1], argv[3]);
  if (cs_heap_open (b, &heap, &err) < 0
      || cs_blocks_read (&heap, &blocks, &err) < 0)
    {
      fprintf (stderr, "pages: %s\n", err.text);
      return 1;
    }
  e = cs_image_extents (b);
  for (uint32_t i = 0; i < cs_image_directory (b)->nr_extents; i++, e++)
    for (uint64_t off = e->off; off < e->off + e->len;
         off += CS_STORE_PAGE_LEN)
      if (differs (a, b, cs_store_superblock (b)->base + off))
        count_page (a, b, e, off);
  for (size_t i = 0; i < OWNERS_MAX && owners[i].name[0]; i++)
    {
      printf ("%-44s %6zu pages  %6zu words, %zu of them links\n", owners[i].name,
              owners[i].nr, owners[i].words, owners[i].links);
      sum += owners[i].nr;
    }
  printf ("%-44s %6zu pages\n", "together", sum);
  return 0;
}
