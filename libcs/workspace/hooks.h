/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hooks.h -- the program's procedures that are run at a checkpoint and at a
   resume.

   They are the program's, so each may fail in any way; none of them keeps a
   workspace from being opened or saved.  */
#ifndef CS_HOOKS_H
#define CS_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

/* In Guile mode: run the procedures of HOOK, an SCM, which the program calls
   NAME, one after the other.  One that raises an error or calls `exit' is
   named in a warning, and the others run.  A forked child may exit.  */
void cs_hooks_run (const char *name, uint64_t hook);

/* In Guile mode: are there any that cs_hooks_run() would run?  */
bool cs_hooks_any (uint64_t hook);

/* The name of the hook that calls this, or NULL.  */
const char *cs_hooks_running (void);

/* The hook will not return: from now on this thread is in none.  */
void cs_hooks_leave (void);

#endif
