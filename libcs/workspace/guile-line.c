/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guile-line.c -- Guile's words on a command line.  */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workspace/guile-line.h"

/* Does the switch WORD have its argument in the next word?  */
static bool
has_argument (const char *word)
{
  static const char *const switches[] = {
    "-l", "-L", "-C", "-x", "-e", "--language"
  };

  for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
    if (strcmp (word, switches[i]) == 0)
      return true;
  return false;
}

const char *
cs_guile_line_next (char *const *words, size_t *i)
{
  static const char *const ends[] = { "-c", "-s", "--" };
  const char *word = words[*i];

  if (!word || word[0] != '-')
    return NULL;
  for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
    if (strcmp (word, ends[k]) == 0)
      return NULL;
  ++*i;
  if (has_argument (word) && words[*i])
    ++*i;
  return word;
}

const char *
cs_guile_line_script (char *const *words)
{
  size_t i = 0;

  while (cs_guile_line_next (words, &i))
    continue;
  if (words[i] && strcmp (words[i], "-s") == 0)
    return words[i + 1];
  return words[i] && words[i][0] != '-' ? words[i] : NULL;
}

const char *
cs_guile_line_find (char *const *words, bool (*is) (const char *word))
{
  const char *word;
  size_t i = 0;

  while ((word = cs_guile_line_next (words, &i)))
    if (is (word))
      return word;
  return NULL;
}

/* The meta switch.  */

/* The words of a second line, in one block of text.  */
struct meta
{
  FILE *file;
  char *text;                   /* word after word, each with a NUL */
  size_t len;
  int nr;                       /* words that have ended */
};

static int
add (struct meta *meta, int c)
{
  char *text = realloc (meta->text, meta->len + 1);

  if (!text)
    return -ENOMEM;
  meta->text = text;
  text[meta->len++] = (char) c;
  return 0;
}

/* The character that three octal digits stand for, of which C is the first;
   negative: not three, or no character.  */
static int
read_octal (struct meta *meta, int c)
{
  int value = 0;

  for (int i = 0; i < 3; i++)
    {
      if (c < '0' || c > '7')
        return -EINVAL;
      value = value * 8 + (c - '0');
      if (i < 2)
        c = getc (meta->file);
    }
  return value == 0 || value > 255 ? -EINVAL : value;
}

/* The character that a backslash and what follows it stand for.  */
static int
read_escape (struct meta *meta)
{
  static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
  int c = getc (meta->file);
  const char *name;

  if (c == EOF)
    return -EINVAL;
  name = c ? strchr (names, c) : NULL;
  if (name)
    return values[name - names];
  if (c == '\\' || c == ' ' || c == '\t' || c == '\n')
    return c;
  return read_octal (meta, c);
}

/* A space ends a word, an empty one too; the end of the line ends the last
   word, unless the word is empty.  */
static int
read_words (struct meta *meta)
{
  size_t start = 0;
  int c, code = 0;

  while (code == 0 && (c = getc (meta->file)) != EOF && c != '\n')
    if (c == ' ')
      {
        code = add (meta, '\0');
        start = meta->len;
        meta->nr++;
      }
    else if (c == '\t' || c == '\0')
      code = -EINVAL;
    else
      {
        if (c == '\\')
          c = read_escape (meta);
        code = c < 0 ? c : add (meta, c);
      }
  if (code == 0 && meta->len > start)
    {
      code = add (meta, '\0');
      meta->nr++;
    }
  return code;
}

static int
read_second_line (const char *script, struct meta *meta)
{
  int c, code;

  errno = 0;
  meta->file = fopen (script, "re");
  if (!meta->file)
    return -errno;
  while ((c = getc (meta->file)) != EOF && c != '\n')
    continue;
  code = read_words (meta);
  if (code == 0 && ferror (meta->file))
    code = errno ? -errno : -EIO;
  fclose (meta->file);
  return code;
}

int
cs_guile_line_expand (int *argc, char ***argv, struct cs_err *err)
{
  struct meta meta = { .text = NULL };
  char **words, *text;
  int nr = 1, code;

  if (*argc < 3 || strcmp ((*argv)[1], "\\") != 0)
    return 0;
  code = read_second_line ((*argv)[2], &meta);
  words = code == 0 ? calloc ((size_t) (*argc + meta.nr), sizeof *words)
                    : NULL;
  if (code == 0 && !words)
    code = -ENOMEM;
  if (code == -EINVAL)
    cs_err_set (err, CS_E_MISUSE, "cannot use the second line of '%s' as options",
                (*argv)[2]);
  else if (code != 0)
    cs_err_sys (err, -code, "cannot read '%s'", (*argv)[2]);
  if (code != 0)
    {
      free (meta.text);
      return code;
    }
  words[0] = (*argv)[0];
  text = meta.text;
  for (; nr <= meta.nr; nr++, text += strlen (text) + 1)
    words[nr] = text;
  for (int i = 2; i < *argc; i++)
    words[nr++] = (*argv)[i];
  *argc = nr;
  *argv = words;
  return 0;
}
