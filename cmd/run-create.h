/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* run-create.h -- cs-run --create: a store is made when it is first used.  */
#ifndef CS_RUN_CREATE_H
#define CS_RUN_CREATE_H

#include <stdint.h>

/* Make STORE as the options of creation.h say, with HISTORY older generations
   (NULL: the usual number), in a child: creating leaves an interpreter loaded.
   If another process makes the store at the same time, cs-run uses it.  Ends the
   process with STATUS if there is no store then; the message has been
   printed.  */
void cs_run_create (const char *store, const uint32_t *history, int status);

#endif
