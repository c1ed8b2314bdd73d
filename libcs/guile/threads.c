/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* threads.c -- Guile's threads, before and after an image.

   The members of struct scm_thread are private to libguile, but their
   declaration is installed (libguile/threads.h), and the same in 3.0.8 to
   3.0.11.  The interpreter in a store need not be the one whose headers this
   was compiled with, so cs_threads_create() looks at a thread whose state it
   knows.  */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "guile/functions.h"
#include "guile/threads.h"
#include "image/threads.h"
#include "process/process.h"

/* Milliseconds that running threads get to reach a safe point; with none of
   them on a processor for so many of them, none will get anywhere.  */
#define PATIENCE 100
#define IDLE_MAX 3

/* Odd while threads shall wait.  */
static atomic_uint parking;

/* Where the members lie, once that is known.  */
static const struct cs_thread_layout_disk *known;

static scm_thread *
thread_of (SCM thread)
{
  return SCM_I_THREAD_DATA (thread);
}

/* Making sure.  */

static void *
leave_guile (void *thread)
{
  return ((scm_thread *) thread)->guile_mode ? NULL : thread;
}

static bool
is_pipe (int fd)
{
  struct stat status;

  return fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode);
}

static bool
has_stack (const struct scm_vm *vm)
{
  return vm->stack_bottom && vm->stack_bottom < vm->sp
         && vm->sp <= vm->stack_top && vm->fp <= vm->stack_top
         && (size_t) (vm->stack_top - vm->stack_bottom) == vm->stack_size;
}

/* Is T the thread that runs, in Guile mode and waiting for nothing?  */
static bool
is_this_thread (scm_thread *t)
{
  return scm_is_eq (t->handle, scm.current_thread ())
         && pthread_equal (t->pthread, pthread_self ())
         && t->exited == 0 && t->guile_mode == 1 && !t->wake
         && is_pipe (t->sleep_pipe[0]) && is_pipe (t->sleep_pipe[1])
         && scm.without_guile (leave_guile, t) == t && t->guile_mode == 1
         && has_stack (&t->vm);
}

bool
cs_threads_create (struct cs_thread_layout_disk *layout)
{
  scm_thread *t = thread_of (scm.current_thread ());
  uint32_t tid;

  *layout = (struct cs_thread_layout_disk) {
    .len = sizeof *t,
    .handle = offsetof (scm_thread, handle),
    .exited = offsetof (scm_thread, exited),
    .guile_mode = offsetof (scm_thread, guile_mode),
    .wake = offsetof (scm_thread, wake),
    .sleep_pipe = offsetof (scm_thread, sleep_pipe),
    .ip = offsetof (scm_thread, vm.ip),
    .sp = offsetof (scm_thread, vm.sp),
    .fp = offsetof (scm_thread, vm.fp),
    .stack_bottom = offsetof (scm_thread, vm.stack_bottom),
    .stack_top = offsetof (scm_thread, vm.stack_top)
  };
  if (!is_this_thread (t) || !cs_process_find_thread (t, &layout->key, &tid))
    return false;
  known = layout;
  return true;
}

scm_thread *
cs_threads_this (void)
{
  return known ? cs_process_thread_value (known->key) : NULL;
}

/* The asyncs that a dead thread did not come to run.  #f behind one says that it
   is in no queue: libguile queues its only cell for after-gc-hook as long as it
   is in none (3.0.10, libguile/gc.c, queue_after_gc_hook), and would never do so
   again.  */
static void
forget_asyncs (scm_thread *t)
{
  SCM cell = t->pending_asyncs, next;

  t->pending_asyncs = SCM_EOL;
  for (; scm_is_pair (cell); cell = next)
    {
      next = SCM_CDR (cell);
      SCM_SETCDR (cell, SCM_BOOL_F);
    }
}

/* The main thread.  */

static SCM main_thread;         /* kept alive by the image */

static bool
is_thread (SCM object)
{
  return SCM_UNPACK (object) != 0 && SCM_NIMP (object)
         && cs_store_view (cs_process.store, SCM_UNPACK (object),
                           2 * sizeof (scm_t_bits))
         && SCM_SMOB_PREDICATE (*scm_data.tc16_thread, object);
}

/* What the program calls a thread is a smob that leads to the struct
   scm_thread, which leads back to it; libguile compares and hands out the
   smobs only (3.0.8 to 3.0.11, libguile/threads.c, SCM_I_THREAD_DATA,
   `handle').
   So the object of earlier processes is given this thread's structure, and
   the one that libguile has just made is nobody's (guilify_self_2).  */
void
cs_threads_become_main (uint64_t *main)
{
  SCM object = SCM_PACK ((scm_t_bits) *main);
  scm_thread *t = thread_of (scm.current_thread ());

  if (is_thread (object) && !scm_is_eq (object, t->handle))
    {
      forget_asyncs (thread_of (object));
      SCM_SET_SMOB_DATA (object, t);
      SCM_SETCAR (t->continuation_root, object);
      t->handle = object;
    }
  main_thread = t->handle;
  *main = SCM_UNPACK (main_thread);
}

bool
cs_threads_is_main (SCM thread)
{
  return scm_is_eq (thread, main_thread);
}

/* Before an image is written.  */

static void *
wait_until_released (void *now)
{
  cs_process_await (&parking, *(unsigned *) now);
  return now;
}

/* Out of Guile mode, so that collections need not stop this thread.  It may
   come here late, when all is over; or while it holds a lock of libguile's, as
   sigaction runs asyncs before it gives its lock back (3.0.8, libguile/scmsigs.c,
   scm_sigaction_for_thread): then it is stopped afterwards.  */
SCM
cs_threads_await_release (void)
{
  unsigned now = atomic_load (&parking);

  if (now % 2 == 1 && cs_process_is_free ())
    scm.without_guile (wait_until_released, &now);
  return SCM_UNSPECIFIED;
}

void
cs_threads_release (void)
{
  atomic_fetch_add (&parking, 1);
  cs_process_awaken (&parking);
}

void
cs_threads_fork_child (void)
{
  unsigned now = atomic_load (&parking);

  atomic_store (&parking, now + now % 2);
}

/* A thread that waits is best left where it is: an async would wake it up,
   and one that waits for a condition variable would take its mutex before it
   runs the async (Guile 3.0.8, libguile/threads.c, timed_wait), and hold it
   in the image.  */
static bool
is_running (const scm_thread *t)
{
  return t->guile_mode
         && __atomic_load_n (&t->wake, __ATOMIC_ACQUIRE) == NULL;
}

/* One that is in a foreign function seems to run, too: the kernel knows.  */
static bool
is_on_processor (const scm_thread *t)
{
  uint32_t key, tid;

  return cs_process_find_thread (t, &key, &tid)
         && cs_process_thread_runs (tid);
}

/* Ask all that run; asking one again changes nothing.  A thread on its way into
   Guile is in the list, but has no object yet (3.0.8, libguile/threads.c,
   guilify_self_1): #f.  Returns whether there are any; *BUSY, whether any of them
   is on a processor.  */
static bool
ask_running (SCM park, bool *busy)
{
  SCM self = scm.current_thread ();
  SCM rest = scm.all_threads ();
  bool any = false;

  *busy = false;
  for (; scm_is_pair (rest); rest = SCM_CDR (rest))
    if (scm_is_true (SCM_CAR (rest)) && !scm_is_eq (SCM_CAR (rest), self)
        && is_running (thread_of (SCM_CAR (rest))))
      {
        any = true;
        *busy = *busy || is_on_processor (thread_of (SCM_CAR (rest)));
        scm.system_async_mark_for_thread (park, SCM_CAR (rest));
      }
  return any;
}

static void *
sleep_shortly (void *unused)
{
  nanosleep (&(struct timespec) { 0, 1000000 }, NULL);
  return unused;
}

void
cs_threads_save (SCM park)
{
  unsigned idle = 0;
  bool busy;

  atomic_fetch_add (&parking, 1);
  for (int i = 0; i < PATIENCE && idle < IDLE_MAX && ask_running (park, &busy);
       i++)
    {
      scm.without_guile (sleep_shortly, NULL);
      idle = busy ? 0 : idle + 1;
    }
}

void
cs_threads_block_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs++;
}

void
cs_threads_unblock_asyncs (void)
{
  SCM_I_THREAD_DATA (scm.current_thread ())->block_asyncs--;
}

/* After it was resumed.  The threads are referred to from here only, so
   nothing is collected until they are a list.  */

static struct
{
  SCM *handles;
  size_t nr, room;
  bool holds;                   /* the collector is disabled */
} gone;

static void
keep_handle (SCM handle)
{
  size_t room = gone.room ? 2 * gone.room : 16;
  SCM *grown = gone.handles;

  if (gone.nr == gone.room)
    grown = realloc (gone.handles, room * sizeof *grown);
  if (!grown)
    return;                     /* nobody can join it */
  if (gone.nr == gone.room)
    gone.room = room;
  gone.handles = grown;
  gone.handles[gone.nr++] = handle;
}

/* Where T was: the code its VM was in, innermost first.  What it last wrote
   down is good enough, if it makes sense at all.  */
static uint32_t
find_code (const scm_thread *t, uint64_t *code)
{
  const union scm_vm_stack_element *fp = t->vm.fp, *top = t->vm.stack_top;
  const void *ip = t->vm.ip;
  uint32_t nr = 0;

  if (fp <= t->vm.stack_bottom || fp > top
      || !cs_store_view (cs_process.store, (uintptr_t) t->vm.stack_bottom,
                         (size_t) ((const char *) top
                                   - (const char *) t->vm.stack_bottom)))
    return 0;
  while (nr < CS_PROCESS_CODE_MAX && ip)
    {
      code[nr++] = (uintptr_t) ip;
      if (top - fp < 3 || SCM_FRAME_DYNAMIC_LINK (fp) <= fp
          || SCM_FRAME_DYNAMIC_LINK (fp) > top)
        break;
      ip = SCM_FRAME_VIRTUAL_RETURN_ADDRESS (fp);
      fp = SCM_FRAME_DYNAMIC_LINK (fp);
    }
  return nr;
}

/* A thread that waited can be woken no more: an async for it (cancel-thread
   marks one) would be announced by a byte to the descriptor that its pipe
   had, which is somebody else's in this process, or by a condition variable
   in whatever state it is (3.0.8, libguile/async.c,
   scm_system_async_mark_for_thread).  */
static void
forget_wait (scm_thread *t)
{
  t->wake = NULL;
  memset (&t->sleep_cond, 0, sizeof t->sleep_cond);
}

/* Opened for the first thread that is noted; a thread of a release whose objects
   are not known has no name.  */
static struct cs_heap image;

static void
note_weeded (const scm_thread *t, const struct cs_thread_disk *record)
{
  uint64_t code[CS_PROCESS_CODE_MAX];
  uint32_t nr_code = find_code (t, code);
  char name[CS_PROCESS_NAME_LEN] = "";

  if (!image.store)
    cs_heap_open (cs_process.store, &image, NULL);
  if (image.objects)
    cs_thread_list_name (&image, record, name, sizeof name);
  cs_process_note_weeded (record, name, code, nr_code);
}

static void
prepare_weeding (void *unused, const struct cs_thread_disk *record)
{
  scm_thread *t = (scm_thread *) (uintptr_t) record->value;

  (void) unused;
  if (record->key != known->key)
    return;
  if (record->kind == CS_THREAD_OF_PROGRAM)
    note_weeded (t, record);
  forget_wait (t);
  forget_asyncs (t);
  if (record->kind != CS_THREAD_OF_MAIN
      && SCM_UNPACK (t->handle) != 0 && SCM_NIMP (t->handle))
    keep_handle (t->handle);
}

void
cs_threads_restore (const struct cs_thread_layout_disk *layout)
{
  known = layout;
  cs_process_each_stale (sizeof (scm_thread), prepare_weeding, NULL);
  cs_heap_fini (&image);
  gone.holds = gone.nr > 0;
  if (gone.holds)
    gc.disable ();
  cs_process_weed ();
}

bool
cs_threads_any_dead (void)
{
  return gone.nr > 0;
}

SCM
cs_threads_take_dead (void)
{
  SCM list = SCM_EOL;

  while (gone.nr > 0)
    list = scm.cons (gone.handles[--gone.nr], list);
  free (gone.handles);
  gone.handles = NULL;
  gone.room = 0;
  if (gone.holds)
    gc.enable ();
  gone.holds = false;
  return list;
}
