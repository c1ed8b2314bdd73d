/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* machine-code.h -- the parts of cs_arch_i386 (private to this directory).  */
#ifndef CS_I386_MACHINE_CODE_H
#define CS_I386_MACHINE_CODE_H

#include "arch/arch.h"

enum cs_reloc_kind cs_i386_reloc_kind (uint32_t type);
const char *cs_i386_reloc_name (uint32_t type);
bool cs_i386_is_plt_tag (int64_t tag);
int cs_i386_encode_trampoline (void *code, uint64_t addr,
                               uint64_t slot_addr, uint64_t handler_addr,
                               uint32_t index);
size_t cs_i386_decode_plt_got (const void *code, size_t len, uint64_t addr,
                               uint64_t got, uint64_t *word_addr);
int cs_i386_encode_plt_got (void *code, size_t len, uint64_t addr,
                            uint64_t word_addr);
bool cs_i386_follows_call (const void *code);

#endif
