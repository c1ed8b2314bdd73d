/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* timers.c -- alarm() and setitimer().

   An interval timer belongs to its process: the next one neither inherits it
   nor starts it again, because how much time has passed in between nobody can
   say.  One that was running when the image was written is told of in the
   resume report.  alarm() is ITIMER_REAL (alarm(2)).  */

#include <inttypes.h>
#include <sys/time.h>

#include "process/private.h"
#include "report.h"

static const struct
{
  enum __itimer_which which;
  const char *name;
} timers[CS_PROCESS_TIMERS] = {
  { ITIMER_REAL, "ITIMER_REAL" },
  { ITIMER_VIRTUAL, "ITIMER_VIRTUAL" },
  { ITIMER_PROF, "ITIMER_PROF" }
};

void
cs_process_record_timers (void)
{
  struct itimerval value;

  for (int i = 0; i < CS_PROCESS_TIMERS; i++)
    cs_process.image->timers[i]
      = getitimer (timers[i].which, &value) != 0 ? 0
        : (uint64_t) value.it_value.tv_sec * 1000000
          + (uint64_t) value.it_value.tv_usec;
}

void
cs_timers_resume (void)
{
  uint64_t left;

  for (int i = 0; i < CS_PROCESS_TIMERS; i++)
    {
      left = cs_process.image->timers[i];
      if (left == 0)
        continue;
      cs_process.image->timers[i] = 0;
      cs_report (CS_REPORT_STOPPED, "timer %s: it had %" PRIu64 ".%06" PRIu64
                 " s to run", timers[i].name, left / 1000000,
                 left % 1000000);
    }
}
