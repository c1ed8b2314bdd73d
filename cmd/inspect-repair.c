/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-repair.c -- cs-inspect --repair.  */

#include <inttypes.h>

#include "inspect.h"

void
cs_inspect_repair (const char *path)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_repair repair;

  if (cs_store_repair (path, &repair, &err) < 0)
    cs_cmd_fail (&err);
  if (!repair.damaged)
    printf ("%s: nothing to repair\n", path);
  else if (repair.generation == repair.found)
    printf ("%s: made anew from generation %" PRIu64 ", the newest; the "
            "damaged store is now %s\n", path, repair.generation,
            repair.kept);
  else
    printf ("%s: made anew from generation %" PRIu64 ", the newest that is "
            "whole, of %" PRIu64 "; the damaged store is now %s\n", path,
            repair.generation, repair.found, repair.kept);
  cs_cmd_exit (0);
}
