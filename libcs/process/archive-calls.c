/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive-calls.c -- libguile's calls that ask about a file, answered for
   those that the store carries.

   On i386 libguile calls stat() in one file, with offsets of 32 bits, and
   stat64() in another (3.0.8, libguile/load.c and filesys.c).  So this file
   is compiled without _FILE_OFFSET_BITS, as libguile is: `struct stat' is
   that of stat() here.  */

#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/archive.h"

/* Fill *S, a struct stat or struct stat64, if PATH is carried.  */
#define FILL(path, s)                                                       \
  ({                                                                        \
    struct cs_archive_status carried;                                       \
    bool found = cs_archive_status ((path), &carried);                      \
    if (found)                                                              \
      {                                                                     \
        memset ((s), 0, sizeof *(s));                                       \
        (s)->st_mode = S_IFREG | 0444;                                      \
        (s)->st_nlink = 1;                                                  \
        (s)->st_ino = carried.number;                                       \
        (s)->st_size = (__typeof__ ((s)->st_size)) carried.len;             \
        (s)->st_blksize = 4096;                                             \
        (s)->st_mtim.tv_sec = (time_t) (carried.mtime / 1000000000);        \
        (s)->st_mtim.tv_nsec = (long) (carried.mtime % 1000000000);         \
        (s)->st_atim = (s)->st_ctim = (s)->st_mtim;                         \
      }                                                                     \
    found;                                                                  \
  })

/* RESULT of a call about PATH, but for code of a newer interpreter.  */
static int
unless_hidden (const char *path, int result)
{
  if (result != 0 || !cs_archive_hides (path))
    return result;
  errno = ENOENT;
  return -1;
}

int
cs_archive_stat (const char *path, void *status)
{
  struct stat *s = status;

  return FILL (path, s) ? 0 : unless_hidden (path, stat (path, s));
}

int
cs_archive_lstat (const char *path, void *status)
{
  struct stat *s = status;

  return FILL (path, s) ? 0 : unless_hidden (path, lstat (path, s));
}

int
cs_archive_stat64 (const char *path, void *status)
{
  struct stat64 *s = status;

  return FILL (path, s) ? 0 : unless_hidden (path, stat64 (path, s));
}

int
cs_archive_lstat64 (const char *path, void *status)
{
  struct stat64 *s = status;

  return FILL (path, s) ? 0 : unless_hidden (path, lstat64 (path, s));
}

int
cs_archive_access (const char *path, int mode)
{
  struct cs_archive_status status;

  if (!cs_archive_status (path, &status))
    return access (path, mode);
  if (!(mode & (W_OK | X_OK)))
    return 0;
  errno = EACCES;
  return -1;
}

char *
cs_archive_canonicalize (const char *path)
{
  struct cs_archive_status status;

  return cs_archive_status (path, &status) ? strdup (path)
                                           : canonicalize_file_name (path);
}
