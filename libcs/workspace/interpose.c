/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose.c -- the functions that the `replace` rules of a policy name.  */

#include <stdio.h>
#include <string.h>

#include "guile/collector.h"
#include "guile/finalizers.h"
#include "guile/mutex.h"
#include "guile/pointers.h"
#include "guile/stack.h"
#include "process/process.h"
#include "workspace/interpose.h"
#include "workspace/shell-command.h"

void *
cs_interpose_find (const char *name)
{
  static const struct
  {
    const char *name;
    void *function;
  } replacements[] = {
    { "guile:set_finalizer_notifier", cs_finalizers_set_notifier },
    { "guile:system", cs_shell_command_run }
  };
  static void *(*const subjects[]) (const char *) = {
    cs_collector_replacement, cs_mutex_replacement, cs_pointers_replacement,
    cs_stack_replacement
  };

  if (strncmp (name, "guile:", 6) != 0)
    return cs_process_replacement (name);
  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
    if (strcmp (replacements[i].name, name) == 0)
      return replacements[i].function;
  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
    if (subjects[i](name))
      return subjects[i](name);
  return NULL;
}

struct policy_errors
{
  cs_policy_report *diagnose;
  void *closure;
  size_t nr;
};

static void
check_replacement (void *closure, const char *name, const char *place)
{
  struct policy_errors *errors = closure;
  char text[512];

  if (cs_interpose_find (name))
    return;
  snprintf (text, sizeof text, "%.300s: unknown replacement '%.100s'", place,
            name);
  errors->nr++;
  if (errors->diagnose)
    errors->diagnose (errors->closure, text);
}

int
cs_interpose_policy (const char *file, cs_policy_report *diagnose,
                     void *closure, struct cs_policy **policy,
                     struct cs_err *err)
{
  struct policy_errors errors = { .diagnose = diagnose, .closure = closure };
  int code = cs_policy_load (file, diagnose, closure, policy, err);

  if (code != 0)
    return code;
  cs_policy_each_replacement (*policy, check_replacement, &errors);
  if (errors.nr == 0)
    return 0;
  cs_policy_free (*policy);
  *policy = NULL;
  return cs_err_set (err, CS_E_MISUSE, "policy names %zu unknown"
                     " replacements", errors.nr);
}
