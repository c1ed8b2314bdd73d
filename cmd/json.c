/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* json.c -- a small JSON writer.  */

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"

/* Down to this depth each value has a line of its own.  */
#define LINES_DEPTH 2

void
cs_json_init (struct cs_json *json, FILE *out)
{
  memset (json, 0, sizeof *json);
  json->out = out;
}

static void
new_line (const struct cs_json *json)
{
  fprintf (json->out, "\n%*s", 2 * (int) json->depth, "");
}

/* The length of the UTF-8 character at S, or 0 if there is none.  */
static unsigned
utf8_len (const unsigned char *s)
{
  unsigned len, i;

  if (s[0] < 0x80)
    return 1;
  len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4)
    return 0;
  for (i = 1; i < len; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  /* Overlong forms, surrogates, and what is above U+10FFFF.  */
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
      || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
    return 0;
  return len;
}

static void
put_string (FILE *out, const char *text)
{
  const unsigned char *s = (const unsigned char *) text;

  putc ('"', out);
  while (*s)
    {
      unsigned len = utf8_len (s);

      if (len == 0)
        fputs ("\\ufffd", out);
      else if (*s == '"' || *s == '\\')
        fprintf (out, "\\%c", *s);
      else if (*s == '\n')
        fputs ("\\n", out);
      else if (*s == '\t')
        fputs ("\\t", out);
      else if (*s < 0x20 || *s == 0x7f)
        fprintf (out, "\\u%04x", *s);
      else
        fwrite (s, 1, len, out);
      s += len ? len : 1;
    }
  putc ('"', out);
}

/* What comes before a value: comma, line, key.  */
static void
begin_value (struct cs_json *json, const char *key)
{
  if (json->depth > 0)
    {
      bool *begun = &json->begun[json->depth - 1];

      assert ((key != NULL) == (json->closing[json->depth - 1] == '}'));
      if (*begun)
        putc (',', json->out);
      if (json->depth <= LINES_DEPTH)
        new_line (json);
      else if (*begun)
        putc (' ', json->out);
      *begun = true;
    }
  if (key)
    {
      put_string (json->out, key);
      fputs (": ", json->out);
    }
}

static void
open_level (struct cs_json *json, const char *key, char opening, char closing)
{
  assert (json->depth < CS_JSON_DEPTH_MAX);
  begin_value (json, key);
  putc (opening, json->out);
  json->closing[json->depth] = closing;
  json->begun[json->depth++] = false;
}

void
cs_json_object (struct cs_json *json, const char *key)
{
  open_level (json, key, '{', '}');
}

void
cs_json_array (struct cs_json *json, const char *key)
{
  open_level (json, key, '[', ']');
}

void
cs_json_end (struct cs_json *json)
{
  assert (json->depth > 0);
  json->depth--;
  if (json->begun[json->depth] && json->depth < LINES_DEPTH)
    new_line (json);
  putc (json->closing[json->depth], json->out);
  if (json->depth == 0)
    putc ('\n', json->out);
}

void
cs_json_string (struct cs_json *json, const char *key, const char *text)
{
  if (!text)
    {
      cs_json_null (json, key);
      return;
    }
  begin_value (json, key);
  put_string (json->out, text);
}

void
cs_json_number (struct cs_json *json, const char *key, uint64_t number)
{
  begin_value (json, key);
  fprintf (json->out, "%" PRIu64, number);
}

void
cs_json_signed (struct cs_json *json, const char *key, int64_t number)
{
  begin_value (json, key);
  fprintf (json->out, "%" PRId64, number);
}

void
cs_json_bool (struct cs_json *json, const char *key, bool value)
{
  begin_value (json, key);
  fputs (value ? "true" : "false", json->out);
}

void
cs_json_null (struct cs_json *json, const char *key)
{
  begin_value (json, key);
  fputs ("null", json->out);
}

void
cs_json_address (struct cs_json *json, const char *key, uint64_t addr)
{
  begin_value (json, key);
  fprintf (json->out, "\"0x%" PRIx64 "\"", addr);
}
