/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot-abort.c -- a Guile that gives up before it has booted.

   Without its first module, ice-9/boot-9, libguile has no way to report an
   error yet and calls abort() (3.0.10, libguile/throw.c, scm_throw).  The
   handler does nothing but write and end the process: the store has no name
   yet.  */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "workspace/boot-abort.h"

enum { STATUS_INCOMPATIBLE = 5 };       /* design.md, section 7 */

static struct sigaction before;

static void
say (const char *text)
{
  if (write (STDERR_FILENO, text, strlen (text)) < 0)
    return;
}

static void
explain (int signum)
{
  (void) signum;
  say (program_invocation_short_name);
  say (": cannot boot the interpreter: Guile gave up before it could tell"
       " why\n  its modules may be missing: see that ice-9/boot-9.go is"
       " installed, and what GUILE_LOAD_PATH and GUILE_LOAD_COMPILED_PATH"
       " say\n");
  _exit (STATUS_INCOMPATIBLE);
}

void
cs_boot_abort_begin (void)
{
  struct sigaction action = { .sa_handler = explain };

  sigaction (SIGABRT, &action, &before);
}

void
cs_boot_abort_end (void)
{
  sigaction (SIGABRT, &before, NULL);
}
