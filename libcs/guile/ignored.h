/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ignored.h -- changes that a save leaves out.

   A page is not saved if all that has changed in it is

     - a word that each start sets before anything reads it: a slot of the
       intern table or of a carried library, or a function's address in the
       table.  Only while it leads out of the store: an address in the store is
       there in the next process too;
     - a counter of libguile's, of how often a procedure was called, by which
       the JIT decides what to compile.  It goes on with what the last save of
       its page has.

   Both change in every run, in some sixty pages of a new workspace.  */
#ifndef CS_IGNORED_H
#define CS_IGNORED_H

#include "store/store.h"

/* For cs_store_set_ignores().  */
bool cs_ignored_page (const char *addr, const char *now, const char *then);

#endif
