/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imported-rebuilt.c -- another build of imported.c, all words elsewhere.  */
/* flags: -Wl,-z,lazy -Wl,--build-id=0x1112131415161718 -Wl,-soname,libcs-imported.so */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int imported_data[2000] = { 1 };

int
imported_more (const char *text)
{
  return (int) strlen (text) + getpid () + atoi (text) + puts (text);
}

void *
imported_allocate (size_t len)
{
  void *block = malloc (len);

  return block ? memset (block, 0, len) : NULL;
}

void *(*imported_pointer (void)) (size_t, size_t)
{
  return calloc;
}
