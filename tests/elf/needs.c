/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* needs.c -- a library that needs another one.  */
/* after: plain */
/* flags: -L@OUT@ -l:plain@SUFFIX@.so */

extern int plain_add (int a, int b);
extern int plain_data;

int
check (void)
{
  if (plain_add (40, 2) != plain_data)
    return 1;
  return 0;
}
