/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* readline.c -- the settings of extensions that begin again in each process.  */

#include "guile/functions.h"
#include "guile/readline.h"
#include "process/process.h"

static void *
call_procedure (void *bits)
{
  scm.call_0 (scm_of (*(uint64_t *) bits));
  return NULL;
}

static void
call_if_any_restarts (uint64_t procedure)
{
  if (cs_library_any_restarts (&cs_process.libraries))
    scm.with_guile (call_procedure, &procedure);
}

void
cs_readline_save (const struct cs_scheme_api_disk *image)
{
  call_if_any_restarts (image->keep_readline);
}

void
cs_readline_restore (const struct cs_scheme_api_disk *image)
{
  call_if_any_restarts (image->restart_readline);
}
