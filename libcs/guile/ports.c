/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ports.c -- ports at a checkpoint and at a resume.  */

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guile/catch.h"
#include "guile/functions.h"
#include "guile/port.h"
#include "guile/ports.h"
#include "guile/threads.h"
#include "process/process.h"
#include "report.h"

static SCM
private_variable (const char *name)
{
  return scm.c_private_lookup ("coldstore", name);
}

/* puts() makes a port's last buffer.  */
static bool
check_layout (SCM port)
{
  SCM buffers;

  scm.puts ("", port);
  buffers = scm.call_1 (scm.variable_ref (private_variable ("port-buffers")),
                        port);
  return cs_port_check (port, SCM_CAR (buffers), SCM_CDR (buffers));
}

bool
cs_ports_create (struct cs_ports_disk *image, cs_ports_print *print_lost)
{
  const SCM standard[3] = {
    scm.current_input_port (), scm.current_output_port (),
    scm.current_error_port ()
  };
  scm_t_port_type *lost;

  for (int fd = 0; fd < 3; fd++)
    image->standard[fd] = SCM_UNPACK (standard[fd]);
  image->unsettled = 0;
  image->rules
    = SCM_UNPACK (scm.variable_ref (private_variable ("port-rules")));
  image->held = SCM_UNPACK (scm.make_weak_key_hash_table (SCM_UNDEFINED));
  image->default_rule = SCM_UNPACK (private_variable ("general-rule"));
  strcpy (image->lost_name, "lost");
  lost = scm.make_port_type (image->lost_name, NULL, NULL);
  scm.set_port_print (lost, print_lost);
  image->lost = (uintptr_t) lost;
  return check_layout (standard[STDOUT_FILENO]);
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

static bool
is_standard (const struct cs_ports_disk *image, SCM port)
{
  for (int fd = 0; fd < 3; fd++)
    if (SCM_UNPACK (port) == image->standard[fd])
      return true;
  return false;
}

/* An open one, but no standard port.  */
static bool
is_fport (const struct cs_ports_disk *image, SCM port)
{
  return SCM_OPPORTP (port) && !is_standard (image, port)
         && cs_port_is_made (port)
         && scm_is_true (scm.file_port_p (port));
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

/* Where PORT's next byte is, to be read or, of what it has not written yet, to
   be written; -1 if that cannot be said.  What the user put back may lead to
   before the file's beginning.  */
static int64_t
position_of (SCM port)
{
  int64_t position = lseek (SCM_FPORT_FDES (port), 0, SEEK_CUR);
  int64_t ahead = (int64_t) cs_port_read_ahead (port);

  if (position < 0)
    return -1;
  return position < ahead ? 0 : position - ahead;
}

/* Put the name of PORT's file into TEXT, of PATH_MAX bytes; "" if it has
   none.  */
static void
name_of (SCM port, char *text)
{
  SCM name = scm.port_filename (port);
  size_t len = scm_is_string (name)
               ? scm.to_locale_stringbuf (name, text, PATH_MAX) : 0;

  text[len < PATH_MAX ? len : 0] = '\0';
}

static void
record (const struct cs_ports_disk *image, SCM port)
{
  SCM rule = scm.hashq_ref (scm_of (image->rules), port, SCM_BOOL_F);
  char text[PATH_MAX];
  struct cs_descriptor_port known = {
    .position = position_of (port),
    .rule = rule_of (rule),
    .revealed = SCM_FSTREAM (port)->revealed > 0
  };

  name_of (port, text);
  if (text[0])
    known.name = text;
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

/* Does PORT hold what only this process knows what to do with?  */
static bool
is_unsettled (SCM port)
{
  const char *bytes;

  return !cs_port_is_settled (port) || cs_port_unwritten (port, &bytes) > 0;
}

void
cs_ports_save (struct cs_ports_disk *image)
{
  SCM rule = scm.variable_ref (scm_of (image->default_rule));
  SCM ports = cs_port_list ();

  cs_process_forget_descriptors (rule_of (rule));
  image->unsettled = 0;
  for (; scm_is_pair (ports); ports = SCM_CDR (ports))
    if (is_fport (image, SCM_CAR (ports)))
      {
        record (image, SCM_CAR (ports));
        image->unsettled |= is_unsettled (SCM_CAR (ports));
      }
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
close_it (void *caught)
{
  return scm.close_port (((struct cs_catch *) caught)->object);
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
  struct cs_catch caught = { .object = port };
  scm_t_bits bits = SCM_CELL_WORD_0 (port);
  int fd = SCM_FPORT_FDES (port);
  const struct cs_descriptor_now *now = cs_process_descriptor (fd);
  char text[640];

  cs_process_describe_lost (fd, text, sizeof text);
  if (now && now->held)
    scm.hashq_set_x (scm_of (image->held), port, scm.from_int32 (fd));
  SCM_SET_CELL_WORD_0 (port, bits & ~(scm_t_bits) SCM_WRTNG);
  cs_process.weeding = true;
  cs_catch (&caught, close_it);
  cs_process.weeding = false;
  SCM_SET_CELL_WORD_0 (port, bits & ~(scm_t_bits) SCM_OPN);
  SCM_SETSTREAM (port, SCM_UNPACK (to_string (text)));
  SCM_SET_CELL_WORD_3 (port, (scm_t_bits) image->lost);
}

static void
forget_buffers (SCM port)
{
  cs_port_forget_output (port);
  cs_port_forget_input (port);
}

/* What PORT could not write in the last process is for this one if it is on a
   regular file that has not changed.  */
static void
check_unwritten (SCM port, const struct cs_descriptor_now *now)
{
  const char *bytes;
  size_t len = cs_port_unwritten (port, &bytes);
  char name[PATH_MAX];
  struct stat status;

  if (len == 0 || (now && now->state == CS_DESCRIPTOR_SAME
                   && fstat (now->fd, &status) == 0
                   && S_ISREG (status.st_mode)))
    return;
  name_of (port, name);
  cs_report (CS_REPORT_STOPPED, "file '%.256s': %zu bytes that could not be"
             " written to it in the last process are dropped", name, len);
  cs_port_forget_output (port);
}

static void
reconnect (const struct cs_ports_disk *image, SCM port)
{
  int fd = SCM_FPORT_FDES (port);
  const struct cs_descriptor_now *now = cs_process_descriptor (fd);

  cs_port_settle (port);
  /* One that the program made of 0, 1 or 2 (fdopen).  */
  if (!now && fd < CS_DESCRIPTORS_FIRST)
    {
      forget_buffers (port);
      return;
    }
  check_unwritten (port, now);
  if (!now || now->state == CS_DESCRIPTOR_LOST)
    {
      lose (image, port);
      return;
    }
  if (now->state != CS_DESCRIPTOR_SAME)
    forget_buffers (port);
  SCM_FSTREAM (port)->fdes = now->fd;
}

static void
reconnect_all (const struct cs_ports_disk *image)
{
  SCM ports;

  if (!cs_process_descriptors_changed () && image->unsettled == 0
      && !cs_threads_any_dead ())
    return;
  for (ports = cs_port_list (); scm_is_pair (ports); ports = SCM_CDR (ports))
    if (is_fport (image, SCM_CAR (ports)))
      reconnect (image, SCM_CAR (ports));
    else if (!cs_port_is_made (SCM_CAR (ports)))
      cs_port_abandon (SCM_CAR (ports));
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

/* What setvbuf was told last is kept in the port's first word (Guile 3.0,
   libguile/ports.h, ports.c, scm_setvbuf).  */
static const char *
present_buffering (SCM port)
{
  scm_t_bits word = SCM_CELL_WORD_0 (port);

  return word & SCM_BUF0 ? "none" : word & SCM_BUFLINE ? "line" : "block";
}

/* Each setvbuf makes new buffers, two pages to be written to: not if it would
   change nothing but their size.  It writes out what the port holds, which was
   for somebody else.  */
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
  cs_port_settle (port);
  forget_buffers (port);
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

static void
connect_standard (struct cs_ports_disk *image)
{
  for (int fd = 0; fd < 3; fd++)
    follow (image, fd);
  follow_locale (image);
}

void
cs_ports_restore (struct cs_ports_disk *image)
{
  reconnect_all (image);
  connect_standard (image);
}
