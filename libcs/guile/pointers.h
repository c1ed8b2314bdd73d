/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pointers.h -- foreign pointers that lead out of the store, and objects of
   extensions that lead to what a library of one process had.

   A pointer object persists, and so does the memory it leads to if that is in
   the store: strings, bytevectors, what Guile and extensions allocate,
   functions (trampolines).  What other libraries have does not:

     - a variable, found by dlsym(), has another address in the next process;
       the object gets it, and so does a bytevector made of it;
     - anything else, such as what a library has allocated, is gone.  The
       object has ended: it becomes one of another type, which no procedure
       takes for a pointer, and which prints with the reason: "Wrong type
       argument in position 1 (expecting POINTER_P): #<ended: pointer
       0x5581e2a0, whose memory was an earlier process's>".  So does a
       bytevector made of one, and a variable that is missing, until it is
       there again.

   An address that nothing lies at when its object is made is a number, and
   stays.  So is one in the first or the last 64 KiB.

   An object of an extension's own type (smob) ends if it leads to memory that a
   library had borrowed in an earlier process (process/memory/borrowed.c), a session of
   libssh for instance: by itself, by the block that it leads to, or by up to 63
   more blocks that malloc gave to an extension.  Through Guile's objects it is
   not followed.  A type that an extension makes without a free function gets
   one that does nothing, so that its objects are noted.

   C functions that finalize such objects are called in the process that made
   them only.  Scheme procedures that do so are run by after-gc-hook, where
   they find that the object has ended: such an error there is no error.

   For this the policy's `replace` rules send libguile's own functions that
   make such objects here.  They are kept in a table of weak references, so
   that nothing is searched for at a resume.  */
#ifndef CS_POINTERS_H
#define CS_POINTERS_H

#include <stdint.h>

#include <libguile.h>

#include "image/guile.h"

/* The function that a `replace` rule names "guile:" and

     from_pointer, pointer_to_bytevector, set_pointer_finalizer_x,
     i_new_smob, i_new_double_smob, make_smob_type, set_smob_mark,
     c_run_hook

   for the one that libguile calls scm_NAME; else NULL.  */
void *cs_pointers_replacement (const char *name);

/* What the collector calls for a pointer that has a finalizer, and what ended
   objects are printed with.  Their addresses are kept in the heap: they need
   trampolines.  */
void cs_pointers_finalize (void *object, void *closure);
int cs_pointers_print_ended (SCM object, SCM port, scm_print_state *state);

/* Once in the life of a store, when the collector has begun and before any
   library borrows memory.  */
void cs_pointers_create (struct cs_pointers_disk *image);

/* In Guile mode, once in the life of a store.  FINALIZE and PRINT are the
   trampolines of the functions above.  */
void cs_pointers_create_types (struct cs_pointers_disk *image, uint64_t finalize,
                       uint64_t print);

/* Use the IMAGE of this process's workspace, before anything of Guile runs.  */
void cs_pointers_restore (struct cs_pointers_disk *image);

/* In Guile mode, before anything of the program's runs in a process that has
   resumed: bring the objects up to date.  */
void cs_pointers_restore_objects (void);

/* Around a fork (fork.h).  */
void cs_pointers_fork_prepare (void);
void cs_pointers_fork_parent (void);
void cs_pointers_fork_child (void);

#endif
