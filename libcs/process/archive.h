/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive.h -- files that the store carries: those of the interpreter.

   Guile loads most of its modules when a program first asks for them, which
   may be years after the store was made.  So the store keeps the files of
   the Guile that it was made with, compressed, in section "modules":

     struct cs_archive_disk
     struct cs_archive_file_disk[count]   in the order of their names
     char[]                               names: whole paths, NUL-terminated
     char[]                               the files, each a zlib stream

   Libguile sees them under the names that they had: its calls of stat(),
   open() and their like go through here (process:open ...), and what is in
   the archive hides what is in the file system, whether there is none or the
   one of another Guile.  Everything else is the file system's, except code
   that was compiled for a newer interpreter: that is not there.  A file is
   opened as a memory file.

   A resume does not touch the section.  Nothing writes to it after the store
   was made.

   A1  Names are in rising order (strcmp), and each is a path of its own.
   A2  Names and data lie inside the section.  */
#ifndef CS_ARCHIVE_H
#define CS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
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

/* Make the section: all regular files below the NR directories ROOTS, or
   such a file itself; what is missing is left out.  Errors: -errno,
   -CS_E_REFUSED (no room).  */
int cs_archive_create (struct cs_store *store, const char *const *roots,
                       size_t nr, struct cs_err *err);

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

/* The version of compiled code that the LEN bytes at DATA are, as in
   cs_archive_disk; 0 if they are none, UINT32_MAX if they are another
   machine's.  */
uint32_t cs_archive_bytecode (const void *data, size_t len);

/* Those of this process's store.  */

struct cs_archive_status
{
  uint64_t number, len;         /* the number is the file's own, from 1 on */
  int64_t mtime;
};

/* Is PATH in the archive?  Then *STATUS is its.  */
bool cs_archive_status (const char *path, struct cs_archive_status *status);

/* Is there a file PATH that was compiled for a newer interpreter?  */
bool cs_archive_hides (const char *path);

/* A new descriptor, close-on-exec, of a copy of PATH, at its beginning;
   -ENOENT if PATH is not in the archive, or -errno.  */
int cs_archive_open (const char *path);

/* The same for what was opened so in an earlier process, by the NAME that
   /proc has for a memory file.  */
int cs_archive_open_again (const char *name);

/* Replacements of stat(), lstat(), stat64(), lstat64(), access() and
   canonicalize_file_name() (archive-calls.c).  STATUS is what the function
   of that name takes.  */
int cs_archive_stat (const char *path, void *status);
int cs_archive_lstat (const char *path, void *status);
int cs_archive_stat64 (const char *path, void *status);
int cs_archive_lstat64 (const char *path, void *status);
int cs_archive_access (const char *path, int mode);
char *cs_archive_canonicalize (const char *path);

#endif
