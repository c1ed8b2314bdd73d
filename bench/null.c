/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* null.c -- a program linked with libguile that returns from main at once:
   what loading the libraries alone costs.  */

#include <libguile.h>

/* Keeps libguile needed.  */
void *volatile used = (void *) scm_boot_guile;

int
main (void)
{
  return 0;
}
