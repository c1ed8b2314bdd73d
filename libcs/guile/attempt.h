/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attempt.h -- something that may fail in Guile, and how it did.  */
#ifndef CS_ATTEMPT_H
#define CS_ATTEMPT_H

#include <stdbool.h>

#include <libguile.h>

struct cs_attempt
{
  SCM object;                   /* for the body */
  SCM key, args;                /* of the error */
  bool failed;
};

/* In Guile mode: call BODY with ATTEMPT, of which OBJECT is set.  Returns what
   BODY does; if it raises an error, the rest of ATTEMPT says so.  */
SCM cs_attempt (struct cs_attempt *attempt, scm_t_catch_body body);

#endif
