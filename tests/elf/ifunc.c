/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ifunc.c -- functions chosen at load time: IRELATIVE, and an exported one
   by symbol.  */

static int
one (void)
{
  return 1;
}

static int (*choose (void)) (void)
{
  return one;
}

int ifunc_exported (void) __attribute__ ((ifunc ("choose")));
static int ifunc_local (void) __attribute__ ((ifunc ("choose")));

static int (*ifunc_pointer) (void) = ifunc_local;

int
check (void)
{
  if (ifunc_exported () != 1)
    return 1;
  if (ifunc_local () != 1)
    return 2;
  if (ifunc_pointer () != 1)
    return 3;
  return 0;
}
