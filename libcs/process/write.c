/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* write.c -- writing to a descriptor what it takes now.

   O_NONBLOCK belongs to the open file, which other processes share, so it
   must not be set here.  poll() alone does not do: a pipe or a terminal that
   takes one byte is ready, and write() then waits until it has taken all
   bytes.  So a timer interrupts write(), again and again in case it came
   before the call; write() returns how much it has written by then
   (signal(7)).  */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process/private.h"

#define PATIENCE_NS 5000000L

#ifndef sigev_notify_thread_id
# define sigev_notify_thread_id _sigev_un._tid
#endif

static void
interrupt (int signum)
{
  (void) signum;
}

/* One that interrupts this thread from now on.  False: it cannot be had.  */
static bool
start_timer (timer_t *timer)
{
  struct sigevent event = {
    .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = CS_PROCESS_INTERRUPT,
    .sigev_notify_thread_id = gettid ()
  };
  const struct itimerspec often = {
    .it_value.tv_nsec = PATIENCE_NS, .it_interval.tv_nsec = PATIENCE_NS
  };

  if (timer_create (CLOCK_MONOTONIC, &event, timer) != 0)
    return false;
  if (timer_settime (*timer, 0, &often, NULL) == 0)
    return true;
  timer_delete (*timer);
  return false;
}

static ssize_t
write_for_a_moment (int fd, const void *bytes, size_t len)
{
  struct sigaction action = { .sa_handler = interrupt }, old;
  sigset_t set, old_set;
  timer_t timer;
  ssize_t result;
  int code;

  sigemptyset (&action.sa_mask);
  sigaction (CS_PROCESS_INTERRUPT, &action, &old);
  sigemptyset (&set);
  sigaddset (&set, CS_PROCESS_INTERRUPT);
  pthread_sigmask (SIG_UNBLOCK, &set, &old_set);
  if (start_timer (&timer))
    {
      result = write (fd, bytes, len);
      code = errno;
      /* A signal that is pending arrives before this returns.  */
      timer_delete (timer);
    }
  else
    {
      result = -1;
      code = EAGAIN;
    }
  pthread_sigmask (SIG_SETMASK, &old_set, NULL);
  sigaction (CS_PROCESS_INTERRUPT, &old, NULL);
  errno = code;
  return result;
}

/* Regular files and directories, and what is no open descriptor, do not make
   a writer wait for a reader.  */
static bool
may_block (int fd)
{
  struct stat status;

  return fstat (fd, &status) == 0 && !S_ISREG (status.st_mode);
}

ssize_t
cs_process_write_now (int fd, const void *bytes, size_t len)
{
  struct pollfd ready = { .fd = fd, .events = POLLOUT };
  ssize_t result;

  if (!may_block (fd))
    return write (fd, bytes, len);
  if (poll (&ready, 1, 0) == 0)
    {
      errno = EAGAIN;
      return -1;
    }
  result = write_for_a_moment (fd, bytes, len);
  if (result < 0 && errno == EINTR)
    errno = EAGAIN;
  return result;
}
