/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guile-line.h -- Guile's words on a command line.

   The rules are those of (ice-9 command-line) of Guile 3.0, function
   compile-shell-switches: switches, some with an argument in the next word, up
   to -c, -s, -- or a word that is no switch; behind it, the program's own
   arguments.  */
#ifndef CS_GUILE_LINE_H
#define CS_GUILE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* The switch at WORDS[*I]; *I is set behind the switch and its argument.  NULL at
   the end of the switches; then *I is the index of the word that ends them.  WORDS
   ends with NULL.  */
const char *cs_guile_line_next (char *const *words, size_t *i);

/* The script that the words would run: the word after -s, or the first one that
   is no switch.  NULL: the words run none.  WORDS ends with NULL, and has no
   name of a program in front.  */
const char *cs_guile_line_script (char *const *words);

/* The first switch for which IS returns true; NULL: there is none.  */
const char *cs_guile_line_find (char *const *words,
                                bool (*is) (const char *word));

/* The meta switch: if the first word is a backslash and the second names a
   script, the words of the script's second line take the place of the
   backslash (the kernel passes one word of a #! line; the rules for spaces and
   backslashes there are those of "The Meta Switch" in Guile's manual).  Sets
   *ARGC and *ARGV, which stay until the process ends; leaves them alone where
   there is no meta switch.  Returns 0, or -errno with ERR: the script cannot be
   read, or its second line is not as it must be (-EINVAL).  */
int cs_guile_line_expand (int *argc, char ***argv, struct cs_err *err);

#endif
