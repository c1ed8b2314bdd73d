/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hooks.c -- the program's procedures that are run at a checkpoint and at a
   resume.  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guile/catch.h"
#include "guile/functions.h"
#include "process/process.h"
#include "workspace/hooks.h"
#include "workspace/state.h"

static __thread const char *running;

const char *
cs_hooks_running (void)
{
  return running;
}

void
cs_hooks_leave (void)
{
  running = NULL;
}

static SCM
call (void *caught)
{
  return scm.call_0 (((struct cs_catch *) caught)->object);
}

static SCM
name_procedure (void *caught)
{
  return scm.object_to_string (((struct cs_catch *) caught)->object,
                               SCM_UNDEFINED);
}

/* OBJECT is what failed.  */
static SCM
print_failure (void *caught)
{
  const struct cs_catch *failed
    = (void *) SCM_UNPACK (((struct cs_catch *) caught)->object);
  SCM port = scm.open_output_string ();

  scm.print_exception (port, SCM_BOOL_F, failed->key, failed->args);
  return scm.get_output_string (port);
}

/* Put what BODY returns into TEXT, without an end of line; OTHERWISE if it
   fails, as procedures that print may be the program's, too.  */
static void
describe (scm_t_catch_body body, SCM object, const char *otherwise,
          char *text, size_t len)
{
  struct cs_catch caught = { .object = object };
  SCM string = cs_catch (&caught, body);
  size_t used = 0;

  if (caught.failed)
    used = (size_t) snprintf (text, len, "%s", otherwise);
  else
    used = scm.to_locale_stringbuf (string, text, len - 1);
  if (used > len - 1)
    used = len - 1;
  while (used > 0 && text[used - 1] == '\n')
    used--;
  text[used] = '\0';
}

static bool
is_exit (const struct cs_catch *caught)
{
  return scm_is_eq (caught->key, scm.from_utf8_symbol ("quit"));
}

static void
warn (struct cs_catch *caught)
{
  const struct cs_run_params *params = cs_state_params ();
  char name[200], failure[600], text[1024];

  if (!params || !params->warn)
    return;
  describe (name_procedure, caught->object, "a procedure", name,
            sizeof name);
  if (is_exit (caught))
    strcpy (failure, "it called exit");
  else
    describe (print_failure, SCM_PACK ((scm_t_bits) caught), "it raised an"
              " error that cannot be printed", failure, sizeof failure);
  snprintf (text, sizeof text, "%s: %s failed: %s\n"
            "  to run the workspace without its hooks: cs-run --no-hooks",
            running, name, failure);
  params->warn (text);
}

/* As Guile takes the argument of `exit' (Guile 3.0, libguile/throw.c,
   scm_exit_status).  */
static int
exit_status (SCM args)
{
  SCM value = scm_is_pair (args) ? SCM_CAR (args) : SCM_BOOL_T;

  if (SCM_I_INUMP (value))
    return (int) SCM_I_INUM (value);
  return scm_is_false (value) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void *
run (void *bits)
{
  SCM rest = scm.hook_to_list (SCM_PACK ((scm_t_bits) *(uint64_t *) bits));
  struct cs_catch caught;

  for (; scm_is_pair (rest); rest = SCM_CDR (rest))
    {
      caught = (struct cs_catch) { .object = SCM_CAR (rest) };
      cs_catch (&caught, call);
      if (caught.failed && cs_process.child && is_exit (&caught))
        cs_process_exit (exit_status (caught.args));
      if (caught.failed)
        warn (&caught);
    }
  return NULL;
}

bool
cs_hooks_any (uint64_t hook)
{
  const struct cs_run_params *params = cs_state_params ();

  return !(params && params->no_hooks)
         && !scm_is_null (scm.hook_to_list (SCM_PACK ((scm_t_bits) hook)));
}

/* Entered for a hook with procedures only: that is a few pages of memory.  */
void
cs_hooks_run (const char *name, uint64_t hook)
{
  const char *outer = running;

  if (!cs_hooks_any (hook))
    return;
  running = name;
  scm.with_guile (run, &hook);
  running = outer;
}
