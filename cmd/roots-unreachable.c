/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* roots-unreachable.c -- cs-gc-roots --unreachable.  */

#include <inttypes.h>

#include "image/unreachable.h"
#include "roots.h"

static void
show_line (const struct cs_roots_query *q, const char *name, uint64_t count,
           uint64_t bytes)
{
  if (!q->json)
    {
      printf ("%-14s  %10" PRIu64 "  %14" PRIu64 "\n", name, count, bytes);
      return;
    }
  cs_json_object (q->json, NULL);
  cs_json_string (q->json, "kind", name);
  cs_json_number (q->json, "count", count);
  cs_json_number (q->json, "bytes", bytes);
  cs_json_end (q->json);
}

int
cs_roots_unreachable (const struct cs_roots_query *q, struct cs_err *err)
{
  struct cs_unreachable u;

  if (q->graph->blocks.nr == 0)
    return cs_err_set (err, CS_E_REFUSED, "the collector's tables were not "
                       "found");
  cs_unreachable_count (q->graph, &u);
  if (q->json)
    cs_json_array (q->json, "unreachable");
  else
    printf ("%-14s  %10s  %14s\n", "UNREACHABLE", "COUNT", "BYTES");
  for (int k = 0; k < CS_VALUE_KINDS; k++)
    if (u.kinds[k].count > 0)
      show_line (q, k == CS_VALUE_INVALID ? "block"
                 : cs_value_kind_name ((enum cs_value_kind) k),
                 u.kinds[k].count, u.kinds[k].bytes);
  if (q->json)
    cs_json_end (q->json);
  else
    printf ("\n%-14s  %10s  %14s\n", "MEMORY", "COUNT", "BYTES");
  if (q->json)
    cs_json_array (q->json, "memory");
  show_line (q, "in use", u.reached, u.reached_bytes);
  show_line (q, "collector", u.collectors, u.collectors_bytes);
  show_line (q, "free", u.free, u.free_bytes);
  if (q->json)
    cs_json_end (q->json);
  return 0;
}
