/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.c -- what a store did to its files, call by call.  */

#include "../unit/store-fixture.h"

#include "trace.h"

#define TRACE_LEN ((size_t) 160 << 20)

struct trace *
trace_new (void)
{
  struct trace *trace = mmap (NULL, TRACE_LEN, RW,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                              0);
  struct stat st;

  CHECK (trace != MAP_FAILED && stat (".", &st) == 0);
  trace_new_file (trace, st.st_dev, st.st_ino, true);
  return trace;
}

void
trace_free (struct trace *trace)
{
  CHECK (munmap (trace, TRACE_LEN) == 0);
}

void *
trace_memory (struct trace *trace, size_t len)
{
  void *p = trace->arena + trace->used;

  trace->used += (len + 15) / 16 * 16;
  CHECK (sizeof *trace + trace->used <= TRACE_LEN);
  return p;
}

struct event *
trace_add (struct trace *trace, enum event_kind kind, int file)
{
  struct event *e = &trace->events[trace->nr_events];

  CHECK (trace->nr_events < TRACE_EVENTS);
  e->kind = kind;
  e->file = file;
  trace->nr_events++;
  return e;
}

void
trace_write (struct trace *trace, int file, uint64_t off, const void *data,
             size_t len)
{
  char *copy = trace_memory (trace, len);
  struct event *e = trace_add (trace, EVENT_WRITE, file);

  memcpy (copy, data, len);
  e->off = off;
  e->len = len;
  e->data = copy;
}

static void
set_change (struct change *c, int folder, const char *name, int target)
{
  CHECK (strlen (name) < sizeof c->name);
  c->folder = folder;
  c->target = target;
  strcpy (c->name, name);
}

void
trace_entry (struct trace *trace, int folder, const char *name, int target)
{
  struct event *e = trace_add (trace, EVENT_ENTRY, NONE);

  set_change (&e->changes[e->nr_changes++], folder, name, target);
}

int
trace_find (const struct trace *trace, dev_t dev, ino_t ino)
{
  /* The newest first: numbers of files that are gone are given again.  */
  for (size_t i = trace->nr_files; i-- > 0;)
    if (trace->files[i].dev == dev && trace->files[i].ino == ino)
      return (int) i;
  return NONE;
}

int
trace_new_file (struct trace *trace, dev_t dev, ino_t ino, bool is_folder)
{
  CHECK (trace->nr_files < TRACE_FILES);
  trace->files[trace->nr_files] = (struct trace_file) { dev, ino, is_folder };
  return (int) trace->nr_files++;
}

/* The pages of a file that are not zeros, and its length.  */
static void
adopt_contents (struct trace *trace, int folder_fd, const char *name,
                int file)
{
  int fd = openat (folder_fd, name, O_RDONLY | O_CLOEXEC);
  off_t off = 0, end = lseek (fd, 0, SEEK_END);
  char page[PAGE] __attribute__ ((aligned (8)));

  CHECK (fd >= 0 && end >= 0);
  while ((off = lseek (fd, off, SEEK_DATA)) >= 0)
    {
      ssize_t n;

      off = off / (off_t) PAGE * (off_t) PAGE;
      n = pread (fd, page, PAGE, off);
      CHECK (n > 0);
      memset (page + n, 0, PAGE - (size_t) n);
      if (!cs_page_is_zero (page))
        trace_write (trace, file, (uint64_t) off, page, (size_t) n);
      off += (off_t) PAGE;
    }
  trace_add (trace, EVENT_RESIZE, file)->off = (uint64_t) end;
  trace_add (trace, EVENT_SYNC, file);
  close (fd);
}

static void
adopt_folder (struct trace *trace, int fd, int folder)
{
  DIR *dir = fdopendir (dup (fd));
  struct dirent *entry;
  struct stat st;

  CHECK (dir);
  rewinddir (dir);
  while ((entry = readdir (dir)))
    {
      int file;

      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      CHECK (fstatat (fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
      file = trace_find (trace, st.st_dev, st.st_ino);
      if (file == NONE)
        {
          file = trace_new_file (trace, st.st_dev, st.st_ino,
                                 S_ISDIR (st.st_mode));
          if (S_ISREG (st.st_mode))
            adopt_contents (trace, fd, entry->d_name, file);
        }
      trace_entry (trace, folder, entry->d_name, file);
      if (S_ISDIR (st.st_mode))
        {
          int below = openat (fd, entry->d_name, O_RDONLY | O_DIRECTORY);

          adopt_folder (trace, below, file);
          close (below);
        }
    }
  closedir (dir);
  trace_add (trace, EVENT_SYNC, folder);
}

void
trace_adopt (struct trace *trace)
{
  int fd = open (".", O_RDONLY | O_DIRECTORY);

  CHECK (fd >= 0 && trace->nr_events == 0);
  adopt_folder (trace, fd, 0);
  close (fd);
}

void
trace_describe (const struct trace *trace, size_t event, char *text,
                size_t len)
{
  static const char *const kinds[] = {
    "write", "punch", "resize", "entry", "sync", "failed sync", "begin",
    "acknowledge"
  };
  const struct event *e = &trace->events[event];
  size_t n = (size_t) snprintf (text, len, "%zu %s", event, kinds[e->kind]);

  if (e->kind == EVENT_BEGIN || e->kind == EVENT_ACKNOWLEDGED)
    snprintf (text + n, len - n, " generation %llu of %s",
              (unsigned long long) e->attempt->generation, e->attempt->path);
  else if (e->kind == EVENT_ENTRY)
    snprintf (text + n, len - n, " %d/%s -> %d", e->changes[0].folder,
              e->changes[0].name, e->changes[0].target);
  else
    snprintf (text + n, len - n, " %d at %llu, %llu bytes", e->file,
              (unsigned long long) e->off, (unsigned long long) e->len);
}
