/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-own.c -- the program closes the store's descriptors, or uses their
   numbers (own.c).  */

#include <semaphore.h>

#include "store-fixture.h"

static struct cs_err err;

/* What a daemon does, with a call that no library sees.  */
static void
close_all (void)
{
  for (int fd = 3; fd < 2048; fd++)
    close (fd);
}

/* Have files of the program's on all numbers from 3 to 99.  */
static void
take_all (void)
{
  int fd = open ("programs", O_RDWR | O_CREAT, 0600);

  CHECK (fd >= 0 && write (fd, "mine", 4) == 4);
  for (int n = 3; n < 100; n++)
    CHECK (n == fd || dup2 (fd, n) == n);
}

static bool
all_are_mine (void)
{
  struct stat file, st;

  CHECK (stat ("programs", &file) == 0 && file.st_size == 4);
  for (int n = 3; n < 100; n++)
    if (fstat (n, &st) < 0 || st.st_ino != file.st_ino)
      return false;
  return true;
}

/* Is the store refused to another process?  */
static void
open_as_second (void)
{
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
}

static void
closed_and_saved (void)
{
  struct cs_store *store;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  close_all ();
  CHECK (in_child (open_as_second) == 0);
  say (store, "one");
  commit_ok (store);
  CHECK (in_child (open_as_second) == 0);
  close_all ();
  CHECK (cs_store_settle (store, &err) == 0);
  close_all ();
  say (store, "two");
  commit_ok (store);
  CHECK (in_child (open_as_second) == 0);
  close_all ();
  close_and_unmap (store);
  CHECK (file_says ("two"));
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

static void
used_and_saved (void)
{
  struct cs_store *store;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  for (int i = 0; i < 3; i++)
    {
      take_all ();
      CHECK (!cs_store_owns_descriptor (store, 56));
      CHECK (i > 0 || cs_store_next_descriptor (store, 0) == -1);
      say (store, "one");
      store->superblock.committed_at += i;      /* a commit in any case */
      commit_ok (store);
      CHECK (all_are_mine ());
    }
  take_all ();
  close_and_unmap (store);
  CHECK (all_are_mine () && file_says ("one"));
}

/* The program's file of that number is the store's own, opened for
   reading.  */
static void
same_file_for_reading (void)
{
  struct cs_store *store;
  int fd, number;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  number = store->fd;
  fd = open (STORE, O_RDONLY);
  CHECK (fd >= 0 && dup2 (fd, number) == number);
  say (store, "one");
  commit_ok (store);
  CHECK (store->fd != number && fcntl (number, F_GETFD) >= 0);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

/* The working directory is another, the name a link.  */
static void
found_again (void)
{
  struct cs_store *store;

  make_store ("zero");
  CHECK (mkdir ("data", 0700) == 0 && rename (STORE, "data/real") == 0);
  CHECK (symlink ("data/real", STORE) == 0);
  store = open_mode (CS_STORE_WRITE);
  CHECK (mkdir ("elsewhere", 0700) == 0 && chdir ("elsewhere") == 0);
  close_all ();
  say (store, "one");
  commit_ok (store);
  CHECK (chdir ("..") == 0);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

static size_t
descriptors (void)
{
  size_t nr = 0;

  for (int fd = 0; fd < 2048; fd++)
    nr += fcntl (fd, F_GETFD) >= 0;
  return nr;
}

static void
moved_away (void)
{
  struct cs_store *store;
  size_t before;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  close_all ();
  say (store, "one");
  CHECK (rename (STORE, "moved") == 0);
  CHECK (cs_store_commit (store, &err) == -ENOENT);
  CHECK (strstr (err.text, "has closed") && strstr (err.text, "/" STORE));
  CHECK (strstr (err.advice, "move it back"));
  CHECK (system ("cp moved " STORE) == 0);
  before = descriptors ();
  CHECK (cs_store_commit (store, &err) == -ESTALE);
  CHECK (descriptors () <= before + 1);         /* the directory's */
  for (int i = 0; i < 3; i++)
    {
      before = descriptors ();
      CHECK (cs_store_commit (store, &err) == -ESTALE);
      CHECK (descriptors () == before);
    }
  CHECK (rename ("moved", STORE) == 0);
  commit_ok (store);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

/* A whole new file is locked in the same way.  */
static void
new_file (void)
{
  struct cs_store *store;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  store->log.broken = true;
  say (store, "one");
  commit_ok (store);
  close_all ();
  CHECK (in_child (open_as_second) == 0);
  say (store, "two");
  commit_ok (store);
  close_all ();
  CHECK (in_child (open_as_second) == 0);
  close_and_unmap (store);
  CHECK (file_says ("two"));
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

/* A child of a writer that closes everything keeps the readers' lock, one that
   ends gives it up; neither has the writer's.  */
static void
child_closes_all (void)
{
  struct cs_store *store;
  int ready[2], go[2], status;
  uint64_t len;
  char byte;
  pid_t pid;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  CHECK (pipe (ready) == 0 && pipe (go) == 0);
  close_all ();
  CHECK (pipe (ready) == 0 && pipe (go) == 0);
  cs_store_hold (store);
  pid = fork ();
  if (pid == 0)
    {
      size_t n;

      cs_store_disown (store);
      CHECK (dup2 (ready[1], 1) == 1 && dup2 (go[0], 0) == 0);
      close_all ();
      CHECK (write (1, "x", 1) == 1 && read (0, &byte, 1) == 1);
      CHECK (strcmp (cs_store_section (store, "words", &n), "zero") == 0);
      _exit (0);
    }
  cs_store_release (store);
  CHECK (pid > 0 && read (ready[0], &byte, 1) == 1);
  say (store, "one");
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0);
  len = store->log.len;
  CHECK (len > 0);              /* it waits for the child */
  CHECK (write (go[1], "x", 1) == 1);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

static int
no_share (int fd, int command, struct flock *lock)
{
  if (lock->l_type != F_RDLCK)
    return fcntl (fd, command, lock);
  errno = ENOLCK;
  return -1;
}

/* A child that could not have the lock keeps its image all the same.  */
static void
child_without_lock (void)
{
  const struct cs_sys real = cs_sys;
  struct cs_store *store;
  int go[2], status;
  size_t len;
  char byte;
  pid_t pid;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  CHECK (pipe (go) == 0);
  cs_sys.lock = no_share;
  cs_store_hold (store);
  pid = fork ();
  if (pid == 0)
    {
      cs_store_disown (store);
      CHECK (read (go[0], &byte, 1) == 1);
      CHECK (strcmp (cs_store_section (store, "words", &len), "zero") == 0);
      _exit (0);
    }
  cs_store_release (store);
  cs_sys = real;
  say (store, "one");
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  CHECK (write (go[1], "x", 1) == 1);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

/* So does a reader that maps the image.  */
static void
reader_closes_all (void)
{
  struct cs_store *store;
  int ready[2], status;
  char byte;
  pid_t pid;

  make_store ("zero");
  CHECK (pipe (ready) == 0);
  pid = fork ();
  if (pid == 0)
    {
      open_mode (CS_STORE_EPHEMERAL);
      CHECK (dup2 (ready[1], 1) == 1);
      close_all ();
      CHECK (write (1, "x", 1) == 1);
      for (;;)
        pause ();
    }
  CHECK (pid > 0 && read (ready[0], &byte, 1) == 1);
  store = open_mode (CS_STORE_WRITE);
  say (store, "one");
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  CHECK (kill (pid, SIGKILL) == 0 && waitpid (pid, &status, 0) == pid);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  close_and_unmap (store);
}

/* The writer is killed: nobody else has its lock, also not a child that it
   left.  */
static void
leave_children (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);

  close_all ();
  cs_store_hold (store);
  if (fork () == 0)
    {
      cs_store_disown (store);
      alarm (20);
      close (0);
      close (1);
      close (2);
      for (;;)
        pause ();
    }
  cs_store_release (store);
  raise (SIGKILL);
}

static void
killed_writer (void)
{
  make_store ("zero");
  CHECK (in_child (leave_children) == 128 + SIGKILL);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

/* A number that the program wants for its own.  */
static void
yields (void)
{
  struct cs_store *store;
  int number;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  number = store->fd;
  CHECK (cs_store_owns_descriptor (store, number));
  CHECK (cs_store_next_descriptor (store, number) == number);
  CHECK (cs_store_yield_descriptor (store, number) == 0);
  CHECK (fcntl (number, F_GETFD) < 0 && store->fd != number);
  CHECK (cs_store_owns_descriptor (store, store->fd));
  CHECK (cs_store_yield_descriptor (store, 2) == 0);
  say (store, "one");
  commit_ok (store);
  close_and_unmap (store);
  CHECK (file_says ("one"));
}

static int
no_dup (int fd, int command, int lowest)
{
  (void) fd;
  (void) command;
  (void) lowest;
  errno = EMFILE;
  return -1;
}

/* No number is left that the descriptor could move to.  */
static void
cannot_yield (void)
{
  struct cs_store *store;
  int number;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  number = store->fd;
  cs_sys.dup = no_dup;
  CHECK (cs_store_yield_descriptor (store, number) == -EMFILE);
  CHECK (store->fd == number && cs_store_owns_descriptor (store, number));
}

static int
no_status (int fd, struct stat *st)
{
  (void) fd;
  (void) st;
  errno = EIO;
  return -1;
}

/* D2: a number is another file's if it is known to be.  */
static void
nothing_known (void)
{
  struct cs_store *store;
  int number;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  number = store->fd;
  cs_sys.fstat = no_status;
  cs_own_check (store);
  cs_sys.fstat = fstat;
  CHECK (store->fd == number && store->dirfd >= 0);
  say (store, "one");
  commit_ok (store);
  CHECK (file_says ("one"));
}

/* D3: a child has no use for the file that its parent writes to.  */
static void
child_opens_nothing (void)
{
  struct cs_store *store;
  int status;
  pid_t pid;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  pid = fork ();
  if (pid == 0)
    {
      close_all ();
      CHECK (cs_own_recover (store) == 0);
      CHECK (store->fd < 0 && store->dirfd < 0 && descriptors () <= 3);
      _exit (0);
    }
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
}

static volatile sig_atomic_t in_handler, has_lock;

static void
note_signal (int number)
{
  (void) number;
  CHECK (!has_lock);
  in_handler = true;
}

static int
fstat_and_signal (int fd, struct stat *st)
{
  int r;

  has_lock = true;
  raise (SIGUSR1);
  r = fstat (fd, st);
  has_lock = false;
  return r;
}

/* A thread that looks after the numbers is not stopped meanwhile: a commit
   would wait for it.  */
static void
not_stopped (void)
{
  struct cs_store *store;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  signal (SIGUSR1, note_signal);
  cs_sys.fstat = fstat_and_signal;
  CHECK (cs_own_recover_alone (store) == 0 && in_handler);
}

static void
handed_over (void)
{
  struct cs_store *store;
  struct stat st, file;
  int fd;

  make_store ("zero");
  store = open_mode (CS_STORE_EPHEMERAL);
  close_all ();
  fd = cs_store_hand_over (store);
  CHECK (fd >= 0 && fstat (fd, &st) == 0 && stat (STORE, &file) == 0);
  CHECK (st.st_ino == file.st_ino && fcntl (fd, F_GETFD) == 0);
  cs_store_take_back (store);
  CHECK (fcntl (fd, F_GETFD) == FD_CLOEXEC);
  close_and_unmap (store);
}

/* A reader that executes another program, and had closed its descriptors.  */
static void
execute_as_reader (int ready)
{
  struct cs_store *store = open_mode (CS_STORE_EPHEMERAL);

  CHECK (dup2 (ready, 1) == 1);
  close_all ();
  CHECK (cs_store_hand_over (store) >= 0);
  execl ("/bin/sh", "sh", "-c", "echo x; exec sleep 60", NULL);
  _exit (1);
}

/* An executed program has no mapping, but the lock of the number.  */
static void
handed_over_with_lock (void)
{
  struct cs_store *store;
  int ready[2], status;
  char byte;
  pid_t pid;

  make_store ("zero");
  CHECK (pipe (ready) == 0);
  pid = fork ();
  if (pid == 0)
    execute_as_reader (ready[1]);
  CHECK (pid > 0 && read (ready[0], &byte, 1) == 1);
  store = open_mode (CS_STORE_WRITE);
  say (store, "one");
  commit_ok (store);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len > 0);
  CHECK (kill (pid, SIGKILL) == 0 && waitpid (pid, &status, 0) == pid);
  CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
  close_and_unmap (store);
}

static sem_t separated, closed;

static void *
apply_apart (void *store)
{
  struct cs_err failure = CS_ERR_INIT;

  cs_store_separate (store);
  sem_post (&separated);
  sem_wait (&closed);
  CHECK (fcntl (0, F_GETFD) < 0 && fcntl (1, F_GETFD) < 0);
  CHECK (cs_store_apply (store, &failure) == 0);
  return store;
}

/* A program that takes all numbers while a commit is applied.  */
static void
applied_apart (void)
{
  struct cs_store *store;
  pthread_t thread;

  make_store ("zero");
  store = open_mode (CS_STORE_WRITE);
  say (store, "one");
  commit_ok (store);
  sem_init (&separated, 0, 0);
  sem_init (&closed, 0, 0);
  CHECK (pthread_create (&thread, NULL, apply_apart, store) == 0);
  sem_wait (&separated);
  close_all ();
  take_all ();
  sem_post (&closed);
  CHECK (pthread_join (thread, NULL) == 0);
  CHECK (store->log.len == 0 && all_are_mine ());
  say (store, "two");
  commit_ok (store);
  close_and_unmap (store);
  CHECK (all_are_mine () && file_says ("two"));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "D1, D3: all numbers are closed, all is saved, nobody gets in",
      closed_and_saved },
    { "D2: numbers that are the program's are neither used nor closed",
      used_and_saved },
    { "D2: nor is one that leads to the same file for reading",
      same_file_for_reading },
    { "D3: the file is found from another directory, behind a link",
      found_again },
    { "D3: a file that was moved is not mistaken", moved_away },
    { "D1: a whole new file stays locked", new_file },
    { "D1: a child that closes all keeps its image", child_closes_all },
    { "a child for which there is no lock keeps its image",
      child_without_lock },
    { "D1: a reader that closes all keeps its image", reader_closes_all },
    { "D1: a killed writer's lock is free, its child has none",
      killed_writer },
    { "D4: a thread of its own applies, whatever the program closes",
      applied_apart },
    { "a descriptor in the way moves", yields },
    { "or stays, if it cannot", cannot_yield },
    { "D2: a file of which nothing can be said is still the store's",
      nothing_known },
    { "D3: a child opens nothing again", child_opens_nothing },
    { "a signal waits while the numbers are looked after", not_stopped },
    { "a descriptor that was closed is handed over", handed_over },
    { "a reader's has the readers' lock", handed_over_with_lock },
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
