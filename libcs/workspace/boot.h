/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot.h -- the first start of Guile in a store.  */
#ifndef CS_BOOT_H
#define CS_BOOT_H

#include "err.h"
#include "store/store.h"

/* Make section "guile" in a new store, boot the loaded libguile (load.h), make
   the Scheme modules of libcs, and end Guile's thread again.
   -CS_E_INCOMPATIBLE if this libguile is none that is known; the errors of
   cs_store_section_create().  */
int cs_boot (struct cs_store *store, struct cs_err *err);

#endif
