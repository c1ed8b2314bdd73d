/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* table.h -- the intern table: one entry, one trampoline, a symbol.

   The table is one block of bytes without pointers, the same in a .cst file
   and in a store's image, where it has room to grow:

     struct cs_table_disk               header
     struct cs_table_entry_disk[]       `capacity` of them, `count` in use
     char[]                             `strings_max` bytes, `strings_len` used;
                                        the first is NUL

   An entry is never removed and never moves: entry I owns trampoline I and
   slot I for the life of the store.  A symbol is known by library and name;
   its version is what it is bound with.

   T1  count <= capacity, strings_len <= strings_max, and the parts fill the
       block exactly: len = header + capacity entries + strings_max.
   T2  Strings begin and end with a NUL, strings_len > 0; every string offset
       is below it and its string ends there;
       no name is empty, and no kind but those of enum cs_symbol_kind.
   T3  No two entries have the same library and name.
   T4  An entry's hash is that of its library and name.  */
#ifndef CS_TABLE_H
#define CS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "intern/elf.h"
#include "intern/policy.h"

#define CS_TABLE_MAGIC "ColdTab"        /* 8 bytes with its NUL */
#define CS_TABLE_VERSION 1

struct cs_table_disk
{
  char magic[8];
  uint32_t version;
  uint16_t machine;             /* EM_... */
  uint16_t reserved0;
  uint64_t len;                 /* of the whole block */
  uint32_t count;
  uint32_t capacity;
  uint32_t strings_len;
  uint32_t strings_max;
  uint64_t code_addr;           /* trampolines in the store; 0 in a file */
  uint64_t slots_addr;          /* slots in the store: word 0 is the handler's,
                                   word 1 + I is entry I's; 0 in a file */
  uint32_t crc;                 /* in a file: CRC-32 of the block with this
                                   field 0; in a store 0 */
  uint32_t reserved1;
};

enum                            /* cs_table_entry_disk.flags */
{
  CS_TABLE_PERSISTENT = 1,      /* defined by a carried library: its address
                                   is `value`, the same at every start */
  CS_TABLE_USED = 2,            /* its trampoline's address was given out */
  CS_TABLE_MISSING = 4,         /* the last start did not find it */
  CS_TABLE_DYNAMIC = 8          /* interned at run time (dlsym), not by policy */
};

struct cs_table_entry_disk
{
  uint32_t name;                /* offsets in the strings */
  uint32_t library;             /* soname; "" if not known */
  uint32_t symver;              /* version; "" for the default one */
  uint16_t kind;                /* enum cs_symbol_kind */
  uint16_t flags;
  uint64_t size;                /* st_size when it was interned */
  uint64_t value;               /* st_value in its library when interned; in a
                                   store its address at the last start */
  uint64_t offset;              /* st_value in its library when interned, for
                                   comparing; 0 if the definition was not seen */
  uint32_t line;                /* of the policy rule; 0 if dynamic */
  uint32_t hash;                /* set by cs_table_add (); makes finding fast */
};

/* Bytes a block needs.  */
size_t cs_table_len (uint32_t capacity, uint32_t strings_max);

/* Make an empty table in LEN = cs_table_len (CAPACITY, STRINGS_MAX) zero
   bytes at BLOCK.  */
void cs_table_init (void *block, uint16_t machine, uint32_t capacity,
                    uint32_t strings_max);

/* Check T1 to T4, magic, version and, if the crc field is not 0, the CRC of
   LEN bytes at BLOCK.  NAME is for messages.  Returns 0, -CS_E_DAMAGED,
   -CS_E_INCOMPATIBLE (version, machine) or -ENOMEM.  */
int cs_table_check (const void *block, size_t len, const char *name,
                    struct cs_err *err);

/* Check only what keeps every access through these functions inside the
   block, whatever the entries say: T1 and the end of the strings.  Takes no
   time that depends on the table's size.  */
int cs_table_check_header (const void *block, size_t len, const char *name,
                           struct cs_err *err);

/* Find or add.  Return the index, or negative: cs_table_find() -ENOENT,
   cs_table_add() -ENOSPC (then nothing has changed).  Adding one that is
   there changes nothing and returns its index.  Of FIELDS kind, flags, size,
   value, offset and line are taken.  The caller keeps one from running while
   another adds.  */
long cs_table_find (const struct cs_table_disk *table, const char *library,
                    const char *name);
long cs_table_add (struct cs_table_disk *table, const char *library,
                   const char *name, const char *symver,
                   const struct cs_table_entry_disk *fields);

/* Entry I, which is below `count`, and the string at offset OFF of a checked
   table.  Lent by the table.  */
struct cs_table_entry_disk *cs_table_entry (const struct cs_table_disk *table,
                                            uint32_t i);
/* "" if OFF is not inside the strings.  */
const char *cs_table_string (const struct cs_table_disk *table, uint32_t off);

/* Add FROM's entries to TO (which may have other room).  0 or -ENOSPC.  */
int cs_table_copy (struct cs_table_disk *to, const struct cs_table_disk *from);

/* Compile POLICY against NR libraries into a new block (malloc'd, given to
   the caller; its len field is its length), with no spare room:
   - every defined, global, default-version function or data symbol that the
     policy interns, by its library's soname; PERSISTENT when the policy says
     that the library persists (but not an IFUNC: its value is that of its
     resolver).  Absolute and thread-local symbols have no address to intern;
   - every undefined function symbol to which a library refers by GLOB_DAT or
     ABSOLUTE (an address that is taken), if the policy interns it, under the
     library that DT_VERNEED names or, failing that, the one among LIBRARIES
     that defines it, else "".  A weak one that neither has a version nor is
     defined by LIBRARIES is left out: the program may test it for NULL.
   In order of libraries, then of their symbol tables.  The policy is also
   asked about the replacement of every undefined symbol, so that
   cs_policy_unused() can tell afterwards which rules matched nothing.
   Errors: -CS_E_INCOMPATIBLE (libraries of different machines), -ENOMEM.  */
int cs_table_compile (struct cs_policy *policy,
                      const struct cs_elf *const *libraries, size_t nr,
                      struct cs_table_disk **table, struct cs_err *err);

/* Write to PATH (complete or not at all: temporary name, fsync, rename), and
   read back with all checks.  A PATH that exists must be empty or a table
   (-CS_E_REFUSED).  What is read is given to the caller (free()); its crc
   field is 0, as in a store.  */
int cs_table_write (const struct cs_table_disk *table, const char *path,
                    struct cs_err *err);
int cs_table_read (const char *path, struct cs_table_disk **table,
                   struct cs_err *err);

#endif
