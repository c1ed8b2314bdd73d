/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* run-create.c -- cs-run --create: a store is made when it is first used.  */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "creation.h"
#include "run-create.h"

static void __attribute__ ((noreturn))
create (const char *store, struct cs_create_params *params, int status)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_creation_make (store, params, &err) == -CS_E_MISUSE)
    _exit (status);
  if (err.code != 0
      && !(err.code == -CS_E_REFUSED
           && faccessat (AT_FDCWD, store, F_OK, 0) == 0))
    cs_cmd_fail (&err);
  _exit (0);
}

void
cs_run_create (const char *store, const uint32_t *history, int status)
{
  struct cs_create_params params = cs_creation_params ();
  struct cs_err err = CS_ERR_INIT;
  pid_t parent = getpid (), child;
  int ended;

  params.history = history;
  child = fork ();
  if (child == 0)
    {
      /* Nobody is there to use the store if the parent ends.  */
      prctl (PR_SET_PDEATHSIG, SIGTERM);
      if (getppid () != parent)
        _exit (status);
      create (store, &params, status);
    }
  if (child < 0)
    cs_err_sys (&err, errno, "cannot make '%s'", store);
  else
    while (waitpid (child, &ended, 0) < 0 && errno == EINTR)
      continue;
  if (child > 0 && WIFSIGNALED (ended))
    cs_err_set (&err, CS_E_REFUSED, "cannot make '%s': %s", store,
                strsignal (WTERMSIG (ended)));
  if (err.code != 0)
    cs_cmd_fail (&err);
  if (!WIFEXITED (ended) || WEXITSTATUS (ended) != 0)
    _exit (status);
}
