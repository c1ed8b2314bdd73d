/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scheme-api.h -- the Scheme modules of libcs, and libcs's own primitives.

   Primitives are C functions of libcs that Scheme code calls.  Their
   addresses are kept in the heap, so each is interned, as a function of the
   library CS_MODULE_LIBRARY, and bound again at each start.  */
#ifndef CS_SCHEME_API_H
#define CS_SCHEME_API_H

#include <libguile.h>

#include "err.h"
#include "image/guile.h"

/* Built in: each module of scheme/ as text, and compiled by Guile.  */
#define CS_MODULE_BUILTIN(name)                 \
  extern const char cs_scheme_##name##_text[];  \
  extern const size_t cs_scheme_##name##_text_len;      \
  extern const char cs_scheme_##name##_code[];  \
  extern const size_t cs_scheme_##name##_code_len

CS_MODULE_BUILTIN (coldstore);
CS_MODULE_BUILTIN (environment);
CS_MODULE_BUILTIN (loading);
CS_MODULE_BUILTIN (repl);
CS_MODULE_BUILTIN (threads);

/* A new store's primitives get entries and are bound.  */
int cs_module_intern (struct cs_module_disk *image, struct cs_err *err);

/* Bind them in this process, before any Scheme code runs.  */
void cs_module_bind (const struct cs_module_disk *image);

/* The trampoline of the primitive NAME, which there is.  */
uint64_t cs_module_trampoline (const struct cs_module_disk *image,
                               const char *name);

/* In Guile mode, once in the life of a store: make the modules.  */
void cs_module_make (struct cs_module_disk *image);

/* In Guile mode, once in a process that has resumed, before anything of the
   program's runs: tell (coldstore threads) which threads are gone, if it has
   something to do.  */
void cs_module_resumed (const struct cs_module_disk *image);

/* In Guile mode, if there are extensions that begin anew in each process:
   keep what they have been told, before the image is written; and tell them
   again in a process that has resumed, when its standard ports are there.  */
void cs_module_keep_settings (const struct cs_module_disk *image);
void cs_module_restart_extensions (const struct cs_module_disk *image);

#endif
