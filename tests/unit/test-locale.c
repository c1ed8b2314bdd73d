/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-locale.c -- locale objects that outlive their process.  */

#include <langinfo.h>

#include "process-fixture.h"

#define UTF8 "C.UTF-8"          /* built into the C library since 2.35 */

static locale_t
kept (int i)
{
  return (locale_t) (uintptr_t) words->word[i];
}

static void
keep (int i, locale_t locale)
{
  CHECK (locale != (locale_t) 0 && is_in_store (locale));
  words->word[i] = (uintptr_t) locale;
}

static bool
has_codeset (locale_t locale, const char *codeset)
{
  const char *found = cs_locale_nl_langinfo (CODESET, locale);

  if (strcmp (found, codeset) != 0)
    fprintf (stderr, "codeset %s, expected %s\n", found, codeset);
  return strcmp (found, codeset) == 0;
}

/* What the C library calls the locale without a character set.  */
#define ASCII "ANSI_X3.4-1968"

static void
make_some (void)
{
  begin ();
  start_collector ();
  keep (0, cs_locale_new (LC_ALL_MASK, UTF8, (locale_t) 0));
  keep (1, cs_locale_new (LC_ALL_MASK, "C", (locale_t) 0));
  /* One category of another object.  */
  keep (2, cs_locale_new (LC_CTYPE_MASK, UTF8,
                          cs_locale_new (LC_ALL_MASK, "C", (locale_t) 0)));
  keep (3, cs_locale_dup (kept (2)));
  keep (4, cs_locale_new (LC_NUMERIC_MASK, UTF8, (locale_t) 0));
  CHECK (has_codeset (kept (0), "UTF-8") && has_codeset (kept (1), ASCII));
  CHECK (has_codeset (kept (2), "UTF-8") && has_codeset (kept (3), "UTF-8"));
  CHECK (has_codeset (kept (4), ASCII));
  save_and_leave ();
}

static void
use_again (void)
{
  char *end;

  resume ();
  start_collector ();
  CHECK (has_codeset (kept (0), "UTF-8") && has_codeset (kept (1), ASCII));
  CHECK (has_codeset (kept (2), "UTF-8") && has_codeset (kept (3), "UTF-8"));
  CHECK (has_codeset (kept (4), ASCII));
  CHECK (cs_locale_strtod ("2.5x", &end, kept (0)) == 2.5 && *end == 'x');
  CHECK (cs_locale_strtol ("777", &end, 8, kept (3)) == 511 && !*end);
  keep (2, cs_locale_new (LC_CTYPE_MASK, "C", kept (2)));
  CHECK (has_codeset (kept (2), ASCII) && has_codeset (kept (3), "UTF-8"));
  keep (2, cs_locale_new (LC_CTYPE_MASK, UTF8, kept (2)));
  save_and_leave ();
}

static void
free_all (void)
{
  uint64_t before;

  resume ();
  start_collector ();
  CHECK (has_codeset (kept (0), "UTF-8"));
  before = fake_heap->nr_released;
  for (int i = 0; i < 5; i++)
    cs_locale_free (kept (i));
  CHECK (fake_heap->nr_released == before + 5);
}

static void
next_process (void)
{
  CHECK (in_child (make_some) == 0);
  CHECK (in_child (use_again) == 0);
  CHECK (in_child (use_again) == 0);
  CHECK (in_child (free_all) == 0);
}

/* "" is the environment, whatever setlocale() was told or not told.  */
static void
make_from_environment (void)
{
  begin ();
  start_collector ();
  setenv ("LC_ALL", UTF8, 1);
  keep (0, cs_locale_new (LC_ALL_MASK, "", (locale_t) 0));
  CHECK (has_codeset (kept (0), "UTF-8"));
  setenv ("LC_ALL", "C", 1);
  save_and_leave ();
}

static void
has_utf8 (void)
{
  setenv ("LC_ALL", "C", 1);
  resume ();
  start_collector ();
  CHECK (has_codeset (kept (0), "UTF-8"));
}

static void
environment (void)
{
  CHECK (in_child (make_from_environment) == 0);
  CHECK (in_child (has_utf8) == 0);
}

static void
make_mixed (void)
{
  begin ();
  start_collector ();
  CHECK (setlocale (LC_ALL, "C") && setlocale (LC_CTYPE, UTF8));
  /* "LC_CTYPE=C.UTF-8;LC_NUMERIC=C;..."  */
  keep (0, cs_locale_new (LC_ALL_MASK, setlocale (LC_ALL, NULL),
                          (locale_t) 0));
  CHECK (has_codeset (kept (0), "UTF-8"));
  save_and_leave ();
}

static void
mixed (void)
{
  CHECK (in_child (make_mixed) == 0);
  CHECK (in_child (has_utf8) == 0);
}

static void
copy_global (void)
{
  begin ();
  start_collector ();
  CHECK (setlocale (LC_ALL, UTF8));
  keep (0, cs_locale_dup (LC_GLOBAL_LOCALE));
  save_and_leave ();
}

static void
global_copied (void)
{
  CHECK (in_child (copy_global) == 0);
  CHECK (in_child (has_utf8) == 0);
}

static void
use (void)
{
  locale_t utf8, previous;

  begin ();
  start_collector ();
  CHECK (setlocale (LC_ALL, "C"));
  utf8 = cs_locale_new (LC_ALL_MASK, UTF8, (locale_t) 0);
  CHECK (cs_locale_use ((locale_t) 0) == LC_GLOBAL_LOCALE);
  previous = cs_locale_use (utf8);
  CHECK (previous == LC_GLOBAL_LOCALE);
  CHECK (!strcmp (nl_langinfo (CODESET), "UTF-8"));
  CHECK (cs_locale_use ((locale_t) 0) == utf8);
  CHECK (cs_locale_use (previous) == utf8);
  CHECK (!strcmp (nl_langinfo (CODESET), ASCII));
  cs_locale_free (utf8);
}

static void
unknown (void)
{
  locale_t c;

  begin ();
  start_collector ();
  errno = 0;
  CHECK (cs_locale_new (LC_ALL_MASK, "xx_NONE", (locale_t) 0)
         == (locale_t) 0);
  CHECK (errno == ENOENT && fake_heap->nr_allocated == 0);
  c = cs_locale_new (LC_ALL_MASK, "C", (locale_t) 0);
  CHECK (cs_locale_new (LC_ALL_MASK, "xx_NONE", c) == (locale_t) 0);
  CHECK (has_codeset (c, ASCII));
  cs_locale_free (c);
}

/* A locale that is not installed any more.  */
static void
make_and_spoil (void)
{
  char *handle, *found;

  begin ();
  start_collector ();
  keep (0, cs_locale_new (LC_ALL_MASK, UTF8, (locale_t) 0));
  handle = (char *) kept (0);
  while ((found = memmem (handle, fake_size (handle), "C.UTF", 5)))
    memcpy (found, "X.NON", 5);
  save_and_leave ();
}

static void
behaves_as_c (void)
{
  resume ();
  start_collector ();
  CHECK (has_codeset (kept (0), ASCII));
  cs_locale_free (kept (0));
}

static void
not_installed (void)
{
  CHECK (in_child (make_and_spoil) == 0);
  CHECK (in_child (behaves_as_c) == 0);
}

static const struct test_case cases[] = {
  { "objects have their categories in the next process", next_process },
  { "\"\" means what the environment said", environment },
  { "a name that lists categories is understood", mixed },
  { "a copy of the global locale is kept", global_copied },
  { "uselocale() gives back the handle", use },
  { "an unknown locale is refused as libc does", unknown },
  { "a locale that is gone behaves as \"C\"", not_installed },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
