/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* blocks.c -- where the collector's objects begin and end, read from an image.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/blocks.h"
#include "intern/library.h"

/* gc_priv.h: HBLKSIZE, BOTTOM_SZ, MAX_JUMP, FREE_BLK.  */
#define PAGE_LEN 4096u
#define TABLE_LEN 1024u
#define JUMP_MAX (PAGE_LEN - 1)
#define FREE_FLAG 4
/* Words of a header; kind and flags are the first bytes of theirs.  */
enum { HEADER_PAGE = 2, HEADER_KIND, HEADER_LEN, HEADER_DESCR };
/* Words of a table behind its entries: the next table, the one before, the
   high bits of the addresses that it is for.  */
enum { NEXT_TABLE = TABLE_LEN, TABLE_BEFORE, TABLE_KEY };

static bool
read_header (const struct cs_heap *heap, uint64_t addr,
             struct cs_block_header *header, bool *free_block)
{
  const uint64_t word = heap->word_len;
  const unsigned char *flags = cs_heap_view (heap, addr + HEADER_KIND * word, 2);

  if (addr % word != 0 || !flags
      || !cs_heap_word (heap, addr, HEADER_PAGE, &header->addr)
      || !cs_heap_word (heap, addr, HEADER_LEN, &header->len)
      || !cs_heap_word (heap, addr, HEADER_DESCR, &header->descr))
    return false;
  header->kind = flags[0];
  *free_block = flags[1] & FREE_FLAG;
  return true;
}

/* The page that entry I of the table at ADDR stands for.  */
static uint64_t
page_of (const struct cs_heap *heap, uint64_t table, uint64_t i)
{
  uint64_t key = 0;

  cs_heap_word (heap, table, TABLE_KEY, &key);
  return (key * TABLE_LEN + i) * PAGE_LEN;
}

/* Do all headers of the table at ADDR name their pages, and is there one?  The
   header of a page that was never used names none (headers.c,
   GC_install_header).  */
static bool
is_table (const struct cs_heap *heap, uint64_t addr)
{
  struct cs_block_header header;
  uint64_t entry;
  bool any = false, is_free;

  if (addr % heap->word_len != 0 || addr == 0
      || !cs_heap_view (heap, addr, (TABLE_KEY + 1) * heap->word_len))
    return false;
  for (uint64_t i = 0; i < TABLE_LEN; i++)
    {
      if (!cs_heap_word (heap, addr, i, &entry))
        return false;
      if (entry <= JUMP_MAX)
        continue;
      if (!read_header (heap, entry, &header, &is_free)
          || (header.addr != page_of (heap, addr, i)
              && !(is_free && header.addr == 0)))
        return false;
      any = any || header.addr != 0;
    }
  return any;
}

static int
add_header (struct cs_blocks *b, const struct cs_block_header *header)
{
  uint64_t first = (header->addr - b->base) / PAGE_LEN;
  uint64_t nr = (header->len + PAGE_LEN - 1) / PAGE_LEN;

  if (header->addr < b->base || first >= b->nr_pages || header->len == 0
      || nr > b->nr_pages - first)
    return 0;
  if (b->nr == b->room)
    {
      size_t room = b->room ? 2 * b->room : 1024;
      void *new = reallocarray (b->headers, room, sizeof *b->headers);

      if (!new)
        return -ENOMEM;
      b->headers = new;
      b->room = room;
    }
  b->headers[b->nr++] = *header;
  for (uint64_t i = 0; i < (nr ? nr : 1); i++)
    b->page[first + i] = (uint32_t) b->nr;
  return 0;
}

static int
add_table (struct cs_blocks *b, uint64_t table)
{
  struct cs_block_header header;
  uint64_t entry;
  bool is_free;
  int code = 0;

  for (uint64_t i = 0; i < TABLE_LEN && code == 0; i++)
    if (cs_heap_word (b->heap, table, i, &entry) && entry > JUMP_MAX
        && read_header (b->heap, entry, &header, &is_free) && !is_free)
      code = add_header (b, &header);
  return code;
}

/* The first table of the chain that TABLE is in, and all behind it.  */
static int
add_tables (struct cs_blocks *b, uint64_t table)
{
  uint64_t left = b->nr_pages / TABLE_LEN + 2, steps = left, before;
  int code = 0;

  while (steps-- > 0 && cs_heap_word (b->heap, table, TABLE_BEFORE, &before)
         && is_table (b->heap, before))
    table = before;
  while (left-- > 0 && code == 0)
    {
      code = add_table (b, table);
      if (!cs_heap_word (b->heap, table, NEXT_TABLE, &table)
          || !cs_heap_view (b->heap, table,
                            (TABLE_KEY + 1) * b->heap->word_len))
        break;
    }
  return code;
}

static int
search_library (struct cs_blocks *b, const struct cs_library_disk *library)
{
  uint64_t word;

  for (uint64_t i = 0; i < library->data_len / b->heap->word_len; i++)
    if (cs_heap_word (b->heap, library->data_addr, i, &word)
        && is_table (b->heap, word))
      return add_tables (b, word);
  return 0;
}

int
cs_blocks_read (const struct cs_heap *heap, struct cs_blocks *blocks,
                struct cs_err *err)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (heap->store);
  struct cs_library_cursor cursor = { 0 };
  int r, code = 0;

  *blocks = (struct cs_blocks) {
    .heap = heap, .base = sb->base, .nr_pages = sb->committed / PAGE_LEN
  };
  blocks->page = calloc (blocks->nr_pages + 1, sizeof *blocks->page);
  if (!blocks->page)
    code = -ENOMEM;
  while (code == 0 && (r = cs_library_next (heap->store, &cursor, err)) != 0)
    {
      if (r < 0)
        return r;
      if (strncmp (cursor.library->soname, "libgc.so.", 9) == 0)
        code = search_library (blocks, cursor.library);
    }
  return code < 0 ? cs_err_sys (err, -code, "cannot read the collector's "
                                "tables of '%.300s'",
                                cs_store_path (heap->store)) : 0;
}

void
cs_blocks_fini (struct cs_blocks *blocks)
{
  free (blocks->page);
  free (blocks->headers);
  *blocks = (struct cs_blocks) { 0 };
}

bool
cs_blocks_find (const struct cs_blocks *blocks, uint64_t addr,
                struct cs_block *block)
{
  uint64_t off = addr - blocks->base, page = off / PAGE_LEN, within;
  const struct cs_block_header *header;

  if (addr < blocks->base || page >= blocks->nr_pages
      || blocks->page[page] == 0)
    return false;
  header = &blocks->headers[blocks->page[page] - 1];
  within = (addr - header->addr) / header->len * header->len;
  /* A page has no part of an object at its end, unless it is one object's.  */
  if (within > 0 && within + header->len > PAGE_LEN)
    return false;
  *block = (struct cs_block) {
    header->addr + within, header->len, header->descr, header->kind
  };
  return true;
}
