/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-gc-roots -- what keeps the objects of a workspace alive.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "image/modules.h"
#include "image/roots.h"
#include "json.h"
#include "roots.h"
#include "source.h"

enum
{
  OPTION_JSON = 256,
  OPTION_RETAINED,
  OPTION_TO,
  OPTION_UNREACHABLE,
  OPTION_WHY
};

static char *why, *to;

static struct poptOption option_table[] = {
  { "json", 0, POPT_ARG_NONE, NULL, OPTION_JSON, "Print as JSON", NULL },
  { "retained", 0, POPT_ARG_NONE, NULL, OPTION_RETAINED,
    "Print what keeps the most memory alive alone", NULL },
  { "to", 0, POPT_ARG_STRING, &to, OPTION_TO,
    "Write a graph for dot(1) to FILE too", "FILE" },
  { "unreachable", 0, POPT_ARG_NONE, NULL, OPTION_UNREACHABLE,
    "Print what nothing keeps, by type", NULL },
  { "why", 0, POPT_ARG_STRING, &why, OPTION_WHY,
    "Print the shortest paths from roots to the value of EXPR", "EXPR" },
  POPT_TABLEEND
};

static const struct cs_cmd command = {
  .name = "cs-gc-roots",
  .operands = "STORE[@GENERATION]",
  .summary = "Print the roots of a workspace and what they refer to by name.",
  .options = option_table,
  .min_operands = 1,
  .max_operands = 1
};

/* What one run works on.  */
struct run
{
  const char *path;
  struct cs_store *store;
  struct cs_heap heap;
  struct cs_root_range ranges[CS_ROOT_RANGES_MAX];
  size_t nr_ranges;
  struct cs_named_root named[CS_NAMED_ROOTS_MAX];
  size_t nr_named;
  struct cs_module_list modules;
  struct cs_json json;
};

/* A value is printed in at most this many bytes.  */
#define VALUE_LEN 160

static const char *
range_kind_name (enum cs_root_kind kind)
{
  return kind == CS_ROOT_LIBRARY ? "library" : "section";
}

/* Text.  */

static void
print_ranges (const struct run *run)
{
  printf ("%-18s  %12s  %10s  %-8s  %s\n", "ROOT RANGE", "BYTES", "POINTERS",
          "KIND", "NAME");
  for (size_t i = 0; i < run->nr_ranges; i++)
    {
      const struct cs_root_range *r = &run->ranges[i];
      char addr[32];

      snprintf (addr, sizeof addr, "0x%" PRIx64, r->addr);
      printf ("%-18s  %12" PRIu64 "  %10" PRIu64 "  %-8s  %s\n", addr,
              r->len, r->nr_pointers, range_kind_name (r->kind), r->name);
    }
}

static void
print_value (const struct run *run, const char *first, int first_len,
             uint64_t value)
{
  char addr[32], text[VALUE_LEN];

  if (cs_value_is_object (value))
    snprintf (addr, sizeof addr, "0x%" PRIx64, value);
  else
    snprintf (addr, sizeof addr, "-");
  printf ("%-*s  %-13s  %-14s  %s\n", first_len, first,
          cs_value_kind_name (cs_heap_kind (&run->heap, value)), addr,
          cs_heap_print (&run->heap, value, text, sizeof text));
}

static void
print_named (const struct run *run)
{
  printf ("\n%-22s  %-13s  %-14s  %s\n", "NAMED ROOT", "KIND", "ADDRESS",
          "VALUE");
  for (size_t i = 0; i < run->nr_named; i++)
    print_value (run, run->named[i].name, 22, run->named[i].value);
}

/* "(guile-user) x", the width of the widest name in the module.  */
static void
print_bindings (const struct run *run, const struct cs_module *module,
                const struct cs_binding_list *list)
{
  char name[2048];
  int width = 7;

  if (list->nr == 0)
    return;
  for (size_t i = 0; i < list->nr; i++)
    {
      int len = (int) strlen (list->items[i].name);

      width = len > width && len <= 40 ? len : width;
    }
  printf ("\nMODULE %s, %s at 0x%" PRIx64 "\n%-*s  %-13s  %-14s  %s\n",
          module->name, module->kind, module->addr, width + 2, "  BINDING",
          "KIND", "ADDRESS", "VALUE");
  for (size_t i = 0; i < list->nr; i++)
    {
      snprintf (name, sizeof name, "  %s", list->items[i].name);
      print_value (run, name, width + 2, list->items[i].value);
    }
}

/* JSON.  */

static void
put_ranges (struct run *run)
{
  struct cs_json *json = &run->json;

  cs_json_array (json, "ranges");
  for (size_t i = 0; i < run->nr_ranges; i++)
    {
      const struct cs_root_range *r = &run->ranges[i];

      cs_json_object (json, NULL);
      cs_json_string (json, "kind", range_kind_name (r->kind));
      cs_json_string (json, "name", r->name);
      cs_json_address (json, "address", r->addr);
      cs_json_number (json, "bytes", r->len);
      cs_json_number (json, "pointers", r->nr_pointers);
      cs_json_end (json);
    }
  cs_json_end (json);
}

/* The members that describe a value.  */
static void
put_value (struct run *run, uint64_t value)
{
  char text[VALUE_LEN];

  cs_json_string (&run->json, "kind",
                  cs_value_kind_name (cs_heap_kind (&run->heap, value)));
  if (cs_value_is_object (value))
    cs_json_address (&run->json, "address", value);
  else
    cs_json_null (&run->json, "address");
  cs_json_string (&run->json, "value",
                  cs_heap_print (&run->heap, value, text, sizeof text));
}

static void
put_named (struct run *run)
{
  struct cs_json *json = &run->json;

  cs_json_array (json, "named");
  for (size_t i = 0; i < run->nr_named; i++)
    {
      cs_json_object (json, NULL);
      cs_json_string (json, "name", run->named[i].name);
      put_value (run, run->named[i].value);
      cs_json_end (json);
    }
  cs_json_end (json);
}

static void
put_bindings (struct run *run, const struct cs_module *module,
              const struct cs_binding_list *list)
{
  struct cs_json *json = &run->json;

  cs_json_object (json, NULL);
  cs_json_string (json, "name", module->name);
  cs_json_string (json, "kind", module->kind);
  cs_json_address (json, "address", module->addr);
  cs_json_array (json, "bindings");
  for (size_t i = 0; i < list->nr; i++)
    {
      cs_json_object (json, NULL);
      cs_json_string (json, "name", list->items[i].name);
      cs_json_address (json, "variable", list->items[i].variable);
      put_value (run, list->items[i].value);
      cs_json_end (json);
    }
  cs_json_end (json);
  cs_json_end (json);
}

/* Reading.  */

static int
open_store (struct run *run, struct cs_err *err)
{
  int code = cs_source_open (run->path, &run->store, err);

  if (code == 0)
    run->path = cs_store_path (run->store);
  if (code == 0)
    code = cs_root_ranges (run->store, run->ranges, &run->nr_ranges, err);
  if (code == 0)
    code = cs_heap_open (run->store, &run->heap, err);
  if (code == 0)
    run->nr_named = cs_named_roots (&run->heap, run->named);
  return code;
}

/* All modules, the sound ones of a damaged tree too.  The first error is
   kept.  */
static int
show_modules (struct run *run, int code, struct cs_err *err)
{
  bool json = cs_cmd_given (OPTION_JSON);

  for (size_t i = 0; i < run->modules.nr; i++)
    {
      const struct cs_module *module = &run->modules.items[i];
      struct cs_binding_list list;
      int r = cs_bindings_read (&run->heap, module, &list,
                                code < 0 ? NULL : err);

      if (code == 0)
        code = r;
      if (json)
        put_bindings (run, module, &list);
      else
        print_bindings (run, module, &list);
      cs_bindings_fini (&list);
    }
  return code;
}

static int
show (struct run *run, struct cs_err *err)
{
  int code = cs_modules_read (&run->heap, &run->modules, err);

  print_ranges (run);
  print_named (run);
  return show_modules (run, code, err);
}

static void
put_header (struct run *run)
{
  struct cs_json *json = &run->json;

  cs_json_init (json, stdout);
  cs_json_object (json, NULL);
  cs_json_string (json, "command", command.name);
  cs_json_number (json, "schema", 1);
  cs_json_string (json, "store", run->path);
  cs_json_number (json, "generation",
                  cs_store_superblock (run->store)->generation);
}

static int
show_json (struct run *run, struct cs_err *err)
{
  struct cs_json *json = &run->json;
  int code = cs_modules_read (&run->heap, &run->modules, err);

  put_header (run);
  put_ranges (run);
  put_named (run);
  cs_json_array (json, "modules");
  code = show_modules (run, code, err);
  cs_json_end (json);
  cs_json_end (json);
  return code;
}

/* What options ask about all objects.  */

static int
answer (const struct cs_roots_query *query, struct cs_err *err)
{
  int code = 0;

  if (why)
    code = cs_roots_why (query, why, err);
  if (code == 0 && cs_cmd_given (OPTION_RETAINED))
    code = cs_roots_retained (query, err);
  if (code == 0 && cs_cmd_given (OPTION_UNREACHABLE))
    code = cs_roots_unreachable (query, err);
  return code;
}

/* The file of --to is complete or there is none.  */
static int
finish_dot (FILE *dot, int code, struct cs_err *err)
{
  bool written = dot && !ferror (dot);

  if (dot && fclose (dot) != 0)
    written = false;
  if (dot && (code < 0 || !written))
    unlink (to);
  return code == 0 && dot && !written
         ? cs_err_sys (err, errno, "cannot write '%.300s'", to) : code;
}

static int
ask (struct run *run, struct cs_err *err)
{
  struct cs_graph graph;
  struct cs_roots_query query = { .graph = &graph };
  int code = cs_graph_read (&run->heap, &graph, err), r;
  bool damaged = code == -CS_E_DAMAGED && graph.nr_levels > 0;
  struct cs_err own = CS_ERR_INIT;

  if (to && (code == 0 || damaged) && !(query.dot = fopen (to, "we")))
    code = cs_err_sys (err, errno, "cannot write '%.300s'", to);
  else if (code == 0 || damaged)
    {
      if (cs_cmd_given (OPTION_JSON))
        {
          put_header (run);
          query.json = &run->json;
        }
      r = answer (&query, damaged ? &own : err);
      code = damaged ? code : r;
      if (query.json)
        cs_json_end (query.json);
      code = finish_dot (query.dot, code, err);
    }
  cs_graph_fini (&graph);
  return code;
}

static bool
is_asked (void)
{
  bool given = why || cs_cmd_given (OPTION_RETAINED);

  if (to && !given)
    cs_cmd_misuse ("option '--to' needs '--why' or '--retained'");
  if (why && cs_cmd_given (OPTION_RETAINED) && to)
    cs_cmd_misuse ("option '--to' has room for one of '--why' and "
                   "'--retained'");
  return given || cs_cmd_given (OPTION_UNREACHABLE);
}

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  struct cs_err err = CS_ERR_INIT;
  static struct run run;        /* longer than a small stack */
  bool asked = is_asked ();
  int code;

  run.path = line->operands[0];
  code = open_store (&run, &err);

  if (code == 0 && asked)
    code = ask (&run, &err);
  else if (code == 0)
    code = cs_cmd_given (OPTION_JSON) ? show_json (&run, &err)
                                      : show (&run, &err);
  cs_modules_fini (&run.modules);
  cs_heap_fini (&run.heap);
  cs_store_close (run.store);
  if (code < 0)
    {
      /* What was sound has been printed.  */
      fflush (stdout);
      cs_cmd_fail (&err);
    }
  cs_cmd_exit (0);
}
