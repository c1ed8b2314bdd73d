/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* last-error.h -- what could not be saved while the workspace goes on.

   A checkpoint may be tried again and again: by a timer, many times a second.
   What is wrong is the same each time, and to be told once; who asks is told
   what it was.  */
#ifndef CS_LAST_ERROR_H
#define CS_LAST_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum cs_failure
{
  CS_FAILURE_COMMIT,            /* the last checkpoint was not made */
  CS_FAILURE_APPLY              /* it was, but is in the log still */
};

/* Keep ERR as how the last one of its kind failed.  True if it says other
   than the one before did.  */
bool cs_failure_note (enum cs_failure kind, const struct cs_err *err);

/* The last one of its kind did not fail.  */
void cs_failure_clear (enum cs_failure kind);

/* In the child of a fork (fork.h).  */
void cs_failure_forked (void);

/* Put into TEXT, of LEN bytes, how the last one failed; "" if it did not.  */
void cs_failure_get (enum cs_failure kind, char *text, size_t len);

#endif
