/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fail-write.c -- a library to be preloaded that lets write() fail.

   CS_FAIL_WRITE=N:ERROR in the environment: the Nth write to a standard
   descriptor or a regular file fails with the number ERROR, and a file `hit`
   is made in the working directory.  With CS_FAIL_WRITE=N:ERROR:on all writes
   to regular files fail from the Nth one on.  libguile writes to ports with
   write(), the store with pwrite().  */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long left;
static int error;
static bool goes_on;

static void __attribute__ ((constructor))
prepare (void)
{
  const char *when = getenv ("CS_FAIL_WRITE");
  char *end;

  if (!when)
    return;
  left = strtol (when, &end, 10);
  error = (int) strtol (end + 1, &end, 10);
  goes_on = strcmp (end, ":on") == 0;
}

static bool
counts (int fd)
{
  struct stat status;
  bool is_file = fstat (fd, &status) == 0 && S_ISREG (status.st_mode);

  return error != 0 && (is_file || (fd < 3 && !goes_on));
}

ssize_t
write (int fd, const void *bytes, size_t len)
{
  ssize_t (*real) (int, const void *, size_t)
    = (ssize_t (*) (int, const void *, size_t)) dlsym (RTLD_NEXT, "write");
  long n = counts (fd) ? __atomic_sub_fetch (&left, 1, __ATOMIC_SEQ_CST) : 1;

  if (n == 0 || (goes_on && n < 0))
    {
      close (open ("hit", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      errno = error;
      return -1;
    }
  return real (fd, bytes, len);
}
