/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf.c -- what is known of a shared library, and closing it.  */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"

int
cs_elf_fail (const struct cs_elf *elf, struct cs_err *err, int code,
             const char *format, ...)
{
  char text[512];
  va_list ap;

  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  return cs_err_set (err, code, "cannot read '%s': %s", elf->path, text);
}

uint64_t
cs_elf_number (const struct cs_elf *elf, uint64_t off, size_t len)
{
  uint64_t value = 0;

  for (size_t i = len; i-- > 0;)
    value = value << 8 | elf->data[off + i];
  return value;
}

size_t
cs_elf_record_len (const struct cs_elf *elf, Elf_Type type)
{
  return gelf_fsize (elf->elf, type, 1, EV_CURRENT);
}

Elf_Data *
cs_elf_records (const struct cs_elf *elf, uint64_t off, size_t nr,
                Elf_Type type)
{
  return elf_getdata_rawchunk (elf->elf, off,
                               nr * cs_elf_record_len (elf, type), type);
}

void
cs_elf_close (struct cs_elf *elf)
{
  if (!elf)
    return;
  elf_end (elf->elf);
  free (elf->segments);
  free (elf->build_id);
  free (elf->dynamic);
  free (elf->needed);
  free (elf->symbols);
  free (elf->index_heads);
  free (elf->index_next);
  free (elf->relocs);
  free (elf->owned);
  free (elf->path);
  free (elf);
}

const char *
cs_elf_path (const struct cs_elf *elf)
{
  return elf->path;
}

const char *
cs_elf_soname (const struct cs_elf *elf)
{
  const char *slash;

  if (elf->soname)
    return elf->soname;
  slash = strrchr (elf->path, '/');
  return slash ? slash + 1 : elf->path;
}

const struct cs_arch *
cs_elf_arch (const struct cs_elf *elf)
{
  return elf->arch;
}

const struct cs_elf_layout *
cs_elf_layout (const struct cs_elf *elf)
{
  return &elf->layout;
}

const void *
cs_elf_data (const struct cs_elf *elf, size_t *len)
{
  *len = elf->len;
  return elf->data;
}

const char *
cs_elf_build_id (const struct cs_elf *elf)
{
  return elf->build_id ? elf->build_id : "";
}

size_t
cs_elf_nr_needed (const struct cs_elf *elf)
{
  return elf->nr_needed;
}

const char *
cs_elf_needed (const struct cs_elf *elf, size_t i)
{
  return elf->needed[i];
}

size_t
cs_elf_nr_symbols (const struct cs_elf *elf)
{
  return elf->nr_symbols;
}

const struct cs_elf_symbol *
cs_elf_symbol_get (const struct cs_elf *elf, size_t i)
{
  return &elf->symbols[i];
}

size_t
cs_elf_nr_relocs (const struct cs_elf *elf)
{
  return elf->nr_relocs;
}

const struct cs_elf_reloc *
cs_elf_reloc_get (const struct cs_elf *elf, size_t i)
{
  return &elf->relocs[i];
}
