/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* place.c -- where a file is that is to be made or replaced.  */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/place.h"
#include "store/store-private.h"
#include "store/sys.h"

#define LINKS_MAX 40            /* in a row; Linux, namei(7): MAXSYMLINKS */

void
cs_place_leave (struct cs_place *place)
{
  cs_file_close (&place->dirfd);
  free (place->name);
  free (place->path);
  place->name = place->path = NULL;
}

/* PATH, of a link in the place's directory, from where we are.  To be freed;
   NULL without memory.  */
static char *
whole_path (const struct cs_place *place, const char *path)
{
  const char *slash = place->path ? strrchr (place->path, '/') : NULL;
  char *whole;

  if (*path == '/' || !slash)
    return strdup (path);
  return asprintf (&whole, "%.*s/%s", (int) (slash - place->path),
                   place->path, path) < 0 ? NULL : whole;
}

/* Split PATH, which begins at DIRFD: open its directory, copy what is behind
   the last slash.  */
static int
enter (struct cs_place *place, int dirfd, const char *path,
       struct cs_err *err)
{
  const char *slash = strrchr (path, '/');
  const char *name = slash ? slash + 1 : path;
  struct cs_place next = CS_PLACE_INIT;
  char *directory;
  int r = 0;

  if (*name == '\0' || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return cs_err_set (err, CS_E_REFUSED, "not a regular file");
  directory = slash ? strndup (path, (size_t) (slash - path) + 1)
              : strdup (".");
  next.name = strdup (name);
  next.path = whole_path (place, path);
  if (!directory || !next.name || !next.path)
    r = cs_err_sys (err, ENOMEM, "directory");
  if (r == 0)
    next.dirfd = cs_sys.openat (dirfd, directory,
                                O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (r == 0 && next.dirfd < 0)
    r = cs_err_sys (err, errno, "directory '%s'", directory);
  if (next.dirfd >= 0)
    next.dirfd = cs_file_move_high (next.dirfd);
  cs_place_leave (place);
  *place = next;
  free (directory);
  return r;
}

/* May the link with the place's name be followed?  */
static int
check_link (const struct cs_place *place, struct cs_err *err)
{
  struct stat directory, link;

  if (cs_sys.fstatat (place->dirfd, place->name, &link, AT_SYMLINK_NOFOLLOW)
      < 0
      || cs_sys.fstatat (place->dirfd, "", &directory, AT_EMPTY_PATH) < 0)
    return cs_err_sys (err, errno, "symbolic link");
  if (!(directory.st_mode & S_ISVTX) || !(directory.st_mode & S_IWOTH)
      || link.st_uid == geteuid () || link.st_uid == directory.st_uid)
    return 0;
  cs_err_set (err, CS_E_REFUSED, "symbolic link '%s' was made by user %ld in a"
              " directory where all may make files", place->name,
              (long) link.st_uid);
  return cs_err_advise (err, "name the file that you mean, not the link");
}

/* Follow the link with the place's name, if it is one: 1, or 0.  */
static int
follow (struct cs_place *place, struct cs_err *err)
{
  char link[PATH_MAX];
  ssize_t n = cs_sys.readlinkat (place->dirfd, place->name, link,
                                 sizeof link);
  int r;

  if (n < 0)
    return 0;                   /* no link, or nothing */
  if ((size_t) n == sizeof link)
    return cs_err_sys (err, ENAMETOOLONG, "symbolic link");
  link[n] = '\0';
  r = check_link (place, err);
  if (r == 0)
    r = enter (place, place->dirfd, link, err);
  return r < 0 ? r : 1;
}

int
cs_place_find (const char *path, struct cs_place *place, struct cs_err *err)
{
  struct stat st;
  int links = 0, r;

  cs_place_leave (place);
  r = enter (place, AT_FDCWD, path, err);

  while (r >= 0 && (r = follow (place, err)) == 1)
    if (++links > LINKS_MAX)
      return cs_err_sys (err, ELOOP, "symbolic link");
  if (r == 0 && links > 0
      && cs_sys.fstatat (place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW)
         < 0)
    return cs_err_sys (err, errno, "symbolic link");
  return r;
}
