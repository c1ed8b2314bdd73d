/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-image.h -- a library's memory as ld.so would lay it out.  */
#ifndef CS_ELF_IMAGE_H
#define CS_ELF_IMAGE_H

#include "intern/elf.h"

/* Make a copy of the contents of ELF's segments as they are in memory at the
   addresses that its program headers say, with relative relocations applied
   and symbolic ones left as they are in the file.  For looking at constants
   of a library that is not loaded; nothing of it is executed.  *IMAGE is
   given to the caller (free()); byte 0 of it is for address
   cs_elf_layout()->start, and its length is *LEN.
   Errors: -ENOMEM, also for a library that would take more than a GiB.  */
int cs_elf_image (const struct cs_elf *elf, unsigned char **image,
                  size_t *len);

#endif
