/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* readline.h -- the settings of extensions that begin again in each process: of
   readline.  */
#ifndef CS_READLINE_H
#define CS_READLINE_H

#include "image/guile.h"

/* In Guile mode, if there are such extensions: keep what they have been told,
   before the image is written; and tell them again in a process that has
   resumed, when its standard ports are there.  */
void cs_readline_save (const struct cs_scheme_api_disk *image);
void cs_readline_restore (const struct cs_scheme_api_disk *image);

#endif
