/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-load.h -- what the files that load carried libraries share.

     library-load.c     a block's libraries, one after the other
     library-memory.c   the memory file that ld.so gets
     library-missing.c  without what is missing today
     library-bind.c     words that lead out of a library  */
#ifndef CS_LIBRARY_LOAD_H
#define CS_LIBRARY_LOAD_H

#include "intern/library-private.h"

struct cs_loader                /* of one block */
{
  const struct cs_library_loading *with;
  struct cs_store *store;
  struct cs_table_disk *table;
  const struct cs_libraries_disk *libraries;
  void *replacements[CS_LIBRARY_REPLACEMENTS_MAX];
  size_t first;                 /* of its libraries in the set */
  bool resume;
  bool optional;                /* what ld.so refuses is loaded without what
                                   is missing */
};

/* The block's library I in the set.  */
static inline struct cs_library_loaded *
cs_loader_item (const struct cs_loader *loader, uint32_t i)
{
  return &loader->with->set->items[loader->first + i];
}

/* Find the block's replacements, and check that its slots and imports lead
   nowhere else (L2).  Errors: -CS_E_INCOMPATIBLE (a replacement that this
   version does not have), -CS_E_DAMAGED.  */
int cs_loader_check (struct cs_loader *loader, struct cs_err *err);

/* Lay the store's data pages over LIBRARY's, but keep the words that ld.so
   relocated (L2).  */
int cs_loader_lay_data (const struct cs_loader *loader,
                        const struct cs_library_disk *library,
                        struct cs_err *err);

/* Store the replacements into the words of LIBRARY's calls that the policy
   replaces, also where ld.so has made them read-only.  */
int cs_loader_replace_calls (const struct cs_loader *loader,
                             const struct cs_library_disk *library,
                             struct cs_err *err);

/* Fill the slots of trampolines whose functions are outside of the carried
   libraries, or replaced.  The former are looked up from the last library of
   the block, which needs the others.  */
void cs_loader_bind_imports (const struct cs_loader *loader);

/* Store VALUE into the word at ADDR of LIBRARY, which ld.so may have made
   read-only.  0 or -errno.  */
int cs_library_write (const struct cs_library_disk *library, uint64_t addr,
                      uintptr_t value);

/* Today's address of NAME, of VERSION if it is not "", as seen from HANDLE;
   NULL if there is none.  */
void *cs_library_today (void *handle, const char *name, const char *version);

/* A memory file from which dlopen() can load a library.  */
struct cs_library_file
{
  const char *copy;             /* the library's bytes in the store */
  const struct cs_library_disk *library;
  bool bss;                     /* variables without a value are read before
                                   the store's data is laid over them */
  bool partial;                 /* leave out what is missing today */
  int fd;
};

/* Make the NR FILES, and set `fd` of each, to be closed.  After an error all
   are closed.  */
int cs_library_make_files (struct cs_library_file *files, size_t nr,
                           struct cs_err *err);

/* Change the LEN bytes at COPY, a rebased library called NAME, so that ld.so
   loads it today: it no longer needs libraries that cannot be loaded, asks for
   no versions, and need not find its symbols.  */
int cs_library_drop_missing (const char *name, void *copy, size_t len,
                             struct cs_err *err);

/* ld.so has refused SONAME, whose copy of LEN bytes is at COPY.  If today's
   libc is older than it needs, ERR says so instead; if ERR names another
   library that it needs, ERR advises to install that one.  Returns ERR's
   code.  */
int cs_library_explain (const char *soname, const void *copy, size_t len,
                        struct cs_err *err);

#endif
