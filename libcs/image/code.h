/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* code.h -- which procedure an address of the interpreter's code is in.

   Compiled Scheme code is kept as ELF images, which Guile's compiler writes
   with a symbol table and line numbers (Guile 3.0, module/system/vm/
   assembler.scm and debug.scm).  They lie in the store's image as they were
   loaded.  For a store that is looked into from outside: nothing is trusted
   (heap.h).  */
#ifndef CS_CODE_H
#define CS_CODE_H

#include "image/heap.h"

struct cs_code_place
{
  char name[128];               /* of the procedure; "" if it has none */
  char file[256];               /* as the compiler was told; "" if unknown */
  uint64_t line;                /* from 1; 0 if unknown */
  uint64_t column;              /* from 0, as Guile counts them */
};

/* Where in Scheme code is ADDR?  Fills what is known.  False if it is in no
   compiled code.  */
bool cs_code_find (const struct cs_heap *heap, uint64_t addr,
                   struct cs_code_place *place);

/* Call VISIT for the words of each image that the collector was told of as
   roots (libguile/loader.c, DT_GUILE_GC_ROOT).  */
typedef void cs_code_root_visit (void *closure, uint64_t addr, uint64_t len);
void cs_code_each_root (const struct cs_heap *heap,
                        cs_code_root_visit *visit, void *closure);

#endif
