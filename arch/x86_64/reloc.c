/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reloc.c -- x86-64 relocation numbers.

   Numbers and names: System V ABI, AMD64 Architecture Processor Supplement,
   version 1.0, table 4.9 "Relocation Types", and ELF Handling For
   Thread-Local Storage, section 4.4.6, for the TLS ones.  */

#include <elf.h>

#include "machine-code.h"

#define NAMED(reloc) [reloc] = #reloc

static const char *const names[] = {
  NAMED (R_X86_64_NONE),
  NAMED (R_X86_64_64),
  NAMED (R_X86_64_PC32),
  NAMED (R_X86_64_GOT32),
  NAMED (R_X86_64_PLT32),
  NAMED (R_X86_64_COPY),
  NAMED (R_X86_64_GLOB_DAT),
  NAMED (R_X86_64_JUMP_SLOT),
  NAMED (R_X86_64_RELATIVE),
  NAMED (R_X86_64_GOTPCREL),
  NAMED (R_X86_64_32),
  NAMED (R_X86_64_32S),
  NAMED (R_X86_64_16),
  NAMED (R_X86_64_PC16),
  NAMED (R_X86_64_8),
  NAMED (R_X86_64_PC8),
  NAMED (R_X86_64_DTPMOD64),
  NAMED (R_X86_64_DTPOFF64),
  NAMED (R_X86_64_TPOFF64),
  NAMED (R_X86_64_TLSGD),
  NAMED (R_X86_64_TLSLD),
  NAMED (R_X86_64_DTPOFF32),
  NAMED (R_X86_64_GOTTPOFF),
  NAMED (R_X86_64_TPOFF32),
  NAMED (R_X86_64_PC64),
  NAMED (R_X86_64_GOTOFF64),
  NAMED (R_X86_64_GOTPC32),
  NAMED (R_X86_64_SIZE32),
  NAMED (R_X86_64_SIZE64),
  NAMED (R_X86_64_GOTPC32_TLSDESC),
  NAMED (R_X86_64_TLSDESC_CALL),
  NAMED (R_X86_64_TLSDESC),
  NAMED (R_X86_64_IRELATIVE),
  NAMED (R_X86_64_RELATIVE64),
  NAMED (R_X86_64_GOTPCRELX),
  NAMED (R_X86_64_REX_GOTPCRELX)
};

/* DT_X86_64_PLT, its PLTSZ and PLTENT: glibc 2.38's elf.h, and binutils 2.41,
   ld's manual under "-z mark-plt".  The tags have no names in older headers.
   The addends of R_X86_64_JUMP_SLOT, which ld.so ignores (glibc 2.36,
   sysdeps/x86_64/dl-machine.h), lead to the table's entries then.  */
bool
cs_x86_64_is_plt_tag (int64_t tag)
{
  return tag == DT_LOPROC || tag == DT_LOPROC + 1 || tag == DT_LOPROC + 3;
}

enum cs_reloc_kind
cs_x86_64_reloc_kind (uint32_t type)
{
  switch (type)
    {
    case R_X86_64_NONE: return CS_RELOC_NONE;
    case R_X86_64_RELATIVE: return CS_RELOC_RELATIVE;
    case R_X86_64_GLOB_DAT: return CS_RELOC_GLOB_DAT;
    case R_X86_64_JUMP_SLOT: return CS_RELOC_JUMP_SLOT;
    case R_X86_64_64: return CS_RELOC_ABSOLUTE;
    case R_X86_64_DTPMOD64: return CS_RELOC_DTPMOD;
    case R_X86_64_DTPOFF64: return CS_RELOC_DTPOFF;
    case R_X86_64_TPOFF64: return CS_RELOC_TPOFF;
    case R_X86_64_IRELATIVE: return CS_RELOC_IRELATIVE;
    default: return CS_RELOC_UNSUPPORTED;
    }
}

const char *
cs_x86_64_reloc_name (uint32_t type)
{
  if (type < sizeof names / sizeof *names && names[type])
    return names[type];
  return "unknown relocation";
}
