/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* source.c -- a store that is only read, as the user names it.  */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "source.h"

/* The @ of FILE@NUMBER, and the number; NULL if TEXT is not of this form.  */
static const char *
find_generation (const char *text, uint64_t *generation)
{
  const char *at = strrchr (text, '@');
  unsigned long long number;
  char *end;

  if (!at || at == text || at[1] < '0' || at[1] > '9')
    return NULL;
  errno = 0;
  number = strtoull (at + 1, &end, 10);
  if (errno || *end || number == 0 || number > INT64_MAX)
    return NULL;
  *generation = number;
  return at;
}

struct cs_source
cs_source_parse (const char *text)
{
  struct cs_source source = { NULL, CS_STORE_NEWEST };
  struct cs_err err = CS_ERR_INIT;
  uint64_t generation;
  const char *at = find_generation (text, &generation);

  if (at && faccessat (AT_FDCWD, text, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
    {
      source.path = strndup (text, (size_t) (at - text));
      source.generation = generation;
    }
  else
    source.path = strdup (text);
  if (!source.path)
    {
      cs_err_sys (&err, ENOMEM, "cannot read the command line");
      cs_cmd_fail (&err);
    }
  return source;
}

int
cs_source_open (const char *text, struct cs_store **store,
                struct cs_err *err)
{
  struct cs_source source = cs_source_parse (text);
  int code = cs_store_open_at (source.path, CS_STORE_READ, source.generation,
                               store, err);

  free (source.path);
  return code;
}
