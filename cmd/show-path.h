/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* show-path.h -- objects, and what leads to them, as text and as JSON.  */
#ifndef CS_CMD_SHOW_PATH_H
#define CS_CMD_SHOW_PATH_H

#include "image/paths.h"
#include "json.h"

/* A value is printed in at most this many bytes.  */
#define SHOW_VALUE_LEN 160

/* NODE as Guile would print it, in a buffer of SHOW_VALUE_LEN bytes.  */
const char *cs_show_node (const struct cs_graph *graph, uint32_t node,
                          char *text);

/* "pair", or "block".  Static.  */
const char *cs_show_kind (const struct cs_graph *graph, uint32_t node);

/* A root in words, in a buffer of LEN bytes: "(guile-user) x".  */
const char *cs_show_root (const struct cs_graph_root *root, char *text,
                          size_t len);

/* The first MAX of PATHS, from the root to the object; of a long one its
   beginning and its end.  As text if JSON is NULL, otherwise as member
   "paths".  */
void cs_show_paths (struct cs_json *json, const struct cs_graph *graph,
                    const struct cs_paths *paths, uint64_t max);

#endif
