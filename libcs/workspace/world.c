/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.c -- stopping the world, as for a commit.  */

#include <stdio.h>

#include "guile/functions.h"
#include "image/sections.h"
#include "image/threads.h"
#include "process/process.h"
#include "workspace/state.h"
#include "workspace/world.h"

void
cs_world_stop (void)
{
  cs_process_stop_threads (gc.get_suspend_signal ());
  cs_process_run_prepare ();
}

void
cs_world_release_collector (void)
{
  cs_process_run_parent ();
}

void
cs_world_release (void)
{
  cs_world_release_collector ();
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
  cs_workspace.params->warn (text);
}

/* One of the threads may have had a lock of libc's, which is used here.  */
void
cs_world_warn (void)
{
  pid_t tids[CS_UNSTOPPED_MAX];
  size_t nr = cs_process_unstopped (tids, CS_UNSTOPPED_MAX);
  struct cs_thread_list list = { .nr_threads = 0 };
  struct cs_heap heap = { .store = cs_process.store };
  struct cs_err err = CS_ERR_INIT;
  const struct cs_threads_disk *records;

  if (nr == 0 || !cs_workspace.params || !cs_workspace.params->warn)
    return;
  records = cs_image_threads (cs_process.store, &err);
  if (records && cs_heap_open (cs_process.store, &heap, &err) == 0)
    cs_thread_list_read (&heap, records, &list);
  for (size_t i = 0; i < nr; i++)
    warn_of (&list, tids[i]);
  cs_thread_list_fini (&list);
  cs_heap_fini (&heap);
}
