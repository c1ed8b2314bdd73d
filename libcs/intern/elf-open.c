/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-open.c -- opening a shared library: reading its file, then all its
   tables.  */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intern/elf-private.h"

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
