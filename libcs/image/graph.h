/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* graph.h -- all objects that a workspace's roots lead to, and what leads to
   what.

   A *node* is an object of Guile's, or memory of the collector that C code
   gave a meaning (a *block*).  Nodes are numbered in the order of their
   distance from the roots; number 0 stands for all roots together.  What
   an object leads to says objects.h; what a block leads to is what the
   collector takes for pointers in it (blocks.h).

   Roots are, in this order: the variables of all modules' bindings, the named
   roots (roots.h), the words of the libraries' writable data, of the
   interpreter's compiled files and of section "guile" that lead to the
   beginning of an object, blocks that are never collected, and the data of
   finalizers.  libgc's own data is none: it leads to what is free.

   Memory: 4 bytes for each node while the graph is read, 8 afterwards, and a
   twentieth of the image.  Nothing recurses.  */
#ifndef CS_GRAPH_H
#define CS_GRAPH_H

#include "image/blocks.h"
#include "image/modules.h"
#include "image/objects.h"

enum cs_graph_root_kind
{
  CS_GRAPH_BINDING = 1, CS_GRAPH_NAMED, CS_GRAPH_LIBRARY, CS_GRAPH_CODE,
  CS_GRAPH_SECTION, CS_GRAPH_UNCOLLECTED, CS_GRAPH_FINALIZER
};

struct cs_graph_root
{
  uint32_t node;
  uint8_t kind;                 /* enum cs_graph_root_kind */
  uint64_t place;               /* of the word; 0 for a named root */
  const char *module, *name;    /* of a binding; otherwise `name` alone */
};

struct cs_graph
{
  const struct cs_heap *heap;
  struct cs_blocks blocks;
  struct cs_module_list modules;
  struct cs_binding_list *bindings;     /* one for each module */
  uint64_t base, len;           /* of the image */
  uint64_t *met, *raw;          /* a bit for each 8 bytes: a node, a block */
  uint32_t *rank;               /* nodes before each word of `met` */
  uint32_t *number;             /* of a node, by the order of addresses */
  uint32_t *order;              /* offset / 8 of a node, by number */
  size_t nr, room;              /* of nodes, with number 0 */
  uint32_t *levels;             /* the first node of each distance from the
                                   roots: 0, 1 ...; and behind them the number
                                   of nodes */
  size_t nr_levels, levels_room;
  struct cs_graph_root *roots;
  size_t nr_roots, roots_room;
  struct cs_library_name { char text[72]; } *names;
  size_t nr_names;
  bool no_memory;
};

/* Read the graph of what HEAP, which gets an index, has open with
   CS_STORE_READ.  Errors: those of cs_modules_read()
   and cs_blocks_read(); -ENOMEM; -CS_E_INCOMPATIBLE for an image of more
   than 32 GiB.  With -CS_E_DAMAGED from the modules the rest is there.
   Release with cs_graph_fini() in every case.  */
int cs_graph_read (struct cs_heap *heap, struct cs_graph *graph,
                   struct cs_err *err);
void cs_graph_fini (struct cs_graph *graph);

/* The number of the node at ADDR; 0 if it is none.  */
uint32_t cs_graph_number (const struct cs_graph *graph, uint64_t addr);

static inline uint64_t
cs_graph_addr (const struct cs_graph *graph, uint32_t node)
{
  return graph->base + (uint64_t) graph->order[node] * 8;
}

/* Is NODE a block?  */
bool cs_graph_is_block (const struct cs_graph *graph, uint32_t node);

/* Is BLOCK an entry of the collector's tables of finalizers (*DATA is what it
   gives the finalizer) or of weak references (*DATA is 0)?  */
bool cs_graph_is_collectors (const struct cs_graph *graph,
                             const struct cs_block *block, uint64_t *data);

/* Can BLOCK be an object of Guile's?  Then it is as long as an object of its
   type is, and a pair has two values.  */
bool cs_graph_is_typed (const struct cs_graph *graph,
                        const struct cs_block *block);

/* Call VISIT for all fields of NODE; a block's are CS_FIELD_OPAQUE.  Returns
   its length in bytes.  */
uint64_t cs_graph_fields (const struct cs_graph *graph, uint32_t node,
                          cs_object_run *visit, void *closure);

/* Call VISIT for each word of NODE that leads to a node.  */
typedef void cs_graph_edge (void *closure, uint32_t from, uint32_t to,
                            const struct cs_field_run *run, uint64_t i);
void cs_graph_edges (const struct cs_graph *graph, uint32_t node,
                     cs_graph_edge *visit, void *closure);

/* The address that WORD of a field of KIND leads to, or 0.  */
uint64_t cs_graph_target (const struct cs_graph *graph, unsigned kind,
                          uint64_t word, bool *is_block);

/* Word I of RUN, or 0.  */
uint64_t cs_graph_word (const struct cs_graph *graph,
                        const struct cs_field_run *run, uint64_t i);

#endif
