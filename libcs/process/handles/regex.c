/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* regex.c -- compiled regular expressions that can be kept in a heap.

   libguile compiles them with libc's regcomp() (3.0.10, libguile/
   regex-posix.c; 3.0.8 has a regcomp() of its own, whose memory is in the
   store).  libc's tables are in libc's memory, which ends with the process.
   So the regex_t that libguile keeps leads to a block in the store with the
   pattern, the flags and the encoding of both; it is compiled again when it
   is first used in each process.

   libguile reads one field itself: re_nsub.  A pattern is in the encoding of
   the locale, which may be another one in a later process: it is converted,
   and left as it is where that cannot be done.  */

#include <errno.h>
#include <langinfo.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "process/private.h"

struct handle
{
  uint64_t epoch;               /* in which TODAY was compiled */
  regex_t today;
  int code;                     /* what came of it: 0 or REG_... */
  int flags;
  uint32_t pattern_len;         /* with its NUL */
  char strings[];               /* the pattern, the encoding, each with NUL */
};

/* Several threads may be the first to use one.  */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void
cs_regex_hold (void)
{
  cs_locks_lock (&lock);
}

void
cs_regex_release (void)
{
  cs_locks_unlock (&lock);
}

static struct handle *
handle_of (const regex_t *regex)
{
  return (struct handle *) regex->buffer;
}

/* HANDLE's pattern in today's encoding (given), or NULL if it is the same or
   cannot be converted.  */
static char *
converted (const struct handle *handle)
{
  const char *from = handle->strings + handle->pattern_len;
  const char *to = nl_langinfo (CODESET);
  /* No encoding of a locale has more than four bytes for one.  */
  size_t in_left = handle->pattern_len, out_left = 4 * in_left;
  char *in = (char *) handle->strings, *pattern, *out;
  iconv_t cd;
  bool done;

  if (strcmp (from, to) == 0)
    return NULL;
  cd = iconv_open (to, from);
  if (cd == (iconv_t) -1)
    return NULL;
  pattern = out = malloc (out_left);
  done = pattern && iconv (cd, &in, &in_left, &out, &out_left) != (size_t) -1;
  iconv_close (cd);
  if (done)
    return pattern;
  free (pattern);
  return NULL;
}

/* Compile HANDLE for this process, unless that has been done.  */
static int
compile (struct handle *handle)
{
  char *pattern;

  cs_locks_lock (&lock);
  if (handle->epoch != cs_process.image->epoch)
    {
      pattern = converted (handle);
      handle->code = regcomp (&handle->today,
                              pattern ? pattern : handle->strings,
                              handle->flags);
      handle->epoch = cs_process.image->epoch;
      free (pattern);
    }
  cs_locks_unlock (&lock);
  return handle->code;
}

int
cs_regex_compile (regex_t *regex, const char *pattern, int flags)
{
  const char *encoding = nl_langinfo (CODESET);
  size_t pattern_len = strlen (pattern) + 1;
  size_t encoding_len = strlen (encoding) + 1;
  struct handle *handle;
  int code;

  regex->buffer = NULL;
  if (pattern_len > UINT32_MAX)
    return REG_ESPACE;
  handle = cs_memory_malloc (sizeof *handle + pattern_len + encoding_len);
  if (!handle)
    return REG_ESPACE;
  code = regcomp (&handle->today, pattern, flags);
  if (code != 0)
    {
      cs_memory_free (handle);
      return code;
    }
  handle->epoch = cs_process.image->epoch;
  handle->code = 0;
  handle->flags = flags;
  handle->pattern_len = (uint32_t) pattern_len;
  memcpy (handle->strings, pattern, pattern_len);
  memcpy (handle->strings + pattern_len, encoding, encoding_len);
  regex->buffer = (void *) handle;
  regex->re_nsub = handle->today.re_nsub;
  return 0;
}

int
cs_regex_execute (const regex_t *regex, const char *text, size_t nr_matches,
                  regmatch_t *matches, int flags)
{
  struct handle *handle = handle_of (regex);
  int code = handle ? compile (handle) : REG_BADPAT;

  return code == 0
         ? regexec (&handle->today, text, nr_matches, matches, flags) : code;
}

void
cs_regex_free (regex_t *regex)
{
  struct handle *handle = handle_of (regex);

  if (!handle)
    return;
  if (handle->epoch == cs_process.image->epoch && handle->code == 0)
    regfree (&handle->today);
  cs_memory_free (handle);
  regex->buffer = NULL;
}
