/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* machine-code.h -- the parts of cs_arch_x86_64 (private to this directory).  */
#ifndef CS_X86_64_MACHINE_CODE_H
#define CS_X86_64_MACHINE_CODE_H

#include "arch/arch.h"

enum cs_reloc_kind cs_x86_64_reloc_kind (uint32_t type);
const char *cs_x86_64_reloc_name (uint32_t type);
bool cs_x86_64_is_plt_tag (int64_t tag);
int cs_x86_64_encode_trampoline (void *code, uint64_t addr,
                                 uint64_t slot_addr, uint64_t handler_addr,
                                 uint32_t index);
size_t cs_x86_64_decode_plt_got (const void *code, size_t len, uint64_t addr,
                                 uint64_t got, uint64_t *word_addr);
int cs_x86_64_encode_plt_got (void *code, size_t len, uint64_t addr,
                              uint64_t word_addr);
bool cs_x86_64_follows_call (const void *code);

#endif
