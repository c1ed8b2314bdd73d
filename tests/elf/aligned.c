/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* aligned.c -- segments aligned to more than a page.  */
/* flags: -Wl,-z,max-page-size=0x10000 -Wl,-z,common-page-size=0x10000 */

#include <stdint.h>

__attribute__ ((aligned (8192))) int aligned_data = 5;
int *aligned_pointer = &aligned_data;

int
check (void)
{
  if ((uintptr_t) &aligned_data % 8192 != 0)
    return 1;
  return *aligned_pointer == 5 ? 0 : 2;
}
