/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-private.h -- what the files about carried libraries share.  */
#ifndef CS_LIBRARY_PRIVATE_H
#define CS_LIBRARY_PRIVATE_H

#include <link.h>

#include "intern/library.h"

/* library-split.c.  The copies are of this machine, were checked by
   cs_elf_open() and written by cs_rebase(), so their headers and dynamic
   section can be followed.  */

/* Find in LIBRARY's rebased copy of LEN bytes at DATA the segments that need
   not be copied at a start, and its constructors, and take these and its
   destructors out of it.  Fills the fields segments, nr_segments (their
   `copy` relative to DATA), init, init_array and init_array_len.  */
void cs_library_split (struct cs_library_disk *library, void *data,
                       size_t len);

/* The dynamic section of the copy at DATA, and the bytes that will be at
   ADDR (NULL if it has none).  */
ElfW (Dyn) *cs_library_dynamic (void *data);
void *cs_library_bytes (void *data, uint64_t addr);

/* The headers of a library that is CS_LIBRARY_FLAT are not longer.  */
#define CS_LIBRARY_HEADERS_MAX 2048

/* The bytes of the ELF header and the program headers behind it.  */
static inline size_t
cs_library_headers_len (const ElfW (Ehdr) *header)
{
  return header->e_phoff + header->e_phnum * sizeof (ElfW (Phdr));
}

/* Make ENTRY one that ld.so ignores: an entry cannot be removed, but in a
   library DT_DEBUG is not looked at.  */
void cs_library_forget_entry (ElfW (Dyn) *entry);

/* library.c: do LIBRARY's segments follow one another, in memory and in the
   copy?  */
bool cs_library_is_contiguous (const struct cs_library_disk *library);

/* Is ADDR in LIBRARY's data, which the store keeps?  */
static inline bool
cs_library_in_data (const struct cs_library_disk *library, uint64_t addr)
{
  return addr - library->data_addr < library->data_len;
}

#endif
