/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* json.h -- a small JSON writer.

   Values are written in the order of the calls, straight to a stream; the
   writer puts in commas, line ends and indentation.  The outer two levels
   have one member or element a line, deeper ones share a line, so that
   output remains readable with grep and diff.

   KEY is the member's name inside an object and NULL inside an array or at
   the top.  Errors of the stream are left for its final check.  */
#ifndef CS_JSON_H
#define CS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CS_JSON_DEPTH_MAX 32

struct cs_json
{
  FILE *out;
  unsigned depth;
  char closing[CS_JSON_DEPTH_MAX];      /* '}' or ']' of each open level */
  bool begun[CS_JSON_DEPTH_MAX];        /* the level has a value already */
};

/* Storage is the caller's; there is nothing to release.  */
void cs_json_init (struct cs_json *json, FILE *out);

void cs_json_object (struct cs_json *json, const char *key);
void cs_json_array (struct cs_json *json, const char *key);
/* End the innermost object or array; a newline follows the outermost.  */
void cs_json_end (struct cs_json *json);

/* TEXT NULL is null.  Bytes that are not UTF-8 become U+FFFD.  */
void cs_json_string (struct cs_json *json, const char *key, const char *text);
void cs_json_number (struct cs_json *json, const char *key, uint64_t number);
void cs_json_signed (struct cs_json *json, const char *key, int64_t number);
void cs_json_bool (struct cs_json *json, const char *key, bool value);
void cs_json_null (struct cs_json *json, const char *key);
/* An address as the string "0x...", because many readers take numbers for
   floating point.  */
void cs_json_address (struct cs_json *json, const char *key, uint64_t addr);

#endif
