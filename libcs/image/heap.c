/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.c -- reading Guile's objects in a store's image.

   What an object is and what is in it says the table of objects.h.  The
   functions that give parts of some types by name follow libguile 3.0:
   vectors.h, variable.h, hashtab.h, struct.h.  */

#include <string.h>

#include <libguile.h>

#include "image/objects.h"

#define TC3(word) ((word) & 7)
#define TC7(word) ((word) & 0x7f)
#define TC8(word) ((word) & 0xff)

static enum cs_value_kind
kind_of_immediate (uint64_t value)
{
  if (value & scm_tc2_int)
    return CS_VALUE_INTEGER;
  if (TC8 (value) == scm_tc8_char)
    return CS_VALUE_CHARACTER;
  if (value == CS_VALUE_EOL)
    return CS_VALUE_EMPTY_LIST;
  if (value == CS_VALUE_FALSE || value == CS_VALUE_TRUE)
    return CS_VALUE_BOOLEAN;
  return TC8 (value) == scm_tc8_flag ? CS_VALUE_CONSTANT : CS_VALUE_INVALID;
}

enum cs_value_kind
cs_heap_kind (const struct cs_heap *heap, uint64_t value)
{
  const struct cs_object_type *type;
  uint64_t first, next;

  if (value & 6)
    return kind_of_immediate (value);
  /* An object has two words at least (scm.h, "heap object").  */
  if (!cs_value_is_object (value) || !cs_heap_word (heap, value, 0, &first)
      || !cs_heap_word (heap, value, 1, &next))
    return CS_VALUE_INVALID;
  type = cs_object_type (heap, first);
  return type ? type->kind : CS_VALUE_INVALID;
}

/* Slot I of the vtable of the struct whose first word is WORD: struct.h,
   SCM_STRUCT_VTABLE and SCM_STRUCT_SLOTS.  */
static bool
vtable_slot (const struct cs_heap *heap, uint64_t word, uint64_t i,
             uint64_t *slot)
{
  return TC3 (word) == scm_tc3_struct
         && cs_heap_word (heap, word - scm_tc3_struct, 1 + i, slot);
}

bool
cs_heap_pair (const struct cs_heap *heap, uint64_t value, uint64_t *car,
              uint64_t *cdr)
{
  return cs_value_is_object (value) && cs_heap_word (heap, value, 0, car)
         && !(*car & 1) && cs_heap_word (heap, value, 1, cdr);
}

/* The first word of VALUE, if it is an object whose tag has the seven bits
   TC7.  */
static bool
has_tc7 (const struct cs_heap *heap, uint64_t value, unsigned tc7,
         uint64_t *word)
{
  return cs_value_is_object (value) && cs_heap_word (heap, value, 0, word)
         && TC7 (*word) == tc7;
}

/* vectors.h, SCM_I_VECTOR_LENGTH.  */
bool
cs_heap_vector_len (const struct cs_heap *heap, uint64_t value, uint64_t *len)
{
  uint64_t word;

  if (!has_tc7 (heap, value, scm_tc7_vector, &word)
      && !has_tc7 (heap, value, scm_tc7_wvect, &word))
    return false;
  *len = word >> 8;
  return true;
}

bool
cs_heap_vector_get (const struct cs_heap *heap, uint64_t value, uint64_t i,
                    uint64_t *element)
{
  uint64_t len;

  return cs_heap_vector_len (heap, value, &len) && i < len
         && cs_heap_word (heap, value, 1 + i, element);
}

/* variable.h, SCM_VARIABLE_REF.  */
bool
cs_heap_variable (const struct cs_heap *heap, uint64_t value,
                  uint64_t *content)
{
  uint64_t word;

  return has_tc7 (heap, value, scm_tc7_variable, &word)
         && cs_heap_word (heap, value, 1, content);
}

/* struct.h, SCM_STRUCT_SIZE.  */
bool
cs_heap_nr_slots (const struct cs_heap *heap, uint64_t value, uint64_t *nr)
{
  uint64_t word;

  return cs_value_is_object (value) && cs_heap_word (heap, value, 0, &word)
         && vtable_slot (heap, word, scm_vtable_index_size, nr);
}

bool
cs_heap_slot (const struct cs_heap *heap, uint64_t value, uint64_t i,
              uint64_t *slot)
{
  uint64_t nr;

  return cs_heap_nr_slots (heap, value, &nr) && i < nr
         && cs_heap_word (heap, value, 1 + i, slot);
}

/* Each association of a bucket.  A list that runs in a circle meets the
   place it was at after the last power of two of steps; *LEFT bounds the
   steps of all buckets, which may share a list only in a damaged table.  */
static int
each_in_bucket (const struct cs_heap *heap, uint64_t list, uint64_t *left,
                cs_heap_entry_visit *visit, void *closure)
{
  uint64_t handle, next, key, value, mark = 0, steps = 0;
  int code = 0;

  for (; code == 0 && list != CS_VALUE_EOL; list = next)
    {
      if (list == mark || (*left)-- == 0
          || !cs_heap_pair (heap, list, &handle, &next)
          || !cs_heap_pair (heap, handle, &key, &value))
        return -CS_E_DAMAGED;
      if ((steps & (steps + 1)) == 0)
        mark = list;
      steps++;
      code = visit (closure, key, value);
    }
  return code;
}

/* hashtab.h, SCM_HASHTABLE_VECTOR: a vector of association lists.  */
int
cs_heap_each_entry (const struct cs_heap *heap, uint64_t value,
                    cs_heap_entry_visit *visit, void *closure)
{
  /* An entry takes two pairs.  */
  uint64_t left = cs_store_superblock (heap->store)->committed
                  / heap->word_len / 4;
  uint64_t word, buckets, nr, bucket;
  int code = 0;

  if (!has_tc7 (heap, value, scm_tc7_hashtable, &word)
      || !cs_heap_word (heap, value, 1, &buckets)
      || !cs_heap_vector_len (heap, buckets, &nr))
    return -CS_E_DAMAGED;
  for (uint64_t i = 0; code == 0 && i < nr; i++)
    {
      if (!cs_heap_vector_get (heap, buckets, i, &bucket))
        return -CS_E_DAMAGED;
      code = each_in_bucket (heap, bucket, &left, visit, closure);
    }
  return code;
}
