/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* none.c -- a library without dynamic symbols.  */
/* flags: -nostdlib */

static int hidden;

__attribute__ ((visibility ("hidden"))) int *
none (void)
{
  return &hidden;
}
