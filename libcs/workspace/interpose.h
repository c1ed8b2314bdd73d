/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose.h -- the functions that the `replace` rules of a policy name.  */
#ifndef CS_INTERPOSE_H
#define CS_INTERPOSE_H

#include "err.h"
#include "intern/policy.h"

/* The function that a `replace` rule names: those of process.h, and
     guile:register_my_thread, guile:unregister_my_thread,
     guile:disable_collector, guile:enable_collector, guile:malloc_many,
     guile:set_finalizer_notifier (finalizers.h),
     guile:call_with_alloc_lock (stack.h)
   for the functions of libgc that do so,
     guile:gc_disable, guile:gc_enable
   for libguile's, and guile:system (shell-command.h).  NULL for another name.  */
void *cs_interpose_find (const char *name);

/* cs_policy_load(), and see that each replacement in the policy is one that
   there is: those that are not are errors of the policy as well.  */
int cs_interpose_policy (const char *file, cs_policy_report *diagnose,
                         void *closure, struct cs_policy **policy,
                         struct cs_err *err);

#endif
