/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* progress.c -- how far a long operation has come, on a terminal.  */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "progress.h"

#define FIRST_AFTER 0.5         /* seconds */
#define NEXT_AFTER 0.2
#define MIB (1024.0 * 1024)

static struct
{
  uint64_t total;               /* of what is being done; 0: nothing yet */
  double begun, shown;          /* when, in seconds */
  int width;                    /* of the line on the terminal; 0: none */
} state;

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Write LINE over the one that is there.  */
static void
put_line (const char *line)
{
  int len = (int) strlen (line);

  fprintf (stderr, "\r%s%*s\r", line,
           len < state.width ? state.width - len : 0, "");
  fflush (stderr);
  state.width = len;
}

static void
print (uint64_t done, double seconds)
{
  double rate = (double) done / seconds;
  uint64_t left = 0;
  char line[128];

  if (rate > 0)
    left = (uint64_t) ((double) (state.total - done) / rate + 0.5);
  snprintf (line, sizeof line, "%.0f of %.0f MiB, %.1f MiB/s, %" PRIu64
            ":%02" PRIu64 " left", (double) done / MIB,
            (double) state.total / MIB, rate / MIB, left / 60, left % 60);
  put_line (line);
}

void
cs_progress_show (void *closure, uint64_t done, uint64_t total)
{
  double t;

  (void) closure;
  if (cs_cmd_given ('q') || !isatty (STDERR_FILENO))
    return;
  t = now ();
  if (state.total != total || done == 0)
    {
      state.total = total;
      state.begun = t;
      state.shown = t + FIRST_AFTER - NEXT_AFTER;
    }
  if (done > 0 && t - state.shown >= NEXT_AFTER)
    {
      print (done, t - state.begun);
      state.shown = t;
    }
}

void
cs_progress_end (void)
{
  if (state.width > 0)
    put_line ("");
  state.width = 0;
}
