/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* threads.h -- the threads that were alive at the last checkpoint, and
   those that are gone, read from a store's image.

   Their stacks are in the image, as each was when it had been stopped.  For
   a store that is looked into from outside (heap.h).  */
#ifndef CS_IMAGE_THREADS_H
#define CS_IMAGE_THREADS_H

#include "image/code.h"
#include "image/heap.h"
#include "image/process.h"

#define CS_THREAD_FRAMES_MAX 100

struct cs_frame
{
  uint64_t addr;                /* in the interpreter's code */
  struct cs_code_place place;   /* of a primitive: its name only */
};

struct cs_guile_thread
{
  const struct cs_thread_disk *record;
  char name[96];                /* "workspace", "signals", the name that
                                   SRFI 18 gave it, or how Guile prints it */
  char state[160];              /* "running", "in usleep", "in the foreign
                                   function 'sleep'", "outside of Guile" */
  struct cs_frame *frames;      /* innermost first */
  size_t nr_frames;
};

struct cs_gone_thread
{
  const struct cs_weeded_disk *record;
  char name[96];
  struct cs_frame frames[CS_PROCESS_CODE_MAX];
  size_t nr_frames;
};

struct cs_thread_list
{
  struct cs_guile_thread *threads;
  size_t nr_threads;
  struct cs_gone_thread *gone;  /* oldest first */
  size_t nr_gone;
};

/* Read RECORDS (cs_image_threads()), which must stay as long as LIST.
   Returns -ENOMEM; what is not sound is left out.  Release with
   cs_thread_list_fini() in every case.  */
int cs_thread_list_read (const struct cs_heap *heap,
                         const struct cs_threads_disk *records,
                         struct cs_thread_list *list);
void cs_thread_list_fini (struct cs_thread_list *list);

/* The name that SRFI 18 gave the thread of RECORD, as Guile prints it, in LEN
   bytes at NAME; "" if there is none.  Of HEAP only the store, the length of
   words and the layout of threads are needed.  */
void cs_thread_list_name (const struct cs_heap *heap,
                          const struct cs_thread_disk *record, char *name,
                          size_t len);

#endif
