/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pair.c -- measure two commands in interleaved pairs.

   pair [-n PAIRS] [-w WARMUPS] -m METRIC COMMAND... -- COMMAND...

   Runs A B A B ..., PAIRS times (20) after WARMUPS (2) that do not count, and
   prints one line of nine numbers: median, least and greatest of A, the same
   of B, and the same of the quotients A/B of each pair.

   METRIC is
     wall   seconds from before fork until the command has been waited for
     user   seconds of user CPU time of the command and all its threads
     cpu    the same plus system CPU time
     rss    MiB of VmRSS
     pss    MiB of Pss, from smaps_rollup

   For rss and pss the command gets a pipe as standard input; it has to print
   a line when it is idle, and to leave at the end of its input.  In all other
   cases its standard input and output are /dev/null.

   Exit status: 0, 1 if a command failed, 2 for misuse.  */

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 10000

enum metric
{
  WALL,
  USER,
  CPU,
  RSS,
  PSS,
  NR_METRICS
};

static const char *const metric_names[NR_METRICS]
  = { "wall", "user", "cpu", "rss", "pss" };

struct child
{
  pid_t pid;
  int to;               /* writing end of its standard input, or -1 */
  int from;             /* reading end of its standard output, or -1 */
};

static void __attribute__ ((noreturn))
die (const char *action, const char *subject)
{
  fprintf (stderr, "pair: cannot %s '%s': %s\n", action, subject,
           strerror (errno));
  exit (1);
}

static void __attribute__ ((noreturn))
misuse (void)
{
  fputs ("usage: pair [-n PAIRS] [-w WARMUPS] -m wall|user|cpu|rss|pss"
         " COMMAND... -- COMMAND...\n", stderr);
  exit (2);
}

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double
seconds (const struct timeval *t)
{
  return t->tv_sec + t->tv_usec / 1e6;
}

/* Become COMMAND with the descriptors IN and OUT as standard input and
   output, or /dev/null where they are -1.  */
static void __attribute__ ((noreturn))
become (char **command, int in, int out)
{
  int null = open ("/dev/null", O_RDWR);

  if (null < 0 || dup2 (in < 0 ? null : in, 0) < 0
      || dup2 (out < 0 ? null : out, 1) < 0)
    _exit (127);
  if (null > 2)
    close (null);
  execvp (command[0], command);
  fprintf (stderr, "pair: cannot run '%s': %s\n", command[0],
           strerror (errno));
  _exit (127);
}

static struct child
start (char **command, int with_pipes)
{
  struct child c = { -1, -1, -1 };
  int in[2] = { -1, -1 }, out[2] = { -1, -1 };

  if (with_pipes
      && (pipe2 (in, O_CLOEXEC) < 0 || pipe2 (out, O_CLOEXEC) < 0))
    die ("make a pipe for", command[0]);
  c.pid = fork ();
  if (c.pid < 0)
    die ("fork for", command[0]);
  if (c.pid == 0)
    become (command, in[0], out[1]);
  if (with_pipes)
    {
      close (in[0]);
      close (out[1]);
      c.to = in[1];
      c.from = out[0];
    }
  return c;
}

/* Wait for C and return what it used.  A failed command ends us.  */
static struct rusage
finish (struct child *c, const char *name)
{
  struct rusage usage;
  int status;

  if (c->to >= 0)
    close (c->to);
  if (wait4 (c->pid, &status, 0, &usage) < 0)
    die ("wait for", name);
  if (c->from >= 0)
    close (c->from);
  if (WIFSIGNALED (status))
    fprintf (stderr, "pair: '%s' died of signal %d\n", name,
             WTERMSIG (status));
  else if (WEXITSTATUS (status))
    fprintf (stderr, "pair: '%s' failed with status %d\n", name,
             WEXITSTATUS (status));
  if (status)
    exit (1);
  return usage;
}

/* The number after KEY in the file NAME of /proc/PID, which is in kB.  */
static double
proc_kib (pid_t pid, const char *name, const char *key)
{
  char path[64], line[256];
  double value = -1;
  FILE *f;

  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, name);
  f = fopen (path, "r");
  if (!f)
    die ("open", path);
  while (value < 0 && fgets (line, sizeof line, f))
    if (strncmp (line, key, strlen (key)) == 0)
      value = atof (line + strlen (key));
  fclose (f);
  if (value < 0)
    {
      errno = ENODATA;
      die ("find memory in", path);
    }
  return value;
}

static double
measure_memory (char **command, enum metric metric)
{
  struct child c = start (command, 1);
  double value;
  char ch;

  do
    if (read (c.from, &ch, 1) != 1)
      {
        fprintf (stderr, "pair: '%s' did not become idle\n", command[0]);
        exit (1);
      }
  while (ch != '\n');
  value = metric == RSS ? proc_kib (c.pid, "status", "VmRSS:")
                        : proc_kib (c.pid, "smaps_rollup", "Pss:");
  finish (&c, command[0]);
  return value / 1024;
}

static double
measure (char **command, enum metric metric)
{
  struct child c;
  struct rusage usage;
  double begin;

  if (metric == RSS || metric == PSS)
    return measure_memory (command, metric);
  begin = now ();
  c = start (command, 0);
  usage = finish (&c, command[0]);
  if (metric == WALL)
    return now () - begin;
  return seconds (&usage.ru_utime)
         + (metric == CPU ? seconds (&usage.ru_stime) : 0);
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

/* Print median, least and greatest of the N VALUES, which are sorted.  */
static void
print_spread (double *values, int n, const char *end)
{
  qsort (values, n, sizeof *values, compare);
  printf ("%.6g %.6g %.6g%s", (values[(n - 1) / 2] + values[n / 2]) / 2,
          values[0], values[n - 1], end);
}

static int
number (const char *text, int least)
{
  char *end;
  long n;

  errno = 0;
  n = strtol (text, &end, 10);
  if (errno || !isdigit ((unsigned char) *text) || *end || n < least
      || n > PAIRS_MAX)
    misuse ();
  return n;
}

static enum metric
find_metric (const char *name)
{
  for (int i = 0; i < NR_METRICS; i++)
    if (strcmp (name, metric_names[i]) == 0)
      return i;
  misuse ();
}

int
main (int argc, char **argv)
{
  static double a[PAIRS_MAX], b[PAIRS_MAX], quotient[PAIRS_MAX];
  int pairs = 20, warmups = 2, metric = -1, opt, split;

  while ((opt = getopt (argc, argv, "+n:w:m:")) != -1)
    switch (opt)
      {
      case 'n': pairs = number (optarg, 1); break;
      case 'w': warmups = number (optarg, 0); break;
      case 'm': metric = find_metric (optarg); break;
      default: misuse ();
      }
  for (split = optind; split < argc && strcmp (argv[split], "--"); split++)
    continue;
  if (metric < 0 || split == optind || split + 1 >= argc)
    misuse ();
  argv[split] = NULL;

  for (int i = -warmups; i < pairs; i++)
    {
      double of_a = measure (argv + optind, metric);
      double of_b = measure (argv + split + 1, metric);

      if (i < 0)
        continue;
      a[i] = of_a;
      b[i] = of_b;
      quotient[i] = of_a / of_b;
    }
  print_spread (a, pairs, " ");
  print_spread (b, pairs, " ");
  print_spread (quotient, pairs, "\n");
  return fflush (stdout) || ferror (stdout);
}
