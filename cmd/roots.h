/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots.h -- what cs-gc-roots can be asked.

   cs-gc-roots.c        the command, and the list of roots
   roots-why.c          --why
   roots-retained.c     --retained
   roots-unreachable.c  --unreachable  */
#ifndef CS_CMD_ROOTS_H
#define CS_CMD_ROOTS_H

#include <stdio.h>

#include "image/graph.h"
#include "json.h"

struct cs_roots_query
{
  const struct cs_graph *graph;
  struct cs_json *json;         /* NULL for text */
  FILE *dot;                    /* where --to writes; NULL: nowhere */
};

/* Each prints its part, as text or as a member.  Errors: -ENOMEM,
   -CS_E_REFUSED.  */
int cs_roots_why (const struct cs_roots_query *query, const char *expression,
                  struct cs_err *err);
int cs_roots_retained (const struct cs_roots_query *query,
                       struct cs_err *err);
int cs_roots_unreachable (const struct cs_roots_query *query,
                          struct cs_err *err);

/* A node of a graph for dot(1).  */
void cs_roots_dot_node (const struct cs_roots_query *query, uint32_t node);

#endif
