/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dominators.c -- what each object keeps alive alone.

   The iterative algorithm of Cooper, Harvey and Kennedy ("A Simple, Fast
   Dominance Algorithm", 2001).  It needs an order in which each node comes
   after its dominators; that of the distances from the roots is one, as a
   dominator lies on the shortest path too.  The edges are gone through
   from their origins, so that nobody need know what leads to a node.  */

#include <errno.h>
#include <stdlib.h>

#include "image/dominators.h"

#define NONE UINT32_MAX

struct search
{
  uint32_t *dominator;
  bool changed;
};

/* The last node that the ways of A and B to the roots have in common.  */
static uint32_t
meet_of (const uint32_t *dominator, uint32_t a, uint32_t b)
{
  while (a != b)
    if (a > b)
      a = dominator[a];
    else
      b = dominator[b];
  return a;
}

static void
note_edge (void *closure, uint32_t from, uint32_t to,
           const struct cs_field_run *run, uint64_t i)
{
  struct search *s = closure;
  uint32_t old = s->dominator[to], new;

  (void) run;
  (void) i;
  if (from == to || (old == NONE && from > to))
    return;
  new = old == NONE ? from : meet_of (s->dominator, old, from);
  if (new != old)
    {
      s->dominator[to] = new;
      s->changed = true;
    }
}

static void
find_dominators (const struct cs_graph *g, uint32_t *dominator)
{
  struct search s = { dominator, true };

  for (uint32_t n = 0; n < g->nr; n++)
    dominator[n] = NONE;
  dominator[0] = 0;
  /* What a root leads to has no other dominator.  */
  for (size_t i = 0; i < g->nr_roots; i++)
    dominator[g->roots[i].node] = 0;
  while (s.changed)
    {
      s.changed = false;
      for (uint32_t n = 1; n < g->nr; n++)
        {
          /* Met along a word that is read otherwise by now (graph.c,
             meet).  */
          if (dominator[n] == NONE)
            dominator[n] = 0;
          cs_graph_edges (g, n, note_edge, &s);
        }
    }
}

int
cs_dominators_find (const struct cs_graph *g, struct cs_dominators *d)
{
  d->dominator = calloc (g->nr, sizeof *d->dominator);
  d->retained = calloc (g->nr, sizeof *d->retained);
  if (!d->dominator || !d->retained)
    return -ENOMEM;
  find_dominators (g, d->dominator);
  for (uint32_t n = (uint32_t) g->nr - 1; n > 0; n--)
    {
      d->retained[n] += cs_graph_fields (g, n, NULL, NULL);
      d->retained[d->dominator[n]] += d->retained[n];
    }
  return 0;
}

void
cs_dominators_fini (struct cs_dominators *d)
{
  free (d->dominator);
  free (d->retained);
  *d = (struct cs_dominators) { 0 };
}
