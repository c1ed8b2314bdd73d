/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* source.h -- a store that is only read, as the user names it.

   FILE is its newest generation, FILE@NUMBER an older one.  A file whose
   name is all of it comes first, so that one with an @ can be named.  */
#ifndef CS_SOURCE_H
#define CS_SOURCE_H

#include "store/store.h"

struct cs_source
{
  char *path;
  uint64_t generation;          /* CS_STORE_NEWEST, or what was asked for */
};

/* Take TEXT apart.  Ends the process if there is no memory.  PATH is to be
   freed.  */
struct cs_source cs_source_parse (const char *text);

/* Open it with CS_STORE_READ.  The errors are those of cs_store_open_at().  */
int cs_source_open (const char *text, struct cs_store **store,
                    struct cs_err *err);

#endif
