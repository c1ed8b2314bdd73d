/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-timers.c -- interval timers end with their process, and the resume
   report names them.  */

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

/* Clocks.  */

static struct timespec
asked (clockid_t id)
{
  struct timespec time;

  CHECK (cs_clocks_gettime (id, &time) == 0);
  return time;
}

static void
ask_first (void)
{
  struct timespec real, cpu;

  begin ();
  real = asked (CLOCK_REALTIME);
  cpu = asked (CLOCK_PROCESS_CPUTIME_ID);
  CHECK (real.tv_sec == 0 && real.tv_nsec == 0);
  CHECK (cpu.tv_sec == 0 && cpu.tv_nsec == 0);
  while (asked (CLOCK_PROCESS_CPUTIME_ID).tv_nsec < 1000000)
    continue;
  real = asked (CLOCK_REALTIME);
  CHECK (real.tv_sec > 0 || real.tv_nsec >= 1000000);
  save_and_leave ();
}

static void
ask_later (void)
{
  struct timespec now, cpu;

  CHECK (clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
  resume ();
  CHECK (asked (CLOCK_REALTIME).tv_sec >= 0
         && asked (CLOCK_REALTIME).tv_sec < 1000);
  cpu = asked (CLOCK_PROCESS_CPUTIME_ID);
  CHECK (cpu.tv_sec > now.tv_sec
         || (cpu.tv_sec == now.tv_sec && cpu.tv_nsec >= now.tv_nsec));
  CHECK (asked (CLOCK_MONOTONIC).tv_sec > 0 || asked (CLOCK_MONOTONIC).tv_nsec);
  CHECK (cs_clocks_gettime (-1, &now) == -1 && errno == EINVAL);
}

static void
clocks_begin (void)
{
  CHECK (in_child (ask_first) == 0);
  CHECK (in_child (ask_later) == 0);
}

static const struct test_case cases[] = {
  { "clocks begin with each process", clocks_begin },
  { "timers that ran at a commit are told of once, and gone", timers_end },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
