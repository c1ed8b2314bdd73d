/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crc.h -- CRC-32 of a page, by what the machine has for it.  */
#ifndef CS_CRC_H
#define CS_CRC_H

#include <stdbool.h>
#include <stdint.h>

/* Under arch/MACHINE: can this processor do it?  If so, what zlib's crc32()
   gives for the 4096 bytes at PAGE, many times as fast.  */
bool cs_arch_has_page_crc (void);
uint32_t cs_arch_page_crc (const void *page);

#endif
