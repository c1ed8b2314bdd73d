/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-report.c -- the resume report: lines, the ring, damage.  */

#include "process-fixture.h"
#include "report.h"

static struct cs_report_disk *
ring (void)
{
  size_t len;
  struct cs_report_disk *found
    = cs_store_section (cs_process.store, "report", &len);

  CHECK (found && len >= sizeof *found);
  return found;
}

/* How many lines NEXT goes through; the last one's text in LAST.  */
static uint64_t
count_own (const char **last)
{
  const struct cs_report_entry_disk *line;
  uint64_t n = 0, nr = 0;

  while ((line = cs_report_own (&n)))
    {
      nr++;
      *last = line->text;
    }
  return nr;
}

/* Nothing is told while a store is made, and nothing on a quiet resume.  */
static void
quiet_first (void)
{
  begin ();
  cs_report (CS_REPORT_CHANGED, "nobody hears this");
  CHECK (ring ()->count == 0);
  save_and_leave ();
}

static void
quiet_later (void)
{
  const char *last;

  resume ();
  CHECK (ring ()->count == 0 && count_own (&last) == 0);
}

static void
quiet (void)
{
  CHECK (in_child (quiet_first) == 0);
  CHECK (in_child (quiet_later) == 0);
}

static void
tell_two (void)
{
  const char *last = "";

  resume ();
  cs_report (CS_REPORT_MISSING, "library '%s'", "libone.so");
  cs_report (CS_REPORT_CLOSED, "file '%s': %d", "two", 2);
  CHECK (count_own (&last) == 2 && strcmp (last, "file 'two': 2") == 0);
  save_and_leave ();
}

static void
tell_one (void)
{
  const struct cs_report_entry_disk *line;
  const char *last = "";
  uint64_t n = 0;

  resume ();
  CHECK (count_own (&last) == 0);
  cs_report (CS_REPORT_WEEDED, "thread");
  CHECK (count_own (&last) == 1 && strcmp (last, "thread") == 0);
  line = cs_report_next (ring (), &n);
  CHECK (line && line->kind == CS_REPORT_MISSING && line->generation == 1);
  CHECK (strcmp (line->text, "library 'libone.so'") == 0);
  CHECK (cs_report_next (ring (), &n));
  line = cs_report_next (ring (), &n);
  CHECK (line && line->generation == 2 && line->when >= 1000000000);
  CHECK (!cs_report_next (ring (), &n));
}

static void
own_lines (void)
{
  CHECK (in_child (quiet_first) == 0);
  CHECK (in_child (tell_two) == 0);
  CHECK (in_child (tell_one) == 0);
}

static void
tell_many (void)
{
  const struct cs_report_entry_disk *line;
  const char *last = "";
  uint64_t n = 0;

  resume ();
  for (int i = 0; i < CS_REPORT_ENTRIES_MAX + 10; i++)
    cs_report (CS_REPORT_CHANGED, "line %d", i);
  CHECK (count_own (&last) == CS_REPORT_ENTRIES_MAX);
  line = cs_report_own (&n);
  CHECK (line && strcmp (line->text, "line 10") == 0);
  save_and_leave ();
}

static void
overflow (void)
{
  CHECK (in_child (quiet_first) == 0);
  CHECK (in_child (tell_many) == 0);
}

static void
tell_long (void)
{
  char text[2 * CS_REPORT_TEXT_LEN];
  const char *last = "";

  memset (text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  resume ();
  cs_report (CS_REPORT_CHANGED, "%s", text);
  CHECK (count_own (&last) == 1 && strlen (last) == CS_REPORT_TEXT_LEN - 1);
  CHECK (strcmp (last + CS_REPORT_TEXT_LEN - 5, "x...") == 0);
}

static void
long_lines (void)
{
  CHECK (in_child (quiet_first) == 0);
  CHECK (in_child (tell_long) == 0);
}

/* Whatever is in the ring, readers stay inside it.  */
static void
damage (void)
{
  static struct cs_report_disk bad;
  struct cs_err err = CS_ERR_INIT;
  uint64_t n = 0, nr = 0;

  cs_report_init (&bad);
  CHECK (cs_report_check (&bad, sizeof bad, "s", &err) == 0);
  CHECK (cs_report_check (&bad, sizeof bad - 1, "s", &err)
         == -CS_E_DAMAGED);
  CHECK (cs_report_check (NULL, 0, "s", &err) == -CS_E_DAMAGED);
  memset (bad.entries, 'x', sizeof bad.entries);
  bad.count = UINT64_MAX - 1;
  CHECK (!cs_report_next (&bad, &n));
  for (int i = 0; i < CS_REPORT_ENTRIES_MAX; i += 2)
    bad.entries[i].text[7] = '\0';
  for (n = 0; cs_report_next (&bad, &n);)
    nr++;
  CHECK (nr == CS_REPORT_ENTRIES_MAX / 2);
  CHECK (strcmp (cs_report_word (bad.entries[0].kind), "unknown") == 0);
  bad.version = 2;
  CHECK (cs_report_check (&bad, sizeof bad, "s", &err)
         == -CS_E_INCOMPATIBLE);
}

static const struct test_case cases[] = {
  { "no lines while a store is made and on a quiet resume", quiet },
  { "lines of this process and of those before", own_lines },
  { "more lines than the ring holds: the last ones", overflow },
  { "a line that is too long is cut", long_lines },
  { "a damaged ring", damage },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
