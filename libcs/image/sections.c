/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sections.c -- looking at a store's records from outside.  */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/sections.h"

const struct cs_directory_disk *
cs_image_directory (const struct cs_store *store)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);

  return cs_store_view (store, sb->base + sb->directory,
                        sizeof (struct cs_directory_disk));
}

const struct cs_extent_disk *
cs_image_extents (const struct cs_store *store)
{
  const struct cs_directory_disk *d = cs_image_directory (store);

  return cs_store_view (store, cs_store_superblock (store)->base
                               + d->extents_off,
                        d->nr_extents * sizeof (struct cs_extent_disk));
}

static int
compare_totals (const void *a, const void *b)
{
  const struct cs_extent_total *m = a, *n = b;

  return m->kind != n->kind ? (m->kind > n->kind) - (m->kind < n->kind)
                            : (m->prot > n->prot) - (m->prot < n->prot);
}

size_t
cs_image_extent_totals (const struct cs_store *store,
                          struct cs_extent_total *totals)
{
  const struct cs_extent_disk *extents = cs_image_extents (store);
  uint32_t nr_extents = cs_image_directory (store)->nr_extents;
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
cs_image_extent_kind (uint32_t kind)
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
cs_image_protection (uint32_t prot)
{
  static const char names[8][4] = {
    "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"
  };

  return names[(prot & PROT_READ ? 1 : 0) | (prot & PROT_WRITE ? 2 : 0)
               | (prot & PROT_EXEC ? 4 : 0)];
}

struct cs_report_disk *
cs_image_report (const struct cs_store *store, struct cs_err *err)
{
  size_t len = 0;
  struct cs_report_disk *ring = cs_store_section (store, "report", &len);

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
cs_image_string (const struct cs_process_disk *process, uint32_t off)
{
  return string_at (process->strings, process->strings_len, off);
}

const char *
cs_image_path (const struct cs_process_disk *process, uint32_t off)
{
  return string_at (process->paths, process->paths_len, off);
}

uint64_t
cs_image_nr_threads (const struct cs_threads_disk *threads)
{
  uint64_t nr = 0;

  for (uint64_t i = 0; i < threads->count; i++)
    nr += threads->threads[i].value != 0;
  return nr;
}

struct cs_symbol_counts
cs_image_symbols (const struct cs_table_disk *table)
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
