/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* load.h -- binding the libraries that a store carries.  */
#ifndef CS_LOAD_H
#define CS_LOAD_H

#include <stdbool.h>

#include "err.h"
#include "intern/table.h"
#include "store/store.h"

/* Load the libraries that STORE carries and bind them in this process; with
   RESUME over the store's data.  Errors: those of cs_library_load(),
   cs_interpose_bind() and cs_functions_load(); -CS_E_DAMAGED or
   -CS_E_INCOMPATIBLE if section "guile" is not as it should be.  */
int cs_load (struct cs_store *store, struct cs_table_disk *table,
             bool resume, struct cs_err *err);

#endif
