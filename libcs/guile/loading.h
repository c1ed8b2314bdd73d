/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* loading.h -- modules that are being loaded.

   A process may end, or be saved and killed, while Guile loads a module, also
   one that nobody asked for: the first backtrace loads a few.  Guile keeps the
   names of such modules in a list, and would neither load them again nor finish
   them in the next process.  So a request to save waits a moment for their end
   (requests.h), and a resume makes what was cut off not count as loaded.  */
#ifndef CS_LOADING_H
#define CS_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include <libguile.h>

#include "image/guile.h"

/* In Guile mode, once in the life of a store, when its modules are made.  */
void cs_loading_create (struct cs_loading_disk *image);

/* The list of the modules that are being loaded, by any thread: '() if there
   are none.  Takes no lock, for any thread.  */
SCM cs_loading_list (const struct cs_loading_disk *image);

/* The module that AFTER, which dynamic-wind was given to run at its end, would
   make the current one again, or #f: it is not of save-module-excursion.  */
SCM cs_loading_outer_module (const struct cs_loading_disk *image, SCM after);

/* In Guile mode in a process that has resumed, before anything of the
   program's runs: modules that were being loaded are not loaded.  The resume
   report names them.  */
void cs_loading_restore (const struct cs_loading_disk *image);

#endif
