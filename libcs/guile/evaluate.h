/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* evaluate.h -- evaluating Scheme expressions that libcs has as text.  */
#ifndef CS_EVALUATE_H
#define CS_EVALUATE_H

#include <libguile.h>

/* In Guile mode: evaluate the expressions of TEXT (UTF-8) in the current
   module; returns the last one's value.  Raises what they raise.
   scm_c_eval_string would load the compiler, which every collection would then
   have to mark.  */
SCM cs_evaluate (const char *text);

#endif
