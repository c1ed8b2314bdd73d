/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* load.c -- binding the libraries that a store carries.  */

#include <pthread.h>
#include <string.h>

#include "guile/functions.h"
#include "image/sections.h"
#include "intern/interpose.h"
#include "process/process.h"
#include "workspace/fork.h"
#include "workspace/interpose.h"
#include "workspace/load.h"
#include "workspace/state.h"

#define STACK_LEN ((size_t) 1 << 20)

/* libgc and libguile start threads with a stack of the default size, which is the
   limit of the main thread's (pthread_create(3)), however small.  A marker of
   libgc's has a list of 64 KiB on its stack (8.2.2, mark.c, GC_help_marker).  */
static void
give_threads_room (void)
{
  pthread_attr_t attr;
  size_t len;

  if (pthread_getattr_default_np (&attr) != 0)
    return;
  if (pthread_attr_getstacksize (&attr, &len) == 0 && len < STACK_LEN
      && pthread_attr_setstacksize (&attr, STACK_LEN) == 0)
    pthread_setattr_default_np (&attr);
  pthread_attr_destroy (&attr);
}

/* Called through the stub of a missing symbol, as if it were the function:
   raises a Scheme error, so it does not return.  */
static void CS_ARCH_HANDLER
missing_symbol (uint32_t index)
{
  const struct cs_table_entry_disk *entry
    = cs_table_entry (cs_process.table, index);
  const char *library = cs_table_string (cs_process.table, entry->library);

  scm.misc_error (NULL, "function '~A' is missing from ~A today",
                  scm.cons (scm.from_utf8_string
                              (cs_table_string (cs_process.table,
                                                entry->name)),
                            scm.cons (scm.from_utf8_string
                                        (library[0] ? library
                                                    : "all libraries"),
                                      SCM_EOL)));
}

static void
raise_text (const char *text)
{
  scm.misc_error (NULL, "~A", scm.cons (scm.from_locale_string (text),
                                        SCM_EOL));
}

static void
connect (struct cs_table_disk *table)
{
  cs_process.collector = (struct cs_process_collector) {
    .allocate = gc.malloc_atomic_uncollectable, .resize = gc.realloc,
    .release = gc.free, .base = gc.base, .size = gc.size,
    .allocate_traced = gc.malloc, .allocate_kind = gc.malloc_kind,
    .kind = gc.get_kind_and_size,
    .borrowed = cs_process.collector.borrowed
  };
  cs_process.raise = raise_text;
  cs_fork_watch ();
  cs_intern_set_handler (table, missing_symbol);
}

/* Give what the carried libraries miss today a stand-in: those that ld.so
   refused, and all of them when others have changed.  */
static int
bind_missing (const struct cs_library_loading *loading, bool changed,
              struct cs_err *err)
{
  int code = 0;

  for (size_t i = 0; code == 0 && i < loading->set->nr; i++)
    if (changed || loading->set->items[i].partial)
      code = cs_library_bind_missing (loading, i, err);
  return code;
}

/* The section of a store that is being resumed.  */
static int
find_image (struct cs_store *store, struct cs_err *err)
{
  cs_workspace.image = cs_image_guile (store, err);
  return cs_workspace.image ? 0 : err->code;
}

int
cs_load (struct cs_store *store, struct cs_table_disk *table,
         bool resume, struct cs_err *err)
{
  const struct cs_library_loading loading = {
    .store = store, .table = table, .find = cs_interpose_find,
    .set = &cs_process.libraries
  };
  bool changed = false;
  int code = resume ? find_image (store, err) : 0;

  cs_process.find = loading.find;
  give_threads_room ();
  if (code == 0)
    {
      code = cs_library_load (&loading, resume, err);
      if (code != 0 && resume)
        cs_err_prefix (err, "'%s'", cs_store_path (store));
    }
  if (code == 0)
    code = cs_interpose_bind (store, &cs_process.libraries,
                              cs_interpose_find, &changed, err);
  if (code == 0 && resume)
    code = bind_missing (&loading, changed, err);
  if (code == 0 && resume)
    cs_library_restart (&cs_process.libraries, 0,
                        cs_process.libraries.nr_base);
  if (code == 0 && !resume)
    cs_library_construct (&cs_process.libraries, 0);
  if (code == 0)
    code = cs_functions_load (&cs_process.libraries,
                              resume ? &cs_workspace.image->api : NULL, err);
  if (code == 0)
    connect (table);
  if (code == 0 && resume)
    code = cs_library_settle (store, &cs_process.libraries, err);
  return code;
}
