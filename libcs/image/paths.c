/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* paths.c -- the shortest paths from the roots to an object.

   Nodes have numbers in the order of their distance, so one pass from the
   target's level back to the first meets every node of a shortest path after
   those that it leads to.  */

#include <errno.h>
#include <stdlib.h>

#include "image/paths.h"

struct search
{
  const struct cs_graph *graph;
  struct cs_paths *paths;
  uint64_t *on_path;            /* a bit for each node */
  uint32_t next, next_end;      /* the level behind the one gone through */
  bool no_memory;
};

static bool
is_on_path (const struct search *s, uint32_t node)
{
  return s->on_path[node / 64] >> node % 64 & 1;
}

static void
note_edge (void *closure, uint32_t from, uint32_t to,
           const struct cs_field_run *run, uint64_t i)
{
  struct search *s = closure;
  struct cs_paths *p = s->paths;

  if (to < s->next || to >= s->next_end || !is_on_path (s, to))
    return;
  if (p->nr_edges == CS_PATH_EDGES_MAX)
    {
      p->cut = true;
      return;
    }
  if (p->nr_edges == p->room)
    {
      size_t room = p->room ? 2 * p->room : 256;
      void *new = reallocarray (p->edges, room, sizeof *p->edges);

      if (!new)
        {
          s->no_memory = true;
          return;
        }
      p->edges = new;
      p->room = room;
    }
  p->edges[p->nr_edges++] = (struct cs_path_edge) {
    from, to, run->field->name, run->first + i,
    run->addr + i * run->unit_len
  };
  s->on_path[from / 64] |= (uint64_t) 1 << from % 64;
}

static size_t
level_of (const struct cs_graph *g, uint32_t node)
{
  size_t low = 0, high = g->nr_levels - 1;

  while (high - low > 1)
    {
      size_t middle = low + (high - low) / 2;

      if (g->levels[middle] <= node)
        low = middle;
      else
        high = middle;
    }
  return low;
}

static int
compare_edges (const void *a, const void *b)
{
  const struct cs_path_edge *m = a, *n = b;

  if (m->to != n->to)
    return m->to < n->to ? -1 : 1;
  if (m->from != n->from)
    return m->from < n->from ? -1 : 1;
  return (m->place > n->place) - (m->place < n->place);
}

/* The first edge to NODE; where it would be if there is none.  */
static size_t
first_edge (const struct cs_paths *p, uint32_t node)
{
  size_t low = 0, high = p->nr_edges;

  while (low < high)
    {
      size_t middle = low + (high - low) / 2;

      if (p->edges[middle].to < node)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

static uint64_t
add (uint64_t a, uint64_t b)
{
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Paths to NODE: from roots, and along the edges to it.  */
static uint64_t
count_paths (const struct cs_graph *g, const struct cs_paths *p,
             uint32_t node)
{
  uint64_t nr = 0;

  /* Only nodes of the first level are roots'.  */
  if (g->nr_levels > 2 && node < g->levels[2])
    for (size_t i = 0; i < g->nr_roots; i++)
      nr += g->roots[i].node == node;
  for (size_t e = first_edge (p, node);
       e < p->nr_edges && p->edges[e].to == node; e++)
    nr = add (nr, p->counts[e]);
  return nr;
}

int
cs_paths_find (const struct cs_graph *g, uint32_t target,
               struct cs_paths *paths)
{
  struct search s = { .graph = g, .paths = paths };
  size_t level = level_of (g, target);

  *paths = (struct cs_paths) { .target = target };
  s.on_path = calloc (g->nr / 64 + 1, sizeof *s.on_path);
  if (!s.on_path)
    return -ENOMEM;
  s.on_path[target / 64] |= (uint64_t) 1 << target % 64;
  for (; level > 1 && !s.no_memory; level--)
    {
      s.next = g->levels[level];
      s.next_end = g->levels[level + 1];
      for (uint32_t n = g->levels[level - 1]; n < s.next; n++)
        cs_graph_edges (g, n, note_edge, &s);
    }
  free (s.on_path);
  paths->counts = calloc (paths->nr_edges + 1, sizeof *paths->counts);
  if (s.no_memory || !paths->counts)
    return -ENOMEM;
  if (paths->nr_edges > 0)
    qsort (paths->edges, paths->nr_edges, sizeof *paths->edges,
           compare_edges);
  for (size_t e = 0; e < paths->nr_edges; e++)
    paths->counts[e] = count_paths (g, paths, paths->edges[e].from);
  paths->nr = count_paths (g, paths, target);
  return 0;
}

void
cs_paths_fini (struct cs_paths *paths)
{
  free (paths->edges);
  free (paths->counts);
  *paths = (struct cs_paths) { .nr = 0 };
}

size_t
cs_paths_len (const struct cs_graph *g, const struct cs_paths *paths)
{
  return level_of (g, paths->target) - 1;
}

void
cs_paths_get (const struct cs_graph *g, const struct cs_paths *p, uint64_t i,
              const struct cs_graph_root **root,
              const struct cs_path_edge **steps)
{
  uint32_t node = p->target;
  size_t left = cs_paths_len (g, p);

  *root = NULL;
  while (left > 0)
    {
      size_t e = first_edge (p, node);

      for (; e < p->nr_edges && p->edges[e].to == node && i >= p->counts[e];
           e++)
        i -= p->counts[e];
      if (e == p->nr_edges || p->edges[e].to != node)
        return;                 /* cut: there are fewer */
      steps[--left] = &p->edges[e];
      node = p->edges[e].from;
    }
  for (size_t r = 0; r < g->nr_roots; r++)
    if (g->roots[r].node == node && i-- == 0)
      {
        *root = &g->roots[r];
        return;
      }
}
