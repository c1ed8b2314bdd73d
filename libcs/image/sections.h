/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sections.h -- looking at a store's records from outside.

   For a store opened with CS_STORE_READ, of any machine: nothing of it is
   executed, and nothing in it is trusted.  All results are lent until the
   store is closed.  */
#ifndef CS_IMAGE_SECTIONS_H
#define CS_IMAGE_SECTIONS_H

#include "image/guile.h"
#include "image/process.h"
#include "intern/interpose.h"
#include "intern/table.h"
#include "report.h"
#include "store/store.h"

/* The directory and its extent table, which opening has checked (S1 to S3);
   never NULL.  */
const struct cs_directory_disk *
cs_image_directory (const struct cs_store *store);
const struct cs_extent_disk *
cs_image_extents (const struct cs_store *store);

/* Extents of one kind and protection together.  */
struct cs_extent_total
{
  uint32_t kind;                /* enum cs_extent_kind */
  uint32_t prot;
  uint64_t count, len;
};

#define CS_EXTENT_TOTALS_MAX 32

/* Fill TOTALS, of CS_EXTENT_TOTALS_MAX elements, by kind and protection.
   Returns how many are used.  */
size_t cs_image_extent_totals (const struct cs_store *store,
                                 struct cs_extent_total *totals);

/* "heap" and "rw-".  Static.  */
const char *cs_image_extent_kind (uint32_t kind);
const char *cs_image_protection (uint32_t prot);

/* Sections "process", "threads", "guile" and "report", after the check that a
   resume makes too (intern/section.h).  Only a resume writes to them.  NULL with
   ERR set: -CS_E_DAMAGED, -CS_E_INCOMPATIBLE.  */
struct cs_process_disk *
cs_image_process (const struct cs_store *store, struct cs_err *err);
struct cs_threads_disk *
cs_image_threads (const struct cs_store *store, struct cs_err *err);
struct cs_guile_disk *
cs_image_guile (const struct cs_store *store, struct cs_err *err);
struct cs_report_disk *
cs_image_report (const struct cs_store *store, struct cs_err *err);

/* A handle's path and a descriptor's; "" if OFF leads nowhere.  */
const char *cs_image_string (const struct cs_process_disk *process,
                               uint32_t off);
const char *cs_image_path (const struct cs_process_disk *process,
                             uint32_t off);

/* How many threads are recorded.  */
uint64_t cs_image_nr_threads (const struct cs_threads_disk *threads);

/* How many entries of the intern table are ...  */
struct cs_symbol_counts
{
  uint32_t entries, functions, data;
  uint32_t persistent, used, missing, dynamic;  /* CS_TABLE_... */
};

struct cs_symbol_counts
cs_image_symbols (const struct cs_table_disk *table);

/* Check everything that can be checked without the interpreter, each subject
   whatever the others gave.  FOUND is called once for each, for "checksums"
   once for each that is wrong: NAME is a word for the subject, ERR is NULL or
   says what is wrong first.  Returns the number of
   subjects that something is wrong with.  */
typedef void cs_image_found (void *closure, const char *name,
                               const struct cs_err *err);
size_t cs_image_check (struct cs_store *store, cs_image_found *found,
                         void *closure);

#endif
