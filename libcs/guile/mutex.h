/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mutex.h -- Scheme's mutexes and condition variables, across processes.

   A mutex that a thread of an earlier process holds is abandoned: its holder
   will not give it back.  It is free again from the first time that anything
   of this process looks at it, and so are the places of those who waited
   for it, or for a condition variable.  Nothing is searched for at a resume.

   For this the policy's `replace` rules send libguile's own functions for
   mutexes and condition variables here; each brings its object up to date
   and calls the function.  */
#ifndef CS_MUTEX_H
#define CS_MUTEX_H

#include <libguile.h>
#include <stdbool.h>

/* The function that a `replace` rule names "guile:" and

     timed_lock_mutex, unlock_mutex, mutex_owner, mutex_level,
     mutex_locked_p, timed_wait_condition_variable,
     signal_condition_variable, broadcast_condition_variable

   for the one that libguile calls scm_NAME; else NULL.  */
void *cs_mutex_replacement (const char *name);

/* In the child of a fork (fork.h).  */
void cs_mutex_fork_child (void);

/* In Guile mode: are the objects laid out as this code takes them to be?  */
bool cs_mutex_check (void);

/* In Guile mode: was the mutex M abandoned, and was that not asked before?
   False for other objects.  */
bool cs_mutex_was_abandoned (SCM m);

/* Has nothing of this process looked at the mutex M yet?  So it was made, and
   whatever it guards was last changed, in an earlier one, or it is new.
   False for other objects.  */
bool cs_mutex_is_old (SCM m);

#endif
