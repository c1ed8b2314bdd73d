/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bundle.h -- the files of Guile that a store carries.  */
#ifndef CS_BUNDLE_H
#define CS_BUNDLE_H

#include "err.h"
#include "store/store.h"

/* In Guile mode: learn from the interpreter where its files are.  */
void cs_bundle_find (void);

/* Afterwards, once in the life of a store: put the interpreter's modules,
   source and compiled, and its documentation strings into it (archive.h).
   Modules of other packages, in Guile's site directories, are not its own.
   Errors: those of cs_archive_create().  */
int cs_bundle_create (struct cs_store *store, struct cs_err *err);

#endif
