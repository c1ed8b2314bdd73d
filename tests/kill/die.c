/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* die.c -- a process that dies in one of the store's system calls, or in which
   one fails.

   Linked into copies of the commands that only tests use.  In the
   environment, CS_DIE=CALL:N stands for the Nth time that the process calls
   CALL: it ends then as by `kill -9`.  CALL is one of those below, or `any`
   of them.  A pwrite is half done by then, as far as a disk can do half of it:
   in sectors.  The others have not begun; openat counts only when it creates a
   file.

   CS_FAIL=CALL:N:ERROR lets that call fail with the number ERROR instead, once.
   CALL may also be `log` then: a pwrite to the log of a store.
   With CS_FAIL=short no pwrite writes more than half of what it could.  */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

#define SECTOR_LEN ((size_t) 512)

static struct cs_sys real;
static char call[32];
static long left;
static int error;               /* 0: die */
static bool is_short;

static bool
is_time (const char *name)
{
  return ((strcmp (call, name) == 0 || strcmp (call, "any") == 0)
          && __atomic_sub_fetch (&left, 1, __ATOMIC_SEQ_CST) == 0);
}

static void
die (void)
{
  kill (getpid (), SIGKILL);
  for (;;)
    pause ();
}

/* Does this call fail?  */
static bool
fails (const char *name)
{
  if (!is_time (name))
    return false;
  if (error == 0)
    die ();
  errno = error;
  return true;
}

static int
d_openat (int dirfd, const char *name, int flags, mode_t mode)
{
  if ((flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
      && fails ("openat"))
    return -1;
  return real.openat (dirfd, name, flags, mode);
}

/* Is OFF in the log of the store at FD?  */
static bool
is_in_log (int fd, off_t off)
{
  struct cs_superblock_disk sb;

  return (pread (fd, &sb, sizeof sb, 0) == (ssize_t) sizeof sb
          && memcmp (sb.magic, CS_STORE_MAGIC, sizeof sb.magic) == 0
          && (uint64_t) off >= cs_store_image_off (&sb)
                               + ((uint64_t) sb.log_start << 20));
}

static ssize_t
d_pwrite (int fd, const void *buf, size_t len, off_t off)
{
  if (is_short && len > 1)
    len /= 2;
  if (error == 0 && is_time ("pwrite"))
    {
      if (real.pwrite (fd, buf, len / 2 / SECTOR_LEN * SECTOR_LEN, off) >= 0)
        die ();
      die ();
    }
  return error != 0 && fails (is_in_log (fd, off) ? "log" : "pwrite") ? -1
         : real.pwrite (fd, buf, len, off);
}

static ssize_t
d_copy_file_range (int in, off_t *in_off, int out, off_t *out_off,
                   size_t len, unsigned int flags)
{
  return fails ("copy_file_range") ? -1
         : real.copy_file_range (in, in_off, out, out_off, len, flags);
}

static int
d_ftruncate (int fd, off_t len)
{
  return fails ("ftruncate") ? -1
         : real.ftruncate (fd, len);
}

static int
d_fallocate (int fd, int mode, off_t off, off_t len)
{
  return fails ("fallocate") ? -1
         : real.fallocate (fd, mode, off, len);
}

static int
d_fsync (int fd)
{
  return fails ("fsync") ? -1
         : real.fsync (fd);
}

static int
d_fdatasync (int fd)
{
  return fails ("fdatasync") ? -1
         : real.fdatasync (fd);
}

static int
d_linkat (int old_dirfd, const char *old_name, int new_dirfd,
          const char *new_name, int flags)
{
  return fails ("linkat") ? -1
         : real.linkat (old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int
d_renameat2 (int old_dirfd, const char *old_name, int new_dirfd,
             const char *new_name, unsigned int flags)
{
  return fails ("renameat2") ? -1
         : real.renameat2 (old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int
d_unlinkat (int dirfd, const char *name, int flags)
{
  return fails ("unlinkat") ? -1
         : real.unlinkat (dirfd, name, flags);
}

static int
d_mkdirat (int dirfd, const char *name, mode_t mode)
{
  return fails ("mkdirat") ? -1
         : real.mkdirat (dirfd, name, mode);
}

static void __attribute__ ((constructor))
prepare (void)
{
  const char *fail = getenv ("CS_FAIL");
  const char *when = fail ? fail : getenv ("CS_DIE");
  const char *colon = when ? strchr (when, ':') : NULL;
  char *end;

  is_short = fail && strcmp (fail, "short") == 0;
  if (!is_short && (!colon || (size_t) (colon - when) >= sizeof call))
    return;
  if (colon)
    {
      memcpy (call, when, (size_t) (colon - when));
      left = strtol (colon + 1, &end, 10);
      error = fail && *end == ':' ? atoi (end + 1) : 0;
    }
  real = cs_sys;
  cs_sys.openat = d_openat;
  cs_sys.pwrite = d_pwrite;
  cs_sys.copy_file_range = d_copy_file_range;
  cs_sys.ftruncate = d_ftruncate;
  cs_sys.fallocate = d_fallocate;
  cs_sys.fsync = d_fsync;
  cs_sys.fdatasync = d_fdatasync;
  cs_sys.linkat = d_linkat;
  cs_sys.renameat2 = d_renameat2;
  cs_sys.unlinkat = d_unlinkat;
  cs_sys.mkdirat = d_mkdirat;
}
