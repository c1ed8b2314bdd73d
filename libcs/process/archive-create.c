/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive-create.c -- putting files into the store.

   Once in the life of a store.  Threads of this process's own compress one
   file after the other: it is all of Guile, some 50 MB.  */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "process/archive.h"

/* Level 6 takes twice the time of 1 and makes the archive 13 % smaller.  */
#define LEVEL 1
#define THREADS_MAX 8

/* A file that is larger is none of an interpreter's.  */
#define FILE_LEN_MAX ((off_t) 256 << 20)

struct packed
{
  char *path;
  void *data;                   /* NULL: it could not be read, or not yet */
  uint64_t packed_len, len;
  int64_t mtime;
  uint32_t bytecode;
};

struct maker
{
  struct packed *files;
  size_t nr, room;
  atomic_size_t next;           /* the first that no thread has taken */
  atomic_int code;              /* 0 or -errno */
};

/* Takes PATH over.  */
static int
add (struct maker *m, char *path)
{
  size_t room = m->room ? 2 * m->room : 1024;
  struct packed *files;

  if (m->nr == m->room)
    {
      files = realloc (m->files, room * sizeof *files);
      if (!files)
        {
          free (path);
          return -ENOMEM;
        }
      m->files = files;
      m->room = room;
    }
  m->files[m->nr++] = (struct packed) { .path = path };
  return 0;
}

/* A directory that is being collected, and the one around it.  */
struct level
{
  const struct level *outer;    /* NULL: a root */
  dev_t device;
  ino_t inode;
};

static int collect (struct maker *m, char *path, const struct level *outer);

/* A symbolic link may lead to a directory that it is in.  */
static bool
is_inside (const struct level *outer, const struct stat *status)
{
  for (; outer; outer = outer->outer)
    if (outer->device == status->st_dev && outer->inode == status->st_ino)
      return true;
  return false;
}

static int
collect_directory (struct maker *m, const char *path, DIR *directory,
                   const struct level *level)
{
  const struct dirent *entry;
  char *inner;
  int code = 0;

  while (code == 0 && (entry = readdir (directory)))
    {
      if (entry->d_name[0] == '.')
        continue;
      code = asprintf (&inner, "%s/%s", path, entry->d_name) < 0
               ? -ENOMEM : collect (m, inner, level);
    }
  return code;
}

/* All regular files from PATH on, which is taken over.  What cannot be looked
   at is left out: the interpreter could not have used it.  */
static int
collect (struct maker *m, char *path, const struct level *outer)
{
  struct stat status;
  DIR *directory = NULL;
  int code = 0;

  if (stat (path, &status) == 0)
    {
      if (S_ISREG (status.st_mode) && status.st_size <= FILE_LEN_MAX
          && access (path, R_OK) == 0)
        return add (m, path);
      if (S_ISDIR (status.st_mode) && !is_inside (outer, &status))
        directory = opendir (path);
    }
  if (directory)
    {
      const struct level level = { outer, status.st_dev, status.st_ino };

      code = collect_directory (m, path, directory, &level);
      closedir (directory);
    }
  free (path);
  return code;
}

static int
compare_paths (const void *a, const void *b)
{
  return strcmp (((const struct packed *) a)->path,
                 ((const struct packed *) b)->path);
}

/* A1: roots may overlap.  */
static void
sort (struct maker *m)
{
  size_t nr = 0;

  qsort (m->files, m->nr, sizeof *m->files, compare_paths);
  for (size_t i = 0; i < m->nr; i++)
    if (nr > 0 && strcmp (m->files[nr - 1].path, m->files[i].path) == 0)
      free (m->files[i].path);
    else
      m->files[nr++] = m->files[i];
  m->nr = nr;
}

static int
pack (struct packed *file, const void *bytes)
{
  uLongf packed_len = compressBound (file->len);
  Bytef *data = malloc (packed_len);

  if (!data || compress2 (data, &packed_len, bytes, file->len, LEVEL) != Z_OK)
    {
      free (data);
      return -ENOMEM;
    }
  file->bytecode = cs_archive_bytecode (bytes, file->len);
  file->packed_len = packed_len;
  file->data = realloc (data, packed_len);
  if (!file->data)
    file->data = data;
  return 0;
}

static int
pack_file (struct packed *file)
{
  static char empty[1];
  struct stat status;
  void *bytes = empty;
  int fd = open (file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY), code;

  if (fd < 0 || fstat (fd, &status) != 0)
    code = -errno;
  else
    {
      file->len = (uint64_t) status.st_size;
      file->mtime = (int64_t) status.st_mtim.tv_sec * 1000000000
                    + status.st_mtim.tv_nsec;
      if (file->len > 0)
        bytes = mmap (NULL, file->len, PROT_READ, MAP_PRIVATE, fd, 0);
      code = bytes == MAP_FAILED ? -errno : pack (file, bytes);
      if (bytes != MAP_FAILED && bytes != empty)
        munmap (bytes, file->len);
    }
  if (fd >= 0)
    close (fd);
  return code;
}

static void *
work (void *closure)
{
  struct maker *m = closure;
  size_t i;
  int code;

  while (atomic_load (&m->code) == 0
         && (i = atomic_fetch_add (&m->next, 1)) < m->nr)
    {
      code = pack_file (&m->files[i]);
      if (code != 0)
        atomic_store (&m->code, code);
    }
  return NULL;
}

/* One thread a processor; this one too.  */
static int
pack_all (struct maker *m)
{
  pthread_t threads[THREADS_MAX];
  long nr_processors = sysconf (_SC_NPROCESSORS_ONLN);
  size_t nr = 0;

  while (nr < THREADS_MAX && (long) nr + 1 < nr_processors
         && pthread_create (&threads[nr], NULL, work, m) == 0)
    nr++;
  work (m);
  while (nr > 0)
    pthread_join (threads[--nr], NULL);
  return atomic_load (&m->code);
}

/* Where everything goes.  */
static struct cs_archive_disk
lay_out (const struct maker *m, const char *const *roots, size_t nr)
{
  struct cs_archive_disk head = {
    .magic = CS_ARCHIVE_MAGIC, .version = CS_ARCHIVE_VERSION,
    .count = (uint32_t) m->nr, .nr_roots = (uint32_t) nr
  };

  head.names = sizeof head + m->nr * sizeof (struct cs_archive_file_disk);
  for (size_t i = 0; i < nr; i++)
    head.names_len += strlen (roots[i]) + 1;
  head.len = head.names;
  for (size_t i = 0; i < m->nr; i++)
    {
      head.names_len += strlen (m->files[i].path) + 1;
      head.len += m->files[i].packed_len;
      head.unpacked_len += m->files[i].len;
      if (m->files[i].bytecode != UINT32_MAX
          && m->files[i].bytecode > head.bytecode)
        head.bytecode = m->files[i].bytecode;
    }
  head.len += head.names_len;
  return head;
}

/* Append NAME to the names, which have used *AT bytes.  */
static uint32_t
put_name (char *names, uint32_t *at, const char *name)
{
  uint32_t off = *at;

  *at += (uint32_t) strlen (name) + 1;
  strcpy (names + off, name);
  return off;
}

static void
put (const struct maker *m, const struct cs_archive_disk *head,
     const char *const *roots, char *out)
{
  struct cs_archive_disk *archive = (struct cs_archive_disk *) out;
  struct cs_archive_file_disk *file
    = (struct cs_archive_file_disk *) (archive + 1);
  uint64_t data = head->names + head->names_len;
  char *names = out + head->names;
  uint32_t at = 0;

  *archive = *head;
  for (size_t i = 0; i < head->nr_roots; i++)
    archive->roots[i] = put_name (names, &at, roots[i]);
  for (size_t i = 0; i < m->nr; i++, file++)
    {
      const struct packed *p = &m->files[i];

      *file = (struct cs_archive_file_disk) {
        .data = data, .packed_len = p->packed_len, .len = p->len,
        .mtime = p->mtime, .name = put_name (names, &at, p->path)
      };
      memcpy (out + data, p->data, p->packed_len);
      data += p->packed_len;
    }
}

static int
write_section (struct cs_store *store, const struct maker *m,
               const char *const *roots, size_t nr)
{
  struct cs_archive_disk head = lay_out (m, roots, nr);
  void *section;
  int code = cs_store_section_create (store, "modules", head.len,
                                      PROT_READ | PROT_WRITE, &section);

  if (code != 0)
    return code;
  put (m, &head, roots, section);
  return cs_store_protect (store, section, head.len, PROT_READ);
}

int
cs_archive_create (struct cs_store *store, const char *const *roots,
                   size_t nr, struct cs_err *err)
{
  struct maker m = { .nr = 0 };
  char *root;
  int code = nr > CS_ARCHIVE_ROOTS_MAX ? -E2BIG : 0;

  for (size_t i = 0; code == 0 && i < nr; i++)
    {
      root = strdup (roots[i]);
      code = root ? collect (&m, root, NULL) : -ENOMEM;
    }
  if (code == 0)
    {
      sort (&m);
      code = pack_all (&m);
    }
  if (code == 0)
    code = write_section (store, &m, roots, nr);
  for (size_t i = 0; i < m.nr; i++)
    {
      free (m.files[i].path);
      free (m.files[i].data);
    }
  free (m.files);
  return code == 0 ? 0 : cs_err_sys (err, -code, "cannot put the modules of"
                                     " Guile into '%s'",
                                     cs_store_path (store));
}
