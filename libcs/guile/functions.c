/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* functions.c -- looking up the interpreter's functions and variables.  */

#include <dlfcn.h>
#include <zlib.h>

#include "guile/functions.h"

struct cs_guile_functions scm;
struct cs_guile_data scm_data;
struct cs_gc_functions gc;
struct cs_gc_data gc_data;

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
#define F(name) { "GC_" #name, &gc_data.name },
  CS_GC_VARIABLES (F)
#undef F
};

#define NR_WANTED (sizeof wanted / sizeof *wanted)

_Static_assert (NR_WANTED <= CS_GUILE_FUNCTIONS_MAX, "");

static const char names[] =
#define F(name) "scm_" #name "\n"
  CS_GUILE_FUNCTIONS (F)
  CS_GUILE_VARIABLES (F)
#undef F
#define F(name) "GC_" #name "\n"
  CS_GC_FUNCTIONS (F)
  CS_GC_VARIABLES (F)
#undef F
  ;

static uint32_t
names_sum (void)
{
  return (uint32_t) crc32 (0, (const Bytef *) names, sizeof names);
}

static bool
is_usable (const struct cs_guile_functions_disk *kept)
{
  return kept && kept->nr == NR_WANTED && kept->names_sum == names_sum ();
}

static int
look_up (const struct cs_library_set *set, struct cs_err *err)
{
  const struct cs_library_loaded *interpreter = &set->items[set->nr_base - 1];
  void *addr;

  for (size_t i = 0; i < NR_WANTED; i++)
    {
      addr = dlsym (interpreter->handle, wanted[i].name);
      if (!addr)
        {
          cs_err_set (err, CS_E_INCOMPATIBLE, "'%s' is not the library of Guile"
                      " 3.0: it has no '%s'", interpreter->library->soname,
                      wanted[i].name);
          return cs_err_advise (err, "name the file of libguile-3.0.so.1 with"
                                " --libguile");
        }
      *(void **) wanted[i].cell = addr;
    }
  return 0;
}

int
cs_functions_load (const struct cs_library_set *set,
                   const struct cs_guile_functions_disk *kept, struct cs_err *err)
{
  if (!is_usable (kept))
    return look_up (set, err);
  for (size_t i = 0; i < NR_WANTED; i++)
    *(void **) wanted[i].cell = (void *) (uintptr_t) kept->addrs[i];
  return 0;
}

void
cs_functions_create (struct cs_guile_functions_disk *kept)
{
  kept->names_sum = names_sum ();
  kept->nr = NR_WANTED;
  for (size_t i = 0; i < NR_WANTED; i++)
    kept->addrs[i] = (uintptr_t) *(void **) wanted[i].cell;
}
