/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scheme-threads.c -- what Scheme code keeps of threads.  */

#include "guile/functions.h"
#include "guile/scheme-threads.h"
#include "guile/threads.h"

/* What call_resumed() works with.  */
struct resumption
{
  const struct cs_scheme_api_disk *image;
  SCM gone;
};

static void *
call_resumed (void *closure)
{
  const struct resumption *r = closure;

  scm.call_1 (scm_of (r->image->resumed), r->gone);
  return NULL;
}

static SCM
value (uint64_t variable)
{
  return scm.variable_ref (scm_of (variable));
}

/* Has (srfi srfi-18) been loaded, and not been changed yet?  */
static bool
is_srfi_18_new (const struct cs_scheme_api_disk *image)
{
  return scm_is_false (value (image->srfi_18_is_ready))
         && scm_is_true (scm.hashq_ref (scm_of (image->srfi_modules),
                                        scm.from_utf8_symbol ("srfi-18"),
                                        SCM_BOOL_F));
}

/* The conditions are those of the Scheme procedure.  To run it brings in
   pages that nothing else may need: most resumes have nothing for it.  */
void
cs_scheme_threads_restore (const struct cs_scheme_api_disk *image)
{
  struct resumption r = { image, cs_threads_take_dead () };

  if (!scm_is_null (r.gone) || !scm_is_null (value (image->workers))
      || is_srfi_18_new (image))
    scm.with_guile (call_resumed, &r);
}
