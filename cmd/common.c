/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* common.c -- what all commands share: command line, messages, exit.  */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"

#ifndef CS_VERSION
# define CS_VERSION "unknown"
#endif

#define MESSAGE_MAX 2048

/* What libcs needs of the main thread's stack: its largest functions take 16 KiB
   each.  Under a higher limit nobody looks how much is left.  */
#define STACK_MIN ((size_t) 40 << 10)
#define STACK_PLENTY ((rlim_t) 1 << 20)

/* All there is of it in the process.  */
static struct
{
  const struct cs_cmd *command;
  struct cs_cmd_line line;
  const char **words;
  poptContext context;
  bool given[CS_CMD_VAL_MAX + 1];
  bool was_closed[3];           /* standard descriptors */
} state;

static struct poptOption common_options[] = {
  { "quiet", 'q', POPT_ARG_NONE, NULL, 'q', "Print errors only", NULL },
  { "verbose", 'v', POPT_ARG_NONE, NULL, 'v', "Print what is done", NULL },
  { "help", 'h', POPT_ARG_NONE, NULL, 'h', "Print this help and exit", NULL },
  { "version", 'V', POPT_ARG_NONE, NULL, 'V', "Print the version and exit",
    NULL },
  POPT_TABLEEND
};

/* Messages.  */

/* Add TEXT to the NUL-terminated message of MESSAGE_MAX bytes, its control
   characters as \ooo.  Room for a newline is left.  */
static void
append (char *message, const char *text)
{
  size_t len = strlen (message);

  for (; *text && len + 6 < MESSAGE_MAX; text++)
    {
      unsigned char c = *text;

      if (c < 0x20 || c == 0x7f)
        len += snprintf (message + len, 5, "\\%03o", c);
      else
        message[len++] = c;
    }
  message[len] = '\0';
}

/* Print up to two lines in one write: PREFIX TEXT, then ADVICE indented.  */
static void
print_message (const char *prefix, const char *text, const char *advice)
{
  char message[MESSAGE_MAX] = "";

  if (*prefix)
    {
      append (message, state.command->name);
      strcat (message, prefix);
    }
  append (message, text);
  strcat (message, "\n");
  if (advice && *advice)
    {
      strncat (message, "  ", MESSAGE_MAX - 1 - strlen (message));
      append (message, advice);
      strncat (message, "\n", MESSAGE_MAX - 1 - strlen (message));
    }
  fputs (message, stderr);
}

static int
own_status (int usual)
{
  return state.command->own_status ? state.command->own_status : usual;
}

int
cs_cmd_report (const struct cs_err *err)
{
  print_message (": ", err->text, err->advice);
  return own_status (cs_err_status (err->code));
}

void
cs_cmd_fail (const struct cs_err *err)
{
  cs_cmd_exit (cs_cmd_report (err));
}

void
cs_cmd_warn (const char *text)
{
  char first[MESSAGE_MAX];
  size_t len = strcspn (text, "\n");
  const char *advice = text + len;

  if (state.line.quiet)
    return;
  snprintf (first, sizeof first, "%.*s", (int) len, text);
  print_message (": warning: ", first, advice + strspn (advice, "\n "));
}

void
cs_cmd_diagnose (void *closure, const char *text)
{
  (void) closure;
  print_message ("", text, NULL);
}

void
cs_cmd_note (const char *format, ...)
{
  char text[MESSAGE_MAX];
  va_list ap;

  if (!state.line.verbose)
    return;
  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  print_message (": ", text, NULL);
}

void
cs_cmd_misuse (const char *format, ...)
{
  char text[MESSAGE_MAX], advice[64];
  va_list ap;

  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  snprintf (advice, sizeof advice, "try '%s --help'", state.command->name);
  print_message (": ", text, advice);
  cs_cmd_exit (own_status (2));
}

/* Start and end of the process.  */

/* Each of 0, 1 and 2 that is closed becomes a /dev/null opened the wrong way
   round: reading what nobody gave, or writing to nowhere, is an error.  */
static void
open_standard_descriptors (void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl (fd, F_GETFD) < 0 && errno == EBADF)
      {
        int opened = open ("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);

        /* The lowest free number is fd, as all below are open.  Without a
           descriptor there is nowhere to complain to.  */
        if (opened != fd)
          _exit (own_status (1));
        state.was_closed[fd] = true;
      }
}

void
cs_cmd_null_standard (void)
{
  int null;

  for (int fd = 0; fd <= 2; fd++)
    if (state.was_closed[fd])
      {
        null = open ("/dev/null", O_RDWR);
        if (null >= 0 && null != fd)
          {
            dup2 (null, fd);
            close (null);
          }
      }
}

void
cs_cmd_exit (int status)
{
  bool failed_before = ferror (stdout);

  errno = 0;
  if (fclose (stdout) != 0 || failed_before)
    {
      char text[256] = "cannot write standard output";

      if (errno)
        snprintf (text, sizeof text, "cannot write standard output: %s",
                  strerror (errno));
      print_message (": ", text, NULL);
      if (status == 0)
        status = own_status (1);
    }
  if (state.command->ends_at_once)
    _exit (status);
  exit (status);
}

/* The command line.  */

bool
cs_cmd_given (int val)
{
  return val >= 0 && val <= CS_CMD_VAL_MAX && state.given[val];
}

/* The option VAL in TABLE, or in a table that it includes; NULL: not there.  */
static const struct poptOption *
find_option (const struct poptOption *table, int val)
{
  const struct poptOption *option = table, *found = NULL;

  for (; !found && (option->longName || option->shortName || option->arg);
       option++)
    if ((option->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
      found = find_option (option->arg, val);
    else if (option->val == val)
      found = option;
  return found;
}

const char *
cs_cmd_option_name (int val)
{
  static char name[2][64];
  static int turn;
  const struct poptOption *option = find_option (state.command->options, val);

  turn = !turn;
  if (option && option->longName)
    snprintf (name[turn], sizeof name[turn], "--%s", option->longName);
  else
    snprintf (name[turn], sizeof name[turn], "-%c", val);
  return name[turn];
}

static void
check_exclusive (void)
{
  const int (*row)[CS_CMD_EXCLUSIVE_MAX] = state.command->exclusive;

  for (; row && (*row)[0]; row++)
    {
      int first = 0;

      for (int i = 0; i < CS_CMD_EXCLUSIVE_MAX && (*row)[i]; i++)
        if (cs_cmd_given ((*row)[i]))
          {
            if (first)
              cs_cmd_misuse ("options '%s' and '%s' exclude each other",
                             cs_cmd_option_name (first),
                             cs_cmd_option_name ((*row)[i]));
            first = (*row)[i];
          }
    }
}

static void
check_operands (void)
{
  const struct cs_cmd *command = state.command;
  const struct cs_cmd_line *line = &state.line;

  if (line->nr_operands < command->min_operands)
    cs_cmd_misuse ("missing operand, expected: %s", command->operands);
  if (command->max_operands >= 0
      && line->nr_operands > command->max_operands)
    cs_cmd_misuse ("unexpected operand '%s'",
                   line->operands[command->max_operands]);
  if (line->nr_operands > 0 && line->operands[0][0] == '\0')
    cs_cmd_misuse ("empty operand, expected: %s", command->operands);
}

static void
bad_option (poptContext context, int error)
{
  const char *option = poptBadOption (context, POPT_BADOPTION_NOALIAS);

  switch (error)
    {
    case POPT_ERROR_BADOPT:
      cs_cmd_misuse ("unknown option '%s'", option);
    case POPT_ERROR_NOARG:
      cs_cmd_misuse ("option '%s' needs an argument", option);
    case POPT_ERROR_UNWANTEDARG:
      cs_cmd_misuse ("option '%s' takes no argument", option);
    default:
      cs_cmd_misuse ("option '%s': %s", option, poptStrerror (error));
    }
}

static void __attribute__ ((noreturn))
print_help (poptContext context)
{
  char intro[512];

  snprintf (intro, sizeof intro, "[OPTION...] %s\n%s",
            state.command->operands, state.command->summary);
  poptSetOtherOptionHelp (context, intro);
  poptPrintHelp (context, stdout, 0);
  cs_cmd_exit (0);
}

static void __attribute__ ((noreturn))
print_version (void)
{
  printf ("%s (ColdStore for Guile) %s\n", state.command->name, CS_VERSION);
  cs_cmd_exit (0);
}

static void
parse_options (poptContext context)
{
  int val;

  while ((val = poptGetNextOpt (context)) > 0)
    {
      if (val <= CS_CMD_VAL_MAX)
        state.given[val] = true;
      if (val == 'h')
        print_help (context);
      if (val == 'V')
        print_version ();
    }
  if (val < -1)
    bad_option (context, val);
  state.line.quiet = cs_cmd_given ('q');
  state.line.verbose = cs_cmd_given ('v');
}

static void
take_operands (poptContext context)
{
  static const char *none[] = { NULL };
  const char **operands = poptGetArgs (context);

  state.line.operands = operands ? operands : none;
  while (state.line.operands[state.line.nr_operands])
    state.line.nr_operands++;
}

/* An optional argument comes after "=" only; popt would also take the next word,
   which may be an operand.  */
static bool
give_argument (const char **word)
{
  const char *const *option = state.command->optional_arguments;
  char *with;

  for (; option && *option; option++)
    if (strcmp (*word, *option) == 0)
      {
        if (asprintf (&with, "%s=", *word) < 0)
          return false;
        *word = with;
        return true;
      }
  return true;
}

/* The arguments with our own name in front: whatever argv[0] is, even if it
   is missing, help and messages speak of the command by its name.  Kept as
   long as the context, which refers to it; NULL without memory.  */
static const char **
named_arguments (int argc, char **argv)
{
  const char **words = calloc (argc + 2, sizeof *words);

  if (!words)
    return NULL;
  words[0] = state.command->name;
  for (int i = 1; i < argc; i++)
    words[i] = argv[i];
  for (int i = 1; i < argc && strcmp (words[i], "--") != 0; i++)
    if (!give_argument (&words[i]))
      return NULL;
  return words;
}

/* Kept for good: the operands are lent from it.  */
static poptContext
new_context (int argc, char **argv)
{
  static struct poptOption tables[] = {
    { NULL, '\0', POPT_ARG_INCLUDE_TABLE, NULL, 0, "Options:", NULL },
    { NULL, '\0', POPT_ARG_INCLUDE_TABLE, common_options, 0,
      "Common options:", NULL },
    POPT_TABLEEND
  };

  tables[0].arg = state.command->options;
  state.words = named_arguments (argc, argv);
  if (state.words)
    state.context = poptGetContext (state.command->name,
                                    argc < 1 ? 1 : argc, state.words, tables,
                                    state.command->operands_end_options
                                    ? POPT_CONTEXT_POSIXMEHARDER : 0);
  return state.context;
}

/* End with a message of two lines where little can be done: in a signal handler,
   or on a stack that is nearly full.  OPERAND may be NULL.  */
static void
end_at_once (const char *operand, const char *text)
{
  const char *const parts[] = {
    state.command->name, operand ? ": '" : ": ", operand ? operand : "",
    operand ? "': " : "", text
  };

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (write (STDERR_FILENO, parts[i], strlen (parts[i])) < 0)
      break;
  _exit (own_status (1));
}

/* What is mapped cannot be read, or a hole of it needs a block (tmpfs).  */
static void
explain_bus_error (int signum)
{
  (void) signum;
  end_at_once (state.line.operands ? state.line.operands[0] : NULL,
               "cannot use a page of a file: no room on its file system, or an"
               " input/output error\n  make room, and try again\n");
}

/* RLIMIT_STACK limits arguments, environment and frames together.  glibc reads
   /proc to tell what is left, and cannot without it.  */
static bool
stack_is_small (void)
{
  struct rlimit limit;
  pthread_attr_t attr;
  void *lowest;
  size_t len;

  if (getrlimit (RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= STACK_PLENTY)
    return false;
  if (limit.rlim_cur < STACK_MIN)
    return true;
  if (pthread_getattr_np (pthread_self (), &attr) != 0)
    return false;
  pthread_attr_getstack (&attr, &lowest, &len);
  pthread_attr_destroy (&attr);
  return (uintptr_t) __builtin_frame_address (0) - (uintptr_t) lowest
         < STACK_MIN;
}

const struct cs_cmd_line *
cs_cmd_start (const struct cs_cmd *command, int argc, char **argv)
{
  struct cs_err err = CS_ERR_INIT;
  poptContext context;

  state.command = command;
  open_standard_descriptors ();
  if (stack_is_small ())
    end_at_once (NULL, "the stack is too small\n"
                 "  raise the limit of the stack: ulimit -s 8192\n");
  signal (SIGBUS, explain_bus_error);
  context = new_context (argc, argv);
  if (!context)
    {
      cs_err_sys (&err, ENOMEM, "cannot read the command line");
      cs_cmd_fail (&err);
    }
  parse_options (context);
  take_operands (context);
  check_exclusive ();
  check_operands ();
  return &state.line;
}

/* Numbers with units.  */

struct unit
{
  const char *name;
  uint64_t factor;
};

static const struct unit size_units[] = {
  { "", 1 }, { "b", 1 },
  { "k", 1ull << 10 }, { "kib", 1ull << 10 }, { "kb", 1000ull },
  { "m", 1ull << 20 }, { "mib", 1ull << 20 }, { "mb", 1000000ull },
  { "g", 1ull << 30 }, { "gib", 1ull << 30 }, { "gb", 1000000000ull },
  { "t", 1ull << 40 }, { "tib", 1ull << 40 }, { "tb", 1000000000000ull },
  { "p", 1ull << 50 }, { "pib", 1ull << 50 }, { "pb", 1000000000000000ull },
  { "e", 1ull << 60 }, { "eib", 1ull << 60 },
  { "eb", 1000000000000000000ull },
  { NULL, 0 }
};

static const struct unit time_units[] = {
  { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 },
  { "h", 3600000 }, { "d", 86400000 },
  { NULL, 0 }
};

static int
parse_with_unit (const char *text, const struct unit *unit, uint64_t *number)
{
  unsigned long long value;
  char *end;

  /* strtoull() would take blanks and a sign.  */
  if (*text < '0' || *text > '9')
    return -EINVAL;
  errno = 0;
  value = strtoull (text, &end, 10);
  if (errno)
    return -errno;
  while (unit->name && strcasecmp (end, unit->name) != 0)
    unit++;
  if (!unit->name)
    return -EINVAL;
  if (value > UINT64_MAX / unit->factor)
    return -ERANGE;
  *number = value * unit->factor;
  return 0;
}

int
cs_cmd_parse_size (const char *text, uint64_t *len)
{
  return parse_with_unit (text, size_units, len);
}

int
cs_cmd_parse_time (const char *text, uint64_t *ms)
{
  return parse_with_unit (text, time_units, ms);
}

static uint64_t
number_argument (int val, const char *text, const struct unit *units,
                 const char *what, const char *example)
{
  uint64_t number;
  int rc;

  if (!text)
    return 0;
  rc = parse_with_unit (text, units, &number);
  if (rc == -ERANGE)
    cs_cmd_misuse ("option '%s': %s '%s' is too large",
                   cs_cmd_option_name (val), what, text);
  if (rc)
    cs_cmd_misuse ("option '%s': '%s' is not a %s, expected a whole number "
                   "with a unit, such as %s", cs_cmd_option_name (val), text,
                   what, example);
  if (number == 0)
    cs_cmd_misuse ("option '%s': the %s must not be 0",
                   cs_cmd_option_name (val), what);
  return number;
}

uint64_t
cs_cmd_number (int val, const char *text, uint64_t min, uint64_t max)
{
  static const struct unit none[] = { { "", 1 }, { NULL, 0 } };
  uint64_t number;
  int rc;

  if (!text)
    return 0;
  rc = parse_with_unit (text, none, &number);
  if (rc == -ERANGE || (rc == 0 && number > max))
    cs_cmd_misuse ("option '%s': '%s' is too large",
                   cs_cmd_option_name (val), text);
  if (rc)
    cs_cmd_misuse ("option '%s': '%s' is not a whole number",
                   cs_cmd_option_name (val), text);
  if (number < min)
    cs_cmd_misuse ("option '%s': '%s' is less than %" PRIu64,
                   cs_cmd_option_name (val), text, min);
  return number;
}

uint64_t
cs_cmd_size (int val, const char *text)
{
  return number_argument (val, text, size_units, "size", "64G or 512MiB");
}

uint64_t
cs_cmd_time (int val, const char *text)
{
  return number_argument (val, text, time_units, "time", "30s or 500ms");
}
