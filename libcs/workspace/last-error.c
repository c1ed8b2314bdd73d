/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* last-error.c -- what could not be saved while the workspace goes on.  */

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "process/process.h"
#include "workspace/last-error.h"

static struct
{
  pthread_mutex_t lock;
  char texts[2][sizeof ((struct cs_err *) 0)->text];
} failures = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A thread that is stopped must not have it.  */
static char *
enter (enum cs_last_error kind)
{
  cs_process_defer_stop ();
  pthread_mutex_lock (&failures.lock);
  return failures.texts[kind];
}

static void
leave (void)
{
  pthread_mutex_unlock (&failures.lock);
  cs_process_allow_stop ();
}

bool
cs_last_error_set (enum cs_last_error kind, const struct cs_err *err)
{
  char *text = enter (kind);
  bool other = err && strcmp (text, err->text) != 0;

  strcpy (text, err ? err->text : "");
  leave ();
  return other;
}

void
cs_last_error_get (enum cs_last_error kind, char *text, size_t len)
{
  snprintf (text, len, "%s", enter (kind));
  leave ();
}

/* Another thread may have been in the middle of a text: it ends somewhere, as
   the last byte is never written to.  */
void
cs_last_error_fork_child (void)
{
  pthread_mutex_init (&failures.lock, NULL);
}
