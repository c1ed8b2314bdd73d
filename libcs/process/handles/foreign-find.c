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

#include "process/private.h"
#include "report.h"

/* ld.so has put today's address into DT_STRTAB (glibc 2.36,
   elf/get-dynamic-info.h, ADJUST_DYN_INFO).  */
const char *
cs_foreign_next_string (const struct link_map *map, int64_t tag,
                        const ElfW (Dyn) **at)
{
  const ElfW (Dyn) *d = *at ? *at + 1 : map->l_ld;
  const ElfW (Dyn) *strings = map->l_ld;

  while (d && d->d_tag != DT_NULL && d->d_tag != tag)
    d++;
  while (strings && strings->d_tag != DT_NULL && strings->d_tag != DT_STRTAB)
    strings++;
  *at = d;
  return d && d->d_tag == tag && strings->d_tag == DT_STRTAB
           ? (const char *) strings->d_un.d_ptr + d->d_un.d_val : NULL;
}

const char *
cs_foreign_soname (void *handle)
{
  const ElfW (Dyn) *at = NULL;
  const char *soname = NULL;
  struct link_map *map;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0)
    soname = cs_foreign_next_string (map, DT_SONAME, &at);
  return soname ? soname : "";
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
