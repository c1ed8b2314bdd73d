/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-leave.c -- processes that leave their commits in the log, one after the
   other, and the note of what they have synced.  */

#include <inttypes.h>
#include <zlib.h>

#include "store-numbers.h"

#include "store/backup.h"
#include "store/history.h"

static struct cs_err err;

static int syncs, folder_syncs;

static int
count_fdatasync (int fd)
{
  syncs++;
  return fdatasync (fd);
}

static int
count_fsync (int fd)
{
  struct stat st;

  CHECK (fstat (fd, &st) == 0);
  folder_syncs += S_ISDIR (st.st_mode);
  syncs += !S_ISDIR (st.st_mode);
  return fsync (fd);
}

static void
count_syncs (void)
{
  syncs = folder_syncs = 0;
  cs_sys.fdatasync = count_fdatasync;
  cs_sys.fsync = count_fsync;
}

/* Go on from the generation that is there.  */
static void
commit_next (struct cs_store *store)
{
  commit_number (store, store->superblock.generation + 1);
}

static void
leave_ok (struct cs_store *store)
{
  if (cs_store_leave (store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
  close_and_unmap (store);
}

/* A whole life.  */
static void
live (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  commit_next (store);
  leave_ok (store);
}

static void
commit_and_die (void)
{
  commit_next (open_mode (CS_STORE_WRITE));
}

/* A store with a directory for its history, whose image is generation 2.  */
static void
start (void)
{
  struct cs_store *store;

  make_store ("1");
  store = open_mode (CS_STORE_WRITE);
  commit_next (store);
  settle_ok (store);
  leave_ok (store);
}

/* Generations FIRST to LAST, the newest, can be opened, and no others.  */
static void
check_generations (uint64_t first, uint64_t last)
{
  struct cs_generation list[64];
  struct cs_store *store = open_mode (CS_STORE_READ);
  size_t nr = cs_store_history (store, list, 64);

  cs_store_close (store);
  CHECK (nr == last - first + 1);
  for (uint64_t g = first; g <= last; g++)
    {
      char text[16];

      CHECK (list[last - g].generation == g);
      snprintf (text, sizeof text, "%" PRIu64, g);
      CHECK (generation_says (g, text));
    }
  if (first > 1)
    CHECK (cs_store_open_at (STORE, CS_STORE_READ, first - 1, &store, &err)
           == -CS_E_REFUSED && strstr (err.text, "is not kept"));
  err = (struct cs_err) CS_ERR_INIT;
}

static void
one_sync (void)
{
  start ();
  count_syncs ();
  for (int i = 1; i <= 6; i++)
    {
      live ();
      CHECK (syncs == i && folder_syncs == 0);
    }
  CHECK (file_says ("8"));
  check_generations (1, 8);
  /* One that changes nothing writes nothing.  */
  leave_ok (open_mode (CS_STORE_WRITE));
  CHECK (syncs == 6 && file_says ("8"));
}

/* What has changed is told by what the log has, too.  */
static void
nothing_changed (void)
{
  struct cs_store *store;

  start ();
  live ();
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len > 0);
  commit_ok (store);
  CHECK (store->superblock.generation == 3);
  say_number (store, 2);                /* as the image has it */
  commit_ok (store);
  CHECK (store->superblock.generation == 4);
  leave_ok (store);
  CHECK (file_says ("2"));
}

static void
copy_file (const char *from, const char *to)
{
  char command[128];

  snprintf (command, sizeof command, "cp --sparse=always %s %s", from, to);
  CHECK (system (command) == 0);
}

/* How many syncs of the file and the folder the next life takes.  */
static void
check_syncs (int of_file, int of_folder)
{
  count_syncs ();
  live ();
  CHECK (syncs == of_file && folder_syncs == of_folder);
}

static void
copies_and_names (void)
{
  start ();
  live ();
  copy_file (STORE, "b.store");
  check_syncs (1, 0);
  CHECK (rename ("b.store", STORE) == 0 && file_says ("3"));
  check_syncs (2, 1);           /* nothing of a copy may have been synced */
  check_syncs (1, 0);
  CHECK (rename (STORE, "c.store") == 0 && mkdir ("d", 0700) == 0
         && rename ("c.store", "d/" STORE) == 0
         && rename (STORE "-history", "d/" STORE "-history") == 0
         && chdir ("d") == 0);
  check_syncs (1, 1);           /* its name may not be on stable storage */
  check_generations (1, 6);
}

static void
killed_behind_the_note (void)
{
  start ();
  live ();
  CHECK (in_child (commit_and_die) == 0 && file_says ("4"));
  check_syncs (2, 0);
  check_syncs (1, 0);
  check_generations (1, 6);
}

static void
flip (uint64_t off, unsigned bit)
{
  unsigned char byte;

  peek (off, &byte, 1);
  byte ^= (unsigned char) (1u << bit);
  patch (off, &byte, 1);
}

/* A note that is not as it was written counts for nothing.  */
static void
flips_of_the_note (void)
{
  const uint64_t end = CS_STORE_SETTLED_OFF + sizeof (struct cs_settled_disk);

  start ();
  for (uint64_t off = CS_STORE_SETTLED_OFF; off < end; off += 5)
    {
      live ();
      flip (off, (unsigned) off % 8);
      check_syncs (2, 1);
    }
  check_generations (open_mode (CS_STORE_READ)->superblock.generation - 8,
                     open_mode (CS_STORE_READ)->superblock.generation);
}

/* The note is older than what an apply has made of the log, and the log's end
   may be the same.  */
static void
note_of_an_older_log (void)
{
  struct cs_store *store;
  uint64_t generation;

  for (int lives = 1; lives <= 2; lives++)
    {
      start ();
      for (int i = 0; i < lives; i++)
        live ();
      store = open_mode (CS_STORE_WRITE);
      CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
      generation = store->superblock.generation;
      close_and_unmap (store);
      CHECK (in_child (commit_and_die) == 0);
      check_syncs (2, 0);
      check_generations (1, generation + 2);
      CHECK (unlink (STORE) == 0
             && system ("rm -r " STORE "-history") == 0);
    }
}

static int
fail_fdatasync (int fd)
{
  (void) fd;
  errno = EIO;
  return -1;
}

/* Who leaves notes nothing that was not synced: after a commit that failed; a
   record of somebody who was killed; a new name.  */
static void
nothing_to_note (void)
{
  struct cs_store *store;

  start ();
  store = open_mode (CS_STORE_WRITE);
  commit_next (store);
  say_number (store, 100);
  cs_sys.fdatasync = fail_fdatasync;
  CHECK (cs_store_commit (store, &err) == -EIO);
  cs_store_leave (store, &err);
  cs_sys.fdatasync = fdatasync;
  err = (struct cs_err) CS_ERR_INIT;
  close_and_unmap (store);
  CHECK (file_says ("3"));
  check_syncs (2, 0);
  CHECK (in_child (commit_and_die) == 0);
  leave_ok (open_mode (CS_STORE_WRITE));
  check_syncs (2, 0);
  CHECK (mkdir ("e", 0700) == 0 && rename (STORE, "e/" STORE) == 0
         && rename (STORE "-history", "e/" STORE "-history") == 0
         && chdir ("e") == 0);
  leave_ok (open_mode (CS_STORE_WRITE));
  check_syncs (1, 1);
  check_generations (1, 7);
}

static void
live_as (const char *path)
{
  struct cs_store *store;

  CHECK (cs_store_open (path, CS_STORE_WRITE, &store, &err) == 0);
  commit_next (store);
  leave_ok (store);
}

/* In one directory.  */
static void
another_name (void)
{
  start ();
  live ();
  CHECK (rename (STORE, "f.store") == 0
         && rename (STORE "-history", "f.store-history") == 0);
  live_as ("f.store");
  CHECK (rename ("f.store", STORE) == 0
         && rename ("f.store-history", STORE "-history") == 0);
  check_syncs (1, 1);
  check_generations (1, 5);
}

/* Who applies is killed when the log has been wiped, but not synced after that:
   the generation is the note's, and the end of the log is not.  */

static off_t log_off;
static bool wiped;

static ssize_t
watch_wipe (int fd, const void *buf, size_t len, off_t off)
{
  wiped = wiped || off == log_off;
  return pwrite (fd, buf, len, off);
}

static int
die_if_wiped (int fd)
{
  if (wiped)
    _exit (0);
  return fdatasync (fd);
}

static void
apply_and_die (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = watch_wipe;
  cs_sys.fdatasync = die_if_wiped;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

static void
killed_behind_the_wipe (void)
{
  start ();
  live ();
  CHECK (in_child (apply_and_die) == 0 && file_says ("3"));
  check_syncs (2, 0);
  check_generations (1, 4);
}

/* Damage.  */

struct left
{
  uint64_t off, end, first_end; /* of the log, and of its first record */
};

/* Generations 3 and 4 are in the log.  */
static struct left
leave_two (void)
{
  struct cs_store *store;
  struct left left;

  start ();
  live ();
  store = open_mode (CS_STORE_READ);
  left.first_end = cs_log_end (store);
  cs_store_close (store);
  live ();
  store = open_mode (CS_STORE_READ);
  left.off = cs_log_off (store);
  left.end = cs_log_end (store);
  cs_store_close (store);
  return left;
}

static void
count (void *closure, const struct cs_damage *damage)
{
  CHECK (damage->structure[0]);
  ++*(int *) closure;
}

static int
damages (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  int nr = 0;

  CHECK (cs_store_verify (store, count, &nr, &err) == 0);
  cs_store_close (store);
  return nr;
}

/* In the words of a record's first page, where changes tell.  */
static void
damaged_page (void)
{
  struct left left = leave_two ();
  struct cs_repair repair;
  struct cs_store *store;

  CHECK (damages () == 0);
  flip (left.first_end + 2 * PAGE - 9, 3);
  CHECK (damages () == 2);              /* the page, and the record */
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_settle (store, &err) == -CS_E_DAMAGED
         && store->log.len > 0);
  close_and_unmap (store);
  CHECK (cs_store_repair (STORE, &repair, &err) == 0);
  CHECK (repair.damaged && repair.found == 4 && repair.generation == 3);
  CHECK (file_says ("3") && damages () == 0);
}

static void
damaged_page_that_was_replaced (void)
{
  struct left left = leave_two ();

  flip (left.off + 2 * PAGE - 9, 3);
  CHECK (damages () == 1 && file_says ("4"));
}

/* The newest generation does not vanish without a word (L11).  */
static void
refused (uint64_t whole)
{
  struct cs_repair repair;
  char text[16];

  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_DAMAGED);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_DAMAGED);
  snprintf (text, sizeof text, "%" PRIu64, whole);
  CHECK (generation_says (whole, text));
  CHECK (cs_store_repair (STORE, &repair, &err) == 0);
  CHECK (repair.damaged && repair.generation == whole && file_says (text));
  CHECK (rename ("a.store.damaged", STORE) == 0);
  CHECK (rename ("a.store.damaged-history", STORE "-history") == 0);
}

static void
truncated (void)
{
  struct left left = leave_two ();
  struct stat st;

  CHECK (stat (STORE, &st) == 0 && (uint64_t) st.st_size == left.end);
  CHECK (truncate (STORE, (off_t) left.end - 1) == 0);
  refused (3);
  CHECK (truncate (STORE, (off_t) left.first_end) == 0);
  refused (3);
  CHECK (truncate (STORE, (off_t) left.first_end - 1) == 0);
  refused (2);
  CHECK (truncate (STORE, (off_t) left.off) == 0);
  refused (2);
}

static void
damaged_heads (void)
{
  struct left left = leave_two ();
  uint64_t heads[] = { left.off, left.first_end };

  for (size_t i = 0; i < 2; i++)
    for (uint64_t at = 0; at < sizeof (struct cs_record_disk); at += 7)
      {
        flip (heads[i] + at, (unsigned) at % 8);
        refused (i == 0 ? 2 : 3);
        flip (heads[i] + at, (unsigned) at % 8);
      }
  flip (left.end - PAGE, 0);            /* an index */
  refused (3);
  flip (left.end - PAGE, 0);
  CHECK (file_says ("4"));
}

/* A note that ends before the newest record vouches for none behind its end.  */
static void
damaged_behind_the_note (void)
{
  struct left left = leave_two ();
  struct cs_settled_disk note;

  peek (CS_STORE_SETTLED_OFF, &note, sizeof note);
  CHECK (note.generation == 4 && note.end == left.end);
  note.end = left.first_end;
  note.crc = (uint32_t) crc32 (0, (const Bytef *) &note,
                               offsetof (struct cs_settled_disk, crc));
  patch (CS_STORE_SETTLED_OFF, &note, sizeof note);
  CHECK (file_says ("4"));
  flip (left.off + 2 * PAGE - 9, 3);
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
}

static void
damaged_copy (void)
{
  struct left left = leave_two ();

  copy_file (STORE, "b.store");
  CHECK (rename ("b.store", STORE) == 0 && file_says ("4"));
  flip (left.end - 2 * PAGE, 0);
  refused (3);
}

/* When the log is applied (A5).  */

static bool
has_log (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  bool has = store->log.len > 0;

  cs_store_close (store);
  return has;
}

static void
many_records (void)
{
  int lives = 0;

  start ();
  do
    live ();
  while (++lives < 100 && has_log ());
  CHECK (lives == 32);
  check_generations (26, 34);
  for (int g = 1; g < 26; g++)
    {
      char name[64];

      snprintf (name, sizeof name, STORE "-history/%d", g);
      CHECK (access (name, F_OK) < 0);
    }
  live ();
  CHECK (has_log ());
  check_generations (27, 35);
}

static void
much_in_one (void)
{
  struct cs_store *store;
  char *heap;

  start ();
  store = open_mode (CS_STORE_WRITE);
  heap = cs_store_map (store, 600 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  memset (heap, 5, 600 * PAGE);
  commit_next (store);
  CHECK (store->log.len > 0);
  leave_ok (store);
  CHECK (!has_log ());
  check_generations (1, 3);
}

static void
leave_beside_a_reader (void)
{
  struct cs_store *reader, *store;

  start ();
  reader = open_mode (CS_STORE_READ);
  for (int i = 0; i < 40; i++)
    live ();
  CHECK (has_log () && file_says ("42"));
  check_generations (34, 42);
  cs_store_close (reader);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->log.len == 0);          /* it was long */
  close_and_unmap (store);
  check_generations (34, 42);
}

static void
other_history (void)
{
  struct cs_store *store;

  start ();
  for (int i = 0; i < 5; i++)
    live ();
  store = open_mode (CS_STORE_WRITE);
  cs_store_set_history (store, 2);
  commit_next (store);
  leave_ok (store);
  CHECK (!has_log () && access (STORE "-history/5", F_OK) < 0);
  check_generations (6, 8);
  for (uint64_t g = 9; g < 20; g++)
    {
      live ();
      CHECK (has_log ());
      check_generations (g - 2, g);
    }
}

static void
no_history (void)
{
  struct cs_store *store;

  start ();
  store = open_mode (CS_STORE_WRITE);
  cs_store_set_history (store, 0);
  commit_next (store);
  leave_ok (store);
  CHECK (!has_log () && access (STORE "-history/2", F_OK) < 0);
  live ();
  live ();
  CHECK (has_log ());
  check_generations (5, 5);
}

static ssize_t
die_at_wipe (int fd, const void *buf, size_t len, off_t off)
{
  if (off == log_off)
    _exit (0);
  return pwrite (fd, buf, len, off);
}

static void
keep_again_and_die (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  cs_store_set_history (store, 3);
  commit_next (store);
  log_off = (off_t) cs_log_off (store);
  cs_sys.pwrite = die_at_wipe;
  cs_store_apply (store, &err);
  CHECK (!"to be reached");
}

/* All of the log is in the image, but nothing says so: the log leads back to
   none of its generations.  */
static void
history_again (void)
{
  no_history ();
  CHECK (in_child (keep_again_and_die) == 0 && file_says ("6"));
  check_generations (6, 6);
}

/* A history's directory is made by the first who needs it, and one that is not
   ours is told of by each.  */
static void
obstacles (void)
{
  struct cs_store *store;
  char text[256];

  make_store ("1");
  live ();
  CHECK (!has_log () && access (STORE "-history/1", F_OK) == 0);
  live ();
  CHECK (has_log () && chmod (STORE "-history", 0777) == 0);
  store = open_mode (CS_STORE_WRITE);
  commit_next (store);
  CHECK (cs_store_leave (store, &err) == 0);
  CHECK (cs_store_take_warning (store, text, sizeof text));
  close_and_unmap (store);
  CHECK (!has_log ());
  check_generations (4, 4);
}

/* Whoever makes something of a store with a log.  */

static void
clones_and_backups (void)
{
  const char *from[] = { "full", "since" };
  struct cs_backup_params full = { .fd = -1, .to = "full" };
  struct cs_backup_params since = { .fd = -1, .to = "since", .since = 4 };

  start ();
  live ();
  live ();
  CHECK (cs_store_backup (STORE, &full, NULL, &err) == 0);
  live ();
  live ();
  CHECK (cs_store_backup (STORE, &since, NULL, &err) == 0);
  CHECK (cs_store_clone (STORE, 4, "b.store", false, &err) == 0);
  CHECK (cs_store_clone (STORE, CS_STORE_NEWEST, "c.store", false, &err)
         == 0);
  CHECK (cs_store_restore (from, 2, "d.store", false, NULL, NULL, &err)
         == 0);
  copy_file (STORE, "e.store");
  CHECK (rename ("b.store", STORE) == 0 && file_says ("4") && !has_log ());
  check_syncs (1, 1);           /* a new store has no note */
  CHECK (rename ("c.store", STORE) == 0 && file_says ("6"));
  CHECK (rename ("d.store", STORE) == 0 && file_says ("6"));
  CHECK (rename ("e.store", STORE) == 0 && file_says ("6") && has_log ());
  check_generations (1, 6);
}

/* The image grows to where the log is, which a reader keeps there.  */
static void
moves_to_a_new_file (void)
{
  struct cs_store *store, *reader;
  char *heap;

  other_reserved = (uint64_t) 256 << 20;
  start ();
  live ();
  live ();
  reader = open_mode (CS_STORE_READ);
  store = open_mode (CS_STORE_WRITE);
  heap = store->image + ((uint64_t) store->log.start << 20);
  CHECK (cs_store_map_at (store, heap, 2 * PAGE, RW, CS_EXTENT_HEAP) == 0);
  heap[5] = 5;
  commit_next (store);
  CHECK (store->relocated);
  leave_ok (store);
  cs_store_close (reader);
  check_generations (1, 5);
  check_syncs (1, 0);
}

/* A process that saves again and again.  */
static void
running (void)
{
  struct cs_store *store;

  start ();
  live ();
  store = open_mode (CS_STORE_WRITE);
  for (int i = 0; i < 80; i++)
    {
      commit_next (store);
      CHECK (cs_store_apply_if_due (store, &err) == 0);
      CHECK (store->log.len < 32 * 4 * PAGE);
    }
  leave_ok (store);
  check_generations (75, 83);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "L10: leaving costs one sync", one_sync },
    { "a commit finds what has changed since the log", nothing_changed },
    { "L10: a copy, and another name, are synced", copies_and_names },
    { "L6: a record behind the note is synced", killed_behind_the_note },
    { "L10: a note with a wrong bit", flips_of_the_note },
    { "L10: a note of an older log", note_of_an_older_log },
    { "L10: nothing is noted that was not synced", nothing_to_note },
    { "L10: another name in the same directory", another_name },
    { "L10: a damaged record behind the note's end",
      damaged_behind_the_note },
    { "A2, L10: the end of a log that was not synced",
      killed_behind_the_wipe },
    { "L11: a damaged page is found by a check", damaged_page },
    { "L11: one that a later record has again",
      damaged_page_that_was_replaced },
    { "L11: a log that was cut off is refused", truncated },
    { "L11: damaged heads of records are refused", damaged_heads },
    { "L11: the same in a copy, where pages are summed", damaged_copy },
    { "A5: a log of many records is applied", many_records },
    { "A5: a long log is applied", much_in_one },
    { "A5: the same, when a reader has left", leave_beside_a_reader },
    { "A5: another length of the history is put into effect",
      other_history },
    { "A5: the same where none is kept", no_history },
  { "a history that begins again is whole, or not listed", history_again },
    { "A5: something is in the history's way", obstacles },
    { "copies, backups and increments of a store with a log",
      clones_and_backups },
    { "W2: a log that was left moves to a new file", moves_to_a_new_file },
    { "A5: a process that saves again and again", running }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
