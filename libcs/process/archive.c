/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive.c -- the archive of this process's store, and opening its files.  */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intern/library-file.h"
#include "process/archive.h"
#include "process/process.h"
#include "report.h"
#include "store/pages.h"

/* Guile 3.0.8, libguile/loader.c: major number in the upper half.  */
#define DT_GUILE_VM_VERSION 0x37146003

#define NAME_LEN_MAX 250        /* of a memory file */

/* Of a compiled file, what is read to tell its version.  */
#define HEAD_LEN 1024

static bool
fits (uint64_t off, uint64_t len, uint64_t end)
{
  return off <= end && len <= end - off;
}

/* Compiled code.  */

/* The dynamic section of the headers in the LEN bytes at DATA, which may be
   cut off behind them; NULL if there is none.  */
static const ElfW (Phdr) *
find_dynamic (const void *data, size_t len)
{
  const ElfW (Ehdr) *header = data;
  const ElfW (Phdr) *segment;

  if (header->e_phentsize != sizeof *segment
      || header->e_phoff % _Alignof (ElfW (Phdr)) != 0
      || !fits (header->e_phoff, header->e_phnum * sizeof *segment, len))
    return NULL;
  segment = (const ElfW (Phdr) *) ((const char *) data + header->e_phoff);
  for (size_t i = 0; i < header->e_phnum; i++, segment++)
    if (segment->p_type == PT_DYNAMIC)
      return segment;
  return NULL;
}

/* Are the LEN bytes at DATA the beginning of an ELF file of this machine's
   words?  */
static bool
is_native (const unsigned char *data)
{
  const uint16_t one = 1;

  return data[EI_CLASS] == (sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32)
         && data[EI_DATA] == (*(const char *) &one ? ELFDATA2LSB
                                                   : ELFDATA2MSB);
}

static uint32_t
version_in (const ElfW (Dyn) *dynamic, size_t nr)
{
  for (size_t i = 0; i < nr && dynamic[i].d_tag != DT_NULL; i++)
    if (dynamic[i].d_tag == DT_GUILE_VM_VERSION)
      return (uint32_t) dynamic[i].d_un.d_val;
  return 0;
}

uint32_t
cs_archive_bytecode (const void *data, size_t len)
{
  const ElfW (Phdr) *segment;

  if (len < sizeof (ElfW (Ehdr)) || memcmp (data, ELFMAG, SELFMAG) != 0)
    return 0;
  if (!is_native (data))
    return UINT32_MAX;
  segment = find_dynamic (data, len);
  if (!segment || segment->p_offset % _Alignof (ElfW (Dyn)) != 0
      || !fits (segment->p_offset, segment->p_filesz, len))
    return 0;
  return version_in ((const ElfW (Dyn) *) ((const char *) data
                                           + segment->p_offset),
                     segment->p_filesz / sizeof (ElfW (Dyn)));
}

/* The same of the file FD.  */
static uint32_t
bytecode_of (int fd)
{
  _Alignas (ElfW (Ehdr)) char head[HEAD_LEN];
  ElfW (Dyn) dynamic[64];
  const ElfW (Phdr) *segment;
  ssize_t n = pread (fd, head, sizeof head, 0);

  if (n < (ssize_t) sizeof (ElfW (Ehdr))
      || memcmp (head, ELFMAG, SELFMAG) != 0)
    return 0;
  if (!is_native ((const unsigned char *) head))
    return UINT32_MAX;
  segment = find_dynamic (head, (size_t) n);
  if (!segment)
    return 0;
  n = pread (fd, dynamic, sizeof dynamic, (off_t) segment->p_offset);
  return n > 0 ? version_in (dynamic, (size_t) n / sizeof *dynamic) : 0;
}

/* Does an interpreter that takes code up to version OURS refuse VERSION as
   that of a newer one?  Within a major number it takes older code (Guile
   3.0.8, libguile/loader.c, process_dynamic_segment).  */
static bool
is_newer (uint32_t version, uint32_t ours)
{
  return version != 0 && ours != 0
         && (version >> 16 != ours >> 16 || version > ours);
}

/* This process's.  */

/* The archive of this process's store, looked up when it is first asked for;
   &none if there is none.  */
static const struct cs_archive_disk *
own_archive (void)
{
  static const struct cs_archive_disk none;
  static _Atomic (const struct cs_archive_disk *) archive;
  static atomic_bool complained;
  const struct cs_archive_disk *now = atomic_load (&archive);
  struct cs_err err = CS_ERR_INIT;

  if (now || !cs_process.store)
    return now ? now : &none;
  now = cs_archive_read (cs_process.store, &err);
  if (now)
    atomic_store (&archive, now);
  if (err.code != 0 && !atomic_exchange (&complained, true))
    cs_report (CS_REPORT_MISSING, "the modules of Guile: %s", err.text);
  return now ? now : &none;
}

static bool
is_below (const char *path, const char *root)
{
  size_t len = strlen (root);

  return strncmp (path, root, len) == 0
         && (path[len] == '/' || path[len] == '\0');
}

static const struct cs_archive_file_disk *
find_own (const char *path)
{
  const struct cs_archive_disk *archive = own_archive ();

  for (uint32_t i = 0; i < archive->nr_roots; i++)
    if (is_below (path, cs_archive_name (archive, archive->roots[i])))
      return cs_archive_find (archive, path);
  return NULL;
}

bool
cs_archive_status (const char *path, struct cs_archive_status *status)
{
  const struct cs_archive_file_disk *file = find_own (path);

  if (!file)
    return false;
  *status = (struct cs_archive_status) {
    .number = (uint64_t) (file - cs_archive_file (own_archive (), 0)) + 1,
    .len = file->len, .mtime = file->mtime
  };
  return true;
}

bool
cs_archive_hides (const char *path)
{
  size_t len = strlen (path);
  uint32_t ours = own_archive ()->bytecode, version;
  int fd;

  if (ours == 0 || len < 3 || strcmp (path + len - 3, ".go") != 0)
    return false;
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return false;
  version = bytecode_of (fd);
  close (fd);
  return is_newer (version, ours);
}

static int
unpack_to (int fd, const struct cs_archive_file_disk *file)
{
  void *bytes;
  int code;

  if (ftruncate (fd, (off_t) file->len) != 0)
    return -errno;
  if (file->len == 0)
    return 0;
  bytes = mmap (NULL, file->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED)
    return -errno;
  code = cs_archive_unpack (own_archive (), file, bytes);
  munmap (bytes, file->len);
  return code;
}

int
cs_archive_open_again (const char *name)
{
  static const char prefix[] = "/memfd:";

  return strncmp (name, prefix, sizeof prefix - 1) == 0
           ? cs_archive_open (name + sizeof prefix - 1) : -ENOENT;
}

int
cs_archive_open (const char *path)
{
  const struct cs_archive_file_disk *file = find_own (path);
  sigset_t mask;
  int fd, code;

  if (!file)
    return -ENOENT;
  /* By its name a port is opened again that a checkpoint finds open.  A longer
     one is refused (memfd_create(2)).  */
  fd = cs_library_open_unnamed (strlen (path) < NAME_LEN_MAX ? path : "file");
  if (fd < 0)
    return errno == ENOENT ? -EIO : -errno;
  cs_file_begin_limited (&mask);
  code = unpack_to (fd, file);
  cs_file_end_limited (&mask, code);
  if (code == 0)
    return fd;
  close (fd);
  return code;
}
