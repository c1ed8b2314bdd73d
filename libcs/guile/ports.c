/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ports.c -- ports at a checkpoint and at a resume.  */

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "guile/api.h"
#include "guile/ports.h"
#include "process/process.h"

static SCM
scm_of (uint64_t bits)
{
  return SCM_PACK ((scm_t_bits) bits);
}

void
cs_ports_make (struct cs_ports_disk *image)
{
  const SCM standard[3] = {
    scm.current_input_port (), scm.current_output_port (),
    scm.current_error_port ()
  };

  for (int fd = 0; fd < 3; fd++)
    image->standard[fd] = SCM_UNPACK (standard[fd]);
  image->begin_anew
    = SCM_UNPACK (scm.variable_ref (scm.c_private_lookup ("coldstore",
                                                          "begin-anew!")));
}

/* Flushing.  */

/* A call that may fail, and how it did.  */
struct attempt
{
  SCM port;
  SCM key, args;                /* of the error */
  bool failed;
};

static SCM
flush (void *attempt)
{
  scm.flush (((struct attempt *) attempt)->port);
  return SCM_UNSPECIFIED;
}

static SCM
note_failure (void *attempt, SCM key, SCM args)
{
  struct attempt *a = attempt;

  a->failed = true;
  a->key = key;
  a->args = args;
  return SCM_UNSPECIFIED;
}

static void *
fail_again (void *attempt)
{
  struct attempt *a = attempt;

  scm.throw (a->key, a->args);
  return NULL;
}

static bool
is_pending (int signum)
{
  sigset_t pending;

  return sigpending (&pending) == 0 && sigismember (&pending, signum) == 1;
}

/* SIGPIPE is blocked.  */
static void
flush_port (SCM port)
{
  struct attempt attempt = { .port = port };

  scm.internal_catch (SCM_BOOL_T, flush, &attempt, note_failure, &attempt);
  if (attempt.failed && !is_pending (SIGPIPE))
    scm.with_guile (fail_again, &attempt);
}

/* The list comes first: flushing a port of the user's own making runs what
   the user wrote.  */
static void
add_output (void *list, SCM port)
{
  if (SCM_OPOUTPORTP (port))
    *(SCM *) list = scm.cons (port, *(SCM *) list);
}

bool
cs_ports_flush (void)
{
  const struct timespec no_time = { 0, 0 };
  SCM ports = SCM_EOL;
  sigset_t broken_pipe, old;
  bool broken;

  sigemptyset (&broken_pipe);
  sigaddset (&broken_pipe, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &broken_pipe, &old);
  scm.c_port_for_each (add_output, &ports);
  for (; scm_is_pair (ports); ports = SCM_CDR (ports))
    flush_port (SCM_CAR (ports));
  broken = sigtimedwait (&broken_pipe, NULL, &no_time) == SIGPIPE;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return broken;
}

/* Recording.  */

static void
record_port (void *image, SCM port)
{
  (void) image;
  if (SCM_OPPORTP (port) && scm_is_true (scm.file_port_p (port)))
    cs_process_record_descriptor (SCM_FPORT_FDES (port));
}

void
cs_ports_record (const struct cs_ports_disk *image)
{
  cs_process_forget_descriptors ();
  scm.c_port_for_each (record_port, (void *) image);
}

/* Standard ports.  */

static SCM
make_standard (int fd)
{
  char mode[] = { fd == 0 ? 'r' : 'w', '\0' };

  return scm.fdes_to_port (fd, mode, SCM_BOOL_F);
}

/* As plain Guile does when it begins (libguile/init.c,
   scm_init_standard_ports), but for standard error in a file: lines reach it
   at once, in order with what was written to the same file before.  */
static const char *
buffering (int fd)
{
  return isatty (fd) ? "none" : fd == STDERR_FILENO ? "line" : "block";
}

static void
follow (struct cs_ports_disk *image, int fd)
{
  SCM port = scm_of (image->standard[fd]);

  if (!SCM_OPPORTP (port))
    {
      port = make_standard (fd);
      image->standard[fd] = SCM_UNPACK (port);
    }
  scm.call_1 (scm_of (image->begin_anew), port);
  scm.setvbuf (port, scm.from_utf8_symbol (buffering (fd)), SCM_UNDEFINED);
}

/* setlocale() sets the encoding of what are the current ports (libguile/
   posix.c, scm_setlocale): these must be the standard ones meanwhile.  What
   was current before is so again, if it can be used.  */
static void
follow_locale (const struct cs_ports_disk *image)
{
  SCM (*const exchange[3]) (SCM) = {
    scm.set_current_input_port, scm.set_current_output_port,
    scm.set_current_error_port
  };
  SCM current[3];

  for (int fd = 0; fd < 3; fd++)
    current[fd] = exchange[fd] (scm_of (image->standard[fd]));
  scm.setlocale (scm.from_int32 (LC_ALL), SCM_UNDEFINED);
  for (int fd = 0; fd < 3; fd++)
    if (SCM_OPPORTP (current[fd]))
      exchange[fd] (current[fd]);
  if (!SCM_OPPORTP (scm.current_warning_port ()))
    scm.set_current_warning_port (scm_of (image->standard[2]));
}

void
cs_ports_follow (struct cs_ports_disk *image)
{
  for (int fd = 0; fd < 3; fd++)
    follow (image, fd);
  follow_locale (image);
}
