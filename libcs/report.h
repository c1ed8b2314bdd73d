/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* report.h -- the resume report: what was not as the last process left it.

   Whoever makes something again at a resume and has to say what became of it
   calls cs_report(): a thread is gone, a file was opened again, a library is
   missing.  A resume with nothing to tell writes nothing and costs nothing.

   The lines are kept in the store's section "report", a ring of the last
   CS_REPORT_ENTRIES_MAX of them, so they are in the next commit and
   `cs-inspect --history` finds them; those of this process are what
   `cs-run --verbose` prints and (resume-report) returns.

   A line is a kind, printed as one word, and a text that begins with the
   noun it is about: "missing" and "library 'libfoo.so.1': cannot open ...".
   The texts in use begin with "threads", "pointers", "file", "descriptor",
   "library", "function", "environment", "timer" and "module".  */
#ifndef CS_REPORT_H
#define CS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CS_REPORT_MAGIC "ColdRep"       /* 8 bytes with its NUL */
#define CS_REPORT_VERSION 1
#define CS_REPORT_ENTRIES_MAX 256
#define CS_REPORT_TEXT_LEN 488          /* with its NUL */

enum cs_report_kind
{
  CS_REPORT_WEEDED = 1,         /* it has ended with its process */
  CS_REPORT_REOPENED,           /* it is open again as it was */
  CS_REPORT_CLOSED,             /* it could not be opened again */
  CS_REPORT_MISSING,            /* there is no such thing today */
  CS_REPORT_CHANGED,            /* another one has taken its place */
  CS_REPORT_STOPPED             /* it was under way, and is not any more */
};

struct cs_report_entry_disk
{
  uint64_t generation;          /* the commit that was resumed */
  int64_t when;                 /* seconds since 1970 */
  uint32_t kind;                /* enum cs_report_kind; 0: being written */
  uint32_t reserved;
  char text[CS_REPORT_TEXT_LEN];
};

/* Section "report".  Line number N, from 0 in the life of the store, is entry
   N % CS_REPORT_ENTRIES_MAX.  */
struct cs_report_disk
{
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  uint64_t count;               /* of lines ever written */
  struct cs_report_entry_disk entries[CS_REPORT_ENTRIES_MAX];
};

/* Make an empty ring in zero bytes at RING.  */
void cs_report_init (struct cs_report_disk *ring);

/* Is what lies in LEN bytes at RING (may be NULL) a ring?  -CS_E_DAMAGED,
   -CS_E_INCOMPATIBLE.  NAME is the store's, for messages.  */
int cs_report_check (const struct cs_report_disk *ring, size_t len,
                     const char *name, struct cs_err *err);

/* From now on lines go to RING, which was checked, as of the resume of
   GENERATION.  Once in a process.  */
void cs_report_begin (struct cs_report_disk *ring, uint64_t generation);

/* Write a line.  A text that is too long is cut and ends in "...".  Does
   nothing before cs_report_begin().  Takes no memory and no lock and does not
   enter Guile; may be called from any thread, at any time after that.  */
void cs_report (enum cs_report_kind kind, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* The word for a kind; "unknown" for another number.  Static.  */
const char *cs_report_word (uint32_t kind);

/* Go through the lines that RING still has, oldest first: start with *N = 0;
   NULL after the last.  Lent by the ring.  */
const struct cs_report_entry_disk *
cs_report_next (const struct cs_report_disk *ring, uint64_t *n);

/* The same through the lines of this process.  */
const struct cs_report_entry_disk *cs_report_own (uint64_t *n);

#endif
