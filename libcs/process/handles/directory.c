/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* directory.c -- directory streams that can be kept in a heap.

   libguile keeps the DIR * of (opendir) in the object (3.0.8,
   libguile/filesys.c, scm_opendir), and closes it when that is collected.
   What it gets from here is a block in the store with the directory's name.
   The stream ends with its process, since where it stood means nothing to
   another stream.  Later, reading is an error that says so; starting from the
   beginning opens the directory again, if it can be; and closing succeeds,
   since scm_dir_free takes no failure.  */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/private.h"

struct cs_directory
{
  uint64_t epoch;               /* in which DIR was opened */
  DIR *dir;
  char path[];                  /* absolute, if that could be had */
};

static bool
is_current (const struct cs_directory *handle)
{
  return handle->epoch == cs_process.image->epoch;
}

/* PATH with the current directory before it if it is relative; memory of
   libc's.  */
static char *
make_absolute (const char *path)
{
  char here[PATH_MAX];
  char *whole;

  if (path[0] == '/' || !getcwd (here, sizeof here)
      || asprintf (&whole, "%s/%s", here, path) < 0)
    whole = strdup (path);
  return whole;
}

static struct cs_directory *
wrap (DIR *dir, const char *path)
{
  char *whole = make_absolute (path);
  struct cs_directory *handle
    = whole ? cs_memory_malloc (sizeof *handle + strlen (whole) + 1) : NULL;

  if (handle)
    {
      handle->epoch = cs_process.image->epoch;
      handle->dir = dir;
      strcpy (handle->path, whole);
    }
  free (whole);
  return handle;
}

struct cs_directory *
cs_directory_open (const char *path)
{
  DIR *dir = opendir (path);
  struct cs_directory *handle;

  if (!dir)
    return NULL;
  handle = wrap (dir, path);
  if (!handle)
    {
      closedir (dir);
      errno = ENOMEM;
    }
  return handle;
}

/* scm_readdir's mutex is given back when an error is raised below it.  */
static void
complain (const struct cs_directory *handle)
{
  char text[512];

  snprintf (text, sizeof text, "directory stream of '%.400s': an earlier"
            " process opened it, and it ended with that; rewinddir begins"
            " anew", handle->path);
  if (cs_process.raise)
    cs_process.raise (text);
  errno = EBADF;
}

struct dirent64 *
cs_directory_read (struct cs_directory *handle)
{
  if (is_current (handle))
    return readdir64 (handle->dir);
  complain (handle);
  return NULL;
}

/* scm_rewinddir holds a mutex that it would keep if an error were raised.  */
void
cs_directory_rewind (struct cs_directory *handle)
{
  DIR *dir;

  if (is_current (handle))
    {
      rewinddir (handle->dir);
      return;
    }
  dir = opendir (handle->path);
  if (dir)
    {
      handle->dir = dir;
      handle->epoch = cs_process.image->epoch;
    }
}

int
cs_directory_close (struct cs_directory *handle)
{
  int code = 0;

  if (is_current (handle))
    code = closedir (handle->dir);
  cs_memory_free (handle);
  return code;
}
