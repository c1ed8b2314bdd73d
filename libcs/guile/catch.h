/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* catch.h -- something that may fail in Guile, and how it did.  */
#ifndef CS_CATCH_H
#define CS_CATCH_H

#include <stdbool.h>

#include <libguile.h>

struct cs_catch
{
  SCM object;                   /* for the body */
  SCM key, args;                /* of the error */
  bool failed;
};

/* In Guile mode: call BODY with CAUGHT, of which OBJECT is set.  Returns what
   BODY does; if it raises an error, the rest of CAUGHT says so.  */
SCM cs_catch (struct cs_catch *caught, scm_t_catch_body body);

#endif
