/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* directory.c -- directory streams that can be kept in a heap.

   libguile keeps the DIR * of (opendir) in the object (3.0.8,
   libguile/filesys.c, scm_opendir), and closes it when that is collected.
   What it gets from here is a block in the store.  The stream ends with its
   process: later there is nothing to read, with errno EBADF, which
   scm_readdir raises as a system error, and closing succeeds, since
   scm_dir_free takes no failure.  */

#include <dirent.h>
#include <errno.h>

#include "private.h"

struct cs_directory
{
  uint64_t epoch;               /* in which DIR was opened */
  DIR *dir;
};

/* libc's stream, or NULL with errno set if it was of an earlier process.  */
static DIR *
real (const struct cs_directory *handle)
{
  if (handle->epoch == cs_process.image->epoch)
    return handle->dir;
  errno = EBADF;
  return NULL;
}

struct cs_directory *
cs_directory_open (const char *path)
{
  DIR *dir = opendir (path);
  struct cs_directory *handle;

  if (!dir)
    return NULL;
  handle = cs_memory_malloc (sizeof *handle);
  if (!handle)
    {
      closedir (dir);
      errno = ENOMEM;
      return NULL;
    }
  *handle = (struct cs_directory) { cs_process.image->epoch, dir };
  return handle;
}

struct dirent64 *
cs_directory_read (struct cs_directory *handle)
{
  DIR *dir = real (handle);

  return dir ? readdir64 (dir) : NULL;
}

void
cs_directory_rewind (struct cs_directory *handle)
{
  DIR *dir = real (handle);

  if (dir)
    rewinddir (dir);
}

int
cs_directory_close (struct cs_directory *handle)
{
  int code = 0;

  if (handle->epoch == cs_process.image->epoch)
    code = closedir (handle->dir);
  cs_memory_free (handle);
  return code;
}
