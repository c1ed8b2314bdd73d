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

   A reader is a process that maps the image without being its writer.  Readers
   share another lock, on one byte, for as long as the mapping lasts; the writer
   takes that lock for itself while it changes the image (L4).

   A reader that finds this lock taken waits for the end of a slice (A6), but not
   for ever: the writer may have been stopped, or hang in a system call.  Linux
   has no wait for a lock with a time limit, and hands no lock over: a writer that
   gives the lock up for a moment would mostly have it again before a reader that
   sleeps has looked.  So a waiting reader shares the lock on a second byte, its
   request; a writer that finds a request does as if the reader were there, and
   waits for it (slice.c).  */

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
#define REQUEST_OFF 1025        /* and what they lock while they wait */
#define LOOKS 5                 /* at the record, a millisecond apart */
#define WAITS 130               /* for children, ten milliseconds each */
#define PAUSE_MAX 16            /* between a reader's tries, milliseconds */
#define STOPPED_MAX 2000        /* a reader's wait for a stopped writer */

int cs_lock_patience = 30000;

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

/* The letter of process PID's state (proc(5)), or '\0'.  */
static char
state_of (pid_t pid)
{
  char text[256];
  const char *state;
  ssize_t n;
  int fd;

  snprintf (text, sizeof text, "/proc/%ld/stat", (long) pid);
  fd = cs_sys.openat (AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0)
    return '\0';
  n = cs_sys.pread (fd, text, sizeof text - 1, 0);
  cs_sys.close (fd);
  text[n > 0 ? n : 0] = '\0';
  /* Behind the program's name, which may have any characters (proc(5)).  */
  state = strrchr (text, ')');
  return state && state[1] == ' ' ? state[2] : '\0';
}

/* Has process PID ended, and is only waited for by its parent?  */
static bool
is_zombie (pid_t pid)
{
  char state = state_of (pid);

  return state == 'Z' || state == 'X';
}

static bool
is_of_this_host (const struct cs_lock_disk *record)
{
  struct utsname name;

  return (uname (&name) == 0
          && strncmp (record->host, name.nodename,
                      sizeof record->host - 1) == 0);
}

static bool
is_gone (const struct cs_lock_disk *record)
{
  return (is_of_this_host (record)
          && (record->pid <= 0
              || (kill ((pid_t) record->pid, 0) < 0 && errno == ESRCH)
              || is_zombie ((pid_t) record->pid)));
}

/* By a signal, or by one who traces it.  */
static bool
is_stopped (const struct cs_lock_disk *record)
{
  char state = '\0';

  if (is_of_this_host (record) && record->pid > 0)
    state = state_of ((pid_t) record->pid);
  return state == 'T' || state == 't';
}

/* Read the record of the process that has opened FD's file to write.  */
static bool
look_at_record (int fd, struct cs_lock_disk *record)
{
  ssize_t n = cs_file_read (fd, record, sizeof *record, CS_STORE_LOCK_OFF);

  return (n == sizeof *record
          && memcmp (record->magic, CS_LOCK_MAGIC, 8) == 0
          && record->crc == record_crc (record)
          && memchr (record->host, '\0', sizeof record->host));
}

/* The best of several looks.  */
static bool
read_record (int fd, struct cs_lock_disk *record)
{
  bool valid = false;

  for (int i = 0; i < LOOKS; i++)
    {
      valid = look_at_record (fd, record);
      if (valid && !is_gone (record))
        break;
      cs_sys.nanosleep (&(struct timespec) { 0, 1000000 }, NULL);
    }
  return valid;
}

static int
say_nobody (struct cs_err *err)
{
  return cs_err_set (err, CS_E_HELD, "held by another process, which has not "
                     "said who it is");
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
        return say_nobody (err);
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

/* The readers' lock and their request are on a byte each, OFF behind the
   record.  */
static struct flock
byte_at (int off, short type)
{
  return (struct flock) {
    .l_type = type,
    .l_whence = SEEK_SET,
    .l_start = CS_STORE_LOCK_OFF + off,
    .l_len = 1
  };
}

/* Lock, or unlock, the byte at OFF: 1, 0 if it is taken, or -errno.  */
static int
try_byte (int fd, int off, short type)
{
  struct flock lock = byte_at (off, type);

  if (cs_sys.lock (fd, F_OFD_SETLK, &lock) == 0)
    return 1;
  return errno == EAGAIN || errno == EACCES ? 0 : -errno;
}

/* The writer has not given up the readers' lock for MILLISECONDS.  */
static void
say_writer (int fd, int milliseconds, struct cs_err *err)
{
  struct cs_lock_disk record;

  if (!read_record (fd, &record))
    say_nobody (err);
  else if (say_who (&record, err) < 0 && is_stopped (&record))
    cs_err_advise (err, "the process was stopped while it put the log into "
                   "the image; let it go on (kill -CONT %lld), and try again",
                   (long long) record.pid);
  else
    cs_err_advise (err, "the process has been putting the log into the image "
                   "for %d seconds; try again later", milliseconds / 1000);
}

static int
wait_for_writer (int fd, struct cs_err *err)
{
  int pause = 1, stopped = 0, waited = 0, r = 0;

  while (r == 0 && waited < cs_lock_patience && stopped < STOPPED_MAX)
    {
      struct cs_lock_disk record;

      cs_sys.nanosleep (&(struct timespec) { 0, pause * 1000000L }, NULL);
      waited += pause;
      stopped = look_at_record (fd, &record) && is_stopped (&record)
                ? stopped + pause : 0;
      if (pause < PAUSE_MAX)
        pause *= 2;
      r = try_byte (fd, READERS_OFF, F_RDLCK);
    }
  if (r == 0)
    say_writer (fd, waited, err);
  return r == 0 ? -CS_E_HELD : r;
}

int
cs_lock_share (int fd, struct cs_err *err)
{
  int r = try_byte (fd, READERS_OFF, F_RDLCK);

  if (r == 0)
    {
      try_byte (fd, REQUEST_OFF, F_RDLCK);
      r = wait_for_writer (fd, err);
      try_byte (fd, REQUEST_OFF, F_UNLCK);
    }
  if (r < 0 && r > -CS_E_REFUSED)
    cs_err_sys (err, -r, "lock as a reader");
  return r < 0 ? r : 0;
}

int
cs_lock_readers (int fd)
{
  struct flock request = byte_at (REQUEST_OFF, F_WRLCK);

  if (cs_sys.lock (fd, F_OFD_GETLK, &request) < 0)
    return -errno;
  if (request.l_type != F_UNLCK)
    return 0;
  return try_byte (fd, READERS_OFF, F_WRLCK);
}

void
cs_lock_admit_readers (int fd)
{
  try_byte (fd, READERS_OFF, F_UNLCK);
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
