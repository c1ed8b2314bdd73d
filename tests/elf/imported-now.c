/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imported-now.c -- the same, with all words read-only after loading, and
   without a build id; it needs the other.  */
/* after: imported */
/* flags: -Wl,-z,now -Wl,-z,relro -Wl,--build-id=none -L@OUT@ -l:imported@SUFFIX@.so */

#include <stdlib.h>

extern void *imported_allocate (size_t len);

void *
imported_now_allocate (size_t len)
{
  return malloc (len);
}

void *
imported_now_through (size_t len)
{
  return imported_allocate (len);
}
