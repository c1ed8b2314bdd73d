/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-private.h -- what the files that read and rebase libraries share.

   Reading (elf-open.c) goes in this order; each step relies on the ones
   before:

     elf-layout.c    ELF header, program headers, layout, build-id
     elf-dynamic.c   dynamic entries, string table
     elf-relocs.c    relocation records (parsed)
     elf-versions.c  version definitions and needs
     elf-symbols.c   symbols, their index by name
     elf-relocs.c    relocation records (checked against all that)

   E1  Every segment's file range lies in the file, no two segments share
       a page of memory or a byte of the file.
   E2  Every address range that cs_elf_locate() accepted has its bytes in
       the file, in one segment.
   E3  Every string offset taken from the library is below strings_len, and
       the string table ends with a NUL.
   E4  Every relocated word lies in a writable segment; the symbol number is
       below nr_symbols.  */
#ifndef CS_ELF_PRIVATE_H
#define CS_ELF_PRIVATE_H

#include <gelf.h>
#include <libelf.h>

#include "intern/elf.h"

/* A table of equal records in the file.  */
struct cs_elf_table
{
  uint64_t off;                 /* in the file */
  size_t nr;                    /* records; 0 if there is no such table */
};

/* A version that symbols refer to by its number.  */
struct cs_elf_version
{
  const char *name;             /* NULL if nothing has this number */
  const char *library;          /* "" unless it is needed from elsewhere */
};

struct cs_elf
{
  char *path;
  const uint8_t *data;          /* the file */
  size_t len;
  void *owned;                  /* `data`, if it is ours to free */
  const struct cs_arch *arch;
  Elf *elf;                     /* libelf's view of `data` */

  GElf_Ehdr header;
  GElf_Phdr *segments;
  size_t nr_segments;
  struct cs_elf_layout layout;
  char *build_id;

  GElf_Dyn *dynamic;            /* without DT_NULL */
  size_t nr_dynamic;
  uint64_t dynamic_off;         /* in the file */
  uint64_t dynamic_addr;
  const char *strings;
  size_t strings_len;
  const char *soname;
  const char **needed;
  size_t nr_needed;

  struct cs_elf_table symbol_table;
  struct cs_elf_symbol *symbols;
  size_t nr_symbols;
  uint32_t *index_heads;        /* by hash of the name: 1 + symbol, or 0 */
  uint32_t *index_next;         /* by symbol: the next one, the same way */
  size_t index_mask;

  struct cs_elf_table main_table;       /* DT_RELA or DT_REL */
  struct cs_elf_table plt_table;        /* DT_JMPREL */
  struct cs_elf_reloc *relocs;  /* of DT_RELR, main_table, plt_table */
  size_t nr_relocs;
  size_t nr_relr;
};

/* Set ERR to "cannot read 'PATH': ..." and return -CODE.  */
int cs_elf_fail (const struct cs_elf *elf, struct cs_err *err, int code,
                 const char *format, ...)
  __attribute__ ((format (printf, 4, 5)));

/* The one range check: do LEN bytes at AT lie in SPACE bytes at START?  No
   sum is formed that could overflow.  */
static inline bool
cs_elf_within (uint64_t at, uint64_t len, uint64_t start, uint64_t space)
{
  return at >= start && len <= space && at - start <= space - len;
}

/* Little-endian numbers at OFF, which must have been checked.  */
uint64_t cs_elf_number (const struct cs_elf *elf, uint64_t off, size_t len);

static inline uint64_t
cs_elf_word (const struct cs_elf *elf, uint64_t off)
{
  return cs_elf_number (elf, off, elf->arch->word_len);
}

/* VALUE as the machine's address arithmetic sees it.  */
static inline uint64_t
cs_elf_wrap (const struct cs_elf *elf, uint64_t value)
{
  return elf->arch->word_len == 4 ? (uint32_t) value : value;
}

/* NR records of TYPE at OFF, in the host's form, lent until the library is
   closed; the range must have been checked.  NULL if memory runs out.  */
Elf_Data *cs_elf_records (const struct cs_elf *elf, uint64_t off, size_t nr,
                          Elf_Type type);

/* Bytes of one record of TYPE in the file.  */
size_t cs_elf_record_len (const struct cs_elf *elf, Elf_Type type);

/* The segment (PT_LOAD) that holds LEN bytes at ADDR in memory, or NULL.  */
const GElf_Phdr *cs_elf_segment_at (const struct cs_elf *elf, uint64_t addr,
                                    uint64_t len);

/* Where the LEN bytes at address ADDR are in the file: false if they are
   not all in the file.  */
bool cs_elf_find_bytes (const struct cs_elf *elf, uint64_t addr, uint64_t len,
                        uint64_t *off);

/* The same for something that must be there: WHAT names it in the error,
   -CS_E_DAMAGED.  */
int cs_elf_locate (const struct cs_elf *elf, const char *what, uint64_t addr,
                   uint64_t len, uint64_t *off, struct cs_err *err);

/* The steps.  */
int cs_elf_read_layout (struct cs_elf *elf, struct cs_err *err);
int cs_elf_read_build_id (struct cs_elf *elf, struct cs_err *err);
int cs_elf_read_dynamic (struct cs_elf *elf, struct cs_err *err);
int cs_elf_read_relocs (struct cs_elf *elf, struct cs_err *err);
int cs_elf_read_symbols (struct cs_elf *elf, struct cs_err *err);
int cs_elf_check_relocs (const struct cs_elf *elf, struct cs_err *err);

/* The dynamic entry with TAG, or NULL.  */
const GElf_Dyn *cs_elf_dynamic (const struct cs_elf *elf, int64_t tag);

/* Does the dynamic entry TAG hold an address?  */
bool cs_elf_tag_is_address (int64_t tag);

/* The string at OFF of the string table; WHAT names who refers to it.  */
int cs_elf_string (const struct cs_elf *elf, const char *what, uint64_t off,
                   const char **string, struct cs_err *err);

/* All versions by number, CS_ELF_NR_VERSIONS of them, given to the caller
   (free()).  */
#define CS_ELF_NR_VERSIONS 0x8000
int cs_elf_read_versions (const struct cs_elf *elf,
                          struct cs_elf_version **versions,
                          struct cs_err *err);

#endif
