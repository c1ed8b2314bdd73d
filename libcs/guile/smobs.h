/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* smobs.h -- making types of extensions (smobs), and objects of them, so that
   all objects are known.

   Code that was compiled with libguile's header makes an object by itself where
   its type has neither a mark nor a free function (libguile/smob.h,
   scm_new_smob; 3.0.8 to 3.0.11), and calls libguile for all others.  So a type
   without a free function gets one that does nothing, scm_free0(), and code of
   an extension calls for each object.  An object of a type that has no other
   function is made as that code would have made it: without a finalizer.  */
#ifndef CS_SMOBS_H
#define CS_SMOBS_H

#include <libguile.h>

/* As scm_make_smob_type() and scm_set_smob_mark(), for an extension.  */
scm_t_bits cs_smobs_make_type (const char *name, size_t len);
void cs_smobs_set_mark (scm_t_bits tag, SCM (*mark) (SCM));

/* As scm_i_new_smob() and scm_i_new_double_smob(), for an extension.  */
SCM cs_smobs_new (scm_t_bits tag, scm_t_bits data);
SCM cs_smobs_new_double (scm_t_bits tag, scm_t_bits data1, scm_t_bits data2,
                         scm_t_bits data3);

#endif
