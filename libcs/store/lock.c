/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lock.c -- one writer a store, and nobody under whom the image changes.

   What holds is an OFD lock on the record's bytes: the kernel drops it with
   the last reference to the open file.  A classic lock would be the process's
   alone, but would be dropped whenever that closes any descriptor of the
   file, as a program that copies its own store does.

   A mapping is such a reference, too, and a child has all of its parent's.  So
   a writer maps the image by another open file (map_fd).  Of the locked one it
   maps a single page, which children do not get (MADV_DONTFORK): the program
   may close the descriptor (own.c).  A child inherits of the lock only that
   descriptor, which the fork handler closes first of all.  If the writer is
   killed after a fork, before its child has come that far, or while a child of
   posix_spawn(3) or vfork(2) has not executed its program yet, its lock holds
   for as long as that takes; a process that wants the lock then finds that the
   process in the record is gone, and waits a little.  Only a child that is made
   without the fork handlers, and executes nothing, or one that is stopped just
   there, keeps the lock of a dead process longer; and then the store is refused,
   never shared.

   The record in these bytes only tells the loser whom to look for; F_OFD_GETLK
   knows no process.  It is written just after the lock was taken, so a loser
   may for a moment find no record or that of a process long gone; it then
   looks again a few times.

   Whoever maps the image without being its writer shares another lock, on
   one byte, for as long as the mapping lasts; the writer takes that one for
   itself while it changes the image (L4).  */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "store/store-private.h"
#include "store/sys.h"

#define READERS_OFF 1024        /* from the record: what readers lock */
#define LOOKS 5                 /* at the record, a millisecond apart */
#define WAITS 130               /* for children, ten milliseconds each */

static uint32_t
record_crc (const struct cs_lock_disk *record)
{
  return (uint32_t) crc32 (0, (const Bytef *) record,
                           offsetof (struct cs_lock_disk, crc));
}

void
cs_lock_init (struct cs_store *store)
{
  struct cs_lock_disk *record = &store->lock;
  struct utsname name;

  memset (record, 0, sizeof *record);
  memcpy (record->magic, CS_LOCK_MAGIC, sizeof record->magic);
  record->pid = getpid ();
  record->since = time (NULL);
  if (uname (&name) == 0)
    snprintf (record->host, sizeof record->host, "%.63s", name.nodename);
  record->crc = record_crc (record);
}

/* Has process PID ended, and is only waited for by its parent?  */
static bool
is_zombie (pid_t pid)
{
  char text[256];
  const char *state;
  ssize_t n;
  int fd;

  snprintf (text, sizeof text, "/proc/%ld/stat", (long) pid);
  fd = cs_sys.openat (AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0)
    return false;
  n = cs_sys.pread (fd, text, sizeof text - 1, 0);
  cs_sys.close (fd);
  text[n > 0 ? n : 0] = '\0';
  /* Behind the program's name, which may have any characters (proc(5)).  */
  state = strrchr (text, ')');
  return state && (strncmp (state, ") Z", 3) == 0
                   || strncmp (state, ") X", 3) == 0);
}

static bool
is_gone (const struct cs_lock_disk *record)
{
  struct utsname name;

  return (uname (&name) == 0
          && strncmp (record->host, name.nodename,
                      sizeof record->host - 1) == 0
          && (record->pid <= 0
              || (kill ((pid_t) record->pid, 0) < 0 && errno == ESRCH)
              || is_zombie ((pid_t) record->pid)));
}

/* Read the record of who holds FD; the best of several looks.  */
static bool
read_record (int fd, struct cs_lock_disk *record)
{
  bool valid = false;

  for (int i = 0; i < LOOKS; i++)
    {
      ssize_t n = cs_file_read (fd, record, sizeof *record,
                                CS_STORE_LOCK_OFF);

      valid = (n == sizeof *record
               && memcmp (record->magic, CS_LOCK_MAGIC, 8) == 0
               && record->crc == record_crc (record)
               && memchr (record->host, '\0', sizeof record->host));
      if (valid && !is_gone (record))
        break;
      cs_sys.nanosleep (&(struct timespec) { 0, 1000000 }, NULL);
    }
  return valid;
}

static int
say_who (const struct cs_lock_disk *record, struct cs_err *err)
{
  char since[64] = "an unknown time";
  time_t t = (time_t) record->since;
  struct tm tm;

  if (localtime_r (&t, &tm))
    strftime (since, sizeof since, "%Y-%m-%d %H:%M:%S", &tm);
  return cs_err_set (err, CS_E_HELD, "held by %sprocess %lld on %s since %s",
                     is_gone (record) ? "a child of the ended " : "",
                     (long long) record->pid, record->host, since);
}

int
cs_lock_take (int fd, struct cs_err *err)
{
  struct flock lock = {
    .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = CS_STORE_LOCK_OFF,
    .l_len = sizeof (struct cs_lock_disk)
  };

  struct cs_lock_disk record;

  for (int i = 0; cs_sys.lock (fd, F_OFD_SETLK, &lock) < 0; i++)
    {
      if (errno != EAGAIN && errno != EACCES)
        return cs_err_sys (err, errno, "lock");
      if (!read_record (fd, &record))
        return cs_err_set (err, CS_E_HELD, "held by another process, which "
                           "has not said who it is");
      if (!is_gone (&record) || i == WAITS)
        return say_who (&record, err);
      cs_sys.nanosleep (&(struct timespec) { 0, 10000000 }, NULL);
    }
  return 0;
}

int
cs_lock_record (const struct cs_store *store, int fd)
{
  return cs_file_write (fd, &store->lock, sizeof store->lock,
                        CS_STORE_LOCK_OFF);
}

/* The readers' lock is on one byte behind the record.  */
static struct flock
readers (short type)
{
  return (struct flock) {
    .l_type = type,
    .l_whence = SEEK_SET,
    .l_start = CS_STORE_LOCK_OFF + READERS_OFF,
    .l_len = 1
  };
}

int
cs_lock_share (int fd)
{
  struct flock lock = readers (F_RDLCK);

  while (cs_sys.lock (fd, F_OFD_SETLKW, &lock) < 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

int
cs_lock_readers (int fd)
{
  struct flock lock = readers (F_WRLCK);

  if (cs_sys.lock (fd, F_OFD_SETLK, &lock) == 0)
    return 1;
  return errno == EAGAIN || errno == EACCES ? 0 : -errno;
}

void
cs_lock_admit_readers (int fd)
{
  struct flock lock = readers (F_UNLCK);

  cs_sys.lock (fd, F_OFD_SETLK, &lock);
}

int
cs_lock_keep (int fd, bool inherited, void **page)
{
  void *mapped = cs_sys.mmap (NULL, CS_STORE_PAGE_LEN, PROT_NONE, MAP_PRIVATE,
                              fd, 0);
  int r;

  if (mapped == MAP_FAILED)
    return -errno;
  *page = mapped;
  if (inherited
      || cs_sys.madvise (mapped, CS_STORE_PAGE_LEN, MADV_DONTFORK) == 0)
    return 0;
  r = -errno;
  cs_lock_leave (page);
  return r;
}

void
cs_lock_leave (void **page)
{
  if (*page)
    cs_sys.munmap (*page, CS_STORE_PAGE_LEN);
  *page = NULL;
}

void
cs_lock_drop (int fd)
{
  struct flock lock = {
    .l_type = F_UNLCK,
    .l_whence = SEEK_SET,
    .l_start = CS_STORE_LOCK_OFF,
    .l_len = sizeof (struct cs_lock_disk)
  };

  if (fd >= 0)
    cs_sys.lock (fd, F_OFD_SETLK, &lock);
}
