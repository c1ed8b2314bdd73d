/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dynamic-state.c -- the values of fluids and parameters, and the current
   module, that a workspace goes on with.

   Leaving the extents would run what dynamic-wind was given, so only the
   entries of a thread's dynamic stack that stand for bindings, or for
   save-module-excursion, are undone, in a dynamic state that is put back
   afterwards.  Their form is that of Guile 3.0 (libguile/dynstack.h;
   dynstack.c, scm_dynstack_push_fluid, scm_dynstack_push_dynwind and
   scm_dynstack_push_dynamic_state): a fluid and a variable with its outer
   value; two thunks, to run at the begin and at the end; a variable with the
   outer dynamic state.  What C code binds with scm_dynwind_fluid(), as `eval`
   does the current module, is a function of libguile's and a pair of fluid and
   outer value (fluids.c, swap_fluid).  */

#include <stdbool.h>

#include "guile/dynamic-state.h"
#include "guile/functions.h"

enum { FLUID = 0, FLUID_BOX = 1, AFTER = 1, STATE_BOX = 0, PROC = 0, DATA = 1 };

static scm_t_bits swap_fluid;   /* libguile's function */

static scm_t_dynstack_item_type
type_of (scm_t_bits *item)
{
  return SCM_DYNSTACK_TAG_TYPE (SCM_DYNSTACK_TAG (item));
}

static SCM
outer_value (scm_t_bits *item, int box)
{
  return SCM_VARIABLE_REF (SCM_PACK (item[box]));
}

/* The values of thread-local fluids are no part of a dynamic state.  */
static bool
is_local (SCM fluid)
{
  return scm_is_true (scm.fluid_thread_local_p (fluid));
}

static void
undo_fluid (scm_t_bits *item)
{
  SCM fluid = SCM_PACK (item[FLUID]);

  if (!is_local (fluid))
    scm.fluid_set_x (fluid, outer_value (item, FLUID_BOX));
}

static void
undo_excursion (scm_t_bits *item, const struct cs_loading_disk *loading)
{
  SCM outer = cs_loading_outer_module (loading, SCM_PACK (item[AFTER]));

  if (scm_is_true (outer))
    scm.set_current_module (outer);
}

/* The function has no name outside of libguile: an entry tells it, once in a
   process.  */
static void
find_swap_fluid (void)
{
  scm_t_dynstack *stack
    = &SCM_I_THREAD_DATA (scm.current_thread ())->dynstack;
  scm_t_bits *item;

  scm.dynwind_begin (0);
  scm.dynwind_current_module (scm.current_module ());
  item = SCM_DYNSTACK_PREV (stack->top);
  if (item && type_of (item) == SCM_DYNSTACK_TYPE_UNWINDER)
    swap_fluid = item[PROC];
  scm.dynwind_end ();
}

static bool
is_swap (scm_t_bits *item)
{
  return type_of (item) == SCM_DYNSTACK_TYPE_UNWINDER
         && item[PROC] == swap_fluid;
}

static void
undo_swap (scm_t_bits *item)
{
  SCM data = SCM_PACK (item[DATA]);

  if (!is_local (SCM_CAR (data)))
    scm.fluid_set_x (SCM_CAR (data), SCM_CDR (data));
}

static void
undo (scm_t_bits *item, const struct cs_loading_disk *loading)
{
  if (type_of (item) == SCM_DYNSTACK_TYPE_WITH_FLUID)
    undo_fluid (item);
  else if (type_of (item) == SCM_DYNSTACK_TYPE_DYNWIND)
    undo_excursion (item, loading);
  else if (is_swap (item))
    undo_swap (item);
  else if (type_of (item) == SCM_DYNSTACK_TYPE_DYNAMIC_STATE)
    scm.set_current_dynamic_state (outer_value (item, STATE_BOX));
}

static bool
is_undone (scm_t_bits *item)
{
  return type_of (item) == SCM_DYNSTACK_TYPE_WITH_FLUID
         || type_of (item) == SCM_DYNSTACK_TYPE_DYNWIND || is_swap (item)
         || type_of (item) == SCM_DYNSTACK_TYPE_DYNAMIC_STATE;
}

static bool
has_bindings (scm_t_dynstack *stack)
{
  scm_t_bits *item = SCM_DYNSTACK_PREV (stack->top);

  while (item && !is_undone (item))
    item = SCM_DYNSTACK_PREV (item);
  return item;
}

static SCM
without_bindings (scm_t_dynstack *stack,
                  const struct cs_loading_disk *loading)
{
  SCM inner = scm.current_dynamic_state (), outer;

  if (!has_bindings (stack))
    return inner;
  for (scm_t_bits *item = SCM_DYNSTACK_PREV (stack->top); item;
       item = SCM_DYNSTACK_PREV (item))
    undo (item, loading);
  outer = scm.current_dynamic_state ();
  scm.set_current_dynamic_state (inner);
  return outer;
}

/* All functions on dynamic states work on the calling thread's, so for the
   moment that is THREAD's.  */
SCM
cs_dynamic_state_outermost (SCM thread, const struct cs_loading_disk *loading)
{
  scm_thread *t = SCM_I_THREAD_DATA (thread);
  scm_thread *self = SCM_I_THREAD_DATA (scm.current_thread ());
  scm_t_dynamic_state *own = self->dynamic_state;
  SCM outer;

  if (swap_fluid == 0)
    find_swap_fluid ();
  self->dynamic_state = t->dynamic_state;
  outer = without_bindings (&t->dynstack, loading);
  self->dynamic_state = own;
  return outer;
}
