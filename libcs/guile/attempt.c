/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attempt.c -- something that may fail in Guile, and how it did.  */

#include "guile/api.h"
#include "guile/attempt.h"

static SCM
note_failure (void *attempt, SCM key, SCM args)
{
  struct cs_attempt *a = attempt;

  a->failed = true;
  a->key = key;
  a->args = args;
  return SCM_UNSPECIFIED;
}

SCM
cs_attempt (struct cs_attempt *attempt, scm_t_catch_body body)
{
  attempt->failed = false;
  return scm.internal_catch (SCM_BOOL_T, body, attempt, note_failure,
                             attempt);
}
