/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stack.h -- VM stacks that grow while another thread collects.

   libguile moves a stack that has become too small: it copies the stack to a
   larger one, sets the frame pointer and unmaps the old stack, all with the
   collector's lock held.  It sets the stack pointer when it has given the lock
   back (3.0.8, libguile/vm.c, vm_expand_stack).  A collection in between marks
   from the old stack pointer up to the new frame pointer, so it reads what is
   mapped between the two stacks, or dies where nothing is.  Plain Guile dies
   of it too.  */
#ifndef CS_STACK_H
#define CS_STACK_H

/* The function that a `replace` rule names "guile:call_with_alloc_lock", for
   libguile's calls of GC_call_with_alloc_lock: it sets the stack pointer of a
   stack that the call has moved before it gives the lock back.  NULL for other
   names.  */
void *cs_stack_replacement (const char *name);

#endif
