/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rebase.h -- a copy of a library that loads at one fixed address.

   Every address in the copy is moved by BASE: program headers (p_vaddr,
   p_paddr), e_entry, section addresses, dynamic entries that are addresses,
   values of defined symbols that are neither TLS nor absolute, r_offset of
   every relocation, the addends of RELATIVE and IRELATIVE ones, DTPOFF and
   TPOFF untouched.  ld.so passes the first PT_LOAD's address to mmap() as a
   hint (glibc 2.36, elf/dl-map-segments.h, _dl_map_segment), so the copy
   lands there when the range is free, and l_addr is 0.

   Because the address is known, what ld.so would do at every start is done
   once here:
   - RELATIVE words (DT_RELR too) are stored into the image and their records
     dropped;
   - a symbolic word whose value the RESOLVER knows (symbols of the library
     itself, of another library with a fixed address, or a trampoline) is
     stored too; its GLOB_DAT or ABSOLUTE record is dropped, its JUMP_SLOT
     record stays (lazy binding indexes them, and adds l_addr, which is 0);
   - every other JUMP_SLOT word points back into the PLT, moved by BASE;
   - the remaining records are moved together, DT_RELASZ/DT_RELSZ shrunk,
     DT_RELACOUNT/DT_RELCOUNT set to 0, DT_RELR's entries turned into
     no-ops (DT_NULL is not allowed in the middle: DT_DEBUG is used).
   The remaining symbolic words are listed for the caller, because the
   store's own data pages are laid over them later (cs_rebase_slot).  */
#ifndef CS_REBASE_H
#define CS_REBASE_H

#include "intern/elf.h"

/* Decides about one symbolic word (GLOB_DAT, JUMP_SLOT, ABSOLUTE).  Returns
   true and sets *VALUE to S (without addend) to have it stored, false to
   leave the word to ld.so.  */
typedef bool cs_rebase_resolver (void *closure,
                                 const struct cs_elf_symbol *symbol,
                                 const struct cs_elf_reloc *reloc,
                                 uint64_t *value);

/* A word that ld.so still relocates against a symbol at each start.  */
struct cs_rebase_slot
{
  uint64_t addr;                /* of the word, after rebasing */
  uint32_t symbol;              /* index in the cs_elf */
  uint32_t kind;                /* enum cs_reloc_kind */
};

struct cs_rebased
{
  void *data;                   /* the copy */
  size_t len;
  struct cs_rebase_slot *slots; /* in rising order of addr */
  size_t nr_slots;
};

/* Make the copy of ELF for load address BASE + layout.start (BASE is
   page-aligned).  Nothing is changed in ELF.  Free the result with
   cs_rebased_fini().  Errors: -ENOMEM; -CS_E_INCOMPATIBLE (addresses leave
   the machine's address range).  */
int cs_rebase (const struct cs_elf *elf, uint64_t base,
               cs_rebase_resolver *resolver, void *closure,
               struct cs_rebased *out, struct cs_err *err);

void cs_rebased_fini (struct cs_rebased *rebased);

#endif
