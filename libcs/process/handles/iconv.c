/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* iconv.c -- conversion descriptors that can be kept in a heap.

   libguile keeps an iconv_t in each port whose encoding it does not convert
   itself (3.0.8, libguile/ports.c, open_iconv_descriptors).  What it gets
   from here is a block in the store that names the two encodings; libc's
   descriptor is opened when it is first used in each process.

   Some encodings have a shift state (ISO-2022-JP, UTF-7), which libc does not
   give out.  They are in the initial one where a line begins; so what was
   converted of the current line is kept, and converted once more by a new
   descriptor, for nothing but the state.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process/private.h"

#define LINE_MAX_LEN 1000

struct handle
{
  uint64_t epoch;               /* in which CD was opened */
  iconv_t cd;
  uint32_t line_len;
  char line[LINE_MAX_LEN];      /* what was converted of the current line;
                                   none of a longer one */
  char names[];                 /* TO, NUL, FROM, NUL */
};

static iconv_t
failed (void)
{
  return (iconv_t) -1;
}

/* Convert the line again.  The output's length says nothing about the state,
   so it may run full.  */
static void
restore_state (struct handle *handle)
{
  char *in = handle->line;
  size_t in_left = handle->line_len;
  char unused[64], *out;
  size_t out_left;

  do
    {
      out = unused;
      out_left = sizeof unused;
    }
  while (iconv (handle->cd, &in, &in_left, &out, &out_left) == (size_t) -1
         && errno == E2BIG);
}

/* libc's descriptor for HANDLE in this process.  */
static iconv_t
real (struct handle *handle)
{
  int code = errno;

  if (handle->epoch != cs_process.image->epoch)
    {
      handle->cd = iconv_open (handle->names,
                               handle->names + strlen (handle->names) + 1);
      handle->epoch = cs_process.image->epoch;
      if (handle->cd != failed () && handle->line_len > 0)
        restore_state (handle);
      errno = code;
    }
  return handle->cd;
}

/* Keep what was converted.  */
static void
follow_line (struct handle *handle, const char *start, size_t len)
{
  const char *end = memrchr (start, '\n', len);

  if (end)
    {
      handle->line_len = 0;
      len -= (size_t) (end + 1 - start);
      start = end + 1;
    }
  if (len > LINE_MAX_LEN - handle->line_len)
    handle->line_len = 0;
  else
    {
      memcpy (handle->line + handle->line_len, start, len);
      handle->line_len += (uint32_t) len;
    }
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
  handle->line_len = 0;
  memcpy (handle->names, to, to_len);
  memcpy (handle->names + to_len, from, from_len);
  return (iconv_t) handle;
}

/* Without input it resets the state.  */
size_t
cs_iconv_convert (iconv_t cd, char **in, size_t *in_left, char **out,
                  size_t *out_left)
{
  struct handle *handle = (struct handle *) cd;
  iconv_t today = cd == failed () ? cd : real (handle);
  const char *start = in ? *in : NULL;
  size_t result;

  if (today == failed ())
    {
      errno = EBADF;
      return (size_t) -1;
    }
  result = iconv (today, in, in_left, out, out_left);
  if (start)
    follow_line (handle, start, (size_t) (*in - start));
  else
    handle->line_len = 0;
  return result;
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
