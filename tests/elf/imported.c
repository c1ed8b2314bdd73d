/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imported.c -- a library that is not carried, and allocates.  */
/* flags: -Wl,-z,lazy -Wl,--build-id=0x0102030405060708 */

#include <stdlib.h>
#include <string.h>

void *
imported_allocate (size_t len)
{
  void *block = malloc (len);

  return block ? memset (block, 0, len) : NULL;
}

/* A variable that the program may set.  */
void *(*imported_variable) (size_t) = malloc;

/* A word in PT_GNU_RELRO.  */
void *(*imported_pointer (void)) (size_t, size_t)
{
  return calloc;
}
