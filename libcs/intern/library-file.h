/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-file.h -- files that have no name, and dlopen() of them.

   ld.so wants a path.  /proc/self/fd/N is one for any descriptor; where /proc
   is not mounted, the file is copied to a directory in which everybody may
   write, loaded from there, and its name is removed again.  */
#ifndef CS_LIBRARY_FILE_H
#define CS_LIBRARY_FILE_H

#include <stddef.h>

#include "err.h"

/* Make an empty file that no other process sees: a memory file, which /proc
   calls LABEL, or where a sandbox denies those a file in a directory in which
   everybody may write.  A descriptor, close-on-exec; -1 with the errno of
   memfd_create(2), which refuses a LABEL of more than 249 bytes.  */
int cs_library_open_unnamed (const char *label);

/* Load what is in FD, which may be closed afterwards.  NUMBER is another one
   for each library that is loaded, at most CS_LIBRARY_SET_MAX: ld.so takes a
   library whose path it knows for the one that it has loaded, so each gets a
   path of its own.  SONAME is for messages.  Returns the handle; NULL with
   ERR set (-CS_E_INCOMPATIBLE; the text is ld.so's).  */
void *cs_library_open_file (int fd, size_t number, const char *soname,
                            int flags, struct cs_err *err);

#endif
