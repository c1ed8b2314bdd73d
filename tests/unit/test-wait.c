/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-wait.c -- readers beside a writer that has the readers' lock.  */

#include <sys/prctl.h>

#include "store-fixture.h"

static struct cs_err err;
static int told[2];

static void
tell (void)
{
  CHECK (write (told[1], "x", 1) == 1);
}

static void
be_told (void)
{
  char byte;

  CHECK (read (told[0], &byte, 1) == 1);
}

/* A process that has opened the store and taken the readers' lock, as an apply
   does; it then calls GO_ON.  */
static pid_t
start_writer (void (*go_on) (struct cs_store *store))
{
  pid_t pid;

  make_store ("x");
  CHECK (pipe (told) == 0);
  pid = fork ();
  CHECK (pid >= 0);
  if (pid == 0)
    {
      struct cs_store *store = open_mode (CS_STORE_WRITE);

      prctl (PR_SET_PDEATHSIG, SIGKILL);        /* also if it is stopped */
      CHECK (cs_lock_readers (store->fd) == 1);
      tell ();
      go_on (store);
      _exit (0);
    }
  be_told ();
  return pid;
}

static void
end_writer (pid_t pid)
{
  CHECK (kill (pid, SIGKILL) == 0 && waitpid (pid, NULL, 0) == pid);
}

static void
be_stopped (struct cs_store *store)
{
  raise (SIGSTOP);
  cs_lock_admit_readers (store->fd);
  tell ();
  pause ();
}

static void
be_busy (struct cs_store *store)
{
  (void) store;
  pause ();
}

/* Does ERR name the process PID?  */
static bool
names (pid_t pid)
{
  char who[64];

  snprintf (who, sizeof who, "held by process %ld on ", (long) pid);
  return strstr (err.text, who) && strstr (err.text, " since ");
}

static void
stopped_writer (void)
{
  pid_t pid = start_writer (be_stopped);
  char advice[64];
  int status;

  cs_lock_patience = 1000000;
  CHECK (waitpid (pid, &status, WUNTRACED) == pid && WIFSTOPPED (status));
  snprintf (advice, sizeof advice, "kill -CONT %ld", (long) pid);
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_HELD);
  CHECK (names (pid) && strstr (err.advice, advice));
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_HELD && names (pid));
  CHECK (kill (pid, SIGCONT) == 0);
  be_told ();
  CHECK (try_open (CS_STORE_READ, &err) == 0);
  end_writer (pid);
}

static void
busy_writer (void)
{
  pid_t pid = start_writer (be_busy);

  cs_lock_patience = 1100;
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_HELD && names (pid));
  CHECK (strstr (err.advice, "for 1 seconds; try again later"));
  end_writer (pid);
  CHECK (try_open (CS_STORE_READ, &err) == 0);
}

/* Does a reader wait, by another open file than FD's?  */
static bool
is_awaited (int fd)
{
  struct flock request = {
    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
    .l_start = CS_STORE_LOCK_OFF + 1025
  };

  CHECK (fcntl (fd, F_OFD_GETLK, &request) == 0);
  return request.l_type != F_UNLCK;
}

/* A writer that wants its lock back at once does not get it before the reader has
   had it.  */
static void
waiting_reader_is_next (void)
{
  int status, held = 0, i;
  pid_t pid;
  int fd;

  make_store ("x");
  fd = open (STORE, O_RDWR);
  CHECK (fd >= 0 && cs_lock_readers (fd) == 1);
  pid = fork ();
  CHECK (pid >= 0);
  if (pid == 0)
    {
      CHECK (close (fd) == 0 && try_open (CS_STORE_READ, &err) == 0);
      _exit (0);
    }
  for (i = 0; i < 10000 && !is_awaited (fd); i++)
    usleep (1000);
  CHECK (i < 10000);
  cs_lock_admit_readers (fd);
  held = cs_lock_readers (fd);
  CHECK (held == 0);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  CHECK (!is_awaited (fd) && cs_lock_readers (fd) == 1);
}

/* A request ends with its wait, whatever that has come to.  */
static void
request_ends (void)
{
  struct cs_store *store;
  pid_t pid = start_writer (be_busy);
  int fd = open (STORE, O_RDWR), other = open (STORE, O_RDWR);

  cs_lock_patience = 20;
  CHECK (cs_lock_share (fd, &err) == -CS_E_HELD && !is_awaited (other));
  CHECK (cs_lock_share (fd, NULL) == -CS_E_HELD);
  end_writer (pid);
  CHECK (cs_lock_share (fd, &err) == 0 && !is_awaited (other));
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_lock_readers (store->fd) == 0);
  close_and_unmap (store);
}

static int
deny_lock (int fd, int command, struct flock *lock)
{
  if (lock->l_start != CS_STORE_LOCK_OFF + 1024)
    return fcntl (fd, command, lock);
  errno = ENOLCK;
  return -1;
}

static void
no_locks (void)
{
  make_store ("x");
  cs_sys.lock = deny_lock;
  CHECK (try_open (CS_STORE_READ, &err) == -ENOLCK);
  CHECK (strstr (err.text, "lock as a reader"));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "a stopped writer is named, and waited for no longer", stopped_writer },
    { "a writer that takes too long is named", busy_writer },
    { "a reader that waits is next", waiting_reader_is_next },
    { "a request ends with its wait", request_ends },
    { "a file system without locks", no_locks }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
