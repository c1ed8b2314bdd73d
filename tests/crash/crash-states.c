/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash-states.c -- power losses at every moment of a store's life.

   Each scenario is played once, and recorded.  Then the power fails at every
   point of the record, in as many ways as the model (world.h) knows if these
   are few, and in ways taken at random if they are many.  What is left is
   put into a folder, and opened by the real code, which must find exactly
   one committed generation, and none older than the last acknowledged one
   (verify.h).  For some of these states the recovery itself is recorded, and
   the power fails again at every point of it.

   States that are the same, file by file and byte by byte, are looked at
   once.

   Environment: CRASH_STATES, how many states a variant of a scenario is
   looked at in (3), 0 for all; CRASH_SCENARIO, the only one to play, counted
   from 0; CRASH_SEED.
   Arguments: SCENARIO VARIANT POINT:KIND:WHICH:SEED repeats one loss, as it was
   reported (but not one during recovery, which takes the same seed and
   number of states again), and leaves its state in the folder crash-state. */

#include <inttypes.h>
#include <time.h>

#include "../unit/store-fixture.h"

#include "scenarios.h"
#include "verify.h"
#include "world.h"

#define SEEN_MAX ((size_t) 1 << 21)
#define FAILURES_MAX 10         /* to be shown */

/* What the processes that look at states have in common.  */
static struct shared
{
  size_t nr_states;
  size_t nr_lost;
  size_t next;                  /* of the losses: the one being looked at */
  uint64_t seen[SEEN_MAX];
} *shared;

static uint64_t seed = 20260101;
static size_t budget;

/* Losses of one world.  */
static struct loss *losses;
static size_t nr_losses, room;

static void
add_loss (size_t point, enum loss_kind kind, uint32_t which, uint64_t s)
{
  if (nr_losses == room)
    {
      room = room ? 2 * room : 4096;
      losses = realloc (losses, room * sizeof *losses);
      CHECK (losses);
    }
  losses[nr_losses++] = (struct loss) { (uint32_t) point, kind, which, s };
}

static uint64_t
next_seed (void)
{
  return seed = mix (seed, 1);
}

/* All ways to lose power at POINT, or many.  */
static void
add_losses (const struct world *world, size_t point)
{
  enum { FEW = 6, MAX = 1024 };
  static const enum loss_kind random[] = {
    LOSS_EVENTS, LOSS_PAGES, LOSS_SECTORS, LOSS_SECTORS
  };
  uint32_t pending[MAX];
  size_t nr = world_pending (world, point, pending, MAX);

  add_loss (point, LOSS_ALL, 0, 0);
  add_loss (point, LOSS_NOTHING, 0, 0);
  add_loss (point, LOSS_LENGTHS, 0, 0);
  add_loss (point, LOSS_CONTENTS, 0, 0);
  if (nr <= FEW)
    for (uint64_t bits = 0; bits < (uint64_t) 1 << nr; bits++)
      add_loss (point, LOSS_SUBSET, 0, bits);
  for (size_t i = 0; i < nr && i < MAX; i++)
    {
      add_loss (point, LOSS_ALL_BUT_ONE, pending[i], 0);
      add_loss (point, LOSS_ONE, pending[i], 0);
      add_loss (point, LOSS_ONE_TORN, pending[i], next_seed ());
    }
  for (size_t i = 0; nr > 0 && i < 8 * sizeof random / sizeof *random; i++)
    add_loss (point, random[i % (sizeof random / sizeof *random)], 0,
              next_seed ());
}

static void
shuffle (void)
{
  for (size_t i = nr_losses; i > 1; i--)
    {
      size_t k = (size_t) (next_seed () % i);
      struct loss other = losses[i - 1];

      losses[i - 1] = losses[k];
      losses[k] = other;
    }
}

/* Is HASH new?  */
static bool
is_new (uint64_t hash)
{
  size_t at = (size_t) hash % SEEN_MAX;

  hash |= 1;
  while (shared->seen[at] != 0 && shared->seen[at] != hash)
    at = (at + 1) % SEEN_MAX;
  if (shared->seen[at] == hash)
    return false;
  shared->seen[at] = hash;
  return true;
}

static int
no_sync (int fd)
{
  (void) fd;
  return 0;
}

static void
clear_folder (void)
{
  DIR *dir = opendir (".");
  struct dirent *entry;

  CHECK (dir);
  while ((entry = readdir (dir)))
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0
        && unlink (entry->d_name) < 0)
      nftw (entry->d_name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  closedir (dir);
}

/* One run: a trace, its world, and what to call it.  */
struct run
{
  const struct scenario *scenario;
  int variant;
  const struct trace *trace;
  const struct world *world;
  bool again;                   /* the second loss */
};

static void
report (const struct run *run, const struct loss *loss, const char *what)
{
  char text[128], event[160] = "the end";

  shared->nr_lost++;
  if (shared->nr_lost > FAILURES_MAX)
    return;
  loss_describe (loss, text, sizeof text);
  if (loss->point < run->trace->nr_events)
    trace_describe (run->trace, loss->point, event, sizeof event);
  fprintf (stderr, "%s: '%s', power loss%s before event %s\n"
           "  crash-states %td %d %s\n", what, run->scenario->proves,
           run->again ? " during recovery" : "", event,
           run->scenario - scenarios, run->variant, text);
}

static bool
look_at (const struct run *run, const struct loss *loss)
{
  struct promise promise;

  promise_at (run->trace, loss->point, run->scenario->path, &promise);
  promise.history = run->scenario->history;
  clear_folder ();
  world_make (run->world, loss);
  return verify (&promise);
}

/* In a process of its own: look at the losses from the next one on, until
   NR states were seen, or one is wrong.  */
static void
look_at_states (const struct run *run, size_t nr)
{
  cs_sys.fsync = cs_sys.fdatasync = no_sync;
  verify_is_quiet = shared->nr_lost >= FAILURES_MAX;
  for (; shared->next < nr_losses && nr > 0; shared->next++)
    {
      const struct loss *loss = &losses[shared->next];

      if (!is_new (mix (world_hash (run->world, loss), loss->point > 0)))
        continue;
      nr--;
      shared->nr_states++;
      alarm (20);
      if (!look_at (run, loss))
        {
          report (run, loss, "lost");
          shared->next++;
          _exit (0);
        }
    }
}

/* The losses of RUN, but only NR of them (0: all).  */
static void
look_at_run (const struct run *run, size_t nr, size_t from)
{
  size_t stop;

  nr_losses = 0;
  for (size_t point = from; point <= run->trace->nr_events; point++)
    add_losses (run->world, point);
  shuffle ();
  shared->next = 0;
  stop = shared->nr_states + (nr ? nr : SIZE_MAX / 2);
  while (shared->next < nr_losses && shared->nr_states < stop)
    {
      int status;
      pid_t pid;

      fflush (NULL);
      pid = fork ();
      if (pid == 0)
        {
          look_at_states (run, stop - shared->nr_states);
          _exit (0);
        }
      CHECK (pid > 0 && waitpid (pid, &status, 0) == pid);
      if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
        continue;
      report (run, &losses[shared->next++],
              WIFSIGNALED (status) ? strsignal (WTERMSIG (status)) : "died");
    }
  clear_folder ();
}

/* The promises of TRACE at POINT, as events of AGAIN.  */
static void
repeat_promises (const struct trace *trace, size_t point,
                 struct trace *again)
{
  for (size_t i = 0; i < point; i++)
    if (trace->events[i].kind == EVENT_BEGIN
        || trace->events[i].kind == EVENT_ACKNOWLEDGED)
      trace_add (again, trace->events[i].kind, NONE)->attempt
        = trace->events[i].attempt;
}

/* After LOSS the store is opened again, and power fails again.  */
static void
lose_again (const struct run *run, const struct loss *loss, size_t nr)
{
  struct run second = *run;
  struct trace *trace;
  struct world *world;
  size_t from;

  clear_folder ();
  world_make (run->world, loss);
  trace = trace_new ();
  trace_adopt (trace);
  repeat_promises (run->trace, loss->point, trace);
  from = trace->nr_events;
  recover (trace, run->scenario->path);
  world = world_new (trace);
  second.trace = trace;
  second.world = world;
  second.again = true;
  look_at_run (&second, nr, from);
  world_free (world);
  trace_free (trace);
}

/* A loss at some point, of much or little.  */
static struct loss
any_loss (const struct trace *trace)
{
  static const enum loss_kind kinds[] = {
    LOSS_ALL, LOSS_NOTHING, LOSS_EVENTS, LOSS_SECTORS
  };
  uint64_t s = next_seed ();

  return (struct loss) {
    .point = (uint32_t) (s % (trace->nr_events + 1)),
    .kind = kinds[s >> 32 & 3],
    .seed = next_seed ()
  };
}

static void
play (const struct scenario *scenario, int variant)
{
  struct trace *trace = trace_new ();
  struct run run = { scenario, variant, trace, NULL, false };
  struct world *world;
  size_t recoveries = budget && budget < 10 ? 1 : 3;

  scenario->play (trace, variant);
  run.world = world = world_new (trace);
  look_at_run (&run, budget, 0);
  for (size_t i = 0; i < recoveries; i++)
    {
      struct loss loss = any_loss (trace);

      lose_again (&run, &loss, budget ? budget / 2 + 1 : 0);
    }
  world_free (world);
  trace_free (trace);
}

/* Repeat one loss.  */
static int
repeat (char **argv)
{
  size_t number = strtoul (argv[1], NULL, 10);
  int variant = atoi (argv[2]);
  struct trace *trace = trace_new ();
  struct run run = { &scenarios[number], variant, trace, NULL, false };
  struct loss loss = { 0 };
  int kind;

  CHECK (number < nr_scenarios);
  CHECK (sscanf (argv[3], "%" SCNu32 ":%d:%" SCNu32 ":%" SCNu64, &loss.point,
                 &kind, &loss.which, &loss.seed) == 4);
  loss.kind = (enum loss_kind) kind;
  scenarios[number].play (trace, variant);
  run.world = world_new (trace);
  for (size_t i = 0; i < trace->nr_events; i++)
    {
      char text[160];

      trace_describe (trace, i, text, sizeof text);
      printf ("%s%s\n", i == loss.point ? "--> " : "    ", text);
    }
  cs_sys.fsync = cs_sys.fdatasync = no_sync;
  return !look_at (&run, &loss);
}

static void
enter_folder (char folder[256])
{
  const char *tmp = getenv ("TMPDIR");

  snprintf (folder, 256, "%s/cs-crash-XXXXXX", tmp ? tmp : "/tmp");
  CHECK (mkdtemp (folder) && chdir (folder) == 0);
}

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static bool
run_scenario (size_t i)
{
  size_t states = shared->nr_states, lost = shared->nr_lost;
  double start = now ();

  for (int variant = 0; variant < scenarios[i].variants; variant++)
    {
      clear_folder ();
      play (&scenarios[i], variant);
    }
  states = shared->nr_states - states;
  lost = shared->nr_lost - lost;
  printf ("%s %zu - %s: %zu lost of %zu states (%.0f a second)\n",
          lost ? "not ok" : "ok", i + 1, scenarios[i].proves, lost, states,
          (double) states / (now () - start));
  fflush (stdout);
  return lost == 0;
}

int
main (int argc, char **argv)
{
  const char *states = getenv ("CRASH_STATES"), *s = getenv ("CRASH_SEED");
  const char *only = getenv ("CRASH_SCENARIO");
  char folder[256];
  double start = now ();
  bool right = true;

  budget = states ? strtoul (states, NULL, 10) : 3;
  seed = s ? strtoull (s, NULL, 10) : seed;
  shared = mmap (NULL, sizeof *shared, RW,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK (shared != MAP_FAILED);
  if (argc == 4)
    {
      CHECK (mkdir ("crash-state", 0700) == 0 && chdir ("crash-state") == 0);
      return repeat (argv);
    }
  enter_folder (folder);
  printf ("# seed %" PRIu64 "\n1..%zu\n", seed, only ? 1 : nr_scenarios);
  for (size_t i = 0; i < nr_scenarios; i++)
    if (!only || strtoul (only, NULL, 10) == i)
      right &= run_scenario (i);
  printf ("# figure: %zu lost of %zu distinct states, %.0f a second\n",
          shared->nr_lost, shared->nr_states,
          (double) shared->nr_states / (now () - start));
  CHECK (chdir ("/") == 0);
  nftw (folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  return !right;
}
