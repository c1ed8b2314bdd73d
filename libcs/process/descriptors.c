/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* descriptors.c -- file descriptors that the image holds by number.

   A port that was open at a checkpoint keeps its descriptor's number.  At a
   resume each of these numbers is taken again before anything else can get
   it: a regular file that is still the same one is opened at its offset;
   anything else gets a descriptor on which reading and writing fail with
   EBADF (O_PATH, open(2)), so that the port's end closes nothing of anybody
   else's.

   The numbers are those of open file ports: the interpreter layer asks for
   them one by one.  Others that libguile holds (the pipes it wakes threads
   with) belong to threads, which do not survive; when they are weeded their
   pipes are not closed, because in this process they are not open.

   Numbers 0 to 2 are always the new process's.  */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"
#include "report.h"

/* Keep PATH for this checkpoint; 0 when there is no room.  */
static uint32_t
keep_path (const char *path, size_t len)
{
  struct cs_process_disk *image = cs_process.image;
  uint32_t off = image->paths_len;

  if (len + 1 > CS_PROCESS_STRINGS_MAX - off)
    return 0;
  memcpy (image->paths + off, path, len);
  image->paths[off + len] = '\0';
  image->paths_len += (uint32_t) len + 1;
  return off;
}

void
cs_process_record_descriptor (int fd)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_descriptor_disk *d;
  char link[32], path[PATH_MAX];
  struct stat status;
  ssize_t len;
  int flags = fcntl (fd, F_GETFL), fd_flags = fcntl (fd, F_GETFD);

  if (fd < CS_DESCRIPTORS_FIRST || fd >= CS_DESCRIPTORS_END || flags < 0
      || image->nr_descriptors == CS_PROCESS_DESCRIPTORS_MAX
      || fstat (fd, &status) != 0)
    return;
  d = &image->descriptors[image->nr_descriptors++];
  *d = (struct cs_descriptor_disk) {
    .fd = fd, .kind = CS_DESCRIPTOR_OTHER,
    .flags = (uint32_t) flags | (fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0),
    .dev = status.st_dev, .ino = status.st_ino
  };
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  len = readlink (link, path, sizeof path);
  if (len > 0)
    d->path = keep_path (path, (size_t) len);
  if (S_ISREG (status.st_mode) && d->path)
    {
      d->kind = CS_DESCRIPTOR_FILE;
      d->offset = (uint64_t) lseek (fd, 0, SEEK_CUR);
    }
}

void
cs_process_forget_descriptors (void)
{
  cs_process.image->nr_descriptors = 0;
  cs_process.image->paths_len = 1;
}

/* Open D's file again; -1 with *WHY if it cannot be.  */
static int
reopen (const struct cs_descriptor_disk *d, const char **why)
{
  const char *path = cs_process.image->paths + d->path;
  struct stat status;
  int fd = open (path, ((int) d->flags & ~(O_CREAT | O_EXCL | O_TRUNC))
                         | O_NOCTTY | O_NONBLOCK);

  *why = NULL;
  if (fd < 0)
    *why = strerror (errno);
  else if (fstat (fd, &status) != 0 || status.st_dev != d->dev
           || status.st_ino != d->ino)
    *why = "another file has its name";
  else if (lseek (fd, (off_t) d->offset, SEEK_SET) < 0
           || fcntl (fd, F_SETFL, (int) d->flags) != 0)
    *why = strerror (errno);
  if (*why && fd >= 0)
    close (fd);
  return *why ? -1 : fd;
}

/* One that was only held by its number was told of before.  */
static void
tell (const struct cs_descriptor_disk *d, const char *why)
{
  const char *path = cs_process.image->paths + d->path;

  if (d->flags & O_PATH)
    return;
  if (d->kind != CS_DESCRIPTOR_FILE)
    cs_report (CS_REPORT_CLOSED, "descriptor %d ('%s'): not a regular file",
               d->fd, d->path ? path : "");
  else if (why)
    cs_report (CS_REPORT_CLOSED, "file '%s' (descriptor %d): %s", path,
               d->fd, why);
  else
    cs_report (CS_REPORT_REOPENED, "file '%s' (descriptor %d) at offset %"
               PRIu64, path, d->fd, d->offset);
}

static int
occupy (const struct cs_descriptor_disk *d)
{
  const char *why = NULL;
  int fd = -1, code = cs_store_yield_descriptor (cs_process.store, d->fd);

  if (code != 0)
    return code;
  if (d->kind == CS_DESCRIPTOR_FILE)
    fd = reopen (d, &why);
  tell (d, why);
  if (fd < 0)
    fd = open ("/", O_PATH | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (fd == d->fd)
    return 0;
  if (dup3 (fd, d->fd, (int) d->flags & O_CLOEXEC) < 0)
    code = -errno;
  close (fd);
  return code;
}

int
cs_descriptors_resume (struct cs_err *err)
{
  const struct cs_process_disk *image = cs_process.image;
  int code;

  for (uint32_t i = 0; i < image->nr_descriptors; i++)
    {
      code = occupy (&image->descriptors[i]);
      if (code != 0)
        return cs_err_sys (err, -code, "cannot take descriptor %d again",
                           image->descriptors[i].fd);
    }
  return 0;
}

int
cs_descriptors_close (int fd)
{
  return cs_process.weeding ? 0 : close (fd);
}
