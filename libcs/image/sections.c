/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sections.c -- looking at a store's records from outside.  */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/sections.h"

const struct cs_directory_disk *
cs_inspect_directory (const struct cs_store *store)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);

  return cs_store_view (store, sb->base + sb->directory,
                        sizeof (struct cs_directory_disk));
}

const struct cs_extent_disk *
cs_inspect_extents (const struct cs_store *store)
{
  const struct cs_directory_disk *directory = cs_inspect_directory (store);

  return cs_store_view (store, cs_store_superblock (store)->base
                               + directory->extents_off,
                        directory->nr_extents
                        * sizeof (struct cs_extent_disk));
}

static int
compare_totals (const void *a, const void *b)
{
  const struct cs_extent_total *m = a, *n = b;

  return m->kind != n->kind ? (m->kind > n->kind) - (m->kind < n->kind)
                            : (m->prot > n->prot) - (m->prot < n->prot);
}

size_t
cs_inspect_extent_totals (const struct cs_store *store,
                          struct cs_extent_total *totals)
{
  const struct cs_extent_disk *extents = cs_inspect_extents (store);
  uint32_t nr_extents = cs_inspect_directory (store)->nr_extents;
  size_t nr = 0, k;

  for (uint32_t i = 0; i < nr_extents; i++)
    {
      const struct cs_extent_disk *e = &extents[i];

      for (k = 0; k < nr; k++)
        if (totals[k].kind == e->kind && totals[k].prot == e->prot)
          break;
      if (k == CS_EXTENT_TOTALS_MAX)
        continue;
      if (k == nr)
        totals[nr++] = (struct cs_extent_total) { e->kind, e->prot, 0, 0 };
      totals[k].count++;
      totals[k].len += e->len;
    }
  qsort (totals, nr, sizeof *totals, compare_totals);
  return nr;
}

const char *
cs_inspect_extent_kind (uint32_t kind)
{
  switch (kind)
    {
    case CS_EXTENT_DIRECTORY: return "directory";
    case CS_EXTENT_HEAP: return "heap";
    case CS_EXTENT_LIBRARY_DATA: return "library-data";
    case CS_EXTENT_LIBRARY_TEXT: return "library-text";
    default: return "unknown";
    }
}

const char *
cs_inspect_protection (uint32_t prot)
{
  static const char names[8][4] = {
    "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"
  };

  return names[(prot & PROT_READ ? 1 : 0) | (prot & PROT_WRITE ? 2 : 0)
               | (prot & PROT_EXEC ? 4 : 0)];
}

/* Section NAME of at least LEN bytes that begins with MAGIC (if not
   NULL).  */
static const void *
find_section (const struct cs_store *store, const char *name, size_t len,
              const char *magic, struct cs_err *err)
{
  size_t found = 0;
  const void *section = cs_store_section (store, name, &found);

  if (!section)
    cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: it has no section "
                "'%s'", cs_store_path (store), name);
  else if (found < len)
    {
      cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: section '%s': "
                  "expected %zu bytes, found %zu", cs_store_path (store),
                  name, len, found);
      section = NULL;
    }
  else if (magic && memcmp (section, magic, 8) != 0)
    {
      cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: section '%s': "
                  "magic: expected '%s'", cs_store_path (store), name, magic);
      section = NULL;
    }
  return section;
}

/* A count that must not be above MAX.  */
static bool
count_fits (const struct cs_store *store, const char *what, uint64_t found,
            uint64_t max, struct cs_err *err)
{
  if (found <= max)
    return true;
  cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: number of %s: at most "
              "%llu expected, found %llu", cs_store_path (store), what,
              (unsigned long long) max, (unsigned long long) found);
  return false;
}

static bool
process_counts_fit (const struct cs_store *store,
                    const struct cs_process_disk *p, struct cs_err *err)
{
  return count_fits (store, "once-controls", p->nr_onces,
                     CS_PROCESS_ONCES_MAX, err)
         && count_fits (store, "fork handlers", p->nr_atforks,
                        CS_PROCESS_ATFORKS_MAX, err)
         && count_fits (store, "exit handlers", p->nr_atexits,
                        CS_PROCESS_ATEXITS_MAX, err)
         && count_fits (store, "code arenas", p->nr_arenas,
                        CS_PROCESS_ARENAS_MAX, err)
         && count_fits (store, "callback areas", p->nr_callbacks,
                        CS_PROCESS_CALLBACKS_MAX, err)
         && count_fits (store, "libraries opened at run time", p->nr_handles,
                        CS_PROCESS_HANDLES_MAX, err)
         && count_fits (store, "descriptors", p->nr_descriptors,
                        CS_PROCESS_DESCRIPTORS_MAX, err)
         && count_fits (store, "message domains", p->nr_domains,
                        CS_PROCESS_DOMAINS_MAX, err)
         && count_fits (store, "bytes of strings", p->strings_len,
                        CS_PROCESS_STRINGS_MAX, err)
         && count_fits (store, "bytes of paths", p->paths_len,
                        CS_PROCESS_STRINGS_MAX, err);
}

/* The version that it says is that of "threads" too, and decides how long they
   are.  */
static const struct cs_process_disk *
find_process (const struct cs_store *store, struct cs_err *err)
{
  const struct cs_process_disk *p
    = find_section (store, "process",
                    offsetof (struct cs_process_disk, strings_len),
                    CS_PROCESS_MAGIC, err);

  if (p && p->version != CS_PROCESS_VERSION)
    {
      cs_err_set (err, CS_E_INCOMPATIBLE, "'%.300s': section 'process' of "
                  "version %u, expected %d", cs_store_path (store),
                  p->version, CS_PROCESS_VERSION);
      return NULL;
    }
  return p ? find_section (store, "process", sizeof *p, NULL, err) : NULL;
}

const struct cs_process_disk *
cs_inspect_process (const struct cs_store *store, struct cs_err *err)
{
  const struct cs_process_disk *p = find_process (store, err);

  return p && process_counts_fit (store, p, err) ? p : NULL;
}

const struct cs_threads_disk *
cs_inspect_threads (const struct cs_store *store, struct cs_err *err)
{
  const struct cs_threads_disk *t
    = find_process (store, err)
      ? find_section (store, "threads", sizeof *t, NULL, err) : NULL;

  return t && count_fits (store, "threads", t->count, CS_PROCESS_THREADS_MAX,
                          err) ? t : NULL;
}

static bool
import_fits (const struct cs_store *store, const struct cs_imports_disk *all,
             const struct cs_import_record_disk *record, struct cs_err *err)
{
  if (memchr (record->soname, 0, sizeof record->soname)
      && record->build_id_len <= sizeof record->build_id
      && record->first_slot <= all->nr_slots
      && record->nr_slots <= all->nr_slots - record->first_slot)
    return true;
  cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: section 'imports': "
              "record %td leads out of it", cs_store_path (store),
              record - all->records);
  return false;
}

const struct cs_imports_disk *
cs_inspect_imports (const struct cs_store *store, struct cs_err *err)
{
  const struct cs_imports_disk *i
    = find_section (store, "imports", sizeof *i, CS_IMPORTS_MAGIC, err);

  if (!i || !count_fits (store, "import records", i->nr_records,
                         CS_IMPORTS_RECORDS_MAX, err)
      || !count_fits (store, "import slots", i->nr_slots,
                      CS_IMPORTS_SLOTS_MAX, err)
      || !count_fits (store, "import names", i->nr_names,
                      CS_LIBRARY_REPLACEMENTS_MAX, err))
    return NULL;
  for (uint32_t k = 0; k < i->nr_records; k++)
    if (!import_fits (store, i, &i->records[k], err))
      return NULL;
  return i;
}

const struct cs_report_disk *
cs_inspect_report (const struct cs_store *store, struct cs_err *err)
{
  size_t len = 0;
  const struct cs_report_disk *ring = cs_store_section (store, "report",
                                                        &len);

  return cs_report_check (ring, len, cs_store_path (store), err) == 0 ? ring
                                                                     : NULL;
}

static const char *
string_at (const char *strings, uint32_t len, uint32_t off)
{
  return off < len && memchr (strings + off, 0, len - off) ? strings + off
                                                            : "";
}

const char *
cs_inspect_string (const struct cs_process_disk *process, uint32_t off)
{
  return string_at (process->strings, process->strings_len, off);
}

const char *
cs_inspect_path (const struct cs_process_disk *process, uint32_t off)
{
  return string_at (process->paths, process->paths_len, off);
}

uint64_t
cs_inspect_nr_threads (const struct cs_threads_disk *threads)
{
  uint64_t nr = 0;

  for (uint64_t i = 0; i < threads->count; i++)
    nr += threads->threads[i].value != 0;
  return nr;
}

struct cs_symbol_counts
cs_inspect_symbols (const struct cs_table_disk *table)
{
  struct cs_symbol_counts counts = { .entries = table->count };

  for (uint32_t i = 0; i < table->count; i++)
    {
      const struct cs_table_entry_disk *entry = cs_table_entry (table, i);

      counts.functions += entry->kind == CS_SYMBOL_FUNCTION;
      counts.data += entry->kind == CS_SYMBOL_DATA;
      counts.persistent += (entry->flags & CS_TABLE_PERSISTENT) != 0;
      counts.used += (entry->flags & CS_TABLE_USED) != 0;
      counts.missing += (entry->flags & CS_TABLE_MISSING) != 0;
      counts.dynamic += (entry->flags & CS_TABLE_DYNAMIC) != 0;
    }
  return counts;
}
