/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* future-libc.c -- what a library is linked with that needs a libc of another
   year.  */
/* flags: -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=@SRC@/future.map */

int
future_answer (void)
{
  return 42;
}
