/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tally.c -- an extension with a variable, memory and a type of its own.  */

#include <libguile.h>
#include <stdlib.h>

static int tally;
static SCM kept = SCM_EOL;
static scm_t_bits box_tag;

static SCM
count (SCM what)
{
  kept = scm_cons (what, kept);
  return scm_from_int (++tally);
}

static SCM
counted (void)
{
  return kept;
}

static SCM
box (SCM content)
{
  SCM_RETURN_NEWSMOB (box_tag, SCM_UNPACK (content));
}

static SCM
unbox (SCM object)
{
  scm_assert_smob_type (box_tag, object);
  return SCM_PACK (SCM_SMOB_DATA (object));
}

static SCM
mark_box (SCM object)
{
  return SCM_PACK (SCM_SMOB_DATA (object));
}

void init_tally (void);

void
init_tally (void)
{
  scm_gc_protect_object (kept);
  box_tag = scm_make_smob_type ("box", 0);
  scm_set_smob_mark (box_tag, mark_box);
  scm_c_define_gsubr ("count!", 1, 0, 0, (scm_t_subr) count);
  scm_c_define_gsubr ("counted", 0, 0, 0, (scm_t_subr) counted);
  scm_c_define_gsubr ("box", 1, 0, 0, (scm_t_subr) box);
  scm_c_define_gsubr ("unbox", 1, 0, 0, (scm_t_subr) unbox);
}
