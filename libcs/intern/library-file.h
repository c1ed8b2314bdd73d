/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-file.h -- dlopen() of a file that has no name.

   ld.so wants a path.  /proc/self/fd/N is one for any descriptor; where /proc
   is not mounted, the file is copied to a folder in which everybody may
   write, loaded from there, and its name is removed again.  */
#ifndef CS_LIBRARY_FILE_H
#define CS_LIBRARY_FILE_H

#include <stddef.h>

#include "err.h"

/* Load what is in FD, which may be closed afterwards.  NUMBER is another one
   for each library that is loaded, at most CS_LIBRARY_SET_MAX: ld.so takes a
   library whose path it knows for the one that it has loaded, so each gets a
   path of its own.  SONAME is for messages.  Returns the handle; NULL with
   ERR set (-CS_E_INCOMPATIBLE; the text is ld.so's).  */
void *cs_library_open_file (int fd, size_t number, const char *soname,
                            int flags, struct cs_err *err);

#endif
