/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-image.c -- a library's memory as ld.so would lay it out.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf-image.h"
#include "elf-private.h"

#define IMAGE_MAX ((uint64_t) 1 << 30)

/* Segments lie in the layout, and their file ranges in the file (E1); still
   nothing is written outside LEN bytes.  */
static void
copy_segment (const struct cs_elf *elf, const GElf_Phdr *segment,
              unsigned char *image, size_t len)
{
  uint64_t off = segment->p_vaddr - elf->layout.start;

  if (segment->p_type != PT_LOAD || off > len
      || segment->p_filesz > len - off || segment->p_offset > elf->len
      || segment->p_filesz > elf->len - segment->p_offset)
    return;
  memcpy (image + off, elf->data + segment->p_offset,
          (size_t) segment->p_filesz);
}

/* B + A, where B is 0: the addresses in the file are those it is loaded
   at.  */
static void
relocate (const struct cs_elf *elf, const struct cs_elf_reloc *reloc,
          unsigned char *image, size_t len)
{
  uint64_t off = reloc->off - elf->layout.start;
  uint64_t word = (uint64_t) reloc->addend;
  uint32_t half = (uint32_t) word;

  if (reloc->kind != CS_RELOC_RELATIVE || off > len
      || elf->arch->word_len > len - off)
    return;
  if (elf->arch->word_len == 8)
    memcpy (image + off, &word, 8);
  else
    memcpy (image + off, &half, 4);
}

int
cs_elf_image (const struct cs_elf *elf, unsigned char **image, size_t *len)
{
  *image = NULL;
  *len = (size_t) elf->layout.len;
  if (elf->layout.len > IMAGE_MAX)
    return -ENOMEM;
  *image = calloc (1, *len + 1);
  if (!*image)
    return -ENOMEM;
  for (size_t i = 0; i < elf->nr_segments; i++)
    copy_segment (elf, &elf->segments[i], *image, *len);
  for (size_t i = 0; i < elf->nr_relocs; i++)
    relocate (elf, &elf->relocs[i], *image, *len);
  return 0;
}
