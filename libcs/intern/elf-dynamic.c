/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-dynamic.c -- the dynamic section and its strings.

   The entries and what kind of value each holds: gABI, chapter 5, "Dynamic
   Section"; the GNU ones: glibc's elf.h and the Linux Standard Base, Core,
   section 11.3.  An entry that is not listed here is refused, because one
   that holds an address would have to be moved with it; of two ranges of
   numbers elf.h says which kind all have.  The machine's own are
   is_plt_tag()'s (arch.h).  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"

#define X PRIx64

enum tag_class
{
  TAG_VALUE,
  TAG_ADDRESS,
  TAG_STRING,                   /* an offset in DT_STRTAB */
  TAG_REFUSED
};

struct tag
{
  int64_t number;
  const char *name;
  enum tag_class class;
  bool repeats;                 /* may be there more than once */
};

#define ONE(tag, class) { tag, #tag, class, false }
#define MANY(tag, class) { tag, #tag, class, true }

static const struct tag tags[] = {
  MANY (DT_NEEDED, TAG_STRING),
  ONE (DT_PLTRELSZ, TAG_VALUE),
  ONE (DT_PLTGOT, TAG_ADDRESS),
  ONE (DT_HASH, TAG_ADDRESS),
  ONE (DT_STRTAB, TAG_ADDRESS),
  ONE (DT_SYMTAB, TAG_ADDRESS),
  ONE (DT_RELA, TAG_ADDRESS),
  ONE (DT_RELASZ, TAG_VALUE),
  ONE (DT_RELAENT, TAG_VALUE),
  ONE (DT_STRSZ, TAG_VALUE),
  ONE (DT_SYMENT, TAG_VALUE),
  ONE (DT_INIT, TAG_ADDRESS),
  ONE (DT_FINI, TAG_ADDRESS),
  ONE (DT_SONAME, TAG_STRING),
  ONE (DT_RPATH, TAG_STRING),
  ONE (DT_SYMBOLIC, TAG_VALUE),
  ONE (DT_REL, TAG_ADDRESS),
  ONE (DT_RELSZ, TAG_VALUE),
  ONE (DT_RELENT, TAG_VALUE),
  ONE (DT_PLTREL, TAG_VALUE),
  MANY (DT_DEBUG, TAG_VALUE),   /* filled by ld.so, in programs only */
  ONE (DT_TEXTREL, TAG_REFUSED),
  ONE (DT_JMPREL, TAG_ADDRESS),
  ONE (DT_BIND_NOW, TAG_VALUE),
  ONE (DT_INIT_ARRAY, TAG_ADDRESS),
  ONE (DT_FINI_ARRAY, TAG_ADDRESS),
  ONE (DT_INIT_ARRAYSZ, TAG_VALUE),
  ONE (DT_FINI_ARRAYSZ, TAG_VALUE),
  ONE (DT_RUNPATH, TAG_STRING),
  ONE (DT_FLAGS, TAG_VALUE),
  ONE (DT_PREINIT_ARRAY, TAG_REFUSED),  /* for programs only */
  ONE (DT_PREINIT_ARRAYSZ, TAG_VALUE),
  ONE (DT_SYMTAB_SHNDX, TAG_ADDRESS),
  ONE (DT_RELRSZ, TAG_VALUE),
  ONE (DT_RELR, TAG_ADDRESS),
  ONE (DT_RELRENT, TAG_VALUE),
  ONE (DT_GNU_PRELINKED, TAG_REFUSED),
  ONE (DT_CHECKSUM, TAG_VALUE),
  ONE (DT_MOVETAB, TAG_REFUSED),
  ONE (DT_SYMINFO, TAG_REFUSED),
  ONE (DT_GNU_HASH, TAG_ADDRESS),
  ONE (DT_TLSDESC_PLT, TAG_ADDRESS),
  ONE (DT_TLSDESC_GOT, TAG_ADDRESS),
  ONE (DT_GNU_CONFLICT, TAG_REFUSED),
  ONE (DT_GNU_LIBLIST, TAG_REFUSED),
  ONE (DT_DEPAUDIT, TAG_STRING),
  ONE (DT_AUDIT, TAG_STRING),
  ONE (DT_VERSYM, TAG_ADDRESS),
  ONE (DT_RELACOUNT, TAG_VALUE),
  ONE (DT_RELCOUNT, TAG_VALUE),
  ONE (DT_FLAGS_1, TAG_VALUE),
  ONE (DT_VERDEF, TAG_ADDRESS),
  ONE (DT_VERDEFNUM, TAG_VALUE),
  ONE (DT_VERNEED, TAG_ADDRESS),
  ONE (DT_VERNEEDNUM, TAG_VALUE),
  MANY (DT_AUXILIARY, TAG_STRING),
  MANY (DT_FILTER, TAG_STRING)
};

enum { NR_TAGS = sizeof tags / sizeof *tags };

static const struct tag *
find_tag (int64_t number)
{
  for (size_t i = 0; i < NR_TAGS; i++)
    if (tags[i].number == number)
      return &tags[i];
  return NULL;
}

bool
cs_elf_tag_is_address (int64_t tag)
{
  const struct tag *t = find_tag (tag);

  return t ? t->class == TAG_ADDRESS
           : tag >= DT_ADDRRNGLO && tag <= DT_ADDRRNGHI;
}

/* Is it known of TAG, which is not listed, what kind of value it has?  */
static bool
is_known (const struct cs_elf *elf, int64_t tag)
{
  return (tag >= DT_VALRNGLO && tag <= DT_VALRNGHI)
         || (tag >= DT_ADDRRNGLO && tag <= DT_ADDRRNGHI)
         || elf->arch->is_plt_tag (tag);
}

const GElf_Dyn *
cs_elf_dynamic (const struct cs_elf *elf, int64_t tag)
{
  for (size_t i = 0; i < elf->nr_dynamic; i++)
    if (elf->dynamic[i].d_tag == tag)
      return &elf->dynamic[i];
  return NULL;
}

int
cs_elf_string (const struct cs_elf *elf, const char *what, uint64_t off,
               const char **string, struct cs_err *err)
{
  if (off >= elf->strings_len)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: string offset 0x%" X " exceeds DT_STRTAB's 0x%zx"
                        " bytes", what, off, elf->strings_len);
  *string = elf->strings + off;
  return 0;
}

/* Copy the entries up to DT_NULL.  */
static int
parse_entries (struct cs_elf *elf, struct cs_err *err)
{
  size_t nr = elf->nr_dynamic;
  Elf_Data *data = nr ? cs_elf_records (elf, elf->dynamic_off, nr, ELF_T_DYN)
                      : NULL;

  elf->nr_dynamic = 0;
  elf->dynamic = calloc (nr + 1, sizeof *elf->dynamic);
  if (!elf->dynamic || (nr && !data))
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  for (size_t i = 0; i < nr; i++)
    {
      gelf_getdyn (data, i, &elf->dynamic[i]);
      if (elf->dynamic[i].d_tag == DT_NULL)
        {
          elf->nr_dynamic = i;
          return 0;
        }
    }
  return cs_elf_fail (elf, err, CS_E_DAMAGED,
                      "PT_DYNAMIC: no DT_NULL among its %zu entries", nr);
}

static int
check_entries (const struct cs_elf *elf, struct cs_err *err)
{
  bool seen[NR_TAGS] = { false };

  for (size_t i = 0; i < elf->nr_dynamic; i++)
    {
      int64_t number = elf->dynamic[i].d_tag;
      const struct tag *tag = find_tag (number);

      if (!tag && is_known (elf, number))
        continue;
      if (!tag)
        return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                            "dynamic entry %zu: tag 0x%" X
                            " is not supported", i, number);
      if (tag->class == TAG_REFUSED)
        return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                            "dynamic entry %zu: %s is not supported", i,
                            tag->name);
      if (seen[tag - tags] && !tag->repeats)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "dynamic entry %zu: a second %s", i, tag->name);
      seen[tag - tags] = true;
    }
  return 0;
}

static int
check_flags (const struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *flags = cs_elf_dynamic (elf, DT_FLAGS);

  if (flags && (flags->d_un.d_val & DF_TEXTREL))
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "relocations of code (DF_TEXTREL) are not supported");
  return 0;
}

static int
find_strings (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *table = cs_elf_dynamic (elf, DT_STRTAB);
  const GElf_Dyn *size = cs_elf_dynamic (elf, DT_STRSZ);
  uint64_t off, len;
  int res;

  if (!table || !size)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "no dynamic symbols: no %s",
                        table ? "DT_STRSZ" : "DT_STRTAB");
  len = size->d_un.d_val;
  res = cs_elf_locate (elf, "DT_STRTAB", table->d_un.d_ptr, len, &off, err);
  if (res < 0)
    return res;
  if (len == 0 || elf->data[off + len - 1] != '\0')
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_STRTAB: its 0x%" X " bytes at file offset 0x%" X
                        " do not end with a NUL", len, off);
  elf->strings = (const char *) elf->data + off;
  elf->strings_len = len;
  return 0;
}

/* Check all names in the dynamic section; keep those that are asked for.  */
static int
read_names (struct cs_elf *elf, struct cs_err *err)
{
  elf->needed = calloc (elf->nr_dynamic + 1, sizeof *elf->needed);
  if (!elf->needed)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  for (size_t i = 0; i < elf->nr_dynamic; i++)
    {
      const GElf_Dyn *dyn = &elf->dynamic[i];
      const struct tag *tag = find_tag (dyn->d_tag);
      const char *string = NULL;
      int res;

      if (!tag || tag->class != TAG_STRING)
        continue;
      res = cs_elf_string (elf, tag->name, dyn->d_un.d_val, &string, err);
      if (res < 0)
        return res;
      if (dyn->d_tag == DT_NEEDED)
        elf->needed[elf->nr_needed++] = string;
      else if (dyn->d_tag == DT_SONAME)
        elf->soname = string;
    }
  return 0;
}

/* Check DT_INIT_ARRAY or DT_FINI_ARRAY.  */
static int
check_array (const struct cs_elf *elf, int64_t array_tag, int64_t len_tag,
             struct cs_err *err)
{
  const GElf_Dyn *array = cs_elf_dynamic (elf, array_tag);
  const GElf_Dyn *len = cs_elf_dynamic (elf, len_tag);
  const char *name = find_tag (array_tag)->name;
  uint64_t off;

  if (!array || (len && len->d_un.d_val == 0))
    return 0;
  if (!len || len->d_un.d_val % elf->arch->word_len != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: 0x%" X " bytes are not whole words of %u", name,
                        len ? len->d_un.d_val : 0, elf->arch->word_len);
  return cs_elf_locate (elf, name, array->d_un.d_ptr, len->d_un.d_val, &off,
                        err);
}

/* Code that ld.so calls must be code.  */
static int
check_function (const struct cs_elf *elf, int64_t tag, struct cs_err *err)
{
  const GElf_Dyn *dyn = cs_elf_dynamic (elf, tag);
  const GElf_Phdr *ph;

  if (!dyn)
    return 0;
  ph = cs_elf_segment_at (elf, dyn->d_un.d_ptr, 1);
  if (ph && (ph->p_flags & PF_X))
    return 0;
  return cs_elf_fail (elf, err, CS_E_DAMAGED,
                      "%s: address 0x%" X " is not in an executable segment",
                      find_tag (tag)->name, dyn->d_un.d_ptr);
}

/* The three reserved words (psABI, "Global Offset Table") that ld.so fills
   if there is a DT_JMPREL to bind lazily.  */
static int
find_got (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *got = cs_elf_dynamic (elf, DT_PLTGOT);
  const GElf_Phdr *ph;

  if (!cs_elf_dynamic (elf, DT_JMPREL))
    return 0;
  if (!got)
    return cs_elf_fail (elf, err, CS_E_DAMAGED, "DT_JMPREL, but no DT_PLTGOT");
  ph = cs_elf_segment_at (elf, got->d_un.d_ptr, 3 * elf->arch->word_len);
  if (!ph || !(ph->p_flags & PF_W))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_PLTGOT: address 0x%" X " + 0x%x is not in a"
                        " writable segment",
                        got->d_un.d_ptr, 3 * elf->arch->word_len);
  elf->layout.got_plt = got->d_un.d_ptr;
  return 0;
}

int
cs_elf_read_dynamic (struct cs_elf *elf, struct cs_err *err)
{
  int res = parse_entries (elf, err);

  if (res == 0)
    res = check_entries (elf, err);
  if (res == 0)
    res = check_flags (elf, err);
  if (res == 0)
    res = find_strings (elf, err);
  if (res == 0)
    res = read_names (elf, err);
  if (res == 0)
    res = check_array (elf, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, err);
  if (res == 0)
    res = check_array (elf, DT_FINI_ARRAY, DT_FINI_ARRAYSZ, err);
  if (res == 0)
    res = check_function (elf, DT_INIT, err);
  if (res == 0)
    res = check_function (elf, DT_FINI, err);
  if (res == 0)
    res = find_got (elf, err);
  return res;
}
