/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* maps.c -- what this process has mapped, as the kernel tells.  */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps.h"

/* A line of proc(5)'s maps, without its end:
   "5581e2a0f000-5581e2a10000 r-xp 00001000 fe:01 1234    /path".  */
static void
visit_line (const char *line, cs_maps_visit *visit, void *closure)
{
  struct cs_mapping m;
  char *next;

  m.start = (uintptr_t) strtoull (line, &next, 16);
  if (*next != '-')
    return;
  m.end = (uintptr_t) strtoull (next + 1, &next, 16);
  if (strlen (next) < 6)
    return;
  m.prot = next + 1;
  m.off = (uintptr_t) strtoull (m.prot + 5, NULL, 16);
  m.path = strpbrk (m.prot, "/[");
  if (!m.path)
    m.path = "";
  m.name = *m.path == '/' ? strrchr (m.path, '/') + 1 : m.path;
  visit (closure, &m);
}

/* Take the lines of the LEN bytes at BUF; returns how many are left of one
   that has not ended, now at its beginning.  */
static size_t
visit_lines (char *buf, size_t len, cs_maps_visit *visit, void *closure)
{
  char *line = buf, *stop;

  while ((stop = memchr (line, '\n', len - (size_t) (line - buf))))
    {
      *stop = '\0';
      visit_line (line, visit, closure);
      line = stop + 1;
    }
  len -= (size_t) (line - buf);
  memmove (buf, line, len);
  return len;
}

void
cs_maps_each (char *buf, size_t len, cs_maps_visit *visit, void *closure)
{
  int fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  size_t have = 0;
  ssize_t got;

  if (fd < 0)
    return;
  while ((got = read (fd, buf + have, len - have)) > 0)
    have = visit_lines (buf, have + (size_t) got, visit, closure);
  close (fd);
}

struct wanted
{
  uint64_t start, end;
  char *text;
  size_t len;
  bool found;
};

static void
describe (void *closure, const struct cs_mapping *m)
{
  struct wanted *w = closure;

  if (w->found || m->end <= w->start || m->start >= w->end)
    return;
  w->found = true;
  snprintf (w->text, w->len, "%s (0x%" PRIxPTR "-0x%" PRIxPTR ")",
            *m->path ? m->path : "[anonymous]", m->start, m->end);
}

bool
cs_maps_find (uint64_t start, uint64_t end, char *text, size_t len)
{
  struct wanted wanted = { start, end, text, len, false };
  char buf[8192];

  snprintf (text, len, "another mapping");
  cs_maps_each (buf, sizeof buf, describe, &wanted);
  return wanted.found;
}
