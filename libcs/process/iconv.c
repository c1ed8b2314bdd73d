/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* iconv.c -- conversion descriptors that can be kept in a heap.

   libguile keeps an iconv_t in each port whose encoding it does not convert
   itself (3.0.8, libguile/ports.c, open_iconv_descriptors).  What it gets
   from here is a block in the store that names the two encodings; libc's
   descriptor is opened when it is first used in each process, in the initial
   shift state.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct handle
{
  uint64_t epoch;               /* in which CD was opened */
  iconv_t cd;
  char names[];                 /* TO, NUL, FROM, NUL */
};

static iconv_t
failed (void)
{
  return (iconv_t) -1;
}

/* libc's descriptor for HANDLE in this process.  */
static iconv_t
real (struct handle *handle)
{
  if (handle->epoch != cs_process.image->epoch)
    {
      handle->cd = iconv_open (handle->names,
                               handle->names + strlen (handle->names) + 1);
      handle->epoch = cs_process.image->epoch;
    }
  return handle->cd;
}

iconv_t
cs_iconv_open (const char *to, const char *from)
{
  size_t to_len = strlen (to) + 1, from_len = strlen (from) + 1;
  iconv_t cd = iconv_open (to, from);
  struct handle *handle;

  if (cd == failed ())
    return cd;
  handle = cs_memory_malloc (sizeof *handle + to_len + from_len);
  if (!handle)
    {
      iconv_close (cd);
      return failed ();
    }
  handle->epoch = cs_process.image->epoch;
  handle->cd = cd;
  memcpy (handle->names, to, to_len);
  memcpy (handle->names + to_len, from, from_len);
  return (iconv_t) handle;
}

size_t
cs_iconv_convert (iconv_t cd, char **in, size_t *in_left, char **out,
                  size_t *out_left)
{
  iconv_t today = cd == failed () ? cd : real ((struct handle *) cd);

  if (today == failed ())
    {
      errno = EBADF;
      return (size_t) -1;
    }
  return iconv (today, in, in_left, out, out_left);
}

int
cs_iconv_close (iconv_t cd)
{
  struct handle *handle = (struct handle *) cd;
  int code = 0;

  if (cd == failed ())
    {
      errno = EBADF;
      return -1;
    }
  if (handle->epoch == cs_process.image->epoch && handle->cd != failed ())
    code = iconv_close (handle->cd);
  cs_memory_free (handle);
  return code;
}
