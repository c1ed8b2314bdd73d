/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-file.c -- files that have no name, and dlopen() of them.  */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intern/library-file.h"
#include "intern/library.h"

/* Where everybody may write.  */
static const char *const directories[] = { "/dev/shm", "/tmp", "/var/tmp" };
#define NR_DIRECTORIES (sizeof directories / sizeof *directories)

int
cs_library_open_unnamed (const char *label)
{
  int fd = memfd_create (label, MFD_CLOEXEC), reason = errno;

  for (size_t i = 0; fd < 0 && i < NR_DIRECTORIES; i++)
    fd = open (directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  errno = reason;
  return fd;
}

static int
copy_all (int from, int to)
{
  struct stat status;
  off_t off = 0;

  if (fstat (from, &status) != 0)
    return -1;
  while (off < status.st_size)
    if (sendfile (to, from, &off, (size_t) (status.st_size - off)) <= 0)
      return -1;
  return 0;
}

static void *
open_path (const char *path, int flags, const char *soname, struct cs_err *err)
{
  void *handle = dlopen (path, flags);

  if (!handle)
    cs_err_set (err, CS_E_INCOMPATIBLE, "cannot load '%s': %s", soname,
                dlerror ());
  return handle;
}

/* Load a copy of FD in DIRECTORY.  ERR is left alone if there can be none.  */
static void *
open_copy (int fd, const char *directory, int flags, const char *soname,
           struct cs_err *err)
{
  char path[64];
  void *handle = NULL;
  int copy;

  snprintf (path, sizeof path, "%s/coldstore-XXXXXX", directory);
  copy = mkostemp (path, O_CLOEXEC);
  if (copy < 0)
    return NULL;
  if (copy_all (fd, copy) == 0)
    handle = open_path (path, flags, soname, err);
  unlink (path);
  close (copy);
  return handle;
}

/* dlerror() gives a reason only in words.  */
static bool
no_descriptor_left (int fd)
{
  int copy = dup (fd);

  if (copy < 0)
    return errno == EMFILE;
  close (copy);
  return false;
}

/* A path of descriptor FD that no other NUMBER has.  */
static void
make_path (char *path, size_t number, int fd)
{
  path = stpcpy (path, "/proc/self");
  for (size_t i = 0; i < number; i++)
    path = stpcpy (path, "/.");
  sprintf (path, "/fd/%d", fd);
}

void *
cs_library_open_file (int fd, size_t number, const char *soname, int flags,
                      struct cs_err *err)
{
  char path[64 + 2 * CS_LIBRARY_SET_MAX];
  void *handle;

  make_path (path, number, fd);
  handle = open_path (path, flags, soname, err);
  if (handle)
    return handle;
  if (no_descriptor_left (fd))
    {
      cs_err_sys (err, EMFILE, "cannot load '%s'", soname);
      return NULL;
    }
  cs_err_advise_space (err);
  if (access (path, F_OK) == 0)
    return NULL;
  for (size_t i = 0; !handle && i < NR_DIRECTORIES; i++)
    handle = open_copy (fd, directories[i], flags, soname, err);
  if (!handle)
    cs_err_advise (err, "mount /proc, or let files be written to /tmp");
  return handle;
}
