/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* background-apply.c -- putting commits into the image while the interpreter goes
   on.

   A checkpoint is made as soon as it is in the log.  One thread at most is
   at work on the rest, in slices between which commits and forks have their
   turn (store.h, cs_store_apply_beside).  The thread also applies the commits that
   come while it works.  No checkpoint stops the thread: Guile does not know it, and
   it writes only to files.  A process that leaves waits for the thread's end.

   The program may close any descriptor while the thread works, so the thread
   has a descriptor table of its own.  */

#include <stdatomic.h>
#include <stddef.h>

#include "guile/service.h"
#include "workspace/background-apply.h"
#include "workspace/last-error.h"

static struct
{
  struct cs_store *store;
  void (*failed) (const struct cs_err *err);
  void (*warn) (const char *text);
  atomic_bool begun;            /* a thread is at work */
} work;

void
cs_background_apply_warn (struct cs_store *store,
                          void (*warn) (const char *text))
{
  char text[1024];

  if (warn && cs_store_take_warning (store, text, sizeof text))
    warn (text);
}

static void *
apply (void *unused)
{
  struct cs_err err = CS_ERR_INIT;
  int code = cs_store_apply_beside (work.store, &err);

  if (cs_last_error_set (CS_LAST_ERROR_APPLY, code == 0 ? NULL : &err)
      && work.failed)
    work.failed (&err);
  cs_background_apply_warn (work.store, work.warn);
  atomic_store (&work.begun, false);
  return unused;
}

void
cs_background_apply_start (struct cs_store *store,
                  void (*failed) (const struct cs_err *err),
                  void (*warn) (const char *text))
{
  if (atomic_exchange (&work.begun, true))
    return;
  work.store = store;
  work.warn = warn;
  work.failed = failed;
  if (cs_service_start (apply) != 0)
    atomic_store (&work.begun, false);  /* the next commit or the end does it */
}

void
cs_background_apply_fork_child (void)
{
  atomic_store (&work.begun, false);
}
