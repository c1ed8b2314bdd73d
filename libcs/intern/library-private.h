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

/* library-loose.c: change the LEN bytes at COPY, a rebased library called
   NAME, so that ld.so loads it today: libraries that cannot be loaded are not
   needed any more, versions are not asked for, and symbols need not be
   found.  */
int cs_library_loosen (const char *name, void *copy, size_t len,
                       struct cs_err *err);

/* library-memory.c: a memory file from which dlopen() can load a library.  */
struct cs_library_file
{
  const char *copy;             /* the library's bytes in the store */
  const struct cs_library_disk *library;
  bool bss;                     /* variables without a value are read before
                                   the store's data is laid over them */
  bool loose;                   /* leave out what is missing today */
  int fd;
};

/* Make the NR FILES, and set `fd` of each, to be closed.  After an error all
   are closed.  */
int cs_library_make_files (struct cs_library_file *files, size_t nr,
                           struct cs_err *err);

/* library-libc.c: ld.so has refused SONAME, whose copy of LEN bytes is at
   COPY.  If today's libc is older than it needs, ERR says so instead; if
   ERR names another library that it needs, ERR advises to install that one.
   Returns ERR's code.  */
int cs_library_explain (const char *soname, const void *copy, size_t len,
                        struct cs_err *err);

/* library.c: do LIBRARY's segments follow one another, in memory and in the
   copy?  */
bool cs_library_is_contiguous (const struct cs_library_disk *library);

/* library-load.c: store VALUE into the word at ADDR of LIBRARY, which ld.so
   may have made read-only.  0 or -errno.  */
int cs_library_write (const struct cs_library_disk *library, uint64_t addr,
                      uintptr_t value);

/* Today's address of NAME, of VERSION if it is not "", as seen from HANDLE;
   NULL if there is none.  */
void *cs_library_today (void *handle, const char *name, const char *version);

#endif
