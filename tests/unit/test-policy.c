/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-policy.c -- the policy language: errors, questions, unused rules.  */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "intern/policy.h"

/* What was reported, one text a line.  */
static char reported[16384];

static void
report (void *closure, const char *text)
{
  assert_ptr_equal (closure, reported);
  strcat (reported, text);
  strcat (reported, "\n");
}

static int
parse_len (const char *text, size_t len, struct cs_policy **policy,
           struct cs_err *err)
{
  /* A block of its own, so that reading behind its end is noticed.  */
  char *copy = malloc (len ? len : 1);
  int r;

  assert_non_null (copy);
  memcpy (copy, text, len);
  reported[0] = '\0';
  r = cs_policy_parse ("p", copy, len, report, reported, policy, err);
  free (copy);
  return r;
}

/* A policy that parses; RULES follow `policy 1` in line 1.  */
static struct cs_policy *
parsed (const char *rules)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;
  char text[4096];

  snprintf (text, sizeof text, "policy 1\n%s", rules);
  assert_int_equal (parse_len (text, strlen (text), &policy, &err), 0);
  assert_string_equal (reported, "");
  return policy;
}

struct error_case
{
  const char *text;
  size_t len;                   /* 0: strlen */
  const char *expected;
};

static const struct error_case error_cases[] = {
  { "", 0, "p:1:1: no rules; the first must be 'policy 1'\n" },
  { "\n# nothing\n", 0, "p:2:1: no rules; the first must be 'policy 1'\n" },
  { "\n persist a", 0, "p:2:2: the first rule must be 'policy 1'\n" },
  { "persist a\npersist b", 0, "p:1:1: the first rule must be 'policy 1'\n" },
  { "persist a\npolicy 1", 0,
    "p:1:1: the first rule must be 'policy 1'\n"
    "p:2:1: 'policy' must be the first rule\n" },
  { "policy", 0, "p:1:1: 'policy' needs a version: policy 1\n" },
  { "policy 2\nnonsense", 0,
    "p:1:8: policy version '2' is not supported; this release knows version "
    "1\n" },
  { "policy 1 x", 0, "p:1:10: 'x' after the version\n" },
  { "policy 1\npolicy 1", 0,
    "p:2:1: a second 'policy' rule; the first is in line 1\n" },
  { "policy 1\npresist a\n", 0,
    "p:2:1: unknown rule 'presist'; rules are policy, persist, restart, "
    "rebind, intern, skip, replace, files\n" },
  { "policy 1\npersist", 0,
    "p:2:1: library pattern expected after 'persist'\n" },
  { "policy 1\n  rebind # a\n", 0,
    "p:2:3: library pattern expected after 'rebind'\n" },
  { "policy 1\npersist a in b", 0,
    "p:2:11: 'in' has no meaning after 'persist'\n" },
  { "policy 1\nrebind persistent", 0,
    "p:2:8: 'persistent' names a role and may only stand after 'in'\n" },
  { "policy 1\nintern", 0,
    "p:2:1: 'intern' needs a kind: function, data or any\n" },
  { "policy 1\nskip func a", 0,
    "p:2:6: unknown kind 'func'; kinds are function, data, any\n" },
  { "policy 1\nintern data", 0,
    "p:2:8: symbol pattern expected after 'data'\n" },
  { "policy 1\nintern data in x", 0,
    "p:2:8: symbol pattern expected after 'data'\n" },
  { "policy 1\nintern function data a", 0,
    "p:2:17: a second kind 'data' in one rule; a symbol of that name is "
    "written '[d]ata'\n" },
  { "policy 1\nintern any a in", 0,
    "p:2:14: library pattern expected after 'in'\n" },
  { "policy 1\nintern any a in b in c", 0,
    "p:2:19: a second 'in' in one rule\n" },
  { "policy 1\nintern any [ab", 0,
    "p:2:12: pattern '[ab': '[' without ']'\n" },
  { "policy 1\nintern any []", 0,
    "p:2:12: pattern '[]': '[' without ']'\n" },
  { "policy 1\nintern any [[:alpha:]", 0,
    "p:2:12: pattern '[[:alpha:]': '[' without ']'\n" },
  { "policy 1\nintern any [[:alpha]", 0,
    "p:2:12: pattern '[[:alpha]': '[' without ']'\n" },
  { "policy 1\nintern any x in a\\", 0,
    "p:2:17: pattern 'a\\': '\\' at the end\n" },
  { "policy 1\nreplace", 0,
    "p:2:1: symbol pattern expected after 'replace'\n" },
  { "policy 1\nreplace with s:x", 0,
    "p:2:9: symbol pattern expected after 'replace', not 'with'\n" },
  { "policy 1\nreplace a", 0, "p:2:9: 'with' expected after 'a'\n" },
  { "policy 1\nreplace a b with s:x", 0,
    "p:2:11: 'with' expected after 'a', not 'b'\n" },
  { "policy 1\nreplace a with", 0,
    "p:2:11: replacement expected after 'with'\n" },
  { "policy 1\nreplace a with x", 0,
    "p:2:16: replacement 'x' is not of the form NAMESPACE:NAME, as in "
    "store:malloc\n" },
  { "policy 1\nreplace a with s:x with s:y", 0,
    "p:2:20: 'in' or the end of the line expected after 's:x', not 'with'\n" },
  { "policy 1\nfiles", 0,
    "p:2:1: 'reopen', 'reopen-at-end', 'close' or 'fail' expected after "
    "'files'\n" },
  { "policy 1\nfiles open *", 0,
    "p:2:7: 'reopen', 'reopen-at-end', 'close' or 'fail' expected after "
    "'files', not 'open'\n" },
  { "policy 1\nfiles close", 0,
    "p:2:7: path pattern expected after 'close'\n" },
  { "policy 1\nfiles close /a [", 0,
    "p:2:16: pattern '[': '[' without ']'\n" },
  { "policy 1\noptional", 0, "p:2:1: rule expected after 'optional'\n" },
  { "policy 1\noptional policy 1", 0,
    "p:2:10: unknown rule 'policy'; rules are policy, persist, restart, "
    "rebind, intern, skip, replace, files\n" },
  { "policy 1\npersist a\0b\npersist c\001", 31,
    "p:2:10: NUL byte; a policy is a text file\n"
    "p:3:10: control character 0x01\n" },
  /* Columns count characters, a tab being one.  */
  { "policy 1\nskip any\t\303\244\303\244 [", 0,
    "p:2:13: pattern '[': '[' without ']'\n" },
  /* All errors, in order, in one run.  */
  { "policy 1\r\nfoo\r\npersist [\r\nintern\r\npersist ok\r\n", 0,
    "p:2:1: unknown rule 'foo'; rules are policy, persist, restart, rebind, "
    "intern, skip, replace, files\n"
    "p:3:9: pattern '[': '[' without ']'\n"
    "p:4:1: 'intern' needs a kind: function, data or any\n" },
};

static void
test_errors (void **state)
{
  size_t i;

  (void) state;
  for (i = 0; i < sizeof error_cases / sizeof *error_cases; i++)
    {
      const struct error_case *c = &error_cases[i];
      struct cs_err err = CS_ERR_INIT;
      struct cs_policy *policy = (struct cs_policy *) &err;
      size_t len = c->len ? c->len : strlen (c->text);

      assert_int_equal (parse_len (c->text, len, &policy, &err),
                        -CS_E_MISUSE);
      assert_string_equal (reported, c->expected);
      assert_null (policy);
      assert_int_equal (err.code, -CS_E_MISUSE);
    }
}

/* The error record has the only error, or their number and the first.  */
static void
test_error_record (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;

  (void) state;
  assert_int_equal (cs_policy_parse ("p", "policy 1\nskip", 13, NULL, NULL,
                                     &policy, &err), -CS_E_MISUSE);
  assert_string_equal (err.text, "p:2:1: 'skip' needs a kind: function, data "
                       "or any");
  assert_int_equal (cs_policy_parse ("p", "skip", 4, NULL, NULL, &policy,
                                     &err), -CS_E_MISUSE);
  assert_string_equal (err.text, "policy 'p' has 2 errors, the first is p:1:1:"
                       " the first rule must be 'policy 1'");
}

static void
test_accepted_forms (void **state)
{
  static const char *const texts[] = {
    "policy 1", "policy 1\n", "\r\n \t# c\r\npolicy 1 # one\r\n",
    "policy 1\npersist a#b\n", "policy 1\nintern any [d]ata function\n",
    "policy 1\nintern any []] [!]] [a\\]b] [[:alpha:]] \\[\n",
  };
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      size_t len;

      assert_int_equal (parse_len (texts[i], strlen (texts[i]), &policy,
                                   &err), 0);
      assert_string_equal (reported, "");
      assert_string_equal (cs_policy_text (policy, &len), texts[i]);
      assert_int_equal (len, strlen (texts[i]));
      cs_policy_free (policy);
    }
}

static void
test_long_line (void **state)
{
  size_t len = 1 << 20;
  char *text = malloc (len);
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;

  (void) state;
  assert_non_null (text);
  memset (text, 'x', len);
  memcpy (text, "policy 1\npersist ", 17);
  assert_int_equal (parse_len (text, len, &policy, &err), 0);
  cs_policy_free (policy);
  text[17] = '[';
  assert_int_equal (parse_len (text, len, &policy, &err), -CS_E_MISUSE);
  assert_true (strlen (err.text) < sizeof err.text);
  assert_non_null (strstr (err.text, "p:2:9: pattern '[xxx"));
  free (text);
}

static void
test_roles (void **state)
{
  struct cs_policy *p = parsed ("persist lib*.so.1\n"
                                "rebind libb.so.*\n"
                                "persist libb.so.1\n");

  (void) state;
  assert_int_equal (cs_policy_role (p, "liba.so.1"), CS_POLICY_PERSIST);
  assert_int_equal (cs_policy_role (p, "libb.so.1"), CS_POLICY_PERSIST);
  assert_int_equal (cs_policy_role (p, "libb.so.2"), CS_POLICY_REBIND);
  assert_int_equal (cs_policy_role (p, "libc.so.6"), CS_POLICY_REBIND);
  cs_policy_free (p);
}

static void
test_extensions (void **state)
{
  struct cs_policy *p = parsed ("persist a.so extensions\n"
                                "restart r*.so\n"
                                "rebind b.so\n"
                                "replace f with s:g in extensions\n"
                                "replace h with s:i in persistent\n"
                                "replace k with s:l in rebound\n");

  (void) state;
  assert_int_equal (cs_policy_role (p, "e.so"), CS_POLICY_REBIND);
  assert_null (cs_policy_replacement (p, "e.so", "f"));
  assert_int_equal (cs_policy_add_extension (p, "e.so"), 0);
  assert_int_equal (cs_policy_add_extension (p, "e.so"), 0);
  assert_int_equal (cs_policy_add_extension (p, "b.so"), 0);
  assert_int_equal (cs_policy_add_extension (p, "re.so"), 0);
  assert_int_equal (cs_policy_role (p, "e.so"), CS_POLICY_PERSIST);
  assert_int_equal (cs_policy_role (p, "re.so"), CS_POLICY_RESTART);
  assert_int_equal (cs_policy_role (p, "r.so"), CS_POLICY_RESTART);
  assert_int_equal (cs_policy_role (p, "b.so"), CS_POLICY_REBIND);
  assert_int_equal (cs_policy_role (p, "x.so"), CS_POLICY_REBIND);
  assert_string_equal (cs_policy_replacement (p, "e.so", "f"), "s:g");
  assert_string_equal (cs_policy_replacement (p, "b.so", "f"), "s:g");
  assert_null (cs_policy_replacement (p, "a.so", "f"));
  assert_string_equal (cs_policy_replacement (p, "e.so", "h"), "s:i");
  assert_null (cs_policy_replacement (p, "re.so", "h"));
  assert_string_equal (cs_policy_replacement (p, "re.so", "k"), "s:l");
  cs_policy_free (p);
}

/* Before any is known, nothing about them is unused.  */
static void
test_extensions_later (void **state)
{
  struct cs_policy *p = parsed ("persist extensions\n"
                                "persist a.so extensions\n"
                                "replace f with s:g in extensions b.so\n");

  (void) state;
  cs_policy_role (p, "a.so");
  assert_int_equal (cs_policy_unused (p, NULL, NULL), 0);
  cs_policy_free (p);
}

static void
test_library_not_known (void **state)
{
  struct cs_policy *p = parsed ("persist *\n"
                                "intern function a in rebound\n"
                                "intern function b in persistent\n"
                                "intern function c in *\n"
                                "intern function d in lib*\n"
                                "intern function e\n");

  (void) state;
  assert_int_equal (cs_policy_role (p, ""), CS_POLICY_REBIND);
  assert_true (cs_policy_interns (p, "", "a", CS_SYMBOL_FUNCTION, NULL));
  assert_false (cs_policy_interns (p, "", "b", CS_SYMBOL_FUNCTION, NULL));
  assert_true (cs_policy_interns (p, "", "c", CS_SYMBOL_FUNCTION, NULL));
  assert_false (cs_policy_interns (p, "", "d", CS_SYMBOL_FUNCTION, NULL));
  assert_true (cs_policy_interns (p, "", "e", CS_SYMBOL_FUNCTION, NULL));
  cs_policy_free (p);
}

static void
test_last_match_wins (void **state)
{
  struct cs_policy *p = parsed ("intern function *\n"
                                "skip function scm_*\n"
                                "intern any scm_c[ao]* in a.so\n");
  unsigned line = 0;

  (void) state;
  assert_true (cs_policy_interns (p, "a.so", "f", CS_SYMBOL_FUNCTION, &line));
  assert_int_equal (line, 2);
  assert_false (cs_policy_interns (p, "a.so", "f", CS_SYMBOL_DATA, NULL));
  assert_false (cs_policy_interns (p, "b.so", "scm_car", CS_SYMBOL_FUNCTION,
                                   NULL));
  assert_true (cs_policy_interns (p, "a.so", "scm_car", CS_SYMBOL_FUNCTION,
                                  &line));
  assert_int_equal (line, 4);
  assert_true (cs_policy_interns (p, "a.so", "scm_cons", CS_SYMBOL_DATA,
                                  NULL));
  assert_true (cs_policy_interns (p, "a.so", "scm_cons", CS_SYMBOL_OTHER,
                                  NULL));
  assert_false (cs_policy_interns (p, "a.so", "scm_x", CS_SYMBOL_FUNCTION,
                                   NULL));
  cs_policy_free (p);
}

static void
test_roles_in_rules (void **state)
{
  struct cs_policy *p = parsed ("persist a.so\n"
                                "intern data * in persistent\n"
                                "intern function * in rebound c.so\n");

  (void) state;
  assert_true (cs_policy_interns (p, "a.so", "x", CS_SYMBOL_DATA, NULL));
  assert_false (cs_policy_interns (p, "a.so", "x", CS_SYMBOL_FUNCTION, NULL));
  assert_false (cs_policy_interns (p, "b.so", "x", CS_SYMBOL_DATA, NULL));
  assert_true (cs_policy_interns (p, "b.so", "x", CS_SYMBOL_FUNCTION, NULL));
  cs_policy_free (p);
}

static void
collect_replacement (void *closure, const char *name, const char *place)
{
  strcat (closure, name);
  strcat (closure, " ");
  strcat (closure, place);
  strcat (closure, "\n");
}

static void
test_replacements (void **state)
{
  struct cs_policy *p = parsed ("persist a.so\n"
                                "replace malloc with store:malloc\n"
                                "replace mmap* with store:mmap in persistent\n"
                                "optional replace malloc with x:y in b.so\n");
  char all[256] = "";

  (void) state;
  assert_string_equal (cs_policy_replacement (p, "a.so", "malloc"),
                       "store:malloc");
  assert_string_equal (cs_policy_replacement (p, "b.so", "malloc"), "x:y");
  assert_string_equal (cs_policy_replacement (p, "a.so", "mmap64"),
                       "store:mmap");
  assert_null (cs_policy_replacement (p, "b.so", "mmap64"));
  assert_null (cs_policy_replacement (p, "a.so", "free"));
  cs_policy_each_replacement (p, collect_replacement, all);
  assert_string_equal (all, "store:malloc p:3:21\nstore:mmap p:4:20\n"
                       "x:y p:5:30\n");
  cs_policy_free (p);
}

static size_t
unused (const struct cs_policy *p)
{
  reported[0] = '\0';
  return cs_policy_unused (p, report, reported);
}

static void
test_files (void **state)
{
  struct cs_policy *p = parsed ("files close *\n"
                                "files reopen /a/* /b\n"
                                "files reopen-at-end *.log in\n"
                                "files fail /a/x.log\n");

  (void) state;
  assert_int_equal (cs_policy_files_rule (p, "/c"), CS_POLICY_FILES_CLOSE);
  assert_int_equal (cs_policy_files_rule (p, "/a/b/c"), CS_POLICY_FILES_REOPEN);
  assert_int_equal (cs_policy_files_rule (p, "/b"), CS_POLICY_FILES_REOPEN);
  assert_int_equal (cs_policy_files_rule (p, "/a/y.log"),
                    CS_POLICY_FILES_REOPEN_AT_END);
  assert_int_equal (cs_policy_files_rule (p, "in"), CS_POLICY_FILES_REOPEN_AT_END);
  assert_int_equal (cs_policy_files_rule (p, "/a/x.log"), CS_POLICY_FILES_FAIL);
  /* They speak of files there may be one day.  */
  assert_int_equal (cs_policy_unused (p, report, reported), 0);
  cs_policy_free (p);
  p = parsed ("persist a\n");
  assert_int_equal (cs_policy_files_rule (p, "/c"), CS_POLICY_FILES_NONE);
  cs_policy_free (p);
}

static void
test_files_words (void **state)
{
  (void) state;
  for (enum cs_policy_files i = CS_POLICY_FILES_REOPEN;
       i <= CS_POLICY_FILES_FAIL; i++)
    {
      const char *word = cs_policy_files_word (i);

      assert_int_equal (cs_policy_files_parse (word, strlen (word)), i);
      assert_int_equal (cs_policy_files_parse (word, strlen (word) - 1),
                        CS_POLICY_FILES_NONE);
    }
  assert_string_equal (cs_policy_files_word (CS_POLICY_FILES_NONE), "");
  assert_string_equal (cs_policy_files_word (77), "");
  assert_int_equal (cs_policy_files_parse ("", 0), CS_POLICY_FILES_NONE);
}

static void
test_unused (void **state)
{
  struct cs_policy *p = parsed ("persist a.so\n"
                                "  intern function x y  in a.so # comment\n"
                                "replace m with s:m\n"
                                "optional replace n with s:n\n");

  (void) state;
  assert_int_equal (unused (p), 3);
  assert_string_equal (reported,
                       "p:2:1: rule 'persist a.so' matches nothing\n"
                       "p:3:3: rule 'intern function x y  in a.so' matches "
                       "nothing\n"
                       "p:4:1: rule 'replace m with s:m' matches nothing\n");
  cs_policy_interns (p, "a.so", "x", CS_SYMBOL_DATA, NULL);
  cs_policy_replacement (p, "a.so", "m");
  assert_int_equal (unused (p), 1);
  cs_policy_interns (p, "a.so", "x", CS_SYMBOL_FUNCTION, NULL);
  assert_int_equal (unused (p), 1);
  assert_string_equal (reported, "p:3:21: pattern 'y' matches nothing\n");
  cs_policy_interns (p, "a.so", "y", CS_SYMBOL_FUNCTION, NULL);
  assert_int_equal (unused (p), 0);
  cs_policy_free (p);
}

/* A rule that another one overrules was still of use.  */
static void
test_overruled_is_used (void **state)
{
  struct cs_policy *p = parsed ("intern any a*\nskip any ab\nintern any ab\n");

  (void) state;
  assert_true (cs_policy_interns (p, "x", "ab", CS_SYMBOL_DATA, NULL));
  assert_int_equal (unused (p), 0);
  cs_policy_free (p);
}

static void
test_load_file (void **state)
{
  char path[] = "/tmp/cs-test-policy-XXXXXX";
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;
  int fd = mkstemp (path);

  (void) state;
  assert_true (fd >= 0);
  assert_int_equal (write (fd, "policy 1\npersist a", 18), 18);
  close (fd);
  assert_int_equal (cs_policy_load (path, NULL, NULL, &policy, &err), 0);
  assert_int_equal (cs_policy_role (policy, "a"), CS_POLICY_PERSIST);
  cs_policy_free (policy);
  unlink (path);
  assert_int_equal (cs_policy_load (path, NULL, NULL, &policy, &err),
                    -ENOENT);
  assert_null (policy);
  assert_int_equal (cs_policy_load ("/", NULL, NULL, &policy, &err),
                    -EISDIR);
}

static void
test_built_in (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *p;

  (void) state;
  reported[0] = '\0';
  assert_int_equal (cs_policy_load (NULL, report, reported, &p, &err), 0);
  assert_string_equal (reported, "");
  assert_int_equal (cs_policy_role (p, "libgc.so.1"), CS_POLICY_PERSIST);
  assert_int_equal (cs_policy_role (p, "libguile-3.0.so.1"),
                    CS_POLICY_PERSIST);
  assert_int_equal (cs_policy_role (p, "libc.so.6"), CS_POLICY_REBIND);
  assert_true (cs_policy_interns (p, "libguile-3.0.so.1", "scm_car",
                                  CS_SYMBOL_FUNCTION, NULL));
  assert_true (cs_policy_interns (p, "libm.so.6", "sin", CS_SYMBOL_FUNCTION,
                                  NULL));
  assert_string_equal (cs_policy_replacement (p, "libgmp.so.10", "malloc"),
                       "store:malloc");
  assert_null (cs_policy_replacement (p, "libgmp.so.10", "mmap"));
  assert_string_equal (cs_policy_replacement (p, "libgc.so.1", "mmap"),
                       "store:collector_mmap");
  cs_policy_free (p);
  cs_policy_free (NULL);
}

/* What builds of libguile with newer releases of glibc and of Guile import,
   besides what this machine's own does.  */
static void
test_built_in_other_builds (void **state)
{
  static const struct
  {
    const char *symbol, *replacement;
  } wanted[] = {
    { "strtol_l", "process:strtol_l" },
    { "__isoc23_strtol_l", "process:strtol_l" },
    { "regcomp", "process:regcomp" },
    { "regexec", "process:regexec" },
    { "regfree", "process:regfree" },
    { "openat64", "process:openat" },
    { "fcntl", "process:fcntl" },
    { "fcntl64", "process:fcntl" },
    { "read", "process:read" },
  };
  struct cs_policy *p;

  (void) state;
  assert_int_equal (cs_policy_load (NULL, NULL, NULL, &p, NULL), 0);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    assert_string_equal (cs_policy_replacement (p, "libguile-3.0.so.1",
                                                wanted[i].symbol),
                         wanted[i].replacement);
  cs_policy_free (p);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_errors),
    cmocka_unit_test (test_error_record),
    cmocka_unit_test (test_accepted_forms),
    cmocka_unit_test (test_long_line),
    cmocka_unit_test (test_roles),
    cmocka_unit_test (test_extensions),
    cmocka_unit_test (test_extensions_later),
    cmocka_unit_test (test_library_not_known),
    cmocka_unit_test (test_last_match_wins),
    cmocka_unit_test (test_roles_in_rules),
    cmocka_unit_test (test_replacements),
    cmocka_unit_test (test_files),
    cmocka_unit_test (test_files_words),
    cmocka_unit_test (test_unused),
    cmocka_unit_test (test_overruled_is_used),
    cmocka_unit_test (test_load_file),
    cmocka_unit_test (test_built_in),
    cmocka_unit_test (test_built_in_other_builds),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
