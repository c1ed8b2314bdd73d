/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ports.c -- ports at a checkpoint and at a resume.  */

#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guile/api.h"
#include "guile/attempt.h"
#include "guile/ports.h"
#include "process/process.h"

static SCM
scm_of (uint64_t bits)
{
  return SCM_PACK ((scm_t_bits) bits);
}

static SCM
private_variable (const char *name)
{
  return scm.c_private_lookup ("coldstore", name);
}

void
cs_ports_make (struct cs_ports_disk *image, cs_ports_print *print_lost)
{
  const SCM standard[3] = {
    scm.current_input_port (), scm.current_output_port (),
    scm.current_error_port ()
  };
  scm_t_port_type *lost;

  for (int fd = 0; fd < 3; fd++)
    image->standard[fd] = SCM_UNPACK (standard[fd]);
  image->empty
    = SCM_UNPACK (scm.variable_ref (private_variable ("empty-buffers!")));
  image->rules
    = SCM_UNPACK (scm.variable_ref (private_variable ("port-rules")));
  image->held = SCM_UNPACK (scm.make_weak_key_hash_table (SCM_UNDEFINED));
  image->default_rule = SCM_UNPACK (private_variable ("general-rule"));
  strcpy (image->lost_name, "lost");
  lost = scm.make_port_type (image->lost_name, NULL, NULL);
  scm.set_port_print (lost, print_lost);
  image->lost = (uintptr_t) lost;
}

/* Flushing.  */

static SCM
flush (void *attempt)
{
  scm.flush (((struct cs_attempt *) attempt)->object);
  return SCM_UNSPECIFIED;
}

static void *
fail_again (void *attempt)
{
  struct cs_attempt *a = attempt;

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
  struct cs_attempt attempt = { .object = port };

  cs_attempt (&attempt, flush);
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
cs_ports_flush (bool only_files)
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
    if (!only_files || scm_is_true (scm.file_port_p (SCM_CAR (ports))))
      flush_port (SCM_CAR (ports));
  broken = sigtimedwait (&broken_pipe, NULL, &no_time) == SIGPIPE;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return broken;
}

/* Only a file can take it back.  */
void
cs_ports_unread (const struct cs_ports_disk *image)
{
  SCM port = scm_of (image->standard[STDIN_FILENO]);

  if (SCM_OPINPORTP (port) && lseek (STDIN_FILENO, 0, SEEK_CUR) >= 0)
    scm.end_input (port);
}

/* Ports on descriptors.  */

struct fports
{
  const struct cs_ports_disk *image;
  SCM list;
};

static void
add_fport (void *fports, SCM port)
{
  struct fports *f = fports;

  for (int fd = 0; fd < 3; fd++)
    if (SCM_UNPACK (port) == f->image->standard[fd])
      return;
  if (SCM_OPPORTP (port) && scm_is_true (scm.file_port_p (port)))
    f->list = scm.cons (port, f->list);
}

/* The open ones, but for the standard ports.  */
static SCM
open_fports (const struct cs_ports_disk *image)
{
  struct fports fports = { image, SCM_EOL };

  scm.c_port_for_each (add_fport, &fports);
  return fports.list;
}

/* Recording.  */

static enum cs_policy_files
rule_of (SCM symbol)
{
  for (enum cs_policy_files i = CS_POLICY_FILES_REOPEN;
       i <= CS_POLICY_FILES_FAIL; i++)
    if (scm_is_eq (symbol,
                   scm.from_utf8_symbol (cs_policy_files_word (i))))
      return i;
  return CS_POLICY_FILES_NONE;
}

static SCM
ask_position (void *attempt)
{
  return scm.seek (((struct cs_attempt *) attempt)->object, scm.from_int32 (0),
                   scm.from_int32 (SEEK_CUR));
}

/* Where PORT's next byte is; -1 if that cannot be said.  What the user put
   back may lead to before the file's beginning.  */
static int64_t
position_of (SCM port)
{
  struct cs_attempt attempt = { .object = port };
  int64_t position;
  SCM answer;

  if (lseek (SCM_FPORT_FDES (port), 0, SEEK_CUR) < 0)
    return -1;
  answer = cs_attempt (&attempt, ask_position);
  if (attempt.failed)
    return -1;
  position = scm.to_int64 (answer);
  return position < 0 ? 0 : position;
}

static void
record (const struct cs_ports_disk *image, SCM port)
{
  SCM rule = scm.hashq_ref (scm_of (image->rules), port, SCM_BOOL_F);
  SCM name = scm.port_filename (port);
  char text[PATH_MAX];
  size_t len = scm_is_string (name)
               ? scm.to_locale_stringbuf (name, text, sizeof text) : 0;
  struct cs_descriptor_port known = {
    .position = position_of (port),
    .rule = rule_of (rule),
    .revealed = SCM_FSTREAM (port)->revealed > 0
  };

  if (len > 0 && len < sizeof text)
    {
      text[len] = '\0';
      known.name = text;
    }
  cs_process_record_descriptor (SCM_FPORT_FDES (port), &known);
}

static SCM
record_held (void *unused, SCM port, SCM number, SCM result)
{
  (void) unused;
  (void) port;
  cs_process_record_held (scm.to_int32 (number));
  return result;
}

void
cs_ports_record (const struct cs_ports_disk *image)
{
  SCM rule = scm.variable_ref (scm_of (image->default_rule));
  SCM ports = open_fports (image);

  cs_process_forget_descriptors (rule_of (rule));
  for (; scm_is_pair (ports); ports = SCM_CDR (ports))
    record (image, SCM_CAR (ports));
  scm.internal_hash_fold (record_held, NULL, SCM_BOOL_F,
                          scm_of (image->held));
  cs_process_record_numbers ();
}

/* Reconnecting.  */

int
cs_ports_print_lost (SCM port, SCM out, scm_print_state *state)
{
  (void) state;
  scm.puts ("#<closed: ", out);
  scm.display (SCM_PACK (SCM_STREAM (port)), out);
  scm.puts (">", out);
  return 1;
}

static SCM
close_it (void *attempt)
{
  return scm.close_port (((struct cs_attempt *) attempt)->object);
}

/* Names of files are any bytes.  */
static SCM
to_string (const char *text)
{
  return scm.from_stringn (text, strlen (text), "UTF-8",
                           SCM_FAILED_CONVERSION_QUESTION_MARK);
}

/* Close PORT.  It is no output port meanwhile, so that nothing is written
   (Guile 3.0.8, libguile/ports.c, close_port), and its descriptor is not
   closed: the number is somebody else's in this process.  */
static void
lose (const struct cs_ports_disk *image, SCM port)
{
  struct cs_attempt attempt = { .object = port };
  scm_t_bits bits = SCM_CELL_WORD_0 (port);
  int fd = SCM_FPORT_FDES (port);
  const struct cs_descriptor_now *now = cs_process_descriptor (fd);
  char text[640];

  cs_process_describe_lost (fd, text, sizeof text);
  if (now && now->held)
    scm.hashq_set_x (scm_of (image->held), port, scm.from_int32 (fd));
  SCM_SET_CELL_WORD_0 (port, bits & ~(scm_t_bits) SCM_WRTNG);
  cs_process.weeding = true;
  cs_attempt (&attempt, close_it);
  cs_process.weeding = false;
  SCM_SET_CELL_WORD_0 (port, bits & ~(scm_t_bits) SCM_OPN);
  SCM_SETSTREAM (port, SCM_UNPACK (to_string (text)));
  SCM_SET_CELL_WORD_3 (port, (scm_t_bits) image->lost);
}

static void
reconnect (const struct cs_ports_disk *image, SCM port)
{
  int fd = SCM_FPORT_FDES (port);
  const struct cs_descriptor_now *now = cs_process_descriptor (fd);

  /* One that the program made of 0, 1 or 2 (fdopen).  */
  if (!now && fd < CS_DESCRIPTORS_FIRST)
    {
      scm.call_1 (scm_of (image->empty), port);
      return;
    }
  if (!now || now->state == CS_DESCRIPTOR_LOST)
    {
      lose (image, port);
      return;
    }
  if (now->state != CS_DESCRIPTOR_SAME)
    scm.call_1 (scm_of (image->empty), port);
  SCM_FSTREAM (port)->fdes = now->fd;
}

void
cs_ports_reconnect (const struct cs_ports_disk *image)
{
  SCM ports;

  if (!cs_process_descriptors_changed ())
    return;
  for (ports = open_fports (image); scm_is_pair (ports);
       ports = SCM_CDR (ports))
    reconnect (image, SCM_CAR (ports));
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

static SCM
drain (void *attempt)
{
  return scm.drain_input (((struct cs_attempt *) attempt)->object);
}

/* Forget what PORT has read ahead.  It takes some time to begin to evaluate
   Scheme code, so that is left for what cannot be decoded.  */
static void
forget_input (const struct cs_ports_disk *image, SCM port)
{
  struct cs_attempt attempt = { .object = port };

  cs_attempt (&attempt, drain);
  if (attempt.failed)
    scm.call_1 (scm_of (image->empty), port);
}

/* What setvbuf was told last is kept in the port's first word (Guile 3.0,
   libguile/ports.h, ports.c, scm_setvbuf).  */
static const char *
present_buffering (SCM port)
{
  scm_t_bits word = SCM_CELL_WORD_0 (port);

  return word & SCM_BUF0 ? "none" : word & SCM_BUFLINE ? "line" : "block";
}

/* Each setvbuf makes new buffers, two pages to be written to: not if it would
   change nothing but their size.  An output port's buffer is empty since the
   image was written.  */
static void
follow (struct cs_ports_disk *image, int fd)
{
  SCM port = scm_of (image->standard[fd]);
  const char *wanted = buffering (fd);

  if (!SCM_OPPORTP (port))
    {
      port = make_standard (fd);
      image->standard[fd] = SCM_UNPACK (port);
    }
  if (fd == STDIN_FILENO)
    forget_input (image, port);
  scm.set_port_line_x (port, scm.from_int32 (0));
  scm.set_port_column_x (port, scm.from_int32 (0));
  if (strcmp (present_buffering (port), wanted) != 0)
    scm.setvbuf (port, scm.from_utf8_symbol (wanted), SCM_UNDEFINED);
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
