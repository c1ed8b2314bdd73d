/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tables.c -- tables of pointers: RELATIVE, and ABSOLUTE with addends.  */

int tables_target[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
static int tables_own[10] = { 0, 10, 20, 30 };

int *tables_absolute[] = { tables_target, tables_target + 3,
                           tables_target + 9, &tables_target[10] - 5 };
static int *tables_relative[] = { tables_own, tables_own + 1, tables_own + 2,
                                  tables_own + 3 };
int *const tables_constant[] = { tables_own + 3, tables_target + 1 };
extern int tables_missing __attribute__ ((weak));
int *tables_weak = &tables_missing;

int
check (void)
{
  if (*tables_absolute[0] != 0 || *tables_absolute[1] != 3
      || *tables_absolute[2] != 9 || *tables_absolute[3] != 5)
    return 1;
  for (int i = 0; i < 4; i++)
    if (*tables_relative[i] != 10 * i)
      return 2;
  if (*tables_constant[0] != 30 || *tables_constant[1] != 1)
    return 3;
  if (tables_weak)
    return 4;
  return 0;
}
