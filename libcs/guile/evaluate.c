/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* evaluate.c -- evaluating Scheme expressions that libcs has as text.  */

#include "guile/evaluate.h"
#include "guile/functions.h"

SCM
cs_evaluate (const char *text)
{
  SCM port = scm.open_input_string (scm.from_utf8_string (text));
  SCM value = SCM_UNSPECIFIED;
  SCM form;

  for (form = scm.read (port); !scm_is_eq (form, SCM_EOF_VAL);
       form = scm.read (port))
    value = scm.primitive_eval (form);
  return value;
}
