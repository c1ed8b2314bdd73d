/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* clocks.c -- times that are counted from the beginning of a process.

   libguile notes what two clocks say when it is booted, and subtracts that from
   what they say later (3.0.8, libguile/stime.c, scm_init_stime): its notes are
   the first process's.  So it is told the time since it first asked in that
   process, which makes them zero, and since the beginning in each later one.
   The clock of a process's CPU time begins with it anyway.  */

#include <time.h>

#include "process/private.h"

struct clock
{
  bool known;
  struct timespec origin;
};

static struct clock real, cpu;

static void
subtract (struct timespec *time, const struct timespec *origin)
{
  time->tv_sec -= origin->tv_sec;
  time->tv_nsec -= origin->tv_nsec;
  if (time->tv_nsec < 0)
    {
      time->tv_sec--;
      time->tv_nsec += 1000000000;
    }
}

int
cs_clocks_gettime (clockid_t id, struct timespec *time)
{
  struct clock *clock = id == CLOCK_REALTIME ? &real
                        : id == CLOCK_PROCESS_CPUTIME_ID ? &cpu : NULL;
  int code = clock_gettime (id, time);

  if (code != 0 || !clock)
    return code;
  if (!clock->known)
    clock->origin = *time;
  clock->known = true;
  subtract (time, &clock->origin);
  return 0;
}

void
cs_clocks_resume (void)
{
  real.known = clock_gettime (CLOCK_REALTIME, &real.origin) == 0;
  cpu.known = true;             /* zero */
}
