/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verify.h -- does each pointer of each object lead to an object?  */
#ifndef CS_VERIFY_H
#define CS_VERIFY_H

#include "image/graph.h"

/* A word of an object that leads where it should not.  */
struct cs_finding
{
  uint32_t node;                /* the object */
  const char *field;            /* static */
  uint64_t i;                   /* which of the fields of that name */
  uint64_t place, word;         /* its address, and what it is */
  const char *found;            /* what is wrong with that: static */
};

/* Check the objects that values alone lead to from the bindings of modules and
   from named roots.  What only C code knows of is left out: a word there need
   be no pointer, and what it leads to need be no object any longer.  FOUND is
   called for each finding, the nearest to the roots first.  *OBJECTS were
   looked at, *FINDINGS found.  -ENOMEM.  */
typedef void cs_verify_found (void *closure, const struct cs_finding *finding);
int cs_verify_heap (const struct cs_graph *graph, cs_verify_found *found,
                    void *closure, uint64_t *objects, uint64_t *findings);

#endif
