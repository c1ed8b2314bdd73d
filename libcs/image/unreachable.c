/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* unreachable.c -- memory of the collector's that nothing leads to.  */

#include "image/unreachable.h"

static bool
is_cleared (const struct cs_graph *g, uint64_t addr, uint64_t len)
{
  uint64_t word;

  for (uint64_t i = 1; i < len / g->heap->word_len; i++)
    if (!cs_heap_word (g->heap, addr, i, &word) || word != 0)
      return false;
  return true;
}

static void
count_place (const struct cs_graph *g, const struct cs_block_header *header,
             uint64_t addr, struct cs_unreachable *u)
{
  enum cs_value_kind kind = CS_VALUE_INVALID;
  uint64_t data;
  struct cs_block block = { addr, header->len, header->descr, header->kind };

  if (cs_graph_number (g, addr))
    {
      u->reached++;
      u->reached_bytes += header->len;
      return;
    }
  if (header->kind == 0 || is_cleared (g, addr, header->len))
    {
      u->free++;
      u->free_bytes += header->len;
      return;
    }
  if (cs_graph_is_collectors (g, &block, &data))
    {
      u->collectors++;
      u->collectors_bytes += header->len;
      return;
    }
  if (cs_graph_is_typed (g, &block))
    kind = cs_heap_kind (g->heap, addr);
  u->kinds[kind].count++;
  u->kinds[kind].bytes += header->len;
}

void
cs_unreachable_count (const struct cs_graph *g, struct cs_unreachable *u)
{
  const struct cs_block_header *h = g->blocks.headers;

  *u = (struct cs_unreachable) { .free = 0 };
  for (size_t i = 0; i < g->blocks.nr; i++, h++)
    for (uint64_t off = 0; h->kind < 2 || h->kind > 3; off += h->len)
      {
        if (off > 0 && off + h->len > CS_STORE_PAGE_LEN)
          break;
        count_place (g, h, h->addr + off, u);
      }
}
