/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* environment.h -- what the interpreter was told from outside.

   libguile looks at some environment variables once, when it is booted, and
   Guile's command line adds to the same variables of the workspace: load
   paths, whether to compile, where to.  All of that belongs to a process.
   So the *setting* that the workspace was last set up with is kept, and when
   the new process has another one, what came from the old one is replaced by
   what the new one says.  What the program itself has changed stays.

   A setting is a list of strings, in a fixed order: "NAME=value" for each
   variable of the list in environment.c that is set, and "-Ldir", "-Cdir",
   "-xextension", "--auto-compile" and its like for Guile's options.  The
   Scheme side, which knows what follows from it, is
   scheme/coldstore/environment.scm.  */
#ifndef CS_ENVIRONMENT_H
#define CS_ENVIRONMENT_H

#include <stddef.h>
#include <stdint.h>

#include "image/guile.h"

/* In Guile mode, once in the life of a store: keep the setting that libguile
   has just been booted with.  */
void cs_environment_create (struct cs_environment_disk *image);

/* In Guile mode, before Guile looks at its arguments: follow this process's
   setting, and say what has changed (report.h).  FOLLOW is the Scheme side,
   an SCM; it is not called if nothing has changed.  An error in it is reported
   on the current error port.  */
void cs_environment_restore (struct cs_environment_disk *image,
                            uint64_t follow, int argc, char **argv);

#endif
