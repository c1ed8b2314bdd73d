/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-regex.c -- compiled regular expressions that outlive their
   process.  */

#include <dlfcn.h>
#include <langinfo.h>
#include <locale.h>
#include <regex.h>

#include "process-fixture.h"

/* What the heap has, in the store as libguile's is.  */
static regex_t *
kept (int i)
{
  return (regex_t *) (uintptr_t) words->word[i];
}

static void
keep (int i, const char *pattern, int flags)
{
  regex_t *regex = cs_memory_malloc (sizeof *regex);

  CHECK (regex && cs_regex_compile (regex, pattern, flags) == 0);
  CHECK (is_in_store (regex->buffer));
  words->word[i] = (uintptr_t) regex;
}

/* Where the Nth part of REGEX matches in TEXT: from * 100 + to, or -1.  */
static int
matches (const regex_t *regex, const char *text, size_t n)
{
  regmatch_t found[4];

  CHECK (n < 4);
  if (cs_regex_execute (regex, text, 4, found, 0) != 0)
    return -1;
  return (int) (found[n].rm_so * 100 + found[n].rm_eo);
}

static void
use (void)
{
  CHECK (kept (0)->re_nsub == 1);
  CHECK (matches (kept (0), "xaabbc4", 0) == 107);
  CHECK (matches (kept (0), "xaabbc4", 1) == 506);
  CHECK (matches (kept (0), "xaabbc", 0) == -1);
  CHECK (matches (kept (1), "xAB+", 0) == 104);
  CHECK (cs_regex_execute (kept (2), "no", 0, NULL, 0) == REG_NOMATCH);
  CHECK (cs_regex_execute (kept (2), "yes\n", 0, NULL, REG_NOTBOL) == 0);
}

static void
compile_some (void)
{
  regex_t bad;

  begin ();
  start_collector ();
  keep (0, "a+(b|c)*[[:digit:]]", REG_EXTENDED);
  keep (1, "ab+", REG_ICASE);           /* a plus sign: not extended */
  keep (2, "s$", REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
  use ();
  CHECK (cs_regex_compile (&bad, "(", REG_EXTENDED) == REG_EPAREN);
  cs_regex_free (&bad);
  CHECK (cs_regex_execute (&bad, "(", 0, NULL, 0) != 0);
  save_and_leave ();
}

static void
use_again (void)
{
  regex_t own;

  resume ();
  start_collector ();
  use ();
  use ();
  CHECK (cs_regex_compile (&own, "x", 0) == 0);
  CHECK (matches (&own, "ax", 0) == 102);
  cs_regex_free (&own);
  save_and_leave ();
}

/* Those that were not used since are freed without having been compiled.  */
static void
free_all (void)
{
  uint64_t before;

  resume ();
  start_collector ();
  before = fake_heap->nr_released;
  for (int i = 0; i < 3; i++)
    cs_regex_free (kept (i));
  CHECK (fake_heap->nr_released == before + 3);
  cs_regex_free (kept (0));
  CHECK (fake_heap->nr_released == before + 3);
}

static void
next_process (void)
{
  CHECK (in_child (compile_some) == 0);
  CHECK (in_child (use_again) == 0);
  CHECK (in_child (use_again) == 0);
  CHECK (in_child (free_all) == 0);
}

static void
compile_in_utf8 (void)
{
  begin ();
  start_collector ();
  CHECK (setlocale (LC_ALL, "C.UTF-8"));
  keep (0, "^(\xc3\xa9|.)$", REG_EXTENDED);
  CHECK (matches (kept (0), "\xc3\xa9", 0) == 2);
  save_and_leave ();
}

/* No e with an accent in C: the pattern stays as it is, and a dot is one
   byte.  */
static void
use_in_c (void)
{
  resume ();
  start_collector ();
  CHECK (matches (kept (0), "x", 0) == 1);
  CHECK (matches (kept (0), "\xc3\xa9", 0) == 2);
  CHECK (matches (kept (0), "\xc3\xa8", 0) == -1);
  save_and_leave ();
}

static void
use_in_utf8 (void)
{
  resume ();
  start_collector ();
  CHECK (setlocale (LC_ALL, "C.UTF-8"));
  CHECK (matches (kept (0), "\xc3\xa8", 0) == 2);
}

static void
encodings (void)
{
  CHECK (in_child (compile_in_utf8) == 0);
  CHECK (in_child (use_in_c) == 0);
  CHECK (in_child (use_in_utf8) == 0);
}

static const char *claimed;     /* as the locale's encoding */

/* In place of libc's: few systems have a locale in another encoding than
   UTF-8.  */
char *
nl_langinfo (nl_item item)
{
  static char *(*real) (nl_item item);

  if (item == CODESET && claimed)
    return (char *) claimed;
  if (!real)
    real = (char *(*) (nl_item)) dlsym (RTLD_NEXT, "nl_langinfo");
  return real (item);
}

static void
compile_in_latin (void)
{
  begin ();
  start_collector ();
  claimed = "ISO-8859-1";
  keep (0, "^\xe9+$", REG_EXTENDED);
  CHECK (matches (kept (0), "\xe9\xe9", 0) == 2);
  save_and_leave ();
}

static void
use_latin_in_utf8 (void)
{
  resume ();
  start_collector ();
  CHECK (setlocale (LC_ALL, "C.UTF-8"));
  CHECK (matches (kept (0), "\xc3\xa9\xc3\xa9", 0) == 4);
  CHECK (matches (kept (0), "\xe9\xe9", 0) == -1);
  save_and_leave ();
}

static void
use_in_latin (void)
{
  resume ();
  start_collector ();
  claimed = "ISO-8859-1";
  CHECK (matches (kept (0), "\xe9\xe9", 0) == 2);
}

static void
converted_pattern (void)
{
  CHECK (in_child (compile_in_latin) == 0);
  CHECK (in_child (use_latin_in_utf8) == 0);
  CHECK (in_child (use_in_latin) == 0);
}

static void *
use_once (void *unused)
{
  (void) unused;
  CHECK (matches (kept (0), "xaabbc4", 0) == 107);
  return NULL;
}

static void
use_in_threads (void)
{
  pthread_t threads[8];

  resume ();
  start_collector ();
  for (int i = 0; i < 8; i++)
    CHECK (pthread_create (&threads[i], NULL, use_once, NULL) == 0);
  for (int i = 0; i < 8; i++)
    CHECK (pthread_join (threads[i], NULL) == 0);
  cs_regex_free (kept (0));
}

static void
first_use_by_threads (void)
{
  CHECK (in_child (compile_some) == 0);
  CHECK (in_child (use_in_threads) == 0);
}

static void
no_memory (void)
{
  regex_t regex;

  begin ();
  start_collector ();
  while (fake_allocate (1000))
    continue;
  while (fake_allocate (1))
    continue;
  CHECK (cs_regex_compile (&regex, "x", 0) == REG_ESPACE);
  cs_regex_free (&regex);
}

static const struct test_case cases[] = {
  { "they go on in the next process, with their flags", next_process },
  { "a pattern follows the encoding of the locale", encodings },
  { "it is converted to that", converted_pattern },
  { "threads that use one at once in a new process", first_use_by_threads },
  { "no memory: nothing is compiled", no_memory },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
