/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library.h -- the libraries a store carries, and how they are loaded.

   A *block* holds a rebased copy (rebase.h) of one library or more, in the
   order in which they are loaded.  Offsets are relative to the block:

     struct cs_libraries_disk
     struct cs_library_disk[count]
     struct cs_library_slot_disk[]   the slots of all its libraries
     struct cs_library_import_disk[]  trampolines that are bound at each start
     char[]                          names, NUL-terminated
     char[]                          the copies, each on pages of its own

   Block 0 is the store's section "libs": the interpreter's libraries,
   carried when the store is made.  Each of the others holds an extension, a
   library that was opened at run time (extension.h), after those it needs
   that had to be carried with it.  Section "exts" tells where they are.

   Loading puts a copy into a memory file (library-memory.c) and calls
   dlopen() on it: the kernel honours the address that ld.so passes as a hint
   when the range is free.  Nothing of ld.so's internals is used.  Only the
   parts that ld.so itself reads are copied into that file: segments with
   nothing but code and constants are holes there, and mapped from the store
   afterwards (L3).  Then

     - the library's writable data is replaced by the store's pages, except
       for words that ld.so relocated against symbols: those are of this
       process (struct cs_library_slot_disk);
     - calls that the policy replaces are pointed to their replacements, in
       the carried libraries here, in those they need by interpose.h;
     - trampolines of functions outside get today's address.

   L1  A carried library is loaded at `addr` or not at all.
   L2  Slots lie inside their library.
   L3  No code of a library runs before its segments are mapped: its copy has
       no DT_INIT and DT_INIT_ARRAY (its constructors are called once, when it
       is carried; what they did is in the image), and one with IRELATIVE
       relocations has no such holes.  It has no DT_FINI and DT_FINI_ARRAY
       either: the library does not end with a process.
   L4  The data of a library with CS_LIBRARY_RESTART is of each process: it
       is not in the file, is what the copy says at each start, and then the
       constructors are called: of the interpreter's libraries as soon as all
       are bound, of extensions when the interpreter works.  */
#ifndef CS_LIBRARY_H
#define CS_LIBRARY_H

#include "intern/policy.h"
#include "intern/rebase.h"
#include "intern/table.h"
#include "store/store.h"

#define CS_LIBRARIES_MAGIC "ColdLib"    /* 8 bytes with its NUL */
#define CS_LIBRARIES_VERSION 2
#define CS_LIBRARIES_MAX 16             /* in a block */
#define CS_LIBRARY_REPLACEMENTS_MAX 128

struct cs_libraries_disk
{
  char magic[8];
  uint32_t version;
  uint32_t count;
  uint64_t len;                 /* of everything */
  uint64_t slots, imports, names;        /* offsets */
  uint64_t names_len;
  uint32_t nr_slots, nr_imports;
  uint32_t nr_replacements;
  uint32_t reserved;
  uint32_t replacements[CS_LIBRARY_REPLACEMENTS_MAX];   /* names */
};

/* A segment that is mapped from the store.  */
struct cs_library_segment_disk
{
  uint64_t addr, len;           /* page-aligned */
  uint64_t copy;                /* its bytes: offset in the section */
  uint32_t prot;                /* of mmap(2) */
  uint32_t late;                /* 1: it holds ld.so's tables, so it is copied
                                   too, and mapped when all is bound */
};

#define CS_LIBRARY_SEGMENTS_MAX 4
#define CS_LIBRARY_RESTART 1    /* flags: L4 */
#define CS_LIBRARY_FLAT 2       /* all but its data is in `segments`, which
                                   follow one another, so ld.so may see one
                                   (library-memory.c) */

struct cs_library_disk
{
  char soname[64];
  char build_id[64];            /* hexadecimal; cut off if longer */
  uint32_t path;                /* name of the file it was copied from */
  uint32_t first_slot, nr_slots;
  uint32_t nr_segments;
  uint32_t flags;
  uint32_t mode;                /* RTLD_... of dlopen(3) */
  uint64_t addr, len;           /* where it is loaded */
  uint64_t data_addr, data_len; /* the part whose contents the store keeps */
  uint64_t copy, copy_len;      /* the rebased file */
  uint64_t init;                /* DT_INIT, DT_INIT_ARRAY and its length: */
  uint64_t init_array, init_array_len;  /* addresses, or 0 */
  struct cs_library_segment_disk segments[CS_LIBRARY_SEGMENTS_MAX];
};

#define CS_LIBRARY_KEEP 0xffffffffu

/* A word of a carried library that is different in each process.  */
struct cs_library_slot_disk
{
  uint64_t addr;
  uint32_t kind;                /* enum cs_reloc_kind */
  uint32_t replacement;         /* number of the replacement it is bound to,
                                   or CS_LIBRARY_KEEP for what ld.so wrote */
};

/* A trampoline whose function is outside the carried libraries, or is one of
   theirs that is replaced.  */
struct cs_library_import_disk
{
  uint32_t entry;               /* in the intern table */
  uint32_t replacement;         /* or CS_LIBRARY_KEEP */
  uint32_t name, symver;        /* what it is looked up with: names; none for
                                   a function of the carried libraries */
};

#define CS_EXTENSIONS_MAGIC "ColdExt"   /* 8 bytes with its NUL */
#define CS_EXTENSIONS_VERSION 1
#define CS_EXTENSIONS_MAX 340

/* An extension: the last library of its block.  */
struct cs_extension_disk
{
  uint64_t block, len;          /* address and length of the block */
  uint64_t dev, ino;            /* the file it was copied from, as it was */
  uint64_t file_len;            /* when it was last looked at */
  int64_t mtime;                /* nanoseconds since 1970 */
};

struct cs_extensions_disk       /* section "exts" */
{
  char magic[8];
  uint32_t version;
  uint32_t count;
  struct cs_extension_disk items[CS_EXTENSIONS_MAX];
};

/* Finds the function that a replacement's name stands for, or NULL.  */
typedef void *cs_library_replacement (const char *name);

/* What carrying works with.  */
struct cs_library_carrying
{
  struct cs_policy *policy;
  struct cs_table_disk *table;  /* the store's */
  cs_library_replacement *find;
  struct cs_elf *const *elfs;   /* the libraries, in load order */
  size_t nr;
  struct cs_elf *const *known;  /* carried ones they may refer to, opened */
  size_t nr_known;              /* from their copies */
};

/* Claim an address range for each library, rebase them all and write section
   "libs", and an empty section "exts".  Functions whose addresses the
   libraries take and the policy interns get entries and become
   CS_TABLE_USED; those that the libraries define are bound to their fixed
   addresses.  Errors: -CS_E_MISUSE (the policy names a replacement that FIND
   does not know), -CS_E_REFUSED (no room in the region), those of
   cs_rebase().  */
int cs_library_carry (struct cs_store *store,
                      const struct cs_library_carrying *carrying,
                      struct cs_err *err);

/* The same for an extension (the last library, opened with dlopen's MODE)
   in a running process: a new block.  A failure leaves nothing behind.  */
int cs_library_carry_extension (struct cs_store *store,
                                const struct cs_library_carrying *carrying,
                                int mode, struct cs_err *err);

/* Take back the last block, whose libraries are not loaded.  */
void cs_library_drop_extension (struct cs_store *store);

/* Block I: its head, after all its offsets were checked; NULL with ERR set
   (-CS_E_DAMAGED, -CS_E_INCOMPATIBLE).  Works in every mode of the store;
   lent until it is closed.  */
const struct cs_libraries_disk *
cs_library_block (const struct cs_store *store, uint32_t i,
                  struct cs_err *err);

/* Section "exts", checked; NULL with ERR set.  Blocks 1 to `count` are those
   of its items.  */
struct cs_extensions_disk *
cs_library_extensions (const struct cs_store *store, struct cs_err *err);

/* A place in all blocks.  Begin with zeros.  */
struct cs_library_cursor
{
  const struct cs_libraries_disk *block;        /* the library's; lent */
  const struct cs_library_disk *library;
  uint32_t nr_block, nr;        /* its block's number, its own in it */
};

/* Go through the carried libraries in load order: 1 for each, then 0;
   negative with ERR set for a block that is not sound.  */
int cs_library_next (const struct cs_store *store,
                     struct cs_library_cursor *cursor, struct cs_err *err);

const struct cs_library_disk *
cs_library_get (const struct cs_libraries_disk *libraries, uint32_t i);

const struct cs_library_slot_disk *
cs_library_slots (const struct cs_libraries_disk *libraries,
                  const struct cs_library_disk *library);

const struct cs_library_import_disk *
cs_library_imports (const struct cs_libraries_disk *libraries);

/* A name, or "" if OFF leads nowhere.  */
const char *cs_library_name (const struct cs_libraries_disk *libraries,
                             uint32_t off);

/* A carried library in this process.  */
struct cs_library_loaded
{
  const struct cs_libraries_disk *block;
  const struct cs_library_disk *library;
  void *handle;                 /* of dlopen() */
  bool partial;                   /* loaded without something it needs */
  bool restart;                 /* CS_LIBRARY_RESTART: the block's page need
                                   not be looked at again for it */
};

#define CS_LIBRARY_SET_MAX 512

struct cs_library_set
{
  struct cs_library_loaded items[CS_LIBRARY_SET_MAX];   /* in load order */
  size_t nr;
  size_t nr_base;               /* those of block 0, which come first */
};

/* What loading works with.  */
struct cs_library_loading
{
  struct cs_store *store;
  struct cs_table_disk *table;
  cs_library_replacement *find;
  struct cs_library_set *set;   /* loaded libraries are added here */
};

/* Load and bind all that the store carries; with RESUME the store's data
   pages are laid over theirs.  An extension that ld.so refuses, because
   something it needs is missing, is loaded without that (`partial`), and the
   resume report says so; calls of what is missing raise an error
   (cs_library_bind_missing).  Errors: -CS_E_REFUSED (L1; the text names the
   mapping in the way), -CS_E_INCOMPATIBLE (ld.so refuses a library of block
   0; the text is ld.so's), -CS_E_DAMAGED, -errno.  */
int cs_library_load (const struct cs_library_loading *loading, bool resume,
                     struct cs_err *err);

/* Load the last block, which was carried in this process.  After an error
   nothing of it is loaded, nor in the set.  */
int cs_library_load_extension (const struct cs_library_loading *loading,
                               struct cs_err *err);

/* Unload the set's libraries from number FIRST on: none of their code has
   run yet.  */
void cs_library_unload (struct cs_library_set *set, size_t first);

/* Call the constructors of the set's libraries from number FIRST on, which
   were carried in this process.  */
void cs_library_construct (const struct cs_library_set *set, size_t first);

/* Call those of the libraries FIRST to END - 1 that begin again in each
   process (L4), once all is bound.  */
void cs_library_restart (const struct cs_library_set *set, size_t first,
                         size_t end);

/* Is the word at ADDR one that loading a library of the set fills?  */
bool cs_library_is_slot (const struct cs_library_set *set, uint64_t addr);

/* Are there extensions among them?  */
bool cs_library_any_restarts (const struct cs_library_set *set);

/* What library NUMBER of the set refers to and nothing in this process
   defines: calls lead to the missing stubs of the symbols, variables to
   zeros.  The resume report names each.  */
int cs_library_bind_missing (const struct cs_library_loading *loading,
                             size_t number, struct cs_err *err);

/* When nothing more is looked up in the libraries for now: let go of what
   loading them took.  What their pages say comes back from the store.  */
int cs_library_settle (struct cs_store *store,
                       const struct cs_library_set *set,
                       struct cs_err *err);

/* Where ld.so would find SONAME: in this machine's standard folders.  Writes
   its path.  Returns 0, or -ENOENT.  */
int cs_library_find (const char *soname, char *path, size_t len);

#endif
