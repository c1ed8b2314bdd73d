/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* archive.h -- files that the store carries: those of the interpreter.

   Guile loads most of its modules when a program first asks for them, which
   may be years after the store was made.  So the store keeps the files of
   the Guile that it was made with, compressed, in section "modules"
   (image/archive.h).

   Libguile sees them under the names that they had: its calls of stat(),
   open() and their like go through here (process:open ...), and what is in
   the archive hides what is in the file system, whether there is none or the
   one of another Guile.  Everything else is the file system's, except code
   that was compiled for a newer interpreter: that is not there.  A file is
   opened as a memory file.

   A resume does not touch the section.  Nothing writes to it after the store
   was made.  */
#ifndef CS_PROCESS_ARCHIVE_H
#define CS_PROCESS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image/archive.h"
#include "store/store.h"

/* Make the section: all regular files below the NR directories ROOTS, or
   such a file itself; what is missing is left out.  Errors: -errno,
   -CS_E_REFUSED (no room).  */
int cs_archive_create (struct cs_store *store, const char *const *roots,
                       size_t nr, struct cs_err *err);

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
