/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.c -- Guile's object representation.

   Sources, all of Guile 3.0.8: libguile/scm.h, "The SCM type" (tags);
   vectors.h, variable.h, hashtab.h, struct.h, symbols.h, strings.h,
   keywords.h, numbers.h, smob.h for the layouts they define.  The tags are
   taken from the installed header itself.  A type tag is in the low bits of
   an object's first word; a word in which the lowest bit is 0 is a pair's
   car.  */

#include <string.h>

#include <libguile.h>

#include "image/heap.h"

#define TC3(word) ((word) & 7)
#define TC7(word) ((word) & 0x7f)
#define TC8(word) ((word) & 0xff)
#define TC16(word) ((word) & 0xffff)

const void *
cs_heap_view (const struct cs_heap *heap, uint64_t addr, uint64_t len)
{
  const void *place;

  if (len > SIZE_MAX)
    return NULL;
  place = cs_store_view (heap->store, addr, (size_t) len);
  for (size_t i = 0; !place && i < heap->nr_libraries; i++)
    {
      const struct cs_heap_library *l = &heap->libraries[i];

      if (addr >= l->addr && addr - l->addr <= l->len
          && len <= l->len - (addr - l->addr))
        place = l->image + (addr - l->addr);
    }
  return place;
}

bool
cs_heap_word (const struct cs_heap *heap, uint64_t addr, uint64_t i,
              uint64_t *word)
{
  const void *place;
  uint64_t off = i * heap->word_len;
  uint32_t half;

  if (i > UINT64_MAX / 8 || addr + off < addr)
    return false;
  place = cs_heap_view (heap, addr + off, heap->word_len);
  if (!place)
    return false;
  if (heap->word_len == 8)
    memcpy (word, place, 8);
  else
    {
      memcpy (&half, place, 4);
      *word = half;
    }
  return true;
}

/* Kinds by the seven bits of a tag (scm.h, scm_tc7_...); pairs, structs and
   numbers are told apart before or after.  */
static enum cs_value_kind
kind_of_tc7 (uint64_t word)
{
  switch (TC7 (word))
    {
    case scm_tc7_symbol: return CS_VALUE_SYMBOL;
    case scm_tc7_variable: return CS_VALUE_VARIABLE;
    case scm_tc7_vector: return CS_VALUE_VECTOR;
    case scm_tc7_wvect: return CS_VALUE_WEAK_VECTOR;
    case scm_tc7_string: return CS_VALUE_STRING;
    case scm_tc7_hashtable: return CS_VALUE_HASH_TABLE;
    case scm_tc7_pointer: return CS_VALUE_POINTER;
    case scm_tc7_fluid: return CS_VALUE_FLUID;
    case scm_tc7_stringbuf: return CS_VALUE_STRINGBUF;
    case scm_tc7_dynamic_state: return CS_VALUE_DYNAMIC_STATE;
    case scm_tc7_frame: return CS_VALUE_FRAME;
    case scm_tc7_keyword: return CS_VALUE_KEYWORD;
    case scm_tc7_atomic_box: return CS_VALUE_ATOMIC_BOX;
    case scm_tc7_syntax: return CS_VALUE_SYNTAX;
    case scm_tc7_values: return CS_VALUE_VALUES;
    case scm_tc7_program: return CS_VALUE_PROCEDURE;
    case scm_tc7_vm_cont: return CS_VALUE_CONTINUATION;
    case scm_tc7_bytevector: return CS_VALUE_BYTEVECTOR;
    case scm_tc7_weak_set: return CS_VALUE_WEAK_SET;
    case scm_tc7_weak_table: return CS_VALUE_WEAK_TABLE;
    case scm_tc7_array: return CS_VALUE_ARRAY;
    case scm_tc7_bitvector: return CS_VALUE_BITVECTOR;
    case scm_tc7_smob: return CS_VALUE_SMOB;
    case scm_tc7_port: return CS_VALUE_PORT;
    default: return CS_VALUE_INVALID;
    }
}

static enum cs_value_kind
kind_of_number (uint64_t word)
{
  switch (TC16 (word))
    {
    case scm_tc16_big: return CS_VALUE_BIG_INTEGER;
    case scm_tc16_real: return CS_VALUE_REAL;
    case scm_tc16_complex: return CS_VALUE_COMPLEX;
    case scm_tc16_fraction: return CS_VALUE_FRACTION;
    default: return CS_VALUE_INVALID;
    }
}

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

/* Slot I of the vtable of the struct whose first word is WORD: struct.h,
   SCM_STRUCT_VTABLE and SCM_STRUCT_SLOTS.  */
static bool
vtable_slot (const struct cs_heap *heap, uint64_t word, uint64_t i,
             uint64_t *slot)
{
  return TC3 (word) == scm_tc3_struct
         && cs_heap_word (heap, word - scm_tc3_struct, 1 + i, slot);
}

static enum cs_value_kind
kind_of_struct (const struct cs_heap *heap, uint64_t word)
{
  uint64_t flags, meta;

  /* modules.h, SCM_MODULEP.  */
  if (heap->module_tag && word == heap->module_tag)
    return CS_VALUE_MODULE;
  /* A vtable is a struct itself.  */
  if (!cs_heap_word (heap, word - scm_tc3_struct, 0, &meta)
      || TC3 (meta) != scm_tc3_struct
      || !vtable_slot (heap, word, scm_vtable_index_flags, &flags))
    return CS_VALUE_INVALID;
  return flags & SCM_VTABLE_FLAG_VTABLE ? CS_VALUE_RECORD_TYPE
                                        : CS_VALUE_RECORD;
}

enum cs_value_kind
cs_heap_kind (const struct cs_heap *heap, uint64_t value)
{
  uint64_t word, next;

  if (value & 6)
    return kind_of_immediate (value);
  /* An object has two words at least (scm.h, "heap object").  */
  if (!cs_value_is_object (value) || !cs_heap_word (heap, value, 0, &word)
      || !cs_heap_word (heap, value, 1, &next))
    return CS_VALUE_INVALID;
  if (!(word & 1))
    return CS_VALUE_PAIR;
  if (TC3 (word) == scm_tc3_struct)
    return kind_of_struct (heap, word);
  if (TC7 (word) == scm_tc7_number)
    return kind_of_number (word);
  return kind_of_tc7 (word);
}

const char *
cs_value_kind_name (enum cs_value_kind kind)
{
  static const char *const names[CS_VALUE_KINDS] = {
    [CS_VALUE_INVALID] = "invalid",
    [CS_VALUE_INTEGER] = "integer",
    [CS_VALUE_CHARACTER] = "character",
    [CS_VALUE_BOOLEAN] = "boolean",
    [CS_VALUE_EMPTY_LIST] = "empty-list",
    [CS_VALUE_CONSTANT] = "constant",
    [CS_VALUE_PAIR] = "pair",
    [CS_VALUE_SYMBOL] = "symbol",
    [CS_VALUE_KEYWORD] = "keyword",
    [CS_VALUE_STRING] = "string",
    [CS_VALUE_STRINGBUF] = "stringbuf",
    [CS_VALUE_BIG_INTEGER] = "big-integer",
    [CS_VALUE_REAL] = "real",
    [CS_VALUE_COMPLEX] = "complex",
    [CS_VALUE_FRACTION] = "fraction",
    [CS_VALUE_VECTOR] = "vector",
    [CS_VALUE_WEAK_VECTOR] = "weak-vector",
    [CS_VALUE_BYTEVECTOR] = "bytevector",
    [CS_VALUE_BITVECTOR] = "bitvector",
    [CS_VALUE_ARRAY] = "array",
    [CS_VALUE_HASH_TABLE] = "hash-table",
    [CS_VALUE_WEAK_TABLE] = "weak-table",
    [CS_VALUE_WEAK_SET] = "weak-set",
    [CS_VALUE_VARIABLE] = "variable",
    [CS_VALUE_FLUID] = "fluid",
    [CS_VALUE_DYNAMIC_STATE] = "dynamic-state",
    [CS_VALUE_ATOMIC_BOX] = "atomic-box",
    [CS_VALUE_SYNTAX] = "syntax",
    [CS_VALUE_VALUES] = "values",
    [CS_VALUE_PROCEDURE] = "procedure",
    [CS_VALUE_CONTINUATION] = "continuation",
    [CS_VALUE_FRAME] = "frame",
    [CS_VALUE_POINTER] = "pointer",
    [CS_VALUE_PORT] = "port",
    [CS_VALUE_SMOB] = "smob",
    [CS_VALUE_MODULE] = "module",
    [CS_VALUE_RECORD_TYPE] = "record-type",
    [CS_VALUE_RECORD] = "record"
  };

  return (unsigned) kind < CS_VALUE_KINDS ? names[kind] : names[0];
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
