/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* foreign.c -- a library to be opened at run time, with its constants among
   its code.  */
/* flags: -Wl,-z,noseparate-code */

const int foreign_constant = 17;
int foreign_data = 5;

int
foreign_twice (int n)
{
  return 2 * n;
}

int
foreign_count (void)
{
  return ++foreign_data;
}
