/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* foreign-less.c -- a later release of foreign.c, which has other addresses
   and one function less.  */

int foreign_data = 6;

int
foreign_before (int n)
{
  return n - 1;
}

int
foreign_twice (int n)
{
  return foreign_before (n) + n + 1;
}
