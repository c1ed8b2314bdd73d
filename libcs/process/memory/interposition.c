/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interposition.c -- free and realloc of the whole process.

   A block of the store gets into code that the policy patches nothing in:
   libc itself (getline() resizes what it is given), plugins that a library
   opens by itself, libraries that are opened later.  Symbol interposition
   reaches all of them: ld.so binds each reference to `free` to the first
   object in its search order, the program or a library that it is linked
   with, and libc calls its own `free` by such a reference too (The GNU C
   Library manual, "Replacing malloc").

   malloc() stays libc's.  The definitions behind these are found by RTLD_NEXT,
   not by libc's names for them, so that a malloc of LD_PRELOAD's or a checking
   tool's works as ever.  libc calls free and realloc before any constructor has
   run, so the first caller looks the definitions up.  dlsym() may free the text
   of an error that nobody has asked for (glibc 2.36, dlfcn/dlerror.c,
   _dlerror_run): in the middle of that a block is left alone.

   A program that opens libcs by dlopen(), and a library that is opened with
   RTLD_DEEPBIND, find libc's definitions first: there only the libraries
   that the policy patches know the store's blocks.  */

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "process/private.h"

struct cs_memory_region cs_memory_region;

void
cs_interposition_start (const struct cs_store *store)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);

  cs_memory_region.base = (uintptr_t) sb->base;
  cs_memory_region.len = (uintptr_t) sb->reserved;
}

static void (*next_free) (void *block);
static void *(*next_realloc) (void *block, size_t len);
static size_t (*next_usable_size) (void *block);

/* volatile: dlsym() is declared to call nothing of ours back (`leaf`).  */
static __thread volatile bool is_looking;

/* Threads that come here at a time find the same.  */
static void __attribute__ ((constructor))
look_up (void)
{
  if (is_looking)
    return;
  is_looking = true;
  next_realloc = dlsym (RTLD_NEXT, "realloc");
  next_usable_size = dlsym (RTLD_NEXT, "malloc_usable_size");
  next_free = dlsym (RTLD_NEXT, "free");
  is_looking = false;
}

void
free (void *block)
{
  if (cs_memory_is_store (block))
    {
      cs_memory_free (block);
      return;
    }
  if (!next_free)
    look_up ();
  if (next_free)
    next_free (block);
}

void *
realloc (void *block, size_t len)
{
  if (cs_memory_is_store (block))
    return cs_borrowed_realloc (block, len);
  if (!next_realloc)
    look_up ();
  if (next_realloc)
    return next_realloc (block, len);
  errno = ENOMEM;
  return NULL;
}

size_t
malloc_usable_size (void *block)
{
  if (cs_memory_is_store (block))
    return cs_memory_usable_size (block);
  if (!next_usable_size)
    look_up ();
  return next_usable_size ? next_usable_size (block) : 0;
}
