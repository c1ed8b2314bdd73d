/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpreter.c -- booting, resuming and leaving Guile.

   A restart is what the child does after fork(), at another time: the last
   process called libgc's fork handler `prepare` before it wrote the image,
   this one calls `child`.  That drops all threads from the collector's list
   and releases its locks (libgc 8.2.2, pthread_support.c, fork_prepare_proc
   and fork_child_proc).  Then the interpreter's own threads are taken off
   its list (cs_process_weed).

   Leaving: exit() of the interpreter arrives in leaving() below.  It flushes
   the ports, keeps the dynamic state, ends the finalizer thread, and jumps
   back to where the workspace thread entered Guile; the frames in between
   are not needed any more.  The thread then leaves Guile like any other.  */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "guile/api.h"
#include "guile/applier.h"
#include "guile/boot-abort.h"
#include "guile/bundle.h"
#include "guile/crash.h"
#include "guile/dynamic-state.h"
#include "guile/failure.h"
#include "guile/finalizers.h"
#include "guile/fork.h"
#include "guile/hooks.h"
#include "guile/inspect.h"
#include "guile/interpreter.h"
#include "guile/mutex.h"
#include "guile/port-output.h"
#include "guile/service.h"
#include "guile/signals.h"
#include "guile/system.h"
#include "guile/thread-list.h"
#include "guile/threads.h"
#include "intern/imports.h"
#include "process/process.h"
#include "report.h"

/* The workspace thread of this process.  */
static struct
{
  struct cs_guile_disk *image;
  const struct cs_run_params *params;   /* NULL while booting */
  cs_interpreter_finish *finish;
  pthread_t thread;
  sigjmp_buf start;             /* where leaving() jumps to */
  int status;
  bool unknown;                 /* Guile's objects are laid out otherwise */
  bool entered;                 /* Guile runs the program */
  bool left;                    /* exit() was called: a hook may call it again */
  bool exiting;                 /* ... of libc itself: there is no way back */
  bool discarded;               /* nothing is to be saved any more */
} workspace;

/* This thread saves the workspace, and may come upon code of the program's
   meanwhile.  */
static __thread bool saving;

static SCM
scm_of (uint64_t bits)
{
  return SCM_PACK ((scm_t_bits) bits);
}

static uint64_t
bits_of (SCM value)
{
  return (uint64_t) SCM_UNPACK (value);
}

const struct cs_run_params *
cs_interpreter_params (void)
{
  return workspace.params;
}

bool
cs_interpreter_is_workspace_thread (void)
{
  return pthread_equal (pthread_self (), workspace.thread);
}

bool
cs_interpreter_will_save (void)
{
  return workspace.params && !workspace.params->ephemeral
         && !workspace.params->no_save && !workspace.discarded
         && !cs_process.child;
}

/* Registration with the collector decides where malloc takes from.  */
static int
register_my_thread (const struct GC_stack_base *base)
{
  int code = gc.register_my_thread (base);

  cs_process_registered = true;
  return code;
}

/* A thread that is weeded was registered in another process: nothing is to
   be undone.  */
static int
unregister_my_thread (void)
{
  if (!cs_process_registered)
    return GC_SUCCESS;
  cs_process_registered = false;
  return gc.unregister_my_thread ();
}

/* libguile makes a thread known between these two (3.0.8, libguile/threads.c,
   guilify_self_1): one from in between has its key, but is not in Guile's list
   yet, so the next process could not weed it as it weeds others.  */
static void
disable_collector (void)
{
  cs_process_defer_stop ();
  gc.disable ();
}

static void
enable_collector (void)
{
  gc.enable ();
  cs_process_allow_stop ();
}

/* gc-disable and gc-enable of a program, which may take any time between
   them.  */
static SCM
gc_disable (void)
{
  gc.disable ();
  return SCM_UNSPECIFIED;
}

static SCM
gc_enable (void)
{
  gc.enable ();
  return SCM_UNSPECIFIED;
}

/* The collector lets go of its lock in here and counts who is at it; before
   a fork, and before an image is written, it waits until nobody is (libgc
   8.2.2, mallocx.c; pthread_support.c, wait_for_reclaim_atfork).  */
static void
malloc_many (size_t len, int kind, void **result)
{
  cs_process_defer_stop ();
  gc.generic_malloc_many (len, kind, result);
  cs_process_allow_stop ();
}

#define CLEARED_LEN 4096        /* 512 are enough for libgc 8.2.2 */

/* The collector's own frames are scanned too, and have room in them that
   nothing is written to: what was called before may have left the only address
   of an object there.  A collection that an allocation begins has had the stack
   cleared (libgc 8.2.2, misc.c, GC_clear_stack), one that is asked for has
   not.  */
static void __attribute__ ((noinline))
clear_stack (void)
{
  volatile char words[CLEARED_LEN];

  memset ((char *) words, 0, sizeof words);
  __asm__ volatile ("" : : "r" (words) : "memory");
}

static void
collect (void)
{
  clear_stack ();
  gc.gcollect ();
}

void *
cs_interpreter_replacement (const char *name)
{
  static const struct
  {
    const char *name;
    void *function;
  } replacements[] = {
    { "guile:malloc_many", malloc_many },
    { "guile:collect", collect },
    { "guile:disable_collector", disable_collector },
    { "guile:enable_collector", enable_collector },
    { "guile:gc_disable", gc_disable },
    { "guile:gc_enable", gc_enable },
    { "guile:register_my_thread", register_my_thread },
    { "guile:unregister_my_thread", unregister_my_thread },
    { "guile:set_finalizer_notifier", cs_finalizers_set_notifier },
    { "guile:system", cs_system_run }
  };

  if (strncmp (name, "guile:", 6) != 0)
    return cs_process_replacement (name);
  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
    if (strcmp (replacements[i].name, name) == 0)
      return replacements[i].function;
  return cs_mutex_replacement (name) ? cs_mutex_replacement (name)
                                     : cs_pointers_replacement (name);
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

  if (cs_interpreter_replacement (name))
    return;
  snprintf (text, sizeof text, "%.300s: unknown replacement '%.100s'", place,
            name);
  errors->nr++;
  if (errors->diagnose)
    errors->diagnose (errors->closure, text);
}

int
cs_interpreter_policy (const char *file, cs_policy_report *diagnose,
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

/* Collections use one marker until there was a first one: starting the
   others takes longer than many a program runs.  Called by the collector
   with its lock held (libgc 8.2.2, alloc.c, GC_EVENT_START), so the thread
   made here waits for the end of this collection.  */
static void *
start_markers (void *unused)
{
  gc.start_mark_threads ();
  return unused;
}

static void
on_collection (GC_EventType event)
{
  static bool started;

  if (event != GC_EVENT_START || started || cs_process.child)
    return;
  started = true;
  cs_service_start (start_markers);
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
    if (changed || loading->set->items[i].loose)
      code = cs_library_bind_missing (loading, i, err);
  return code;
}

/* The section of a store that is being resumed.  */
static int
find_image (struct cs_store *store, struct cs_err *err)
{
  size_t len;

  workspace.image = cs_store_section (store, "guile", &len);
  if (!workspace.image || len < sizeof workspace.image->magic
      || memcmp (workspace.image->magic, CS_GUILE_MAGIC,
                 sizeof workspace.image->magic) != 0)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%s': section 'guile' is missing or damaged",
                       cs_store_path (store));
  if (len < sizeof *workspace.image
      || workspace.image->version != CS_GUILE_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%s': section 'guile' is not of version %d",
                       cs_store_path (store), CS_GUILE_VERSION);
  return 0;
}

int
cs_interpreter_load (struct cs_store *store, struct cs_table_disk *table,
                     bool resume, struct cs_err *err)
{
  const struct cs_library_loading loading = {
    .store = store, .table = table, .find = cs_interpreter_replacement,
    .set = &cs_process.libraries
  };
  bool changed = false;
  int code = resume ? find_image (store, err) : 0;

  cs_process.find = loading.find;
  if (code == 0)
    code = cs_library_load (&loading, resume, err);
  if (code == 0)
    code = cs_imports_bind (store, &cs_process.libraries,
                            cs_interpreter_replacement, &changed, err);
  if (code == 0 && resume)
    code = bind_missing (&loading, changed, err);
  if (code == 0 && resume)
    cs_library_restart (&cs_process.libraries, 0,
                        cs_process.libraries.nr_base);
  if (code == 0 && !resume)
    cs_library_construct (&cs_process.libraries, 0);
  if (code == 0)
    code = cs_guile_api_load (&cs_process.libraries,
                              resume ? &workspace.image->api : NULL, err);
  if (code == 0)
    connect (table);
  if (code == 0 && resume)
    code = cs_library_settle (store, &cs_process.libraries, err);
  return code;
}

static void *
flush_ports (void *unused)
{
  cs_port_output_flush ();
  return unused;
}

static void *
write_ports (void *unused)
{
  cs_port_output_write ();
  return unused;
}

/* The workspace is left: the other threads are parked if it is saved, and run
   if not.  */
static void *
leave_parked (void *unused)
{
  cs_port_output_leave (&workspace.image->ports,
                        scm_of (workspace.image->module.park), true);
  return unused;
}

static void *
leave_running (void *unused)
{
  cs_port_output_leave (&workspace.image->ports, SCM_BOOL_F, false);
  return unused;
}

/* In Guile mode: keep the workspace thread's dynamic state.  Another thread
   that exits keeps what the last run left.  */
static void *
keep_dynamic_state (void *unused)
{
  if (cs_interpreter_is_workspace_thread ())
    workspace.image->dynamic_state
      = bits_of (cs_dynamic_state_outermost (scm.current_thread ()));
  return unused;
}

static void *
record_ports (void *unused)
{
  cs_ports_record (&workspace.image->ports);
  return unused;
}

static void *
park_others (void *unused)
{
  cs_threads_park (scm_of (workspace.image->module.park));
  return unused;
}

/* Bring the interpreter to where its image can be written; OUTPUT writes what
   ports on files hold.  An error in a step is reported by scm_with_guile, and
   the next one is taken.  */
static void
quiesce (void *(*output) (void *))
{
  cs_module_keep_settings (&workspace.image->module);
  cs_signals_hold ();
  scm.with_guile (keep_dynamic_state, NULL);
  cs_finalizers_hold ();
  scm.with_guile (park_others, NULL);
  scm.with_guile (output, NULL);
  scm.with_guile (record_ports, NULL);
}

/* While the image is being brought to rest, no async may run on this thread:
   a signal's handler that leaves or saves would begin all over again.  */
static void
block_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs++;
}

static void
unblock_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs--;
}

/* What ports could not write before the image was written.  */
static void
finish_ports (void)
{
  if (cs_port_output_finish (workspace.params ? workspace.params->warn : NULL))
    raise (SIGPIPE);
}

bool
cs_interpreter_is_saving (void)
{
  return saving;
}

/* A hook that exits would keep the workspace from being opened ever again, or
   from being saved.  Raises.  Not in foreign code's exit(), which cannot be
   left, and not for who was asked to leave from outside.  */
static void
refuse_to_leave_hook (void)
{
  const char *hook = cs_hooks_running ();

  if (hook && !cs_process.child && !workspace.exiting
      && cs_signals_status (0) == 0)
    scm.misc_error ("exit", "Not in ~A",
                    scm.cons (scm.from_utf8_string (hook), SCM_EOL));
}

static void
run_checkpoint_hook (void)
{
  cs_hooks_run ("before-checkpoint-hook",
                workspace.image->module.before_checkpoint);
}

/* What the program does for a checkpoint on leaving; the second time this is
   left out, as it was that which has called exit().  */
static void
prepare_to_leave (bool again)
{
  cs_hooks_leave ();
  saving = true;
  if (again)
    return;
  if (cs_interpreter_will_save ())
    run_checkpoint_hook ();
  scm.with_guile (flush_ports, NULL);
}

/* exit() was called in Guile mode.  Returns in a forked child only: it ends
   like any process, and leaves the store alone.  */
static void
leaving (int status)
{
  bool jumps, again = workspace.left;

  refuse_to_leave_hook ();
  jumps = cs_interpreter_is_workspace_thread () && !workspace.exiting;
  workspace.left = true;
  cs_signals_leave ();
  prepare_to_leave (again);
  if (cs_process.child)
    {
      scm.with_guile (leave_running, NULL);
      finish_ports ();
      return;
    }
  block_asyncs ();
  if (cs_interpreter_will_save () || !workspace.params)
    quiesce (leave_parked);
  else
    scm.with_guile (leave_running, NULL);
  status = cs_signals_status (status);
  if (!jumps)
    workspace.finish (status);
  workspace.status = status;
  siglongjmp (workspace.start, 1);
}

/* Foreign code has called exit(), which knows nothing of us: the workspace is
   left all the same.  What then calls exit() once more goes on with the
   handlers that remain (atexit(3), NOTES).  */
static void
on_libc_exit (int status, void *unused)
{
  (void) unused;
  if (!workspace.entered || (workspace.left && !cs_hooks_running ()))
    return;
  workspace.exiting = true;
  leaving (status);
}

void
cs_interpreter_forked (void)
{
  workspace.left = workspace.exiting = saving = false;
}

static void *
unread_input (void *unused)
{
  cs_ports_unread (&workspace.image->ports);
  return unused;
}

void
cs_interpreter_flush (void)
{
  saving = true;
  scm.with_guile (flush_ports, NULL);
  scm.with_guile (leave_running, NULL);
  cs_port_output_await ();
  scm.with_guile (unread_input, NULL);
  saving = false;
}

void
cs_interpreter_discard (void)
{
  workspace.discarded = true;
  cs_process_exit (EXIT_SUCCESS);
}

/* The REPL and --debug set the slower engine of the virtual machine, also for
   later threads.  That is for the process they run in.  */
static void
reset_engine (void)
{
  scm.c_set_default_vm_engine_x (SCM_VM_REGULAR_ENGINE);
  scm.c_set_vm_engine_x (SCM_VM_REGULAR_ENGINE);
}

/* The resume is complete: say what there was to say about it.  */
static void
tell_report (void (*note) (const char *event, const char *text))
{
  const struct cs_report_entry_disk *line;
  uint64_t n = 0;

  while (note && (line = cs_report_own (&n)))
    note (cs_report_word (line->kind), line->text);
}

static void *
follow_ports (void *unused)
{
  cs_pointers_follow ();
  cs_ports_reconnect (&workspace.image->ports);
  cs_ports_follow (&workspace.image->ports);
  return unused;
}

static void *
follow_modules (void *unused)
{
  cs_module_resumed (&workspace.image->module);
  cs_module_restart_extensions (&workspace.image->module);
  return unused;
}

static void *
follow_environment (void *unused)
{
  cs_environment_follow (&workspace.image->environment,
                         workspace.image->module.follow,
                         workspace.params->argc, workspace.params->argv);
  return unused;
}

static void *
begin_services (void *unused)
{
  reset_engine ();
  cs_signals_follow ();
  cs_finalizers_begin ();
  if (cs_interpreter_will_save ())
    cs_signals_begin (scm_of (workspace.image->module.answer_signals),
                      workspace.params->checkpoint_ms,
                      workspace.params->checkpoint_failed);
  return unused;
}

/* Whatever the program has left in a state that makes a step raise an error,
   which scm_with_guile reports, the others are taken.  Handlers of signals
   that have come wait until the last one.  */
static void *
take_up (void *unused)
{
  static void *(*const steps[]) (void *) = {
    follow_ports, follow_modules, follow_environment, begin_services
  };

  cs_threads_become_main (&workspace.image->main_thread);
  scm.set_current_dynamic_state (scm_of (workspace.image->dynamic_state));
  block_asyncs ();
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    scm.with_guile (steps[i], NULL);
  unblock_asyncs ();
  tell_report (workspace.params->note);
  cs_hooks_run ("after-resume-hook", workspace.image->module.after_resume);
  return unused;
}

/* Entered apart from take_up(): errors that nobody catches are reported on
   what is the current error port on entry (Guile 3.0.8,
   libguile/continuations.c, scm_i_with_continuation_barrier).  */
static void *
run_shell (void *unused)
{
  (void) unused;
  scm.shell (workspace.params->argc, workspace.params->argv);
  return NULL;
}

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

static void *
boot_body (void *unused)
{
  (void) unused;
  workspace.unknown = !cs_threads_make (&workspace.image->threads)
                      || !cs_mutex_check ();
  cs_threads_become_main (&workspace.image->main_thread);
  cs_module_evaluate (preload);
  cs_module_make (&workspace.image->module);
  if (!cs_ports_make (&workspace.image->ports,
                      (cs_ports_print *) (uintptr_t) cs_module_trampoline
                        (&workspace.image->module, "print-lost-port")))
    workspace.unknown = true;
  cs_pointers_make (&workspace.image->pointers,
                    cs_module_trampoline (&workspace.image->module,
                                          "finalize-pointer"),
                    cs_module_trampoline (&workspace.image->module,
                                          "print-ended"));
  cs_environment_keep (&workspace.image->environment);
  cs_bundle_find ();
  workspace.image->modules
    = bits_of (cs_module_evaluate ("(resolve-module '() #f)"));
  leaving (0);
  return NULL;
}

/* The workspace thread.  The first one registers itself with the collector,
   later ones are registered when they enter Guile.  */
static void *
workspace_thread (void *unused)
{
  struct GC_stack_base base;

  (void) unused;
  workspace.thread = pthread_self ();
  cs_process_thread_kind = CS_THREAD_OF_WORKSPACE;
  if (sigsetjmp (workspace.start, 0) == 0)
    {
      if (!workspace.params)
        {
          gc.get_stack_base (&base);
          register_my_thread (&base);
        }
      if (workspace.params)
        scm.with_guile (take_up, NULL);
      workspace.entered = workspace.params != NULL;
      scm.with_guile (workspace.params ? run_shell : boot_body, NULL);
      /* Both leave by exit(), unless an error ended them: then plain Guile
         exits with 1 (libguile/init.c, scm_boot_guile).  */
      leaving (EXIT_FAILURE);
    }
  cs_interpreter_leave_thread ();
  return NULL;
}

static int
run_thread (size_t stack_len, struct cs_err *err)
{
  pthread_attr_t attr;
  int code = pthread_attr_init (&attr);

  if (code == 0 && stack_len > 0)
    code = pthread_attr_setstacksize (&attr, stack_len);
  if (code == 0)
    code = pthread_create (&workspace.thread, &attr, workspace_thread, NULL);
  if (code != 0)
    return cs_err_sys (err, code, "cannot start the workspace thread");
  pthread_attr_destroy (&attr);
  pthread_join (workspace.thread, NULL);
  return 0;
}

int
cs_interpreter_boot (struct cs_store *store, struct cs_err *err)
{
  void *section;
  int code = cs_store_section_create (store, "guile",
                                      sizeof *workspace.image,
                                      PROT_READ | PROT_WRITE, &section);

  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'guile'");
  workspace.image = section;
  memcpy (workspace.image->magic, CS_GUILE_MAGIC,
          sizeof workspace.image->magic);
  workspace.image->version = CS_GUILE_VERSION;
  cs_guile_api_keep (&workspace.image->api);
  code = cs_module_intern (&workspace.image->module, err);
  if (code != 0)
    return code;
  /* Guile sets this too, but only after its first GC_init (libguile/gc.c,
     scm_storage_prehistory); changing it later corrupts the heap.  */
  gc.set_all_interior_pointers (0);
  gc.init ();
  cs_pointers_boot (&workspace.image->pointers);
  gc.allow_register_threads ();
  gc.unregister_my_thread ();
  gc.add_roots (workspace.image, workspace.image + 1);
  atomic_store (&cs_process.collector_ready, true);
  workspace.params = NULL;
  cs_process.leaving = leaving;
  cs_boot_abort_begin ();
  code = run_thread (0, err);
  cs_boot_abort_end ();
  gc.set_min_bytes_allocd (ALLOCATED_MIN);
  if (code == 0 && workspace.status != 0)
    code = cs_err_set (err, CS_E_INCOMPATIBLE, "the interpreter did not boot");
  if (code == 0 && workspace.unknown)
    code = cs_err_set (err, CS_E_INCOMPATIBLE, "this libguile's threads,"
                       " mutexes or ports are not those of Guile 3.0.8 to"
                       " 3.0.11");
  /* libguile's exit handler flushes all ports (libguile/init.c,
     cleanup_for_exit).  leaving() has done that, on a thread that need not
     be made known to Guile for it.  */
  cs_process_forget_exit_handlers ();
  return code;
}

/* Threads that are started from here on inherit this thread's mask: one that
   cannot be stopped makes the collector abort.  libgc lets its signals through
   when it is initialized (8.2.2, pthread_stop_world.c, GC_stop_init), which
   was in another process.  */
static void
admit_collector (void)
{
  cs_process_unblock_signal (gc.get_suspend_signal ());
  cs_process_unblock_signal (gc.get_thr_restart_signal ());
}

/* Whoever has disabled the collector in the last process, a program or a
   thread that could not be stopped in time, does not enable it any more: it
   works in each process from its beginning.  */
void
cs_interpreter_resume (void)
{
  admit_collector ();
  cs_module_bind (&workspace.image->module);
  cs_pointers_begin (&workspace.image->pointers);
  cs_process_run_child ();
  /* A thread of the last process may have had this one's number.  */
  if (gc.thread_is_registered ())
    gc.unregister_my_thread ();
  *gc_data.dont_gc = 0;
  atomic_store (&cs_process.collector_ready, true);
  gc.set_on_collection_event (on_collection);
  cs_threads_weed (&workspace.image->threads);
  cs_process_end_threads ();
  cs_library_restart (&cs_process.libraries, cs_process.libraries.nr_base,
                      cs_process.libraries.nr);
  cs_crash_resumed ();
}

int
cs_interpreter_run (const struct cs_run_params *params,
                    cs_interpreter_finish *finish, struct cs_err *err)
{
  int code = 0;

  workspace.params = params;
  workspace.finish = finish;
  cs_process.leaving = leaving;
  if (on_exit (on_libc_exit, NULL) != 0)
    return cs_err_sys (err, ENOMEM, "register with the C library");
  if (params->stack_len > 0)
    code = run_thread (params->stack_len, err);
  else
    workspace_thread (NULL);
  if (code == 0)
    finish (workspace.status);
  return code;
}

/* Between the fork handlers, as a fork would be.  */
void
cs_interpreter_hold (void)
{
  cs_process_stop_threads (gc.get_suspend_signal ());
  cs_process_run_prepare ();
}

void
cs_interpreter_release (void)
{
  cs_process_run_parent ();
  cs_process_release_threads ();
}

/* The record of the thread that had the number TID, or NULL.  */
static const struct cs_guile_thread *
find_thread (const struct cs_thread_list *list, pid_t tid)
{
  for (size_t i = 0; i < list->nr_threads; i++)
    if (list->threads[i].record->tid == (uint32_t) tid)
      return &list->threads[i];
  return NULL;
}

static void
warn_of (const struct cs_thread_list *list, pid_t tid)
{
  const struct cs_guile_thread *thread = find_thread (list, tid);
  char text[512];

  snprintf (text, sizeof text, "the thread %s could not be stopped for the"
            " checkpoint (%s): what it was changing may be half done in it",
            thread ? thread->name : "of no name",
            thread ? thread->state : "not known where it was");
  workspace.params->warn (text);
}

/* After the others have been released: one of them may have a lock of libc's,
   which is used here.  */
static void
warn_of_unstopped (void)
{
  pid_t tids[CS_UNSTOPPED_MAX];
  size_t nr = cs_process_unstopped (tids, CS_UNSTOPPED_MAX);
  struct cs_thread_list list = { .nr_threads = 0 };
  struct cs_heap heap = { .store = cs_process.store };
  struct cs_err err = CS_ERR_INIT;
  const struct cs_threads_disk *records;

  if (nr == 0 || !workspace.params || !workspace.params->warn)
    return;
  records = cs_inspect_threads (cs_process.store, &err);
  if (records && cs_heap_open (cs_process.store, &heap, &err) == 0)
    cs_thread_list_read (&heap, records, &list);
  for (size_t i = 0; i < nr; i++)
    warn_of (&list, tids[i]);
  cs_thread_list_fini (&list);
  cs_heap_fini (&heap);
}

static bool
refuse_to_save (struct cs_err *err)
{
  if (saving)
    {
      cs_err_set (err, CS_E_REFUSED, "cannot save '%s': it is being saved, by"
                  " what has called this", cs_store_path (cs_process.store));
      return true;
    }
  if (cs_interpreter_will_save ())
    return false;
  cs_err_set (err, CS_E_REFUSED, "cannot save '%s': %s",
              cs_store_path (cs_process.store),
              cs_process.child ? "this is a forked child of the workspace"
                               : "this process was not started to save it");
  return true;
}

int
cs_interpreter_checkpoint (struct cs_err *err)
{
  int code;

  if (refuse_to_save (err))
    return err->code;
  saving = true;
  run_checkpoint_hook ();
  scm.with_guile (flush_ports, NULL);
  saving = false;
  /* The hook, or a port of the program's own, may have forked.  */
  if (refuse_to_save (err))
    return err->code;
  cs_applier_await ();
  block_asyncs ();
  quiesce (write_ports);
  cs_interpreter_hold ();
  cs_process_record_timers ();
  cs_process_record_statics ();
  code = cs_store_commit (cs_process.store, err);
  cs_interpreter_release ();
  warn_of_unstopped ();
  cs_threads_release ();
  cs_signals_release ();
  unblock_asyncs ();
  cs_finalizers_release ();
  if (code != 0)
    {
      cs_failure_note (CS_FAILURE_COMMIT, err);
      return code;
    }
  cs_failure_clear (CS_FAILURE_COMMIT);
  cs_applier_start (cs_process.store, workspace.params->checkpoint_failed,
                    workspace.params->warn);
  return 0;
}

void
cs_interpreter_leave_thread (void)
{
  cs_process_end_thread ();
  unregister_my_thread ();
}

int
cs_interpreter_save (struct cs_store *store, struct cs_err *err)
{
  int code;

  cs_interpreter_hold ();
  cs_process_trim ();
  cs_process_record_timers ();
  cs_process_record_statics ();
  code = cs_store_commit (store, err);
  cs_process_run_parent ();
  /* They may go on: the process ends.  */
  if (cs_process_unstopped (&(pid_t) { 0 }, 1) > 0)
    {
      cs_process_release_threads ();
      warn_of_unstopped ();
    }
  return code;
}

void
cs_interpreter_exit (int status)
{
  finish_ports ();
  exit (status);
}
