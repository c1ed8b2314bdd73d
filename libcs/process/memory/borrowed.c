/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* borrowed.c -- malloc and its family for libraries whose state is of one
   process.

   What a library allocates that an extension needs belongs to the library,
   which begins anew in the next process and has forgotten it there.  But the
   heap may still refer to it: an object of the extension's own type leads to
   it, and the collector asks the extension what that refers to.  So such a
   block lies in the store and lives as long as its process or as something in
   the heap refers to it.

   It is an ordinary block of the collector's, which a table of this process
   keeps alive until the library frees it.  libgc finds the table through the
   variable below, as it finds all that the program's own data refers to.  In
   the next process the table is garbage itself.  The blocks are of a kind of
   their own, by which they are known then.

   The table is a set of addresses, open to both sides: free slots are NULL,
   slots of freed blocks GONE.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process/private.h"

#define ROOM_MIN 512            /* slots; a power of two */

struct table
{
  size_t room;                  /* slots: a power of two */
  size_t nr_taken;              /* slots that are not NULL */
  void *slots[];
};

static struct table *table;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static char gone;

#define GONE ((void *) &gone)

void
cs_borrowed_hold (void)
{
  cs_locks_lock (&table_lock);
}

void
cs_borrowed_release (void)
{
  cs_locks_unlock (&table_lock);
}

/* The slot where looking for BLOCK begins: blocks lie 16 bytes apart.  */
static size_t
first_slot (const struct table *t, const void *block)
{
  uint64_t number = (uintptr_t) block / 16;

  return (size_t) (number * 0x9e3779b97f4a7c15u >> 32) & (t->room - 1);
}

/* The slot of BLOCK, or the NULL one that ends the search.  */
static void **
find (struct table *t, const void *block)
{
  size_t i = first_slot (t, block);

  while (t->slots[i] && t->slots[i] != block)
    i = (i + 1) & (t->room - 1);
  return &t->slots[i];
}

/* Three of four slots may be taken.  */
static bool
is_full (const struct table *t)
{
  return !t || t->nr_taken >= t->room / 4 * 3;
}

static void
move_blocks (struct table *to, const struct table *from)
{
  for (size_t i = 0; i < from->room; i++)
    if (from->slots[i] && from->slots[i] != GONE)
      {
        *find (to, from->slots[i]) = from->slots[i];
        to->nr_taken++;
      }
}

/* A larger table in place of OLD.  It is allocated without the lock: the
   collector takes its own, and forks take that first.  */
static bool
grow (struct table *old)
{
  size_t room = old ? 2 * old->room : ROOM_MIN;
  size_t len = sizeof *old + room * sizeof *old->slots;
  struct table *new = cs_process.collector.allocate_traced (len);

  if (!new)
    return false;
  memset (new, 0, len);
  new->room = room;
  cs_locks_lock (&table_lock);
  if (table == old)
    {
      if (old)
        move_blocks (new, old);
      table = new;
    }
  cs_locks_unlock (&table_lock);
  return true;
}

static bool
keep (void *block)
{
  for (;;)
    {
      cs_locks_lock (&table_lock);
      struct table *now = table;
      bool full = is_full (now);

      if (!full)
        {
          *find (now, block) = block;
          now->nr_taken++;
        }
      cs_locks_unlock (&table_lock);
      if (!full)
        return true;
      if (!grow (now))
        return false;
    }
}

static bool
is_borrowed (const void *block)
{
  bool found;

  if (!__atomic_load_n (&table, __ATOMIC_ACQUIRE))
    return false;
  cs_locks_lock (&table_lock);
  found = *find (table, block) == block;
  cs_locks_unlock (&table_lock);
  return found;
}

static bool
is_of_kind (const void *block)
{
  size_t len;

  return cs_process.collector.kind (block, &len)
         == cs_process.collector.borrowed;
}

bool
cs_process_was_borrowed (const void *block)
{
  return is_of_kind (block) && !is_borrowed (block);
}

bool
cs_borrowed_forget (const void *block)
{
  void **slot;
  bool found;

  if (!__atomic_load_n (&table, __ATOMIC_ACQUIRE))
    return false;
  cs_locks_lock (&table_lock);
  slot = find (table, block);
  found = *slot == block;
  if (found)
    *slot = GONE;
  cs_locks_unlock (&table_lock);
  return found;
}

void *
cs_borrowed_malloc (size_t len)
{
  void *block;

  if (!cs_memory_in_store ())
    return malloc (len);
  block = cs_process.collector.allocate_kind
            (len ? len : 1, cs_process.collector.borrowed);
  if (block && !keep (block))
    {
      cs_process.collector.release (block);
      block = NULL;
    }
  if (!block)
    errno = ENOMEM;
  return block;
}

void *
cs_borrowed_calloc (size_t count, size_t len)
{
  size_t total;
  void *block;

  if (__builtin_mul_overflow (count, len, &total))
    {
      errno = ENOMEM;
      return NULL;
    }
  block = cs_borrowed_malloc (total);
  return block ? memset (block, 0, total) : NULL;
}

/* A block stays what it was: libc's, borrowed, or for good.  */
void *
cs_borrowed_realloc (void *block, size_t len)
{
  size_t old_len;
  void *new;

  if (!block)
    return cs_borrowed_malloc (len);
  if (!cs_memory_is_store (block))
    return realloc (block, len);
  if (len == 0)
    {
      cs_memory_free (block);
      return NULL;
    }
  if (!atomic_load (&cs_process.collector_ready) || !is_of_kind (block))
    return cs_memory_realloc (block, len);
  old_len = cs_process.collector.size (block);
  new = cs_borrowed_malloc (len);
  if (!new)
    return NULL;
  memcpy (new, block, old_len < len ? old_len : len);
  cs_memory_free (block);
  return new;
}

char *
cs_borrowed_strndup (const char *text, size_t len)
{
  size_t used = strnlen (text, len);
  char *copy = cs_borrowed_malloc (used + 1);

  if (!copy)
    return NULL;
  memcpy (copy, text, used);
  copy[used] = '\0';
  return copy;
}

char *
cs_borrowed_strdup (const char *text)
{
  return cs_borrowed_strndup (text, SIZE_MAX / 2);
}
