/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crc.h -- CRC-32 of a page, by what the machine has for it.  */
#ifndef CS_CRC_H
#define CS_CRC_H

#include <stdint.h>

/* What zlib's crc32() gives for the 4096 bytes at PAGE, many times as fast.  */
typedef uint32_t cs_page_crc (const void *page);

/* Under arch/MACHINE: the Nth of those that this processor can do, the fastest
   first.  NULL: it can do no more than N.  */
cs_page_crc *cs_arch_page_crc (unsigned int n);

#endif
