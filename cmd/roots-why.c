/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots-why.c -- cs-gc-roots --why.  */

#include <errno.h>
#include <inttypes.h>

#include "image/expression.h"
#include "roots.h"
#include "show-path.h"

/* Paths that are printed, and edges in a file for dot(1).  */
#define PATHS_MAX 10
#define DOT_EDGES_MAX 1000

/* TEXT as a string of dot's.  */
static void
put_dot_text (FILE *file, const char *text)
{
  for (; *text; text++)
    {
      if (*text == '"' || *text == '\\')
        putc ('\\', file);
      putc (*text, file);
    }
}

void
cs_roots_dot_node (const struct cs_roots_query *q, uint32_t node)
{
  char text[SHOW_VALUE_LEN];

  fprintf (q->dot, "  n%" PRIu32 " [label=\"%s\\n", node,
           cs_show_kind (q->graph, node));
  put_dot_text (q->dot, cs_show_node (q->graph, node, text));
  fputs ("\"];\n", q->dot);
}

static void
put_dot_roots (const struct cs_roots_query *q, uint32_t node)
{
  char text[1024];

  for (size_t i = 0; i < q->graph->nr_roots; i++)
    if (q->graph->roots[i].node == node)
      {
        fprintf (q->dot, "  r%zu [shape=box, label=\"", i);
        put_dot_text (q->dot, cs_show_root (&q->graph->roots[i], text,
                                            sizeof text));
        fprintf (q->dot, "\"];\n  r%zu -> n%" PRIu32 ";\n", i, node);
      }
}

static void
write_dot (const struct cs_roots_query *q, const struct cs_paths *paths)
{
  fputs ("digraph why {\n", q->dot);
  cs_roots_dot_node (q, paths->target);
  if (paths->nr_edges == 0)
    put_dot_roots (q, paths->target);
  for (size_t i = 0; i < paths->nr_edges && i < DOT_EDGES_MAX; i++)
    {
      const struct cs_path_edge *e = &paths->edges[i];
      bool seen = false;

      for (size_t k = 0; k < i && !seen; k++)
        seen = paths->edges[k].from == e->from;
      if (!seen)
        {
          cs_roots_dot_node (q, e->from);
          put_dot_roots (q, e->from);
        }
      fprintf (q->dot, "  n%" PRIu32 " -> n%" PRIu32 " [label=\"%s %" PRIu64
               "\"];\n", e->from, e->to, e->field, e->i);
    }
  fputs ("}\n", q->dot);
}

static void
show (const struct cs_roots_query *q, const struct cs_paths *paths)
{
  char text[SHOW_VALUE_LEN];
  uint32_t node = paths->target;

  cs_show_node (q->graph, node, text);
  if (q->json)
    {
      cs_json_object (q->json, "why");
      cs_json_string (q->json, "kind", cs_show_kind (q->graph, node));
      cs_json_address (q->json, "address", cs_graph_addr (q->graph, node));
      cs_json_string (q->json, "value", text);
      cs_json_number (q->json, "path_count", paths->nr);
    }
  else
    printf ("object  %s 0x%" PRIx64 "  %s\npaths   %" PRIu64 "%s\n\n",
            cs_show_kind (q->graph, node), cs_graph_addr (q->graph, node),
            text, paths->nr, paths->cut || paths->nr == UINT64_MAX
                             ? " or more" : "");
  cs_show_paths (q->json, q->graph, paths, PATHS_MAX);
  if (q->json)
    cs_json_end (q->json);
  else if (paths->nr > PATHS_MAX)
    printf ("\n... %" PRIu64 " more\n", paths->nr - PATHS_MAX);
  if (q->dot)
    write_dot (q, paths);
}

int
cs_roots_why (const struct cs_roots_query *q, const char *expression,
              struct cs_err *err)
{
  struct cs_paths paths;
  uint64_t value;
  uint32_t node;
  int code = cs_expression_value (q->graph, expression, &value, err);

  if (code < 0)
    return cs_err_prefix (err, "'%.200s'", expression);
  node = cs_value_is_object (value) ? cs_graph_number (q->graph, value) : 0;
  if (!node)
    return cs_err_set (err, CS_E_REFUSED, "'%.200s': %s", expression,
                       cs_value_is_object (value)
                       ? "nothing leads to an object there"
                       : "the value is no object: nothing has to keep it");
  code = cs_paths_find (q->graph, node, &paths);
  if (code < 0)
    cs_err_sys (err, -code, "cannot find the paths to '%.200s'", expression);
  else
    show (q, &paths);
  cs_paths_fini (&paths);
  return code;
}
