/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-libc.c -- telling what this system lacks for a store: a newer C
   library, or a library that the store does not carry.

   The carried libraries need nothing of the system but libc's own libraries,
   and of these nothing newer than what they had when they were carried.
   ld.so refuses an older libc by the version of a symbol, in the words of
   its locale; what a user can act on is which libc there is and which one is
   needed.  A store that was made to carry less (cs-create --bundle=none) needs
   the system's libffi and others besides.  */

#include <ctype.h>
#include <gnu/libc-version.h>
#include <string.h>

#include "intern/library-load.h"

#define PREFIX "GLIBC_"

/* The newest version of glibc that ELF has a symbol from, "" if none.  */
static const char *
find_newest (const struct cs_elf *elf)
{
  const struct cs_elf_symbol *symbol;
  const char *newest = "", *number;

  for (size_t i = 1; i < cs_elf_nr_symbols (elf); i++)
    {
      symbol = cs_elf_symbol_get (elf, i);
      number = symbol->version + strlen (PREFIX);
      if (!symbol->defined
          && strncmp (symbol->version, PREFIX, strlen (PREFIX)) == 0
          && isdigit ((unsigned char) *number)
          && strverscmp (number, newest) > 0)
        newest = number;
    }
  return newest;
}

/* ERR has ld.so's message.  It names the library that ELF needs and that ld.so
   cannot find, or not in the version that ELF needs.  */
static void
advise_missing (const struct cs_elf *elf, struct cs_err *err)
{
  const char *soname;

  for (size_t i = 0; i < cs_elf_nr_needed (elf); i++)
    {
      soname = cs_elf_needed (elf, i);
      if (strstr (err->text, soname))
        cs_err_advise (err, "install %.200s again: the store does not carry it"
                       " (cs-inspect --libraries lists what it needs)", soname);
    }
}

int
cs_library_explain (const char *soname, const void *copy, size_t len,
                    struct cs_err *err)
{
  struct cs_err ignored = CS_ERR_INIT;
  const char *today = gnu_get_libc_version (), *wanted;
  struct cs_elf *elf;

  if (cs_elf_open_memory (soname, copy, len, &elf, &ignored) != 0)
    return err->code;
  wanted = find_newest (elf);
  if (strverscmp (wanted, today) > 0)
    {
      cs_err_set (err, CS_E_INCOMPATIBLE, "cannot load '%s': it needs glibc"
                  " %s, and this system has libc.so.6 of glibc %s", soname,
                  wanted, today);
      cs_err_advise (err, "use the store on a system with glibc %s or later,"
                     " like the one that it was made on", wanted);
    }
  else
    advise_missing (elf, err);
  cs_elf_close (elf);
  return err->code;
}
