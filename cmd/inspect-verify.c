/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-verify.c -- cs-inspect --verify-heap.  */

#include <stdlib.h>

#include "image/paths.h"
#include "image/verify.h"
#include "inspect.h"
#include "show-path.h"

/* Findings that are shown with the path to each.  */
#define FINDINGS_MAX 20

struct findings
{
  struct cs_finding items[FINDINGS_MAX];
  size_t nr;
};

static void
note (void *closure, const struct cs_finding *finding)
{
  struct findings *f = closure;

  if (f->nr < FINDINGS_MAX)
    f->items[f->nr++] = *finding;
}

/* One shortest path to the object of finding F.  */
static void
show_finding (struct run *run, const struct cs_graph *graph,
              const struct cs_finding *f)
{
  struct cs_paths paths;
  char text[SHOW_VALUE_LEN];

  if (run->json)
    {
      cs_json_object (run->json, NULL);
      cs_json_address (run->json, "address", f->place);
      cs_json_string (run->json, "field", f->field);
      cs_json_number (run->json, "index", f->i);
      cs_json_address (run->json, "word", f->word);
      cs_json_string (run->json, "found", f->found);
    }
  else
    printf ("0x%" PRIx64 "  0x%" PRIx64 " %s: %s %" PRIu64 " of %s\n",
            f->place, f->word, f->found, f->field, f->i,
            cs_show_node (graph, f->node, text));
  if (cs_paths_find (graph, f->node, &paths) == 0)
    cs_show_paths (run->json, graph, &paths, 1);
  cs_paths_fini (&paths);
  if (run->json)
    cs_json_end (run->json);
}

static void
show_findings (struct run *run, const struct cs_graph *graph)
{
  struct cs_err err = CS_ERR_INIT;
  struct findings f = { .nr = 0 };
  uint64_t objects, nr;
  int code = cs_verify_heap (graph, note, &f, &objects, &nr);

  if (code < 0)
    {
      cs_err_sys (&err, -code, "cannot verify the objects of '%.300s'",
                  run->path);
      return failed (run, "verify_heap", &err);
    }

  if (run->json)
    {
      cs_json_object (run->json, "verify_heap");
      cs_json_number (run->json, "objects", objects);
      cs_json_number (run->json, "wrong", nr);
      cs_json_array (run->json, "findings");
    }
  else
    {
      begin_table (run);
      printf ("objects     %" PRIu64 "\nwrong       %" PRIu64 "\n", objects,
              nr);
    }
  for (size_t i = 0; i < f.nr; i++)
    show_finding (run, graph, &f.items[i]);
  if (run->json)
    {
      cs_json_end (run->json);
      cs_json_end (run->json);
    }
  if (nr == 0)
    return;
  if (run->status == 0)
    run->status = 1;
  fflush (stdout);
  cs_err_set (&err, CS_E_REFUSED, "'%.300s': %" PRIu64 " words of objects "
              "lead to no object", run->path, nr);
  cs_cmd_report (&err);
}

void
cs_inspect_show_verify (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_graph graph = { 0 };
  struct cs_heap heap;
  int code = cs_heap_open (run->store, &heap, &err);

  if (code == 0)
    code = cs_graph_read (&heap, &graph, &err);
  if (code == 0 || code == -CS_E_DAMAGED)
    {
      if (graph.nr_levels > 0)
        show_findings (run, &graph);
    }
  if (code < 0)
    failed (run, graph.nr_levels > 0 ? NULL : "verify_heap", &err);
  cs_graph_fini (&graph);
  cs_heap_fini (&heap);
}
