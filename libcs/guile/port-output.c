/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* port-output.c -- writing out what ports hold, at a checkpoint and when the
   workspace is left.  */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "guile/catch.h"
#include "guile/functions.h"
#include "guile/port-output.h"
#include "guile/port.h"
#include "guile/threads.h"
#include "process/descriptors/descriptors.h"
#include "process/process.h"

#define BLOCKED_MAX 64          /* descriptors that are waited for at once */
#define WAIT_MS 50              /* one look at them */
#define WAITS 20                /* looks without a byte being taken */
#define DESCRIPTORS_MAX 65536   /* that are looked at before the last wait */
#define PTMX_MAJOR 5            /* /dev/ptmx (Linux, devices.txt) */
#define PTMX_MINOR 2

/* What is written after the image.  libc's memory: the store's is at rest
   then.  */
struct rest
{
  struct rest *next;
  int fd;
  size_t len;
  char bytes[];
};

struct complaint
{
  struct complaint *next;
  char text[640];
};

static struct
{
  struct pollfd blocked[BLOCKED_MAX];
  nfds_t nr_blocked;
  size_t nr_bytes;              /* written so far */
  bool broken_pipe;
  struct rest *rests, **last_rest;
  struct complaint *complaints, **last_complaint;
} output = {
  .last_rest = &output.rests, .last_complaint = &output.complaints
};

/* SIGPIPE: an error as others here, and none of the program's business.  It is
   blocked from the first write on: most processes have nothing to write.  */

struct broken_pipe
{
  bool held;
  sigset_t old;                 /* the mask before, if HELD */
};

static bool
is_pending (int signum)
{
  sigset_t pending;

  return sigpending (&pending) == 0 && sigismember (&pending, signum) == 1;
}

static void
hold_broken_pipe (struct broken_pipe *pipe)
{
  sigset_t set;

  if (pipe->held)
    return;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, &pipe->old);
  pipe->held = true;
}

static void
drop_broken_pipe (const struct broken_pipe *pipe)
{
  const struct timespec no_time = { 0, 0 };
  sigset_t set;

  if (!pipe->held)
    return;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  sigtimedwait (&set, NULL, &no_time);
  pthread_sigmask (SIG_SETMASK, &pipe->old, NULL);
}

/* Ports of the user's own making.  */

static SCM
flush (void *caught)
{
  scm.flush (((struct cs_catch *) caught)->object);
  return SCM_UNSPECIFIED;
}

static void *
fail_again (void *caught)
{
  struct cs_catch *a = caught;

  scm.throw (a->key, a->args);
  return NULL;
}

static bool
is_output (SCM port)
{
  return SCM_OPOUTPORTP (port) && cs_port_is_made (port);
}

static bool
is_file (SCM port)
{
  return scm_is_true (scm.file_port_p (port));
}

static void
flush_port (SCM port, struct broken_pipe *pipe)
{
  struct cs_catch caught = { .object = port };

  hold_broken_pipe (pipe);
  cs_catch (&caught, flush);
  if (caught.failed && is_pending (SIGPIPE))
    output.broken_pipe = true;
  else if (caught.failed)
    scm.with_guile (fail_again, &caught);
}

void
cs_port_output_flush (void)
{
  SCM ports = cs_port_list ();
  struct broken_pipe pipe = { .held = false };

  output.broken_pipe = false;
  for (; scm_is_pair (ports); ports = SCM_CDR (ports))
    if (is_output (SCM_CAR (ports)) && !is_file (SCM_CAR (ports)))
      flush_port (SCM_CAR (ports), &pipe);
  drop_broken_pipe (&pipe);
}

/* Ports on files.  */

static void
note_blocked (int fd)
{
  if (output.nr_blocked < BLOCKED_MAX)
    output.blocked[output.nr_blocked++]
      = (struct pollfd) { .fd = fd, .events = POLLOUT };
}

/* Write what PORT holds.  Returns 0 if that is all written, else the number
   of the error.  */
static int
write_port (SCM port, struct broken_pipe *pipe)
{
  int fd = SCM_FPORT_FDES (port);
  const char *bytes;
  size_t len;
  ssize_t nr;

  while ((len = cs_port_unwritten (port, &bytes)) > 0)
    {
      hold_broken_pipe (pipe);
      nr = cs_process_write_now (fd, bytes, len);
      if (nr < 0 && errno == EINTR)
        continue;
      if (nr < 0)
        return errno;
      cs_port_wrote (port, (size_t) nr);
      output.nr_bytes += (size_t) nr;
    }
  return 0;
}

void
cs_port_output_write (void)
{
  SCM ports = cs_port_list ();
  struct broken_pipe pipe = { .held = false };

  output.nr_blocked = 0;
  for (; scm_is_pair (ports); ports = SCM_CDR (ports))
    if (is_output (SCM_CAR (ports)) && is_file (SCM_CAR (ports))
        && write_port (SCM_CAR (ports), &pipe) == EAGAIN)
      note_blocked (SCM_FPORT_FDES (SCM_CAR (ports)));
  drop_broken_pipe (&pipe);
}

/* Leaving.  */

static void *
wait_for_readers (void *unused)
{
  poll (output.blocked, output.nr_blocked, WAIT_MS);
  return unused;
}

static bool
is_alone (void)
{
  SCM threads = scm.all_threads ();

  return !scm_is_pair (threads) || !scm_is_pair (SCM_CDR (threads));
}

static void
write_while_others_read (SCM park)
{
  size_t before;

  cs_port_output_write ();
  for (int i = 0; i < WAITS && output.nr_blocked > 0 && !is_alone (); i++)
    {
      before = output.nr_bytes;
      if (scm_is_true (park))
        cs_threads_release ();
      scm.without_guile (wait_for_readers, NULL);
      if (scm_is_true (park))
        cs_threads_save (park);
      cs_port_output_write ();
      if (output.nr_bytes > before)
        i = -1;
    }
}

/* Not enough memory for it: it is lost, as it would be with the process.  */
static void
keep_rest (int fd, const char *bytes, size_t len)
{
  struct rest *rest = malloc (sizeof *rest + len);

  if (!rest)
    return;
  *rest = (struct rest) { .fd = fd, .len = len };
  memcpy (rest->bytes, bytes, len);
  *output.last_rest = rest;
  output.last_rest = &rest->next;
}

static void
describe (int fd, char *text, size_t len)
{
  static const char *const standard[] = {
    "standard input", "standard output", "standard error"
  };
  char link[32];
  ssize_t nr;

  snprintf (text, len, "%s", fd >= 0 && fd < 3 ? standard[fd] : "a port");
  if (fd < 3)
    return;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  nr = readlink (link, text, len - 1);
  if (nr > 0)
    text[nr] = '\0';
}

static void
complain (int fd, size_t len, int error, bool kept)
{
  struct complaint *complaint = malloc (sizeof *complaint);
  char name[512];

  if (!complaint)
    return;
  describe (fd, name, sizeof name);
  snprintf (complaint->text, sizeof complaint->text,
            "cannot write %zu bytes to '%s': %s%s", len, name,
            strerror (error),
            kept ? "; the workspace keeps them, and its next run tries again"
                 : "");
  complaint->next = NULL;
  *output.last_complaint = complaint;
  output.last_complaint = &complaint->next;
}

/* Can the next process write it?  Not if the file has lost its name, or it is
   a standard one, which each process has its own of.  */
static bool
is_lasting (const struct cs_ports_disk *image, SCM port)
{
  int fd = SCM_FPORT_FDES (port);
  struct stat status;

  for (int i = 0; i < CS_DESCRIPTORS_FIRST; i++)
    if (SCM_UNPACK (port) == image->standard[i])
      return false;
  return fd >= CS_DESCRIPTORS_FIRST && fstat (fd, &status) == 0
         && S_ISREG (status.st_mode) && status.st_nlink > 0;
}

/* Write what PORT holds, or see to what becomes of it.  */
static void
leave_port (const struct cs_ports_disk *image, SCM port, bool saved,
            struct broken_pipe *pipe)
{
  int error = write_port (port, pipe), fd = SCM_FPORT_FDES (port);
  const char *bytes;
  size_t len = cs_port_unwritten (port, &bytes);
  bool kept = saved && is_lasting (image, port);

  if (error == 0)
    return;
  if (error == EAGAIN)
    keep_rest (fd, bytes, len);
  else if (error == EPIPE && is_pending (SIGPIPE))
    output.broken_pipe = true;
  else
    complain (fd, len, error, kept);
  if (error == EAGAIN || !kept)
    cs_port_forget_output (port);
}

void
cs_port_output_leave (const struct cs_ports_disk *image, SCM park, bool saved)
{
  struct broken_pipe pipe = { .held = false };
  SCM ports;

  write_while_others_read (park);
  for (ports = cs_port_list (); scm_is_pair (ports); ports = SCM_CDR (ports))
    if (is_output (SCM_CAR (ports)) && is_file (SCM_CAR (ports)))
      leave_port (image, SCM_CAR (ports), saved, &pipe);
  drop_broken_pipe (&pipe);
}

/* After the image was written.  */

/* Writing may take any time from here on, and the image is saved: signals that
   are requests to save, or handled in Scheme, end the process.  */
static void
admit_signals (void)
{
  static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1 };
  struct sigaction action;

  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction (signals[i], NULL, &action) == 0
        && action.sa_handler != SIG_IGN)
      signal (signals[i], SIG_DFL);
}

static bool
is_wanted (int fd)
{
  for (const struct rest *rest = output.rests; rest; rest = rest->next)
    if (rest->fd == fd)
      return true;
  return fd == STDOUT_FILENO || fd == STDERR_FILENO;
}

/* Could this process itself be what the writer at the other end waits for?  */
static bool
is_other_end (int fd)
{
  struct stat status;

  if (fstat (fd, &status) != 0)
    return false;
  return S_ISFIFO (status.st_mode) || S_ISSOCK (status.st_mode)
         || (S_ISCHR (status.st_mode)
             && status.st_rdev == makedev (PTMX_MAJOR, PTMX_MINOR));
}

/* A FIFO that is open for both is its own reader.  */
static void
stop_reading_fifo (int fd)
{
  int flags = fcntl (fd, F_GETFL), writer;
  char link[32];

  if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
    return;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  writer = open (link, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (writer < 0)
    return;
  dup2 (writer, fd);
  close (writer);
}

/* Two sockets may be each other's other end.  A single one is left alone: a
   child may read from it.  */
static void
stop_reading_rests (void)
{
  struct stat status;
  int nr_sockets = 0, fd = -1;

  for (const struct rest *rest = output.rests; rest; rest = rest->next)
    if (fstat (rest->fd, &status) != 0)
      continue;
    else if (S_ISFIFO (status.st_mode))
      stop_reading_fifo (rest->fd);
    else if (S_ISSOCK (status.st_mode) && rest->fd != fd)
      {
        nr_sockets++;
        fd = rest->fd;
      }
  for (const struct rest *rest = output.rests; nr_sockets > 1 && rest;
       rest = rest->next)
    shutdown (rest->fd, SHUT_RD);
}

static void
close_other_ends (void)
{
  long end = sysconf (_SC_OPEN_MAX);

  if (end < 0 || end > DESCRIPTORS_MAX)
    end = DESCRIPTORS_MAX;
  for (int fd = 0; fd < end; fd++)
    if (is_other_end (fd) && !is_wanted (fd))
      close (fd);
  stop_reading_rests ();
}

/* Returns 0 or the number of the error.  */
static int
write_rest (const struct rest *rest)
{
  struct pollfd ready = { .fd = rest->fd, .events = POLLOUT };
  size_t done = 0;
  ssize_t nr;

  while (done < rest->len)
    {
      nr = write (rest->fd, rest->bytes + done, rest->len - done);
      if (nr >= 0)
        done += (size_t) nr;
      else if (errno == EAGAIN)
        poll (&ready, 1, -1);
      else if (errno != EINTR)
        return errno;
    }
  return 0;
}

/* Write those for descriptors below END.  */
static void
write_rests (int end)
{
  struct rest *rest;
  int error;

  for (rest = output.rests; rest; rest = rest->next)
    if (rest->fd < end)
      {
        error = write_rest (rest);
        if (error == EPIPE && is_pending (SIGPIPE))
          output.broken_pipe = true;
        else if (error != 0)
          complain (rest->fd, rest->len, error, false);
        rest->len = 0;
      }
}

void
cs_port_output_await (void)
{
  struct broken_pipe pipe = { .held = false };

  if (!output.rests)
    return;
  hold_broken_pipe (&pipe);
  write_rests (CS_DESCRIPTORS_FIRST);
  drop_broken_pipe (&pipe);
}

bool
cs_port_output_finish (void (*warn) (const char *text))
{
  struct broken_pipe pipe = { .held = false };

  if (!output.rests && !output.complaints)
    return output.broken_pipe;
  if (output.rests)
    {
      admit_signals ();
      close_other_ends ();
    }
  hold_broken_pipe (&pipe);
  write_rests (INT_MAX);
  for (struct complaint *c = output.complaints; c && warn; c = c->next)
    warn (c->text);
  drop_broken_pipe (&pipe);
  return output.broken_pipe;
}
