/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sysv.c -- only the old hash table (DT_HASH), and bound at once.  */
/* flags: -Wl,--hash-style=sysv -Wl,-z,now */

#include <string.h>

int
sysv_length (const char *string)
{
  return strlen (string);
}

int
check (void)
{
  return sysv_length ("abc") == 3 ? 0 : 1;
}
