/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* smobs.c -- types of extensions, and objects of them.  */

#include "guile/functions.h"
#include "guile/smobs.h"

static scm_smob_descriptor *
type_of (scm_t_bits tag)
{
  return &(*scm_data.smobs)[SCM_TC2SMOBNUM (tag)];
}

/* Are objects of this type made here, and not by libguile?  */
static bool
is_plain (scm_t_bits tag)
{
  return !type_of (tag)->mark && type_of (tag)->free == scm.free0;
}

scm_t_bits
cs_smobs_make_type (const char *name, size_t len)
{
  scm_t_bits tag = scm.make_smob_type (name, len);

  if (!type_of (tag)->free)
    scm.set_smob_free (tag, scm.free0);
  return tag;
}

/* With a mark function the type needs no other one for its objects to be
   known.  */
void
cs_smobs_set_mark (scm_t_bits tag, SCM (*mark) (SCM))
{
  if (mark && is_plain (tag))
    scm.set_smob_free (tag, NULL);
  scm.set_smob_mark (tag, mark);
}

/* The type comes last: a word of the collector's without one is no object.  */
SCM
cs_smobs_new (scm_t_bits tag, scm_t_bits data)
{
  scm_t_bits *words;

  if (!is_plain (tag))
    return scm.i_new_smob (tag, data);
  words = gc.malloc (2 * sizeof *words);
  words[1] = data;
  words[0] = tag;
  return SCM_PACK_POINTER (words);
}

SCM
cs_smobs_new_double (scm_t_bits tag, scm_t_bits data1, scm_t_bits data2,
                     scm_t_bits data3)
{
  scm_t_bits *words;

  if (!is_plain (tag))
    return scm.i_new_double_smob (tag, data1, data2, data3);
  words = gc.malloc (4 * sizeof *words);
  words[3] = data3;
  words[2] = data2;
  words[1] = data1;
  words[0] = tag;
  return SCM_PACK_POINTER (words);
}
