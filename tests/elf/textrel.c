/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* textrel.c -- an address in the code: a text relocation.  */
/* flags: -Wl,-z,notext */

int textrel_data = 1;

#ifdef __x86_64__
# define WORD ".quad"
#else
# define WORD ".long"
#endif

__asm__ (".text\n"
         ".globl textrel_word\n"
         "textrel_word: " WORD " textrel_data\n");

extern int *const textrel_word;

int
check (void)
{
  return *textrel_word == 1 ? 0 : 1;
}
