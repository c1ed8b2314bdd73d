/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-backup-faults.c -- backups and restores when something fails.  */

#include <sys/resource.h>

#include "backup-fixture.h"
#include "fault-loop.h"

#define OLD "old"

static void
nothing (void)
{
}

/* A full backup to a file: it is whole, or nothing has the name.  */

static int
run_full (void)
{
  return cs_store_backup (STORE, &(struct cs_backup_params) {
                            .to = BACKUP }, NULL, &err);
}

static void
check_full (int r)
{
  CHECK (exists (BACKUP) || r < 0);
  CHECK (entries () == 1 + (exists (BACKUP) ? 1u : 0u));
  if (!exists (BACKUP))
    return;
  ok (restore2 (BACKUP, NULL, false));
  CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
  CHECK (unlink (COPY) == 0 && unlink (BACKUP) == 0);
}

static void
full_backup (void)
{
  make_closed ();
  fault_loop (&(struct operation) { nothing, run_full, check_full, 0 }, 25);
}

/* The same over an old one, which stays if it fails.  */

static void
write_old (void)
{
  spit (BACKUP, "old", 3);
}

static int
run_replace (void)
{
  return cs_store_backup (STORE, &(struct cs_backup_params) {
                            .to = BACKUP, .force = true }, NULL, &err);
}

static void
check_replaced (int r)
{
  char buf[1 << 16];
  size_t len = slurp (BACKUP, buf, sizeof buf);

  CHECK (entries () == 2 && (len > 3 || r < 0));
  if (len > 3)
    check_full (r);
}

static void
replaced_backup (void)
{
  make_closed ();
  fault_loop (&(struct operation) {
                write_old, run_replace, check_replaced, 0 }, 25);
}

/* To a descriptor: what came out is a backup, or is refused.  */

static int
run_stream (void)
{
  int fd = open ("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  int r = cs_store_backup (STORE, &(struct cs_backup_params) { .fd = fd },
                           NULL, &err);

  CHECK (close (fd) == 0);
  return r;
}

static void
check_stream (int r)
{
  CHECK (restore2 ("out", NULL, false) == (r == 0 ? 0 : -CS_E_DAMAGED));
  CHECK (exists (COPY) == (r == 0));
  if (r == 0)
    CHECK (same_store (STORE, CS_STORE_NEWEST, COPY) && unlink (COPY) == 0);
  CHECK (unlink ("out") == 0 && entries () == 1);
}

static void
backup_to_descriptor (void)
{
  make_closed ();
  fault_loop (&(struct operation) { nothing, run_stream, check_stream, 0 },
              15);
}

/* An increment, part of which comes from the history and part from the log.
   Its full backup is SECOND.  */

static struct cs_store *store;

static void
make_generations (void)
{
  struct cs_store *reader;
  char *heap = make_heap (&store);

  CHECK (back_up (SECOND, 0) == 0);
  heap[3 * PAGE] = 100;
  memset (heap + 6 * PAGE, 0, PAGE);
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  reader = open_mode (CS_STORE_READ);
  heap[4 * PAGE] = 101;
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  cs_store_close (reader);
}

static int
run_increment (void)
{
  return cs_store_backup (STORE, &(struct cs_backup_params) {
                            .to = BACKUP, .since = 1 }, NULL, &err);
}

static void
check_increment (int r)
{
  CHECK (exists (BACKUP) || r < 0);
  if (!exists (BACKUP))
    return;
  ok (restore2 (SECOND, BACKUP, false));
  CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
  CHECK (unlink (COPY) == 0 && unlink (BACKUP) == 0 && entries () == 2);
}

static void
increment (void)
{
  make_generations ();
  /* A history that cannot be opened counts as none.  */
  fault_loop (&(struct operation) {
                nothing, run_increment, check_increment, CS_E_REFUSED }, 40);
}

/* Restoring: the new store, or the old one if there was one.  */

static void
check_restored (int r)
{
  CHECK (exists (COPY) || r < 0);
  if (!exists (COPY))
    return;
  CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
  CHECK (unlink (COPY) == 0);
}

static int
run_restore (void)
{
  return restore2 (SECOND, NULL, false);
}

static void
check_restored_first (int r)
{
  check_restored (r);
  CHECK (entries () == 2);
}

static void
restoring (void)
{
  make_closed ();
  CHECK (back_up (SECOND, 0) == 0);
  fault_loop (&(struct operation) {
                nothing, run_restore, check_restored_first, 0 }, 25);
}

static int
run_chain (void)
{
  return restore2 (SECOND, BACKUP, true);
}

/* A record of an older generation of the copy, as far as its head says.  */
static void
make_record (void)
{
  struct cs_record_disk head = { .from = 2 };
  struct cs_store *copy = NULL;

  ok (cs_store_open (COPY, CS_STORE_READ, &copy, &err));
  head.superblock = copy->superblock;
  cs_store_close (copy);
  cs_record_begin (&head);
  spit (COPY "-history/1", &head, sizeof head);
}

/* A store, with older generations, is where the new one is to be.  */
static void
put_old (void)
{
  CHECK (cs_store_clone (OLD, CS_STORE_NEWEST, COPY, true, NULL) == 0);
  CHECK (mkdir (COPY "-history", 0700) == 0 || errno == EEXIST);
  make_record ();
}

static void
check_chain (int r)
{
  struct cs_store *s = NULL;
  struct cs_generation list[4];
  uint64_t found;
  bool counts;

  ok (cs_store_open (COPY, CS_STORE_READ, &s, &err));
  found = s->superblock.generation;
  counts = cs_store_history (s, list, 4) > 1;
  cs_store_close (s);
  CHECK (found == 3 || exists (COPY "-history/1"));
  CHECK (found == 3 || (found == 1 && r < 0));
  /* What is left of them is not taken for the new one's.  */
  CHECK (found == 1 || !counts);
  if (found == 3)
    check_restored (r);
  unlink (COPY "-history/1");
  rmdir (COPY "-history");
}

static void
restoring_chain (void)
{
  make_closed ();
  CHECK (rename (STORE, OLD) == 0);
  make_generations ();
  CHECK (back_up (BACKUP, 1) == 0);
  fault_loop (&(struct operation) { put_old, run_chain, check_chain, 0 }, 35);
  CHECK (entries () == 4 + (exists (COPY) ? 1u : 0u));
}

static void
without_tmpfile (void)
{
  cs_sys.openat = no_tmpfile;
  cs_sys.renameat2 = no_renameat2;
}

static void
full_backup_by_name (void)
{
  without_tmpfile ();
  full_backup ();
}

static void
restoring_by_name (void)
{
  without_tmpfile ();
  restoring ();
}

/* The other end of a pipe.  */

static int
to_descriptor (int fd)
{
  err = (struct cs_err) CS_ERR_INIT;
  return cs_store_backup (STORE, &(struct cs_backup_params) { .fd = fd },
                          NULL, &err);
}

static void
nobody_reads (void)
{
  int fds[2], full = open ("/dev/full", O_WRONLY);

  make_closed ();
  signal (SIGPIPE, SIG_IGN);
  CHECK (pipe (fds) == 0 && close (fds[0]) == 0);
  CHECK (to_descriptor (fds[1]) == -EPIPE);
  CHECK (strstr (err.text, "cannot back up 'a.store': write the backup: "));
  CHECK (to_descriptor (full) == -ENOSPC && to_descriptor (-1) == -EBADF);
}

/* Few bytes at a time, and sometimes none.  */

static bool
is_not_ready (void)
{
  static int turn;

  errno = ++turn % 3 ? EAGAIN : EINTR;
  return turn % 5 == 0;
}

static ssize_t
slow_write (int fd, const void *buf, size_t len)
{
  return is_not_ready () ? -1 : write (fd, buf, len < 7 ? len : 7);
}

static ssize_t
slow_read (int fd, void *buf, size_t len)
{
  return is_not_ready () ? -1 : read (fd, buf, len < 5 ? len : 5);
}

static void
little_by_little (void)
{
  int fds[2];
  pid_t pid;

  make_closed ();
  CHECK (pipe (fds) == 0);
  pid = fork ();
  if (pid == 0)
    {
      cs_sys.write = slow_write;
      fcntl (fds[1], F_SETFL, O_NONBLOCK);
      ok (to_descriptor (fds[1]));
      _exit (0);
    }
  CHECK (close (fds[1]) == 0 && dup2 (fds[0], 0) == 0);
  cs_sys.read = slow_read;
  ok (restore2 ("-", NULL, false));
  CHECK (same_store (STORE, CS_STORE_NEWEST, COPY));
  CHECK (waitpid (pid, NULL, 0) == pid);
}

/* Restore from a pipe through which only the first bytes come.  */
static void
wait_for_the_rest (void)
{
  char buf[100];
  int fds[2], fd = open (BACKUP, O_RDONLY);

  CHECK (read (fd, buf, sizeof buf) == sizeof buf && pipe (fds) == 0);
  CHECK (write (fds[1], buf, sizeof buf) == sizeof buf);
  CHECK (dup2 (fds[0], 0) == 0);
  cs_sys.openat = no_tmpfile;
  alarm (10);
  if (fork () == 0)
    {
      /* The new file tells that it has begun.  */
      while (entries () < 3)
        usleep (1000);
      kill (getppid (), SIGTERM);
      _exit (0);
    }
  restore2 ("-", NULL, false);
}

static void
interrupted_restore (void)
{
  make_closed ();
  CHECK (back_up (BACKUP, 0) == 0);
  CHECK (in_child (wait_for_the_rest) == 128 + SIGTERM);
  CHECK (entries () == 2);
}

static void
kill_myself (void *closure, uint64_t done, uint64_t total)
{
  (void) closure;
  (void) total;
  if (done > 0)
    kill (getpid (), SIGINT);
}

static void
back_up_interrupted (void)
{
  struct cs_backup_params params = { .to = BACKUP, .progress = kill_myself };

  cs_sys.openat = no_tmpfile;
  cs_store_backup (STORE, &params, NULL, &err);
}

static void
interrupted_backup (void)
{
  make_closed ();
  CHECK (in_child (back_up_interrupted) == 128 + SIGINT);
  CHECK (entries () == 1);
}

static void
file_size_limit (void)
{
  struct rlimit limit = { 100, RLIM_INFINITY };

  make_closed ();
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (back_up (BACKUP, 0) == -EFBIG && entries () == 1);
  limit.rlim_cur = RLIM_INFINITY;
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (back_up (BACKUP, 0) == 0);
  limit.rlim_cur = 100;
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (restore2 (BACKUP, NULL, false) == -EFBIG && entries () == 2);
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "B6: each system call of a backup may fail", full_backup },
    { "B6: the same without O_TMPFILE", full_backup_by_name },
    { "B6: the same over another backup", replaced_backup },
    { "B3: the same to a descriptor", backup_to_descriptor },
    { "B6: each system call of an increment may fail", increment },
    { "B6: each system call of a restore may fail", restoring },
    { "B6: the same without O_TMPFILE", restoring_by_name },
    { "B6: the same of two backups, over another store", restoring_chain },
    { "nobody reads what is written, or the disk is full", nobody_reads },
    { "pipes that are slow", little_by_little },
    { "a signal while a restore waits leaves nothing", interrupted_restore },
    { "a signal during a backup leaves nothing", interrupted_backup },
    { "a file size limit is an error, not a signal", file_size_limit }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
