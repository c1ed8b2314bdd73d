/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect.h -- what the files of cs-inspect share.

   cs-inspect.c         the command, and most of what it prints
   inspect-apply.c      --apply
   inspect-diff.c       --diff
   inspect-files.c      --files
   inspect-history.c    --history
   inspect-libraries.c  --libraries
   inspect-repair.c     --repair
   inspect-threads.c    --threads
   inspect-verify.c     --verify-heap  */
#ifndef CS_CMD_INSPECT_H
#define CS_CMD_INSPECT_H

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common.h"
#include "json.h"
#include "store/store.h"

/* What one run works on.  */
struct run
{
  const char *path;
  struct cs_store *store;
  struct cs_json *json;         /* NULL for text */
  int status;                   /* exit status so far */
  bool begun;                   /* something was printed as text */
  uint64_t diff_from, diff_to;  /* generations; CS_STORE_NEWEST: what is
                                   open */
};

/* --diff: what has grown between two generations.  TEXT is the option's
   argument; misuse ends the process.  */
void cs_inspect_parse_diff (struct run *run, const char *text);
void cs_inspect_show_diff (struct run *run);

/* --history: the commits that can be opened, and what was told at
   resumes.  */
void cs_inspect_show_history (struct run *run);

/* --files: those that were open when the workspace was saved.  */
void cs_inspect_show_files (struct run *run);

/* --libraries: those that the store carries, opened and needs.  The second
   prints the carried ones alone, for the summary.  */
void cs_inspect_show_libraries (struct run *run);
void cs_inspect_show_carried (struct run *run);

/* --threads: those of the last checkpoint, and those that are gone.  */
void cs_inspect_show_threads (struct run *run);

/* --verify-heap: does each pointer of each object lead to an object?  */
void cs_inspect_show_verify (struct run *run);

/* --repair; does not return.  */
void cs_inspect_repair (const char *path) __attribute__ ((noreturn));

/* --apply: put the log of the store at PATH into its image, and end.  */
void cs_inspect_apply (const char *path) __attribute__ ((noreturn));

/* Formatting.  */

#define ADDR_LEN 24

/* "0x..." in a buffer of ADDR_LEN bytes.  */
static inline const char *
addr_text (char *text, uint64_t addr)
{
  snprintf (text, ADDR_LEN, "0x%" PRIx64, addr);
  return text;
}

/* "1.5 MiB" in a buffer of 32 bytes.  */
static inline const char *
size_text (char *text, uint64_t len)
{
  static const char *const units[] = {
    "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
  };
  double number = (double) len;
  int unit = 0;

  for (; number >= 1024 && unit < 6; unit++)
    number /= 1024;
  snprintf (text, 32, unit ? "%.1f %s" : "%.0f %s", number, units[unit]);
  return text;
}

/* "2026-11-22 14:05:00 UTC", or the number if it is no time, in a buffer of
   64 bytes.  */
static inline const char *
time_text (char *text, int64_t seconds)
{
  time_t when = (time_t) seconds;
  struct tm tm;

  if (when != seconds || !gmtime_r (&when, &tm)
      || strftime (text, 64, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
    snprintf (text, 64, "%" PRId64, seconds);
  return text;
}

/* A name out of the store, with what is not printable made visible, in a
   buffer of 512 bytes.  */
static inline const char *
visible (char *text, const char *name)
{
  size_t used = 0;

  for (; *name && used < 506; name++)
    if ((unsigned char) *name < 0x20 || *name == 0x7f)
      used += (size_t) sprintf (text + used, "\\x%02x",
                                (unsigned char) *name);
    else
      text[used++] = *name;
  text[used] = '\0';
  return used ? text : "-";
}

/* Begin a table, after an empty line if it is not the first.  */
static inline void
begin_table (struct run *run)
{
  if (run->begun)
    putchar ('\n');
  run->begun = true;
}

/* The heading of each part, before it; what it cannot read is reported, and
   the rest goes on.  */
static inline void
failed (struct run *run, const char *member, const struct cs_err *err)
{
  int status;

  fflush (stdout);
  status = cs_cmd_report (err);
  if (run->status == 0 || status == 4)
    run->status = status;
  if (run->json && member)
    cs_json_null (run->json, member);
}

#endif
