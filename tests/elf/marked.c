/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* marked.c -- dynamic entries that lead to the procedure linkage table, where
   the linker can make them (x86-64, binutils 2.41).  */
/* flags: -Wl,-z,mark-plt -Wl,-z,lazy */

#include <stdlib.h>

/* 0 if functions of other libraries can be called.  */
int
check (void)
{
  return atoi ("42") == 42 ? 0 : 1;
}
