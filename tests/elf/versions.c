/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* versions.c -- two versions of one symbol, the second one the default.  */
/* flags: -Wl,--version-script=@SRC@/versions.map */

#include <stdlib.h>

__asm__ (".symver versions_old, versions_get@CS_1.0");
__asm__ (".symver versions_new, versions_get@@CS_2.0");

int
versions_old (void)
{
  return 1;
}

int
versions_new (void)
{
  return 2;
}

int versions_plain = 3;

int
check (void)
{
  return versions_new () + versions_plain + atoi ("1") == 6 ? 0 : 1;
}
