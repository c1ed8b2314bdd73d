/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library.h -- the libraries a store carries, and how they are loaded.

   The store's section "libs" holds a rebased copy of each library that the
   policy lets persist (rebase.h), in the order in which they are loaded.
   Offsets are relative to the section:

     struct cs_libraries_disk
     struct cs_library_disk[count]
     struct cs_library_slot_disk[]   the slots of all libraries
     struct cs_library_float_disk[]  trampolines that are bound at each start
     char[]                          names, NUL-terminated
     char[]                          the copies, each on pages of its own

   Loading puts a copy into a memory file and calls dlopen() on it: the
   kernel honours the address that ld.so passes as a hint when the range is
   free.  Nothing of ld.so's internals is used.  Only what ld.so itself reads
   is copied into that file: segments with nothing but code and constants are
   holes there, and mapped from the store afterwards (L3).  Then

     - the library's writable data is replaced by the store's pages, except
       for words that ld.so relocated against symbols: those are of this
       process (struct cs_library_slot_disk);
     - calls that the policy replaces are pointed to their replacements, in
       the carried libraries here, in those they need by imports.h;
     - trampolines of functions outside get today's address.

   L1  A carried library is loaded at `addr` or not at all.
   L2  Slots lie inside their library.
   L3  No code of a library runs before its segments are mapped: its copy has
       no DT_INIT and DT_INIT_ARRAY (its constructors are called by
       cs_library_load() once, when the store is made; what they did is in
       the image), and one with IRELATIVE relocations has no such holes.  */
#ifndef CS_LIBRARY_H
#define CS_LIBRARY_H

#include "intern/policy.h"
#include "intern/rebase.h"
#include "intern/table.h"
#include "store/store.h"

#define CS_LIBRARIES_MAGIC "ColdLib"    /* 8 bytes with its NUL */
#define CS_LIBRARIES_VERSION 1
#define CS_LIBRARIES_MAX 8
#define CS_LIBRARY_REPLACEMENTS_MAX 128

struct cs_libraries_disk
{
  char magic[8];
  uint32_t version;
  uint32_t count;
  uint64_t len;                 /* of everything */
  uint64_t slots, floats, names;        /* offsets */
  uint64_t names_len;
  uint32_t nr_slots, nr_floats;
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

struct cs_library_disk
{
  char soname[64];
  char build_id[64];            /* hexadecimal; cut off if longer */
  uint32_t path;                /* name of the file it was copied from */
  uint32_t first_slot, nr_slots;
  uint32_t nr_segments;
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
struct cs_library_float_disk
{
  uint32_t entry;               /* in the intern table */
  uint32_t replacement;         /* or CS_LIBRARY_KEEP */
  uint32_t name, symver;        /* what it is looked up with: names; none for
                                   a function of the carried libraries */
};

/* Finds the function that a replacement's name stands for, or NULL.  */
typedef void *cs_library_replacement (const char *name);

/* Claim an address range for each of the NR libraries (in load order),
   rebase them and write section "libs".  Entries of TABLE whose trampolines
   are stored into a library become CS_TABLE_USED; those that the libraries
   define are bound to their fixed addresses.
   Errors: -CS_E_MISUSE (POLICY names a replacement that FIND does not know),
   -CS_E_REFUSED (no room in the region), those of cs_rebase().  */
int cs_library_carry (struct cs_store *store, struct cs_policy *policy,
                      struct cs_table_disk *table,
                      struct cs_elf *const *elfs, size_t nr,
                      cs_library_replacement *find, struct cs_err *err);

/* The section's head, after all its offsets were checked; NULL with ERR set
   (-CS_E_DAMAGED, -CS_E_INCOMPATIBLE).  Works in every mode of the store;
   lent until it is closed.  */
const struct cs_libraries_disk *
cs_library_section (const struct cs_store *store, struct cs_err *err);

const struct cs_library_disk *
cs_library_get (const struct cs_libraries_disk *libraries, uint32_t i);

const struct cs_library_slot_disk *
cs_library_slots (const struct cs_libraries_disk *libraries,
                  const struct cs_library_disk *library);

const struct cs_library_float_disk *
cs_library_floats (const struct cs_libraries_disk *libraries);

/* Find in LIBRARY's rebased copy of LEN bytes at DATA the segments that need
   not be copied at a start, and its constructors, and take these out of it.
   Fills the fields segments, nr_segments (their `copy` relative to DATA),
   init, init_array and init_array_len.  For libraries of this machine.  */
void cs_library_split (struct cs_library_disk *library, void *data,
                       size_t len);

/* A name, or "" if OFF leads nowhere.  */
const char *cs_library_name (const struct cs_libraries_disk *libraries,
                             uint32_t off);

/* The carried libraries as loaded in this process.  */
struct cs_library_set
{
  void *handles[CS_LIBRARIES_MAX];      /* of dlopen(), in load order */
  size_t nr;
};

/* Load and bind them all.  With RESUME the store's data pages are laid over
   theirs.  Errors: -CS_E_REFUSED (L1; the text names the mapping in the
   way), -CS_E_INCOMPATIBLE (ld.so refuses: a needed library is missing; the
   text is ld.so's), -CS_E_DAMAGED, -errno.  */
int cs_library_load (struct cs_store *store, struct cs_table_disk *table,
                     cs_library_replacement *find, bool resume,
                     struct cs_library_set *set, struct cs_err *err);

/* When nothing more is looked up in the libraries for now: let go of what
   loading them took.  What their pages say comes back from the store.  */
int cs_library_settle (struct cs_store *store, struct cs_err *err);

/* Where ld.so would find SONAME: in this machine's standard folders.  Writes
   its path.  Returns 0, or -ENOENT.  */
int cs_library_find (const char *soname, char *path, size_t len);

#endif
