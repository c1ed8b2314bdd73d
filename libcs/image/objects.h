/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* objects.h -- the one table of Guile's objects: tags, fields, sizes.

   Each type is described once: how an object of it is known, what its words
   are in their order, and how it is printed.  The kinds of heap.h, the
   walker, the census, the printer and the checker are readers of this table;
   none of them knows an object's layout by itself.

   A release of Guile has a table if its objects have been compared with it,
   or if it lies between two releases that have the same.  Which one a store
   carries is read from its libguile (cs_heap_open()).  */
#ifndef CS_OBJECTS_H
#define CS_OBJECTS_H

#include "image/heap.h"

/* What a field is to a reader.  */
enum cs_field_kind
{
  CS_FIELD_VALUE = 1,           /* SCM: an immediate, or an object, which it
                                   keeps alive */
  CS_FIELD_VTABLE,              /* the same with the tag of structs added */
  CS_FIELD_WEAK,                /* SCM that does not keep its object alive, or
                                   0 after that is gone */
  CS_FIELD_BLOCK,               /* address of memory of the collector without
                                   a tag, or 0: kept alive */
  CS_FIELD_OPAQUE,              /* a word of which C code knows the meaning:
                                   the collector takes it for a pointer if it
                                   can be one */
  CS_FIELD_C_ADDRESS,           /* the same; a pointer of C, to anything */
  CS_FIELD_CODE,                /* address of bytecode */
  CS_FIELD_INTEGER,
  CS_FIELD_RAW                  /* bytes: never a pointer */
};

/* How often a field occurs.  */
enum cs_field_count
{
  CS_COUNT_FIXED,               /* `nr` times */
  CS_COUNT_HEAD_8,              /* first word >> 8 */
  CS_COUNT_HEAD_16,             /* first word >> 16 */
  CS_COUNT_DIMENSIONS,          /* `nr` for each dimension: first word >> 17 */
  CS_COUNT_SLOTS,               /* as the vtable says; an unboxed slot is
                                   CS_FIELD_OPAQUE (struct.h) */
  CS_COUNT_CHARACTERS,          /* second word and one more, of 1 or of 4
                                   bytes (strings.h, SCM_I_STRINGBUF_F_WIDE) */
  CS_COUNT_LIMBS,               /* magnitude of the second int after the tag */
  CS_COUNT_CONTENTS,            /* second word, unless the contents are
                                   another object's: the fourth word says
                                   whose */
  CS_COUNT_REST                 /* to the end of the collector's block */
};

enum cs_field_unit
{
  CS_UNIT_WORD,
  CS_UNIT_INT,                  /* 4 bytes */
  CS_UNIT_DOUBLE,               /* 8 bytes at a multiple of 8 */
  CS_UNIT_BYTE
};

struct cs_field
{
  const char *name;
  uint8_t kind, unit, count, nr;
};

/* How an object is printed (heap-print.c).  */
enum cs_print
{
  CS_PRINT_OPAQUE,              /* #<kind 0x...> */
  CS_PRINT_LIST, CS_PRINT_VECTOR, CS_PRINT_STRING, CS_PRINT_SYMBOL,
  CS_PRINT_KEYWORD, CS_PRINT_REAL, CS_PRINT_BIG, CS_PRINT_FRACTION,
  CS_PRINT_COUNTED,             /* with the number in the second word */
  CS_PRINT_RECORD, CS_PRINT_RECORD_TYPE, CS_PRINT_SMOB
};

#define CS_OBJECT_FIELDS_MAX 8

struct cs_object_type
{
  enum cs_value_kind kind;
  const char *name;             /* of the kind */
  /* An object is of this type if the bits MASK of its first word are TAG, and
     then if REFINE, if there is one, says so too.  */
  uint32_t tag, mask;
  bool (*refine) (const struct cs_heap *heap, uint64_t first);
  enum cs_print print;
  /* The words behind the first, which has the tag (a pair's first word is a
     field).  The length of an object is what its fields take.  */
  struct cs_field fields[CS_OBJECT_FIELDS_MAX];
};

/* Objects of types made in C (smobs), by the name of the type.  What has no
   row is CS_FIELD_OPAQUE to the end of its block.  */
struct cs_smob_type
{
  const char *name;
  struct cs_field fields[CS_OBJECT_FIELDS_MAX];
};

struct cs_objects
{
  const char *releases;         /* separated by blanks */
  const struct cs_object_type *types;   /* the most frequent first */
  size_t nr_types;
  const struct cs_smob_type *smobs;
  size_t nr_smobs;
};

/* The table of the release that is called RELEASE ("3.0.8"), or NULL; all
   releases that have one, for a message.  Static.  */
const struct cs_objects *cs_objects_find (const char *release);
const char *cs_objects_releases (void);

/* The type of an object whose first word is FIRST; NULL if it is of none,
   or if HEAP has no table.  The object's fields need not be there.  */
const struct cs_object_type *cs_object_type (const struct cs_heap *heap,
                                             uint64_t first);

/* A run of equal fields of one object.  */
struct cs_field_run
{
  const struct cs_field *field;
  uint8_t kind;                 /* the field's, or CS_FIELD_OPAQUE for an
                                   unboxed slot */
  uint64_t addr;                /* of the first */
  uint64_t nr;                  /* of units */
  unsigned unit_len;            /* in bytes */
  uint64_t first;               /* how many of the field's come before */
};

typedef void cs_object_run (void *closure, const struct cs_field_run *run);

/* Call VISIT for the fields of the object of TYPE at ADDR, whose first word
   is FIRST, in their order.  BLOCK_LEN is the length of the collector's block,
   or 0 if it is not known.  A count that does not fit into the image is taken
   for 0.  Returns the length of the object in bytes.  */
uint64_t cs_object_fields (const struct cs_heap *heap,
                           const struct cs_object_type *type, uint64_t addr,
                           uint64_t first, uint64_t block_len,
                           cs_object_run *visit, void *closure);

/* The name of a type made in C, given its object's first word; "" if unknown.
   Lent as by cs_heap_view().  */
const char *cs_object_smob_name (const struct cs_heap *heap, uint64_t first);

#endif
