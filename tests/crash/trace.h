/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.h -- what a store did to its files, call by call.

   A trace lies in shared memory, so that several processes can add to it one
   after the other: one that is killed, and the next that goes on.  It begins
   with an empty folder.  Files and folders are numbers; 0 is the folder.  */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

#define TRACE_EVENTS 40000
#define TRACE_FILES 512
#define TRACE_NAME 48
#define NONE (-1)

/* A generation that somebody tried to commit: all that can be seen of it.  */
struct attempt
{
  const char *path;             /* the store's name */
  uint64_t generation;
  size_t nr_extents;
  struct cs_extent_disk *extents;
  size_t nr_pages;              /* all that are in the file, and not zeros */
  uint64_t *page;               /* their numbers, ascending */
  char *contents;
};

enum event_kind
{
  EVENT_WRITE,                  /* LEN bytes at OFF of FILE */
  EVENT_ZERO,                   /* the same, with zeros: a hole */
  EVENT_RESIZE,                 /* FILE's length is OFF */
  EVENT_ENTRY,                  /* names appear, change or disappear */
  EVENT_SYNC,                   /* of FILE, or of a folder */
  EVENT_SYNC_FAILED,
  EVENT_BEGIN,                  /* of a commit */
  EVENT_ACKNOWLEDGED            /* it is said to be on stable storage */
};

/* NAME in FOLDER leads to TARGET, or to nothing (NONE).  */
struct change
{
  int folder;
  int target;
  char name[TRACE_NAME];
};

struct event
{
  enum event_kind kind;
  int file;
  uint64_t off, len;
  const char *data;
  int nr_changes;
  struct change changes[2];     /* both are made, or none */
  const struct attempt *attempt;
};

struct trace_file
{
  dev_t dev;
  ino_t ino;
  bool is_folder;
};

struct trace
{
  size_t nr_events;
  struct event events[TRACE_EVENTS];
  size_t nr_files;
  struct trace_file files[TRACE_FILES];
  size_t used;                  /* of the arena */
  char arena[];
};

/* A trace of the working folder, which must be empty, and its end.  */
struct trace *trace_new (void);
void trace_free (struct trace *trace);

/* Memory that stays as long as the trace.  */
void *trace_memory (struct trace *trace, size_t len);

/* Add an event.  DATA is copied.  */
struct event *trace_add (struct trace *trace, enum event_kind kind, int file);
void trace_write (struct trace *trace, int file, uint64_t off,
                  const void *data, size_t len);
void trace_entry (struct trace *trace, int folder, const char *name,
                  int target);

/* The number of a file that is known; of a new one.  */
int trace_find (const struct trace *trace, dev_t dev, ino_t ino);
int trace_new_file (struct trace *trace, dev_t dev, ino_t ino,
                    bool is_folder);

/* Enter into an empty trace what is in the working folder, as synced.  */
void trace_adopt (struct trace *trace);

/* For people.  */
void trace_describe (const struct trace *trace, size_t event, char *text,
                     size_t len);

/* record.c: from now on cs_sys adds to TRACE.  Nothing is really synced.  */
void record_into (struct trace *trace);

/* End the process, as SIGKILL does, before the NTHth event from now on; 0:
   do not.  Syncs fail with EIO from the NTHth on, as many as NR; the NTHth
   write fails with ENOSPC.  */
void record_until (unsigned int nth);
void record_failing_syncs (unsigned int nth, unsigned int nr);
void record_failing_write (unsigned int nth);

#define RECORD_KILLED 42        /* exit status of such a process */

/* The commit of STORE, and whether it was acknowledged, as events.  Returns
   what cs_store_commit() does.  Between its two parts record_meanwhile() is called,
   unless that is NULL: it may change the region.  */
extern void (*record_meanwhile) (void);
int record_commit (struct trace *trace, struct cs_store *store);

/* What is to be seen of STORE, which will be GENERATION of PATH.  */
struct attempt *record_contents (struct trace *trace,
                                 const struct cs_store *store,
                                 const char *path, uint64_t generation);

#endif
