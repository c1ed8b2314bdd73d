/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive.h -- the files that a store carries, read from its image.

   Section "modules" has the files of the Guile that the store was made with
   (process/archive.h):

     struct cs_archive_disk
     struct cs_archive_file_disk[count]   in the order of their names
     char[]                               names: whole paths, NUL-terminated
     char[]                               the files, each a zlib stream

   A1  Names are in rising order (strcmp), and each is a path of its own.
   A2  Names and data lie inside the section.  */
#ifndef CS_IMAGE_ARCHIVE_H
#define CS_IMAGE_ARCHIVE_H

#include <stdint.h>

#include "err.h"
#include "store/store.h"

#define CS_ARCHIVE_MAGIC "ColdArc"      /* 8 bytes with its NUL */
#define CS_ARCHIVE_VERSION 1
#define CS_ARCHIVE_ROOTS_MAX 4

struct cs_archive_disk
{
  char magic[8];
  uint32_t version;
  uint32_t count;               /* files */
  uint32_t bytecode;            /* newest version of compiled code that the
                                   interpreter takes; 0: not known */
  uint32_t nr_roots;
  uint64_t len;                 /* of everything */
  uint64_t names, names_len;
  uint64_t unpacked_len;        /* of all files together */
  uint32_t roots[CS_ARCHIVE_ROOTS_MAX]; /* names: the directories, or files,
                                           that they all come from */
};

struct cs_archive_file_disk
{
  uint64_t data;                /* offset of the stream */
  uint64_t packed_len;          /* its length, and that of the file */
  uint64_t len;
  int64_t mtime;                /* nanoseconds since 1970 */
  uint32_t name;
  uint32_t reserved;
};

/* The section, checked (A1, A2).  NULL if there is none, or with ERR set
   (-CS_E_DAMAGED, -CS_E_INCOMPATIBLE).  Lent until STORE is closed.  */
const struct cs_archive_disk *cs_archive_read (const struct cs_store *store,
                                               struct cs_err *err);

/* File I, and the name at OFF ("" if OFF leads nowhere).  Lent.  */
const struct cs_archive_file_disk *
cs_archive_file (const struct cs_archive_disk *archive, uint32_t i);
const char *cs_archive_name (const struct cs_archive_disk *archive,
                             uint32_t off);

/* The file called PATH, or NULL.  */
const struct cs_archive_file_disk *
cs_archive_find (const struct cs_archive_disk *archive, const char *path);

/* Unpack FILE to its `len` bytes at OUT.  0, or -EIO if it is damaged.  */
int cs_archive_unpack (const struct cs_archive_disk *archive,
                       const struct cs_archive_file_disk *file, void *out);

#endif
