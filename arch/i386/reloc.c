/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reloc.c -- i386 relocation numbers.

   Numbers and names: System V ABI, Intel386 Architecture Processor
   Supplement, version 1.1, table 2.10 "Relocation Types", and ELF Handling
   For Thread-Local Storage, section 4.4.5, for the TLS ones.  */

#include <elf.h>

#include "machine-code.h"

#define NAMED(reloc) [reloc] = #reloc

static const char *const names[] = {
  NAMED (R_386_NONE),
  NAMED (R_386_32),
  NAMED (R_386_PC32),
  NAMED (R_386_GOT32),
  NAMED (R_386_PLT32),
  NAMED (R_386_COPY),
  NAMED (R_386_GLOB_DAT),
  NAMED (R_386_JMP_SLOT),
  NAMED (R_386_RELATIVE),
  NAMED (R_386_GOTOFF),
  NAMED (R_386_GOTPC),
  NAMED (R_386_32PLT),
  NAMED (R_386_TLS_TPOFF),
  NAMED (R_386_TLS_IE),
  NAMED (R_386_TLS_GOTIE),
  NAMED (R_386_TLS_LE),
  NAMED (R_386_TLS_GD),
  NAMED (R_386_TLS_LDM),
  NAMED (R_386_16),
  NAMED (R_386_PC16),
  NAMED (R_386_8),
  NAMED (R_386_PC8),
  NAMED (R_386_TLS_GD_32),
  NAMED (R_386_TLS_GD_PUSH),
  NAMED (R_386_TLS_GD_CALL),
  NAMED (R_386_TLS_GD_POP),
  NAMED (R_386_TLS_LDM_32),
  NAMED (R_386_TLS_LDM_PUSH),
  NAMED (R_386_TLS_LDM_CALL),
  NAMED (R_386_TLS_LDM_POP),
  NAMED (R_386_TLS_LDO_32),
  NAMED (R_386_TLS_IE_32),
  NAMED (R_386_TLS_LE_32),
  NAMED (R_386_TLS_DTPMOD32),
  NAMED (R_386_TLS_DTPOFF32),
  NAMED (R_386_TLS_TPOFF32),
  NAMED (R_386_SIZE32),
  NAMED (R_386_TLS_GOTDESC),
  NAMED (R_386_TLS_DESC_CALL),
  NAMED (R_386_TLS_DESC),
  NAMED (R_386_IRELATIVE),
  NAMED (R_386_GOT32X)
};

/* i386 has no dynamic entries of its own.  */
bool
cs_i386_is_plt_tag (int64_t tag)
{
  (void) tag;
  return false;
}

enum cs_reloc_kind
cs_i386_reloc_kind (uint32_t type)
{
  switch (type)
    {
    case R_386_NONE: return CS_RELOC_NONE;
    case R_386_RELATIVE: return CS_RELOC_RELATIVE;
    case R_386_GLOB_DAT: return CS_RELOC_GLOB_DAT;
    case R_386_JMP_SLOT: return CS_RELOC_JUMP_SLOT;
    case R_386_32: return CS_RELOC_ABSOLUTE;
    case R_386_TLS_DTPMOD32: return CS_RELOC_DTPMOD;
    case R_386_TLS_DTPOFF32: return CS_RELOC_DTPOFF;
    /* The offset from the thread pointer with either sign.  */
    case R_386_TLS_TPOFF:
    case R_386_TLS_TPOFF32: return CS_RELOC_TPOFF;
    case R_386_IRELATIVE: return CS_RELOC_IRELATIVE;
    default: return CS_RELOC_UNSUPPORTED;
    }
}

const char *
cs_i386_reloc_name (uint32_t type)
{
  if (type < sizeof names / sizeof *names && names[type])
    return names[type];
  return "unknown relocation";
}
