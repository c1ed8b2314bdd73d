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

#include "process/private.h"

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

int
cs_descriptor_status (int directory, const char *path, int flags,
                      struct statx *status)
{
  struct stat plain;

  if (statx (directory, path, flags, STATX_BASIC_STATS | STATX_BTIME, status)
      == 0)
    return 0;
  if (errno != EPERM || fstatat (directory, path, &plain, flags) != 0)
    return -errno;
  *status = (struct statx) {
    .stx_mask = STATX_BASIC_STATS, .stx_mode = (uint16_t) plain.st_mode,
    .stx_nlink = (uint32_t) plain.st_nlink, .stx_ino = plain.st_ino,
    .stx_size = (uint64_t) plain.st_size,
    .stx_dev_major = major (plain.st_dev),
    .stx_dev_minor = minor (plain.st_dev),
    .stx_rdev_major = major (plain.st_rdev),
    .stx_rdev_minor = minor (plain.st_rdev)
  };
  return 0;
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

  if (cs_descriptor_status (AT_FDCWD, path, AT_NO_AUTOMOUNT, &status) != 0)
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

/* The entries of this record in two orders, so that finding one takes few
   looks and few system calls among many.  */
struct order
{
  uint32_t nr;
  uint32_t indices[CS_PROCESS_DESCRIPTORS_MAX];
};

static struct order by_number, by_file;

typedef int compare_entries (const struct cs_descriptor_disk *a,
                             const struct cs_descriptor_disk *b);

static int
compare (uint64_t a, uint64_t b)
{
  return a < b ? -1 : a > b;
}

static int
compare_numbers (const struct cs_descriptor_disk *a,
                 const struct cs_descriptor_disk *b)
{
  return a->fd < b->fd ? -1 : a->fd > b->fd;
}

static int
compare_inodes (const struct cs_descriptor_disk *a,
                const struct cs_descriptor_disk *b)
{
  int code = compare (a->kind, b->kind);

  if (code == 0)
    code = compare (a->device, b->device);
  return code == 0 ? compare (a->inode, b->inode) : code;
}

/* The last comparison of open files failed.  */
static bool kcmp_failed;

/* By file, then by open file, which has one offset: kcmp(2) orders those.
   Where the kernel does not have it, or a container denies it, all differ, and
   the next one belongs behind the others.  */
static int
compare_files (const struct cs_descriptor_disk *a,
               const struct cs_descriptor_disk *b)
{
  int code = compare_inodes (a, b);
  pid_t self = getpid ();
  long order;

  if (code != 0)
    return code;
  order = syscall (SYS_kcmp, self, self, KCMP_FILE, a->fd, b->fd);
  kcmp_failed = order < 0;
  switch (order)
    {
    case 0:
      return 0;
    case 1:
      return -1;
    default:
      return 1;
    }
}

/* The entry in ORDER that is equal to D, or NULL; then *PLACE is where D
   belongs.  */
static struct cs_descriptor_disk *
search (const struct order *order, compare_entries *compare_two,
        const struct cs_descriptor_disk *d, uint32_t *place)
{
  struct cs_descriptor_disk *entries = cs_process.image->descriptors;
  uint32_t low = 0, high = order->nr, middle;
  int code;

  while (low < high)
    {
      middle = low + (high - low) / 2;
      code = compare_two (d, &entries[order->indices[middle]]);
      if (code == 0)
        return &entries[order->indices[middle]];
      if (code < 0)
        high = middle;
      else
        low = middle + 1;
    }
  *place = low;
  return NULL;
}

static void
insert (struct order *order, uint32_t place,
        const struct cs_descriptor_disk *d)
{
  memmove (order->indices + place + 1, order->indices + place,
           (order->nr - place) * sizeof *order->indices);
  order->indices[place] = (uint32_t) (d - cs_process.image->descriptors);
  order->nr++;
}

/* Do A and B have one open file?  Then they have its flags in common.  The flag
   that tells it means nothing for a file or a directory.  */
static bool
have_flags_in_common (const struct cs_descriptor_disk *a,
                      const struct cs_descriptor_disk *b)
{
  int flags;
  bool common;

  if ((a->flags ^ b->flags) & ~(uint32_t) O_CLOEXEC)
    return false;
  flags = fcntl (a->fd, F_GETFL);
  if (flags < 0 || fcntl (a->fd, F_SETFL, flags ^ O_NONBLOCK) != 0)
    return false;
  common = fcntl (b->fd, F_GETFL) == (flags ^ O_NONBLOCK);
  fcntl (a->fd, F_SETFL, flags);
  return common;
}

/* The same as search() among the entries before PLACE, without kcmp(2).  */
static struct cs_descriptor_disk *
search_by_flags (const struct cs_descriptor_disk *d, uint32_t place)
{
  struct cs_descriptor_disk *entries = cs_process.image->descriptors, *other;

  if (d->kind != CS_DESCRIPTOR_FILE && d->kind != CS_DESCRIPTOR_DIRECTORY)
    return NULL;
  for (; place > 0; place--)
    {
      other = &entries[by_file.indices[place - 1]];
      if (compare_inodes (d, other) != 0)
        return NULL;
      if (have_flags_in_common (d, other))
        return other;
    }
  return NULL;
}

static void
set_shared (struct cs_descriptor_disk *d)
{
  uint32_t place;
  const struct cs_descriptor_disk *other;

  kcmp_failed = false;
  other = search (&by_file, compare_files, d, &place);
  if (!other && kcmp_failed)
    other = search_by_flags (d, place);
  if (other)
    d->shares = (uint32_t) (other - cs_process.image->descriptors) + 1;
  else
    insert (&by_file, place, d);
}

static struct cs_descriptor_disk *
find (int fd)
{
  const struct cs_descriptor_disk wanted = { .fd = fd };

  return search (&by_number, compare_numbers, &wanted, &(uint32_t) { 0 });
}

static void
set_number (const struct cs_descriptor_disk *d)
{
  uint32_t place = 0;

  if (!search (&by_number, compare_numbers, d, &place))
    insert (&by_number, place, d);
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

  if (flags < 0 || cs_descriptor_status (fd, "", AT_EMPTY_PATH, &status) != 0)
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
  set_number (d);
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
  by_number.nr = by_file.nr = 0;
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
    rule = cs_policy_files_rule (policy, name);
  if (rule == CS_POLICY_FILES_NONE)
    rule = fallback;
  return rule == CS_POLICY_FILES_NONE ? CS_POLICY_FILES_CLOSE : rule;
}
