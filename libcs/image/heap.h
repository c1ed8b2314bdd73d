/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.h -- reading Guile's objects in a store's image, without Guile.

   A value is a word as Guile keeps it, widened to 64 bits.  What its bits
   mean is said in libguile's headers (Guile 3.0: libguile/scm.h for the
   tags, and the header of each type); they are the same for both word sizes.
   Nothing here writes, runs code of the interpreter, or trusts what it reads:
   every pointer goes through cs_heap_view(), every list and every name is
   bounded, and a value that leads nowhere is CS_VALUE_INVALID.

   The store must be open; CS_STORE_READ is enough, and then it may be one of
   another machine.  All machines known so far are little-endian.  */
#ifndef CS_HEAP_H
#define CS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image/guile.h"
#include "store/store.h"

struct cs_objects;

enum cs_value_kind
{
  CS_VALUE_INVALID,             /* no object of Guile's */
  /* Immediates.  */
  CS_VALUE_INTEGER,             /* a small one */
  CS_VALUE_CHARACTER,
  CS_VALUE_BOOLEAN,
  CS_VALUE_EMPTY_LIST,
  CS_VALUE_CONSTANT,            /* unspecified, end of file, ... */
  /* What lies in the heap.  */
  CS_VALUE_PAIR,
  CS_VALUE_SYMBOL,
  CS_VALUE_KEYWORD,
  CS_VALUE_STRING,
  CS_VALUE_STRINGBUF,
  CS_VALUE_BIG_INTEGER,
  CS_VALUE_REAL,
  CS_VALUE_COMPLEX,
  CS_VALUE_FRACTION,
  CS_VALUE_VECTOR,
  CS_VALUE_WEAK_VECTOR,
  CS_VALUE_BYTEVECTOR,
  CS_VALUE_BITVECTOR,
  CS_VALUE_ARRAY,
  CS_VALUE_HASH_TABLE,
  CS_VALUE_WEAK_TABLE,
  CS_VALUE_WEAK_SET,
  CS_VALUE_VARIABLE,
  CS_VALUE_FLUID,
  CS_VALUE_DYNAMIC_STATE,
  CS_VALUE_ATOMIC_BOX,
  CS_VALUE_SYNTAX,
  CS_VALUE_VALUES,
  CS_VALUE_PROCEDURE,           /* closure or primitive */
  CS_VALUE_CONTINUATION,
  CS_VALUE_FRAME,
  CS_VALUE_POINTER,
  CS_VALUE_PORT,
  CS_VALUE_SMOB,                /* a type made in C */
  CS_VALUE_MODULE,
  CS_VALUE_RECORD_TYPE,         /* a struct whose instances are structs */
  CS_VALUE_RECORD,              /* any other struct, GOOPS objects too */
  CS_VALUE_KINDS
};

/* Flags of immediates that callers compare with (libguile/scm.h,
   SCM_MAKIFLAG_BITS).  */
#define CS_VALUE_FALSE 0x004u
#define CS_VALUE_NIL 0x104u
#define CS_VALUE_EOL 0x304u
#define CS_VALUE_TRUE 0x404u
#define CS_VALUE_UNDEFINED 0x904u

/* The contents of a carried library: constants in its read-only part are
   not in the image.  */
struct cs_heap_library
{
  uint64_t addr;
  unsigned char *image;
  size_t len;
};

#define CS_HEAP_LIBRARIES_MAX 64

/* What is needed to read.  Filled by cs_heap_open(), or by a test.  */
struct cs_heap
{
  const struct cs_store *store;
  const struct cs_objects *objects;     /* the table of the release that the
                                           store carries (objects.h) */
  char release[24];             /* "3.0.8"; "" if it was not found */
  uint8_t word_len;             /* 4 or 8 */
  uint64_t module_tag;          /* first word of every module; 0: not known */
  uint64_t smobs;               /* address of scm_smobs; 0: not known */
  uint64_t nr_smobs;
  /* From section "guile"; 0 for what an older store does not have.  */
  uint64_t modules;             /* root of the module tree */
  uint64_t dynamic_state;
  uint64_t ports[3];
  uint64_t park;                /* (coldstore): see image/guile.h */
  uint64_t before_checkpoint, after_resume;
  struct cs_thread_layout_disk threads;
  struct cs_heap_library libraries[CS_HEAP_LIBRARIES_MAX];
  size_t nr_libraries;
  /* Set by cs_heap_index() alone.  */
  const unsigned char *image;   /* the first byte of the region */
  uint64_t base, image_len;
  uint64_t *pages;              /* a bit for each that can be read */
};

/* Make reading fast that goes through all of the image: HEAP's store must be
   open with CS_STORE_READ, so that its extents stay as they are.  -ENOMEM.
   cs_heap_fini() releases it.  */
int cs_heap_index (struct cs_heap *heap);

/* Find what is needed in section "guile" and in the symbols of the carried
   libguile.  Errors: -CS_E_DAMAGED (a section or the library's copy),
   -CS_E_INCOMPATIBLE (version of a section; no libguile is carried, or one
   whose objects are not known), -ENOMEM.
   Release with cs_heap_fini() in every case.  */
int cs_heap_open (const struct cs_store *store, struct cs_heap *heap,
                  struct cs_err *err);
void cs_heap_fini (struct cs_heap *heap);

/* LEN bytes at ADDR: in the image, or in a library's constants.  NULL if
   they are in neither.  Lent until cs_heap_fini() or the store is closed.  */
const void *cs_heap_view (const struct cs_heap *heap, uint64_t addr,
                          uint64_t len);

/* Word number I of the object at ADDR, or of anything else in the image.
   False if there is none.  */
bool cs_heap_word (const struct cs_heap *heap, uint64_t addr, uint64_t i,
                   uint64_t *word);

/* What VALUE is.  The object's first words are in the file unless it is
   CS_VALUE_INVALID; what they lead to need not be.  */
enum cs_value_kind cs_heap_kind (const struct cs_heap *heap, uint64_t value);

/* A word for the kind: "pair", "big-integer".  Static.  */
const char *cs_value_kind_name (enum cs_value_kind kind);

/* Is VALUE an address (and not an immediate)?  */
static inline bool
cs_value_is_object (uint64_t value)
{
  return (value & 7) == 0 && value != 0;        /* scm.h: tc3 000 */
}

/* The parts of a pair; false if VALUE is none.  */
bool cs_heap_pair (const struct cs_heap *heap, uint64_t value, uint64_t *car,
                   uint64_t *cdr);

/* The number of elements of a vector, and element I below it.  */
bool cs_heap_vector_len (const struct cs_heap *heap, uint64_t value,
                         uint64_t *len);
bool cs_heap_vector_get (const struct cs_heap *heap, uint64_t value,
                         uint64_t i, uint64_t *element);

/* The value in a variable, or CS_VALUE_UNDEFINED in an unbound one.  */
bool cs_heap_variable (const struct cs_heap *heap, uint64_t value,
                       uint64_t *content);

/* Slot I of a struct, below the number of slots its vtable tells.  */
bool cs_heap_slot (const struct cs_heap *heap, uint64_t value, uint64_t i,
                   uint64_t *slot);
bool cs_heap_nr_slots (const struct cs_heap *heap, uint64_t value,
                       uint64_t *nr);

/* Call VISIT for each entry of the hash table VALUE, in the order of its
   buckets, until it returns other than 0.  Returns that, or 0, or
   -CS_E_DAMAGED if the table is not sound; VISIT may have been called for
   the sound part.  */
typedef int cs_heap_entry_visit (void *closure, uint64_t key, uint64_t value);
int cs_heap_each_entry (const struct cs_heap *heap, uint64_t value,
                        cs_heap_entry_visit *visit, void *closure);

/* The characters of a string or symbol, or a keyword's name, as UTF-8 with a
   NUL.  When they do not fit in LEN bytes the text ends with "…".  False
   (and "") for other values and unsound ones.  */
bool cs_heap_text (const struct cs_heap *heap, uint64_t value, char *text,
                   size_t len);

/* The NUL-terminated C string at ADDR, for names that C code gave; "" if
   there is none of printable ASCII.  Lent as by cs_heap_view().  */
const char *cs_heap_c_string (const struct cs_heap *heap, uint64_t addr);

/* VALUE as Guile would print it, roughly, on one line of printable
   characters: nested data to a small depth, "…" for what does not fit.  LEN
   is at least 32.  Returns TEXT.  */
const char *cs_heap_print (const struct cs_heap *heap, uint64_t value,
                           char *text, size_t len);

#endif
