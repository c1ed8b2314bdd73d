/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* section.h -- a section of a store, checked field by field.

   Each section has one check, which a resume and cs-inspect --check both make.
   A check looks at whatever a reader follows without a look of its own:
   counts, offsets, addresses.  Where a field is wrong it says so with the
   field's name, its offset, and what was expected and found:

     'a.store' is damaged: section 'process', offset 24: strings_len: expected
     1 to 131072, found 0

   The first wrong field ends a check.  The functions return false then, with
   the error set.  */
#ifndef CS_SECTION_H
#define CS_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "store/store.h"

struct cs_section
{
  const struct cs_store *store;
  const char *name;
  void *start;                  /* in memory */
  size_t len;
  struct cs_err *err;           /* may be NULL */
};

/* What a section begins with.  */
struct cs_section_kind
{
  const char *name;
  const char *magic;            /* of 8 bytes, with its NUL; NULL: none */
  uint32_t version;             /* the word behind the magic; 0: none */
  size_t len;                   /* at least so many bytes; of the version */
};

/* Find the section of KIND in STORE and check how it begins.  The version comes
   before the length, which it decides.  -CS_E_DAMAGED (no such section, too
   short, no such magic), -CS_E_INCOMPATIBLE (another version).  */
bool cs_section_open (struct cs_section *s, const struct cs_store *store,
                      const struct cs_section_kind *kind, struct cs_err *err);

/* The field that a check looks at.  "[i]" in the name stands for "[I]".  */
struct cs_field
{
  const void *at;
  const char *name;
  uint64_t i;
};

#define CS_FIELD(object, member, i) \
  ((struct cs_field) { &(object)->member, #member, i })

/* FOUND is MIN to MAX.  */
bool cs_field_between (const struct cs_section *s, struct cs_field field,
                       uint64_t found, uint64_t min, uint64_t max);

/* The ADDR to ADDR + LEN lies in the region.  */
bool cs_field_in_region (const struct cs_section *s, struct cs_field field,
                         uint64_t addr, uint64_t len);

/* It is in use with all of protection PROT, so that it can be touched, and
   begins at a multiple of ALIGN (a power of 2).  */
bool cs_field_in_use (const struct cs_section *s, struct cs_field field,
                      uint64_t addr, uint64_t len, int prot, uint64_t align);

/* The character CHARACTER, the last of a text, is NUL.  */
bool cs_field_ends_text (const struct cs_section *s, struct cs_field field,
                         char character);

/* Whatever else: say what was expected and found.  Returns false.  */
bool cs_field_wrong (const struct cs_section *s, struct cs_field field,
                     const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

#endif
