/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* clone.c -- a copy of a store under another name.

   Whoever has the source open as a reader has its image as it is, whatever
   its writer does meanwhile (L4).  Pages that are not in the image but in
   the log, or that were others in the generation asked for, are put over
   the copy.  The lock record is not copied.

   The copy takes its name exactly as a first commit does (new-file.c).
   Signals that would end the process are looked for between two pieces.  */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/history.h"
#include "store/sys.h"

#define PIECE_MAX ((uint64_t) 64 << 20) /* bytes between looks at signals */
#define BUF_LEN ((size_t) 256 * 1024)   /* where the kernel cannot copy */

/* Copy the pages of [OFF, OFF + LEN) through memory, but for those that are
   zero.  0 or -errno.  */
static int
copy_by_hand (int to, int from, uint64_t off, uint64_t len, char *buf)
{
  int r = 0;

  while (len > 0 && r == 0)
    {
      size_t part = len < BUF_LEN ? (size_t) len : BUF_LEN;
      ssize_t n = cs_file_read (from, buf, part, off);

      if (n < 0)
        return (int) n;
      if ((size_t) n < part)
        return -EIO;            /* shorter than it was when we looked */
      r = cs_file_write_pages (to, buf, part, off);
      off += part;
      len -= part;
    }
  return r;
}

/* The same, at best without looking at them.  */
static int
copy_piece (int to, int from, uint64_t off, uint64_t len, char *buf)
{
  off_t in = (off_t) off, out = (off_t) off;
  uint64_t end = off + len;

  while ((uint64_t) in < end)
    {
      ssize_t n = cs_sys.copy_file_range (from, &in, to, &out,
                                          (size_t) (end - (uint64_t) in), 0);

      /* Whatever stopped it, another attempt by other means will show
         whether the file or only the call is to blame.  */
      if (n <= 0 && !(n < 0 && errno == EINTR))
        {
          off = (uint64_t) in / CS_STORE_PAGE_LEN * CS_STORE_PAGE_LEN;
          return copy_by_hand (to, from, off, end - off, buf);
        }
    }
  return 0;
}

/* Find the first pages of [*OFF, END) that are no hole: set *OFF, return
   their length.  *SURE is cleared if the file system cannot tell.  */
static uint64_t
next_data (int fd, uint64_t *off, uint64_t end, bool *sure)
{
  off_t data = cs_sys.lseek (fd, (off_t) *off, SEEK_DATA), hole;

  if (data < 0 && errno == ENXIO)
    return 0;
  hole = data < 0 ? -1 : cs_sys.lseek (fd, data, SEEK_HOLE);
  *sure = hole >= 0;
  if (hole < 0)
    return end - *off;
  if ((uint64_t) data >= end)
    return 0;
  *off = (uint64_t) data / CS_STORE_PAGE_LEN * CS_STORE_PAGE_LEN;
  if ((uint64_t) hole < end)
    end = cs_round_up ((uint64_t) hole, CS_STORE_PAGE_LEN);
  return end - *off;
}

/* Copy sums and image, which end at END in the file.  0 or -errno.  */
static int
copy_image (int to, int from, uint64_t end, bool interruptible)
{
  uint64_t off = CS_STORE_SUMS_OFF, len;
  char *buf = cs_scratch_map (BUF_LEN);
  bool sure = true;
  int r = buf ? 0 : -ENOMEM;

  while (r == 0 && (len = next_data (from, &off, end, &sure)) > 0)
    {
      if (len > PIECE_MAX)
        len = PIECE_MAX;
      if (interruptible && cs_new_file_interrupted ())
        r = -EINTR;
      else
        r = (sure ? copy_piece : copy_by_hand) (to, from, off, len, buf);
      off += len;
    }
  cs_scratch_unmap (buf, BUF_LEN);
  return r;
}

/* A shared copy has the source's lock record, mark and note, and perhaps more
   behind the image than the superblock speaks of.  0 or -errno.  */
static int
share_image (int to, int from)
{
  static const char none[CS_STORE_SETTLED_OFF
                         + sizeof (struct cs_settled_disk)
                         - CS_STORE_LOCK_OFF];

  if (cs_sys.ficlone (to, from) < 0)
    return -errno;
  return cs_file_write (to, &none, sizeof none, CS_STORE_LOCK_OFF);
}

/* Write the pages that have patches.  0 or -errno.  */
static int
write_patches (int to, const struct cs_store *source)
{
  uint64_t image_off = cs_store_image_off (&source->superblock);
  uint64_t end = source->superblock.committed / CS_STORE_PAGE_LEN, page;
  char buf[CS_STORE_PAGE_LEN] __attribute__ ((aligned (8)));
  uint32_t sum;
  int r = 0;

  for (page = cs_patch_next (source, 0, end); page < end && r == 0;
       page = cs_patch_next (source, page + 1, end))
    {
      r = cs_committed_read (source, page, 1, buf);
      if (r == 0)
        r = cs_committed_sums (source, page, 1, &sum);
      if (r == 0)
        r = cs_file_write (to, buf, sizeof buf,
                           image_off + page * CS_STORE_PAGE_LEN);
      if (r == 0)
        r = cs_sums_write (to, page, 1, &sum);
    }
  return r;
}

/* Clear the sums of pages behind the image of SB, which newer generations
   have had.  0 or -errno.  */
static int
clear_sums (int fd, const struct cs_superblock_disk *sb)
{
  static const uint32_t none[1024];
  uint64_t end = cs_store_image_off (sb), len;
  const uint64_t start = CS_STORE_SUMS_OFF
                         + sb->committed / CS_STORE_PAGE_LEN * sizeof *none;
  uint64_t off = start;
  bool sure = true;
  int r = 0;

  while (r == 0 && (len = next_data (fd, &off, end, &sure)) > 0)
    {
      if (off < start)          /* it looks at whole pages */
        {
          len -= start - off;
          off = start;
        }
      len = len < sizeof none ? len : sizeof none;
      r = cs_file_write (fd, none, (size_t) len, off);
      off += len;
    }
  return r;
}

static struct cs_superblock_disk
new_superblock (const struct cs_store *source, const struct cs_store *target)
{
  struct cs_superblock_disk sb = source->superblock;

  cs_superblock_christen (&sb);
  memcpy (sb.former_uuid, target->former_uuid, sizeof sb.former_uuid);
  sb.log_start = cs_log_start (sb.committed);
  cs_superblock_seal (&sb);
  return sb;
}

int
cs_clone_pages (const struct cs_store *source, int fd, bool interruptible)
{
  const struct cs_superblock_disk *sb = &source->superblock;
  off_t end = (off_t) (cs_store_image_off (sb) + sb->committed);
  bool shared = share_image (fd, source->fd) == 0;
  int r = 0;

  if (cs_sys.ftruncate (fd, end) < 0)
    return -errno;
  if (!shared)
    r = copy_image (fd, source->fd, (uint64_t) end, interruptible);
  if (r == 0)
    r = write_patches (fd, source);
  return r == 0 ? clear_sums (fd, sb) : r;
}

struct copy
{
  const struct cs_store *source, *target;
};

/* Make FD a complete copy.  */
static int
write_copy (void *context, int fd, struct cs_err *err)
{
  const struct copy *copy = context;
  const struct cs_store *source = copy->source;
  struct cs_superblock_disk sb = new_superblock (source, copy->target);
  int r = cs_clone_pages (source, fd, true);

  if (r == 0)
    r = cs_superblock_write (fd, &sb);
  return r < 0 ? cs_err_sys (err, -r, "copy '%s'", source->path) : 0;
}

/* Others must not have had a hand in the source: the copy will be ours, and
   nobody will be warned of it again.  Nor may it be what is replaced.  */
static int
check_source (const struct cs_store *source, const struct cs_store *target,
              struct cs_err *err)
{
  struct stat from, to;
  int r;

  if (cs_sys.fstat (source->fd, &from) < 0)
    return cs_err_sys (err, errno, "status of '%s'", source->path);
  r = cs_file_check_owner (source->path, &from, err);
  if (r < 0)
    return cs_err_prefix (err, "source '%s'", source->path);
  if (target->fd < 0)
    return 0;
  if (cs_sys.fstat (target->fd, &to) < 0)
    return cs_err_sys (err, errno, "status of the file");
  if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
    return cs_err_set (err, CS_E_REFUSED, "it is the source itself");
  return 0;
}

static int
clone_store (struct cs_store *source, struct cs_store *target, bool force,
             struct cs_err *err)
{
  struct copy copy = { source, target };
  int r = cs_store_claim (target, force, err);

  if (r == 0)
    r = check_source (source, target, err);
  if (r == 0)
    r = cs_history_claim (target, err);
  if (r == 0)
    r = cs_new_file_make (target, write_copy, &copy, err);
  if (r == 0)
    cs_history_replace (target, &(struct cs_err) CS_ERR_INIT);
  return r;
}

int
cs_store_clone (const char *from, uint64_t generation, const char *to,
                bool force, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  struct cs_store *source, *target;
  int r;

  if (!err)
    err = &own;
  r = cs_store_open_at (from, CS_STORE_READ, generation, &source, err);
  if (r < 0)
    return r;
  target = cs_store_new (to, CS_STORE_WRITE);
  r = target ? clone_store (source, target, force, err)
      : cs_err_sys (err, ENOMEM, "copy '%s'", from);
  if (r < 0)
    cs_err_prefix (err, "cannot create '%s'", to);
  if (target)
    cs_store_close (target);
  cs_store_close (source);
  return r;
}
