/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* future.c -- a library that was made on a newer system: no libc of today has
   the version of a function that it calls.  */
/* after: future-libc */
/* flags: @OUT@/future-libc@SUFFIX@.so */

int future_answer (void);

int
future_ask (void)
{
  return future_answer ();
}
