/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* catch.c -- something that may fail in Guile, and how it did.  */

#include "guile/catch.h"
#include "guile/functions.h"

static SCM
note_failure (void *caught, SCM key, SCM args)
{
  struct cs_catch *a = caught;

  a->failed = true;
  a->key = key;
  a->args = args;
  return SCM_UNSPECIFIED;
}

SCM
cs_catch (struct cs_catch *caught, scm_t_catch_body body)
{
  caught->failed = false;
  return scm.internal_catch (SCM_BOOL_T, body, caught, note_failure,
                             caught);
}
