/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* common.h -- what all commands share: command line, messages, exit.

   A command describes itself in one `struct cs_cmd` and its main() reads

     cs_cmd_start (&command, argc, argv);       help, version, misuse end here
     ... numbers: cs_cmd_size(), cs_cmd_time()
     ... one call into libcs
     cs_cmd_exit (status);                      or cs_cmd_fail (&err)

   Rules that hold for every command because they are kept here:

   - Descriptors 0, 1 and 2 are open from cs_cmd_start() on.  One that was
     closed is taken by a /dev/null that fails in the direction it would be
     used in, so that nothing else gets its number and nothing gets lost
     without an error.
   - --help and --version print on stdout and exit 0, whatever else is on the
     command line after them.
   - Misuse prints `cs-create: unknown option '--foo'` and an indented pointer
     to --help on stderr and exits 2 (or the command's own status).
   - Messages go to stderr, one write each, with control characters made
     visible, so that a file name cannot forge a second line.
   - Whoever leaves through cs_cmd_exit() has had the write of its last byte
     to stdout checked; if that failed the message is "cannot write standard
     output: cause" and the status is not 0.

   The functions that end the process say so by their noreturn attribute.  */
#ifndef CS_COMMON_H
#define CS_COMMON_H

#include <popt.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define CS_CMD_EXCLUSIVE_MAX 6

/* The largest `val` an option may have.  Options without a short name take
   theirs from 256 upwards.  */
#define CS_CMD_VAL_MAX 511

struct cs_cmd
{
  const char *name;             /* "cs-create" */
  const char *operands;         /* as --help shows them: "STORE" */
  const char *summary;          /* what it does: a sentence for --help */

  /* Its own options, without the common ones, ending with POPT_TABLEEND.
     The table may include others (POPT_ARG_INCLUDE_TABLE).
     Each option needs a `val` of its own from 1 to CS_CMD_VAL_MAX: the short name
     where there is one.  'h', 'V', 'q' and 'v' are taken.  */
  struct poptOption *options;

  /* Long options whose argument may be missing: "--wait", for --wait[=TIME]
     (POPT_ARGFLAG_OPTIONAL).  The argument is then "".  Ends with NULL; NULL:
     none.  */
  const char *const *optional_arguments;

  /* Rows of `val`s of which only one may be given, each padded with 0; a row
     of zeros ends them.  NULL: no such options.  */
  const int (*exclusive)[CS_CMD_EXCLUSIVE_MAX];

  int min_operands;
  int max_operands;             /* -1: any number */
  bool operands_end_options;    /* all after the first operand is operands */
  bool ends_at_once;            /* with _exit(): no exit handlers are run */
  int own_status;               /* status of every failure of the command
                                   itself; 0: the usual ones of coldstore(7) */
};

/* What cs_cmd_start() found.  Lent until the process ends.  */
struct cs_cmd_line
{
  const char **operands;        /* ends with NULL */
  int nr_operands;
  bool quiet;                   /* -q: no warnings, no progress */
  bool verbose;                 /* -v: cs_cmd_note() prints */
};

/* Parse the command line.  Deals with the common options, unknown options,
   exclusive ones, the number of operands and an empty first operand itself,
   and ends the process where they ask for it.  Call it once, first.  */
const struct cs_cmd_line *cs_cmd_start (const struct cs_cmd *command,
                                        int argc, char **argv);

/* From now on, a standard descriptor that was closed at the start takes
   everything and gives nothing: as Guile's void ports.  */
void cs_cmd_null_standard (void);

/* Was the option with this `val` given?  */
bool cs_cmd_given (int val);

/* The option with this `val` as the user knows it: "--force".  Lent until the
   next call but one.  */
const char *cs_cmd_option_name (int val);

/* The argument TEXT of option VAL as bytes: a whole number, then nothing or
   B, or K M G T P E or KiB MiB ... (powers of 1024), or KB MB ... (powers of
   1000); case does not matter.  Misuse otherwise, and when it is 0.  Returns
   0 if TEXT is NULL, for an option that was not given.  */
uint64_t cs_cmd_size (int val, const char *text);

/* The same for a time in milliseconds: a whole number, then ms, s or
   nothing, m or min, h, d.  */
uint64_t cs_cmd_time (int val, const char *text);

/* The argument TEXT of option VAL as a whole number from MIN to MAX.  Misuse
   otherwise.  Returns 0 if TEXT is NULL.  */
uint64_t cs_cmd_number (int val, const char *text, uint64_t min,
                        uint64_t max);

/* The parsers behind them.  Return 0, -EINVAL or -ERANGE.  */
int cs_cmd_parse_size (const char *text, uint64_t *len);
int cs_cmd_parse_time (const char *text, uint64_t *ms);

/* Print "cs-create: text" and the pointer to --help; exit 2.  */
void cs_cmd_misuse (const char *format, ...)
  __attribute__ ((noreturn, format (printf, 1, 2)));

/* Print "cs-create: text" and, indented on the next line, the advice if
   there is one.  Returns the exit status that ERR stands for.  */
int cs_cmd_report (const struct cs_err *err);

/* The same, then cs_cmd_exit() with that status.  */
void cs_cmd_fail (const struct cs_err *err) __attribute__ ((noreturn));

/* Print "cs-create: warning: text", unless --quiet; a second line of TEXT is
   advice.  Fits the `warn` of
   struct cs_create_params.  */
void cs_cmd_warn (const char *text);

/* Print TEXT alone on a line of stderr, with --quiet too.  Fits
   cs_policy_report, whose text starts with "file:line:column: ".  CLOSURE is
   not used.  */
void cs_cmd_diagnose (void *closure, const char *text);

/* Print "cs-create: text" with --verbose only.  */
void cs_cmd_note (const char *format, ...)
  __attribute__ ((format (printf, 1, 2)));

/* Flush and close stdout, check that it worked, and exit with STATUS, or
   with 1 (the command's own status) if STATUS is 0 and it did not.  */
void cs_cmd_exit (int status) __attribute__ ((noreturn));

#endif
