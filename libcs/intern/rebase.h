/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rebase.h -- a copy of a library that loads at one fixed address.

   Every address in the copy is moved by BASE: program headers (p_vaddr,
   p_paddr), e_entry, section addresses, dynamic entries that are addresses,
   values of defined symbols that are neither TLS nor absolute, r_offset of
   every relocation, the addends of RELATIVE and IRELATIVE ones, GOT[0];
   what DTPOFF and TPOFF ask for is untouched.  ld.so passes the first
   PT_LOAD's address to mmap() as a hint (glibc since 2.36,
   elf/dl-map-segments.h, _dl_map_segment; before that only without
   randomisation), so the copy lands there when the range is free, and l_addr
   is 0.  p_align of every PT_LOAD becomes one page: for more, ld.so would
   ask for a larger range.

   Because the address is known, what ld.so would do at every start is done
   once here:
   - RELATIVE words (DT_RELR too) are stored into the image and their records
     dropped;
   - a symbolic word whose value the RESOLVER knows (symbols of the library
     itself, of another library with a fixed address, or a trampoline) is
     stored too; its GLOB_DAT or ABSOLUTE record is dropped, its JUMP_SLOT
     record stays (lazy binding indexes them, and adds l_addr, which is 0;
     with LD_BIND_NOW, ld.so looks the symbol up itself and overwrites it);
   - every other JUMP_SLOT word points back into the PLT, moved by BASE;
   - the remaining records are moved together, DT_RELASZ/DT_RELSZ shrunk,
     DT_RELACOUNT/DT_RELCOUNT set to 0, DT_RELR's entries turned into
     no-ops (DT_NULL is not allowed in the middle: DT_DEBUG is used).
   A word in .bss has no bytes in the file: its record stays as it was.

   Every word that may hold something else in each process is listed for the
   caller, because the store's own data pages are laid over them later
   (cs_rebase_slot): those left to ld.so of every kind but RELATIVE.  */
#ifndef CS_REBASE_H
#define CS_REBASE_H

#include "intern/elf.h"

/* Decides about one symbolic word (GLOB_DAT, JUMP_SLOT, ABSOLUTE).  Returns
   true and sets *VALUE to S (without addend) to have it stored, false to
   leave the word to ld.so.  The value of a defined symbol that is `ifunc` is
   its resolver, not S: leave it, or give a trampoline.  */
typedef bool cs_rebase_resolver (void *closure,
                                 const struct cs_elf_symbol *symbol,
                                 const struct cs_elf_reloc *reloc,
                                 uint64_t *value);

/* A word that ld.so still relocates at each start.  */
struct cs_rebase_slot
{
  uint64_t addr;                /* of the word, after rebasing */
  uint32_t symbol;              /* index in the cs_elf; 0 if it has none
                                   (IRELATIVE, TLS of the library itself) */
  uint32_t kind;                /* enum cs_reloc_kind */
};

struct cs_rebased
{
  void *data;                   /* the copy */
  size_t len;
  struct cs_rebase_slot *slots; /* in rising order of addr */
  size_t nr_slots;
};

/* Make the copy of ELF for load address BASE + layout.start (BASE is a
   multiple of layout.align).  RESOLVER may be NULL: then no symbolic word is
   stored.  Nothing is changed in ELF.  Free the result with
   cs_rebased_fini(); after an error there is none.  The copy is a library
   that cs_elf_open_memory() accepts.  Errors: -ENOMEM; -CS_E_INCOMPATIBLE
   (BASE is not aligned, addresses leave the machine's address range, a word
   that has to be stored is not in the file, or is one that says where the
   library's tables are).  */
int cs_rebase (const struct cs_elf *elf, uint64_t base,
               cs_rebase_resolver *resolver, void *closure,
               struct cs_rebased *out, struct cs_err *err);

void cs_rebased_fini (struct cs_rebased *rebased);

#endif
