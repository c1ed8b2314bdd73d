/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* extension.h -- libraries that are carried while the interpreter runs.

   An extension is a library, opened at run time, that refers to a carried
   one: it needs it, or leaves undefined what that defines.  It may keep
   objects of the interpreter in its variables and hand addresses of its
   functions to it, so it is to be treated like the interpreter's own
   libraries: copied into the store, loaded at a fixed address, and there
   again in every later process.  The policy may say otherwise, and may name
   other libraries that shall be carried (policy.h).

   What an extension needs in turn is carried before it if it is to be, and
   loaded from the system otherwise.  */
#ifndef CS_EXTENSION_H
#define CS_EXTENSION_H

#include "intern/library.h"

enum cs_extension_result
{
  CS_EXTENSION_CARRIED,         /* loaded, and in the set */
  CS_EXTENSION_REBOUND          /* nothing was done: it is ld.so's business,
                                   also to say what is wrong with it; ERR may
                                   say why it cannot be read */
};

/* Open the library PATH, which is a path or a name that ld.so would look
   for, with dlopen's MODE.  One that is carried under this path already is
   not carried again, unless the file is another build now; then the new one
   is carried beside the old one, which goes on for what was made by it.
   *NUMBER becomes the library's number in the set.

   Returns an enum cs_extension_result or a negative code:
   -CS_E_INCOMPATIBLE (it cannot be carried, or ld.so refuses it),
   -CS_E_REFUSED (no room), -CS_E_DAMAGED, -errno.  Then the store is as it
   was.  Its constructors have run when it returns.  */
int cs_extension_open (const struct cs_library_loading *loading,
                       struct cs_policy *policy, const char *path, int mode,
                       size_t *number, struct cs_err *err);

#endif
