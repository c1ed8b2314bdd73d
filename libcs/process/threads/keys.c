/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* keys.c -- thread keys whose numbers outlive the process.

   A key is an index into the store's list of destructors; its values are in
   a thread-local array.  One real key of libc's makes this thread's
   destructors run when it ends.

   Each value set under a key with a destructor is also recorded in the store
   (section "threads"), and forgotten when the destructor runs.  Records that
   are there at a resume are of threads that did not survive: running their
   destructors then does what the end of each thread would have done.  For
   libguile's key that is on_thread_exit, which takes the thread off the list
   of all threads and frees its stack (Guile 3.0.8, libguile/threads.c).  */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/private.h"
#include "report.h"

static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t end_key;
static __thread void *values[CS_PROCESS_KEYS_MAX];

/* The first so many records are those of threads that are gone; what this
   process records comes after them.  */
static uint64_t nr_stale;

/* How many have been noted as weeded in this process, and not told of.  */
static uint64_t nr_noted;

/* Numbers deleted in this process: other threads may still have values under
   them, so they are not given out again.  */
static bool retired[CS_PROCESS_KEYS_MAX];

typedef void key_destructor (void *);

static void
record (uint32_t key, const void *value)
{
  struct cs_threads_disk *threads = cs_process.threads;
  uint64_t i;

  cs_locks_lock (&keys_lock);
  i = nr_stale;
  while (i < threads->count && threads->threads[i].value != 0)
    i++;
  if (i < CS_PROCESS_THREADS_MAX)
    {
      threads->threads[i] = (struct cs_thread_disk) {
        .value = (uintptr_t) value,
        .pthread = (uint64_t) pthread_self (),
        .key = key,
        .tid = (uint32_t) gettid (),
        .since = (int64_t) time (NULL),
        .kind = cs_process_thread_kind
      };
      if (i == threads->count)
        threads->count++;
    }
  cs_locks_unlock (&keys_lock);
}

/* Drop free entries at the end.  Under the lock.  */
static void
shorten (struct cs_threads_disk *threads)
{
  while (threads->count > nr_stale
         && threads->threads[threads->count - 1].value == 0)
    threads->count--;
}

static void
forget (uint32_t key, const void *value)
{
  struct cs_threads_disk *threads = cs_process.threads;

  cs_locks_lock (&keys_lock);
  for (uint64_t i = nr_stale; i < threads->count; i++)
    if (threads->threads[i].value == (uintptr_t) value
        && threads->threads[i].key == key)
      {
        threads->threads[i] = (struct cs_thread_disk) { .value = 0 };
        break;
      }
  shorten (threads);
  cs_locks_unlock (&keys_lock);
}

static key_destructor *
destructor_of (uint32_t key)
{
  return (key_destructor *) (uintptr_t) cs_process.image->keys[key].destructor;
}

/* Destructor of the real key: this thread ends.  */
static void
run_destructors (void *unused)
{
  bool again = true;
  void *value;

  (void) unused;
  for (int round = 0; again && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++)
    {
      again = false;
      for (uint32_t key = 0; key < CS_PROCESS_KEYS_MAX; key++)
        {
          value = values[key];
          if (!value || !destructor_of (key))
            continue;
          values[key] = NULL;
          /* The record and what it stands for go together.  */
          cs_process_defer_stop ();
          forget (key, value);
          destructor_of (key) (value);
          cs_process_allow_stop ();
          again = true;
        }
    }
  cs_stop_leave ();
}

void
cs_process_end_thread (void)
{
  run_destructors (NULL);
}

/* Once in each process.  Returns 0 or -errno.  */
int
cs_keys_start (void)
{
  nr_stale = cs_process.threads->count;
  return -pthread_key_create (&end_key, run_destructors);
}

void
cs_keys_watch_end (void)
{
  pthread_setspecific (end_key, values);
}

int
cs_keys_create (pthread_key_t *key, void (*destructor) (void *))
{
  int code = EAGAIN;

  cs_locks_lock (&keys_lock);
  for (uint32_t i = 0; code != 0 && i < CS_PROCESS_KEYS_MAX; i++)
    if (!cs_process.image->keys[i].in_use && !retired[i])
      {
        cs_process.image->keys[i]
          = (struct cs_key_disk) { (uintptr_t) destructor, 1, 0 };
        *key = i;
        code = 0;
      }
  cs_locks_unlock (&keys_lock);
  return code;
}

int
cs_keys_delete (pthread_key_t key)
{
  struct cs_threads_disk *threads = cs_process.threads;

  if (key >= CS_PROCESS_KEYS_MAX || !cs_process.image->keys[key].in_use)
    return EINVAL;
  cs_locks_lock (&keys_lock);
  cs_process.image->keys[key] = (struct cs_key_disk) { 0, 0, 0 };
  retired[key] = true;
  for (uint64_t i = 0; i < threads->count; i++)
    if (threads->threads[i].key == key)
      threads->threads[i].value = 0;
  shorten (threads);
  cs_locks_unlock (&keys_lock);
  return 0;
}

void
cs_keys_hold (void)
{
  cs_locks_lock (&keys_lock);
}

void
cs_keys_release (void)
{
  cs_locks_unlock (&keys_lock);
}

void *
cs_process_thread_value (uint32_t key)
{
  return key < CS_PROCESS_KEYS_MAX ? values[key] : NULL;
}

void *
cs_keys_get (pthread_key_t key)
{
  return cs_process_thread_value (key);
}

int
cs_keys_set (pthread_key_t key, const void *value)
{
  if (key >= CS_PROCESS_KEYS_MAX || !cs_process.image->keys[key].in_use)
    return EINVAL;
  if (cs_process.image->keys[key].destructor != 0 && values[key] != value)
    {
      cs_keys_watch_end ();
      cs_stop_enlist ();
      if (values[key])
        forget (key, values[key]);
      if (value)
        record (key, value);
      cs_stop_self.has_values = true;
      cs_stop_settled ();
    }
  values[key] = (void *) value;
  return 0;
}

bool
cs_process_find_thread (const void *value, uint32_t *key, uint32_t *tid)
{
  const struct cs_threads_disk *threads = cs_process.threads;
  bool found = false;

  cs_locks_lock (&keys_lock);
  for (uint64_t i = nr_stale; !found && i < threads->count; i++)
    if (threads->threads[i].value == (uintptr_t) value)
      {
        *key = threads->threads[i].key;
        *tid = threads->threads[i].tid;
        found = true;
      }
  cs_locks_unlock (&keys_lock);
  return found;
}

void
cs_process_each_stale (size_t len, cs_process_visit_stale *visit,
                       void *closure)
{
  for (uint64_t i = 0; i < nr_stale; i++)
    {
      const struct cs_thread_disk *t = &cs_process.threads->threads[i];

      if (t->value != 0
          && cs_store_view (cs_process.store, t->value, len))
        visit (closure, t);
    }
}

void
cs_process_note_weeded (const struct cs_thread_disk *thread,
                        const char *name, const uint64_t *code,
                        uint32_t nr_code)
{
  struct cs_threads_disk *threads = cs_process.threads;
  struct cs_weeded_disk *w
    = &threads->weeded[threads->nr_weeded % CS_PROCESS_WEEDED_MAX];

  *w = (struct cs_weeded_disk) {
    .generation = cs_store_superblock (cs_process.store)->generation,
    .when = (int64_t) time (NULL), .since = thread->since,
    .tid = thread->tid, .nr_code = nr_code,
    .value = thread->value, .pthread = thread->pthread
  };
  memcpy (w->code, code, nr_code * sizeof *code);
  snprintf (w->name, sizeof w->name, "%s", name);
  threads->nr_weeded++;
  nr_noted++;
}

/* The names of those noted in this process, for the end of a line: "" if none
   has one.  What does not fit is cut, as the line is.  */
static void
list_names (const struct cs_threads_disk *threads, char *text, size_t len)
{
  uint64_t nr = nr_noted < CS_PROCESS_WEEDED_MAX ? nr_noted
                                                 : CS_PROCESS_WEEDED_MAX;
  const char *before = ", among them ";
  const char *name;
  size_t used = 0;

  text[0] = '\0';
  for (uint64_t n = threads->nr_weeded - nr;
       n < threads->nr_weeded && used < len; n++)
    {
      name = threads->weeded[n % CS_PROCESS_WEEDED_MAX].name;
      if (!name[0])
        continue;
      used += (size_t) snprintf (text + used, len - used, "%s%s", before,
                                 name);
      before = ", ";
    }
  nr_noted = 0;
}

/* Tell how many of the program's threads have gone, those that have a value
   under the key that most have one under, and which of them had names.  */
static void
report_stale (const struct cs_threads_disk *threads)
{
  uint64_t of_key[CS_PROCESS_KEYS_MAX] = { 0 };
  uint64_t nr = 0;
  char names[CS_REPORT_TEXT_LEN];

  for (uint64_t i = 0; i < nr_stale; i++)
    {
      const struct cs_thread_disk *t = &threads->threads[i];

      if (t->value != 0 && t->kind == CS_THREAD_OF_PROGRAM && t->key < CS_PROCESS_KEYS_MAX
          && ++of_key[t->key] > nr)
        nr = of_key[t->key];
    }
  list_names (threads, names, sizeof names);
  if (nr > 0)
    cs_report (CS_REPORT_WEEDED, "threads: %" PRIu64 " of the last process%s",
               nr, names);
}

/* Destructors may set keys of the calling thread: those records come after
   the stale ones.  */
void
cs_process_weed (void)
{
  struct cs_threads_disk *threads = cs_process.threads;
  struct cs_thread_disk stale;

  report_stale (threads);
  cs_process.weeding = true;
  for (uint64_t i = 0; i < nr_stale; i++)
    {
      stale = threads->threads[i];
      threads->threads[i] = (struct cs_thread_disk) { .value = 0 };
      if (stale.value != 0 && stale.key < CS_PROCESS_KEYS_MAX
          && destructor_of (stale.key))
        destructor_of (stale.key) ((void *) (uintptr_t) stale.value);
    }
  cs_process.weeding = false;
  cs_locks_lock (&keys_lock);
  nr_stale = 0;
  shorten (threads);
  cs_locks_unlock (&keys_lock);
}
