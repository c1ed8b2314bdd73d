/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* arch.h -- what libcs must know of a machine.

   One `struct cs_arch` a machine, in arch/<machine>/; nothing else in the
   tree may depend on a machine.  All of them are always built: they only
   encode and classify, so that a store or library of another machine can be
   read, tested and refused by name.  */
#ifndef CS_ARCH_H
#define CS_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a relocation asks for, whatever the machine calls it.  S is the
   symbol's value, A the addend, B the load address.  */
enum cs_reloc_kind
{
  CS_RELOC_NONE,                /* nothing to do */
  CS_RELOC_RELATIVE,            /* word = B + A */
  CS_RELOC_GLOB_DAT,            /* word = S (A is ignored) */
  CS_RELOC_JUMP_SLOT,           /* word = S; may be bound lazily */
  CS_RELOC_ABSOLUTE,            /* word = S + A (symbolic, word size) */
  CS_RELOC_DTPMOD,              /* TLS module id: only ld.so can know */
  CS_RELOC_DTPOFF,              /* offset of a TLS symbol in its module */
  CS_RELOC_TPOFF,               /* offset of a TLS symbol from the thread pointer */
  CS_RELOC_IRELATIVE,           /* word = result of calling B + A */
  CS_RELOC_UNSUPPORTED          /* COPY, PC-relative, TLSDESC, ... */
};

struct cs_arch
{
  const char *name;             /* "x86_64", "i386": the folder under arch/ */
  uint16_t elf_machine;         /* EM_... (elf.h) */
  uint8_t word_len;             /* bytes in an address: 4 or 8 */
  bool rela;                    /* dynamic relocations carry addends (RELA) */

  uint32_t page_len;            /* the smallest page; segments start on one */
  uint64_t address_end;         /* first address that no process can map */

  /* The default place and size of a store's address range.  */
  uint64_t region_base;
  uint64_t region_len;

  /* A relocation number of this machine: its kind, and the standard's name
     ("R_X86_64_GLOB_DAT"), "unknown relocation" if it has none.  */
  enum cs_reloc_kind (*reloc_kind) (uint32_t type);
  const char *(*reloc_name) (uint32_t type);

  /* Is the dynamic entry TAG one of those that describe the procedure
     linkage table of a library of this machine (`ld -z mark-plt`)?  A newer
     ld.so can be told to write direct jumps there, past the words through
     which libcs binds; a copy that is carried goes without.  */
  bool (*is_plt_tag) (int64_t tag);

  /* Bytes from one trampoline to the next.  Each holds two entries:
     at +0 the trampoline proper, a jump through its slot;
     at +stub_off the stub for a symbol that is missing today, which jumps
     to the handler of the table (struct cs_table_disk) with the entry's
     index as its only argument.
     Both begin with the instruction that marks a valid target of indirect
     branches, since both are reached through pointers.  */
  size_t trampoline_len;
  size_t stub_off;

  /* Encode trampoline and stub number INDEX at CODE (trampoline_len bytes),
     which will be executed at address ADDR, jump through the word at
     SLOT_ADDR, and whose stub jumps through the word at HANDLER_ADDR.
     Returns 0, or -ERANGE if a displacement does not fit the encoding.  */
  int (*encode_trampoline) (void *code, uint64_t addr, uint64_t slot_addr,
                            uint64_t handler_addr, uint32_t index);

  /* An entry of section .plt.got: a jump through a word of the GOT.  The
     linker makes one for a function that a library calls and whose address
     its code takes: one word serves both.

     decode_plt_got() looks at the LEN bytes at CODE, at address ADDR of a
     library with DT_PLTGOT at GOT (0 if it has none).  Returns the length of
     the entry they begin with, and in *WORD_ADDR the address of its word; 0
     if they are no entry that is known.

     encode_plt_got() has such an entry, to be executed at address ADDR, jump
     through the word at WORD_ADDR.  Returns 0, or -EINVAL if it is none, or
     -ERANGE if the word is out of reach; then nothing is changed.  */
  size_t (*decode_plt_got) (const void *code, size_t len, uint64_t addr,
                            uint64_t got, uint64_t *word_addr);
  int (*encode_plt_got) (void *code, size_t len, uint64_t addr,
                         uint64_t word_addr);

  /* Can the instruction before CODE be a call?  Looks at the 7 bytes in front
     of it, which must be readable.  */
  bool (*follows_call) (const void *code);
};

/* The calling convention of the handler that stubs jump to: its index comes
   in a register, because the caller's own arguments are still in place.  */
#if defined __i386__
# define CS_ARCH_HANDLER __attribute__ ((regparm (1)))
#else
# define CS_ARCH_HANDLER
#endif

extern const struct cs_arch cs_arch_x86_64;
extern const struct cs_arch cs_arch_i386;

/* The machine with ELF_MACHINE, or NULL.  Static storage.  */
const struct cs_arch *cs_arch_find (uint16_t elf_machine);

/* The machine this library was built for; never NULL.  */
const struct cs_arch *cs_arch_native (void);

#endif
