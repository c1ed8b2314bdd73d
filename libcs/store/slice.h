/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* slice.h -- long work of a writer, in slices between which others have their
   turn (A6 and A7, apply.c).

   A slice is a time in which its thread has the lock `applying` and the readers'
   lock.  In one of these only the image changes.  Work that is divided ends its
   slice after a millisecond or some pages, and begins the next when these are on
   the disk and those who have waited for the lock have had it.  So a commit
   waits for no more than a slice's pages, also in its sync, which takes all of the
   file.  Work that is not divided is one slice: a commit, or a
   process that leaves, does nothing else meanwhile.  */
#ifndef CS_SLICE_H
#define CS_SLICE_H

#include "store/store-private.h"

struct cs_slice
{
  struct cs_store *store;
  bool divided;
  int fd;                       /* the store's file when the work began */
  int sync_fd;                  /* the same, opened again if the work is divided:
                                   the kernel tells an error of the disk once for
                                   each open file, and a commit has to hear of
                                   its own */
  int code;                     /* -errno of a push; 0: none */
  uint64_t number;              /* of the work: `applies` of the store */
  int64_t end;                  /* of this slice: CLOCK_MONOTONIC, nanoseconds */
  uint64_t written;             /* bytes that it has written to the store's file,
                                   between the offsets FROM and TO */
  uint64_t from, to;
};

/* Nobody but a test writes to these: the length of a slice in nanoseconds, and
   what is called between two, without locks; NULL: nothing.  */
extern int64_t cs_slice_len;
extern void (*cs_slice_between) (struct cs_store *store);

/* What is returned where the work cannot go on: other work of this kind has
   begun, the log is not to be used any more, or somebody goes on reading.  What
   has been done is as after a kill (A6).  */
#define CS_OVERTAKEN (-ECANCELED)

/* Begin work on STORE, whose lock `applying` the caller has: 1, 0 if somebody
   reads the store, or -errno.  The second ends it; the caller still has that
   lock.  */
int cs_slice_begin (struct cs_slice *slice, struct cs_store *store,
                    bool divided);
void cs_slice_end (struct cs_slice *slice);

/* End a slice; begin the next, 0 or CS_OVERTAKEN.  Around what takes long and
   needs no lock: a sync; or reading the image, which holds if the second
   returns 0.  Nothing if the work is not divided.  */
void cs_slice_leave (struct cs_slice *slice);
int cs_slice_enter (struct cs_slice *slice);

/* The second one, when what was done between the two has returned R: CS_OVERTAKEN,
   else R.  */
int cs_slice_return (struct cs_slice *slice, int r);

/* Between the two, SYNC the descriptor FD: 0, CS_OVERTAKEN, or -errno, also of a
   push before, as the kernel does not tell of that again.  */
int cs_slice_sync (struct cs_slice *slice, int (*sync) (int fd), int fd);

/* The two one after the other, if the slice has lasted long enough.  0 or
   CS_OVERTAKEN.  */
int cs_slice_give_way (struct cs_slice *slice);

/* LEN bytes were written to the store's file, somewhere from FROM to TO.  */
void cs_slice_wrote (struct cs_slice *slice, uint64_t from, uint64_t to,
                     uint64_t len);

/* Bring what was written to FD from FROM to TO to the disk, if the work is
   divided: so that no sync has to do it all at once.  An error is told by the next
   sync.  */
void cs_slice_push (struct cs_slice *slice, int fd, uint64_t from,
                    uint64_t to);

#endif
