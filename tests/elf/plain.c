/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* plain.c -- functions and data, called and addressed in every way.  */

#include <string.h>

int plain_initialized;
int plain_data = 42;
const char *plain_name = "plain";
static int plain_hidden[1000];

int
plain_add (int a, int b)
{
  return a + b;
}

/* An address that is taken: GLOB_DAT.  */
int (*plain_get_add (void)) (int, int)
{
  return plain_add;
}

__attribute__ ((constructor)) static void
initialize (void)
{
  plain_initialized = 1;
}

/* 0 if all is as it should be, else the number of what is not.  */
int
check (void)
{
  if (!plain_initialized)
    return 1;
  if (plain_data != 42)
    return 2;
  if (strcmp (plain_name, "plain") != 0)
    return 3;
  if (plain_get_add () != plain_add)
    return 4;
  if (plain_get_add () (2, 3) != 5)
    return 5;
  for (int i = 0; i < 1000; i++)
    if (plain_hidden[i]++ != 0)
      return 6;
  memset (plain_hidden, 0, sizeof plain_hidden);
  return 0;
}
