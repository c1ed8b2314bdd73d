/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scenarios.c -- what is done to a store while power may fail.

   A scenario is a number of lives, one after the other: processes that do
   something to the store, and end or are killed.  The page cache outlives
   them, so the trace goes on.  */

#include "../unit/store-fixture.h"

#include "store/direct.h"
#include "store/slice.h"

#include "scenarios.h"

#define COPY "b.store"
#define HEAP_PAGES 24
#define HISTORY 3
#define RESERVED ((uint64_t) 256 << 20)
#define FAR ((uint64_t) 130 << 20)      /* behind where the log is at first */

static struct trace *trace;
static struct cs_err err;

/* The store a life works on, and the part of the heap that it changes.  */
static struct cs_store *store;
static char *heap;

/* Before which event of its own a life is killed; 0: it is not.  */
static unsigned int kill_at;

/* One life; its exit status.  */
static int
live (void (*body) (void))
{
  int status;
  pid_t pid;

  fflush (NULL);
  pid = fork ();
  if (pid == 0)
    {
      alarm (100);
      record_into (trace);
      body ();
      _exit (0);
    }
  CHECK (pid > 0 && waitpid (pid, &status, 0) == pid);
  CHECK (WIFEXITED (status) && (WEXITSTATUS (status) == 0
                                || WEXITSTATUS (status) == RECORD_KILLED));
  return WEXITSTATUS (status);
}

/* Change the text, and pages of the heap: another set each time.  */
static void
change (unsigned int n)
{
  char text[32];

  snprintf (text, sizeof text, "change %u", n);
  say (store, text);
  for (unsigned int i = 0; i < 4; i++)
    memset (heap + (n * 5 + i * i) % HEAP_PAGES * PAGE, (int) (n + i + 1),
            PAGE / 2);
  memset (heap + n * 7 % HEAP_PAGES * PAGE, 0, PAGE);   /* a hole */
}

static void
commit (void)
{
  CHECK (record_commit (trace, store) == 0);
}

static void
apply (void)
{
  CHECK (cs_store_apply (store, &err) == 0);
}

static void
leave (void)
{
  CHECK (cs_store_settle (store, &err) == 0);
  cs_store_close (store);
}

/* The commits stay in the log.  */
static void
leave_log (void)
{
  CHECK (cs_store_leave (store, &err) == 0);
  cs_store_close (store);
}

/* The first extent that is a heap begins the heap.  */
static void
find_heap (void)
{
  const struct cs_extent_disk *table = cs_extent_table (store);

  for (size_t i = 0; i < cs_directory (store)->nr_extents; i++)
    if (table[i].kind == CS_EXTENT_HEAP)
      {
        heap = store->image + table[i].off;
        return;
      }
  CHECK (!"a heap");
}

static void
create_first (void)
{
  void *addr;

  other_reserved = RESERVED;
  store = create (access (STORE, F_OK) == 0);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (store, HEAP_PAGES * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  cs_store_set_history (store, HISTORY);
  change (0);
  commit ();
}

static void
reopen (void)
{
  store = open_mode (CS_STORE_WRITE);
  find_heap ();
}

/* Lives.  */

static void
create_and_end (void)
{
  create_first ();
  leave ();
}

static void
create_and_work (void)
{
  create_first ();
  for (unsigned int n = 1; n <= 4; n++)
    {
      change (n);
      commit ();
      apply ();
    }
  leave ();
}

/* Several commits before they are applied together, as a reader is there.  */
static void
work_beside_a_reader (void)
{
  struct cs_store *reader;

  reopen ();
  reader = open_mode (CS_STORE_READ);
  for (unsigned int n = 11; n <= 13; n++)
    {
      change (n);
      commit ();
      apply ();
    }
  CHECK (store->log.len > 0);
  cs_store_close (reader);
  apply ();
  change (14);
  commit ();
  leave ();
}

/* The extents change as well.  */
static void
work_with_ranges (void)
{
  char *more;

  reopen ();
  more = cs_store_map (store, 9 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (more);
  memset (more, 77, 5 * PAGE);
  change (21);
  commit ();
  CHECK (cs_store_unmap (store, more + 2 * PAGE, 2 * PAGE) == 0);
  CHECK (cs_store_protect (store, more, PAGE, PROT_NONE) == 0);
  commit ();
  apply ();
  CHECK (cs_store_map_at (store, more + 3 * PAGE, PAGE, RW, CS_EXTENT_HEAP)
         == 0);
  CHECK (cs_store_clear (store, more + 4 * PAGE, PAGE) == 0);
  change (22);
  commit ();
  apply ();
  leave ();
}

/* Commits whose records have the same length, each applied and its space
   given back or not.  */
static void
work_evenly (void)
{
  reopen ();
  for (unsigned int n = 31; n <= 34; n++)
    {
      memset (heap + n % 3 * PAGE, (int) n, PAGE);
      commit ();
      if (n % 2)
        apply ();
    }
  CHECK (cs_store_settle (store, &err) == 0);
  memset (heap, 99, PAGE);
  commit ();
}

static void
die_while_applying (void)
{
  reopen ();
  for (unsigned int n = 41; n <= 42; n++)
    {
      change (n);
      commit ();
    }
  record_until (kill_at);
  apply ();
  cs_store_close (store);
}

/* Two commits; none is applied.  */
static void
die_while_committing (void)
{
  reopen ();
  record_until (kill_at);
  for (unsigned int n = 43; n <= 44; n++)
    {
      change (n);
      commit ();
    }
}

/* A store that replaces another, if there is one.  */
static void
die_while_creating (void)
{
  record_until (kill_at);
  create_first ();
}

static void
die_while_opening (void)
{
  record_until (kill_at);
  reopen ();
  leave ();
}

/* Commits between the slices of an apply, one of them with a new page.  */
static unsigned int between;

/* The program goes on while a commit is synced.  */
static void
change_meanwhile (void)
{
  say (store, "while a commit is synced");
  memset (heap + between % HEAP_PAGES * PAGE, 200, PAGE / 4);
}

static void
commit_between (struct cs_store *s)
{
  record_meanwhile = change_meanwhile;
  between++;
  if (between % 3 != 1 || between > 18)
    return;
  if (between == 7)
    CHECK (cs_store_map (s, PAGE, RW, CS_EXTENT_HEAP));
  change (300 + between);
  commit ();
}

static void
work_beside_an_apply (void)
{
  reopen ();
  /* Another length of the history makes the apply due (A5).  */
  cs_store_set_history (store, HISTORY - 1);
  for (unsigned int n = 45; n <= 46; n++)
    {
      change (n);
      commit ();
    }
  record_until (kill_at);
  cs_slice_len = 0;
  cs_slice_between = commit_between;
  CHECK (cs_store_apply_beside (store, &err) == 0);
  cs_slice_between = NULL;
  CHECK (store->log.len == 0 && between > 18);
  change (47);
  commit ();
  leave_log ();
}

static void
commit_and_die (void)
{
  reopen ();
  change (51);
  commit ();
}

/* What the one before left cannot be applied.  */
static void
commit_beside_a_reader (void)
{
  struct cs_store *reader = open_mode (CS_STORE_READ);

  reopen ();
  for (unsigned int n = 61; n <= 62; n++)
    {
      change (n);
      commit ();
    }
  cs_store_close (reader);
  leave ();
}

/* One of a row of lives that commit once each.  */
static unsigned int lives;

static void
live_shortly (void)
{
  reopen ();
  change (100 + lives);
  commit ();
  leave_log ();
}

static void
die_while_leaving (void)
{
  reopen ();
  record_until (kill_at);
  change (200 + lives);
  commit ();
  leave_log ();
}

/* So that the log is applied at the end.  */
static void
live_with_less_history (void)
{
  reopen ();
  cs_store_set_history (store, HISTORY - 1);
  change (200 + lives);
  commit ();
  leave_log ();
}

static void
die_with_less_history (void)
{
  reopen ();
  cs_store_set_history (store, HISTORY - 1);
  change (200 + lives);
  commit ();
  record_until (kill_at);
  leave_log ();
}

static void
fail_to_sync (void)
{
  reopen ();
  change (71);
  record_failing_syncs (1, 1);
  CHECK (record_commit (trace, store) < 0 && store->log.broken);
  for (unsigned int n = 72; n <= 73; n++)
    {
      change (n);
      commit ();
    }
  leave ();
}

static void
fail_to_apply (void)
{
  reopen ();
  change (81);
  commit ();
  record_failing_syncs (kill_at, 1);
  cs_store_apply (store, &err);
  record_failing_syncs (0, 0);
  change (82);
  commit ();
  leave ();
}

/* The image grows to where the log is.  */
static char *
grow (void)
{
  char *far = store->image + FAR;

  CHECK (cs_store_map_at (store, far, 2 * PAGE, RW, CS_EXTENT_HEAP) == 0);
  memset (far, 88, PAGE);
  return far;
}

static void
work_and_grow (void)
{
  reopen ();
  change (61);
  commit ();
  grow ();
  change (62);
  commit ();
  apply ();
  change (63);
  commit ();
  leave ();
}

/* New pages behind all others, of which those in MASK are not zeros; they go to
   their place but for the first two, or all to the log.  */
static void
add_pages (unsigned int n, unsigned int mask, bool in_place)
{
  size_t nr = cs_directory (store)->nr_extents;
  char *more = store->image + cs_extent_end (&cs_extent_table (store)[nr - 1]);

  CHECK (cs_store_map_at (store, more, 12 * PAGE, RW, CS_EXTENT_HEAP) == 0);
  for (unsigned int i = 0; i < 12; i++)
    if (mask >> i & 1)
      memset (more + i * PAGE, (int) (n + i), PAGE - i);
  cs_direct_threshold = in_place ? 2 * PAGE : UINT64_MAX;
}

static void
die_while_adding (void)
{
  reopen ();
  change (101);
  add_pages (101, 0xf7f, true);
  record_until (kill_at);
  commit ();
  change (102);
  add_pages (102, 0xdfe, true);
  commit ();
  leave ();
}

/* What the one before left is under other pages, or pages of zeros.  */
static void
add_again (void)
{
  reopen ();
  add_pages (103, 0x0c7, true);
  commit ();
  change (104);
  apply ();
  add_pages (104, 0xfff, true);
  commit ();
  leave ();
}

static void
add_zeros (void)
{
  reopen ();
  add_pages (105, 0x800, false);
  commit ();
  change (105);
  commit ();
  leave ();
}

static void
open_and_leave (void)
{
  reopen ();
  leave ();
}

/* New pages where the log was, which leads to a new place for that.  */
static void
add_over_the_log (void)
{
  reopen ();
  change (106);
  commit ();
  grow ();
  add_pages (106, 0xffe, true);
  record_until (kill_at);
  commit ();
  change (107);
  commit ();
  leave ();
}

/* The disk is full; what is committed next has zeros in some of the places.  */
static void
find_no_room (void)
{
  char *more;

  reopen ();
  change (110);
  add_pages (110, 0xf7f, true);
  more = store->image + cs_extent_end
    (&cs_extent_table (store)[cs_directory (store)->nr_extents - 1]);
  record_failing_write (kill_at);
  record_commit (trace, store);
  record_failing_write (0);
  memset (more - 6 * PAGE, 0, 4 * PAGE);
  change (111);
  commit ();
  leave ();
}

static void
fail_to_add (void)
{
  reopen ();
  change (108);
  add_pages (108, 0xf7f, true);
  record_failing_syncs (kill_at, 1);
  record_commit (trace, store);
  record_failing_syncs (0, 0);
  change (109);
  record_commit (trace, store);
  cs_store_apply (store, &err);
}

static void
commit_if_created (void)
{
  if (access (STORE, F_OK) == 0)
    commit_and_die ();
}

/* The log is in use, so that there is a whole new file.  */
static void
grow_beside_a_reader (void)
{
  struct cs_store *reader;

  reopen ();
  reader = open_mode (CS_STORE_READ);
  change (64);
  commit ();
  grow ();
  record_until (kill_at);
  commit ();
  cs_store_close (reader);
  leave ();
}

static void
fail_to_grow (void)
{
  char *far;

  reopen ();
  change (65);
  commit ();
  far = grow ();
  record_failing_syncs (kill_at, 1);
  record_commit (trace, store);
  record_failing_syncs (0, 0);
  CHECK (cs_store_unmap (store, far, 2 * PAGE) == 0);
  change (66);
  commit ();
  cs_store_apply (store, &err);
  change (67);
  commit ();
}

static int
no_folder (int dirfd, const char *name, mode_t mode)
{
  (void) dirfd;
  (void) name;
  (void) mode;
  errno = EACCES;
  return -1;
}

static void
work_without_history (void)
{
  cs_sys.mkdirat = no_folder;
  create_and_work ();
}

static int
only_names (int dirfd, const char *name, int flags, mode_t mode)
{
  static int (*next) (int, const char *, int, mode_t);

  if (!next)
    {
      next = cs_sys.openat;
      return 0;
    }
  if ((flags & O_TMPFILE) == O_TMPFILE)
    {
      errno = EOPNOTSUPP;
      return -1;
    }
  return next (dirfd, name, flags, mode);
}

/* On a file system without O_TMPFILE.  */
static void
create_by_name (void)
{
  only_names (0, NULL, 0, 0);
  cs_sys.openat = only_names;
  create_first ();
  change (1);
  commit ();
  leave ();
}

static void
copy (uint64_t generation, bool force)
{
  struct cs_store *from = NULL;
  struct attempt *a;

  CHECK (cs_store_open_at (STORE, CS_STORE_READ, generation, &from, &err)
         == 0);
  a = record_contents (trace, from, COPY, from->superblock.generation);
  cs_store_close (from);
  trace_add (trace, EVENT_BEGIN, NONE)->attempt = a;
  CHECK (cs_store_clone (STORE, generation, COPY, force, &err) == 0);
  trace_add (trace, EVENT_ACKNOWLEDGED, NONE)->attempt = a;
}

static void
copy_twice (void)
{
  copy (3, false);
  copy (CS_STORE_NEWEST, true);
}

/* Scenarios.  */

static void
plain (struct trace *into, int variant)
{
  static void (*const work[]) (void) = {
    work_beside_a_reader, work_with_ranges, work_evenly
  };

  trace = into;
  CHECK (live (create_and_work) == 0);
  CHECK (live (work[variant]) == 0);
  CHECK (live (work[(variant + 1) % 3]) == 0);
}

static void
creation (struct trace *into, int variant)
{
  trace = into;
  CHECK (live (variant == 0 ? create_and_end : create_by_name) == 0);
}

static void
replacement (struct trace *into, int variant)
{
  trace = into;
  (void) variant;
  CHECK (live (create_and_work) == 0);
  CHECK (live (create_and_work) == 0);
}

static void
killed_while_applying (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  live (die_while_applying);
  CHECK (live (variant % 2 ? commit_and_die : commit_beside_a_reader) == 0);
}

/* There is no history yet when the first one is killed.  */
static void
killed_early (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_end) == 0);
  live (die_while_applying);
  CHECK (live (commit_beside_a_reader) == 0);
}

/* What a power failure takes back may have been seen by those who went on:
   it must not matter to what they did.  */
static void
killed_while_committing (struct trace *into, int variant)
{
  static void (*const next[]) (void) = {
    commit_and_die, commit_beside_a_reader
  };

  trace = into;
  kill_at = (unsigned int) variant / 2 + 1;
  CHECK (live (create_and_work) == 0);
  live (die_while_committing);
  CHECK (live (next[variant % 2]) == 0);
}

static void
killed_while_creating (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant / 2 + 1;
  if (variant % 2)
    CHECK (live (create_and_work) == 0);
  live (die_while_creating);
  CHECK (live (commit_if_created) == 0);
}

static void
killed_while_rewriting (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  live (grow_beside_a_reader);
  CHECK (live (commit_and_die) == 0);
}

static void
killed_while_opening (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  CHECK (live (commit_and_die) == 0);
  live (die_while_opening);
  CHECK (live (commit_beside_a_reader) == 0);
}

/* Lives that leave their commits in the log.  */
static void
live_and_leave (unsigned int nr)
{
  for (; nr > 0; nr--, lives++)
    CHECK (live (live_shortly) == 0);
}

static void
left_in_the_log (struct trace *into, int variant)
{
  static void (*const next[]) (void) = {
    work_beside_a_reader, commit_and_die, live_with_less_history,
    work_and_grow, work_with_ranges
  };

  trace = into;
  CHECK (live (create_and_work) == 0);
  live_and_leave (3);
  CHECK (live (next[variant]) == 0);
  live_and_leave (2);
}

static void
killed_while_leaving (struct trace *into, int variant)
{
  static void (*const dying[]) (void) = {
    die_while_leaving, die_with_less_history, die_while_applying
  };

  trace = into;
  kill_at = (unsigned int) variant / 6 + 1;
  CHECK (live (create_and_work) == 0);
  live_and_leave (2);
  live (dying[variant % 3]);
  if (variant / 3 % 2)
    live_and_leave (2);
  else
    CHECK (live (commit_beside_a_reader) == 0);
}

static void
sync_fails (struct trace *into, int variant)
{
  trace = into;
  CHECK (live (create_and_work) == 0);
  if (variant == 0)
    CHECK (live (fail_to_sync) == 0);
  else
    {
      kill_at = (unsigned int) variant - 1;
      CHECK (live (fail_to_apply) == 0);
    }
  CHECK (live (commit_and_die) == 0);
}

static void
growth (struct trace *into, int variant)
{
  trace = into;
  (void) variant;
  CHECK (live (create_and_work) == 0);
  CHECK (live (work_and_grow) == 0);
}

static void
growth_with_trouble (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant;     /* 0: nobody is killed */
  CHECK (live (create_and_work) == 0);
  CHECK (live (variant == 0 ? grow_beside_a_reader : fail_to_grow) == 0);
  CHECK (live (commit_and_die) == 0);
}

static void
addition_killed (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant / 3 + 1;
  CHECK (live (create_and_work) == 0);
  live (die_while_adding);
  if (variant % 3 == 1)
    CHECK (live (commit_and_die) == 0);
  if (variant % 3 == 2)
    CHECK (live (open_and_leave) == 0);
  CHECK (live (variant % 2 ? add_again : add_zeros) == 0);
  CHECK (live (add_again) == 0);
}

static void
addition_over_the_log (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  live (add_over_the_log);
  CHECK (live (variant % 2 ? add_again : add_zeros) == 0);
}

static void
addition_without_room (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  CHECK (live (find_no_room) == 0);
  CHECK (live (variant % 2 ? add_again : add_zeros) == 0);
}

static void
addition_not_synced (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant + 1;
  CHECK (live (create_and_work) == 0);
  CHECK (live (fail_to_add) == 0);
  CHECK (live (variant % 2 ? add_again : add_zeros) == 0);
}

static void
no_history (struct trace *into, int variant)
{
  trace = into;
  (void) variant;
  CHECK (live (work_without_history) == 0);
  CHECK (live (commit_and_die) == 0);
}

static void
copies (struct trace *into, int variant)
{
  trace = into;
  CHECK (live (create_and_work) == 0);
  if (variant > 0)
    CHECK (live (commit_and_die) == 0);
  CHECK (live (copy_twice) == 0);
}

static void
beside_an_apply (struct trace *into, int variant)
{
  trace = into;
  (void) variant;
  kill_at = 0;
  CHECK (live (create_and_work) == 0);
  CHECK (live (work_beside_an_apply) == 0);
}

static void
killed_beside_an_apply (struct trace *into, int variant)
{
  trace = into;
  kill_at = (unsigned int) variant / 2 * 3 + 1;
  CHECK (live (create_and_work) == 0);
  live (work_beside_an_apply);
  CHECK (live (variant % 2 ? commit_and_die : commit_beside_a_reader) == 0);
}

static const char *recovered;

static void
recover_and_go_on (void)
{
  if (cs_store_open (recovered, CS_STORE_WRITE, &store, &err) < 0)
    return;                     /* nothing was there yet */
  find_heap ();
  change (91);
  if (strcmp (recovered, STORE) == 0)
    commit ();
  if (store->superblock.generation % 2)
    leave_log ();
  else
    leave ();
}

void
recover (struct trace *into, const char *path)
{
  trace = into;
  recovered = path;
  CHECK (live (recover_and_go_on) == 0);
}

const struct scenario scenarios[] = {
  { "creation", creation, 2, STORE, false },
  { "commits, applied and not", plain, 3, STORE, true },
  { "a store that is replaced", replacement, 1, STORE, false },
  { "applying is killed, and others go on", killed_while_applying, 40, STORE,
    true },
  { "the same before there is a history", killed_early, 24, STORE, true },
  { "recovery is killed, and others go on", killed_while_opening, 24, STORE,
    true },
  { "syncs that fail", sync_fails, 6, STORE, false },
  { "growth", growth, 1, STORE, true },
  { "growth beside a reader, or with syncs that fail", growth_with_trouble,
    9, STORE, false },
  { "no history", no_history, 1, STORE, false },
  { "copies", copies, 2, COPY, false },
  { "what is copied", copies, 2, STORE, true },
  { "a commit is killed, and others go on", killed_while_committing, 20,
    STORE, true },
  { "creation is killed, and others go on", killed_while_creating, 60, STORE,
    false },
  { "a whole new file is killed, and others go on", killed_while_rewriting,
    40, STORE, false },
  { "new pages in their place are killed, and others go on", addition_killed,
    120, STORE, true },
  { "the same where the log was", addition_over_the_log, 32, STORE, false },
  { "syncs that fail of new pages", addition_not_synced, 5, STORE, false },
  { "no room for new pages", addition_without_room, 9, STORE, true },
  { "commits are left in the log", left_in_the_log, 5, STORE, true },
  { "who leaves is killed, and others go on", killed_while_leaving, 120, STORE,
    true },
  { "commits between the slices of an apply", beside_an_apply, 1, STORE, true },
  { "the same is killed, and others go on", killed_beside_an_apply, 60, STORE,
    true }
};

const size_t nr_scenarios = sizeof scenarios / sizeof *scenarios;
