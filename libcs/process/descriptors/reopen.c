/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reopen.c -- opening again what the last process had open.  */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intern/interpose.h"
#include "process/private.h"
#include "process/archive.h"
#include "report.h"

#define TEXT_LEN 480

/* What became of each entry; what the rules are taken from.  */
static struct
{
  struct cs_descriptor_now now[CS_PROCESS_DESCRIPTORS_MAX];
  bool changed;
  struct cs_policy *policy;     /* parsed when it is first asked */
} resumed;

static const struct cs_process_disk *
image (void)
{
  return cs_process.image;
}

static const char *
name_of (const struct cs_descriptor_disk *d)
{
  return d->name ? image ()->paths + d->name : "";
}

/* Can this process have another descriptor now?  If not, nothing is lost for
   it: it is not resumed.  */
static bool
is_shortage (int code)
{
  return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

/* Rules.  */

static enum cs_policy_files
rule_for (const struct cs_descriptor_disk *d)
{
  enum cs_policy_files rule = cs_process.changed_files;

  if (rule == CS_POLICY_FILES_NONE)
    {
      if (!resumed.policy)
        cs_policy_of_store (cs_process.store, &resumed.policy,
                           &(struct cs_err) CS_ERR_INIT);
      rule = cs_descriptor_rule (d, name_of (d), resumed.policy,
                                 image ()->files_rule);
    }
  return rule;
}

/* The file is not the one.  */
static int
refuse (const struct cs_descriptor_disk *d, const char *why,
        struct cs_err *err)
{
  int code = cs_err_set (err, CS_E_REFUSED, "cannot resume '%.200s': file"
                         " '%.400s' was open: %s",
                         cs_store_path (cs_process.store), name_of (d), why);

  cs_err_advise (err, "put it back, or choose what to do without it, once:"
                 " --changed-files=close, reopen or reopen-at-end");
  return code;
}

/* Opening.  */

/* Flags that make sense again; a pipe in the file's place is not waited
   for.  */
static int
open_flags (const struct cs_descriptor_disk *d)
{
  int flags = (int) d->flags & ~(O_CREAT | O_EXCL | O_TRUNC);

  return flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
}

/* Is what STATUS is about of the same kind as D?  */
static bool
is_alike (const struct cs_descriptor_disk *d, const struct statx *status)
{
  switch (d->kind)
    {
    case CS_DESCRIPTOR_DIRECTORY:
      return S_ISDIR (status->stx_mode);
    case CS_DESCRIPTOR_DEVICE:
      return S_ISCHR (status->stx_mode) || S_ISBLK (status->stx_mode);
    default:
      return S_ISREG (status->stx_mode);
    }
}

/* Does D's name lead to it?  If so 0; -ESTALE if to something else, with
   *ALIKE if that is of the same kind; or -errno.  Nothing is opened to learn
   that: with devices it may do something.  */
static int
look_up (const struct cs_descriptor_disk *d, bool *alike)
{
  struct cs_descriptor_disk found = { 0 };
  struct statx status;
  int code = cs_descriptor_status (AT_FDCWD, name_of (d), AT_NO_AUTOMOUNT,
                                   &status);

  *alike = false;
  if (code < 0)
    return code;
  *alike = is_alike (d, &status);
  cs_descriptor_identify (&found, &status);
  return *alike && cs_descriptor_is_same (d, &found) ? 0 : -ESTALE;
}

/* Open D's name, if it leads to something of its kind, and say in FOUND what
   it is.  Returns a descriptor, close-on-exec, or -errno.  */
static int
open_name (const struct cs_descriptor_disk *d, int more_flags,
           struct cs_descriptor_disk *found)
{
  struct statx status;
  int code, fd = open (name_of (d), open_flags (d) | more_flags, 0666);

  if (fd < 0)
    return -errno;
  code = cs_descriptor_status (fd, "", AT_EMPTY_PATH, &status);
  if (code == 0 && fcntl (fd, F_SETFL, (int) d->flags) != 0)
    code = -errno;
  if (code == 0 && !is_alike (d, &status))
    code = -ESTALE;
  if (code != 0)
    {
      close (fd);
      return code;
    }
  *found = (struct cs_descriptor_disk) { 0 };
  cs_descriptor_identify (found, &status);
  return fd;
}

static uint64_t
least (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static int
lost (struct cs_descriptor_now *now, const char *why)
{
  now->state = CS_DESCRIPTOR_LOST;
  now->why = why;
  return -1;
}

static const char *
reason (int code)
{
  return code == -ESTALE ? "another file has its name"
                         : strerrordesc_np (-code);
}

/* The name leads to another file or to none.  Returns a descriptor, -1 or
   -CODE, as find_again().  */
static int
replace (const struct cs_descriptor_disk *d, struct cs_descriptor_now *now,
         const char *why, struct cs_err *err)
{
  enum cs_policy_files rule = rule_for (d);
  struct cs_descriptor_disk found;
  int create = ((int) d->flags & O_ACCMODE) == O_WRONLY ? O_CREAT : 0;
  bool alike;
  int fd;
  off_t at;

  if (rule == CS_POLICY_FILES_FAIL && !cs_process.never_refuse)
    return refuse (d, why, err);
  if (rule != CS_POLICY_FILES_REOPEN
      && rule != CS_POLICY_FILES_REOPEN_AT_END)
    return lost (now, why);
  fd = look_up (d, &alike);
  if (alike || (fd == -ENOENT && create))
    fd = open_name (d, create, &found);
  if (fd < 0)
    return is_shortage (fd) ? fd : lost (now, reason (fd));
  at = (off_t) (rule == CS_POLICY_FILES_REOPEN
                ? least (d->position, found.size) : found.size);
  lseek (fd, at, SEEK_SET);
  now->state = CS_DESCRIPTOR_REPLACED;
  now->why = why;
  return fd;
}

/* The same file.  If it has become too short, what the port had read ahead
   is worth nothing.  */
static int
place_offset (const struct cs_descriptor_disk *d,
              const struct cs_descriptor_disk *found,
              struct cs_descriptor_now *now, int fd)
{
  uint64_t offset = d->offset;

  now->state = CS_DESCRIPTOR_SAME;
  if (d->kind == CS_DESCRIPTOR_FILE && found->size < d->size
      && found->size < offset)
    {
      now->state = CS_DESCRIPTOR_SHORTER;
      now->why = "it is shorter than it was";
      offset = least (d->position, found->size);
    }
  if (d->kind != CS_DESCRIPTOR_DEVICE)
    lseek (fd, (off_t) offset, SEEK_SET);
  return fd;
}

/* Open what D was.  Returns a descriptor; -1 if it is lost; another negative
   code, with ERR set or not, if the workspace cannot be resumed.  */
static int
find_again (const struct cs_descriptor_disk *d,
            struct cs_descriptor_now *now, struct cs_err *err)
{
  struct cs_descriptor_disk found;
  bool alike;
  int fd;

  switch (d->kind)
    {
    case CS_DESCRIPTOR_FILE:
    case CS_DESCRIPTOR_DIRECTORY:
    case CS_DESCRIPTOR_DEVICE:
      break;
    case CS_DESCRIPTOR_DELETED:
      fd = cs_archive_open_again (name_of (d));
      if (fd >= 0)
        return place_offset (d, d, now, fd);
      return replace (d, now, "it had been removed", err);
    case CS_DESCRIPTOR_HELD:
      return lost (now, "it was not open");
    default:
      return lost (now, "it ended with its process");
    }
  if (!d->name)
    return lost (now, "its name was not known");
  fd = look_up (d, &alike);
  if (fd == 0)
    fd = open_name (d, 0, &found);
  if (fd >= 0)
    return place_offset (d, &found, now, fd);
  if (is_shortage (fd))
    return fd;
  return d->kind == CS_DESCRIPTOR_FILE ? replace (d, now, reason (fd), err)
                                       : lost (now, reason (fd));
}

/* Numbers.  */

/* Is FD's number to be had?  */
static bool
is_free (int fd)
{
  return fd >= CS_DESCRIPTORS_FIRST && fcntl (fd, F_GETFD) < 0;
}

static int
refuse_number (const struct cs_descriptor_disk *d, struct cs_err *err)
{
  char text[TEXT_LEN];
  int code;

  cs_descriptor_describe (d, name_of (d), text, sizeof text);
  if (is_free (d->fd))
    {
      code = cs_err_set (err, EMFILE, "cannot resume '%.200s': descriptor %d"
                         " (%.300s) is beyond the limit",
                         cs_store_path (cs_process.store), d->fd, text);
      cs_err_advise (err, "raise it: ulimit -n");
      return code;
    }
  code = cs_err_set (err, CS_E_REFUSED, "cannot resume '%.200s': descriptor"
                     " %d was inherited, and the program knows one of that"
                     " number (%.300s)", cs_store_path (cs_process.store),
                     d->fd, text);
  cs_err_advise (err, "close it (%d<&-), or pass it under another number",
                 d->fd);
  return code;
}

/* A number that is nobody's: behind those of the image, so that they stay
   free for their owners, if there is room.  */
static int
move_away (int fd)
{
  int highest = CS_DESCRIPTORS_FIRST, moved;

  for (uint32_t i = 0; i < image ()->nr_descriptors; i++)
    if (image ()->descriptors[i].fd >= highest)
      highest = image ()->descriptors[i].fd + 1;
  moved = fcntl (fd, F_DUPFD_CLOEXEC, highest);
  if (moved < 0)
    moved = fcntl (fd, F_DUPFD_CLOEXEC, CS_DESCRIPTORS_FIRST);
  return moved < 0 ? -errno : moved;
}

/* Does the program know the number?  */
static bool
is_known (const struct cs_descriptor_disk *d)
{
  return (d->holder & (CS_DESCRIPTOR_OF_PROGRAM | CS_DESCRIPTOR_OF_CLOSED))
         != 0;
}

/* Give FD, which is close-on-exec, the number that D has in the image, or
   another if only a port knows it.  Returns the number; -1 if the program
   knows it and it cannot be had, else -errno.  FD is closed if it is
   another.  */
static int
move_to_number (const struct cs_descriptor_disk *d, int fd)
{
  bool stays_open = !(d->flags & O_CLOEXEC);    /* in commands */
  int number = fd;

  if (fd != d->fd)
    {
      /* The number, or the next one that is free.  */
      number = fcntl (fd, stays_open ? F_DUPFD : F_DUPFD_CLOEXEC, d->fd);
      if (number >= 0 && number != d->fd)
        {
          close (number);
          number = -1;
        }
      stays_open = stays_open && number < 0;
    }
  if (number < 0 && !is_known (d))
    number = move_away (fd);
  if (number != fd)
    close (fd);
  if (number >= 0 && stays_open)
    fcntl (number, F_SETFD, 0);
  return number;
}

/* Telling.  */

static void
tell (const struct cs_descriptor_disk *d, const struct cs_descriptor_now *now)
{
  char text[TEXT_LEN - 100];
  uint64_t offset = d->offset;

  if (d->kind == CS_DESCRIPTOR_HELD)
    return;                     /* it was told when it was lost */
  cs_descriptor_describe (d, name_of (d), text, sizeof text);
  if (now->fd >= 0 && now->state != CS_DESCRIPTOR_SAME)
    offset = (uint64_t) lseek (now->fd, 0, SEEK_CUR);
  if (now->state == CS_DESCRIPTOR_LOST)
    cs_report (CS_REPORT_CLOSED, "%s (descriptor %d): %s", text, d->fd,
               now->why);
  else if (now->state == CS_DESCRIPTOR_SAME)
    cs_report (CS_REPORT_REOPENED, "%s (descriptor %d) at offset %" PRIu64,
               text, d->fd, offset);
  else
    cs_report (CS_REPORT_CHANGED, "%s (descriptor %d): %s: at offset %"
               PRIu64, text, d->fd, now->why, offset);
  if (now->fd >= 0 && now->fd != d->fd)
    cs_report (CS_REPORT_CHANGED, "%s: descriptor %d was inherited: now %d",
               text, d->fd, now->fd);
}

/* Another descriptor for what the entry that D shares with has.  As
   find_again().  */
static int
share (const struct cs_descriptor_disk *d, struct cs_descriptor_now *now)
{
  const struct cs_descriptor_now *first = &resumed.now[d->shares - 1];
  int fd = -1;

  *now = *first;
  if (first->fd >= 0)
    {
      fd = fcntl (first->fd, F_DUPFD_CLOEXEC, CS_DESCRIPTORS_FIRST);
      fd = fd < 0 ? -errno : fd;
    }
  return fd;
}

/* For the number of D, which is lost.  -1 if it is not to be held: nobody
   knows it, or it was inherited and there is a closed port to tell of it.  */
static int
open_placeholder (const struct cs_descriptor_disk *d)
{
  int fd;

  if (!is_known (d)
      || (d->holder != CS_DESCRIPTOR_OF_PROGRAM && !is_free (d->fd)))
    return -1;
  fd = open ("/", O_PATH | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* Neither its file nor a rule is to blame.  */
static int
refuse_for_now (const struct cs_descriptor_disk *d, int code,
                struct cs_err *err)
{
  char text[TEXT_LEN];

  cs_descriptor_describe (d, name_of (d), text, sizeof text);
  cs_err_sys (err, -code, "cannot resume '%.200s': %.300s (descriptor %d)",
              cs_store_path (cs_process.store), text, d->fd);
  if (code == -EMFILE)
    cs_err_advise (err, "raise the limit: ulimit -n");
  return code;
}

/* Open D again and give it its number.  Returns the number, -1 if it is lost
   and nobody knows the number, or the code to fail with.  */
static int
take_again (const struct cs_descriptor_disk *d,
            struct cs_descriptor_now *now, struct cs_err *err)
{
  int fd = cs_store_yield_descriptor (cs_process.store, d->fd);

  if (fd == 0)
    fd = d->shares ? share (d, now) : find_again (d, now, err);
  if (fd == -1)
    fd = open_placeholder (d);
  if (fd >= 0)
    {
      fd = move_to_number (d, fd);
      if (fd == -1)
        return refuse_number (d, err);
    }
  if (fd < -1 && err->code == 0)
    return refuse_for_now (d, fd, err);
  return fd;
}

static int
settle (const struct cs_descriptor_disk *d, struct cs_descriptor_now *now,
        struct cs_err *err)
{
  int fd = take_again (d, now, err);

  if (fd < -1)
    return fd;
  now->held = now->state == CS_DESCRIPTOR_LOST && fd >= 0;
  now->fd = now->held ? -1 : fd;
  if (d->holder == CS_DESCRIPTOR_OF_PROGRAM)
    cs_numbers_add (d->fd);
  if ((d->holder & CS_DESCRIPTOR_OF_PORT)
      && (now->state != CS_DESCRIPTOR_SAME || now->fd != d->fd))
    resumed.changed = true;
  tell (d, now);
  return 0;
}

int
cs_descriptors_resume (struct cs_err *err)
{
  int code = 0;

  resumed.changed = image ()->nr_unrecorded > 0;
  for (uint32_t i = 0; code == 0 && i < image ()->nr_descriptors; i++)
    code = settle (&image ()->descriptors[i], &resumed.now[i], err);
  cs_policy_free (resumed.policy);
  resumed.policy = NULL;
  return code;
}

bool
cs_process_descriptors_changed (void)
{
  return resumed.changed;
}

static long
index_of (int fd)
{
  for (uint32_t i = 0; i < image ()->nr_descriptors; i++)
    if (image ()->descriptors[i].fd == fd)
      return i;
  return -1;
}

const struct cs_descriptor_now *
cs_process_descriptor (int fd)
{
  long i = index_of (fd);

  return i < 0 ? NULL : &resumed.now[i];
}

void
cs_process_describe_lost (int fd, char *text, size_t len)
{
  unsigned long long generation
    = cs_store_superblock (cs_process.store)->generation;
  const struct cs_descriptor_disk *d;
  char what[TEXT_LEN];
  long i = index_of (fd);

  if (i < 0)
    {
      snprintf (text, len, "descriptor %d, open in generation %llu: it was not"
                " recorded", fd, generation);
      return;
    }
  d = &image ()->descriptors[i];
  cs_descriptor_describe (d, name_of (d), what, sizeof what);
  snprintf (text, len, "%s, open in generation %llu: %s", what, generation,
            resumed.now[i].why);
}
