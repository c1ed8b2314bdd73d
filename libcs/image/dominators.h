/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dominators.h -- what each object keeps alive alone.

   An object dominates another if all paths from the roots to that one go
   through it; it retains itself and what it dominates.  */
#ifndef CS_DOMINATORS_H
#define CS_DOMINATORS_H

#include "image/graph.h"

struct cs_dominators
{
  uint32_t *dominator;          /* the next one on the way to the roots, by
                                   node; 0: no object alone */
  uint64_t *retained;           /* bytes, by node; of node 0: of all */
};

/* Memory: 12 bytes for each node.  -ENOMEM.  Release with
   cs_dominators_fini() in every case.  */
int cs_dominators_find (const struct cs_graph *graph,
                        struct cs_dominators *dominators);
void cs_dominators_fini (struct cs_dominators *dominators);

#endif
