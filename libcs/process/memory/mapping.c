/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mapping.c -- mmap and its family, in the store.

   Callers are the collector (heap), the interpreter's VM (stacks), its
   loader (compiled files) and its JIT (code arenas).  A private file mapping
   becomes a copy of the file's bytes, which is what it would be read as.
   Shared mappings stay with the kernel: they are about other processes.

   The JIT fills an arena from its start and keeps using it as long as its
   thread lives (Guile 3.0.8, libguile/jit.c, allocate_code_arena); it never
   frees one.  After a resume the thread is gone, so the pages behind an
   arena's last used byte are given back (cs_process_trim).

   What is asked for as readable is mapped writable too.  libguile's loader
   maps each compiled file read-only and makes its data writable (3.0.8,
   libguile/loader.c, load_thunk_from_memory): two hundred ranges of changing
   protection, each to be mapped at every resume.  Of one protection they are
   one range.  PROT_NONE and executable memory stay what they are.

   These functions are called from inside a collection: they must not
   allocate, print, or enter Guile.  */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/private.h"

static pthread_mutex_t arenas_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
in_store (const void *addr)
{
  return cs_store_contains (cs_process.store, addr);
}

/* Read LEN bytes of FD from OFF to ADDR; what lies behind the end of the
   file stays zero, as in a mapping's last page.  */
static int
read_file (char *addr, size_t len, int fd, off_t off)
{
  size_t done = 0;
  ssize_t n;

  while (done < len)
    {
      n = pread (fd, addr + done, len - done, off + (off_t) done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return -errno;
      if (n == 0)
        break;
      done += (size_t) n;
    }
  return 0;
}

static size_t
to_pages (size_t len)
{
  return (len + CS_STORE_PAGE_LEN - 1) & -(size_t) CS_STORE_PAGE_LEN;
}

void
cs_mapping_hold (void)
{
  cs_locks_lock (&arenas_lock);
}

void
cs_mapping_release (void)
{
  cs_locks_unlock (&arenas_lock);
}

static void
note_arena (const void *addr, size_t len)
{
  struct cs_process_disk *image = cs_process.image;

  cs_locks_lock (&arenas_lock);
  if (image->nr_arenas < CS_PROCESS_ARENAS_MAX)
    image->arenas[image->nr_arenas++]
      = (struct cs_arena_disk) { (uintptr_t) addr, to_pages (len) };
  cs_locks_unlock (&arenas_lock);
}

/* [ADDR, ADDR + LEN) becomes something else: forget arenas there.  */
static void
forget_arenas (const void *addr, size_t len)
{
  struct cs_process_disk *image = cs_process.image;
  uint64_t start = (uintptr_t) addr, end = start + to_pages (len);
  uint32_t i = 0;

  cs_locks_lock (&arenas_lock);
  while (i < image->nr_arenas)
    if (image->arenas[i].addr < end
        && image->arenas[i].addr + image->arenas[i].len > start)
      image->arenas[i] = image->arenas[--image->nr_arenas];
    else
      i++;
  cs_locks_unlock (&arenas_lock);
}

/* The protection a range of the store gets for PROT.  */
static int
store_prot (int prot)
{
  return prot == PROT_READ ? PROT_READ | PROT_WRITE : prot;
}

static void *
map_anywhere (size_t len, int prot, int flags, int fd, off_t off)
{
  bool anonymous = (flags & MAP_ANONYMOUS) != 0;
  int code = 0;
  void *addr = cs_store_map (cs_process.store, len,
                             anonymous ? store_prot (prot)
                                       : PROT_READ | PROT_WRITE,
                             CS_EXTENT_HEAP);

  if (!addr)
    return MAP_FAILED;
  if (!anonymous)
    code = read_file (addr, len, fd, off);
  if (code == 0 && !anonymous && store_prot (prot) != (PROT_READ | PROT_WRITE))
    code = cs_store_protect (cs_process.store, addr, len, prot);
  if (code != 0)
    {
      cs_store_unmap (cs_process.store, addr, len);
      errno = -code;
      return MAP_FAILED;
    }
  if (anonymous && (prot & PROT_EXEC))
    note_arena (addr, len);
  return addr;
}

/* Return for a libc function: 0, or -1 with errno set from CODE.  */
static int
libc_result (int code)
{
  if (code == 0)
    return 0;
  errno = -code;
  return -1;
}

static void *
map (void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  if (!(flags & MAP_FIXED))
    return map_anywhere (len, prot, flags, fd, off);
  if (!(flags & MAP_ANONYMOUS))
    {
      errno = ENOTSUP;
      return MAP_FAILED;
    }
  forget_arenas (addr, len);
  if (libc_result (cs_store_map_at (cs_process.store, addr, len,
                                    store_prot (prot), CS_EXTENT_HEAP)) != 0)
    return MAP_FAILED;
  return addr;
}

/* The store has a lock of its own, which whoever writes the image takes
   too.  */

void *
cs_mapping_mmap (void *addr, size_t len, int prot, int flags, int fd,
                 off_t off)
{
  if ((flags & MAP_SHARED) || len == 0
      || ((flags & MAP_FIXED) && !in_store (addr)))
    return mmap (addr, len, prot, flags, fd, off);
  cs_process_defer_stop ();
  addr = map (addr, len, prot, flags, fd, off);
  cs_process_allow_stop ();
  return addr;
}

int
cs_mapping_munmap (void *addr, size_t len)
{
  int code;

  if (!in_store (addr))
    return munmap (addr, len);
  cs_process_defer_stop ();
  forget_arenas (addr, len);
  code = libc_result (cs_store_unmap (cs_process.store, addr, len));
  cs_process_allow_stop ();
  return code;
}

int
cs_mapping_mprotect (void *addr, size_t len, int prot)
{
  int code;

  if (!in_store (addr))
    return mprotect (addr, len, prot);
  cs_process_defer_stop ();
  code = libc_result (cs_store_protect (cs_process.store, addr, len,
                                        store_prot (prot)));
  cs_process_allow_stop ();
  return code;
}

int
cs_mapping_madvise (void *addr, size_t len, int advice)
{
  int code;

  if (!in_store (addr))
    return madvise (addr, len, advice);
  if (advice != MADV_DONTNEED && advice != MADV_FREE)
    return 0;
  cs_process_defer_stop ();
  code = libc_result (cs_store_clear (cs_process.store, addr, len));
  cs_process_allow_stop ();
  return code;
}

/* Bytes from ADDR to behind the last one that is not zero.  */
static size_t
used_len (const char *addr, size_t len)
{
  const uint64_t *words = (const uint64_t *) addr;
  size_t n = len / sizeof *words;

  while (n > 0 && words[n - 1] == 0)
    n--;
  return n * sizeof *words;
}

/* Give back the unused tails of all arenas: their threads are gone.  */
void
cs_process_trim (void)
{
  struct cs_process_disk *image = cs_process.image;
  size_t page = CS_STORE_PAGE_LEN;
  size_t used;
  char *addr;

  for (uint32_t i = 0; i < image->nr_arenas; i++)
    {
      addr = (char *) (uintptr_t) image->arenas[i].addr;
      used = (used_len (addr, image->arenas[i].len) + page - 1) & -page;
      if (used < image->arenas[i].len)
        cs_store_unmap (cs_process.store, addr + used,
                        image->arenas[i].len - used);
    }
  image->nr_arenas = 0;
}
