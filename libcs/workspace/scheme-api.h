/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scheme-api.h -- the Scheme modules of libcs, and the primitives that they call.

   Primitives are C functions of libcs that Scheme code calls.  Their addresses
   are kept in the heap, so each is interned, as a function of the library
   CS_SCHEME_API_LIBRARY, and bound again at each start.  */
#ifndef CS_SCHEME_API_H
#define CS_SCHEME_API_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image/guile.h"

/* Built in: each module of scheme/ as text, and compiled by Guile.  */
#define CS_SCHEME_API_BUILTIN(name)             \
  extern const char cs_scheme_##name##_text[];  \
  extern const size_t cs_scheme_##name##_text_len;      \
  extern const char cs_scheme_##name##_code[];  \
  extern const size_t cs_scheme_##name##_code_len

CS_SCHEME_API_BUILTIN (coldstore);
CS_SCHEME_API_BUILTIN (environment);
CS_SCHEME_API_BUILTIN (loading);
CS_SCHEME_API_BUILTIN (repl);
CS_SCHEME_API_BUILTIN (threads);

/* A new store's primitives get entries of the intern table and are bound.  */
int cs_scheme_api_intern (struct cs_scheme_api_disk *image,
                          struct cs_err *err);

/* In Guile mode, once in the life of a store, after that: make the modules.  */
void cs_scheme_api_create (struct cs_scheme_api_disk *image);

/* Bind the primitives in this process, before any Scheme code runs.  */
void cs_scheme_api_restore (const struct cs_scheme_api_disk *image);

/* The trampoline of the primitive NAME, which there is: another name is an
   assertion.  */
uint64_t cs_scheme_api_trampoline (const struct cs_scheme_api_disk *image,
                                   const char *name);

#endif
