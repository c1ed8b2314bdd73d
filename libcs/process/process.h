/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.h -- what belongs to one process, and how it is made again.

   The carried libraries do not reach libc directly for anything whose result
   they would keep.  The policy's `replace` rules send such calls here:

     memory.c       malloc and its family: the collector's own uncollectable
                    blocks, which lie in the store
     interposition.c
                    free and realloc of the whole process, which know the
                    store's blocks
     borrowed.c     the same for libraries whose state is of one process:
                    blocks in the store that nobody owns afterwards
     mapping.c      mmap and its family: ranges of the store
     zone.c         mmap for the collector: its memory lies above the rest
     keys.c         thread keys: numbers that stay, and for each live thread
                    that set one a record, so that after a resume the key's
                    destructor can run for the threads that are gone
     thread.c, stop.c, locks.c
                    the threads that work in the interpreter, stopping them
                    while an image is written, and the locks they hold
     conditions.c   the collector's condition variables: each begins again in
                    each process
     once.c         pthread_once: controls whose routine started a thread are
                    armed again, and the thread is brought to its end
     handlers.c     fork and exit handlers: kept in the store, run from here
     signal-stack.c stacks for signal handlers
     signals.c      signal actions: kept in the store, installed again
     statics.c      variables of extensions that lead out of the store: told,
                    and set to NULL
     timers.c       alarm and interval timers: end with their process
     clocks.c       clocks that are asked how long the process has run
     iconv.c        conversion descriptors: handles that name two encodings
     locale.c       locale_t: handles that name categories and a locale
     regex.c        compiled regular expressions: handles with the pattern
     directory.c    directory streams: handles that end with their process
     gettext.c      message domains: set again
     callback.c     libffi's closures: in the store, prepared again
     foreign.c      dlopen and dlsym: handles that name a library; functions
                    come back as trampolines
     descriptors.c, numbers.c, endpoint.c, reopen.c
                    file descriptors open at a checkpoint (descriptors.h)

   What must be remembered from one process to the next lies in the store's
   section "process" (image/process.h) and, for threads, "threads".
   What became of it at a resume is told by cs_report() (report.h).
   What this process has only one of lies in `cs_process`.  */
#ifndef CS_PROCESS_H
#define CS_PROCESS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image/process.h"
#include "intern/intern.h"
#include "intern/library.h"
#include "process/descriptors/descriptors.h"
#include "store/store.h"

/* The collector's functions that memory.c allocates with, set once the
   collector works.  */
struct cs_process_collector
{
  void *(*allocate) (size_t len);       /* GC_malloc_atomic_uncollectable */
  void *(*resize) (void *block, size_t len);    /* GC_realloc */
  void (*release) (void *block);        /* GC_free */
  void *(*base) (void *pointer);        /* GC_base */
  size_t (*size) (const void *block);   /* GC_size */
  void *(*allocate_traced) (size_t len);        /* GC_malloc */
  void *(*allocate_kind) (size_t len, int kind);        /* GC_malloc_kind */
  int (*kind) (const void *block, size_t *len); /* GC_get_kind_and_size */
  int borrowed;                 /* the kind of borrowed blocks */
};

/* What this process has one of.  */
struct cs_process
{
  struct cs_store *store;
  struct cs_table_disk *table;
  struct cs_process_disk *image;        /* section "process" */
  struct cs_threads_disk *threads;      /* section "threads" */
  struct cs_library_set libraries;      /* the carried ones */
  cs_library_replacement *find; /* what they were bound with */
  struct cs_process_collector collector;
  atomic_bool collector_ready;
  bool child;                   /* this is a forked child */
  bool weeding;                 /* what belonged to the last process is taken
                                   down: close() closes nothing */
  enum cs_policy_files changed_files;   /* for files that are not the same:
                                           instead of all rules, or none */
  bool never_refuse;            /* the rule `fail` is as `close` */
  /* Called by exit() of a carried library before libc's exit(), on the
     thread that called it; may be NULL, need not return.  */
  void (*leaving) (int status);
  /* Called around fork(), before anything else and when all else is done; may
     be NULL.  */
  void (*before_fork) (void);
  void (*after_fork) (bool in_child);
  /* Called before a routine of pthread_once() begins and after it has ended,
     on the thread that runs it or waits for it.  May be NULL.  */
  void (*around_once) (bool begins);
  /* Called when a signal that is none of the program's has interrupted a
     carried library's select() or poll(), in the middle of that: shall it go
     on waiting?  May be NULL, which is yes.  */
  bool (*interrupted) (void);
  /* Raises a Scheme error with the text; used where libc has no error to
     return.  May be NULL.  */
  void (*raise) (const char *text);
};

extern struct cs_process cs_process;

/* Make the sections for a new store, and begin to use them.  */
int cs_process_create (struct cs_store *store, struct cs_table_disk *table,
                       struct cs_err *err);

/* Begin to use STORE's sections in this process, after its memory is mapped
   and before anything else takes a descriptor: a new epoch, handlers
   registered with libc, descriptors held again.  -CS_E_DAMAGED if a section
   is missing or not of this layout.  */
int cs_process_open (struct cs_store *store, struct cs_table_disk *table,
                     struct cs_err *err);

/* Make again what the last process had, once the carried libraries are
   loaded and bound: libraries opened at run time, signal actions,
   once-controls; give back what its threads left in code arenas.  */
void cs_process_resume (void);

/* The store is about to be unmapped in a process that goes on: blocks in it are
   not freed from now on.  */
void cs_process_close (void);

/* readahead.c: keep the kernel from reading ahead in STORE's memory, if its
   file is in the page cache.  Call it before anything else touches section
   "process", whose first page answers for the file.  */
void cs_process_stop_readahead (struct cs_store *store);

/* The first collection begins: have the kernel read what is missing of a large
   heap, where there is memory for it.  Called with the collector's lock held.  */
void cs_process_read_ahead (struct cs_store *store);

/* mapping.c: give back what the threads of this process left unused in code
   arenas.  None of them may run again.  */
void cs_process_trim (void);

/* handlers.c: forget the exit handlers registered so far.  */
void cs_process_forget_exit_handlers (void);

/* The function that a `replace` rule calls NAME, or NULL.  */
void *cs_process_replacement (const char *name);

/* Can this thread allocate from the collector?  Set for threads that are
   registered with it.  */
extern __thread bool cs_process_registered;

/* What this thread is.  Nobody misses one that the program has not started
   when it is gone.  */
extern __thread enum cs_thread_kind cs_process_thread_kind;

/* Store a string for good.  Returns its offset, 0 when there is no room or
   for "".  */
uint32_t cs_process_string (const char *text);

/* foreign.c: the entry of the variable at ADDR, if ADDR is what the last
   dlsym() of this thread gave and nobody has asked since; else -ENOENT.  The
   entry's value is its address at each start, and 0 when it is missing.  */
long cs_process_data_symbol (const void *addr);

/* borrowed.c: is BLOCK, a block of the collector's, one that a library of an
   earlier process had borrowed?  */
bool cs_process_was_borrowed (const void *block);

/* signals.c: has a carried library a handler for SIGNUM (not SIG_IGN)?  */
bool cs_process_handles_signal (int signum);

/* signals.c: what this process does at SIGNUM when no carried library asks for
   something else, unless it was started with the signal ignored.  */
void cs_process_own_action (int signum, const struct sigaction *action);

/* signals.c: let signals through that cs_process_resume() holds back, because
   their handlers need the interpreter.  On the thread that runs it.  */
void cs_process_admit_signals (void);

/* signals.c: SIGNUM is not to be blocked, neither now, where it would be held
   back, nor afterwards, if this process was started with it blocked.  */
void cs_process_unblock_signal (int signum);

/* timers.c: note which timers run, before a commit.  */
void cs_process_record_timers (void);

/* statics.c: note which variables of extensions lead to memory of this
   process, before a commit, with all threads at rest.  Takes no lock that a
   stopped thread can hold.  */
void cs_process_record_statics (void);

/* statics.c: the library whose memory a variable of library NUMBER of the set
   led to in an earlier process; NULL if there was none.  */
const char *cs_process_lost_owner (size_t number);

/* signals.c: before this process executes another program, which is to be as
   if it had been started: do not ignore the signals that the image ignores;
   ignore them again.  */
void cs_process_leave_signals (void);
void cs_process_take_signals (void);

/* stop.c: make every other thread that works in the interpreter wait until
   it is released, with none of the interpreter's locks in its hands.  Signal
   ALSO (none if it is 0) gets through to them meanwhile.  Returns how many
   did not obey within a second, or ten if they work or lack only a processor:
   they go on.  */
unsigned cs_process_stop_threads (int also);
void cs_process_release_threads (void);

/* In a handler: the signal that interrupts this thread is none of the
   program's.  */
void cs_process_note_interruption (void);

/* Is the calling thread in select() or poll() of a carried library, so that
   an interruption calls cs_process.interrupted()?  Lent until the thread
   ends, for others to look at.  */
const atomic_bool *cs_process_waits (void);

#define CS_UNSTOPPED_MAX 16

/* The kernel's numbers of those that did not, the last time: fills TIDS, of
   MAX elements, and returns how many it has filled.  */
size_t cs_process_unstopped (pid_t *tids, size_t max);

/* stop.c: around what a thread must do in full or not at all: it is not
   stopped in between.  They nest.  */
void cs_process_defer_stop (void);
void cs_process_allow_stop (void);

/* Could this thread be stopped where it is: does it hold none of the locks that
   locks.c counts, and is it in the middle of nothing?  */
bool cs_process_is_free (void);

/* locks.c: make a mutex in the store free, whoever held it.  */
void cs_process_free_lock (pthread_mutex_t *mutex);

/* keys.c: the key and the kernel's number of the thread that has VALUE under
   a key with a destructor.  False if there is none.  */
bool cs_process_find_thread (const void *value, uint32_t *key, uint32_t *tid);

/* keys.c: the calling thread's value under KEY, or NULL.  Takes no lock.  */
void *cs_process_thread_value (uint32_t key);

/* thread.c: is the thread of this process that the kernel calls TID on a
   processor, or waiting for one?  True where the kernel does not tell.  */
bool cs_process_thread_runs (uint32_t tid);

/* signal-stack.c: the calling thread's signal handlers that ask for it
   (SA_ONSTACK) run on a stack of their own, until it is taken away.  Without
   memory for one they go without.  */
void cs_process_give_signal_stack (void);
void cs_process_take_signal_stack (void);

/* The signal that does nothing but interrupt a system call of the thread that
   gets it.  A handler for it is in force while it may come.  */
#define CS_PROCESS_INTERRUPT (SIGRTMAX - 2)

/* write.c: write to FD as many of LEN bytes as it takes without waiting for a
   reader, longer than some milliseconds.  As write(2), but EAGAIN says that it
   takes none now, whatever its flags are.  */
ssize_t cs_process_write_now (int fd, const void *bytes, size_t len);

/* stop.c: wait while *WORD is VALUE; let all who do look at it again.  */
void cs_process_await (atomic_uint *word, unsigned value);
void cs_process_awaken (atomic_uint *word);

/* handlers.c: what exit() of a carried library does.  */
void cs_process_exit (int status) __attribute__ ((noreturn));

/* keys.c: run the destructors of the calling thread's keys now, as its end
   would.  */
void cs_process_end_thread (void);

/* keys.c: before cs_process_weed(), call VISIT for each value of a thread that
   is gone and that leads to LEN bytes of the store.  */
typedef void cs_process_visit_stale (void *closure,
                                     const struct cs_thread_disk *thread);
void cs_process_each_stale (size_t len, cs_process_visit_stale *visit,
                            void *closure);

/* keys.c: keep in the store that THREAD is gone, what its name was ("" if it
   had none) and where it was.  Before cs_process_weed(), which tells the
   names.  */
void cs_process_note_weeded (const struct cs_thread_disk *thread,
                             const char *name, const uint64_t *code,
                             uint32_t nr_code);

/* keys.c: run the destructors of threads that are gone (all recorded ones),
   and forget them.  On a thread that the interpreter does not know.  */
void cs_process_weed (void);

/* once.c: from now on, note in *ENDS the pipe that the interpreter makes for
   itself on this thread; NULL ends that.  Returns what was given before.  */
int **cs_process_watch_pipe (int **ends);

/* Bring threads that were started under once-controls to their ends,
   so that they can be started anew.  Before any of that, once the interpreter
   can be entered.  */
void cs_process_end_threads (void);

/* handlers.c: the handlers that the carried libraries registered for fork,
   as libc would run them.  */
void cs_process_run_prepare (void);
void cs_process_run_parent (void);
void cs_process_run_child (void);

#endif
