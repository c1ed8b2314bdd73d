/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-faults.c -- what is done to a store when something fails.

   Afterwards the store is what it was before or what it was to become, as a
   whole.  Backups and restores: test-backup-faults.c.  */

#include "backup-fixture.h"
#include "fault-loop.h"

#include "store/history.h"

#define SAVED "saved.store"
#define NEXT "next.store"

/* Copy a file with its holes.  */
static void
copy_file (const char *from, const char *to)
{
  char buf[1 << 16];
  int in = open (from, O_RDONLY);
  int out = open (to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  off_t data = 0, hole;
  struct stat st;

  CHECK (in >= 0 && out >= 0 && fstat (in, &st) == 0);
  CHECK (ftruncate (out, st.st_size) == 0);
  while ((data = lseek (in, data, SEEK_DATA)) >= 0)
    for (hole = lseek (in, data, SEEK_HOLE); data < hole;)
      {
        size_t len = hole - data < (off_t) sizeof buf ? (size_t) (hole - data)
                     : sizeof buf;

        CHECK (pread (in, buf, len, data) == (ssize_t) len
               && pwrite (out, buf, len, data) == (ssize_t) len);
        data += (off_t) len;
      }
  close (in);
  close (out);
}

static void
nothing (void)
{
}

static int
no_sync (int fd)
{
  (void) fd;
  return 0;
}

/* Without waiting for the disk, which is not what fails here.  */
static void
loop (void (*prepare) (void), int (*run) (void), void (*check) (int r),
      int other_error, int least)
{
  struct operation op = { prepare, run, check, other_error };

  cs_sys.fsync = cs_sys.fdatasync = no_sync;
  fault_loop (&op, least);
}

static void
remove_history (const char *store)
{
  char name[64];

  snprintf (name, sizeof name, "%s-history", store);
  nftw (name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
copy_history (const char *from, const char *to)
{
  char in[64], out[64];

  snprintf (out, sizeof out, "%s-history", to);
  remove_history (to);
  CHECK (mkdir (out, 0700) == 0);
  for (int g = 1; g < 10; g++)
    {
      snprintf (in, sizeof in, "%s-history/%d", from, g);
      snprintf (out, sizeof out, "%s-history/%d", to, g);
      if (exists (in))
        copy_file (in, out);
    }
}

static void
copy_store (const char *from, const char *to)
{
  copy_file (from, to);
  copy_history (from, to);
}

static void
restore_saved (void)
{
  copy_store (SAVED, STORE);
}

static void
change (char *heap, int g)
{
  memset (heap + g % 7 * PAGE, 100 + g, PAGE);
  memset (heap + (g + 9) * PAGE, 0, PAGE);
}

/* Generations 1 to 3 of SAVED are applied, 4 and 5 are in its log; NEXT is
   the same with generation 6.  */
static void
make_saved (void)
{
  struct cs_store *store, *reader;
  char *heap;

  other_reserved = 16 << 20;
  heap = make_heap (&store);
  for (int g = 2; g <= 5; g++)
    {
      reader = g > 3 ? open_mode (CS_STORE_READ) : NULL;
      change (heap, g);
      commit_ok (store);
      CHECK (cs_store_apply (store, &err) == 0);
      cs_store_close (reader);
    }
  CHECK (store->log.len > 0);
  copy_store (STORE, SAVED);
  change (heap, 6);
  commit_ok (store);
  copy_store (STORE, NEXT);
  _exit (0);
}

/* The store is generation 5, and so are those before it, as far as they are
   there.  */
static void
check_same (int r)
{
  struct cs_generation list[16];
  struct cs_store *store = NULL;
  size_t nr;

  (void) r;
  CHECK (same_store (SAVED, CS_STORE_NEWEST, STORE));
  ok (cs_store_open (STORE, CS_STORE_READ, &store, &err));
  nr = cs_store_history (store, list, 16);
  cs_store_close (store);
  CHECK (nr == 5);
  for (size_t i = 1; i < nr; i++)
    {
      ok (cs_store_open_at (STORE, CS_STORE_READ, list[i].generation, &store,
                            &err));
      cs_store_close (store);
    }
}

static int
run_replay (void)
{
  struct cs_store *store = NULL;
  int r = cs_store_open (STORE, CS_STORE_WRITE, &store, &err);

  if (r < 0)
    return r;
  r = cs_store_settle (store, &err);
  close_and_unmap (store);
  return r;
}

static void
replay (void)
{
  CHECK (in_child (make_saved) == 0);
  other_reserved = 16 << 20;
  loop (restore_saved, run_replay, check_same, 0, 50);
}

static int
run_read (void)
{
  struct cs_store *store = NULL;
  int r = cs_store_open_at (STORE, CS_STORE_READ, 2, &store, &err);

  if (r == 0)
    cs_store_close (store);
  return r;
}

static int
run_ephemeral (void)
{
  struct cs_store *store = NULL;
  int r = cs_store_open_at (STORE, CS_STORE_EPHEMERAL, 4, &store, &err);

  if (r == 0)
    close_and_unmap (store);
  return r;
}

static void
older (void)
{
  CHECK (in_child (make_saved) == 0);
  restore_saved ();
  /* What cannot be looked at of the history counts as not kept.  */
  loop (nothing, run_read, check_same, CS_E_REFUSED, 15);
  loop (nothing, run_ephemeral, check_same, CS_E_REFUSED, 15);
}

/* Another generation, and END.  */
static int
live (int (*end) (struct cs_store *store, struct cs_err *err))
{
  struct cs_store *store = NULL;
  int r = cs_store_open (STORE, CS_STORE_WRITE, &store, &err);

  if (r < 0)
    return r;
  change (store->image + cs_directory_len (cs_directory (store)) + PAGE, 6);
  r = cs_store_commit (store, &err);
  if (r == 0)
    r = end (store, &err);
  close_and_unmap (store);
  return r;
}

static int
run_work (void)
{
  return live (cs_store_settle);
}

static int
run_leave (void)
{
  return live (cs_store_leave);
}

static void
check_work (int r)
{
  struct cs_store *store = NULL;
  uint64_t generation;

  ok (cs_store_open (STORE, CS_STORE_READ, &store, &err));
  generation = store->superblock.generation;
  cs_store_close (store);
  CHECK (generation == 6 || (generation == 5 && r < 0));
  CHECK (same_pages (generation == 6 ? NEXT : SAVED, CS_STORE_NEWEST, STORE,
                     false));
}

static void
work (void)
{
  CHECK (in_child (make_saved) == 0);
  loop (restore_saved, run_work, check_work, 0, 80);
}

/* As the one before left it: with a log, and a note that speaks of it.  */
static void
restore_left (void)
{
  struct cs_store *store;

  restore_saved ();
  store = open_mode (CS_STORE_WRITE);
  ok (cs_store_apply_if_due (store, &err));
  store->log.settled = store->names_synced = true;
  ok (cs_store_leave (store, &err));
  CHECK (store->log.len > 0 && cs_settled_covers (store));
  close_and_unmap (store);
}

static void
leaving (void)
{
  CHECK (in_child (make_saved) == 0);
  loop (restore_left, run_leave, check_work, 0, 35);
}

/* A commit and what follows it take no memory by malloc (commit.c).  */
static void
no_allocation (void)
{
  struct cs_store *store;

  CHECK (in_child (make_saved) == 0);
  restore_saved ();
  store = open_mode (CS_STORE_WRITE);
  change (store->image + cs_directory_len (cs_directory (store)) + PAGE, 6);
  begin_faults (FAULT_MALLOC_FOR_GOOD, 1);
  CHECK (cs_store_commit (store, &err) == 0);
  CHECK (cs_store_settle (store, &err) == 0);
  end_faults ();
  CHECK (fired == 0);
}

/* Creating.  */

static void
clear (void)
{
  unlink (STORE);
  remove_history (STORE);
}

static int
run_create (void)
{
  struct cs_store_params params = default_params ();
  struct cs_store *store = NULL;
  void *addr;
  int r = cs_store_create (STORE, &params, false, &store, &err);

  if (r < 0)
    return r;
  r = cs_store_section_create (store, "words", PAGE, RW, &addr);
  if (r < 0)
    cs_err_sys (&err, -r, "section");
  else
    {
      strcpy (addr, "created");
      r = cs_store_commit (store, &err);
    }
  close_and_unmap (store);
  return r;
}

static void
check_created (int r)
{
  CHECK (exists (STORE) || r < 0);
  CHECK (entries () == exists (STORE));
  CHECK (!exists (STORE) || file_says ("created"));
}

static void
creating (void)
{
  other_reserved = 16 << 20;
  loop (clear, run_create, check_created, 0, 10);
}

static int
run_clone (void)
{
  return cs_store_clone (STORE, 3, COPY, false, &err);
}

static void
remove_copy (void)
{
  unlink (COPY);
}

static void
check_clone (int r)
{
  struct cs_store *store = NULL;

  CHECK (exists (COPY) || r < 0);
  CHECK (same_store (SAVED, CS_STORE_NEWEST, STORE));
  CHECK (entries () == (exists (COPY) ? 6u : 5u));
  if (!exists (COPY))
    return;
  ok (cs_store_open (COPY, CS_STORE_READ, &store, &err));
  CHECK (store->superblock.generation == 3);
  cs_store_close (store);
}

static void
cloning (void)
{
  CHECK (in_child (make_saved) == 0);
  restore_saved ();
  loop (remove_copy, run_clone, check_clone, CS_E_REFUSED, 30);
}

/* A page of the newest generation is damaged; the one before is whole.  */
static void
make_damaged (void)
{
  struct cs_superblock_disk sb;
  struct cs_store *store;
  uint64_t off;

  other_reserved = 16 << 20;
  make_heap (&store);
  for (int g = 2; g <= 3; g++)
    {
      change (store->image + cs_directory_len (cs_directory (store)) + PAGE,
              g);
      commit_ok (store);
      CHECK (cs_store_settle (store, &err) == 0);
    }
  off = cs_directory_len (cs_directory (store)) + 4 * PAGE;
  peek (0, &sb, sizeof sb);
  patch (cs_store_image_off (&sb) + off + 77, "damage", 6);
  copy_store (STORE, SAVED);
  _exit (0);
}

static void
restore_damaged (void)
{
  unlink (STORE ".damaged");
  remove_history (STORE ".damaged");
  restore_saved ();
}

static int
run_repair (void)
{
  struct cs_repair repair;
  int r = cs_store_repair (STORE, &repair, &err);

  /* A history that cannot be looked at may be all that is whole.  */
  return r == -CS_E_REFUSED ? -CS_E_DAMAGED : r;
}

static unsigned nr_damages, nr_strange;

static void
count_damage (void *closure, const struct cs_damage *damage)
{
  (void) closure;
  if (strcmp (damage->structure, "history") == 0)
    nr_strange++;
  else
    nr_damages++;
}

static void
check_repaired (int r)
{
  struct cs_store *store = NULL;
  bool is_kept = exists (STORE ".damaged");

  ok (cs_store_open (STORE, CS_STORE_READ, &store, &err));
  nr_damages = nr_strange = 0;
  ok (cs_store_verify (store, count_damage, NULL, &err));
  CHECK (store->superblock.generation == (is_kept ? 2 : 3));
  CHECK ((nr_damages == 0) == is_kept && (is_kept || r < 0));
  /* The damaged one's, if it could neither be moved nor the names back.  */
  CHECK (nr_strange == 0 || r < 0);
  cs_store_close (store);
}

static void
repairing (void)
{
  CHECK (in_child (make_damaged) == 0);
  loop (restore_damaged, run_repair, check_repaired, CS_E_DAMAGED, 60);
}

/* A link in another folder leads to the store.  */
static void
repair_by_link (void)
{
  struct cs_repair repair;

  CHECK (in_child (make_damaged) == 0);
  CHECK (mkdir ("links", 0700) == 0
         && symlink ("../" STORE, "links/l.store") == 0);
  ok (cs_store_repair ("links/l.store", &repair, &err));
  CHECK (repair.damaged && repair.generation == 2);
  CHECK (exists (STORE ".damaged") && exists (repair.kept));
  check_repaired (0);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "L3: each call of opening after a kill, and of an apply", replay },
    { "H2: each call of opening an older generation", older },
    { "L1: each call of opening, a commit and its apply", work },
    { "L10: each call of opening, a commit and leaving", leaving },
    { "a commit and its apply take no memory", no_allocation },
    { "S4: each call of creating a store", creating },
    { "each call of copying an older generation", cloning },
    { "each call of a repair", repairing },
    { "a repair by a link in another folder", repair_by_link }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
