/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* collector.h -- the collector's threads, signals and events in this
   process.  */
#ifndef CS_COLLECTOR_H
#define CS_COLLECTOR_H

#include "guile/functions.h"

/* The function that a `replace` rule names "guile:" and

     register_my_thread, unregister_my_thread, disable_collector,
     enable_collector, malloc_many, collect

   for libgc's functions that do so, or gc_disable, gc_enable for libguile's;
   else NULL.  */
void *cs_collector_replacement (const char *name);

/* Make this thread, which is not in Guile mode, known to the collector, or
   unknown again: 0, or a code of libgc's.  A thread that was known in another
   process only is left alone.  */
int cs_collector_register_thread (const struct GC_stack_base *base);
int cs_collector_unregister_thread (void);

/* Not in Guile mode: make this thread unknown to Guile again.  */
void cs_collector_leave_thread (void);

/* Let this thread, and those that it will start, be stopped by the collector
   of the resumed image.  */
void cs_collector_restore (void);

/* For GC_set_on_collection_event(): at the first collection start the markers,
   and have the heap read.  */
void cs_collector_event (GC_EventType event);

#endif
