/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-format.c -- does coldstore-store(5) say where things lie?

   In the page a comment before a table names what it describes:

     .\" struct cs_extent_disk

   Its rows must be the members below, in order, and those must fill the
   struct: a member that is added has to be described.  Members that are
   reserved are not in the page.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "intern/interpose.h"
#include "process/archive.h"
#include "process/process.h"
#include "report.h"
#include "store/backup.h"
#include "store/record.h"
#include "image/guile.h"

struct row
{
  size_t off, len;
  bool reserved;
};

/* Members from FIRST to LAST of T, which is defined before each list.  */
#define END(last) (offsetof (T, last) + sizeof ((T *) NULL)->last)
#define TO(first, last) \
  { offsetof (T, first), END (last) - offsetof (T, first), false }
#define IS(member) TO (member, member)
#define RESERVED(member) \
  { offsetof (T, member), sizeof ((T *) NULL)->member, true }

static const struct row file[] = {
  { 0, CS_STORE_SLOT_LEN, false },
  { CS_STORE_SLOT_LEN, CS_STORE_SLOT_LEN, false },
  { CS_STORE_LOCK_OFF, sizeof (struct cs_lock_disk), false },
  { CS_STORE_MARK_OFF, sizeof (struct cs_mark_disk), false },
  { CS_STORE_SETTLED_OFF, sizeof (struct cs_settled_disk), false },
};

#define T struct cs_superblock_disk
static const struct row superblock[] = {
  IS (magic), IS (version), IS (machine), IS (word_len), RESERVED (reserved0),
  IS (page_len), IS (history_wanted), IS (base), IS (reserved),
  IS (generation), IS (committed), IS (directory), IS (created),
  IS (committed_at), IS (uuid), IS (history), IS (log_start),
  IS (former_uuid), IS (crc), RESERVED (reserved3),
};
#undef T

#define T struct cs_lock_disk
static const struct row lock[] = {
  IS (magic), IS (pid), IS (since), IS (host), IS (crc), RESERVED (reserved),
};
#undef T

#define T struct cs_mark_disk
static const struct row mark[] = {
  IS (generation), IS (applying), IS (crc), RESERVED (reserved),
};
#undef T

#define T struct cs_settled_disk
static const struct row settled[] = {
  IS (generation), IS (end), IS (dev), IS (ino), IS (directory),
  IS (name_crc), IS (crc),
};
#undef T

#define T struct cs_record_disk
static const struct row record[] = {
  IS (magic), IS (from), IS (nr), IS (nr_data), IS (superblock),
  IS (index_crc), IS (crc), IS (nr_in_place), IS (in_place_crc),
  RESERVED (reserved),
};
#undef T

#define T struct cs_entry_disk
static const struct row entry[] = { IS (page), IS (sum) };
#undef T

#define T struct cs_directory_disk
static const struct row directory[] = {
  IS (magic), IS (nr_sections), IS (nr_extents), IS (extents_off),
  IS (extents_max), IS (sections),
};
#undef T

#define T struct cs_extent_disk
static const struct row extent[] = {
  IS (off), IS (len), IS (prot), IS (kind),
};
#undef T

#define T struct cs_table_disk
static const struct row table[] = {
  IS (magic), IS (version), IS (machine), RESERVED (reserved0), IS (len),
  IS (count), IS (capacity), IS (strings_len), IS (strings_max),
  IS (code_addr), IS (slots_addr), IS (crc), RESERVED (reserved1),
};
#undef T

#define T struct cs_table_entry_disk
static const struct row table_entry[] = {
  IS (name), IS (library), IS (symver), IS (kind), IS (flags), IS (size),
  IS (value), IS (offset), IS (line), IS (hash),
};
#undef T

#define T struct cs_libraries_disk
static const struct row libraries[] = {
  IS (magic), IS (version), IS (count), IS (len), IS (slots), IS (imports),
  IS (names), IS (names_len), IS (nr_slots), IS (nr_imports),
  IS (nr_replacements), RESERVED (reserved), IS (replacements),
};
#undef T

#define T struct cs_library_disk
static const struct row library[] = {
  IS (soname), IS (build_id), IS (path), IS (first_slot), IS (nr_slots),
  IS (nr_segments), IS (flags), IS (mode), IS (addr), IS (len),
  IS (data_addr), IS (data_len), IS (copy), IS (copy_len), IS (init),
  IS (init_array), IS (init_array_len), IS (segments),
};
#undef T

#define T struct cs_library_segment_disk
static const struct row segment[] = {
  IS (addr), IS (len), IS (copy), IS (prot), IS (late),
};
#undef T

#define T struct cs_library_slot_disk
static const struct row slot[] = { IS (addr), IS (kind), IS (replacement) };
#undef T

#define T struct cs_library_import_disk
static const struct row trampoline[] = {
  IS (entry), IS (replacement), IS (name), IS (symver),
};
#undef T

#define T struct cs_extensions_disk
static const struct row extensions[] = {
  IS (magic), IS (version), IS (count), IS (items),
};
#undef T

#define T struct cs_extension_disk
static const struct row extension[] = {
  IS (block), IS (len), IS (dev), IS (ino), IS (file_len), IS (mtime),
};
#undef T

#define T struct cs_archive_disk
static const struct row archive[] = {
  IS (magic), IS (version), IS (count), IS (bytecode), IS (nr_roots),
  IS (len), IS (names), IS (names_len), IS (unpacked_len), IS (roots),
};
#undef T

#define T struct cs_archive_file_disk
static const struct row archive_file[] = {
  IS (data), IS (packed_len), IS (len), IS (mtime), IS (name),
  RESERVED (reserved),
};
#undef T

#define T struct cs_interpose_disk
static const struct row imports[] = {
  IS (magic), IS (nr_records), IS (nr_slots), IS (nr_names),
  RESERVED (reserved), IS (names), IS (records), IS (slots),
};
#undef T

#define T struct cs_interpose_record_disk
static const struct row import_record[] = {
  IS (soname), IS (build_id), IS (build_id_len), IS (first_slot),
  IS (nr_slots), IS (in_use),
};
#undef T

#define T struct cs_interpose_slot_disk
static const struct row import_slot[] = {
  IS (off), IS (replacement), IS (relro), IS (variable),
};
#undef T

#define T struct cs_process_disk
static const struct row process[] = {
  IS (magic), IS (version), RESERVED (reserved), IS (strings_len),
  IS (paths_len), IS (epoch), TO (nr_onces, nr_descriptors),
  IS (nr_unrecorded), IS (files_rule), TO (zone_addr, zone_len), IS (keys),
  IS (onces), IS (atforks), IS (atexits), IS (signals), IS (nr_callbacks),
  IS (free_callback), IS (callbacks), IS (nr_locks), RESERVED (reserved_2),
  IS (locks), IS (domain), IS (nr_domains), IS (domains), IS (timers),
  IS (strings), IS (arenas), IS (handles), IS (descriptors), IS (paths),
};
#undef T

#define T struct cs_descriptor_disk
static const struct row descriptor[] = {
  IS (fd), IS (kind), IS (holder), IS (name), IS (flags), IS (rule),
  IS (shares), IS (born_nsec), IS (born), TO (device, inode), IS (size),
  IS (offset), IS (position),
};
#undef T

#define T struct cs_threads_disk
static const struct row threads[] = {
  IS (count), IS (nr_weeded), IS (weeded), IS (threads),
};
#undef T

#define T struct cs_weeded_disk
static const struct row weeded[] = {
  IS (generation), IS (when), IS (since), IS (tid), IS (nr_code), IS (code),
  IS (value), IS (pthread), IS (name),
};
#undef T

#define T struct cs_thread_disk
static const struct row thread[] = {
  IS (value), IS (pthread), IS (key), IS (tid), IS (since), IS (kind),
  RESERVED (reserved),
};
#undef T

#define T struct cs_statics_disk
static const struct row statics[] = { IS (count), IS (items) };
#undef T

#define T struct cs_static_disk
static const struct row static_word[] = {
  IS (addr), IS (value), IS (leads), IS (owner),
};
#undef T

#define T struct cs_report_disk
static const struct row report[] = {
  IS (magic), IS (version), RESERVED (reserved), IS (count), IS (entries),
};
#undef T

#define T struct cs_report_entry_disk
static const struct row report_entry[] = {
  IS (generation), IS (when), IS (kind), RESERVED (reserved), IS (text),
};
#undef T

#define T struct cs_guile_disk
static const struct row guile[] = {
  IS (magic), IS (version), IS (save_policy), IS (dynamic_state),
  IS (ports.standard), IS (ports.unsettled),
  TO (ports.rules, ports.default_rule),
  IS (ports.held), IS (ports.lost), IS (ports.lost_name), IS (modules),
  IS (module.entries), TO (module.park, module.answer_signals),
  TO (module.before_checkpoint, module.after_resume), IS (module.resumed),
  TO (module.srfi_modules, module.workers), IS (module.follow),
  TO (module.keep_readline, module.restart_readline), IS (environment),
  IS (threads), IS (pointers.table), IS (pointers.tag), IS (pointers.name),
  IS (pointers.finalize), IS (pointers.any_ended), IS (pointers.borrowed),
  IS (api.names_sum), IS (api.nr), IS (api.addrs),
  TO (loading.in_progress, loading.excursion), IS (loading.abandon),
  IS (main_thread),
};
#undef T

#define T struct cs_backup_disk
static const struct row backup[] = {
  IS (magic), IS (version), IS (index_crc), IS (from), IS (from_at), IS (nr),
  IS (nr_data), IS (from_crc), RESERVED (reserved), IS (superblock),
  RESERVED (reserved2), IS (crc),
};
#undef T

static const struct described
{
  const char *name;             /* as in the page */
  const struct row *rows;
  size_t nr, len;
  unsigned version;             /* 0: it has none */
} described[] = {
#define LIST(rows, type, version) \
  { "struct " #type, rows, sizeof rows / sizeof *rows, \
    sizeof (struct type), version }
  { "file", file, sizeof file / sizeof *file,
    CS_STORE_SETTLED_OFF + sizeof (struct cs_settled_disk), 0 },
  LIST (superblock, cs_superblock_disk, CS_STORE_VERSION),
  LIST (lock, cs_lock_disk, 0),
  LIST (mark, cs_mark_disk, 0),
  LIST (settled, cs_settled_disk, 0),
  LIST (record, cs_record_disk, 0),
  LIST (entry, cs_entry_disk, 0),
  LIST (directory, cs_directory_disk, 0),
  LIST (extent, cs_extent_disk, 0),
  LIST (table, cs_table_disk, CS_TABLE_VERSION),
  LIST (table_entry, cs_table_entry_disk, 0),
  LIST (libraries, cs_libraries_disk, CS_LIBRARIES_VERSION),
  LIST (library, cs_library_disk, 0),
  LIST (segment, cs_library_segment_disk, 0),
  LIST (slot, cs_library_slot_disk, 0),
  LIST (trampoline, cs_library_import_disk, 0),
  LIST (extensions, cs_extensions_disk, CS_EXTENSIONS_VERSION),
  LIST (extension, cs_extension_disk, 0),
  LIST (archive, cs_archive_disk, CS_ARCHIVE_VERSION),
  LIST (archive_file, cs_archive_file_disk, 0),
  LIST (imports, cs_interpose_disk, 0),
  LIST (import_record, cs_interpose_record_disk, 0),
  LIST (import_slot, cs_interpose_slot_disk, 0),
  LIST (process, cs_process_disk, CS_PROCESS_VERSION),
  LIST (descriptor, cs_descriptor_disk, 0),
  LIST (threads, cs_threads_disk, 0),
  LIST (weeded, cs_weeded_disk, 0),
  LIST (thread, cs_thread_disk, 0),
  LIST (statics, cs_statics_disk, 0),
  LIST (static_word, cs_static_disk, 0),
  LIST (report, cs_report_disk, CS_REPORT_VERSION),
  LIST (report_entry, cs_report_entry_disk, 0),
  LIST (guile, cs_guile_disk, CS_GUILE_VERSION),
  LIST (backup, cs_backup_disk, CS_BACKUP_VERSION),
#undef LIST
};

#define NR_DESCRIBED (sizeof described / sizeof *described)

static FILE *
open_page (void)
{
  const char *dir = getenv ("CS_SOURCE_DIR");
  char name[4096];
  FILE *page;

  snprintf (name, sizeof name, "%s/man/coldstore-store.5", dir ? dir : ".");
  page = fopen (name, "r");
  if (!page)
    fail_msg ("cannot open '%s'", name);
  return page;
}

/* "  1104  64*24  text", also without the factor.  */
static bool
read_row (const char *line, struct row *row)
{
  size_t factor;
  int n = sscanf (line, " %zu %zu*%zu", &row->off, &row->len, &factor);

  if (n == 3)
    row->len *= factor;
  return n >= 2;
}

static const struct row *
next_described (const struct described *d, size_t *i)
{
  while (*i < d->nr && d->rows[*i].reserved)
    ++*i;
  return *i < d->nr ? &d->rows[(*i)++] : NULL;
}

/* Compare the rows of the table that PAGE is before with D.  */
static void
check_table (FILE *page, const struct described *d)
{
  const char *version;
  char line[256];
  struct row row;
  size_t i = 0;

  while (fgets (line, sizeof line, page) && strncmp (line, ".EE", 3) != 0)
    {
      const struct row *is;

      if (!read_row (line, &row))
        continue;
      is = next_described (d, &i);
      if (!is || row.off != is->off || row.len != is->len)
        fail_msg ("%s: the page says: %s"
                  "it is %zu bytes at offset %zu", d->name, line,
                  is ? is->len : 0, is ? is->off : 0);
      version = strstr (line, "version: ");
      if (d->version && version
          && strtoul (version + 9, NULL, 10) != d->version)
        fail_msg ("%s: the page says: %sit is %u", d->name, line, d->version);
    }
  if (next_described (d, &i))
    fail_msg ("%s: the page has not all of it", d->name);
}

/* Every table is of what its comment says, and nothing is left out.  */
static void
page_is_exact (void **state)
{
  bool seen[NR_DESCRIBED] = { false };
  FILE *page = open_page ();
  char line[256];

  (void) state;
  while (fgets (line, sizeof line, page))
    {
      size_t i = 0;

      if (strncmp (line, ".\\\" ", 4) != 0 || strstr (line, "SPDX"))
        continue;
      line[strcspn (line, "\n")] = '\0';
      while (i < NR_DESCRIBED && strcmp (line + 4, described[i].name) != 0)
        i++;
      if (i == NR_DESCRIBED)
        fail_msg ("the page describes '%s'", line + 4);
      seen[i] = true;
      check_table (page, &described[i]);
    }
  fclose (page);
  for (size_t i = 0; i < NR_DESCRIBED; i++)
    if (!seen[i])
      fail_msg ("the page does not describe %s", described[i].name);
}

/* The lists above have every byte.  */
static void
lists_are_complete (void **state)
{
  (void) state;
  for (size_t i = 0; i < NR_DESCRIBED; i++)
    {
      const struct described *d = &described[i];
      size_t end = 0;

      for (size_t j = 0; j < d->nr; j++)
        {
          if (d->rows[j].off != end)
            fail_msg ("%s: nothing is said of offset %zu", d->name, end);
          end += d->rows[j].len;
        }
      if (end != d->len)
        fail_msg ("%s: nothing is said of offset %zu", d->name, end);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (page_is_exact),
    cmocka_unit_test (lists_are_complete),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
