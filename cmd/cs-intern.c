/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-intern -- compile a policy against libraries.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "intern/compare.h"
#include "intern/intern.h"
#include "intern/needed.h"
#include "intern/policy.h"
#include "intern/table.h"
#include "json.h"
#include "workspace/interpose.h"

enum
{
  OPTION_CHECK = 256,
  OPTION_JSON,
  OPTION_LIST,
  OPTION_POLICY,
  OPTION_STORE
};

static struct
{
  char *policy;
  char *store;
  char *output;
} options;

static struct poptOption option_table[] = {
  { "check", 0, POPT_ARG_NONE, NULL, OPTION_CHECK,
    "Write nothing; with --store, report what its symbols would bind to",
    NULL },
  { "json", 0, POPT_ARG_NONE, NULL, OPTION_JSON,
    "Print the list or the report as JSON", NULL },
  { "list", 0, POPT_ARG_NONE, NULL, OPTION_LIST,
    "Print the symbols that the policy interns", NULL },
  { "output", 'o', POPT_ARG_STRING, &options.output, 'o',
    "Write the table to TABLE (default: the first library's soname + .cst)",
    "TABLE" },
  { "policy", 0, POPT_ARG_STRING, &options.policy, OPTION_POLICY,
    "Use the policy in FILE, not the built-in one", "FILE" },
  { "store", 0, POPT_ARG_STRING, &options.store, OPTION_STORE,
    "Add the symbols to STORE instead of writing a table", "STORE" },
  POPT_TABLEEND
};

static const int exclusive[][CS_CMD_EXCLUSIVE_MAX] = {
  { OPTION_STORE, 'o' },
  { OPTION_CHECK, 'o' },
  { 0 }
};

static const struct cs_cmd command = {
  .name = "cs-intern",
  .operands = "LIBRARY...",
  .summary = "Compile a policy against libraries into a trampoline table.",
  .options = option_table,
  .exclusive = exclusive,
  .min_operands = 1,
  .max_operands = -1
};

/* What one run works on.  */
struct run
{
  const char *const *paths;
  size_t nr_paths;
  struct cs_policy *policy;
  struct cs_elf_list libraries;
  struct cs_table_disk *compiled;
  struct cs_store *store;
  struct cs_table_disk *table;  /* the store's (lent); NULL without --store */
  const char *output;           /* where the table was written, or NULL */
};

static const struct cs_elf *const *
libraries (const struct run *run)
{
  return (const struct cs_elf *const *) run->libraries.items;
}

/* Reading what is given.  */

/* Every error of the policy is printed where it is found.  */
static void
load_policy (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  int r = cs_interpose_policy (options.policy, cs_cmd_diagnose, NULL,
                                 &run->policy, &err);

  if (r == -CS_E_MISUSE)
    cs_cmd_exit (cs_err_status (r));
  if (r < 0)
    cs_cmd_fail (&err);
}

static int
open_libraries (struct run *run, struct cs_err *err)
{
  size_t i;
  int r = cs_elf_list_open (run->policy, run->paths, run->nr_paths,
                            &run->libraries, err);

  for (i = run->nr_paths; r == 0 && i < run->libraries.nr; i++)
    cs_cmd_note ("also reading '%s', which the policy persists",
                 cs_elf_path (run->libraries.items[i]));
  return r;
}

static int
open_store (struct run *run, enum cs_store_mode mode, struct cs_err *err)
{
  const struct cs_arch *arch = cs_elf_arch (run->libraries.items[0]);
  int r = cs_store_open (options.store, mode, &run->store, err);

  if (r < 0)
    return r;
  r = cs_intern_open (run->store, &run->table, err);
  if (r == 0 && run->table->machine != arch->elf_machine)
    r = cs_err_set (err, CS_E_INCOMPATIBLE,
                    "'%.300s' is for %s, but '%.300s' is for %s",
                    options.store, cs_arch_find (run->table->machine)->name,
                    run->paths[0], arch->name);
  return r;
}

/* Compiling.  */

static void
warn_unused (void *closure, const char *text)
{
  (void) closure;
  cs_cmd_warn (text);
}

static int
compile (struct run *run, struct cs_err *err)
{
  int r = cs_table_compile (run->policy, libraries (run), run->libraries.nr,
                            &run->compiled, err);

  if (r < 0)
    return r;
  /* The built-in policy is for Guile; that other libraries do not use all of
     it is no news.  */
  if (options.policy)
    cs_policy_unused (run->policy, warn_unused, NULL);
  cs_cmd_note ("the policy interns %" PRIu32 " symbols of %zu libraries",
               run->compiled->count, run->libraries.nr);
  return 0;
}

/* The default name of the table; it is in the current directory even if the
   soname has folders in it.  */
static char *
default_output (const struct run *run)
{
  const char *soname = cs_elf_soname (run->libraries.items[0]);
  const char *slash = strrchr (soname, '/');
  char *name;

  return asprintf (&name, "%s.cst", slash ? slash + 1 : soname) < 0
    ? NULL : name;
}

static int
write_table (struct run *run, struct cs_err *err)
{
  char *name = options.output ? options.output : default_output (run);
  int r;

  if (!name)
    return cs_err_sys (err, ENOMEM, "cannot name the table");
  r = cs_table_write (run->compiled, name, err);
  if (r == 0)
    {
      run->output = name;
      cs_cmd_note ("wrote '%s'", name);
    }
  return r;
}

/* What a compiled entry is in a store: its slot points to its stub until the
   next start finds it by name, wherever the store loads its library.  */
static long
add_entry (struct run *run, uint32_t i)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (run->compiled, i);
  struct cs_table_entry_disk fields = *entry;

  fields.value = 0;
  fields.flags &= ~CS_TABLE_PERSISTENT;
  return cs_table_add (run->table,
                       cs_table_string (run->compiled, entry->library),
                       cs_table_string (run->compiled, entry->name),
                       cs_table_string (run->compiled, entry->symver),
                       &fields);
}

static int
add_to_store (struct run *run, struct cs_err *err)
{
  uint32_t i, before;
  int r = open_store (run, CS_STORE_WRITE, err);

  if (r < 0)
    return r;
  before = run->table->count;
  for (i = 0; i < run->compiled->count; i++)
    if (add_entry (run, i) < 0)
      return cs_err_set (err, CS_E_REFUSED,
                         "the intern table of '%.300s' is full: %" PRIu32
                         " of %" PRIu32 " new symbols did not fit",
                         options.store, run->compiled->count - i,
                         run->compiled->count);
  cs_cmd_note ("'%s': %" PRIu32 " symbols added, %" PRIu32 " in all",
               options.store, run->table->count - before, run->table->count);
  if (run->table->count == before)
    return 0;
  r = cs_store_commit (run->store, err);
  return r < 0 ? r : cs_store_settle (run->store, err);
}

/* Printing.  */

static const char *
kind_name (unsigned kind)
{
  return kind == CS_SYMBOL_FUNCTION ? "function"
    : kind == CS_SYMBOL_DATA ? "data" : "other";
}

static const char *
or_dash (const char *text)
{
  return *text ? text : "-";
}

/* An entry as it is printed.  */
struct row
{
  const char *name, *version, *library;
  const struct cs_table_entry_disk *entry;
  long index;                   /* in the table that is listed */
};

static struct row
get_row (const struct cs_table_disk *table, uint32_t i)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (table, i);

  return (struct row) { cs_table_string (table, entry->name),
                        cs_table_string (table, entry->symver),
                        cs_table_string (table, entry->library), entry, i };
}

/* A compiled entry, under its index in the store if there is one.  */
static struct row
get_listed (const struct run *run, uint32_t i)
{
  struct row row = get_row (run->compiled, i);

  if (run->table)
    row.index = cs_table_find (run->table, row.library, row.name);
  return row;
}

/* "NAME" or "NAME@VERSION" in a buffer of the caller's.  */
static const char *
full_name (const struct row *row, char *text, size_t len)
{
  if (!*row->version)
    return row->name;
  snprintf (text, len, "%s@%s", row->name, row->version);
  return text;
}

static void
print_first_columns (const struct row *row, const int widths[2])
{
  char name[512];

  printf ("%-*s  %-8s  %8" PRIu64 "  %-*s  ", widths[0],
          full_name (row, name, sizeof name), kind_name (row->entry->kind),
          row->entry->size, widths[1], or_dash (row->library));
}

static void
print_header (const int widths[2], const char *rest)
{
  printf ("%-*s  %-8s  %8s  %-*s  %s\n", widths[0], "SYMBOL", "KIND", "SIZE",
          widths[1], "LIBRARY", rest);
}

/* Widths of the columns for symbols and libraries.  */
static void
measure (const struct cs_table_disk *table, int widths[2])
{
  char name[512];
  uint32_t i;

  widths[0] = strlen ("SYMBOL");
  widths[1] = strlen ("LIBRARY");
  for (i = 0; i < table->count; i++)
    {
      struct row row = get_row (table, i);
      int len = strlen (full_name (&row, name, sizeof name));

      if (widths[0] < len)
        widths[0] = len;
      len = strlen (row.library);
      if (widths[1] < len)
        widths[1] = len;
    }
}

static void
print_list (const struct run *run)
{
  int widths[2];
  uint32_t i;

  measure (run->compiled, widths);
  print_header (widths, "RULE  TRAMPOLINE");
  for (i = 0; i < run->compiled->count; i++)
    {
      struct row row = get_listed (run, i);

      print_first_columns (&row, widths);
      printf ("%4" PRIu32 "  ", row.entry->line);
      if (run->table && row.index >= 0)
        printf ("0x%" PRIx64 "\n",
                cs_intern_trampoline (run->table, row.index));
      else
        printf ("%ld\n", row.index);
    }
}

static void
print_comparison (const struct row *row, struct cs_comparison comparison)
{
  fputs (cs_compare_name (comparison.status), stdout);
  switch (comparison.status)
    {
    case CS_COMPARE_KIND_CHANGED:
      printf ("  %s\n", kind_name (comparison.symbol->kind));
      break;
    case CS_COMPARE_SIZE_CHANGED:
      printf ("  %" PRIu64 "\n", comparison.symbol->size);
      break;
    case CS_COMPARE_MOVED:
      printf ("  0x%" PRIx64 " to 0x%" PRIx64 "\n", row->entry->offset,
              comparison.symbol->value);
      break;
    default:
      putchar ('\n');
    }
}

/* The members that every symbol has in JSON.  */
static void
put_symbol (struct cs_json *json, const struct row *row, uint64_t trampoline)
{
  cs_json_string (json, "symbol", row->name);
  cs_json_string (json, "version", *row->version ? row->version : NULL);
  cs_json_string (json, "library", *row->library ? row->library : NULL);
  cs_json_string (json, "kind", kind_name (row->entry->kind));
  cs_json_number (json, "size", row->entry->size);
  if (row->entry->line)
    cs_json_number (json, "rule", row->entry->line);
  else
    cs_json_null (json, "rule");
  cs_json_number (json, "index", row->index);
  if (trampoline)
    cs_json_address (json, "trampoline", trampoline);
  else
    cs_json_null (json, "trampoline");
}

static const char *
role_name (enum cs_policy_role role)
{
  return role == CS_POLICY_PERSIST ? "persist"
         : role == CS_POLICY_RESTART ? "restart" : "rebind";
}

static void
put_libraries (struct cs_json *json, const struct run *run)
{
  size_t i;

  cs_json_array (json, "libraries");
  for (i = 0; i < run->libraries.nr; i++)
    {
      const struct cs_elf *elf = run->libraries.items[i];
      const char *build_id = cs_elf_build_id (elf);

      cs_json_object (json, NULL);
      cs_json_string (json, "soname", cs_elf_soname (elf));
      cs_json_string (json, "path", cs_elf_path (elf));
      cs_json_string (json, "build_id", *build_id ? build_id : NULL);
      cs_json_string (json, "role",
                      role_name (cs_policy_role (run->policy,
                                                 cs_elf_soname (elf))));
      cs_json_end (json);
    }
  cs_json_end (json);
}

/* What list and report begin with.  */
static void
put_head (struct cs_json *json, const struct run *run)
{
  cs_json_init (json, stdout);
  cs_json_object (json, NULL);
  cs_json_string (json, "command", command.name);
  cs_json_number (json, "schema", 1);
  cs_json_string (json, "machine",
                  cs_elf_arch (run->libraries.items[0])->name);
  cs_json_string (json, "policy", options.policy);
  cs_json_string (json, "store", options.store);
  cs_json_string (json, "table", run->output);
  put_libraries (json, run);
}

static void
put_list (const struct run *run)
{
  struct cs_json json;
  uint32_t i;

  put_head (&json, run);
  cs_json_array (&json, "symbols");
  for (i = 0; i < run->compiled->count; i++)
    {
      struct row row = get_listed (run, i);
      uint64_t addr = run->table && row.index >= 0
        ? cs_intern_trampoline (run->table, row.index) : 0;

      cs_json_object (&json, NULL);
      put_symbol (&json, &row, addr);
      cs_json_end (&json);
    }
  cs_json_end (&json);
  cs_json_end (&json);
}

/* Checking a store.  */

static void
print_report (const struct run *run, const struct cs_comparison *comparisons)
{
  int widths[2];
  uint32_t i;

  measure (run->table, widths);
  print_header (widths, "STATUS");
  for (i = 0; i < run->table->count; i++)
    {
      struct row row = get_row (run->table, i);

      print_first_columns (&row, widths);
      print_comparison (&row, comparisons[i]);
    }
}

static void
put_report (const struct run *run, const struct cs_comparison *comparisons,
            const size_t counts[CS_COMPARE_STATUSES])
{
  struct cs_json json;
  uint32_t i;
  int k;

  put_head (&json, run);
  cs_json_object (&json, "summary");
  for (k = 0; k < CS_COMPARE_STATUSES; k++)
    cs_json_number (&json, cs_compare_name (k), counts[k]);
  cs_json_end (&json);
  cs_json_array (&json, "symbols");
  for (i = 0; i < run->table->count; i++)
    {
      struct row row = get_row (run->table, i);
      const struct cs_elf_symbol *now = comparisons[i].symbol;

      cs_json_object (&json, NULL);
      put_symbol (&json, &row, cs_intern_trampoline (run->table, i));
      cs_json_string (&json, "status",
                      cs_compare_name (comparisons[i].status));
      cs_json_string (&json, "new_kind", now ? kind_name (now->kind) : NULL);
      if (now)
        cs_json_number (&json, "new_size", now->size);
      else
        cs_json_null (&json, "new_size");
      cs_json_end (&json);
    }
  cs_json_end (&json);
  cs_json_end (&json);
}

/* Returns 0, or -CS_E_REFUSED if a symbol is missing.  */
static int
summarize (const struct run *run, const size_t counts[CS_COMPARE_STATUSES],
           struct cs_err *err)
{
  cs_cmd_note ("'%s': %zu same, %zu moved, %zu size changed, %zu kind "
               "changed, %zu missing, %zu of other libraries",
               options.store, counts[CS_COMPARE_SAME],
               counts[CS_COMPARE_MOVED], counts[CS_COMPARE_SIZE_CHANGED],
               counts[CS_COMPARE_KIND_CHANGED], counts[CS_COMPARE_MISSING],
               counts[CS_COMPARE_NOT_CHECKED]);
  if (run->table->count
      && counts[CS_COMPARE_NOT_CHECKED] == run->table->count)
    cs_cmd_warn ("none of the store's symbols is of these libraries");
  if (counts[CS_COMPARE_MISSING] == 0)
    return 0;
  return cs_err_set (err, CS_E_REFUSED,
                     "'%.300s': %zu of %" PRIu32 " interned symbols missing "
                     "from these libraries", options.store,
                     counts[CS_COMPARE_MISSING], run->table->count);
}

static int
check_store (struct run *run, struct cs_err *err)
{
  size_t counts[CS_COMPARE_STATUSES] = { 0 };
  struct cs_comparison *comparisons;
  uint32_t i;
  int r = open_store (run, CS_STORE_READ, err);

  if (r < 0)
    return r;
  comparisons = calloc (run->table->count + 1, sizeof *comparisons);
  if (!comparisons)
    return cs_err_sys (err, ENOMEM, "cannot check '%.300s'", options.store);
  for (i = 0; i < run->table->count; i++)
    {
      comparisons[i] = cs_compare_entry (run->table, i, libraries (run),
                                         run->libraries.nr);
      counts[comparisons[i].status]++;
    }
  if (cs_cmd_given (OPTION_JSON))
    put_report (run, comparisons, counts);
  else
    print_report (run, comparisons);
  free (comparisons);
  return summarize (run, counts, err);
}

/* Compile, write where that is wanted, list where that is wanted.  */
static int
compile_and_write (struct run *run, struct cs_err *err)
{
  int r = compile (run, err);

  if (r == 0 && !cs_cmd_given (OPTION_CHECK))
    r = options.store ? add_to_store (run, err) : write_table (run, err);
  if (r < 0)
    return r;
  if (cs_cmd_given (OPTION_JSON))
    put_list (run);
  else if (cs_cmd_given (OPTION_LIST))
    print_list (run);
  return 0;
}

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  struct run run = { .paths = line->operands, .nr_paths = line->nr_operands };
  struct cs_err err = CS_ERR_INIT;
  bool check_only = cs_cmd_given (OPTION_CHECK) && options.store;
  int r;

  if (check_only && cs_cmd_given (OPTION_LIST))
    cs_cmd_misuse ("with '--store', options '--check' and '--list' exclude "
                   "each other");
  load_policy (&run);
  r = open_libraries (&run, &err);
  if (r == 0)
    r = check_only ? check_store (&run, &err) : compile_and_write (&run, &err);
  free (run.compiled);
  cs_store_close (run.store);
  cs_elf_list_fini (&run.libraries);
  cs_policy_free (run.policy);
  if (r < 0)
    cs_cmd_fail (&err);
  cs_cmd_exit (0);
}
