/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sums.c -- the table of page sums, in the file before the image.  */

#include <errno.h>
#include <string.h>

#include "store/store-private.h"
#include "store/sys.h"

static uint64_t
place (uint64_t page)
{
  return CS_STORE_SUMS_OFF + page * sizeof (uint32_t);
}

int
cs_sums_read (int fd, uint64_t page, uint64_t nr, uint32_t *sums)
{
  size_t len = (size_t) nr * sizeof *sums;
  ssize_t n = cs_file_read (fd, sums, len, place (page));

  if (n < 0)
    return (int) n;
  memset ((char *) sums + n, 0, len - (size_t) n);
  return 0;
}

int
cs_sums_write (int fd, uint64_t page, uint64_t nr, const uint32_t *sums)
{
  return cs_file_write (fd, sums, (size_t) nr * sizeof *sums, place (page));
}
