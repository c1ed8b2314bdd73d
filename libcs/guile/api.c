/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* api.c -- looking up the interpreter's functions and variables.  */

#include <dlfcn.h>

#include "guile/api.h"

struct cs_guile_api scm;
struct cs_guile_data scm_data;
struct cs_gc_api gc;

struct wanted
{
  const char *name;
  void *cell;                   /* where its address goes */
};

static const struct wanted wanted[] = {
#define F(name) { "scm_" #name, &scm.name },
  CS_GUILE_FUNCTIONS (F)
#undef F
#define F(name) { "scm_" #name, &scm_data.name },
  CS_GUILE_VARIABLES (F)
#undef F
#define F(name) { "GC_" #name, &gc.name },
  CS_GC_FUNCTIONS (F)
#undef F
};

int
cs_guile_api_load (const struct cs_library_set *set, struct cs_err *err)
{
  void *handle = set->items[set->nr_base - 1].handle;
  void *addr;

  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    {
      addr = dlsym (handle, wanted[i].name);
      if (!addr)
        return cs_err_set (err, CS_E_INCOMPATIBLE,
                           "the interpreter has no '%s'",
                           wanted[i].name);
      *(void **) wanted[i].cell = addr;
    }
  return 0;
}
