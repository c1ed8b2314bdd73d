/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* carried.c -- a library for a store: data, tables of pointers, addresses
   that are taken, calls that are replaced.  */
/* flags: -Wl,-z,lazy */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int carried_count = 1;
static int hidden = 10;
static int *volatile table[] = { &carried_count, &hidden };
static int zeros[3000];
void *carried_block;
int carried_constructed;

__attribute__ ((constructor)) static void
construct (void)
{
  carried_constructed++;
}

int
carried_add (int n)
{
  for (int i = 0; i < 2; i++)
    *table[i] += n;
  zeros[2999] += n;
  return carried_count;
}

int
carried_hidden (void)
{
  return hidden + zeros[2999];
}

/* Inside: a trampoline to carried_add.  */
int (*carried_get_add (void)) (int)
{
  return carried_add;
}

/* Outside: a trampoline to libc's.  */
int (*carried_compare) (const char *, const char *) = strcmp;

/* Outside and replaced.  */
void (*carried_release) (void *) = free;

void *
carried_allocate (size_t len)
{
  return carried_block = malloc (len);
}

long
carried_number (const char *text)
{
  return strtol (text, NULL, 10);
}

/* Inside and replaced: called, and its address taken.  */
int
carried_twice (int n)
{
  return 2 * n;
}

int (*carried_twice_pointer) (int) = carried_twice;

int
carried_call_twice (int n)
{
  return carried_twice (n);
}

/* Called, and their addresses taken by code, so that the linker makes one
   word for both: inside, inside and replaced, outside.  */
int
carried_next (int n)
{
  return n + 1;
}

int (*carried_get_next (void)) (int)
{
  return carried_next;
}

int
carried_call_next (int n)
{
  return carried_next (n);
}

int
carried_thrice (int n)
{
  return 3 * n;
}

int (*carried_get_thrice (void)) (int)
{
  return carried_thrice;
}

int
carried_call_thrice (int n)
{
  return carried_thrice (n);
}

pid_t (*carried_get_parent (void)) (void)
{
  return getppid;
}

int
carried_call_parent (int n)
{
  return n + (int) getppid ();
}

/* As in libraries with code for several processors: chosen at the first call,
   and remembered.  */
static int
plain (void)
{
  return 1;
}

static int
special (void)
{
  return 2;
}

static int choose (void);
static int (*chosen) (void) = choose;

static int
choose (void)
{
  chosen = getenv ("CARRIED_PROCESSOR") ? special : plain;
  return chosen ();
}

int
carried_instructions (void)
{
  return chosen ();
}
