/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf.h -- reading shared libraries (DSOs).

   A library is read once into plain structures, and everything in it that
   anybody will use is checked first: after cs_elf_open() returns 0 no table
   leads out of the file or out of the loaded image.  Only what a dynamic
   linker itself would read is used (program headers and the dynamic
   section), so stripped libraries are fine.  Both word sizes go through
   libelf's class-independent interface (gelf.h).  */
#ifndef CS_ELF_H
#define CS_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "arch/arch.h"

struct cs_elf;

enum cs_symbol_kind
{
  CS_SYMBOL_FUNCTION = 1,       /* STT_FUNC, STT_GNU_IFUNC */
  CS_SYMBOL_DATA = 2,           /* STT_OBJECT, STT_COMMON */
  CS_SYMBOL_OTHER = 3           /* STT_NOTYPE, STT_TLS, ... */
};

/* One entry of .dynsym.  All strings are lent by the cs_elf.  */
struct cs_elf_symbol
{
  const char *name;
  const char *version;          /* "GLIBC_2.2.5" or "" */
  const char *library;          /* undefined ones with a version: the soname
                                   it is wanted from (DT_VERNEED), else "" */
  uint64_t value;               /* st_value, before rebasing */
  uint64_t size;                /* st_size */
  enum cs_symbol_kind kind;     /* undefined ones often are OTHER */
  bool defined;                 /* st_shndx is not SHN_UNDEF */
  bool absolute;                /* SHN_ABS: not moved by rebasing */
  bool tls;                     /* STT_TLS */
  bool ifunc;                   /* STT_GNU_IFUNC */
  bool global;                  /* STB_GLOBAL or STB_WEAK, and default or
                                   protected visibility */
  bool weak;                    /* STB_WEAK */
  bool default_version;         /* defined ones: not a hidden old version */
};

/* One dynamic relocation.  */
struct cs_elf_reloc
{
  uint64_t off;                 /* r_offset: address of the word, before rebasing */
  enum cs_reloc_kind kind;
  uint32_t type;                /* the machine's number */
  uint32_t symbol;              /* index for cs_elf_symbol_get(); 0 is none */
  int64_t addend;               /* from the record (RELA) or the word (REL) */
  bool plt;                     /* from DT_JMPREL */
};

/* Parts of the loaded image, as addresses before rebasing.  */
struct cs_elf_layout
{
  uint64_t start;               /* first page of the first PT_LOAD (0 usually) */
  uint64_t len;                 /* to the end of the last PT_LOAD, in whole pages */
  uint64_t align;               /* the largest p_align of a PT_LOAD: a load
                                   address must be a multiple of it */
  uint64_t data_start;          /* first page that PT_GNU_RELRO does not fill
                                   (ld.so protects whole pages only), or of
                                   the first writable PT_LOAD if there is none */
  uint64_t data_len;            /* to the end of .bss, in whole pages; 0 if
                                   nothing stays writable */
  uint64_t got_plt;             /* DT_PLTGOT, if there is a DT_JMPREL: three
                                   reserved words; else 0 */
};

/* Read the library at PATH.  Errors: -errno; -CS_E_DAMAGED (not ELF,
   truncated, a table out of bounds: which, offset, expected, found);
   -CS_E_INCOMPATIBLE (not a shared library; a machine not known to
   cs_arch_find(); no dynamic symbols; a relocation kind that is not handled,
   by its name).  */
int cs_elf_open (const char *path, struct cs_elf **elf, struct cs_err *err);

/* The same from LEN bytes at DATA, which must stay until cs_elf_close();
   NAME is for messages.  */
int cs_elf_open_memory (const char *name, const void *data, size_t len,
                        struct cs_elf **elf, struct cs_err *err);

void cs_elf_close (struct cs_elf *elf);         /* NULL is allowed */

/* All results are lent until cs_elf_close().  */
const char *cs_elf_path (const struct cs_elf *elf);
const char *cs_elf_soname (const struct cs_elf *elf);   /* file name if it has none */
const struct cs_arch *cs_elf_arch (const struct cs_elf *elf);
const struct cs_elf_layout *cs_elf_layout (const struct cs_elf *elf);
const void *cs_elf_data (const struct cs_elf *elf, size_t *len);
/* The NT_GNU_BUILD_ID note in lower-case hexadecimal; "" if there is none.  */
const char *cs_elf_build_id (const struct cs_elf *elf);

/* The libraries it needs (DT_NEEDED): how many, and the soname of each.  */
size_t cs_elf_nr_needed (const struct cs_elf *elf);
const char *cs_elf_needed (const struct cs_elf *elf, size_t i);

size_t cs_elf_nr_symbols (const struct cs_elf *elf);    /* with number 0 */
const struct cs_elf_symbol *cs_elf_symbol_get (const struct cs_elf *elf,
                                               size_t i);
/* The defined, global symbol NAME in its default version, or NULL.  Fast
   enough to be called for every relocation (hashed once).  */
const struct cs_elf_symbol *cs_elf_symbol_find (const struct cs_elf *elf,
                                                const char *name);

/* All dynamic relocations in file order, DT_RELR ones (as RELATIVE) first.  */
size_t cs_elf_nr_relocs (const struct cs_elf *elf);
const struct cs_elf_reloc *cs_elf_reloc_get (const struct cs_elf *elf,
                                             size_t i);

#endif
