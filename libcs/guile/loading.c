/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* loading.c -- modules that are being loaded.

   Loading a module or a file is an extent of save-module-excursion, whose
   entry of the dynamic stack holds two thunks (3.0.8, libguile/dynstack.c,
   scm_dynstack_push_dynwind).  Both are closures over the same two variables:
   while the extent lasts, one of them holds #f and the other the outer module
   (module/ice-9/boot-9.scm, save-module-excursion).  Its thunks are known by
   their code.  */

#include <stdlib.h>

#include "guile/functions.h"
#include "guile/loading.h"
#include "report.h"

enum { AFTER = 1 };             /* word of the entry */

/* The thunk to run at the end of the innermost dynamic-wind, or #f.  */
static SCM
innermost_after (void)
{
  scm_thread *self = SCM_I_THREAD_DATA (scm.current_thread ());
  scm_t_bits *item = SCM_DYNSTACK_PREV (self->dynstack.top);

  for (; item; item = SCM_DYNSTACK_PREV (item))
    if (SCM_DYNSTACK_TAG_TYPE (SCM_DYNSTACK_TAG (item))
        == SCM_DYNSTACK_TYPE_DYNWIND)
      return SCM_PACK (item[AFTER]);
  return SCM_BOOL_F;
}

/* An extent in which car is called without arguments: that raises an error.  */
static SCM
enter_excursion (void *unused)
{
  SCM enter = scm.variable_ref (scm.c_private_lookup
                                  ("guile", "save-module-excursion"));
  SCM car = scm.variable_ref (scm.c_private_lookup ("guile", "car"));

  (void) unused;
  return scm.call_1 (enter, car);
}

/* Before the error leaves the extent.  */
static SCM
note_excursion (void *after, SCM key, SCM arguments)
{
  (void) key;
  (void) arguments;
  *(SCM *) after = innermost_after ();
  return SCM_BOOL_F;
}

static SCM
ignore_error (void *unused, SCM key, SCM arguments)
{
  (void) unused;
  (void) key;
  (void) arguments;
  return SCM_BOOL_F;
}

static bool
is_closure_of_two (SCM thunk)
{
  return SCM_PROGRAM_P (thunk) && SCM_PROGRAM_NUM_FREE_VARIABLES (thunk) == 2
         && SCM_VARIABLEP (SCM_PROGRAM_FREE_VARIABLE_REF (thunk, 0))
         && SCM_VARIABLEP (SCM_PROGRAM_FREE_VARIABLE_REF (thunk, 1));
}

void
cs_loading_create (struct cs_loading_disk *image)
{
  SCM after = SCM_BOOL_F;

  scm.c_catch (SCM_BOOL_T, enter_excursion, NULL, ignore_error, NULL,
               note_excursion, &after);
  if (is_closure_of_two (after))
    image->excursion = SCM_UNPACK (after);
  image->in_progress
    = SCM_UNPACK (scm.c_private_lookup ("guile", "autoloads-in-progress"));
  image->abandon
    = SCM_UNPACK (scm.variable_ref (scm.c_private_lookup ("coldstore loading",
                                                          "abandon!")));
}

SCM
cs_loading_list (const struct cs_loading_disk *image)
{
  return image->in_progress ? SCM_VARIABLE_REF (scm_of (image->in_progress))
                            : SCM_EOL;
}

static SCM
free_variable (SCM closure, int i)
{
  return SCM_VARIABLE_REF (SCM_PROGRAM_FREE_VARIABLE_REF (closure, i));
}

SCM
cs_loading_outer_module (const struct cs_loading_disk *image, SCM after)
{
  SCM first;

  if (!image->excursion || !is_closure_of_two (after)
      || SCM_PROGRAM_CODE (after)
         != SCM_PROGRAM_CODE (scm_of (image->excursion)))
    return SCM_BOOL_F;
  first = free_variable (after, 0);
  return scm_is_true (first) ? first : free_variable (after, 1);
}

static void
report (SCM name)
{
  char text[256];
  size_t len = scm.to_locale_stringbuf (name, text, sizeof text - 1);

  text[len < sizeof text ? len : sizeof text - 1] = '\0';
  cs_report (CS_REPORT_STOPPED, "module %s: its loading had not ended: it is"
             " loaded again when it is used", text);
}

void
cs_loading_restore (const struct cs_loading_disk *image)
{
  SCM names;

  if (scm_is_null (cs_loading_list (image)))
    return;
  for (names = scm.call_0 (scm_of (image->abandon)); scm_is_pair (names);
       names = SCM_CDR (names))
    report (SCM_CAR (names));
}
