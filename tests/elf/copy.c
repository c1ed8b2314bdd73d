/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* copy.c -- a program with a COPY relocation.  */
/* kind: program */
/* after: plain */
/* flags: -L@OUT@ -l:plain@SUFFIX@.so */

extern int plain_data;

int
main (void)
{
  return plain_data;
}
