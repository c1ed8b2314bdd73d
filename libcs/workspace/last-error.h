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

enum cs_last_error
{
  CS_LAST_ERROR_COMMIT,         /* the last checkpoint was not made */
  CS_LAST_ERROR_APPLY           /* it was, but is in the log still */
};

/* Keep ERR as how the last one of its kind failed; NULL: it did not.  True if it
   failed, and otherwise than the one before: then it is worth telling to somebody
   who was told of that one.  */
bool cs_last_error_set (enum cs_last_error kind, const struct cs_err *err);

/* Put into TEXT, of LEN bytes, how the last one failed; "" if it did not.  */
void cs_last_error_get (enum cs_last_error kind, char *text, size_t len);

/* In the child of a fork (fork.h).  */
void cs_last_error_fork_child (void);

#endif
