/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-inspect -- what is in a store.

   Each part of the report is read in full before it is printed, so that a
   part that is damaged prints nothing but its message; the others follow.  */

#include <stdlib.h>
#include <string.h>

#include "image/modules.h"
#include "image/roots.h"
#include "image/sections.h"
#include "inspect.h"
#include "intern/intern.h"
#include "source.h"

enum
{
  OPTION_APPLY = 256,
  OPTION_CHECK,
  OPTION_DIFF,
  OPTION_FILES,
  OPTION_HEAP,
  OPTION_HISTORY,
  OPTION_JSON,
  OPTION_LIBRARIES,
  OPTION_MODULES,
  OPTION_REPAIR,
  OPTION_ROOTS,
  OPTION_SYMBOLS,
  OPTION_THREADS,
  OPTION_VERIFY_HEAP
};

static char *diff;

static struct poptOption option_table[] = {
  { "apply", 0, POPT_ARG_NONE, NULL, OPTION_APPLY,
    "Put the commits of the log into the image, and cut the log off", NULL },
  { "check", 0, POPT_ARG_NONE, NULL, OPTION_CHECK,
    "Check all that can be checked without the interpreter", NULL },
  { "diff", 0, POPT_ARG_STRING, &diff, OPTION_DIFF,
    "Print what has grown from generation A to B (default: the newest)",
    "A[..B]" },
  { "files", 0, POPT_ARG_NONE, NULL, OPTION_FILES,
    "Print the files and other descriptors that were open", NULL },
  { "heap", 0, POPT_ARG_NONE, NULL, OPTION_HEAP,
    "Print the ranges of memory that are in use", NULL },
  { "history", 0, POPT_ARG_NONE, NULL, OPTION_HISTORY,
    "Print the generations that are kept, and what was told at resumes",
    NULL },
  { "json", 0, POPT_ARG_NONE, NULL, OPTION_JSON, "Print as JSON", NULL },
  { "libraries", 0, POPT_ARG_NONE, NULL, OPTION_LIBRARIES,
    "Print the libraries: carried, opened at run time, needed", NULL },
  { "modules", 0, POPT_ARG_NONE, NULL, OPTION_MODULES,
    "Print the modules", NULL },
  { "repair", 0, POPT_ARG_NONE, NULL, OPTION_REPAIR,
    "Make a damaged store anew from its newest generation that is whole",
    NULL },
  { "roots", 0, POPT_ARG_NONE, NULL, OPTION_ROOTS,
    "Print where the garbage collector begins", NULL },
  { "symbols", 0, POPT_ARG_NONE, NULL, OPTION_SYMBOLS,
    "Print the interned symbols", NULL },
  { "threads", 0, POPT_ARG_NONE, NULL, OPTION_THREADS,
    "Print the threads of the last checkpoint, and where each was", NULL },
  { "verify-heap", 0, POPT_ARG_NONE, NULL, OPTION_VERIFY_HEAP,
    "Check that each pointer of each object leads to an object", NULL },
  POPT_TABLEEND
};

static const struct cs_cmd command = {
  .name = "cs-inspect",
  .operands = "STORE[@GENERATION]",
  .summary = "Print what is in a store, without running anything of it.",
  .options = option_table,
  .min_operands = 1,
  .max_operands = 1
};

static const struct cs_superblock_disk *
superblock (const struct run *run)
{
  return cs_store_superblock (run->store);
}

static const char *
machine_name (const struct run *run, char text[32])
{
  const struct cs_arch *arch = cs_arch_find (superblock (run)->machine);

  snprintf (text, 32, "ELF machine %u", superblock (run)->machine);
  return arch ? arch->name : text;
}

/* --roots */

static void
show_roots (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  static struct cs_root_range ranges[CS_ROOT_RANGES_MAX];
  char addr[ADDR_LEN], name[512];
  size_t nr;

  if (cs_root_ranges (run->store, ranges, &nr, &err) < 0)
    return failed (run, "roots", &err);
  if (run->json)
    cs_json_array (run->json, "roots");
  else
    {
      begin_table (run);
      printf ("%-18s  %12s  %10s  %s\n", "ROOT RANGE", "BYTES", "POINTERS",
              "NAME");
    }
  for (size_t i = 0; i < nr; i++)
    if (run->json)
      {
        cs_json_object (run->json, NULL);
        cs_json_string (run->json, "kind",
                        ranges[i].kind == CS_ROOT_LIBRARY ? "library"
                                                          : "section");
        cs_json_string (run->json, "name", ranges[i].name);
        cs_json_address (run->json, "address", ranges[i].addr);
        cs_json_number (run->json, "bytes", ranges[i].len);
        cs_json_number (run->json, "pointers", ranges[i].nr_pointers);
        cs_json_end (run->json);
      }
    else
      printf ("%-18s  %12" PRIu64 "  %10" PRIu64 "  %s\n",
              addr_text (addr, ranges[i].addr), ranges[i].len,
              ranges[i].nr_pointers, visible (name, ranges[i].name));
  if (run->json)
    cs_json_end (run->json);
}

/* --symbols */

static const char *
symbol_kind (unsigned kind)
{
  return kind == CS_SYMBOL_FUNCTION ? "function"
         : kind == CS_SYMBOL_DATA ? "data" : "other";
}

/* One letter a flag, in the order of their bits.  */
static const char *
symbol_flags (unsigned flags, char text[8])
{
  snprintf (text, 8, "%c%c%c%c", flags & CS_TABLE_PERSISTENT ? 'p' : '-',
            flags & CS_TABLE_USED ? 'u' : '-',
            flags & CS_TABLE_MISSING ? 'm' : '-',
            flags & CS_TABLE_DYNAMIC ? 'd' : '-');
  return text;
}

static void
print_symbol (const struct cs_table_disk *table, uint32_t i, int width)
{
  const struct cs_table_entry_disk *e = cs_table_entry (table, i);
  const char *version = cs_table_string (table, e->symver);
  char trampoline[ADDR_LEN], value[ADDR_LEN], flags[8];
  char name[512], library[512], full[1100];

  snprintf (full, sizeof full, "%s%s%s",
            visible (name, cs_table_string (table, e->name)),
            *version ? "@" : "", version);
  printf ("%-*s  %-8s  %-20s  %-5s  %-14s  %s\n", width, full,
          symbol_kind (e->kind),
          visible (library, cs_table_string (table, e->library)),
          symbol_flags (e->flags, flags),
          addr_text (trampoline, cs_intern_trampoline (table, i)),
          e->value ? addr_text (value, e->value) : "-");
}

static void
put_symbol (struct cs_json *json, const struct cs_table_disk *table,
            uint32_t i)
{
  const struct cs_table_entry_disk *e = cs_table_entry (table, i);
  const char *version = cs_table_string (table, e->symver);
  const char *library = cs_table_string (table, e->library);

  cs_json_object (json, NULL);
  cs_json_string (json, "symbol", cs_table_string (table, e->name));
  cs_json_string (json, "version", *version ? version : NULL);
  cs_json_string (json, "library", *library ? library : NULL);
  cs_json_string (json, "kind", symbol_kind (e->kind));
  cs_json_number (json, "size", e->size);
  cs_json_bool (json, "persistent", e->flags & CS_TABLE_PERSISTENT);
  cs_json_bool (json, "used", e->flags & CS_TABLE_USED);
  cs_json_bool (json, "missing", e->flags & CS_TABLE_MISSING);
  cs_json_bool (json, "dynamic", e->flags & CS_TABLE_DYNAMIC);
  cs_json_address (json, "trampoline", cs_intern_trampoline (table, i));
  if (e->value)
    cs_json_address (json, "address", e->value);
  else
    cs_json_null (json, "address");
  cs_json_end (json);
}

static void
show_symbols (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;
  int width = 6;

  if (cs_intern_open (run->store, &table, &err) < 0)
    return failed (run, "symbols", &err);
  for (uint32_t i = 0; i < table->count; i++)
    {
      const struct cs_table_entry_disk *e = cs_table_entry (table, i);
      size_t len = strlen (cs_table_string (table, e->name));

      width = len > (size_t) width && len <= 48 ? (int) len : width;
    }
  if (run->json)
    cs_json_array (run->json, "symbols");
  else
    {
      begin_table (run);
      printf ("%-*s  %-8s  %-20s  %-5s  %-14s  %s\n", width, "SYMBOL", "KIND",
              "LIBRARY", "FLAGS", "TRAMPOLINE", "ADDRESS");
    }
  for (uint32_t i = 0; i < table->count; i++)
    if (run->json)
      put_symbol (run->json, table, i);
    else
      print_symbol (table, i, width);
  if (run->json)
    cs_json_end (run->json);
}

/* --modules */

static void
show_module (struct run *run, const struct cs_module *m, int width)
{
  char kind[512], file[512];

  if (!run->json)
    {
      printf ("%-*s  %-10s  %8" PRIu64 "  %7" PRIu64 "  %4" PRIu64
              "  %-14s  %s\n", width, m->name, visible (kind, m->kind),
              m->nr_bindings, m->nr_exports, m->nr_uses,
              addr_text ((char[ADDR_LEN]) { "" }, m->addr),
              m->file ? visible (file, m->file) : "-");
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_string (run->json, "name", m->name);
  cs_json_string (run->json, "kind", m->kind);
  cs_json_number (run->json, "bindings", m->nr_bindings);
  cs_json_number (run->json, "exports", m->nr_exports);
  cs_json_number (run->json, "uses", m->nr_uses);
  cs_json_number (run->json, "submodules", m->nr_submodules);
  cs_json_address (run->json, "address", m->addr);
  if (m->interface)
    cs_json_address (run->json, "interface", m->interface);
  else
    cs_json_null (run->json, "interface");
  cs_json_string (run->json, "file", m->file);
  cs_json_end (run->json);
}

static void
list_modules (struct run *run, const struct cs_module_list *list)
{
  int width = 6;

  for (size_t i = 0; i < list->nr; i++)
    {
      size_t len = strlen (list->items[i].name);

      width = len > (size_t) width && len <= 48 ? (int) len : width;
    }
  if (run->json)
    cs_json_array (run->json, "modules");
  else
    {
      begin_table (run);
      printf ("%-*s  %-10s  %8s  %7s  %4s  %-14s  %s\n", width, "MODULE",
              "KIND", "BINDINGS", "EXPORTS", "USES", "ADDRESS", "FILE");
    }
  for (size_t i = 0; i < list->nr; i++)
    show_module (run, &list->items[i], width);
  if (run->json)
    cs_json_end (run->json);
}

/* What is sound of a damaged tree is printed too.  */
static void
show_modules (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_module_list list = { NULL, 0, 0 };
  struct cs_heap heap;
  int code = cs_heap_open (run->store, &heap, &err);

  if (code == 0)
    code = cs_modules_read (&heap, &list, &err);
  if (code == 0 || list.nr > 0)
    list_modules (run, &list);
  if (code < 0)
    failed (run, list.nr > 0 ? NULL : "modules", &err);
  cs_modules_fini (&list);
  cs_heap_fini (&heap);
}

/* --heap */

static void
show_totals (struct run *run)
{
  struct cs_extent_total totals[CS_EXTENT_TOTALS_MAX];
  size_t nr = cs_image_extent_totals (run->store, totals);
  char size[32];

  if (run->json)
    cs_json_array (run->json, "extent_totals");
  else
    {
      begin_table (run);
      printf ("%-14s  %-10s  %7s  %14s  %s\n", "MEMORY", "PROTECTION",
              "EXTENTS", "BYTES", "SIZE");
    }
  for (size_t i = 0; i < nr; i++)
    if (!run->json)
      printf ("%-14s  %-10s  %7" PRIu64 "  %14" PRIu64 "  %s\n",
              cs_image_extent_kind (totals[i].kind),
              cs_image_protection (totals[i].prot), totals[i].count,
              totals[i].len, size_text (size, totals[i].len));
    else
      {
        cs_json_object (run->json, NULL);
        cs_json_string (run->json, "kind",
                        cs_image_extent_kind (totals[i].kind));
        cs_json_string (run->json, "protection",
                        cs_image_protection (totals[i].prot));
        cs_json_number (run->json, "extents", totals[i].count);
        cs_json_number (run->json, "bytes", totals[i].len);
        cs_json_end (run->json);
      }
  if (run->json)
    cs_json_end (run->json);
}

static void
show_heap (struct run *run)
{
  const struct cs_extent_disk *extents = cs_image_extents (run->store);
  uint32_t nr = cs_image_directory (run->store)->nr_extents;
  char addr[ADDR_LEN];

  show_totals (run);
  if (run->json)
    cs_json_array (run->json, "extents");
  else
    {
      begin_table (run);
      printf ("%-18s  %14s  %-10s  %s\n", "EXTENT", "BYTES", "PROTECTION",
              "KIND");
    }
  for (uint32_t i = 0; i < nr; i++)
    {
      const struct cs_extent_disk *e = &extents[i];
      const char *kind = cs_image_extent_kind (e->kind);
      const char *prot = cs_image_protection (e->prot);

      if (!run->json)
        printf ("%-18s  %14" PRIu64 "  %-10s  %s\n",
                addr_text (addr, superblock (run)->base + e->off), e->len,
                prot, kind);
      else
        {
          cs_json_object (run->json, NULL);
          cs_json_address (run->json, "address",
                           superblock (run)->base + e->off);
          cs_json_number (run->json, "bytes", e->len);
          cs_json_string (run->json, "protection", prot);
          cs_json_string (run->json, "kind", kind);
          cs_json_end (run->json);
        }
    }
  if (run->json)
    cs_json_end (run->json);
}

/* --check */

static void
report_check (void *closure, const char *name, const struct cs_err *err)
{
  struct run *run = closure;
  int status = err ? cs_err_status (err->code) : 0;

  /* Damage says more than anything else that was found.  */
  if (status && run->status != 4)
    run->status = status == 4 ? 4 : 1;
  if (!run->json)
    {
      printf ("%-10s  %s\n", name, err ? err->text : "ok");
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_string (run->json, "subject", name);
  cs_json_bool (run->json, "ok", !err);
  cs_json_string (run->json, "found", err ? err->text : NULL);
  cs_json_end (run->json);
}

static void
show_check (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  size_t wrong;

  if (run->json)
    cs_json_array (run->json, "check");
  else
    {
      begin_table (run);
      printf ("%-10s  %s\n", "CHECKED", "FOUND");
    }
  wrong = cs_image_check (run->store, report_check, run);
  if (run->json)
    cs_json_end (run->json);
  if (wrong == 0)
    return;
  fflush (stdout);
  cs_err_set (&err, CS_E_DAMAGED, "'%.300s': %zu of the checks failed",
              run->path, wrong);
  cs_cmd_report (&err);
}

/* The summary.  */

static void
put_header (struct run *run)
{
  const struct cs_superblock_disk *sb = superblock (run);
  struct cs_json *json = run->json;
  char machine[32], uuid[CS_UUID_TEXT_LEN];

  cs_json_string (json, "command", command.name);
  cs_json_number (json, "schema", 1);
  cs_json_string (json, "store", run->path);
  cs_json_string (json, "machine", machine_name (run, machine));
  cs_json_number (json, "word_bytes", sb->word_len);
  cs_json_number (json, "format", sb->version);
  cs_json_string (json, "uuid", cs_store_uuid_text (sb, uuid));
  cs_json_signed (json, "created", sb->created);
  cs_json_signed (json, "committed", sb->committed_at);
  cs_json_number (json, "generation", sb->generation);
  cs_json_address (json, "base", sb->base);
  cs_json_number (json, "reserved_bytes", sb->reserved);
  cs_json_number (json, "image_bytes", sb->committed);
  cs_json_number (json, "disk_bytes", cs_store_disk_usage (run->store));
}

static void
print_header (struct run *run)
{
  const struct cs_superblock_disk *sb = superblock (run);
  char text[64], size[32], name[512];

  run->begun = true;
  printf ("store       %s\n", visible (name, run->path));
  printf ("machine     %s, %u-bit\n", machine_name (run, size),
          8 * sb->word_len);
  printf ("format      %" PRIu32 "\n", sb->version);
  printf ("uuid        %s\n", cs_store_uuid_text (sb, text));
  printf ("created     %s\n", time_text (text, sb->created));
  printf ("committed   %s\n", time_text (text, sb->committed_at));
  printf ("generation  %" PRIu64 "\n", sb->generation);
  printf ("base        %s\n", addr_text (text, sb->base));
  printf ("reserved    %s\n", size_text (size, sb->reserved));
  printf ("image       %s\n", size_text (size, sb->committed));
  printf ("on disk     %s\n",
          size_text (size, cs_store_disk_usage (run->store)));
}

static void
show_symbol_counts (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_symbol_counts c;
  struct cs_table_disk *table;

  if (cs_intern_open (run->store, &table, &err) < 0)
    return failed (run, "symbol_counts", &err);
  c = cs_image_symbols (table);
  if (!run->json)
    {
      printf ("symbols     %" PRIu32 ": %" PRIu32 " functions, %" PRIu32
              " data; %" PRIu32 " persistent, %" PRIu32 " used, %" PRIu32
              " missing, %" PRIu32 " of run time\n", c.entries, c.functions,
              c.data, c.persistent, c.used, c.missing, c.dynamic);
      return;
    }
  cs_json_object (run->json, "symbol_counts");
  cs_json_number (run->json, "entries", c.entries);
  cs_json_number (run->json, "functions", c.functions);
  cs_json_number (run->json, "data", c.data);
  cs_json_number (run->json, "persistent", c.persistent);
  cs_json_number (run->json, "used", c.used);
  cs_json_number (run->json, "missing", c.missing);
  cs_json_number (run->json, "dynamic", c.dynamic);
  cs_json_end (run->json);
}

static void
show_count (struct run *run, const char *member, const char *label,
            uint64_t nr)
{
  if (run->json)
    cs_json_number (run->json, member, nr);
  else
    printf ("%-10s  %" PRIu64 "\n", label, nr);
}

static void
show_counts (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_threads_disk *threads
    = cs_image_threads (run->store, &err);
  const struct cs_process_disk *process;

  if (threads)
    show_count (run, "thread_count", "threads",
                cs_image_nr_threads (threads));
  else
    failed (run, "thread_count", &err);
  process = cs_image_process (run->store, &err);
  if (process)
    show_count (run, "file_count", "files", process->nr_descriptors);
  else
    failed (run, "file_count", &err);
}

static void
show_sections (struct run *run)
{
  const struct cs_directory_disk *directory
    = cs_image_directory (run->store);
  char name[512], addr[ADDR_LEN];

  if (run->json)
    cs_json_array (run->json, "sections");
  else
    {
      begin_table (run);
      printf ("%-8s  %-18s  %14s\n", "SECTION", "ADDRESS", "BYTES");
    }
  for (uint32_t i = 0; i < directory->nr_sections; i++)
    {
      const struct cs_section_disk *s = &directory->sections[i];
      char own[sizeof s->name + 1] = "";

      memcpy (own, s->name, sizeof s->name);
      if (!run->json)
        printf ("%-8s  %-18s  %14" PRIu64 "\n", visible (name, own),
                addr_text (addr, superblock (run)->base + s->off), s->len);
      else
        {
          cs_json_object (run->json, NULL);
          cs_json_string (run->json, "name", own);
          cs_json_address (run->json, "address",
                           superblock (run)->base + s->off);
          cs_json_number (run->json, "bytes", s->len);
          cs_json_end (run->json);
        }
    }
  if (run->json)
    cs_json_end (run->json);
}

static void
show_summary (struct run *run)
{
  if (!run->json)
    print_header (run);
  show_symbol_counts (run);
  show_counts (run);
  cs_inspect_show_carried (run);
  show_sections (run);
  show_totals (run);
}

/* The parts in the order in which they are printed.  */
static const struct
{
  int option;
  void (*show) (struct run *run);
} parts[] = {
  { OPTION_ROOTS, show_roots },
  { OPTION_THREADS, cs_inspect_show_threads },
  { OPTION_FILES, cs_inspect_show_files },
  { OPTION_LIBRARIES, cs_inspect_show_libraries },
  { OPTION_SYMBOLS, show_symbols },
  { OPTION_MODULES, show_modules },
  { OPTION_HEAP, show_heap },
  { OPTION_HISTORY, cs_inspect_show_history },
  { OPTION_DIFF, cs_inspect_show_diff },
  { OPTION_CHECK, show_check },
  { OPTION_VERIFY_HEAP, cs_inspect_show_verify }
};

static void
show_parts (struct run *run)
{
  bool any = false;

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (cs_cmd_given (parts[i].option))
      {
        any = true;
        parts[i].show (run);
      }
  if (!any)
    show_summary (run);
}

/* The options that write.  */
static void
write_to_store (const char *path)
{
  const char *name = cs_cmd_given (OPTION_REPAIR) ? "--repair" : "--apply";
  bool both = cs_cmd_given (OPTION_REPAIR) && cs_cmd_given (OPTION_APPLY);

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (cs_cmd_given (parts[i].option) || cs_cmd_given (OPTION_JSON) || both)
      cs_cmd_misuse ("option '%s' excludes all others", name);
  if (cs_cmd_given (OPTION_REPAIR))
    cs_inspect_repair (path);
  cs_inspect_apply (path);
}

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  struct run run = { 0 };
  struct cs_err err = CS_ERR_INIT;
  struct cs_json json;

  if (cs_cmd_given (OPTION_REPAIR) || cs_cmd_given (OPTION_APPLY))
    write_to_store (line->operands[0]);
  if (diff)
    cs_inspect_parse_diff (&run, diff);
  if (cs_source_open (line->operands[0], &run.store, &err) < 0)
    cs_cmd_fail (&err);
  run.path = cs_store_path (run.store);
  if (cs_cmd_given (OPTION_JSON))
    {
      run.json = &json;
      cs_json_init (&json, stdout);
      cs_json_object (&json, NULL);
      put_header (&run);
    }
  show_parts (&run);
  if (run.json)
    cs_json_end (&json);
  cs_store_close (run.store);
  cs_cmd_exit (run.status);
}
