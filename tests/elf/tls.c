/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.c -- thread-local variables: DTPMOD, DTPOFF, TPOFF.  */

__thread int tls_global = 7;
static __thread int tls_local = 8;
static __thread int tls_zero[100];
__thread int tls_initial __attribute__ ((tls_model ("initial-exec"))) = 9;

int
check (void)
{
  if (tls_global != 7)
    return 1;
  if (tls_local != 8)
    return 2;
  if (tls_zero[99] != 0)
    return 3;
  if (tls_initial != 9)
    return 4;
  tls_global++;
  tls_local++;
  tls_initial++;
  if (tls_global + tls_local + tls_initial != 27)
    return 5;
  tls_global--;
  tls_local--;
  tls_initial--;
  return 0;
}
