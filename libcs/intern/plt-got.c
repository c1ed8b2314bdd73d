/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plt-got.c -- calls that share a word with an address that is taken.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"
#include "intern/plt-got.h"

/* Where section .plt.got is in the library.  */
struct entries
{
  uint64_t addr, len;
  uint64_t off;                 /* in the file */
};

/* A word that holds a trampoline, by its address in the library, and the
   word that the trampoline jumps through.  */
struct redirection
{
  uint64_t word, slot;
};

static bool
is_code (const struct cs_elf *elf, const GElf_Shdr *section)
{
  const GElf_Phdr *segment = cs_elf_segment_at (elf, section->sh_addr,
                                                section->sh_size);

  return section->sh_type == SHT_PROGBITS && segment
         && (segment->p_flags & (PF_X | PF_W)) == PF_X;
}

static bool
find_entries (const struct cs_elf *elf, struct entries *entries)
{
  Elf_Scn *scn = NULL;
  const char *name;
  GElf_Shdr section;
  size_t names;

  if (elf->header.e_shoff == 0 || elf_getshdrstrndx (elf->elf, &names) != 0)
    return false;
  while ((scn = elf_nextscn (elf->elf, scn)))
    {
      if (!gelf_getshdr (scn, &section))
        continue;
      name = elf_strptr (elf->elf, names, section.sh_name);
      if (!name || strcmp (name, ".plt.got") != 0)
        continue;
      entries->addr = section.sh_addr;
      entries->len = section.sh_size;
      return is_code (elf, &section)
             && cs_elf_find_bytes (elf, section.sh_addr, section.sh_size,
                                   &entries->off);
    }
  return false;
}

/* The copy's word at OFF.  */
static uint64_t
word_of_copy (const struct cs_elf *elf, const struct cs_rebased *copy,
              uint64_t off)
{
  const uint8_t *bytes = (const uint8_t *) copy->data + off;
  uint64_t value = 0;

  for (int i = 0; i < elf->arch->word_len; i++)
    value |= (uint64_t) bytes[i] << (8 * i);
  return value;
}

static int
compare_words (const void *a, const void *b)
{
  uint64_t x = ((const struct redirection *) a)->word;
  uint64_t y = ((const struct redirection *) b)->word;

  return (x > y) - (x < y);
}

/* Fill ALL, which has room for one for each relocation, in rising order.
   Returns how many.  */
static size_t
find_redirections (const struct cs_elf *elf, const struct cs_rebased *copy,
                   cs_plt_got_finder *find, void *closure,
                   struct redirection *all)
{
  const struct cs_elf_reloc *reloc = elf->relocs;
  uint64_t off, slot;
  size_t nr = 0;

  for (size_t i = 0; i < elf->nr_relocs; i++, reloc++)
    {
      if (reloc->kind != CS_RELOC_GLOB_DAT
          || !cs_elf_find_bytes (elf, reloc->off, elf->arch->word_len, &off))
        continue;
      slot = find (closure, word_of_copy (elf, copy, off));
      if (slot != 0)
        all[nr++] = (struct redirection) { reloc->off, slot };
    }
  qsort (all, nr, sizeof *all, compare_words);
  return nr;
}

/* Go through the entries up to the first that is not known.  One that cannot
   reach the slot stays as it is.  */
static void
redirect (const struct cs_elf *elf, uint64_t base,
          const struct entries *entries, const struct redirection *all,
          size_t nr, struct cs_rebased *copy)
{
  const GElf_Dyn *got = cs_elf_dynamic (elf, DT_PLTGOT);
  const struct redirection *found;
  struct redirection key = { 0, 0 };
  uint8_t *code = (uint8_t *) copy->data + entries->off;
  size_t len;

  for (uint64_t at = 0; at < entries->len; at += len)
    {
      len = elf->arch->decode_plt_got (code + at, entries->len - at,
                                       entries->addr + at,
                                       got ? got->d_un.d_ptr : 0, &key.word);
      if (len == 0)
        return;
      found = bsearch (&key, all, nr, sizeof *all, compare_words);
      if (found)
        elf->arch->encode_plt_got (code + at, len,
                                   entries->addr + at + base, found->slot);
    }
}

int
cs_plt_got_direct (const struct cs_elf *elf, uint64_t base,
                   cs_plt_got_finder *find, void *closure,
                   struct cs_rebased *copy, struct cs_err *err)
{
  struct redirection *all;
  struct entries entries;
  size_t nr;

  if (elf->nr_relocs == 0 || !find_entries (elf, &entries))
    return 0;
  all = calloc (elf->nr_relocs, sizeof *all);
  if (!all)
    return cs_err_sys (err, ENOMEM, "cannot move '%s'", cs_elf_path (elf));
  nr = find_redirections (elf, copy, find, closure, all);
  redirect (elf, base, &entries, all, nr, copy);
  free (all);
  return 0;
}
