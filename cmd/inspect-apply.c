/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-apply.c -- cs-inspect --apply: a store that is all image.  */

#include <inttypes.h>

#include "inspect.h"

/* Commits, and bytes, that are not in the image.  */
struct rest
{
  uint64_t commits, len;
};

static struct rest
rest_of (const struct cs_store *store)
{
  struct rest rest;

  rest.len = cs_store_log_len (store, &rest.commits);
  return rest;
}

void
cs_inspect_apply (const char *path)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store;
  struct rest before, after;
  char warning[1024];

  if (cs_store_open (path, CS_STORE_READ, &store, &err) < 0)
    cs_cmd_fail (&err);
  before = rest_of (store);
  cs_store_close (store);
  if (cs_store_open (path, CS_STORE_WRITE, &store, &err) < 0
      || cs_store_settle (store, &err) < 0)
    cs_cmd_fail (&err);
  after = rest_of (store);
  if (cs_store_take_warning (store, warning, sizeof warning))
    cs_cmd_warn (warning);
  cs_store_close (store);
  if (after.len > 0)
    {
      cs_err_set (&err, CS_E_REFUSED, "cannot apply the log of '%s': another "
                  "process reads the store, or runs it with --ephemeral",
                  path);
      cs_err_advise (&err, "the commits are safe in the log; try again when it"
                     " has ended");
      cs_cmd_fail (&err);
    }
  if (before.commits == 0)
    printf ("%s: nothing to apply\n", path);
  else
    printf ("%s: %" PRIu64 " commit%s applied, %" PRIu64 " KiB of log cut off"
            "\n", path, before.commits, before.commits == 1 ? "" : "s",
            before.len / 1024);
  cs_cmd_exit (0);
}
