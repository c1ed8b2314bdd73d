/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* graph.c -- all objects that a workspace's roots lead to, and what leads to
   what.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libguile.h>

#include "image/code.h"
#include "image/graph.h"
#include "image/roots.h"
#include "intern/library.h"

/* An offset counts 8 bytes in 32 bits.  */
#define IMAGE_LEN_MAX ((uint64_t) 8 << 32)

static bool
get_bit (const uint64_t *bits, uint64_t off)
{
  return bits[off / 512] >> (off / 8 % 64) & 1;
}

static void
set_bit (uint64_t *bits, uint64_t off)
{
  bits[off / 512] |= (uint64_t) 1 << (off / 8 % 64);
}

uint64_t
cs_graph_word (const struct cs_graph *g, const struct cs_field_run *run,
               uint64_t i)
{
  uint64_t word = 0;

  cs_heap_word (g->heap, run->addr, i, &word);
  return word;
}

/* The collector rounds lengths up to two words; libguile has it add no byte
   behind (gc.c, GC_set_all_interior_pointers).  */
bool
cs_graph_is_typed (const struct cs_graph *g, const struct cs_block *block)
{
  const uint64_t addr = block->addr;
  const uint64_t granule = 2u * g->heap->word_len;
  const struct cs_object_type *type;
  uint64_t first, second, len;

  /* What says itself which of its words to scan is an entry of a weak table
     (weak-table.c, allocate_entry).  */
  if ((block->descr & 3) == 3 || !cs_heap_word (g->heap, addr, 0, &first)
      || !cs_heap_word (g->heap, addr, 1, &second))
    return false;
  type = cs_object_type (g->heap, first);
  if (!type)
    return false;
  if (type->kind == CS_VALUE_PAIR)
    return block->len == granule
           && cs_heap_kind (g->heap, first) != CS_VALUE_INVALID
           && cs_heap_kind (g->heap, second) != CS_VALUE_INVALID;
  len = cs_object_fields (g->heap, type, addr, first, block->len, NULL, NULL);
  return len <= block->len && block->len - len < granule;
}

uint64_t
cs_graph_target (const struct cs_graph *g, unsigned kind, uint64_t word,
                 bool *is_block)
{
  struct cs_block block;

  *is_block = false;
  if (kind == CS_FIELD_VTABLE)
    word -= scm_tc3_struct;
  else if ((kind == CS_FIELD_OPAQUE || kind == CS_FIELD_C_ADDRESS)
           && (word & 7) == scm_tc3_struct)
    word -= scm_tc3_struct;
  else if (kind == CS_FIELD_WEAK || kind == CS_FIELD_CODE
           || kind == CS_FIELD_INTEGER || kind == CS_FIELD_RAW)
    return 0;
  if (!cs_value_is_object (word) || word < g->base
      || word - g->base >= g->len)
    return 0;
  if (kind == CS_FIELD_VALUE || kind == CS_FIELD_VTABLE)
    return word;
  if (!cs_blocks_find (&g->blocks, word, &block) || block.addr != word)
    return 0;
  *is_block = kind == CS_FIELD_BLOCK || !cs_graph_is_typed (g, &block);
  return word;
}

/* The fields of blocks.  */

/* Visit the words of BLOCK that the collector scans (gc_mark.h, GC_DS_...).  The
   block's header has the descriptor, or the offset of the word in the block that
   is the descriptor.  Where the descriptor names a procedure, visit all words.  */
static void
block_fields (const struct cs_graph *g, const struct cs_block *block,
              cs_object_run *visit, void *closure)
{
  static const struct cs_field words = {
    "word", CS_FIELD_OPAQUE, CS_UNIT_WORD, CS_COUNT_REST, 1
  };
  const unsigned word = g->heap->word_len;
  const uint64_t nr = block->len / word;
  uint64_t descr = block->descr, top = (uint64_t) 1 << (8 * word - 1);
  struct cs_field_run run = {
    &words, CS_FIELD_OPAQUE, block->addr, nr, word, 0
  };

  if ((descr & 3) == 3
      && (descr - 3 > block->len - word
          || !cs_heap_word (g->heap, block->addr + (descr - 3), 0, &descr)))
    descr = 2;
  if (block->kind == 0 || descr == 0 || !visit)
    return;
  if ((descr & 3) != 1)
    {
      if ((descr & 3) == 0 && descr / word < nr)
        run.nr = descr / word;
      visit (closure, &run);
      return;
    }
  run.nr = 1;
  for (uint64_t i = 0; i < nr && i < 8 * word - 2; i++, run.addr += word)
    if (descr & top >> i)
      {
        run.first = i;
        visit (closure, &run);
      }
}

/* The fields of what is at ADDR.  */
static uint64_t
fields_at (const struct cs_graph *g, uint64_t addr, bool is_block,
           cs_object_run *visit, void *closure)
{
  const struct cs_object_type *type;
  struct cs_block block = { .len = 0 };
  uint64_t first;

  if (is_block)
    {
      if (cs_blocks_find (&g->blocks, addr, &block))
        block_fields (g, &block, visit, closure);
      return block.len;
    }
  if (!cs_heap_word (g->heap, addr, 0, &first))
    return 0;
  type = cs_object_type (g->heap, first);
  if (!type)
    return 0;
  if (type->kind == CS_VALUE_SMOB)
    cs_blocks_find (&g->blocks, addr, &block);
  return cs_object_fields (g->heap, type, addr, first, block.len, visit,
                           closure);
}

/* Reading.  */

static void
meet (struct cs_graph *g, uint64_t addr, bool is_block)
{
  uint64_t off = addr - g->base;

  if (get_bit (g->met, off))
    {
      /* What a value leads to is an object, whatever led here before.  */
      if (!is_block)
        g->raw[off / 512] &= ~((uint64_t) 1 << (off / 8 % 64));
      return;
    }
  if (g->nr == g->room)
    {
      size_t room = g->room + g->room / 2 + 4096;
      void *new = reallocarray (g->order, room, sizeof *g->order);

      if (!new || room > UINT32_MAX)
        {
          g->no_memory = true;
          return;
        }
      g->order = new;
      g->room = room;
    }
  set_bit (g->met, off);
  if (is_block)
    set_bit (g->raw, off);
  g->order[g->nr++] = (uint32_t) (off / 8);
}

static void
meet_run (void *closure, const struct cs_field_run *run)
{
  struct cs_graph *g = closure;
  uint64_t addr;
  bool is_block;

  if (run->kind >= CS_FIELD_CODE || run->kind == CS_FIELD_WEAK)
    return;
  for (uint64_t i = 0; i < run->nr; i++)
    {
      addr = cs_graph_target (g, run->kind, cs_graph_word (g, run, i),
                              &is_block);
      if (addr)
        meet (g, addr, is_block);
    }
}

/* The root at PLACE, if the word of KIND there leads to a node.  The number of
   its node is set when all are known: until then it is the offset.  */
static void
add_root (struct cs_graph *g, unsigned kind, uint64_t word,
          struct cs_graph_root root)
{
  bool is_block;
  uint64_t addr = cs_graph_target (g, kind, word, &is_block);

  if (!addr)
    return;
  if (g->nr_roots == g->roots_room)
    {
      size_t room = g->roots_room ? 2 * g->roots_room : 4096;
      void *new = reallocarray (g->roots, room, sizeof *g->roots);

      if (!new)
        {
          g->no_memory = true;
          return;
        }
      g->roots = new;
      g->roots_room = room;
    }
  meet (g, addr, is_block);
  root.node = (uint32_t) ((addr - g->base) / 8);
  g->roots[g->nr_roots++] = root;
}

static void
add_range (struct cs_graph *g, uint64_t addr, uint64_t len, unsigned kind,
           const char *name)
{
  uint64_t word;

  for (uint64_t i = 0; i < len / g->heap->word_len; i++)
    if (cs_heap_word (g->heap, addr, i, &word))
      add_root (g, CS_FIELD_OPAQUE, word, (struct cs_graph_root) {
                  .kind = (uint8_t) kind, .name = name,
                  .place = addr + i * g->heap->word_len
                });
}

static int
add_bindings (struct cs_graph *g, struct cs_err *err)
{
  int code = cs_modules_read (g->heap, &g->modules, err), r;

  if (code < 0 && code != -CS_E_DAMAGED)
    return code;
  g->bindings = calloc (g->modules.nr + 1, sizeof *g->bindings);
  if (!g->bindings)
    return -ENOMEM;
  for (size_t m = 0; m < g->modules.nr; m++)
    {
      r = cs_bindings_read (g->heap, &g->modules.items[m], &g->bindings[m],
                            code < 0 ? NULL : err);
      code = code < 0 ? code : r;
      for (size_t i = 0; i < g->bindings[m].nr; i++)
        add_root (g, CS_FIELD_VALUE, g->bindings[m].items[i].variable,
                  (struct cs_graph_root) {
                    .kind = CS_GRAPH_BINDING,
                    .module = g->modules.items[m].name,
                    .name = g->bindings[m].items[i].name
                  });
    }
  return code;
}

static void
add_named (struct cs_graph *g)
{
  struct cs_named_root named[CS_NAMED_ROOTS_MAX];
  size_t nr = cs_named_roots (g->heap, named);

  for (size_t i = 0; i < nr; i++)
    add_root (g, CS_FIELD_VALUE, named[i].value, (struct cs_graph_root) {
                .kind = CS_GRAPH_NAMED, .name = named[i].name
              });
}

/* Libraries, and section "guile".  */
static int
add_ranges (struct cs_graph *g, struct cs_err *err)
{
  struct cs_root_range *ranges
    = calloc (CS_ROOT_RANGES_MAX, sizeof *ranges);
  int code;

  g->names = calloc (CS_ROOT_RANGES_MAX, sizeof *g->names);
  if (!ranges || !g->names)
    {
      free (ranges);
      return -ENOMEM;
    }
  code = cs_root_ranges (g->heap->store, ranges, &g->nr_names, err);
  for (size_t i = 0; code == 0 && i < g->nr_names; i++)
    {
      snprintf (g->names[i].text, sizeof g->names->text, "%s",
                ranges[i].name);
      if (strncmp (ranges[i].name, "libgc.so.", 9) != 0)
        add_range (g, ranges[i].addr, ranges[i].len,
                   ranges[i].kind == CS_ROOT_LIBRARY ? CS_GRAPH_LIBRARY
                                                     : CS_GRAPH_SECTION,
                   g->names[i].text);
    }
  free (ranges);
  return code;
}

static void
add_code (void *closure, uint64_t addr, uint64_t len)
{
  add_range (closure, addr, len, CS_GRAPH_CODE, "compiled code");
}

/* gc_priv.h, UNCOLLECTABLE.  */
static void
add_uncollected (struct cs_graph *g)
{
  const struct cs_block_header *h = g->blocks.headers;

  for (size_t i = 0; i < g->blocks.nr; i++, h++)
    for (uint64_t off = 0; h->kind == 2
         && (off == 0 || off + h->len <= CS_STORE_PAGE_LEN); off += h->len)
      add_root (g, CS_FIELD_BLOCK, h->addr + off, (struct cs_graph_root) {
                  .kind = CS_GRAPH_UNCOLLECTED, .name = "uncollected memory"
                });
}

/* gc_priv.h, GC_HIDE_POINTER: an address in the image, with all bits
   flipped.  */
static bool
is_hidden (const struct cs_graph *g, uint64_t word)
{
  uint64_t addr = ~word;

  if (g->heap->word_len == 4)
    addr &= 0xffffffff;
  return addr >= g->base && addr - g->base < g->len
         && addr % g->heap->word_len == 0;
}

/* libgc 8.2, finalize.c: struct finalizable_object has six words, the first of
   them the hidden object, the third the function, the fourth its data; struct
   disappearing_link has three, the first and the third hidden, and gets
   four.  */
bool
cs_graph_is_collectors (const struct cs_graph *g,
                        const struct cs_block *block, uint64_t *data)
{
  const uint64_t nr = block->len / g->heap->word_len;
  uint64_t words[6];

  *data = 0;
  if (block->kind != 1 || (nr != 4 && nr != 6))
    return false;
  for (uint64_t i = 0; i < nr; i++)
    if (!cs_heap_word (g->heap, block->addr, i, &words[i]))
      return false;
  if (!is_hidden (g, words[0]))
    return false;
  if (nr == 4)
    return words[3] == 0 && is_hidden (g, words[2]);
  *data = words[3];
  return words[2] != 0;
}

static void
add_finalizers (struct cs_graph *g)
{
  const struct cs_block_header *h = g->blocks.headers;
  struct cs_block block;
  uint64_t data;

  for (size_t i = 0; i < g->blocks.nr; i++, h++)
    for (uint64_t off = 0; h->len == 6u * g->heap->word_len
         && off + h->len <= CS_STORE_PAGE_LEN; off += h->len)
      {
        block = (struct cs_block) { h->addr + off, h->len, h->descr, h->kind };
        if (cs_graph_is_collectors (g, &block, &data))
          add_root (g, CS_FIELD_OPAQUE, data, (struct cs_graph_root) {
                      .kind = CS_GRAPH_FINALIZER, .name = "finalizer",
                      .place = block.addr
                    });
      }
}

/* Number the nodes by the order of their addresses.  */
static bool
number_nodes (struct cs_graph *g)
{
  uint64_t words = g->len / 512 + 1, off;
  uint32_t before = 0;

  g->rank = calloc (words, sizeof *g->rank);
  g->number = calloc (g->nr, sizeof *g->number);
  if (!g->rank || !g->number)
    return false;
  for (uint64_t i = 0; i < words; i++)
    {
      g->rank[i] = before;
      before += (uint32_t) __builtin_popcountll (g->met[i]);
    }
  for (uint32_t n = 1; n < g->nr; n++)
    {
      off = (uint64_t) g->order[n] * 8;
      g->number[g->rank[off / 512]
                + (uint32_t) __builtin_popcountll (
                    g->met[off / 512]
                    & (((uint64_t) 1 << off / 8 % 64) - 1))] = n;
    }
  for (size_t i = 0; i < g->nr_roots; i++)
    g->roots[i].node
      = cs_graph_number (g, g->base + (uint64_t) g->roots[i].node * 8);
  return true;
}

/* A level is what has the same distance from the roots.  */
static void
add_level (struct cs_graph *g, size_t first)
{
  if (g->nr_levels == g->levels_room)
    {
      size_t room = g->levels_room ? 2 * g->levels_room : 1024;
      void *new = reallocarray (g->levels, room, sizeof *g->levels);

      if (!new)
        {
          g->no_memory = true;
          return;
        }
      g->levels = new;
      g->levels_room = room;
    }
  g->levels[g->nr_levels++] = (uint32_t) first;
}

/* All that the roots lead to.  */
static void
meet_rest (struct cs_graph *g)
{
  uint64_t off;

  add_level (g, 0);
  for (size_t n = 1, end = 1; n < g->nr && !g->no_memory; n++)
    {
      if (n == end)
        {
          add_level (g, n);
          end = g->nr;
        }
      off = (uint64_t) g->order[n] * 8;
      fields_at (g, g->base + off, get_bit (g->raw, off), meet_run, g);
    }
  add_level (g, g->nr);
}

static int
read_all (struct cs_graph *g, struct cs_err *err)
{
  int code = cs_blocks_read (g->heap, &g->blocks, err), r;

  if (code == 0)
    code = add_bindings (g, err);
  if (code < 0 && code != -CS_E_DAMAGED)
    return code;
  add_named (g);
  r = add_ranges (g, code < 0 ? NULL : err);
  code = code < 0 ? code : r;
  cs_code_each_root (g->heap, add_code, g);
  add_uncollected (g);
  add_finalizers (g);
  meet_rest (g);
  return g->no_memory || !number_nodes (g) ? -ENOMEM : code;
}

int
cs_graph_read (struct cs_heap *heap, struct cs_graph *g,
               struct cs_err *err)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (heap->store);
  uint64_t words = sb->committed / 512 + 1;
  int code = -ENOMEM;

  *g = (struct cs_graph) {
    .heap = heap, .base = sb->base, .len = sb->committed, .nr = 1
  };
  if (sb->committed > IMAGE_LEN_MAX)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "'%.300s': an image of %"
                       PRIu64 " bytes, at most %" PRIu64 " can be gone "
                       "through", cs_store_path (heap->store), sb->committed,
                       IMAGE_LEN_MAX);
  g->met = calloc (words, sizeof *g->met);
  g->raw = calloc (words, sizeof *g->raw);
  g->room = 65536;
  g->order = calloc (g->room, sizeof *g->order);
  if (g->met && g->raw && g->order && cs_heap_index (heap) == 0)
    code = read_all (g, err);
  return code == -ENOMEM
         ? cs_err_sys (err, ENOMEM, "cannot go through the objects of "
                       "'%.300s'", cs_store_path (heap->store)) : code;
}

void
cs_graph_fini (struct cs_graph *g)
{
  for (size_t i = 0; g->bindings && i < g->modules.nr; i++)
    cs_bindings_fini (&g->bindings[i]);
  free (g->bindings);
  cs_modules_fini (&g->modules);
  cs_blocks_fini (&g->blocks);
  free (g->met);
  free (g->raw);
  free (g->rank);
  free (g->number);
  free (g->order);
  free (g->levels);
  free (g->roots);
  free (g->names);
  *g = (struct cs_graph) { 0 };
}

/* Asking.  */

uint32_t
cs_graph_number (const struct cs_graph *g, uint64_t addr)
{
  uint64_t off = addr - g->base;

  if (addr < g->base || off >= g->len || off % 8 != 0
      || !get_bit (g->met, off))
    return 0;
  return g->number[g->rank[off / 512]
                   + (uint32_t) __builtin_popcountll (
                       g->met[off / 512]
                       & (((uint64_t) 1 << off / 8 % 64) - 1))];
}

bool
cs_graph_is_block (const struct cs_graph *g, uint32_t node)
{
  return node > 0 && get_bit (g->raw, (uint64_t) g->order[node] * 8);
}

uint64_t
cs_graph_fields (const struct cs_graph *g, uint32_t node,
                 cs_object_run *visit, void *closure)
{
  return fields_at (g, cs_graph_addr (g, node), cs_graph_is_block (g, node),
                    visit, closure);
}

struct edges
{
  const struct cs_graph *graph;
  uint32_t from;
  cs_graph_edge *visit;
  void *closure;
};

static void
edges_of_run (void *closure, const struct cs_field_run *run)
{
  const struct edges *e = closure;
  uint64_t addr;
  uint32_t to;
  bool is_block;

  if (run->kind >= CS_FIELD_CODE || run->kind == CS_FIELD_WEAK)
    return;
  for (uint64_t i = 0; i < run->nr; i++)
    {
      addr = cs_graph_target (e->graph, run->kind,
                              cs_graph_word (e->graph, run, i), &is_block);
      to = addr ? cs_graph_number (e->graph, addr) : 0;
      if (to)
        e->visit (e->closure, e->from, to, run, i);
    }
}

void
cs_graph_edges (const struct cs_graph *g, uint32_t node,
                cs_graph_edge *visit, void *closure)
{
  struct edges e = { g, node, visit, closure };

  cs_graph_fields (g, node, edges_of_run, &e);
}
