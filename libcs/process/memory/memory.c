/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.c -- malloc and its family, in the store.

   Blocks are the collector's atomic uncollectable ones: they live until they
   are freed, are not scanned (as malloc'd memory is not scanned by libgc
   either) and lie in the store.  A pointer outside the store came from
   libc's own malloc and goes back to it.

   A thread that the collector does not know must not allocate from it:
   a collection that such an allocation starts ends in "Collecting from
   unknown thread" (libgc 8.2.2, GC_push_all_stacks).  Its blocks come from
   libc; they do not outlive the process, and neither does the thread.  */

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "process/private.h"

/* Does the collector take blocks back?  Not before it is resumed, nor when the
   store is no longer mapped: then nobody needs the room.  */
static bool
is_ready (void)
{
  return atomic_load_explicit (&cs_process.collector_ready,
                               memory_order_acquire);
}

bool
cs_memory_in_store (void)
{
  return cs_process_registered && is_ready ();
}

void *
cs_memory_malloc (size_t len)
{
  void *block;

  if (!cs_memory_in_store ())
    return malloc (len);
  block = cs_process.collector.allocate (len ? len : 1);
  if (!block)
    errno = ENOMEM;
  return block;
}

void *
cs_memory_calloc (size_t count, size_t len)
{
  size_t total;
  void *block;

  if (__builtin_mul_overflow (count, len, &total))
    {
      errno = ENOMEM;
      return NULL;
    }
  block = cs_memory_malloc (total);
  return block ? memset (block, 0, total) : NULL;
}

/* Copy OLD of OLD_LEN bytes to a new block and free it.  */
static void *
move (void *old, size_t old_len, size_t len)
{
  void *block = cs_memory_malloc (len);

  if (!block)
    return NULL;
  memcpy (block, old, old_len < len ? old_len : len);
  cs_memory_free (old);
  return block;
}

void *
cs_memory_realloc (void *block, size_t len)
{
  void *base;

  if (!block)
    return cs_memory_malloc (len);
  if (len == 0)
    {
      cs_memory_free (block);
      return NULL;
    }
  if (!cs_memory_is_store (block))
    return cs_memory_in_store () ? move (block, malloc_usable_size (block), len)
                             : realloc (block, len);
  if (!is_ready ())
    {
      errno = ENOMEM;
      return NULL;
    }
  base = cs_process.collector.base (block);
  if (base == block && cs_memory_in_store () && !cs_borrowed_forget (base))
    {
      block = cs_process.collector.resize (block, len);
      if (!block)
        errno = ENOMEM;
      return block;
    }
  return move (block, cs_memory_usable_size (block), len);
}

/* An aligned block may begin inside the collector's.  */
size_t
cs_memory_usable_size (const void *block)
{
  char *base;

  if (!is_ready ())
    return 0;
  base = cs_process.collector.base ((void *) block);
  return cs_process.collector.size (base)
         - (size_t) ((const char *) block - base);
}

void
cs_memory_free (void *block)
{
  void *base;

  if (!block)
    return;
  if (!cs_memory_is_store (block))
    {
      free (block);
      return;
    }
  if (!is_ready ())
    return;
  base = cs_process.collector.base (block);
  cs_borrowed_forget (base);
  cs_process.collector.release (base);
}

int
cs_memory_posix_memalign (void **block, size_t alignment, size_t len)
{
  char *start;

  if (alignment % sizeof (void *) != 0 || alignment == 0
      || (alignment & (alignment - 1)) != 0)
    return EINVAL;
  if (!cs_memory_in_store ())
    return posix_memalign (block, alignment, len);
  if (len > SIZE_MAX - alignment)
    return ENOMEM;
  start = cs_memory_malloc (len + alignment);
  if (!start)
    return ENOMEM;
  *block = start + (-(uintptr_t) start & (alignment - 1));
  return 0;
}

void *
cs_memory_aligned_alloc (size_t alignment, size_t len)
{
  void *block;
  int code;

  if (alignment < sizeof (void *))
    alignment = sizeof (void *);
  code = cs_memory_posix_memalign (&block, alignment, len);
  if (code == 0)
    return block;
  errno = code;
  return NULL;
}

char *
cs_memory_strndup (const char *text, size_t len)
{
  size_t used = strnlen (text, len);
  char *copy = cs_memory_malloc (used + 1);

  if (!copy)
    return NULL;
  memcpy (copy, text, used);
  copy[used] = '\0';
  return copy;
}

char *
cs_memory_strdup (const char *text)
{
  return cs_memory_strndup (text, SIZE_MAX / 2);
}
