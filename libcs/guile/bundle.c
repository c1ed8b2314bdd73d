/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bundle.c -- the files of Guile that a store carries.  */

#include <limits.h>

#include "guile/bundle.h"
#include "guile/evaluate.h"
#include "guile/functions.h"
#include "process/archive.h"

/* Source, compiled code, and what (ice-9 documentation) looks for beside
   it.  */
#define NR_ROOTS 3

static const char *const expressions[NR_ROOTS] = {
  "(%library-dir)",
  "(or (assq-ref %guile-build-info 'ccachedir) \"\")",
  "(string-append (dirname (or (assq-ref %guile-build-info 'ccachedir) \"\"))\
 \"/guile-procedures.txt\")"
};

static char roots[NR_ROOTS][PATH_MAX];

void
cs_bundle_find (void)
{
  SCM path;
  size_t len;

  for (size_t i = 0; i < NR_ROOTS; i++)
    {
      path = cs_evaluate (expressions[i]);
      len = scm.to_locale_stringbuf (path, roots[i], sizeof roots[i] - 1);
      roots[i][len < sizeof roots[i] ? len : 0] = '\0';
    }
}

int
cs_bundle_create (struct cs_store *store, struct cs_err *err)
{
  const char *const list[NR_ROOTS] = { roots[0], roots[1], roots[2] };

  return cs_archive_create (store, list, NR_ROOTS, err);
}
