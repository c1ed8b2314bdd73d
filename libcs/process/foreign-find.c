/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* foreign-find.c -- a library opened in an earlier process, found again.

   The name that it was opened by comes first.  Where that is no longer
   there, the library may have been replaced by a compatible one: a point
   release renames the file that the soname is a link to, and a distribution
   may move its directory.  So the soname is looked for in the directory that
   the name leads to, then wherever ld.so looks.  */

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "private.h"
#include "report.h"

const char *
cs_foreign_soname (void *handle)
{
  const char *strings = NULL;
  struct link_map *map;
  ElfW (Xword) off = 0;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0 || !map->l_ld)
    return "";
  /* ld.so has put today's address into DT_STRTAB (glibc 2.36,
     elf/get-dynamic-info.h).  */
  for (const ElfW (Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
    if (d->d_tag == DT_STRTAB)
      strings = (const char *) d->d_un.d_ptr;
    else if (d->d_tag == DT_SONAME)
      off = d->d_un.d_val;
  return strings && off ? strings + off : "";
}

/* Open the library SONAME in the directory of PATH, if PATH has one.  */
static void *
open_beside (const char *path, const char *soname, int flags)
{
  const char *slash = strrchr (path, '/');
  char beside[PATH_MAX];
  int len;

  if (!slash)
    return NULL;
  len = snprintf (beside, sizeof beside, "%.*s/%s", (int) (slash - path),
                  path, soname);
  return len > 0 && (size_t) len < sizeof beside ? dlopen (beside, flags)
                                                 : NULL;
}

void *
cs_foreign_find (const char *path, const char *soname, int flags)
{
  void *handle = dlopen (path[0] ? path : NULL, flags);
  struct link_map *map;

  if (handle || !soname[0])
    return handle;
  handle = open_beside (path, soname, flags);
  if (!handle)
    handle = dlopen (soname, flags);
  if (!handle)
    return dlopen (path, flags);        /* for dlerror() */
  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0)
    cs_report (CS_REPORT_CHANGED, "library '%s': it is gone, and '%s' has"
               " taken its place", path, map->l_name);
  return handle;
}
