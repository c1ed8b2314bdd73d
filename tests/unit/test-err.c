/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-err.c -- error records.  */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"

static void
setting_returns_the_negative_code (void **state)
{
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  assert_int_equal (cs_err_set (&err, CS_E_HELD, "held by %d", 7),
                    -CS_E_HELD);
  assert_int_equal (err.code, -CS_E_HELD);
  assert_string_equal (err.text, "held by 7");
  assert_string_equal (err.advice, "");
  assert_int_equal (cs_err_set (NULL, CS_E_HELD, "x"), -CS_E_HELD);
  assert_int_equal (cs_err_sys (NULL, ENOENT, "x"), -ENOENT);
}

/* What is put into a text may come from a file that is damaged.  */
static void
texts_and_advice_have_one_line (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  char lines[600] = "";

  (void) state;
  cs_err_set (&err, CS_E_DAMAGED, "name '%s'", "a\nb\x7f");
  assert_string_equal (err.text, "name 'a\\012b\\177'");
  cs_err_prefix (&err, "in '%s'", "c\td");
  assert_string_equal (err.text, "in 'c\\011d': name 'a\\012b\\177'");
  cs_err_sys (&err, ENOENT, "open '%s'", "\r");
  assert_string_equal (err.text, "open '\\015': No such file or directory");
  cs_err_advise (&err, "try '%s'", "\xc3\xa4\x1b");
  assert_string_equal (err.advice, "try '\xc3\xa4\\033'");
  /* As many as there is room for, and no half of one.  */
  memset (lines, '\n', sizeof lines - 1);
  cs_err_set (&err, CS_E_DAMAGED, "%s", lines);
  assert_int_equal (strlen (err.text), (sizeof err.text - 1) / 4 * 4);
  assert_string_equal (err.text + strlen (err.text) - 4, "\\012");
}

static void
system_errors_end_with_their_reason (void **state)
{
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  assert_int_equal (cs_err_sys (&err, ENOENT, "cannot open '%s'", "a"),
                    -ENOENT);
  assert_string_equal (err.text, "cannot open 'a': No such file or directory");
}

static void
prefixes_go_in_front (void **state)
{
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  cs_err_set (&err, CS_E_DAMAGED, "inner");
  assert_int_equal (cs_err_prefix (&err, "outer %d", 1), -CS_E_DAMAGED);
  assert_string_equal (err.text, "outer 1: inner");
}

static void
long_texts_are_cut (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  char text[2000];

  (void) state;
  memset (text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  cs_err_sys (&err, ENOENT, "%s", text);
  assert_int_equal (strlen (err.text), sizeof err.text - 1);
  cs_err_prefix (&err, "%s", text);
  assert_int_equal (strlen (err.text), sizeof err.text - 1);
  cs_err_advise (&err, "%s", text);
  assert_int_equal (strlen (err.advice), sizeof err.advice - 1);
}

static void
advice_is_dropped_by_the_next_error (void **state)
{
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  cs_err_set (&err, CS_E_REFUSED, "a");
  assert_int_equal (cs_err_advise (&err, "do %s", "this"), -CS_E_REFUSED);
  assert_string_equal (err.advice, "do this");
  cs_err_set (&err, CS_E_REFUSED, "b");
  assert_string_equal (err.advice, "");
}

static void
each_code_has_its_exit_status (void **state)
{
  (void) state;
  assert_int_equal (cs_err_status (0), 0);
  assert_int_equal (cs_err_status (-CS_E_REFUSED), 1);
  assert_int_equal (cs_err_status (-CS_E_MISUSE), 2);
  assert_int_equal (cs_err_status (-CS_E_HELD), 3);
  assert_int_equal (cs_err_status (-CS_E_DAMAGED), 4);
  assert_int_equal (cs_err_status (-CS_E_INCOMPATIBLE), 5);
  assert_int_equal (cs_err_status (-EIO), 1);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (setting_returns_the_negative_code),
    cmocka_unit_test (texts_and_advice_have_one_line),
    cmocka_unit_test (system_errors_end_with_their_reason),
    cmocka_unit_test (prefixes_go_in_front),
    cmocka_unit_test (long_texts_are_cut),
    cmocka_unit_test (advice_is_dropped_by_the_next_error),
    cmocka_unit_test (each_code_has_its_exit_status)
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
