/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* extending.c -- an extension, which is not carried: words with addresses of
   its own functions, read-only and not, and of another library's.  */
/* after: carried */
/* flags: -Wl,-z,now -Wl,-z,relro -L@OUT@ -l:carried@SUFFIX@.so */

extern int carried_next (int n);

int
extending_hook (int n)
{
  return n + 100;
}

int (*extending_get_hook (void)) (int)
{
  return extending_hook;
}

int
extending_variable_hook (int n)
{
  return n + 200;
}

int (*extending_variable) (int) = extending_variable_hook;

int (*extending_get_next (void)) (int)
{
  return carried_next;
}

/* Of the same name as one that comes before it.  */
int
carried_twice (int n)
{
  return n + 300;
}

int (*extending_get_twice (void)) (int)
{
  return carried_twice;
}
