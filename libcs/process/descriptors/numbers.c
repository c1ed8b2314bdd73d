/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* numbers.c -- which descriptors the program got by their numbers.

   libguile's calls that give a number away, or end it, go through here, so
   that a checkpoint can tell the program's descriptors from those of the
   process and of other libraries.  A port's is among them while the port is
   open: the record says that a port has it (descriptors.c).

   Of 0 to 2, which every process has: whether the program has closed what was
   there when the process began.

   The store's own descriptors are not the program's (store/own.c): for these
   calls they are not open, and where the program wants such a number for a
   file of its own, the store's descriptor moves.  The same holds for what
   extensions call, and for functions that dlsym() finds (cs_numbers_guard).  */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process/private.h"
#include "process/archive.h"

#define WORD_BITS 64

static atomic_uint_least64_t *words;    /* a bit for each number */
static atomic_int end;          /* no number from here on is marked */

/* Not among our own data, which the collector takes for roots and goes
   through each time (libgc 8.2.2, dyn_load.c,
   GC_register_dynlib_callback).  */
int
cs_numbers_start (void)
{
  if (!words)
    words = mmap (NULL, CS_DESCRIPTORS_END / 8, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (words != MAP_FAILED)
    return 0;
  words = NULL;
  return -errno;
}

static bool
is_standard (int fd)
{
  return fd >= 0 && fd < CS_DESCRIPTORS_FIRST;
}

static uint_least64_t
bit (int fd)
{
  return (uint_least64_t) 1 << fd % WORD_BITS;
}

void
cs_numbers_add (int fd)
{
  int old = atomic_load (&end);

  if (fd < 0 || fd >= CS_DESCRIPTORS_END)
    return;
  atomic_fetch_or (&words[fd / WORD_BITS], bit (fd));
  while (old <= fd && !atomic_compare_exchange_weak (&end, &old, fd + 1))
    ;
}

static void
drop (int fd)
{
  if (fd >= 0 && fd < CS_DESCRIPTORS_END)
    atomic_fetch_and (&words[fd / WORD_BITS], ~bit (fd));
}

static void
note_closed (int fd)
{
  if (is_standard (fd))
    cs_numbers_add (fd);
  else
    drop (fd);
}

bool
cs_numbers_has (int fd)
{
  return fd >= 0 && fd < CS_DESCRIPTORS_END
         && (atomic_load (&words[fd / WORD_BITS]) & bit (fd));
}

int
cs_numbers_end (void)
{
  return atomic_load (&end);
}

static bool
is_the_stores (int fd)
{
  return cs_process.store && cs_store_owns_descriptor (cs_process.store, fd);
}

static int
refuse (void)
{
  errno = EBADF;
  return -1;
}

/* A new descriptor, or -1.  */
static int
got (int fd)
{
  if (fd >= CS_DESCRIPTORS_FIRST)
    cs_numbers_add (fd);
  return fd;
}

/* Does open() with FLAGS take a mode?  */
static bool
takes_mode (int flags)
{
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

int
cs_numbers_open (const char *path, int flags, ...)
{
  mode_t mode = 0;
  va_list arguments;
  int carried;

  if (takes_mode (flags))
    {
      va_start (arguments, flags);
      mode = va_arg (arguments, mode_t);
      va_end (arguments);
    }
  if ((flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY)) == O_RDONLY)
    {
      carried = cs_archive_open (path);
      if (carried >= 0)
        return got (carried);
      errno = -carried;
      if (carried != -ENOENT)
        return -1;
    }
  return got (open (path, flags, mode));
}

int
cs_numbers_openat (int folder, const char *path, int flags, ...)
{
  mode_t mode = 0;
  va_list arguments;

  if (takes_mode (flags))
    {
      va_start (arguments, flags);
      mode = va_arg (arguments, mode_t);
      va_end (arguments);
    }
  return got (openat (folder, path, flags, mode));
}

int
cs_numbers_dup (int fd)
{
  return is_the_stores (fd) ? refuse () : got (dup (fd));
}

/* Have number NEW free of the store's.  False, with errno, if OLD cannot be
   duplicated there.  */
static bool
make_way (int old, int new)
{
  int r;

  if (is_the_stores (old))
    {
      refuse ();
      return false;
    }
  if (!cs_process.store || fcntl (old, F_GETFD) < 0)
    return true;                /* dup2() says what is wrong */
  r = cs_store_yield_descriptor (cs_process.store, new);
  errno = -r;
  return r == 0;
}

int
cs_numbers_dup2 (int old, int new)
{
  int fd = make_way (old, new) ? dup2 (old, new) : -1;

  if (fd >= 0 && old != new)
    cs_numbers_add (new);
  return fd;
}

int
cs_numbers_dup3 (int old, int new, int flags)
{
  int fd = make_way (old, new) ? dup3 (old, new, flags) : -1;

  if (fd >= 0)
    cs_numbers_add (new);
  return fd;
}

/* The third argument, of whatever type, as glibc's own fcntl takes it.  */
int
cs_numbers_fcntl (int fd, int command, ...)
{
  va_list arguments;
  void *argument;
  int result;

  va_start (arguments, command);
  argument = va_arg (arguments, void *);
  va_end (arguments);
  if (is_the_stores (fd))
    return refuse ();
  result = fcntl (fd, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? got (result)
                                                          : result;
}

/* A thread that is brought to its end has descriptors of the last process,
   which all are at theirs (once.c).  */
ssize_t
cs_numbers_read (int fd, void *bytes, size_t len)
{
  return cs_once_is_ending () ? 0 : read (fd, bytes, len);
}

/* While what the last process had is taken down, its numbers are not those
   of this one.  */
int
cs_numbers_close (int fd)
{
  if (cs_process.weeding || cs_once_is_ending ())
    return 0;
  if (is_the_stores (fd))
    return refuse ();
  note_closed (fd);
  return close (fd);
}

/* Close FIRST to LAST; Linux before 5.9 has no such call.  */
static int
close_some (unsigned first, unsigned last, int flags)
{
  struct rlimit limit;

  if (close_range (first, last, flags) == 0)
    return 0;
  if (errno != ENOSYS || flags != 0 || getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return -1;
  for (rlim_t fd = first; fd <= last && fd < limit.rlim_cur; fd++)
    close ((int) fd);
  return 0;
}

/* All but the store's, one stretch between these after the other.  */
int
cs_numbers_close_range (unsigned first, unsigned last, int flags)
{
  int own, r = 0;

  if (first > last || (flags & CLOSE_RANGE_CLOEXEC))
    return close_range (first, last, flags);
  while (r == 0 && first <= last && first <= INT_MAX && cs_process.store
         && (own = cs_store_next_descriptor (cs_process.store, (int) first))
            >= 0
         && (unsigned) own <= last)
    {
      if ((unsigned) own > first)
        r = close_some (first, (unsigned) own - 1, flags);
      first = (unsigned) own + 1;
    }
  if (r == 0 && first <= last)
    r = close_some (first, last, flags);
  for (int fd = 0; r == 0 && fd < cs_numbers_end (); fd++)
    if (fcntl (fd, F_GETFD) < 0)
      note_closed (fd);
  return r;
}

void
cs_numbers_close_from (int lowest)
{
  cs_numbers_close_range (lowest > 0 ? (unsigned) lowest : 0, UINT_MAX, 0);
}

void *
cs_numbers_guard (void *function)
{
  static const struct
  {
    void *of_libc, *ours;
  } guards[] = {
    { close, cs_numbers_close }, { dup, cs_numbers_dup },
    { dup2, cs_numbers_dup2 }, { dup3, cs_numbers_dup3 },
    { fcntl, cs_numbers_fcntl }, { close_range, cs_numbers_close_range },
    { closefrom, cs_numbers_close_from }
  };

  for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
    if (guards[i].of_libc == function)
      return guards[i].ours;
  return function;
}
