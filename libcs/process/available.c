/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* available.c -- how much memory this process may still fill.  */

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/available.h"

#define TEXT_LEN 4096

/* The beginning of the file PATH.  False if it cannot be read.  */
static bool
read_text (const char *path, char text[TEXT_LEN])
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read (fd, text, TEXT_LEN - 1);

  if (fd >= 0)
    close (fd);
  text[n < 0 ? 0 : n] = '\0';
  return n > 0;
}

/* The number behind NAME in TEXT, where a line begins with it; or 0.  */
static uint64_t
number_of (const char *text, const char *name)
{
  size_t len = strlen (name);

  for (; text; text = strchr (text, '\n'), text = text ? text + 1 : NULL)
    if (strncmp (text, name, len) == 0)
      return strtoull (text + len, NULL, 10);
  return 0;
}

/* What the group GROUP may still have.  Its page cache gives way.  */
static uint64_t
available_in (const char *group)
{
  char path[TEXT_LEN + 64], text[TEXT_LEN];
  uint64_t max, used;

  snprintf (path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
  if (!read_text (path, text) || text[0] == 'm')
    return UINT64_MAX;
  max = strtoull (text, NULL, 10);
  snprintf (path, sizeof path, "/sys/fs/cgroup%s/memory.stat", group);
  if (!read_text (path, text))
    return UINT64_MAX;
  used = number_of (text, "anon ");
  return used < max ? max - used : 0;
}

/* The least that the process's group and those above it may have.  */
static uint64_t
available_in_groups (void)
{
  char text[TEXT_LEN], *group, *end;
  uint64_t least = UINT64_MAX, bytes;

  if (!read_text ("/proc/self/cgroup", text))
    return least;
  group = strstr (text, "0::/");
  if (!group)
    return least;
  group += strlen ("0::");
  group[strcspn (group, "\n")] = '\0';
  for (end = group + strlen (group); end > group; end = strrchr (group, '/'))
    {
      *end = '\0';
      bytes = available_in (group);
      least = bytes < least ? bytes : least;
    }
  return least;
}

uint64_t
cs_available_memory (void)
{
  char text[TEXT_LEN];
  uint64_t bytes, least;

  if (!read_text ("/proc/meminfo", text))
    return 0;
  bytes = number_of (text, "MemAvailable:") * 1024;
  least = bytes > 0 ? available_in_groups () : 0;
  return bytes < least ? bytes : least;
}
