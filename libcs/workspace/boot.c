/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot.c -- the first start of Guile in a store.  */

#include <string.h>
#include <sys/mman.h>

#include "guile/bundle.h"
#include "guile/environment.h"
#include "guile/evaluate.h"
#include "guile/functions.h"
#include "guile/loading.h"
#include "guile/mutex.h"
#include "guile/pointers.h"
#include "guile/ports.h"
#include "guile/threads.h"
#include "process/process.h"
#include "workspace/boot-abort.h"
#include "workspace/boot.h"
#include "workspace/leave.h"
#include "workspace/main-thread.h"
#include "workspace/scheme-api.h"
#include "workspace/state.h"

/* What a first command line would load, so that later ones find it, and no
   more: each collection marks all of it.  */
static const char preload[] =
  "((@ (ice-9 command-line) compile-shell-switches)"
  " '(\"guile\" \"-c\" \"1\") \"guile\")";

/* Bytes to be allocated between two collections, at least.  The collector
   makes the heap larger by a third if it is full before a third of what there
   is to mark was allocated, otherwise it collects, so the size that a heap
   happens to have decides how often (libgc 8.2.2, alloc.c,
   GC_collect_or_expand, min_bytes_allocd).  In a heap as small as a new
   workspace's that was every 1.3 MB or every 3 MB, as it came out.  */
#define ALLOCATED_MIN ((size_t) 3 << 19)

static bool unknown;            /* Guile's objects are laid out otherwise */

static uint64_t
trampoline (const char *name)
{
  return cs_scheme_api_trampoline (&cs_workspace.image->module, name);
}

static void *
boot_body (void *unused)
{
  (void) unused;
  unknown = !cs_threads_create (&cs_workspace.image->threads)
            || !cs_mutex_check ();
  cs_threads_become_main (&cs_workspace.image->main_thread);
  cs_evaluate (preload);
  cs_scheme_api_create (&cs_workspace.image->module);
  cs_loading_create (&cs_workspace.image->loading);
  if (!cs_ports_create (&cs_workspace.image->ports,
                      (cs_ports_print *) (uintptr_t) trampoline
                        ("print-lost-port")))
    unknown = true;
  cs_pointers_create_types (&cs_workspace.image->pointers,
                    trampoline ("finalize-pointer"),
                    trampoline ("print-ended"));
  cs_environment_create (&cs_workspace.image->environment);
  cs_bundle_find ();
  cs_workspace.image->modules
    = bits_of (cs_evaluate ("(resolve-module '() #f)"));
  cs_leave (0);
  return NULL;
}

int
cs_boot (struct cs_store *store, struct cs_err *err)
{
  void *section;
  int code = cs_store_section_create (store, "guile",
                                      sizeof *cs_workspace.image,
                                      PROT_READ | PROT_WRITE, &section);

  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'guile'");
  cs_workspace.image = section;
  memcpy (cs_workspace.image->magic, CS_GUILE_MAGIC,
          sizeof cs_workspace.image->magic);
  cs_workspace.image->version = CS_GUILE_VERSION;
  cs_functions_create (&cs_workspace.image->api);
  code = cs_scheme_api_intern (&cs_workspace.image->module, err);
  if (code != 0)
    return code;
  /* Guile sets this too, but only after its first GC_init (libguile/gc.c,
     scm_storage_prehistory); changing it later corrupts the heap.  */
  gc.set_all_interior_pointers (0);
  gc.init ();
  cs_pointers_create (&cs_workspace.image->pointers);
  gc.allow_register_threads ();
  gc.unregister_my_thread ();
  gc.add_roots (cs_workspace.image, cs_workspace.image + 1);
  atomic_store (&cs_process.collector_ready, true);
  cs_workspace.params = NULL;
  cs_process.leaving = cs_leave;
  cs_boot_abort_begin ();
  code = cs_main_thread_run (boot_body, 0, err);
  cs_boot_abort_end ();
  gc.set_min_bytes_allocd (ALLOCATED_MIN);
  if (code == 0 && cs_workspace.status != 0)
    code = cs_err_set (err, CS_E_INCOMPATIBLE, "the interpreter did not boot");
  if (code == 0 && unknown)
    code = cs_err_set (err, CS_E_INCOMPATIBLE, "this libguile's threads,"
                       " mutexes or ports are not those of Guile 3.0.8 to"
                       " 3.0.11");
  /* libguile's exit handler flushes all ports (libguile/init.c,
     cleanup_for_exit).  cs_leave() has done that, on a thread that need not be
     made known to Guile for it.  */
  cs_process_forget_exit_handlers ();
  return code;
}
