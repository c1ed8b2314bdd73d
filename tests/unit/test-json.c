/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-json.c -- the JSON writer: layout and escapes.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "json.h"

static char *text;
static size_t len;

static struct cs_json
begin (void)
{
  struct cs_json json;
  FILE *out = open_memstream (&text, &len);

  assert_non_null (out);
  cs_json_init (&json, out);
  return json;
}

static void
expect (struct cs_json *json, const char *expected)
{
  assert_int_equal (json->depth, 0);
  assert_int_equal (fclose (json->out), 0);
  assert_string_equal (text, expected);
  free (text);
}

static void
test_layout (void **state)
{
  struct cs_json json = begin ();

  (void) state;
  cs_json_object (&json, NULL);
  cs_json_number (&json, "n", UINT64_MAX);
  cs_json_signed (&json, "s", INT64_MIN);
  cs_json_array (&json, "rows");
  cs_json_object (&json, NULL);
  cs_json_bool (&json, "t", true);
  cs_json_bool (&json, "f", false);
  cs_json_array (&json, "deep");
  cs_json_null (&json, NULL);
  cs_json_address (&json, NULL, 0xabc);
  cs_json_end (&json);
  cs_json_end (&json);
  cs_json_object (&json, NULL);
  cs_json_end (&json);
  cs_json_end (&json);
  cs_json_array (&json, "none");
  cs_json_end (&json);
  cs_json_end (&json);
  expect (&json, "{\n  \"n\": 18446744073709551615,\n"
          "  \"s\": -9223372036854775808,\n  \"rows\": [\n"
          "    {\"t\": true, \"f\": false, \"deep\": [null, \"0xabc\"]},\n"
          "    {}\n  ],\n  \"none\": []\n}\n");
}

static void
test_strings (void **state)
{
  static const char *const cases[][2] = {
    { "", "\"\"" },
    { "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
    { "\n\t\r\033\177", "\"\\n\\t\\u000d\\u001b\\u007f\"" },
    { "\303\244 \342\202\254 \360\237\230\200",
      "\"\303\244 \342\202\254 \360\237\230\200\"" },
    /* Cut off, stray, overlong, surrogate, too large.  */
    { "a\303", "\"a\\ufffd\"" },
    { "\200x\377", "\"\\ufffdx\\ufffd\"" },
    { "\300\257", "\"\\ufffd\\ufffd\"" },
    { "\340\200\257", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "\355\240\200", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "\364\220\200\200", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      struct cs_json json = begin ();

      cs_json_string (&json, NULL, cases[i][0]);
      expect (&json, cases[i][1]);
    }
}

static void
test_null_string (void **state)
{
  struct cs_json json = begin ();

  (void) state;
  cs_json_object (&json, NULL);
  cs_json_string (&json, "k\"", NULL);
  cs_json_end (&json);
  expect (&json, "{\n  \"k\\\"\": null\n}\n");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_layout),
    cmocka_unit_test (test_strings),
    cmocka_unit_test (test_null_string),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
