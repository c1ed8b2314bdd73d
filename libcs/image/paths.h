/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* paths.h -- the shortest paths from the roots to an object.  */
#ifndef CS_PATHS_H
#define CS_PATHS_H

#include "image/graph.h"

/* One word that leads from one node of a path to the next.  */
struct cs_path_edge
{
  uint32_t from, to;
  const char *field;            /* static */
  uint64_t i;                   /* which of the fields of that name */
  uint64_t place;               /* address of the word */
};

struct cs_paths
{
  struct cs_path_edge *edges;   /* of all shortest paths, by `to` */
  size_t nr_edges, room;
  uint32_t target;
  uint64_t nr;                  /* of paths; UINT64_MAX: that many or more */
  uint64_t *counts;             /* paths to the node each edge comes from */
  bool cut;                     /* there are more edges than are kept */
};

#define CS_PATH_EDGES_MAX 2000000

/* All shortest paths to TARGET, a node.  A root that leads to it at once
   makes a path without an edge.  -ENOMEM.  Release with cs_paths_fini() in
   every case.  */
int cs_paths_find (const struct cs_graph *graph, uint32_t target,
                   struct cs_paths *paths);
void cs_paths_fini (struct cs_paths *paths);

/* Path I, below `nr`: *ROOT is where it begins, and the edges are put into STEPS
   from there on, of which there is room for as many as cs_paths_len() says.  */
size_t cs_paths_len (const struct cs_graph *graph,
                     const struct cs_paths *paths);
void cs_paths_get (const struct cs_graph *graph, const struct cs_paths *paths,
                   uint64_t i, const struct cs_graph_root **root,
                   const struct cs_path_edge **steps);

#endif
