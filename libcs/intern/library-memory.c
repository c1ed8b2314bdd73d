/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-memory.c -- the memory file that dlopen() gets for a carried
   library.

   ld.so reads the headers, tables and data of a library while it loads it.
   Code and constants are mapped from the store afterwards, over whatever
   ld.so has mapped (L3).  Of a *flat* library (CS_LIBRARY_FLAT) the file
   therefore says that it has one segment, which is written to and as long as
   the library: one mapping instead of five, and two writes.  The store's
   headers, which tell of all segments, come to lie over these when the
   library is bound.  */

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "intern/library-file.h"
#include "intern/library-load.h"
#include "store/pages.h"

/* Write the bytes [START, END) of the copy to the file, which is empty: START
   is a page's, and pages of zeros, where relocations were that are done
   already, stay holes.  */
static int
write_part (const struct cs_library_file *file, uint64_t start, uint64_t end)
{
  uint64_t pages_end = end & -(uint64_t) CS_STORE_PAGE_LEN;
  int code = 0;

  if (start < pages_end)
    code = cs_file_write_pages (file->fd, file->copy + start,
                                pages_end - start, start);
  if (code == 0 && pages_end < end)
    code = cs_file_write (file->fd, file->copy + pages_end, end - pages_end,
                          pages_end);
  return code;
}

/* Write all but the segments that are mapped from the store (L3).  They are
   in rising order, as program headers are (ELF, "Program Header").  The last
   page of each is written too: the next segment may begin in it.  */
static int
write_copy (const struct cs_library_file *file)
{
  const struct cs_library_disk *library = file->library;
  const struct cs_library_segment_disk *s = library->segments;
  uint64_t at = 0, start;
  int code = ftruncate (file->fd, (off_t) library->copy_len) == 0 ? 0 : -errno;

  for (uint32_t i = 0; code == 0 && i < library->nr_segments; i++, s++)
    {
      if (s->late)
        continue;
      start = s->copy - library->copy;
      code = write_part (file, at, start);
      at = start + s->len - CS_STORE_PAGE_LEN;
    }
  return code == 0 ? write_part (file, at, library->copy_len) : code;
}

/* Make the first of NR segments the only one.  */
static void
flatten (const struct cs_library_disk *library, ElfW (Phdr) *segments,
         size_t nr)
{
  bool first = true;

  for (size_t i = 0; i < nr; i++)
    {
      if (segments[i].p_type != PT_LOAD)
        continue;
      if (first)
        {
          segments[i].p_filesz = segments[i].p_memsz = library->len;
          segments[i].p_flags = PF_R | PF_W;
        }
      else
        segments[i].p_type = PT_NULL;
      first = false;
    }
}

/* The first segment, with other headers.  */
static int
write_first (const struct cs_library_file *file, const ElfW (Phdr) *segment)
{
  _Alignas (ElfW (Ehdr)) char head[CS_LIBRARY_HEADERS_MAX];
  const ElfW (Ehdr) *header = (const ElfW (Ehdr) *) file->copy;
  size_t len = cs_library_headers_len (header);
  struct iovec parts[2] = {
    { head, len },
    { (char *) (uintptr_t) file->copy + len, segment->p_filesz - len }
  };
  ssize_t n;

  memcpy (head, file->copy, len);
  flatten (file->library, (ElfW (Phdr) *) (head + header->e_phoff),
           header->e_phnum);
  n = pwritev (file->fd, parts, 2, 0);
  /* Less is written when RLIMIT_FSIZE ends it.  */
  return n == (ssize_t) segment->p_filesz ? 0 : n < 0 ? -errno : -EFBIG;
}

/* Is SEGMENT mapped from the store, and none of ld.so's business?  */
static bool
is_hole (const struct cs_library_disk *library, const ElfW (Phdr) *segment)
{
  for (uint32_t i = 0; i < library->nr_segments; i++)
    if (library->segments[i].addr == segment->p_vaddr)
      return !library->segments[i].late;
  return false;
}

/* Do the headers say nothing that leads out of the copy or of the library?  A
   page of the store may be damaged.  */
static bool
is_sound (const struct cs_library_file *file)
{
  const struct cs_library_disk *library = file->library;
  const ElfW (Ehdr) *header = (const ElfW (Ehdr) *) file->copy;
  const ElfW (Phdr) *segment
    = (const ElfW (Phdr) *) (file->copy + header->e_phoff);
  size_t headers_len = cs_library_headers_len (header);

  if (header->e_phoff > CS_LIBRARY_HEADERS_MAX
      || headers_len > CS_LIBRARY_HEADERS_MAX
      || headers_len > library->copy_len)
    return false;
  for (size_t i = 0; i < header->e_phnum; i++, segment++)
    if (segment->p_type == PT_LOAD
        && (segment->p_offset > library->copy_len
            || segment->p_filesz > library->copy_len - segment->p_offset
            || segment->p_vaddr < library->addr
            || segment->p_vaddr - library->addr > library->len
            || segment->p_filesz
                 > library->len - (segment->p_vaddr - library->addr)
            || (segment->p_vaddr == library->addr
                && segment->p_filesz < headers_len)))
      return false;
  return true;
}

/* Each segment at the offset that it has in memory.  */
static int
write_flat (const struct cs_library_file *file)
{
  const struct cs_library_disk *library = file->library;
  const ElfW (Ehdr) *header = (const ElfW (Ehdr) *) file->copy;
  const ElfW (Phdr) *segment
    = (const ElfW (Phdr) *) (file->copy + header->e_phoff);
  uint64_t end = 0;
  int code = 0;

  for (size_t i = 0; code == 0 && i < header->e_phnum; i++, segment++)
    {
      if (segment->p_type != PT_LOAD || segment->p_filesz == 0
          || is_hole (library, segment))
        continue;
      code = segment->p_vaddr == library->addr
               ? write_first (file, segment)
               : cs_file_write (file->fd, file->copy + segment->p_offset,
                                segment->p_filesz,
                                segment->p_vaddr - library->addr);
      end = segment->p_vaddr + segment->p_filesz;
    }
  /* What follows in the last page is zeros.  */
  if (code == 0 && file->bss
      && library->addr + library->len - end >= CS_STORE_PAGE_LEN
      && ftruncate (file->fd, (off_t) library->len) != 0)
    code = -errno;
  return code;
}

/* The same without what is missing today.  */
static int
write_partial_copy (const struct cs_library_file *file, struct cs_err *err)
{
  size_t len = (size_t) file->library->copy_len;
  char *partial = malloc (len);
  int code = -ENOMEM;

  if (partial)
    {
      memcpy (partial, file->copy, len);
      code = cs_library_drop_missing (file->library->soname, partial, len,
                                      err);
      if (code == 0)
        code = cs_file_write (file->fd, partial, len, 0);
    }
  free (partial);
  return code;
}

static int
make_file (struct cs_library_file *file, struct cs_err *err)
{
  const struct cs_library_disk *library = file->library;
  bool flat = (library->flags & CS_LIBRARY_FLAT) != 0;
  int code;

  if (flat && !is_sound (file))
    return cs_err_set (err, CS_E_DAMAGED, "the headers of the copy of '%s'"
                       " lead out of it", library->soname);
  file->fd = cs_library_open_unnamed (library->soname);
  if (file->fd < 0)
    return cs_err_sys (err, errno, "cannot make a memory file for '%s'",
                       library->soname);
  code = file->partial ? write_partial_copy (file, err)
         : flat ? write_flat (file)
         : write_copy (file);
  if (code == 0)
    return 0;
  close (file->fd);
  cs_err_sys (err, -code, "cannot write a memory file for '%s'",
              library->soname);
  return code;
}

int
cs_library_make_files (struct cs_library_file *files, size_t nr,
                       struct cs_err *err)
{
  sigset_t mask;
  size_t made = 0;
  int code = 0;

  cs_file_begin_limited (&mask);
  while (made < nr && (code = make_file (&files[made], err)) == 0)
    made++;
  cs_file_end_limited (&mask, code);
  while (code != 0 && made > 0)
    close (files[--made].fd);
  return code;
}
