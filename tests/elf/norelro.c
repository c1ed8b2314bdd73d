/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* norelro.c -- no PT_GNU_RELRO, both hash tables, no section of versions
   for its own symbols.  */
/* flags: -Wl,-z,norelro -Wl,--hash-style=both */

#include <stdlib.h>

void *(*norelro_malloc) (size_t) = malloc;
int norelro_zero[3000];

int
check (void)
{
  void *block = norelro_malloc (10);

  free (block);
  return block && norelro_zero[2999] == 0 ? 0 : 1;
}
