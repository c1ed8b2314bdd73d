/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf.c -- reading shared libraries: opening, closing, access.  */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Everything that is read of a library, in the order that elf-private.h
   explains.  */
static int
read_all (struct cs_elf *elf, struct cs_err *err)
{
  static int (*const steps[]) (struct cs_elf *, struct cs_err *) = {
    cs_elf_read_layout,
    cs_elf_read_build_id,
    cs_elf_read_dynamic,
    cs_elf_read_relocs,
    cs_elf_read_symbols
  };

  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    {
      int res = steps[i] (elf, err);

      if (res < 0)
        return res;
    }
  return cs_elf_check_relocs (elf, err);
}

/* Open LEN bytes at DATA.  Takes over OWNED, whatever happens.  */
static int
open_bytes (const char *name, const void *data, size_t len, void *owned,
            struct cs_elf **out, struct cs_err *err)
{
  struct cs_elf *elf = calloc (1, sizeof *elf);
  int res;

  if (!elf || !(elf->path = strdup (name)))
    {
      free (owned);
      free (elf);
      return cs_err_sys (err, ENOMEM, "cannot read '%s'", name);
    }
  elf->data = data;
  elf->len = len;
  elf->owned = owned;
  res = read_all (elf, err);
  if (res < 0)
    {
      cs_elf_close (elf);
      return res;
    }
  *out = elf;
  return 0;
}

int
cs_elf_open_memory (const char *name, const void *data, size_t len,
                    struct cs_elf **elf, struct cs_err *err)
{
  return open_bytes (name, data, len, NULL, elf, err);
}

/* Read LEN bytes of FD to DATA; less is an error.  */
static int
read_bytes (int fd, uint8_t *data, size_t len)
{
  while (len > 0)
    {
      ssize_t n = read (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return n < 0 ? -errno : -EIO;   /* it became shorter */
      data += n;
      len -= n;
    }
  return 0;
}

/* Read all of the regular file FD into new memory.  */
static int
read_file (int fd, void **data, size_t *len)
{
  struct stat st;
  int res;

  if (fstat (fd, &st) < 0)
    return -errno;
  if (S_ISDIR (st.st_mode))
    return -EISDIR;
  if (!S_ISREG (st.st_mode))
    return -CS_E_REFUSED;
  if ((uintmax_t) st.st_size > SIZE_MAX - 1)
    return -EFBIG;

  *len = st.st_size;
  *data = malloc (*len + 1);    /* never of length 0 */
  if (!*data)
    return -ENOMEM;
  res = read_bytes (fd, *data, *len);
  if (res < 0)
    free (*data);
  return res;
}

int
cs_elf_open (const char *path, struct cs_elf **elf, struct cs_err *err)
{
  /* O_NONBLOCK: a FIFO must not make us wait before it is refused.  */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  void *data = NULL;
  size_t len = 0;
  int res;

  if (fd < 0)
    return cs_err_sys (err, errno, "cannot open '%s'", path);
  res = read_file (fd, &data, &len);
  close (fd);
  if (res == -CS_E_REFUSED)
    return cs_err_set (err, CS_E_REFUSED, "cannot read '%s': not a regular"
                       " file", path);
  if (res < 0)
    return cs_err_sys (err, -res, "cannot read '%s'", path);
  return open_bytes (path, data, len, data, elf, err);
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
