/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-timers.c -- interval timers end with their process, and are told of.  */

#include <sys/time.h>

#include "process-fixture.h"
#include "report.h"

static void
set (int which, long seconds)
{
  struct itimerval value = { .it_value = { .tv_sec = seconds } };

  CHECK (setitimer ((enum __itimer_which) which, &value, NULL) == 0);
}

static void
leave_timers (void)
{
  begin ();
  set (ITIMER_REAL, 0);         /* this program's own limit of time */
  set (ITIMER_VIRTUAL, 1000);
  set (ITIMER_PROF, 2000);
  cs_process_record_timers ();
  CHECK (cs_process.image->timers[0] == 0
         && cs_process.image->timers[1] > 999 * (uint64_t) 1000000
         && cs_process.image->timers[2] > 1999 * (uint64_t) 1000000);
  save_and_leave ();
}

static void
find_none (void)
{
  const struct cs_report_entry_disk *line;
  struct itimerval value;
  uint64_t n = 0;

  resume ();
  CHECK (getitimer (ITIMER_VIRTUAL, &value) == 0 && value.it_value.tv_sec == 0);
  line = cs_report_own (&n);
  CHECK (line && line->kind == CS_REPORT_STOPPED);
  CHECK (strncmp (line->text, "timer ITIMER_VIRTUAL: it had ", 29) == 0);
  line = cs_report_own (&n);
  CHECK (line && strncmp (line->text, "timer ITIMER_PROF: it had ", 26) == 0);
  CHECK (!cs_report_own (&n));
  save_and_leave ();
}

static void
find_nothing (void)
{
  uint64_t n = 0;

  resume ();
  CHECK (!cs_report_own (&n));
}

static void
timers_end (void)
{
  CHECK (in_child (leave_timers) == 0);
  CHECK (in_child (find_none) == 0);
  CHECK (in_child (find_nothing) == 0);
}

static const struct test_case cases[] = {
  { "timers that ran at a commit are told of once, and gone", timers_end },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
