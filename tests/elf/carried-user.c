/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* carried-user.c -- another one, that needs the first; its words are
   read-only after loading.  */
/* after: carried */
/* flags: -Wl,-z,now -Wl,-z,relro -L@OUT@ -l:carried@SUFFIX@.so */

#include <stdlib.h>

extern int carried_count;
extern int carried_add (int n);
extern int carried_next (int n);

int user_calls;
static int (*keep) (int);

int
user_add (int n)
{
  user_calls++;
  return carried_add (n) == carried_count ? carried_count : -1;
}

void
user_keep (void)
{
  keep = carried_add;
}

int
user_call_kept (int n)
{
  return keep (n);
}

void *
user_allocate (size_t len)
{
  return malloc (len);
}

int (*user_get_next (void)) (int)
{
  return carried_next;
}

int
user_call_next (int n)
{
  return carried_next (n);
}
