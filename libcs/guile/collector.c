/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* collector.c -- the collector in this process.  */

#include <string.h>

#include "guile/collector.h"
#include "guile/functions.h"
#include "guile/service.h"
#include "process/process.h"

/* Registration with the collector decides where malloc takes from.  */
int
cs_collector_register_thread (const struct GC_stack_base *base)
{
  int code = gc.register_my_thread (base);

  cs_process_registered = true;
  return code;
}

/* A thread that is weeded was registered in another process: nothing is to
   be undone.  */
int
cs_collector_unregister_thread (void)
{
  if (!cs_process_registered)
    return GC_SUCCESS;
  cs_process_registered = false;
  return gc.unregister_my_thread ();
}

void
cs_collector_leave_thread (void)
{
  cs_process_end_thread ();
  cs_collector_unregister_thread ();
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

/* The collector scans its own frames too.  They have room in them that nothing
   writes to: an earlier call may have left the only address of an object there.
   libgc clears the stack for a collection that an allocation begins (8.2.2,
   misc.c, GC_clear_stack), not for one that is asked for.  */
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

/* The first collection works with one marker: starting the others takes longer
   than many a program runs.  This collection also has the kernel read the part of
   a large heap that is not in memory.  The collector calls this function with its
   lock held (libgc 8.2.2, alloc.c, GC_EVENT_START), so the thread made here waits
   for the end of the collection.  */
static void *
start_markers (void *unused)
{
  gc.start_mark_threads ();
  return unused;
}

void
cs_collector_event (GC_EventType event)
{
  static bool started;

  if (event != GC_EVENT_START || started || cs_process.child)
    return;
  started = true;
  cs_process_read_ahead (cs_process.store);
  cs_service_start (start_markers);
}

/* Threads that are started from here on inherit this thread's mask: one that
   cannot be stopped makes the collector abort.  libgc lets its signals through
   when it is initialized (8.2.2, pthread_stop_world.c, GC_stop_init), which
   was in another process.  */
void
cs_collector_restore (void)
{
  cs_process_unblock_signal (gc.get_suspend_signal ());
  cs_process_unblock_signal (gc.get_thr_restart_signal ());
}

void *
cs_collector_replacement (const char *name)
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
    { "guile:register_my_thread", cs_collector_register_thread },
    { "guile:unregister_my_thread", cs_collector_unregister_thread }
  };

  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
    if (strcmp (replacements[i].name, name) == 0)
      return replacements[i].function;
  return NULL;
}
