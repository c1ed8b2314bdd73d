/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-slices.c -- commits, forks, readers and kills between two slices of an
   apply (A6 to A8, apply.c).  */

#include <pthread.h>

#include "store-numbers.h"

#include "store/slice.h"

#define HEAP_PAGES ((size_t) 1800)
#define WORDS (PAGE / sizeof (uint64_t))
#define COMMITS 9               /* between slices */

static struct cs_err err;
static struct cs_store *store;
static uint64_t *heap;

/* What a process that is killed has told the one that looks after it.  */
static struct told
{
  uint64_t generation;          /* committed last */
  unsigned int slices;          /* how many ended */
  int same;                     /* a child's region: 1, or -1 */
} *told;

/* Of page I of the heap in GENERATION: every third one changes in the first
   commit of much, and a few in each later one, of which some become zeros and
   others return from that.  */
static uint64_t
value (uint64_t generation, size_t i)
{
  uint64_t last = i % 3 == 0 && generation > 1 ? 2 : 1;

  for (uint64_t g = 3; g <= generation; g++)
    if ((i + g) % 97 == 0 || i == 6)
      last = g;
  return i % 5 == 1 && last % 2 == 1 ? 0 : last * 10000 + i;
}

static void
fill (uint64_t generation)
{
  for (size_t i = 0; i < HEAP_PAGES; i++)
    if (heap[i * WORDS] != value (generation, i))
      heap[i * WORDS] = value (generation, i);
}

static void
commit_next (void)
{
  uint64_t generation = store->superblock.generation + 1;

  fill (generation);
  commit_number (store, generation);
  told->generation = generation;
}

static void
begin_heap (void)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  size_t i = 0;

  while (table[i].kind != CS_EXTENT_HEAP)
    i++;
  heap = (uint64_t *) (void *) (store->image + table[i].off);
}

static int
no_sync (int fd)
{
  (void) fd;
  return 0;
}

static int
no_push (int fd, off_t off, off_t len, unsigned int flags)
{
  (void) off;
  (void) len;
  (void) flags;
  return no_sync (fd);
}

/* A store, and a copy of it for each life, whose first commit makes the log
   long.  */
static void
start (void)
{
  void *addr;

  told = mmap (NULL, sizeof *told, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK (told != MAP_FAILED);
  store = create (false);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  CHECK (cs_store_map (store, HEAP_PAGES * PAGE, RW, CS_EXTENT_HEAP));
  begin_heap ();
  commit_next ();
  close_and_unmap (store);
  CHECK (system ("cp a.store b.store") == 0);
  cs_slice_len = 0;
  cs_sys.fdatasync = cs_sys.fsync = no_sync;    /* no power fails here */
  cs_sys.sync_file_range = no_push;
}

static void
begin_life (void)
{
  *told = (struct told) { .generation = 1 };
  store = open_mode (CS_STORE_WRITE);
  commit_next ();
  CHECK (store->log.len > 2 << 20);
}

/* A kill can leave a file of the history unfinished.  */
static void
found (void *closure, const struct cs_damage *damage)
{
  (void) closure;
  if (strcmp (damage->structure, "history") != 0)
    fprintf (stderr, "%s at %" PRIu64 "\n", damage->structure, damage->off);
  CHECK (strcmp (damage->structure, "history") == 0);
}

/* Is GENERATION as it was committed?  */
static void
check_generation (uint64_t generation, bool is_newest)
{
  struct cs_store *view = NULL;
  struct cs_err e = CS_ERR_INIT;
  const uint64_t *then;
  size_t len;
  char text[16];

  if (cs_store_open_at (STORE, CS_STORE_READ, generation, &view, &e) < 0)
    fprintf (stderr, "%s\n", e.text);
  CHECK (view);
  snprintf (text, sizeof text, "%" PRIu64, generation);
  CHECK (strcmp (cs_store_section (view, "words", &len), text) == 0);
  then = cs_store_view (view, (uintptr_t) heap, HEAP_PAGES * PAGE);
  CHECK (then);
  for (size_t i = 0; i < HEAP_PAGES; i++)
    CHECK (then[i * WORDS] == value (generation, i));
  if (is_newest)
    CHECK (cs_store_verify (view, found, NULL, &e) == 0);
  cs_store_close (view);
}

/* Of the newest ones, as many as are kept.  */
static void
check_all (uint64_t newest)
{
  uint64_t oldest = newest > CS_STORE_HISTORY ? newest - CS_STORE_HISTORY : 1;

  for (uint64_t g = newest; g >= oldest; g--)
    check_generation (g, g == newest);
}

static void
apply_beside (void)
{
  if (cs_store_apply_beside (store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
}

/* What goes on in a program meanwhile.  */
static void
commit_between (struct cs_store *s)
{
  CHECK (s == store);
  if (told->slices++ < COMMITS)
    {
      commit_next ();
      CHECK (cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP));
      cs_store_hold (store);
      cs_store_release (store);
    }
}

static void
commits (void)
{
  start ();
  begin_life ();
  cs_slice_between = commit_between;
  apply_beside ();
  CHECK (told->slices > 2 * COMMITS && told->generation == 2 + COMMITS);
  CHECK (store->log.len == 0 && store->log.applying == 0);
  check_all (told->generation);
  commit_next ();
  settle_ok (store);
  close_and_unmap (store);
  check_all (told->generation);
}

/* A whole life that ends between two slices.  */
static unsigned int kill_at;

static void
commit_and_die (struct cs_store *s)
{
  if (told->slices == kill_at)
    _exit (0);
  commit_between (s);
}

static void
killed_life (void)
{
  cs_slice_between = commit_and_die;
  begin_life ();
  apply_beside ();
  told->same = -1;              /* it has come to its end */
  close_and_unmap (store);
}

static void
copy (void)
{
  CHECK (system ("rm -rf a.store a.store-history; cp b.store a.store") == 0);
}

static void
kills (void)
{
  start ();
  for (kill_at = 0; told->same == 0; kill_at++)
    {
      CHECK (kill_at < 1000);
      copy ();
      CHECK (in_child (killed_life) == 0);
      check_all (told->generation);
      store = open_mode (CS_STORE_WRITE);
      CHECK (store->superblock.generation == told->generation);
      commit_next ();
      settle_ok (store);
      close_and_unmap (store);
      check_all (told->generation);
    }
  CHECK (kill_at > COMMITS);
}

/* A reader that comes, and stays.  */
static struct cs_store *reader;

static void
read_between (struct cs_store *s)
{
  CHECK (s == store);
  if (told->slices++ == kill_at)
    reader = open_mode (CS_STORE_READ);
}

/* What READER sees of the heap is what it saw.  */
static void
check_reader (void)
{
  const uint64_t *then = cs_store_view (reader, (uintptr_t) heap,
                                        HEAP_PAGES * PAGE);

  for (size_t i = 0; i < HEAP_PAGES; i++)
    CHECK (then[i * WORDS] == value (2, i));
}

/* Another one for each moment, as long as there are slices.  */
static void
one_reader (void)
{
  cs_slice_between = read_between;
  begin_life ();
  apply_beside ();
  if (!reader)
    {
      told->same = -1;
      _exit (0);
    }
  check_reader ();
  for (int i = 0; i < 2; i++)
    {
      commit_next ();
      cs_slice_between = NULL;
      apply_beside ();
      CHECK (store->log.len > 0);
      check_reader ();
    }
  check_all (told->generation);
  cs_store_close (reader);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  check_all (told->generation);
}

static void
readers (void)
{
  start ();
  for (kill_at = 0; told->same == 0; kill_at++)
    {
      CHECK (kill_at < 1000);
      copy ();
      CHECK (in_child (one_reader) == 0);
    }
  CHECK (kill_at > 10);
}

/* A child looks at its region until it is killed, or for some time.  */
static pid_t child;
static bool child_stays;

static void
look (void)
{
  cs_store_disown (store);
  for (int i = 0; child_stays ? i < 10000 : i < 30; i++)
    {
      for (size_t k = 0; k < HEAP_PAGES; k++)
        if (heap[k * WORDS] != value (2, k))
          {
            told->same = -1;
            _exit (1);
          }
      told->same = 1;
      usleep (1000);
    }
  _exit (0);
}

static void
fork_between (struct cs_store *s)
{
  CHECK (s == store);
  if (told->slices++ != 4)
    return;
  cs_store_hold (store);
  child = fork ();
  CHECK (child >= 0);
  if (child == 0)
    look ();
  cs_store_release (store);
}

static void
forks (void)
{
  int status;

  start ();
  begin_life ();
  cs_slice_between = fork_between;
  apply_beside ();
  CHECK (child > 0 && store->log.len == 0);
  CHECK (waitpid (child, &status, 0) == child && status == 0);
  CHECK (told->same == 1);
  check_all (2);
  close_and_unmap (store);
}

static void
child_that_stays (void)
{
  int status;

  start ();
  begin_life ();
  child_stays = true;
  cs_slice_between = fork_between;
  apply_beside ();
  CHECK (child > 0 && store->log.len > 0);
  cs_slice_between = NULL;
  commit_next ();
  apply_beside ();
  CHECK (store->log.len > 0);
  check_all (told->generation);
  usleep (20000);
  CHECK (told->same == 1);
  CHECK (kill (child, SIGKILL) == 0 && waitpid (child, &status, 0) == child);
  apply_beside ();
  CHECK (store->log.len == 0);
  check_all (told->generation);
  close_and_unmap (store);
}

/* The image grows over the log: that commit applies what there is itself.  */
static void
grow_between (struct cs_store *s)
{
  CHECK (s == store);
  if (told->slices++ == kill_at)
    {
      char *far = cs_store_map (store, 12 << 20, RW, CS_EXTENT_HEAP);

      CHECK (far);
      memset (far + (12 << 20) - PAGE, 1, PAGE);
      commit_next ();
    }
}

static void
one_growth (void)
{
  cs_slice_between = grow_between;
  begin_life ();
  apply_beside ();
  if (told->generation == 2)
    {
      told->same = -1;
      _exit (0);
    }
  check_all (3);
  commit_next ();
  settle_ok (store);
  check_all (4);
}

static void
overtaken (void)
{
  start ();
  for (kill_at = 0; told->same == 0; kill_at++)
    {
      CHECK (kill_at < 1000);
      copy ();
      CHECK (in_child (one_growth) == 0);
    }
  CHECK (kill_at > 10);
}

/* A sync of the end of the log that fails, or that a commit comes before.  */
static int nth_sync;

static int
fail_nth_sync (int fd)
{
  if (--nth_sync != 0)
    return no_sync (fd);
  errno = EIO;
  return -1;
}

static void
failing_life (void)
{
  int r;

  begin_life ();
  cs_sys.fdatasync = fail_nth_sync;
  nth_sync = (int) kill_at + 1;
  r = cs_store_apply_beside (store, &err);
  CHECK (r == 0 || (r == -EIO && err.text[0]));
  if (nth_sync > 0)
    {
      told->same = -1;
      _exit (0);
    }
  cs_sys.fdatasync = no_sync;
  check_generation (2, true);
  commit_next ();
  check_generation (3, true);
  close_and_unmap (store);
}

static void
failing_syncs (void)
{
  start ();
  for (kill_at = 0; told->same == 0; kill_at++)
    {
      CHECK (kill_at < 100);
      copy ();
      CHECK (in_child (failing_life) == 0);
    }
  CHECK (kill_at > 4);
}

/* Threads as in a program: whoever leaves waits for the one at work.  */
static void *
work (void *unused)
{
  struct cs_err e = CS_ERR_INIT;

  CHECK (cs_store_apply_beside (store, &e) == 0);
  return unused;
}

static void
threads (void)
{
  pthread_t thread;

  start ();
  begin_life ();
  CHECK (pthread_create (&thread, NULL, work, NULL) == 0);
  for (int i = 0; i < 5; i++)
    commit_next ();
  CHECK (cs_store_settle (store, &err) == 0 && store->log.len == 0);
  CHECK (pthread_join (thread, NULL) == 0);
  check_all (told->generation);
  close_and_unmap (store);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "A7: commits, growth and forks between slices", commits },
    { "A6: a kill between slices", kills },
    { "A6: a reader between slices, for whom the image stays", readers },
    { "A6: a child for a moment", forks },
    { "A6: a child that stays, for whom the image stays", child_that_stays },
    { "A7: a commit that applies itself", overtaken },
    { "A8: syncs that fail", failing_syncs },
    { "a thread in slices, and who waits for it", threads }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
