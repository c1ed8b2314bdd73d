/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive.c -- files that the store carries: finding and unpacking them.  */

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "image/archive.h"

static bool
fits (uint64_t off, uint64_t len, uint64_t end)
{
  return off <= end && len <= end - off;
}

const struct cs_archive_file_disk *
cs_archive_file (const struct cs_archive_disk *archive, uint32_t i)
{
  return (const struct cs_archive_file_disk *) (archive + 1) + i;
}

const char *
cs_archive_name (const struct cs_archive_disk *archive, uint32_t off)
{
  return off < archive->names_len
           ? (const char *) archive + archive->names + off : "";
}

static bool
head_is_sound (const struct cs_archive_disk *a, size_t len)
{
  if (a->len > len || a->nr_roots > CS_ARCHIVE_ROOTS_MAX
      || a->count > (a->len - sizeof *a) / sizeof (struct cs_archive_file_disk)
      || !fits (a->names, a->names_len, a->len) || a->names_len == 0
      || ((const char *) a)[a->names + a->names_len - 1] != '\0')
    return false;
  return true;
}

static bool
files_are_sound (const struct cs_archive_disk *a)
{
  const struct cs_archive_file_disk *f = cs_archive_file (a, 0);

  for (uint32_t i = 0; i < a->count; i++, f++)
    if (!fits (f->data, f->packed_len, a->len) || f->name >= a->names_len
        || f->len > SIZE_MAX / 2
        || (i > 0 && strcmp (cs_archive_name (a, f[-1].name),
                             cs_archive_name (a, f->name)) >= 0))
      return false;
  return true;
}

const struct cs_archive_disk *
cs_archive_read (const struct cs_store *store, struct cs_err *err)
{
  size_t len;
  const struct cs_archive_disk *archive = cs_store_section (store, "modules",
                                                            &len);

  if (!archive)
    return NULL;
  if (len >= sizeof *archive
      && memcmp (archive->magic, CS_ARCHIVE_MAGIC, sizeof archive->magic) == 0
      && archive->version != CS_ARCHIVE_VERSION)
    cs_err_set (err, CS_E_INCOMPATIBLE,
                "'%s': section 'modules' of version %u, expected %d",
                cs_store_path (store), archive->version, CS_ARCHIVE_VERSION);
  else if (len < sizeof *archive
           || memcmp (archive->magic, CS_ARCHIVE_MAGIC,
                      sizeof archive->magic) != 0
           || !head_is_sound (archive, len) || !files_are_sound (archive))
    cs_err_set (err, CS_E_DAMAGED, "'%s': section 'modules' is damaged: its"
                " head, or a file leads out of it", cs_store_path (store));
  else
    return archive;
  return NULL;
}

const struct cs_archive_file_disk *
cs_archive_find (const struct cs_archive_disk *archive, const char *path)
{
  uint32_t low = 0, high = archive->count, middle;
  const struct cs_archive_file_disk *file;
  int order;

  while (low < high)
    {
      middle = low + (high - low) / 2;
      file = cs_archive_file (archive, middle);
      order = strcmp (path, cs_archive_name (archive, file->name));
      if (order == 0)
        return file;
      if (order < 0)
        high = middle;
      else
        low = middle + 1;
    }
  return NULL;
}

int
cs_archive_unpack (const struct cs_archive_disk *archive,
                   const struct cs_archive_file_disk *file, void *out)
{
  uLongf len = file->len;
  const Bytef *data = (const Bytef *) archive + file->data;

  return uncompress (out, &len, data, file->packed_len) == Z_OK
         && len == file->len ? 0 : -EIO;
}
