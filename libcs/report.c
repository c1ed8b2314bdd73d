/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* report.c -- the ring of lines that tell what happened at resumes.  */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report.h"

_Static_assert (sizeof (struct cs_report_entry_disk) == 512, "entry");
_Static_assert (offsetof (struct cs_report_disk, count) == 16, "count");
_Static_assert (offsetof (struct cs_report_disk, entries) == 24, "entries");

static struct
{
  struct cs_report_disk *ring;
  uint64_t generation;
  uint64_t first;               /* number of this process's first line */
} report;

void
cs_report_init (struct cs_report_disk *ring)
{
  memcpy (ring->magic, CS_REPORT_MAGIC, sizeof ring->magic);
  ring->version = CS_REPORT_VERSION;
}

int
cs_report_check (const struct cs_report_disk *ring, size_t len,
                 const char *name, struct cs_err *err)
{
  if (!ring || len < sizeof *ring
      || memcmp (ring->magic, CS_REPORT_MAGIC, sizeof ring->magic) != 0)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s': section 'report' is missing or damaged",
                       name);
  if (ring->version != CS_REPORT_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%.300s': section 'report' of version %u, expected"
                       " %d", name, ring->version, CS_REPORT_VERSION);
  return 0;
}

void
cs_report_begin (struct cs_report_disk *ring, uint64_t generation)
{
  report.ring = ring;
  report.generation = generation;
  report.first = ring->count;
}

/* The kind is written last: a commit in another thread may come between.  */
void
cs_report (enum cs_report_kind kind, const char *format, ...)
{
  struct cs_report_entry_disk *entry;
  va_list arguments;
  uint64_t n;
  int len;

  if (!report.ring)
    return;
  n = __atomic_fetch_add (&report.ring->count, 1, __ATOMIC_RELAXED);
  entry = &report.ring->entries[n % CS_REPORT_ENTRIES_MAX];
  __atomic_store_n (&entry->kind, 0, __ATOMIC_RELEASE);
  entry->generation = report.generation;
  entry->when = (int64_t) time (NULL);
  va_start (arguments, format);
  len = vsnprintf (entry->text, sizeof entry->text, format, arguments);
  va_end (arguments);
  if (len >= (int) sizeof entry->text)
    memcpy (entry->text + sizeof entry->text - 4, "...", 4);
  __atomic_store_n (&entry->kind, (uint32_t) kind, __ATOMIC_RELEASE);
}

const char *
cs_report_word (uint32_t kind)
{
  static const char *const words[] = {
    "unknown", "weeded", "reopened", "closed", "missing", "changed",
    "stopped"
  };

  return words[kind < sizeof words / sizeof *words ? kind : 0];
}

const struct cs_report_entry_disk *
cs_report_next (const struct cs_report_disk *ring, uint64_t *n)
{
  const struct cs_report_entry_disk *entry;

  if (ring->count > CS_REPORT_ENTRIES_MAX
      && *n < ring->count - CS_REPORT_ENTRIES_MAX)
    *n = ring->count - CS_REPORT_ENTRIES_MAX;
  while (*n < ring->count)
    {
      entry = &ring->entries[(*n)++ % CS_REPORT_ENTRIES_MAX];
      if (entry->kind != 0
          && memchr (entry->text, '\0', sizeof entry->text))
        return entry;
    }
  return NULL;
}

const struct cs_report_entry_disk *
cs_report_own (uint64_t *n)
{
  if (!report.ring)
    return NULL;
  if (*n < report.first)
    *n = report.first;
  return cs_report_next (report.ring, n);
}
