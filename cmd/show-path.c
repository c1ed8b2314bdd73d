/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* show-path.c -- objects, and what leads to them, as text and as JSON.  */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "show-path.h"

/* Steps that are shown of each end of a path.  */
#define STEPS_MAX 20

const char *
cs_show_node (const struct cs_graph *graph, uint32_t node, char *text)
{
  uint64_t addr = cs_graph_addr (graph, node);

  if (!cs_graph_is_block (graph, node))
    return cs_heap_print (graph->heap, addr, text, SHOW_VALUE_LEN);
  snprintf (text, SHOW_VALUE_LEN, "#<block of %" PRIu64 " bytes 0x%" PRIx64
            ">", cs_graph_fields (graph, node, NULL, NULL), addr);
  return text;
}

const char *
cs_show_kind (const struct cs_graph *graph, uint32_t node)
{
  return cs_graph_is_block (graph, node) ? "block"
         : cs_value_kind_name (cs_heap_kind (graph->heap,
                                             cs_graph_addr (graph, node)));
}

static const char *
root_kind (const struct cs_graph_root *root)
{
  static const char *const names[] = {
    [CS_GRAPH_BINDING] = "binding", [CS_GRAPH_NAMED] = "named root",
    [CS_GRAPH_LIBRARY] = "library", [CS_GRAPH_CODE] = "code",
    [CS_GRAPH_SECTION] = "section", [CS_GRAPH_UNCOLLECTED] = "memory",
    [CS_GRAPH_FINALIZER] = "finalizer"
  };

  return root ? names[root->kind] : "unknown";
}

const char *
cs_show_root (const struct cs_graph_root *root, char *text, size_t len)
{
  if (!root)
    snprintf (text, len, "-");
  else if (root->kind == CS_GRAPH_BINDING)
    snprintf (text, len, "%s %s", root->module, root->name);
  else if (root->place)
    snprintf (text, len, "%s at 0x%" PRIx64, root->name, root->place);
  else
    snprintf (text, len, "%s", root->name);
  return text;
}

static void
show_step (struct cs_json *json, const struct cs_graph *graph, uint32_t node,
           const struct cs_path_edge *edge)
{
  char text[SHOW_VALUE_LEN], field[80] = "";

  cs_show_node (graph, node, text);
  if (json)
    {
      cs_json_object (json, NULL);
      cs_json_string (json, "kind", cs_show_kind (graph, node));
      cs_json_address (json, "address", cs_graph_addr (graph, node));
      cs_json_string (json, "value", text);
      cs_json_string (json, "field", edge ? edge->field : NULL);
      if (edge)
        cs_json_number (json, "index", edge->i);
      else
        cs_json_null (json, "index");
      cs_json_end (json);
      return;
    }
  if (edge)
    snprintf (field, sizeof field, "%s %" PRIu64, edge->field, edge->i);
  printf ("  %-13s  0x%-14" PRIx64 "  %-18s  %s\n",
          cs_show_kind (graph, node), cs_graph_addr (graph, node), field,
          text);
}

static void
show_path (struct cs_json *json, const struct cs_graph *graph,
           const struct cs_graph_root *root,
           const struct cs_path_edge **steps, size_t nr, uint32_t target)
{
  char text[1024];

  cs_show_root (root, text, sizeof text);
  if (json)
    {
      cs_json_object (json, NULL);
      cs_json_string (json, "root", root_kind (root));
      cs_json_string (json, "name", text);
      cs_json_number (json, "length", nr);
      cs_json_array (json, "steps");
    }
  else
    printf ("  %-13s  %s\n", root_kind (root), text);
  for (size_t i = 0; i < nr; i++)
    if (i < STEPS_MAX || i + STEPS_MAX >= nr)
      show_step (json, graph, steps[i]->from, steps[i]);
    else if (i == STEPS_MAX && !json)
      printf ("  ... %zu more\n", nr - 2 * STEPS_MAX);
  show_step (json, graph, target, NULL);
  if (json)
    {
      cs_json_end (json);
      cs_json_end (json);
    }
}

void
cs_show_paths (struct cs_json *json, const struct cs_graph *graph,
               const struct cs_paths *paths, uint64_t max)
{
  size_t len = cs_paths_len (graph, paths);
  const struct cs_path_edge **steps = calloc (len + 1, sizeof *steps);
  const struct cs_graph_root *root;

  if (json)
    cs_json_array (json, "paths");
  for (uint64_t i = 0; steps && i < paths->nr && i < max; i++)
    {
      cs_paths_get (graph, paths, i, &root, steps);
      if (!root)
        break;
      if (i > 0 && !json)
        putchar ('\n');
      show_path (json, graph, root, steps, len, paths->target);
    }
  if (json)
    cs_json_end (json);
  free (steps);
}
