/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* list-objects.c -- the objects that a store's roots lead to, a line each, for
   tests/guile/layout.bats.

   Prints address, length by the table of objects, length of the collector's
   block (0: in none of its blocks, or not at the beginning of one) and kind.
   Then the places of the collector that nothing need lead to: entries of its
   own tables, memory that is never collected, and places that are clear but
   for their first word, as free ones are.  */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/graph.h"

static void
print_node (const struct cs_graph *g, uint32_t n)
{
  uint64_t addr = cs_graph_addr (g, n);
  struct cs_block block = { .len = 0 };

  if (!cs_blocks_find (&g->blocks, addr, &block) || block.addr != addr
      || block.kind == 2 || block.kind == 3)
    block.len = 0;
  printf ("%" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", addr,
          cs_graph_fields (g, n, NULL, NULL), block.len,
          cs_graph_is_block (g, n) ? "block"
          : cs_value_kind_name (cs_heap_kind (g->heap, addr)));
}

static const char *
kind_of_place (const struct cs_graph *g, const struct cs_block *block)
{
  uint64_t word;

  if (block->kind == 2 || block->kind == 3)
    return "uncollected";
  if (cs_graph_is_collectors (g, block, &word))
    return "collector";
  for (uint64_t i = 1; i < block->len / g->heap->word_len; i++)
    if (!cs_heap_word (g->heap, block->addr, i, &word) || word != 0)
      return NULL;
  return "clear";
}

static void
print_places (const struct cs_graph *g, const struct cs_block_header *h)
{
  struct cs_block block = { h->addr, h->len, h->descr, h->kind };
  const char *kind;

  for (; block.addr == h->addr
         || block.addr + h->len <= h->addr + CS_STORE_PAGE_LEN;
       block.addr += h->len)
    {
      kind = kind_of_place (g, &block);
      if (kind)
        printf ("%" PRIu64 " 0 0 %s\n", block.addr, kind);
    }
}

int
main (int argc, char **argv)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = NULL;
  struct cs_graph graph = { NULL };
  struct cs_heap heap;

  if (argc != 2 || cs_store_open (argv[1], CS_STORE_READ, &store, &err) < 0)
    {
      fprintf (stderr, "list-objects: %s\n", err.text);
      return 1;
    }
  if (cs_heap_open (store, &heap, &err) == 0
      && cs_graph_read (&heap, &graph, &err) == 0)
    {
      for (size_t i = 0; i < graph.blocks.nr; i++)
        print_places (&graph, &graph.blocks.headers[i]);
      for (uint32_t n = 1; n < graph.nr; n++)
        print_node (&graph, n);
    }
  else
    fprintf (stderr, "list-objects: %s\n", err.text);
  cs_graph_fini (&graph);
  cs_heap_fini (&heap);
  cs_store_close (store);
  return err.code < 0;
}
