/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* region.c -- the address range of a store in this process.

   One PROT_NONE mapping takes the whole region first.  It is the check that
   the range is free, and keeps it free of everything the kernel places by
   itself.  What the store uses is then mapped over it.  The ranges of
   carried libraries are given back to the kernel, because ld.so maps there,
   without MAP_FIXED.

   If RLIMIT_AS does not let us have that mapping (store->held is false),
   each range is taken on its own when it is first needed; every such first
   mapping is made with MAP_FIXED_NOREPLACE.  */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "maps.h"
#include "store/store-private.h"
#include "store/sys.h"

/* The file offset of image offset OFF; the only place that knows.  */
static off_t
file_off (const struct cs_store *store, int fd, uint64_t off)
{
  return fd < 0 ? 0 : (off_t) (cs_store_image_off (&store->superblock) + off);
}

/* Map at OFF; 0 or -errno, -EEXIST if something is in the way.  */
static int
map (struct cs_store *store, uint64_t off, uint64_t len, int prot, int fd,
     int fixed)
{
  void *want = store->image + off;
  int flags = MAP_PRIVATE | MAP_NORESERVE | fixed;
  void *got;

  if (len > SIZE_MAX)
    return -ENOMEM;
  if (fd < 0)
    flags |= MAP_ANONYMOUS;
  got = cs_sys.mmap (want, (size_t) len, prot, flags, fd, file_off (store, fd, off));
  if (got == MAP_FAILED)
    return -errno;
  if (got == want)
    return 0;
  /* Before Linux 4.17 MAP_FIXED_NOREPLACE is only a hint.  */
  cs_sys.munmap (got, (size_t) len);
  return -EEXIST;
}

/* May memory that can be written to be executed?  Not in a service with
   MemoryDenyWriteExecute, after prctl(PR_SET_MDWE), or under SELinux without
   execmem.  */
static bool
may_execute (void)
{
  void *p = cs_sys.mmap (NULL, CS_STORE_PAGE_LEN,
                         PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (p == MAP_FAILED)
    return errno != EPERM && errno != EACCES;
  cs_sys.munmap (p, CS_STORE_PAGE_LEN);
  return true;
}

/* FD is the store, or its directory.  */
static int
check_executable (int fd, struct cs_err *err)
{
  struct statvfs fs;

  if (fd >= 0 && fstatvfs (fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
    {
      cs_err_set (err, CS_E_REFUSED, "its file system is mounted noexec, and a"
                  " store holds machine code");
      return cs_err_advise (err, "keep it on another file system, or mount "
                            "that one with exec");
    }
  if (may_execute ())
    return 0;
  cs_err_set (err, CS_E_REFUSED, "this process may not have memory that it can"
              " both write to and execute");
  return cs_err_advise (err, "in a service: MemoryDenyWriteExecute=no (systemd."
                        "exec(5)); under SELinux: allow execmem");
}

int
cs_store_check_executable (const struct cs_store *store, struct cs_err *err)
{
  int r = check_executable (store->dirfd, err);

  return r < 0 ? cs_err_prefix (err, "cannot use '%s'", store->path) : 0;
}

/* Say that [OFF, OFF + LEN) cannot be had.  */
static int
refuse (const struct cs_store *store, uint64_t off, uint64_t len, int r,
        struct cs_err *err)
{
  uint64_t start = store->superblock.base + off;
  char text[512];

  if ((r == -EPERM || r == -EACCES) && check_executable (store->fd, err) < 0)
    return err->code;
  if (r != -EEXIST)
    {
      cs_err_sys (err, -r, "address range 0x%" PRIx64 "-0x%" PRIx64, start,
                  start + len);
      return r == -ENOMEM ? cs_err_advise_space (err) : r;
    }
  if (!cs_maps_find (start, start + len, text, sizeof text))
    strcpy (text, "a mapping that cannot be named, as /proc is missing");
  return cs_err_set (err, CS_E_REFUSED, "address range 0x%" PRIx64 "-0x%"
                     PRIx64 " in use by %s", start, start + len, text);
}

int
cs_region_hold (struct cs_store *store, struct cs_err *err)
{
  uint64_t len = store->superblock.reserved;
  int r;

  store->image = (char *) (uintptr_t) store->superblock.base;
  if (store->superblock.base > UINTPTR_MAX - len)
    return refuse (store, 0, len, -ENOMEM, err);
  r = map (store, 0, len, PROT_NONE, -1, MAP_FIXED_NOREPLACE);
  store->held = r == 0;
  return r == 0 || r == -ENOMEM ? 0 : refuse (store, 0, len, r, err);
}

void
cs_region_drop (struct cs_store *store)
{
  if (store->held)
    cs_sys.munmap (store->image, (size_t) store->superblock.reserved);
  else if (store->directory_len > 0)
    cs_sys.munmap (store->image, (size_t) store->directory_len);
  store->held = false;
  store->directory_len = 0;
}

int
cs_region_map_new (struct cs_store *store, uint64_t off, uint64_t len,
                   int prot, int fd, struct cs_err *err)
{
  int r = map (store, off, len, prot, fd,
               store->held ? MAP_FIXED : MAP_FIXED_NOREPLACE);

  return r == 0 || !err ? r : refuse (store, off, len, r, err);
}

int
cs_region_map_over (struct cs_store *store, uint64_t off, uint64_t len,
                    int prot, int fd)
{
  return map (store, off, len, prot, fd, MAP_FIXED);
}

int
cs_region_overlay (struct cs_store *store, uint64_t off, uint64_t len,
                   int prot, struct cs_err *err)
{
  uint64_t page = off / CS_STORE_PAGE_LEN;
  uint64_t end = page + len / CS_STORE_PAGE_LEN;
  bool open = (prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE);
  char *start = store->image + off;
  int r;

  if (cs_patch_next (store, page, end) == end)
    return 0;
  if (!open
      && cs_sys.mprotect (start, (size_t) len, PROT_READ | PROT_WRITE) < 0)
    return cs_err_sys (err, errno, "make pages writable");
  r = cs_patch_overlay (store, start, off, len);
  if (r == 0 && !open && cs_sys.mprotect (start, (size_t) len, prot) < 0)
    r = -errno;
  return r == 0 ? 0 : cs_err_sys (err, -r, "read pages of the log");
}

/* Leave [OFF, OFF + LEN) to ld.so.  */
static int
leave_free (struct cs_store *store, uint64_t off, uint64_t len,
            struct cs_err *err)
{
  int r = 0;

  if (!store->held)
    r = cs_region_map_new (store, off, len, PROT_NONE, -1, err);
  if (r == 0 && cs_sys.munmap (store->image + off, (size_t) len) < 0)
    r = cs_err_sys (err, errno, "release the range of a library");
  return r;
}

/* What a run of extents has in common: one system call for all of it.  */
enum run_kind
{
  RUN_FREE,                     /* left to ld.so */
  RUN_HELD,                     /* not in the file: reserved only */
  RUN_FILE
};

static enum run_kind
run_kind (const struct cs_extent_disk *e)
{
  if (cs_extent_is_library (e))
    return RUN_FREE;
  return cs_extent_in_file (e) ? RUN_FILE : RUN_HELD;
}

static bool
continues (const struct cs_extent_disk *a, const struct cs_extent_disk *b)
{
  return (cs_extent_end (a) == b->off && run_kind (a) == run_kind (b)
          && (run_kind (a) != RUN_FILE || a->prot == b->prot));
}

static int
map_run (struct cs_store *store, enum run_kind kind, uint64_t off,
         uint64_t len, int prot, struct cs_err *err)
{
  int r;

  if (len == 0)
    return 0;
  switch (kind)
    {
    case RUN_FREE:
      return leave_free (store, off, len, err);
    case RUN_HELD:
      cs_detached_set (store, off, len, true);
      return (store->held ? 0
              : cs_region_map_new (store, off, len, PROT_NONE, -1, err));
    default:
      r = cs_region_map_new (store, off, len, prot, cs_region_fd (store),
                             err);
      return r < 0 ? r : cs_region_overlay (store, off, len, prot, err);
    }
}

/* Take back what was mapped of the first NR extents, but not the directory,
   which is needed for this.  */
static void
unmap_extents (struct cs_store *store, size_t nr)
{
  const struct cs_extent_disk *table = cs_extent_table (store);

  for (size_t i = 0; i < nr; i++)
    {
      uint64_t skip = i == 0 ? store->directory_len : 0;

      if (run_kind (&table[i]) != RUN_FREE && table[i].len > skip)
        cs_sys.munmap (store->image + table[i].off + skip,
                       (size_t) (table[i].len - skip));
    }
}

int
cs_region_map_extents (struct cs_store *store, struct cs_err *err)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  size_t nr = cs_directory (store)->nr_extents, i = 0;
  uint64_t off = store->directory_len;          /* that is there already */

  while (i < nr)
    {
      size_t last = i;
      int r;

      while (last + 1 < nr && continues (&table[last], &table[last + 1]))
        last++;
      r = map_run (store, run_kind (&table[i]), off,
                   cs_extent_end (&table[last]) - off, (int) table[i].prot,
                   err);
      if (r < 0)
        {
          if (!store->held)
            unmap_extents (store, i);
          return r;
        }
      i = last + 1;
      off = i < nr ? table[i].off : off;
    }
  return 0;
}
