/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stack.c -- VM stacks that grow while another thread collects.  */

#include <string.h>

#include "guile/functions.h"
#include "guile/stack.h"
#include "guile/threads.h"

struct call
{
  GC_fn_type function;
  void *data;
};

/* VM's stack ended at OLD_TOP when its stack pointer was set.  */
static void
follow_stack (struct scm_vm *vm, const union scm_vm_stack_element *old_top)
{
  vm->sp = vm->stack_top - (old_top - vm->sp);
}

/* With the collector's lock held.  */
static void *
call_function (void *closure)
{
  const struct call *call = closure;
  scm_thread *t = cs_threads_this ();
  const union scm_vm_stack_element *top = t ? t->vm.stack_top : NULL;
  void *result = call->function (call->data);

  if (t && t->vm.stack_top != top)
    follow_stack (&t->vm, top);
  return result;
}

static void *
call_with_alloc_lock (GC_fn_type function, void *data)
{
  struct call call = { function, data };

  return gc.call_with_alloc_lock (call_function, &call);
}

void *
cs_stack_replacement (const char *name)
{
  return strcmp (name, "guile:call_with_alloc_lock") == 0
         ? call_with_alloc_lock : NULL;
}
