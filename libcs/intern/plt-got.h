/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-got.h -- calls that share a word with an address that is taken.

   When a library both calls a function and takes its address, the linker
   makes no JUMP_SLOT word for the calls: they go through an entry of section
   .plt.got, which jumps through the GLOB_DAT word that the address is read
   from.  In a carried copy that word holds a trampoline, so each call would
   make two jumps.  Here the entry is made to jump through the trampoline's
   own slot instead: wherever the trampoline leads, calls go at once, and the
   address that is taken stays the trampoline's.

   The section is known by its name only; a library without section headers,
   and any entry that is not quite as expected, stays as it is, and its calls
   go by way of the trampoline.  */
#ifndef CS_PLT_GOT_H
#define CS_PLT_GOT_H

#include "intern/rebase.h"

/* The address of the word that the trampoline at ADDR jumps through; 0 if
   there is no trampoline.  */
typedef uint64_t cs_plt_got_finder (void *closure, uint64_t addr);

/* Change the entries of COPY, which cs_rebase() has made of ELF for BASE.
   Returns 0 or -ENOMEM.  */
int cs_plt_got_direct (const struct cs_elf *elf, uint64_t base,
                       cs_plt_got_finder *find, void *closure,
                       struct cs_rebased *copy, struct cs_err *err);

#endif
