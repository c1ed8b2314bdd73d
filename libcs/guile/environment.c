/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* environment.c -- what the interpreter was told from outside.  */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guile/environment.h"
#include "guile/functions.h"
#include "report.h"

/* What Guile 3.0.8 reads once: libguile/load.c (scm_init_load_path,
   scm_init_load_should_auto_compile), libguile/deprecation.c
   (scm_init_deprecation), module/system/foreign-library.scm.  The variables
   that libguile/jit.c and libgc read end in places that nothing outside of
   them can reach.  */
static const char *const variables[] = {
  "GUILE_LOAD_PATH", "GUILE_LOAD_COMPILED_PATH", "GUILE_SYSTEM_PATH",
  "GUILE_SYSTEM_COMPILED_PATH", "GUILE_AUTO_COMPILE",
  "GUILE_WARN_DEPRECATED", "GUILE_EXTENSIONS_PATH",
  "GUILE_SYSTEM_EXTENSIONS_PATH", "LTDL_LIBRARY_PATH", "XDG_CACHE_HOME",
  "HOME"
};

#define NR_VARIABLES (sizeof variables / sizeof *variables)

/* A setting that is being put together.  */
struct setting
{
  char *text;                   /* malloc'd */
  size_t len, room;
};

/* Add HEAD and TAIL as one string.  Without memory it is left out: then the
   workspace goes on with what it had.  */
static void
add (struct setting *s, const char *head, const char *tail)
{
  size_t head_len = strlen (head), tail_len = strlen (tail) + 1;
  size_t room = 2 * (s->len + head_len + tail_len);
  char *text = s->text;

  if (s->len + head_len + tail_len > s->room)
    {
      text = realloc (s->text, room);
      if (!text)
        return;
      s->text = text;
      s->room = room;
    }
  memcpy (text + s->len, head, head_len);
  memcpy (text + s->len + head_len, tail, tail_len);
  s->len += head_len + tail_len;
}

static bool
is_one_of (const char *text, const char *const *list)
{
  while (*list && strcmp (text, *list) != 0)
    list++;
  return *list != NULL;
}

/* Goes through the options as Guile will: module/ice-9/command-line.scm,
   compile-shell-switches.  */
static void
add_options (struct setting *s, int argc, char **argv)
{
  static const char *const kept[] = { "-L", "-C", "-x", NULL };
  static const char *const passed[] = { "-l", "-e", "--language", NULL };
  static const char *const compile[] = {
    "--auto-compile", "--fresh-auto-compile", "--no-auto-compile", NULL
  };
  static const char *const last[] = { "-c", "-s", "--", NULL };

  for (int i = 1; i < argc && argv[i][0] == '-'; i++)
    if (is_one_of (argv[i], last))
      return;
    else if (is_one_of (argv[i], compile))
      add (s, argv[i], "");
    else if (is_one_of (argv[i], passed))
      i++;
    else if (is_one_of (argv[i], kept) && i + 1 < argc)
      {
        add (s, argv[i], argv[i + 1]);
        i++;
      }
}

static void
add_variables (struct setting *s)
{
  char name[64];
  const char *value;

  for (size_t i = 0; i < NR_VARIABLES; i++)
    {
      value = getenv (variables[i]);
      if (!value)
        continue;
      strcpy (name, variables[i]);
      strcat (name, "=");
      add (s, name, value);
    }
}

static const char *
kept_text (const struct cs_environment_disk *image)
{
  return (const char *) (uintptr_t) image->setting;
}

/* Keep S in the image.  */
static void
keep (struct cs_environment_disk *image, const struct setting *s)
{
  void *old = (void *) (uintptr_t) image->setting;
  char *text = s->len > 0 ? gc.malloc_atomic_uncollectable (s->len) : NULL;

  if (text)
    memcpy (text, s->text, s->len);
  image->setting = (uintptr_t) text;
  image->setting_len = text ? s->len : 0;
  if (old)
    gc.free (old);
}

/* The strings in LEN bytes at TEXT.  */
static SCM
list_of (const char *text, size_t len)
{
  SCM list = SCM_EOL;

  for (size_t off = 0; off < len; off += strlen (text + off) + 1)
    list = scm.cons (scm.from_locale_string (text + off), list);
  return scm.reverse_x (list, SCM_EOL);
}

/* The value of variable NAME in LEN bytes at TEXT, or NULL.  */
static const char *
value_in (const char *text, size_t len, const char *name)
{
  size_t name_len = strlen (name);

  for (size_t off = 0; off < len; off += strlen (text + off) + 1)
    if (strncmp (text + off, name, name_len) == 0
        && text[off + name_len] == '=')
      return text + off + name_len + 1;
  return NULL;
}

static void
report_changes (const struct cs_environment_disk *image,
                const struct setting *new)
{
  const char *was, *is;

  for (size_t i = 0; i < NR_VARIABLES; i++)
    {
      was = value_in (kept_text (image), image->setting_len, variables[i]);
      is = value_in (new->text, new->len, variables[i]);
      if (is && (!was || strcmp (was, is) != 0))
        cs_report (CS_REPORT_CHANGED, "environment: %s is '%s'",
                   variables[i], is);
      else if (was && !is)
        cs_report (CS_REPORT_CHANGED, "environment: %s is not set",
                   variables[i]);
    }
}

struct change
{
  const struct cs_environment_disk *image;
  uint64_t follow;
  const struct setting *new;
};

static void *
call_follow (void *closure)
{
  const struct change *c = closure;

  scm.call_2 (SCM_PACK ((scm_t_bits) c->follow),
              list_of (kept_text (c->image), c->image->setting_len),
              list_of (c->new->text, c->new->len));
  return NULL;
}

/* Is S what the image has?  */
static bool
is_kept (const struct cs_environment_disk *image, const struct setting *s)
{
  return s->len == image->setting_len
         && (s->len == 0 || memcmp (s->text, kept_text (image), s->len) == 0);
}

/* Guile is going to act on this process's options itself; the last one's are
   taken back, so NEW is compared without.  */
void
cs_environment_restore (struct cs_environment_disk *image, uint64_t follow,
                       int argc, char **argv)
{
  struct setting new = { NULL, 0, 0 };
  struct change change = { image, follow, &new };

  add_variables (&new);
  if (!is_kept (image, &new))
    {
      report_changes (image, &new);
      scm.with_guile (call_follow, &change);
    }
  add_options (&new, argc, argv);
  if (!is_kept (image, &new))
    keep (image, &new);
  free (new.text);
}

void
cs_environment_create (struct cs_environment_disk *image)
{
  struct setting s = { NULL, 0, 0 };

  add_variables (&s);
  keep (image, &s);
  free (s.text);
}
