/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* damage.h -- what is hit where a checksum is wrong.  */
#ifndef CS_IMAGE_DAMAGE_H
#define CS_IMAGE_DAMAGE_H

#include "image/sections.h"

/* Check every checksum of a store (cs_store_verify) and tell FOUND, under the
   name "checksums", what each wrong one belongs to.  Returns 1 if something
   is wrong, otherwise 0.  */
size_t cs_image_checksums (struct cs_store *store, cs_image_found *found,
                             void *closure);

#endif
