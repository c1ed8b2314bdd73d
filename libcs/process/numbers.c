/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* numbers.c -- which descriptors the program got by their numbers.

   libguile's calls that give a number away, or end it, go through here, so
   that a checkpoint can tell the program's descriptors from those of the
   process and of other libraries.  A port's is among them while the port is
   open: the record says that a port has it (descriptors.c).

   Of 0 to 2, which every process has: whether the program has closed what was
   there when the process began.  */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "private.h"

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

  if (takes_mode (flags))
    {
      va_start (arguments, flags);
      mode = va_arg (arguments, mode_t);
      va_end (arguments);
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
  return got (dup (fd));
}

int
cs_numbers_dup2 (int old, int new)
{
  int fd = dup2 (old, new);

  if (fd >= 0 && old != new)
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
  if (is_standard (fd))
    cs_numbers_add (fd);
  else
    drop (fd);
  return close (fd);
}
