/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* descriptors.c -- recording the descriptors that the image holds.  */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "private.h"

/* Keep NAME for this checkpoint; 0 when there is no room.  */
static uint32_t
keep_name (const char *name, size_t len)
{
  struct cs_process_disk *image = cs_process.image;
  uint32_t off = image->paths_len;

  if (len == 0 || len + 1 > CS_PROCESS_STRINGS_MAX - off)
    return 0;
  memcpy (image->paths + off, name, len);
  image->paths[off + len] = '\0';
  image->paths_len += (uint32_t) len + 1;
  return off;
}

static enum cs_descriptor_kind
kind_of (int fd, const struct statx *status)
{
  switch (status->stx_mode & S_IFMT)
    {
    case S_IFREG:
      return status->stx_nlink > 0 ? CS_DESCRIPTOR_FILE
                                   : CS_DESCRIPTOR_DELETED;
    case S_IFDIR:
      return status->stx_nlink > 0 ? CS_DESCRIPTOR_DIRECTORY
                                   : CS_DESCRIPTOR_DELETED;
    case S_IFCHR:
      return isatty (fd) ? CS_DESCRIPTOR_TERMINAL : CS_DESCRIPTOR_DEVICE;
    case S_IFBLK:
      return CS_DESCRIPTOR_DEVICE;
    case S_IFIFO:
      return CS_DESCRIPTOR_PIPE;
    case S_IFSOCK:
      return CS_DESCRIPTOR_SOCKET;
    default:
      return CS_DESCRIPTOR_OTHER;
    }
}

void
cs_descriptor_identify (struct cs_descriptor_disk *d,
                        const struct statx *status)
{
  bool is_device = S_ISCHR (status->stx_mode) || S_ISBLK (status->stx_mode);
  uint64_t device = makedev (status->stx_dev_major, status->stx_dev_minor);
  uint64_t number = makedev (status->stx_rdev_major, status->stx_rdev_minor);

  d->device = is_device ? number : device;
  d->inode = is_device ? number : status->stx_ino;
  if (!is_device && (status->stx_mask & STATX_BTIME))
    {
      d->born = status->stx_btime.tv_sec;
      d->born_nsec = status->stx_btime.tv_nsec;
    }
  d->size = status->stx_size;
}

bool
cs_descriptor_is_same (const struct cs_descriptor_disk *d,
                       const struct cs_descriptor_disk *now)
{
  if (d->inode != now->inode)
    return false;
  return d->born && now->born ? d->born == now->born
                                && d->born_nsec == now->born_nsec
                              : d->device == now->device;
}

static bool
leads_to (const char *path, const struct cs_descriptor_disk *d)
{
  struct cs_descriptor_disk found = { 0 };
  struct statx status;

  if (statx (AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME,
             &status) != 0)
    return false;
  cs_descriptor_identify (&found, &status);
  return cs_descriptor_is_same (d, &found);
}

/* The system's name for D's file.  Where it has none, because /proc is not
   there, the name that the port was given, if it leads to the file.  */
static void
set_path (struct cs_descriptor_disk *d, const char *given)
{
  static const char suffix[] = " (deleted)";
  char link[32], path[PATH_MAX];
  ssize_t len;

  snprintf (link, sizeof link, "/proc/self/fd/%d", d->fd);
  len = readlink (link, path, sizeof path - 1);
  if (len < 0)
    {
      if (!given || !leads_to (given, d) || !realpath (given, path))
        return;
      len = (ssize_t) strlen (path);
    }
  path[len] = '\0';
  if (len > (ssize_t) sizeof suffix
      && !strcmp (path + len - sizeof suffix + 1, suffix)
      && !leads_to (path, d))
    {
      /* One of several names may be gone.  */
      if (d->kind == CS_DESCRIPTOR_FILE)
        d->kind = CS_DESCRIPTOR_DELETED;
      len -= (ssize_t) sizeof suffix - 1;
    }
  d->name = keep_name (path, (size_t) len);
}

/* Pipes without a name are in a file system of their own.  Its device has
   the major number 0, as that of tmpfs has.  */
static bool
is_unnamed_pipe (const struct cs_descriptor_disk *d)
{
  struct statfs status;

  return d->kind == CS_DESCRIPTOR_PIPE
         && fstatfs (d->fd, &status) == 0 && status.f_type == PIPEFS_MAGIC;
}

static void
set_name (struct cs_descriptor_disk *d, const char *given)
{
  char text[200];

  if (d->kind == CS_DESCRIPTOR_SOCKET)
    {
      cs_endpoint_describe (d->fd, text, sizeof text);
      d->name = keep_name (text, strlen (text));
    }
  else if (!is_unnamed_pipe (d))
    set_path (d, given);
}

/* Does the system say that A and B are one open file, which has one
   offset?  */
static bool
is_shared (int a, int b)
{
  pid_t self = getpid ();

  return syscall (SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static void
set_shared (struct cs_descriptor_disk *d)
{
  const struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_descriptors; i++)
    {
      const struct cs_descriptor_disk *other = &image->descriptors[i];

      if (other != d && !other->shares && other->kind == d->kind
          && other->inode == d->inode && other->device == d->device
          && is_shared (other->fd, d->fd))
        {
          d->shares = i + 1;
          return;
        }
    }
}

static struct cs_descriptor_disk *
find (int fd)
{
  struct cs_process_disk *image = cs_process.image;

  for (uint32_t i = 0; i < image->nr_descriptors; i++)
    if (image->descriptors[i].fd == fd)
      return &image->descriptors[i];
  return NULL;
}

/* A new entry for FD; NULL if it is not open, or there is no room.  */
static struct cs_descriptor_disk *
add (int fd, const char *given)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_descriptor_disk *d;
  struct statx status;
  int flags = fcntl (fd, F_GETFL), fd_flags = fcntl (fd, F_GETFD);
  off_t offset;

  if (flags < 0 || statx (fd, "", AT_EMPTY_PATH,
                          STATX_BASIC_STATS | STATX_BTIME, &status) != 0)
    return NULL;
  if (image->nr_descriptors == CS_PROCESS_DESCRIPTORS_MAX
      || fd >= CS_DESCRIPTORS_END)
    {
      image->nr_unrecorded++;
      return NULL;
    }
  d = &image->descriptors[image->nr_descriptors++];
  *d = (struct cs_descriptor_disk) {
    .fd = fd, .kind = kind_of (fd, &status),
    .flags = (uint32_t) flags | (fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0)
  };
  if (flags & O_PATH)
    {
      d->kind = CS_DESCRIPTOR_HELD;
      return d;
    }
  offset = lseek (fd, 0, SEEK_CUR);
  d->offset = d->position = offset > 0 ? (uint64_t) offset : 0;
  cs_descriptor_identify (d, &status);
  set_name (d, given);
  set_shared (d);
  return d;
}

void
cs_process_forget_descriptors (enum cs_policy_files fallback)
{
  cs_process.image->nr_descriptors = 0;
  cs_process.image->nr_unrecorded = 0;
  cs_process.image->paths_len = 1;
  cs_process.image->files_rule = fallback;
}

void
cs_process_record_descriptor (int fd, const struct cs_descriptor_port *port)
{
  struct cs_descriptor_disk *d;

  /* The port leads to the next process's own.  */
  if (fd < CS_DESCRIPTORS_FIRST && !cs_numbers_has (fd))
    {
      cs_process.image->nr_unrecorded++;
      return;
    }
  d = find (fd);
  if (!d)
    d = add (fd, port->name);
  if (!d)
    return;
  d->holder |= CS_DESCRIPTOR_OF_PORT;
  if (port->revealed)
    d->holder |= CS_DESCRIPTOR_OF_PROGRAM;
  if (port->rule != CS_POLICY_FILES_NONE)
    d->rule = port->rule;
  if (port->position >= 0)
    d->position = (uint64_t) port->position;
}

void
cs_process_record_held (int fd)
{
  struct cs_descriptor_disk *d;
  int flags = fcntl (fd, F_GETFL);

  if (flags < 0 || !(flags & O_PATH) || find (fd))
    return;
  d = add (fd, NULL);
  if (d)
    d->holder = CS_DESCRIPTOR_OF_CLOSED;
}

void
cs_process_record_numbers (void)
{
  struct cs_descriptor_disk *d;

  for (int fd = CS_DESCRIPTORS_FIRST; fd < cs_numbers_end (); fd++)
    if (cs_numbers_has (fd) && !find (fd))
      {
        d = add (fd, NULL);
        if (d)
          d->holder = CS_DESCRIPTOR_OF_PROGRAM;
      }
}

/* In words.  */

static const char *const kind_words[] = {
  [0] = "unknown", [CS_DESCRIPTOR_FILE] = "file",
  [CS_DESCRIPTOR_DIRECTORY] = "directory", [CS_DESCRIPTOR_DEVICE] = "device",
  [CS_DESCRIPTOR_DELETED] = "deleted", [CS_DESCRIPTOR_PIPE] = "pipe",
  [CS_DESCRIPTOR_SOCKET] = "socket", [CS_DESCRIPTOR_TERMINAL] = "terminal",
  [CS_DESCRIPTOR_OTHER] = "other", [CS_DESCRIPTOR_HELD] = "held"
};

const char *
cs_descriptor_kind_word (uint32_t kind)
{
  return kind_words[kind < sizeof kind_words / sizeof *kind_words ? kind : 0];
}

void
cs_descriptor_describe (const struct cs_descriptor_disk *d, const char *name,
                        char *text, size_t len)
{
  const char *noun = d->kind == CS_DESCRIPTOR_DELETED ? "file"
                     : d->kind == CS_DESCRIPTOR_OTHER
                       || d->kind == CS_DESCRIPTOR_HELD ? "descriptor"
                     : cs_descriptor_kind_word (d->kind);

  if (!*name)
    snprintf (text, len, "%s", noun);
  else if (d->kind == CS_DESCRIPTOR_SOCKET)
    snprintf (text, len, "%s %s", noun, name);
  else
    snprintf (text, len, "%s '%s'", noun, name);
}

enum cs_policy_files
cs_descriptor_rule (const struct cs_descriptor_disk *d, const char *name,
                    const struct cs_policy *policy,
                    enum cs_policy_files fallback)
{
  enum cs_policy_files rule = d->rule;

  if (rule == CS_POLICY_FILES_NONE && policy)
    rule = cs_policy_files (policy, name);
  if (rule == CS_POLICY_FILES_NONE)
    rule = fallback;
  return rule == CS_POLICY_FILES_NONE ? CS_POLICY_FILES_CLOSE : rule;
}
