/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* repair.c -- making a store of the newest generation that is whole.

   Nothing of the damaged store is changed: a copy of one generation is made
   beside it, every page of which was checked, and the two change names in
   one step.  */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/history.h"
#include "store/sys.h"

#define NAME_TRIES 1000

struct findings
{
  unsigned all, pages;
};

static void
count (void *closure, const struct cs_damage *damage)
{
  struct findings *f = closure;

  f->all++;
  f->pages += strcmp (damage->structure, "page") == 0;
}

/* Look at one generation; sets *GENERATION to its number.  */
static int
examine (const char *path, uint64_t wanted, uint64_t *generation,
         struct findings *findings, struct cs_err *err)
{
  struct cs_store *store;
  int r = cs_store_open_at (path, CS_STORE_READ, wanted, &store, err);

  *findings = (struct findings) { 0, 0 };
  if (r < 0)
    return r;
  *generation = cs_store_superblock (store)->generation;
  r = cs_store_verify (store, count, findings, err);
  cs_store_close (store);
  return r;
}

/* The same for the newest generation.  If it cannot be opened for damage in
   what it is mapped by, its number at least is known; an older one may have
   that as it was.  1 if the store has no damage at all.  */
static int
examine_newest (const struct cs_store *store, uint64_t *generation,
                struct findings *f, struct cs_err *err)
{
  struct cs_superblock_disk image = { .generation = 0 };
  int r = examine (store->path, CS_STORE_NEWEST, generation, f, err);

  if (r == 0 && f->all == 0)
    return 1;
  if (r != -CS_E_DAMAGED)
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  r = examine (store->path, CS_STORE_SALVAGE, generation, f, err);
  if (r != -CS_E_DAMAGED)
    return r;
  *err = (struct cs_err) CS_ERR_INIT;
  r = cs_superblock_reread (store, &image, err);
  *generation = image.generation;
  f->pages = 1;
  return r < 0 ? cs_err_prefix (err, "cannot open '%s'", store->path) : 0;
}

/* Find the newest generation all of whose pages are right.  1 if the store
   has no damage at all.  */
static int
choose (const struct cs_store *store, struct cs_repair *repair,
        struct cs_err *err)
{
  struct findings f;
  uint64_t generation;
  int r = examine_newest (store, &generation, &f, err);
  bool sound = r == 1;

  if (r < 0)
    return r;
  repair->found = repair->generation = generation;
  for (r = 0; f.pages > 0 && r == 0 && --generation > 0;)
    {
      r = examine (store->path, generation, &repair->generation, &f, err);
      repair->generation = generation;
      if (r == -CS_E_DAMAGED)
        {
          *err = (struct cs_err) CS_ERR_INIT;
          f.pages = 1;
          r = 0;
        }
    }
  if (r == -CS_E_REFUSED || generation == 0)
    {
      *err = (struct cs_err) CS_ERR_INIT;
      cs_err_set (err, CS_E_DAMAGED, "none of the generations that are kept "
                  "is whole");
      return cs_err_advise (err, "restore it from a backup: cs-create --from "
                            "BACKUP");
    }
  return r < 0 ? r : sound;
}

/* Make the copy under a name that nothing has: PATH.damaged or the like,
   which is to become the name of the damaged store.  */
static int
copy (const char *path, struct cs_repair *repair, struct cs_err *err)
{
  uint64_t wanted = repair->generation == repair->found ? CS_STORE_SALVAGE
                                                        : repair->generation;
  int r = -CS_E_REFUSED;

  for (int i = 0; i < NAME_TRIES && r == -CS_E_REFUSED; i++)
    {
      int n = i == 0 ? snprintf (repair->kept, sizeof repair->kept,
                                 "%s.damaged", path)
              : snprintf (repair->kept, sizeof repair->kept,
                          "%s.damaged-%d", path, i);

      if (n < 0 || (size_t) n >= sizeof repair->kept)
        return cs_err_sys (err, ENAMETOOLONG, "name a copy");
      if (access (repair->kept, F_OK) == 0)
        continue;
      *err = (struct cs_err) CS_ERR_INIT;
      r = cs_store_clone (path, wanted, repair->kept, false, err);
      if (r == -CS_E_REFUSED && access (repair->kept, F_OK) != 0)
        break;
    }
  /* It may be there all the same: only its name could not be synced.  */
  if (r < 0 && r != -CS_E_REFUSED)
    cs_sys.unlinkat (AT_FDCWD, repair->kept, 0);
  return r;
}

static int
exchange_names (const struct cs_store *store, const char *kept)
{
  return cs_sys.renameat2 (store->dirfd, kept, store->dirfd, store->name,
                           RENAME_EXCHANGE) < 0 ? -errno : 0;
}

/* The history is the damaged store's.  0, also if there is none, or
   -errno.  */
static int
move_history (const struct cs_store *store, const char *kept)
{
  char ours[NAME_MAX + 16], theirs[NAME_MAX + 16];

  snprintf (ours, sizeof ours, "%s-history", store->name);
  snprintf (theirs, sizeof theirs, "%.240s-history", kept);
  return cs_sys.renameat2 (store->dirfd, ours, store->dirfd, theirs,
                           RENAME_NOREPLACE) < 0 && errno != ENOENT
         ? -errno : 0;
}

/* Let store and copy change names.  If that fails there is no copy: what is
   called damaged would be whole.  */
static int
exchange (const struct cs_store *store, const struct cs_repair *repair,
          struct cs_err *err)
{
  const char *slash = strrchr (repair->kept, '/');
  const char *kept = slash ? slash + 1 : repair->kept;
  int folder, r = exchange_names (store, kept);

  if (r < 0)
    cs_err_sys (err, -r, "exchange the names of '%s' and the store",
                repair->kept);
  else
    {
      r = move_history (store, kept);
      if (r < 0)
        cs_err_sys (err, -r, "move its history to '%s-history'",
                    repair->kept);
      if (r < 0 && exchange_names (store, kept) < 0)
        return err->code;
    }
  if (r < 0)
    {
      cs_sys.unlinkat (store->dirfd, kept, 0);
      return err->code;
    }
  folder = cs_sys.openat (store->dirfd, ".",
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0 || cs_sys.fsync (folder) < 0)
    r = cs_err_sys (err, errno, "sync its folder");
  cs_file_close (&folder);
  return r;
}

static int
repair_store (struct cs_store *store, struct cs_repair *repair,
              struct cs_err *err)
{
  bool exists;
  int r = cs_store_claim (store, true, err);
  char link[PATH_MAX];

  if (r < 0)
    return r;
  /* The copy has to be where the store is, and not beside a link to it.  */
  if (cs_sys.readlinkat (AT_FDCWD, store->path, link, sizeof link) >= 0)
    {
      char *real = realpath (store->path, NULL);

      if (!real)
        return cs_err_sys (err, errno, "symbolic link");
      free (store->path);
      store->path = real;
    }
  if (store->fd < 0)
    return cs_err_sys (err, ENOENT, "status of the file");
  r = choose (store, repair, err);
  if (r != 0)
    return r < 0 ? r : 0;
  repair->damaged = true;
  r = copy (store->path, repair, err);
  if (r < 0)
    return r;
  if (cs_file_is_current (store, store->fd, &exists) != 1)
    {
      cs_sys.unlinkat (AT_FDCWD, repair->kept, 0);
      return cs_err_set (err, CS_E_REFUSED, "its name has gone to another "
                         "file");
    }
  return exchange (store, repair, err);
}

int
cs_store_repair (const char *path, struct cs_repair *repair,
                 struct cs_err *err)
{
  struct cs_store *store = cs_store_new (path, CS_STORE_WRITE);
  struct cs_err own = CS_ERR_INIT;
  int r;

  if (!err)
    err = &own;
  *repair = (struct cs_repair) { .damaged = false };
  r = store ? repair_store (store, repair, err)
      : cs_err_sys (err, ENOMEM, "repair");
  if (store)
    cs_store_close (store);
  return r < 0 ? cs_err_prefix (err, "cannot repair '%s'", path) : 0;
}
