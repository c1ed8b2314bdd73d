/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verify.h -- is what a power loss left what was promised?  */
#ifndef VERIFY_H
#define VERIFY_H

#include "trace.h"

/* What may be found under one name: an attempt from FIRST on.  */
#define PROMISE_MAX 256

struct promise
{
  const char *path;
  size_t nr;                    /* attempts that had begun */
  const struct attempt *attempts[PROMISE_MAX];
  size_t first;                 /* the last one acknowledged; NR: none */
  bool history;                 /* older generations can be opened too */
};

/* What had been promised of PATH when the events before POINT had
   happened.  */
void promise_at (const struct trace *trace, size_t point, const char *path,
                 struct promise *promise);

/* Open the store in the working folder in every way, the last one for
   writing, which changes it; compare contents.  False after a line on
   standard error.  After that the process may have the region mapped.  */
bool verify (const struct promise *promise);

/* No lines.  */
extern bool verify_is_quiet;

#endif
