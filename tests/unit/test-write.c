/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-write.c -- a descriptor is written what it takes, without waiting for
   a reader.  */

#include <sys/socket.h>
#include <sys/syscall.h>

#include "process-fixture.h"

#define MANY ((size_t) 4 << 20) /* more than a pipe or socket holds */

static char bytes[MANY];
static bool is_late;            /* the next write(): the timer is first */

/* In place of libc's.  */
ssize_t
write (int fd, const void *buf, size_t len)
{
  if (is_late)
    {
      is_late = false;
      CHECK (poll (NULL, 0, -1) < 0 && errno == EINTR);
    }
  return syscall (SYS_write, fd, buf, len);
}

/* Fill WRITER; what it has taken comes out of READER.  */
static void
fill (int reader, int writer)
{
  size_t taken = 0, got = 0;
  ssize_t nr;

  while ((nr = cs_process_write_now (writer, bytes, MANY)) > 0)
    taken += (size_t) nr;
  CHECK (nr == -1 && errno == EAGAIN);
  CHECK (taken > 0 && taken < MANY);
  CHECK (!(fcntl (writer, F_GETFL) & O_NONBLOCK));
  /* There is room for one byte, and more are to be written.  */
  CHECK (read (reader, bytes, 1) == 1);
  nr = cs_process_write_now (writer, bytes, MANY);
  CHECK (nr > 0 ? nr < (ssize_t) MANY : errno == EAGAIN);
  taken += nr > 0 ? (size_t) nr : 0;
  close (writer);
  while ((nr = read (reader, bytes, MANY)) > 0)
    got += (size_t) nr;
  CHECK (nr == 0 && got + 1 == taken);
}

static void
full (void)
{
  int ends[2];

  CHECK (pipe (ends) == 0);
  fill (ends[0], ends[1]);
  CHECK (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  fill (ends[0], ends[1]);
}

/* The timer has run out before the call that it is to end.  */
static void
timer_comes_first (void)
{
  int ends[2];
  ssize_t nr;

  alarm (30);
  CHECK (pipe (ends) == 0);
  is_late = true;
  nr = cs_process_write_now (ends[1], bytes, MANY);
  CHECK (!is_late && nr > 0 && nr < (ssize_t) MANY);
}

static void
errors (void)
{
  int ends[2];

  signal (SIGPIPE, SIG_IGN);
  CHECK (pipe (ends) == 0);
  close (ends[0]);
  CHECK (cs_process_write_now (ends[1], bytes, 1) == -1 && errno == EPIPE);
  close (ends[1]);
  CHECK (cs_process_write_now (ends[1], bytes, 1) == -1 && errno == EBADF);
  ends[0] = open ("/dev/full", O_WRONLY);
  CHECK (cs_process_write_now (ends[0], bytes, 1) == -1 && errno == ENOSPC);
  ends[1] = open ("file", O_WRONLY | O_CREAT, 0600);
  CHECK (cs_process_write_now (ends[1], bytes, MANY) == (ssize_t) MANY);
}

/* The signal that ends the wait is the process's as before.  */
static void
signal_stays (void)
{
  struct sigaction action;
  sigset_t mask;
  int ends[2];

  signal (SIGRTMAX - 2, SIG_IGN);
  sigemptyset (&mask);
  sigaddset (&mask, SIGRTMAX - 2);
  CHECK (pthread_sigmask (SIG_BLOCK, &mask, NULL) == 0);
  CHECK (pipe (ends) == 0);
  fill (ends[0], ends[1]);
  CHECK (sigaction (SIGRTMAX - 2, NULL, &action) == 0
         && action.sa_handler == SIG_IGN);
  CHECK (pthread_sigmask (SIG_BLOCK, NULL, &mask) == 0
         && sigismember (&mask, SIGRTMAX - 2) == 1);
}

static const struct test_case cases[] = {
  { "a full pipe or socket takes no more, and is not waited for", full },
  { "a timer that is too early is not the only one", timer_comes_first },
  { "errors are those of write(2)", errors },
  { "the process's signal and mask are as before", signal_stays },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
