/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* place.h -- where a file is that is to be made or replaced.

   A symbolic link stands for what it leads to: a file is replaced there, and
   not beside the link.  But in a directory where all may make files, with the
   sticky bit, only links of the user's own and of the directory's owner are
   followed, as Linux itself does where fs.protected_symlinks is 1: by any
   other link another user could have us replace any file that we may write
   to.  */
#ifndef CS_PLACE_H
#define CS_PLACE_H

#include "err.h"

struct cs_place
{
  int dirfd;                    /* the directory (O_PATH); -1: none */
  char *name;                   /* in it; no symbolic link when it was looked
                                   at */
  char *path;                   /* the same from where we are */
};

#define CS_PLACE_INIT { -1, NULL, NULL }

/* Find the place of PATH, whose last component need not exist.  PLACE must
   have been initialised or found before; what it has is given back, also by
   cs_place_leave().  Errors: -CS_E_REFUSED (no name, a link of somebody
   else's), -errno; of a link that leads nowhere -ENOENT.  */
int cs_place_find (const char *path, struct cs_place *place,
                   struct cs_err *err);
void cs_place_leave (struct cs_place *place);

#endif
