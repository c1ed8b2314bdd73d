/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* relr.c -- relative relocations in their compressed form (DT_RELR).  */
/* flags: -Wl,-z,pack-relative-relocs */

static int numbers[200];

#define P(i) numbers + (i)
#define TEN(i) P (i), P (i + 1), P (i + 2), P (i + 3), P (i + 4), \
               P (i + 5), P (i + 6), P (i + 7), P (i + 8), P (i + 9)

int *relr_dense[] = { TEN (0), TEN (10), TEN (20), TEN (30), TEN (40),
                      TEN (50), TEN (60), TEN (70), TEN (80), TEN (90) };
struct { long gap[7]; int *pointer; } relr_sparse[20] = {
  [3].pointer = P (3), [11].pointer = P (11), [19].pointer = P (19)
};

int
check (void)
{
  for (int i = 0; i < 100; i++)
    if (relr_dense[i] != &numbers[i])
      return 1;
  if (relr_sparse[3].pointer != &numbers[3]
      || relr_sparse[11].pointer != &numbers[11]
      || relr_sparse[19].pointer != &numbers[19] || relr_sparse[4].pointer)
    return 2;
  return 0;
}
