/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots-retained.c -- cs-gc-roots --retained.  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "image/dominators.h"
#include "roots.h"
#include "show-path.h"

#define ROWS_MAX 30

struct row
{
  uint32_t node;
  uint64_t retained;
};

/* Put NODE among the largest ROWS.  */
static void
note (struct row *rows, size_t *nr, uint32_t node, uint64_t retained)
{
  size_t i;

  if (*nr == ROWS_MAX && rows[ROWS_MAX - 1].retained >= retained)
    return;
  i = *nr < ROWS_MAX ? (*nr)++ : ROWS_MAX - 1;
  for (; i > 0 && rows[i - 1].retained < retained; i--)
    rows[i] = rows[i - 1];
  rows[i] = (struct row) { node, retained };
}

static const struct cs_graph_root *
root_of (const struct cs_graph *g, uint32_t node)
{
  for (size_t i = 0; i < g->nr_roots; i++)
    if (g->roots[i].node == node)
      return &g->roots[i];
  return NULL;
}

/* A variable is shown by what is in it.  */
static const char *
value_text (const struct cs_graph *g, uint32_t node, char *text)
{
  uint64_t content;

  if (cs_heap_kind (g->heap, cs_graph_addr (g, node)) == CS_VALUE_VARIABLE
      && cs_heap_variable (g->heap, cs_graph_addr (g, node), &content))
    return cs_heap_print (g->heap, content, text, SHOW_VALUE_LEN);
  return cs_show_node (g, node, text);
}

static void
show_row (const struct cs_roots_query *q, const struct row *row)
{
  char text[SHOW_VALUE_LEN], root[1024];
  const struct cs_graph *g = q->graph;

  cs_show_root (root_of (g, row->node), root, sizeof root);
  value_text (g, row->node, text);
  if (!q->json)
    {
      printf ("%12" PRIu64 "  %-13s  0x%-14" PRIx64 "  %-32s  %s\n",
              row->retained, cs_show_kind (g, row->node),
              cs_graph_addr (g, row->node), root, text);
      return;
    }
  cs_json_object (q->json, NULL);
  cs_json_number (q->json, "retained", row->retained);
  cs_json_string (q->json, "kind", cs_show_kind (g, row->node));
  cs_json_address (q->json, "address", cs_graph_addr (g, row->node));
  cs_json_string (q->json, "root", root[0] == '-' ? NULL : root);
  cs_json_string (q->json, "value", text);
  cs_json_end (q->json);
}

static void
show (const struct cs_roots_query *q, const struct cs_dominators *d)
{
  struct row rows[ROWS_MAX];
  size_t nr = 0;

  for (uint32_t n = 1; n < q->graph->nr; n++)
    if (d->dominator[n] == 0)
      note (rows, &nr, n, d->retained[n]);
  if (q->json)
    cs_json_array (q->json, "retained");
  else
    printf ("%12s  %-13s  %-16s  %-32s  %s\n", "RETAINED", "KIND", "ADDRESS",
            "ROOT", "VALUE");
  for (size_t i = 0; i < nr; i++)
    show_row (q, &rows[i]);
  if (q->json)
    cs_json_end (q->json);
  if (!q->dot)
    return;
  fputs ("digraph retained {\n  all [shape=box, label=\"roots\"];\n", q->dot);
  for (size_t i = 0; i < nr; i++)
    {
      cs_roots_dot_node (q, rows[i].node);
      fprintf (q->dot, "  all -> n%" PRIu32 " [label=\"%" PRIu64 "\"];\n",
               rows[i].node, rows[i].retained);
    }
  fputs ("}\n", q->dot);
}

int
cs_roots_retained (const struct cs_roots_query *q, struct cs_err *err)
{
  struct cs_dominators d;
  int code = cs_dominators_find (q->graph, &d);

  if (code < 0)
    cs_err_sys (err, -code, "cannot find what objects retain");
  else
    show (q, &d);
  cs_dominators_fini (&d);
  return code;
}
