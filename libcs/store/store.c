/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.c -- creating, opening and closing a store; what only looks.

   Opening in a mapping mode is on the way of every start, so it makes few
   system calls and looks at nothing but superblocks, directory and extent
   table: open, lock, read the header, take the region, map the directory,
   check it in place, map the rest.

   Before anything is mapped from the file, its length is known to reach to
   the end of what is mapped: no access can raise SIGBUS unless somebody
   truncates the file later.  */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#include "store/append.h"
#include "store/changes.h"
#include "store/history.h"
#include "store/sys.h"

#define OPEN_TRIES 64           /* against one that commits all the time */

struct cs_store *
cs_store_new (const char *path, enum cs_store_mode mode)
{
  struct cs_store *store = calloc (1, sizeof *store);

  if (!store)
    return NULL;
  store->path = strdup (path);
  if (!store->path)
    {
      free (store);
      return NULL;
    }
  store->mode = mode;
  store->fd = store->map_fd = store->dirfd = -1;
  store->inherited = -1;
  store->watch.fd = store->watch.pagemap = -1;
  cs_own_note (store);
  pthread_mutex_init (&store->mutex, NULL);
  pthread_mutex_init (&store->applying, NULL);
  pthread_mutex_init (&store->turn, NULL);
  return store;
}

void
cs_store_free (struct cs_store *store)
{
  cs_own_check (store);
  cs_lock_leave (&store->lock_page);
  cs_file_close (&store->fd);
  cs_file_close (&store->map_fd);
  cs_file_close (&store->dirfd);
  cs_file_close (&store->inherited);
  cs_file_close (&store->watch.fd);
  cs_file_close (&store->watch.pagemap);
  cs_patch_free (store);
  cs_append_free (store);
  cs_changes_forget_view (store);
  cs_detached_end (store);
  pthread_mutex_destroy (&store->mutex);
  pthread_mutex_destroy (&store->applying);
  pthread_mutex_destroy (&store->turn);
  free (store->name);
  free (store->place);
  free (store->path);
  free (store);
}

/* Open and lock the file that has the store's name.  A commit of another
   process may take the name away in between: then the lock is worth
   nothing, and we try again with the new file.  */
static int
open_locked (struct cs_store *store, struct stat *st, bool check_owner,
             struct cs_err *err)
{
  for (int i = 0; i < OPEN_TRIES; i++)
    {
      bool exists;
      int r;

      store->fd = store->inherited >= 0
                  ? cs_file_take_inherited (store, st, err)
                  : cs_file_open (store->dirfd, store->name,
                                  O_RDWR | O_NOFOLLOW, st, err);
      if (store->fd < 0)
        return store->fd;
      r = check_owner ? cs_file_check_owner (store->path, st, err) : 0;
      if (r == 0)
        r = cs_lock_take (store->fd, err);
      if (r < 0)
        return r;
      r = cs_lock_keep (store->fd, false, &store->lock_page);
      if (r < 0)
        return cs_err_sys (err, -r, "keep the lock");
      r = cs_file_is_current (store, store->fd, &exists);
      if (r < 0)
        return cs_err_sys (err, -r, "status of the file");
      if (r == 1)
        return 0;
      cs_lock_leave (&store->lock_page);
      cs_file_close (&store->fd);
    }
  return cs_err_sys (err, EBUSY, "replaced again and again");
}

/* Go back to an older generation, for one who does not write.  */
static int
open_generation (struct cs_store *store, uint64_t generation,
                 struct cs_err *err)
{
  int r;

  if (store->mode == CS_STORE_WRITE)
    return cs_err_set (err, CS_E_REFUSED, "only the newest generation can be "
                       "changed");
  r = cs_file_locate (store, err);
  if (r == 0)
    r = cs_history_go_back (store, generation, err);
  if (store->mode == CS_STORE_EPHEMERAL)
    cs_file_close (&store->dirfd);      /* the image wants its numbers */
  return r;
}

static int
open_file (struct cs_store *store, struct stat *st, struct cs_err *err)
{
  int r;

  if (store->mode == CS_STORE_WRITE)
    {
      r = cs_file_locate (store, err);
      if (r == 0)
        r = open_locked (store, st, true, err);
      return r;
    }
  store->fd = cs_file_open (AT_FDCWD, store->path, O_RDONLY, st, err);
  if (store->fd < 0)
    return store->fd;
  r = cs_lock_share (store->fd, err);
  if (r < 0)
    return r;
  /* Its length may have changed while we waited.  */
  if (cs_sys.fstat (store->fd, st) < 0)
    return cs_err_sys (err, errno, "status of the file");
  if (store->mode == CS_STORE_READ)
    return cs_file_locate (store, err);
  r = cs_own_set_place (store, store->path);
  return r < 0 ? cs_err_sys (err, -r, "remember its path")
         : cs_file_check_owner (store->path, st, err);
}

/* Map the directory, which says where everything else is.  */
static int
map_directory (struct cs_store *store, struct cs_err *err)
{
  union
  {
    struct cs_directory_disk head;
    char page[CS_STORE_PAGE_LEN];
  } first;
  uint64_t len;
  int r = cs_committed_read (store, 0, 1, first.page);

  if (r < 0)
    return cs_err_sys (err, -r, "read the directory");
  r = cs_directory_check_head (&first.head, &store->superblock, err);
  if (r < 0)
    return r;
  len = cs_directory_len (&first.head);
  r = cs_region_map_new (store, 0, len, PROT_READ | PROT_WRITE,
                         cs_region_fd (store), err);
  if (r == 0)
    r = cs_region_overlay (store, 0, len, PROT_READ | PROT_WRITE, err);
  if (r == 0)
    store->directory_len = len;
  return r;
}

static int
map_region (struct cs_store *store, struct cs_err *err)
{
  int r = cs_region_hold (store, err);

  if (r < 0)
    return r;
  r = map_directory (store, err);
  if (r == 0)
    r = cs_directory_check (store->image, &store->superblock, true, err);
  if (r == 0)
    r = cs_region_map_extents (store, err);
  if (r < 0)
    cs_region_drop (store);
  return r;
}

/* Map the image anywhere, to look at it.  */
static int
map_view (struct cs_store *store, struct cs_err *err)
{
  uint64_t len = store->superblock.committed;
  void *p = MAP_FAILED;
  int r;

  errno = ENOMEM;
  if (len <= SIZE_MAX / 2)
    p = cs_sys.mmap (NULL, (size_t) len, PROT_READ, MAP_PRIVATE, store->fd,
                     (off_t) cs_store_image_off (&store->superblock));
  if (p == MAP_FAILED)
    return cs_err_sys (err, errno, "map %" PRIu64 " bytes", len);
  store->image = p;
  r = cs_region_overlay (store, 0, len, PROT_READ, err);
  if (r == 0)
    r = cs_directory_check (store->image, &store->superblock, true, err);
  if (r < 0)
    cs_sys.munmap (p, (size_t) len);
  return r;
}

/* What only a writer does before it maps.  */
static int
begin_to_write (struct cs_store *store, struct cs_err *err)
{
  int r;

  store->owner = getpid ();
  cs_lock_init (store);
  r = cs_lock_record (store, store->fd);
  if (r < 0)
    return cs_err_sys (err, -r, "write the lock record");
  store->map_fd = cs_file_open_again (store);
  r = cs_detached_begin (store);
  if (r < 0)
    return cs_err_sys (err, -r, "note which pages are mapped");
  cs_apply_resume_history (store);
  return cs_log_is_long (store) ? cs_apply_unless_read (store, err) : 0;
}

/* A write beyond RLIMIT_FSIZE is an error, and not the end of the process.  */
static int
prepare_to_write (struct cs_store *store, struct cs_err *err)
{
  sigset_t mask;
  int r;

  cs_file_begin_limited (&mask);
  r = begin_to_write (store, err);
  cs_file_end_limited (&mask, r);
  return r;
}

/* Images never become shorter, and a log lies behind them: so the file has
   all of any generation's, or what leads to that is not this file's.  */
static int
check_len (const struct cs_store *store, uint64_t file_len,
           struct cs_err *err)
{
  const struct cs_superblock_disk *sb = &store->superblock;
  uint64_t expected = cs_store_image_off (sb) + sb->committed;

  if (file_len >= expected)
    return 0;
  return cs_err_set (err, CS_E_DAMAGED, "generation %" PRIu64
                     ": expected a file of at least %" PRIu64 " bytes, found "
                     "%" PRIu64, sb->generation, expected, file_len);
}

static int
open_store (struct cs_store *store, uint64_t generation, struct cs_err *err)
{
  struct stat st;
  uint64_t wanted = generation;
  int r = open_file (store, &st, err);

  if (r == 0)
    r = cs_superblock_read (store->fd, (uint64_t) st.st_size,
                            &store->superblock, err);
  memcpy (store->former_uuid, store->superblock.former_uuid,
          sizeof store->former_uuid);
  store->salvage = generation != CS_STORE_NEWEST;
  if (r == 0)
    r = cs_log_open (store, &st, err);
  if (r == 0 && generation == CS_STORE_SALVAGE)
    wanted = store->superblock.generation;
  if (r == 0 && wanted != CS_STORE_NEWEST)
    r = open_generation (store, wanted, err);
  if (r == 0)
    r = check_len (store, (uint64_t) st.st_size, err);
  if (r < 0)
    return r;
  if (store->mode == CS_STORE_READ)
    return map_view (store, err);
  if (generation == CS_STORE_SALVAGE)
    return cs_err_set (err, CS_E_REFUSED, "to be read only");
  r = cs_superblock_check_native (&store->superblock, err);
  if (r == 0 && store->mode == CS_STORE_WRITE)
    r = prepare_to_write (store, err);
  return r < 0 ? r : map_region (store, err);
}

int
cs_store_open (const char *path, enum cs_store_mode mode,
               struct cs_store **store, struct cs_err *err)
{
  return cs_store_open_at (path, mode, CS_STORE_NEWEST, store, err);
}

int
cs_store_open_at (const char *path, enum cs_store_mode mode,
                  uint64_t generation, struct cs_store **store,
                  struct cs_err *err)
{
  return cs_store_open_inherited (path, mode, generation, -1, store, err);
}

int
cs_store_open_inherited (const char *path, enum cs_store_mode mode,
                         uint64_t generation, int fd,
                         struct cs_store **store, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  struct cs_store *s = cs_store_new (path, mode);
  int r;

  if (!err)
    err = &own;
  if (s)
    s->inherited = fd;
  r = s ? open_store (s, generation, err)
      : cs_err_sys (err, ENOMEM, "open");
  if (r == 0)
    {
      cs_file_close (&s->inherited);
      cs_own_note (s);
      *store = s;
    }
  else
    {
      if (s)
        cs_store_free (s);
      cs_err_prefix (err, "cannot open '%s'", path);
    }
  return r;
}

static int
check_params (const struct cs_store_params *params, struct cs_err *err)
{
  if (params->machine != CS_MACHINE_ELF
      || params->word_len != sizeof (void *))
    return cs_err_set (err, CS_E_INCOMPATIBLE, "machine: expected %d with "
                       "words of %zu bytes (%s), found %d with words of %d "
                       "bytes", CS_MACHINE_ELF, sizeof (void *),
                       CS_MACHINE_NAME, params->machine, params->word_len);
  if (sysconf (_SC_PAGESIZE) != CS_STORE_PAGE_LEN)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "pages of %ld bytes, "
                       "expected %d", sysconf (_SC_PAGESIZE),
                       CS_STORE_PAGE_LEN);
  if (params->base == 0 || params->base % CS_STORE_PAGE_LEN
      || params->reserved % CS_STORE_PAGE_LEN
      || params->reserved < CS_STORE_RESERVED_MIN
      || params->base > UINTPTR_MAX
      || params->reserved > (uint64_t) UINTPTR_MAX - params->base)
    return cs_err_sys (err, EINVAL, "%" PRIu64 " bytes at 0x%" PRIx64,
                       params->reserved, params->base);
  return 0;
}

int
cs_store_claim (struct cs_store *store, bool force, struct cs_err *err)
{
  struct stat st;
  int r = cs_file_locate (store, err);

  if (r < 0)
    return r;
  store->created = true;
  store->owner = getpid ();
  cs_lock_init (store);
  /* Better refused now than after an hour's work.  */
  if (cs_sys.faccessat (store->dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
    return cs_err_sys (err, errno, "create files in its folder");
  if (cs_sys.fstatat (store->dirfd, store->name, &st, AT_SYMLINK_NOFOLLOW)
      < 0)
    return (errno == ENOENT ? 0
            : cs_err_sys (err, errno, "status of the file"));
  if (!S_ISREG (st.st_mode))
    return cs_err_set (err, CS_E_REFUSED, "exists and is not a regular file");
  if (force)
    return open_locked (store, &st, false, err);
  cs_err_set (err, CS_E_REFUSED, "exists already");
  return cs_err_advise (err, "choose another name, or replace it: --force");
}

static int
create_store (struct cs_store *store, const struct cs_store_params *params,
              bool force, struct cs_err *err)
{
  uint64_t len = CS_STORE_PAGE_LEN
                 + CS_STORE_EXTENTS_MAX * sizeof (struct cs_extent_disk);
  int r = check_params (params, err);

  if (r == 0)
    r = cs_store_claim (store, force, err);
  if (r == 0)
    r = cs_history_claim (store, err);
  if (r < 0)
    return r;
  cs_superblock_init (&store->superblock, params);
  r = cs_detached_begin (store);
  if (r < 0)
    return cs_err_sys (err, -r, "note which pages are mapped");
  r = cs_region_hold (store, err);
  if (r < 0)
    return r;
  r = cs_region_map_new (store, 0, len, PROT_READ | PROT_WRITE, -1, err);
  if (r < 0)
    {
      cs_region_drop (store);
      return r;
    }
  store->directory_len = len;
  cs_detached_set (store, 0, len, true);
  cs_directory_init (store);
  return 0;
}

int
cs_store_create (const char *path, const struct cs_store_params *params,
                 bool force, struct cs_store **store, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  struct cs_store *s = cs_store_new (path, CS_STORE_WRITE);
  int r;

  if (!err)
    err = &own;
  r = s ? create_store (s, params, force, err)
      : cs_err_sys (err, ENOMEM, "create");
  if (r == 0)
    {
      cs_own_note (s);
      *store = s;
    }
  else
    {
      if (s)
        cs_store_free (s);
      cs_err_prefix (err, "cannot create '%s'", path);
    }
  return r;
}

void
cs_store_close (struct cs_store *store)
{
  if (!store)
    return;
  if (store->mode == CS_STORE_READ)
    cs_sys.munmap (store->image, (size_t) store->superblock.committed);
  /* A child that inherited the descriptor keeps the lock alive unless it is
     given up; the child itself must not do that to its parent.  */
  cs_own_check (store);
  if (store->owner == getpid ())
    {
      cs_log_cut_off (store);
      cs_lock_drop (store->fd);
    }
  cs_store_free (store);
}

void
cs_store_disown (struct cs_store *store)
{
  sigset_t mask = store->mask;
  bool held = store->held_for_fork;

  cs_own_check (store);
  cs_file_close (&store->fd);   /* first of all: it has the lock */
  cs_file_close (&store->map_fd);
  cs_file_close (&store->dirfd);
  cs_file_close (&store->watch.fd);
  cs_file_close (&store->watch.pagemap);
  cs_own_note (store);
  store->lock_page = NULL;      /* it was not inherited */
  store->owner = 0;
  /* Another thread of the parent may have held it.  */
  pthread_mutex_init (&store->mutex, NULL);
  pthread_mutex_init (&store->applying, NULL);
  pthread_mutex_init (&store->turn, NULL);
  store->at_work = false;
  store->unsynced = NULL;       /* what it was doing is not ours */
  store->held_for_fork = false;
  if (held)
    pthread_sigmask (SIG_SETMASK, &mask, NULL);
}

void
cs_store_set_history (struct cs_store *store, uint32_t nr)
{
  store->superblock.history = nr;
  store->superblock.history_wanted = 0;
}

bool
cs_store_take_warning (struct cs_store *store, char *text, size_t len)
{
  sigset_t all, mask;

  if (!atomic_load (&store->has_warned))
    return false;
  /* As cs_store_apply() does.  */
  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &mask);
  cs_applying_lock (store);
  snprintf (text, len, "%s", store->warning);
  store->warning[0] = '\0';
  cs_applying_unlock (store);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  return text[0] != '\0';
}

uint64_t
cs_store_disk_usage (const struct cs_store *store)
{
  struct stat st;

  return cs_sys.fstat (store->fd, &st) == 0 ? (uint64_t) st.st_blocks * 512
                                            : 0;
}

const struct cs_superblock_disk *
cs_store_superblock (const struct cs_store *store)
{
  return &store->superblock;
}

const char *
cs_store_path (const struct cs_store *store)
{
  return store->path;
}

bool
cs_store_contains (const struct cs_store *store, const void *addr)
{
  return ((uint64_t) (uintptr_t) addr - store->superblock.base
          < store->superblock.reserved);
}

bool
cs_store_maps (const struct cs_store *store, const void *addr)
{
  return (cs_store_contains (store, addr)
          || ((uint64_t) (uintptr_t) addr - (uint64_t) (uintptr_t) store->view
              < store->view_len));
}

/* The extent that holds all of [OFF, OFF + LEN).  With CS_STORE_READ, where
   tools come here a million times, nothing changes and nothing is locked.  */
static bool
find_extent (const struct cs_store *store, uint64_t off, uint64_t len,
             struct cs_extent_disk *extent)
{
  struct cs_store *s = (struct cs_store *) store;
  bool changes = store->mode != CS_STORE_READ;
  sigset_t mask;
  bool found;
  size_t i;

  if (changes)
    cs_space_enter (s, &mask);
  i = cs_extent_index (store, off);
  found = i < cs_directory (store)->nr_extents;
  if (found)
    *extent = cs_extent_table (store)[i];
  if (changes)
    cs_space_leave (s, &mask);
  return (found && extent->off <= off && len <= extent->len
          && off - extent->off <= extent->len - len);
}

int
cs_store_map_extent (struct cs_store *store, void *addr, size_t len,
                     struct cs_err *err)
{
  uint64_t off = (uint64_t) (uintptr_t) addr - store->superblock.base;
  uint64_t rounded = cs_round_up (len, CS_STORE_PAGE_LEN);
  struct cs_extent_disk e;
  int r;

  if (len == 0 || rounded < len || off % CS_STORE_PAGE_LEN
      || store->mode == CS_STORE_READ
      || !find_extent (store, off, rounded, &e)
      || e.kind != CS_EXTENT_LIBRARY_DATA
      || rounded > store->superblock.committed
      || off > store->superblock.committed - rounded)
    return cs_err_sys (err, EINVAL, "no committed library data of %zu bytes "
                       "at %p in '%s'", len, addr, store->path);
  if (store->fd < 0)
    return cs_err_sys (err, EBADF, "library data of '%s'", store->path);
  r = cs_region_map_over (store, off, rounded, (int) e.prot,
                          cs_region_fd (store));
  if (r < 0)
    return cs_err_sys (err, -r, "cannot map library data of '%s' at %p",
                       store->path, addr);
  cs_detached_set (store, off, rounded, false);
  return cs_region_overlay (store, off, rounded, (int) e.prot, err);
}

int
cs_store_map_copy (struct cs_store *store, void *to, const void *from,
                   size_t len, int prot, struct cs_err *err)
{
  uint64_t off = (uint64_t) (uintptr_t) from - store->superblock.base;
  uint64_t page = off / CS_STORE_PAGE_LEN;
  uint64_t end = page + len / CS_STORE_PAGE_LEN;
  bool in_file = store->superblock.generation > 0 && store->fd >= 0
                 && !store->log.broken && cs_patch_next (store, page, end) == end
                 && off <= store->superblock.committed
                 && len <= store->superblock.committed - off;
  int flags = MAP_PRIVATE | MAP_FIXED | (in_file ? 0 : MAP_ANONYMOUS);
  off_t file_off = (off_t) (cs_store_image_off (&store->superblock) + off);
  void *mapped = cs_sys.mmap (to, len, in_file ? prot : PROT_WRITE, flags,
                              in_file ? cs_region_fd (store) : -1,
                              in_file ? file_off : 0);

  if (mapped == MAP_FAILED)
    return cs_err_sys (err, errno, "cannot map %zu bytes of '%s' at %p", len,
                       store->path, to);
  if (in_file)
    return 0;
  memcpy (to, from, len);
  if (mprotect (to, len, prot) != 0)
    return cs_err_sys (err, errno, "cannot protect %zu bytes at %p", len, to);
  return 0;
}

void *
cs_store_section (const struct cs_store *store, const char *name,
                  size_t *len)
{
  const struct cs_section_disk *s = cs_section_find (store, name);

  if (!s)
    return NULL;
  *len = (size_t) s->len;
  return store->image + s->off;
}

const void *
cs_store_view (const struct cs_store *store, uint64_t addr, size_t len)
{
  uint64_t off = addr - store->superblock.base;
  struct cs_extent_disk e;

  if (off >= store->superblock.reserved
      || !find_extent (store, off, len, &e))
    return NULL;
  if (store->mode == CS_STORE_READ ? !cs_extent_in_file (&e)
      : e.kind == CS_EXTENT_LIBRARY_TEXT || !(e.prot & PROT_READ))
    return NULL;
  return store->image + off;
}

int
cs_store_check (const struct cs_store *store, struct cs_err *err)
{
  struct cs_store *s = (struct cs_store *) store;
  struct cs_err own = CS_ERR_INIT;
  sigset_t mask;
  int r;

  if (!err)
    err = &own;
  cs_space_enter (s, &mask);
  r = cs_directory_check (store->image, &store->superblock,
                          store->mode == CS_STORE_READ, err);
  cs_space_leave (s, &mask);
  return r < 0 ? cs_err_prefix (err, "store '%s'", store->path) : 0;
}
