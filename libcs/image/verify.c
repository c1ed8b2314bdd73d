/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verify.c -- does each pointer of each object lead to an object?  */

#include <errno.h>
#include <stdlib.h>

#include <libguile.h>

#include "image/verify.h"

struct checking
{
  const struct cs_graph *graph;
  uint32_t node;
  uint64_t count;
  uint64_t *met;                /* a bit for each node */
  uint32_t *todo;               /* room for all nodes */
  size_t nr_todo;
  cs_verify_found *found;
  void *closure;
};

/* NULL, or what is wrong with an object at ADDR.  */
static const char *
check_object (const struct cs_graph *g, uint64_t addr)
{
  const struct cs_object_type *type;
  struct cs_block block;
  uint64_t first;

  if (!cs_heap_view (g->heap, addr, 2u * g->heap->word_len))
    return "leads out of the image";
  if (!cs_heap_word (g->heap, addr, 0, &first)
      || !(type = cs_object_type (g->heap, first)))
    return "leads to no object";
  /* In memory that C asked for there may be a compiled file, and objects in
     it (gc_priv.h, UNCOLLECTABLE and AUNCOLLECTABLE).  */
  if (!cs_blocks_find (&g->blocks, addr, &block) || block.kind == 2
      || block.kind == 3)
    return NULL;
  if (block.addr != addr)
    return "leads into the middle of an object";
  if (cs_object_fields (g->heap, type, addr, first, block.len, NULL, NULL)
      > block.len)
    return "leads to an object that is longer than its memory";
  return NULL;
}

/* String buffers that libguile was compiled with lie at any word, as the C
   compiler aligned them, and nobody asks whether they are values (3.0.8,
   strings.h, SCM_IMMUTABLE_STRINGBUF).  Matters where a word has 4 bytes.  */
static bool
is_constant_stringbuf (const struct cs_graph *g, uint64_t word)
{
  uint64_t first;

  return word % g->heap->word_len == 0
         && cs_heap_word (g->heap, word, 0, &first)
         && (first & 0x7f) == scm_tc7_stringbuf;
}

static const char *
check_value (const struct cs_graph *g, uint64_t word)
{
  if (cs_value_is_object (word))
    return check_object (g, word);
  return cs_heap_kind (g->heap, word) == CS_VALUE_INVALID
         && !is_constant_stringbuf (g, word) ? "is no value" : NULL;
}

static const char *
check_vtable (const struct cs_graph *g, uint64_t word)
{
  uint64_t first;
  const char *wrong = check_object (g, word - scm_tc3_struct);

  if (wrong)
    return wrong;
  return cs_heap_word (g->heap, word - scm_tc3_struct, 0, &first)
         && (first & 7) == scm_tc3_struct ? NULL : "leads to no vtable";
}

static const char *
check_block (const struct cs_graph *g, uint64_t word)
{
  struct cs_block block;

  if (word == 0)
    return NULL;
  if (!cs_heap_view (g->heap, word, g->heap->word_len))
    return "leads out of the image";
  return cs_blocks_find (&g->blocks, word, &block) && block.addr != word
         ? "leads into the middle of an object" : NULL;
}

static const char *
check_word (const struct cs_graph *g, unsigned kind, uint64_t word)
{
  switch (kind)
    {
    case CS_FIELD_VALUE: return check_value (g, word);
    case CS_FIELD_VTABLE: return check_vtable (g, word);
    case CS_FIELD_WEAK: return word == 0 ? NULL : check_value (g, word);
    case CS_FIELD_BLOCK: return check_block (g, word);
    case CS_FIELD_CODE:
      return cs_heap_view (g->heap, word, 4) ? NULL : "leads out of the image";
    default: return NULL;
    }
}

static void
meet (struct checking *c, uint32_t node)
{
  if (node == 0 || c->met[node / 64] >> node % 64 & 1)
    return;
  c->met[node / 64] |= (uint64_t) 1 << node % 64;
  c->todo[c->nr_todo++] = node;
}

/* A sound word: what it leads to is looked at too.  */
static void
follow (struct checking *c, unsigned kind, uint64_t word)
{
  bool is_block;

  if (kind == CS_FIELD_VALUE || kind == CS_FIELD_VTABLE)
    meet (c, cs_graph_number (c->graph, cs_graph_target (c->graph, kind, word,
                                                         &is_block)));
}

static void
check_run (void *closure, const struct cs_field_run *run)
{
  struct checking *c = closure;

  for (uint64_t i = 0; i < run->nr; i++)
    {
      uint64_t word = cs_graph_word (c->graph, run, i);
      const char *wrong = check_word (c->graph, run->kind, word);

      if (!wrong)
        {
          if (run->kind >= CS_FIELD_INTEGER)
            return;
          follow (c, run->kind, word);
          continue;
        }
      c->count++;
      c->found (c->closure, &(struct cs_finding) {
                  c->node, run->field->name, run->first + i,
                  run->addr + i * run->unit_len, word, wrong
                });
    }
}

int
cs_verify_heap (const struct cs_graph *graph, cs_verify_found *found,
                void *closure, uint64_t *objects, uint64_t *findings)
{
  struct checking c = {
    .graph = graph, .found = found, .closure = closure,
    .met = calloc (graph->nr / 64 + 1, sizeof *c.met),
    .todo = calloc (graph->nr, sizeof *c.todo)
  };
  bool enough = c.met && c.todo;

  for (size_t i = 0; enough && i < graph->nr_roots; i++)
    if (graph->roots[i].kind == CS_GRAPH_BINDING
        || graph->roots[i].kind == CS_GRAPH_NAMED)
      meet (&c, graph->roots[i].node);
  for (size_t i = 0; i < c.nr_todo; i++)
    {
      c.node = c.todo[i];
      if (!cs_graph_is_block (graph, c.node))
        cs_graph_fields (graph, c.node, check_run, &c);
    }
  free (c.met);
  free (c.todo);
  *objects = c.nr_todo;
  *findings = c.count;
  return enough ? 0 : -ENOMEM;
}
