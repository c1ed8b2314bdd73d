/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* threads.h -- Guile's threads: brought to a stop before an image is written,
   and told that they are gone after it was resumed.

   The main thread goes on in the next process, as the same object with
   another thread behind it.  Any other thread belongs to its process.  The
   object alone is left of it in the next one: `thread-exited?' says #t,
   `join-thread' returns no values, as for a thread that was cancelled, and
   its mutexes are abandoned (mutex.h).  */
#ifndef CS_THREADS_H
#define CS_THREADS_H

#include <libguile.h>
#include <stdbool.h>
#include <stdint.h>

#include "image/guile.h"

/* In Guile mode, once in the life of a store.  False if threads are not laid
   out as libguile's installed headers say: then this code was made for
   another release.  */
bool cs_threads_create (struct cs_thread_layout_disk *layout);

/* The calling thread's, or NULL: it is not in Guile, or the layout is not known
   yet.  Takes no lock.  */
scm_thread *cs_threads_this (void);

/* In Guile mode, in each process, before anything of the program's runs: the
   calling thread is the main thread.  *MAIN is its object, an SCM, and is set
   where it is 0.  */
void cs_threads_become_main (uint64_t *main);
bool cs_threads_is_main (SCM thread);

/* In Guile mode: ask the other threads to wait at a safe point until they are
   released, and give those that work a moment to get there; PARK is the
   procedure that calls cs_threads_await_release().  Threads that wait for
   something stay where they are.  */
void cs_threads_save (SCM park);
SCM cs_threads_await_release (void);
void cs_threads_release (void);

/* In Guile mode: let no async run on this thread until it is unblocked as
   often as it was blocked.  */
void cs_threads_block_asyncs (void);
void cs_threads_unblock_asyncs (void);

/* In the child of a fork (fork.h): nobody waits for anybody.  */
void cs_threads_fork_child (void);

/* In a process that resumes, before it enters Guile: take the threads of the
   last process off the interpreter's list.  */
void cs_threads_restore (const struct cs_thread_layout_disk *layout);

/* After that, until cs_threads_take_dead(): were there any?  */
bool cs_threads_any_dead (void);

/* In Guile mode, after that: the list of these threads.  Once.  */
SCM cs_threads_take_dead (void);

#endif
