/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* objects.c -- the one table of Guile's objects: tags, fields, sizes.

   Sources, all of Guile 3.0.8, in libguile/: scm.h, "The SCM type" (tags,
   taken from the installed header itself); vectors.h, variable.h, struct.h,
   programs.h, numbers.h, arrays.h, values.h, smob.h.  Where no header tells,
   the function that allocates: strings.c (scm_i_make_symbol, "Stringbufs",
   SH_STRING_TAG), integers.c (struct scm_bignum), hashtab.c
   (make_hash_table), weak-vector.c, weak-table.c, weak-set.c, fluids.c
   (new_fluid, save_dynamic_state), bitvectors.c and bytevectors.c
   (make_bytevector), syntax.c (scm_make_syntax), frames.c
   (scm_c_make_frame), vm.c (capture_vm_cont), ports.c
   (scm_c_make_port_with_encoding), foreign.c (scm_from_pointer), struct.c
   (scm_i_alloc_struct); and the file of each smob.  */

#include <stdlib.h>
#include <string.h>

#include <libguile.h>

#include "image/objects.h"

#define VALUES(name, nr) { name, CS_FIELD_VALUE, CS_UNIT_WORD, CS_COUNT_FIXED, nr }
#define VALUE(name) VALUES (name, 1)
#define BLOCK(name) { name, CS_FIELD_BLOCK, CS_UNIT_WORD, CS_COUNT_FIXED, 1 }
#define OPAQUE(name) { name, CS_FIELD_OPAQUE, CS_UNIT_WORD, CS_COUNT_FIXED, 1 }
#define C_ADDRESS(name) \
  { name, CS_FIELD_C_ADDRESS, CS_UNIT_WORD, CS_COUNT_FIXED, 1 }
#define CODE(name) { name, CS_FIELD_CODE, CS_UNIT_WORD, CS_COUNT_FIXED, 1 }
#define INTEGERS(name, nr) \
  { name, CS_FIELD_INTEGER, CS_UNIT_WORD, CS_COUNT_FIXED, nr }
#define INTEGER(name) INTEGERS (name, 1)
#define INTS(name, nr) { name, CS_FIELD_INTEGER, CS_UNIT_INT, CS_COUNT_FIXED, nr }
#define DOUBLES(name, nr) \
  { name, CS_FIELD_RAW, CS_UNIT_DOUBLE, CS_COUNT_FIXED, nr }
#define COUNTED(name, kind, unit, count) \
  { name, CS_FIELD_##kind, CS_UNIT_##unit, CS_COUNT_##count, 1 }
/* A cell has two words or four, and the rest of them is 0.  */
#define UNUSED(nr) INTEGERS ("unused", nr)

#define TC3(tag) (tag), 7
#define TC7(tag) (tag), 0x7f
#define TC16(tag) (tag), 0xffff
#define KIND(kind, name) CS_VALUE_##kind, name

/* Slot I of the vtable of the struct whose first word is FIRST: struct.h,
   SCM_STRUCT_VTABLE and SCM_STRUCT_SLOTS.  */
static bool
vtable_slot (const struct cs_heap *heap, uint64_t first, uint64_t i,
             uint64_t *slot)
{
  return cs_heap_word (heap, first - scm_tc3_struct, 1 + i, slot);
}

/* modules.h, SCM_MODULEP.  */
static bool
is_module (const struct cs_heap *heap, uint64_t first)
{
  return heap->module_tag && first == heap->module_tag;
}

/* A vtable is a struct itself.  */
static bool
is_record (const struct cs_heap *heap, uint64_t first)
{
  uint64_t meta;

  return cs_heap_word (heap, first - scm_tc3_struct, 0, &meta)
         && (meta & 7) == scm_tc3_struct;
}

static bool
is_record_type (const struct cs_heap *heap, uint64_t first)
{
  uint64_t flags;

  return is_record (heap, first)
         && vtable_slot (heap, first, scm_vtable_index_flags, &flags)
         && (flags & SCM_VTABLE_FLAG_VTABLE);
}

#define SLOTS { { "slot", CS_FIELD_VALUE, CS_UNIT_WORD, CS_COUNT_SLOTS, 1 } }

static const struct cs_object_type types[] = {
  { KIND (PAIR, "pair"), 0, 1, NULL, CS_PRINT_LIST,
    { VALUE ("car"), VALUE ("cdr") } },
  { KIND (MODULE, "module"), TC3 (scm_tc3_struct), is_module,
    CS_PRINT_OPAQUE, SLOTS },
  { KIND (RECORD_TYPE, "record-type"), TC3 (scm_tc3_struct), is_record_type,
    CS_PRINT_RECORD_TYPE, SLOTS },
  { KIND (RECORD, "record"), TC3 (scm_tc3_struct), is_record,
    CS_PRINT_RECORD, SLOTS },
  { KIND (VECTOR, "vector"), TC7 (scm_tc7_vector), NULL, CS_PRINT_VECTOR,
    { COUNTED ("element", VALUE, WORD, HEAD_8) } },
  { KIND (PROCEDURE, "procedure"), TC7 (scm_tc7_program), NULL,
    CS_PRINT_OPAQUE,
    { CODE ("code"), COUNTED ("free variable", VALUE, WORD, HEAD_16) } },
  { KIND (STRING, "string"), TC7 (scm_tc7_string), NULL, CS_PRINT_STRING,
    { VALUE ("characters"), INTEGERS ("start, length", 2) } },
  { KIND (STRINGBUF, "stringbuf"), TC7 (scm_tc7_stringbuf), NULL,
    CS_PRINT_OPAQUE,
    { INTEGER ("length"), COUNTED ("character", RAW, BYTE, CHARACTERS) } },
  { KIND (SYMBOL, "symbol"), TC7 (scm_tc7_symbol), NULL, CS_PRINT_SYMBOL,
    { VALUE ("name"), INTEGER ("hash"), UNUSED (1) } },
  { KIND (VARIABLE, "variable"), TC7 (scm_tc7_variable), NULL,
    CS_PRINT_OPAQUE, { VALUE ("value") } },
  { KIND (REAL, "real"), TC16 (scm_tc16_real), NULL, CS_PRINT_REAL,
    { DOUBLES ("value", 1) } },
  { KIND (BIG_INTEGER, "big-integer"), TC16 (scm_tc16_big), NULL,
    CS_PRINT_BIG,
    { INTS ("zero, size", 2), C_ADDRESS ("limbs"),
      COUNTED ("limb", RAW, WORD, LIMBS) } },
  { KIND (FRACTION, "fraction"), TC16 (scm_tc16_fraction), NULL,
    CS_PRINT_FRACTION,
    { VALUE ("numerator"), VALUE ("denominator"), UNUSED (1) } },
  { KIND (COMPLEX, "complex"), TC16 (scm_tc16_complex), NULL,
    CS_PRINT_OPAQUE, { DOUBLES ("real, imaginary", 2) } },
  { KIND (HASH_TABLE, "hash-table"), TC7 (scm_tc7_hashtable), NULL,
    CS_PRINT_OPAQUE, { VALUE ("buckets"), BLOCK ("sizes"), UNUSED (1) } },
  { KIND (KEYWORD, "keyword"), TC7 (scm_tc7_keyword), NULL, CS_PRINT_KEYWORD,
    { VALUE ("name") } },
  { KIND (BYTEVECTOR, "bytevector"), TC7 (scm_tc7_bytevector), NULL,
    CS_PRINT_COUNTED,
    { INTEGER ("length"), C_ADDRESS ("contents"), VALUE ("parent"),
      COUNTED ("byte", RAW, BYTE, CONTENTS) } },
  { KIND (SYNTAX, "syntax"), TC7 (scm_tc7_syntax), NULL, CS_PRINT_OPAQUE,
    { VALUES ("expression, wrap, module, source", 4) } },
  { KIND (FLUID, "fluid"), TC7 (scm_tc7_fluid), NULL, CS_PRINT_OPAQUE,
    { VALUE ("default") } },
  { KIND (POINTER, "pointer"), TC7 (scm_tc7_pointer), NULL, CS_PRINT_OPAQUE,
    { C_ADDRESS ("address") } },
  { KIND (ATOMIC_BOX, "atomic-box"), TC7 (scm_tc7_atomic_box), NULL,
    CS_PRINT_OPAQUE, { VALUE ("value") } },
  { KIND (VALUES, "values"), TC7 (scm_tc7_values), NULL, CS_PRINT_OPAQUE,
    { COUNTED ("value", VALUE, WORD, HEAD_8) } },
  { KIND (WEAK_VECTOR, "weak-vector"), TC7 (scm_tc7_wvect), NULL,
    CS_PRINT_OPAQUE, { COUNTED ("element", WEAK, WORD, HEAD_8) } },
  { KIND (WEAK_TABLE, "weak-table"), TC7 (scm_tc7_weak_table), NULL,
    CS_PRINT_OPAQUE, { BLOCK ("table") } },
  { KIND (WEAK_SET, "weak-set"), TC7 (scm_tc7_weak_set), NULL,
    CS_PRINT_OPAQUE, { BLOCK ("set") } },
  { KIND (BITVECTOR, "bitvector"), TC7 (scm_tc7_bitvector), NULL,
    CS_PRINT_COUNTED, { INTEGER ("length"), C_ADDRESS ("bits"), UNUSED (1) } },
  { KIND (ARRAY, "array"), TC7 (scm_tc7_array), NULL, CS_PRINT_OPAQUE,
    { VALUE ("elements"), INTEGER ("base"),
      { "bounds, step", CS_FIELD_INTEGER, CS_UNIT_WORD, CS_COUNT_DIMENSIONS,
        3 } } },
  { KIND (DYNAMIC_STATE, "dynamic-state"), TC7 (scm_tc7_dynamic_state), NULL,
    CS_PRINT_OPAQUE, { VALUE ("values") } },
  { KIND (PORT, "port"), TC7 (scm_tc7_port), NULL, CS_PRINT_OPAQUE,
    { OPAQUE ("stream"), BLOCK ("state"), BLOCK ("type") } },
  { KIND (FRAME, "frame"), TC7 (scm_tc7_frame), NULL, CS_PRINT_OPAQUE,
    { BLOCK ("registers") } },
  { KIND (CONTINUATION, "continuation"), TC7 (scm_tc7_vm_cont), NULL,
    CS_PRINT_OPAQUE, { BLOCK ("stack") } },
  { KIND (SMOB, "smob"), TC7 (scm_tc7_smob), NULL, CS_PRINT_SMOB,
    { COUNTED ("word", OPAQUE, WORD, REST) } }
};

/* The fields of libguile's own types.  */
static const struct cs_smob_type smobs[] = {
  { "continuation", { BLOCK ("registers") } },
  { "thread", { BLOCK ("thread") } },
  { "mutex", { BLOCK ("mutex") } },
  { "condition-variable", { BLOCK ("condition") } },
  { "promise", { VALUE ("value"), VALUE ("mutex"), UNUSED (1) } },
  { "hook", { VALUE ("procedures") } },
  { "random-state", { BLOCK ("state") } },
  { "macro",
    { C_ADDRESS ("primitive"), VALUES ("name, type, binding", 3) } },
  { "regexp", { OPAQUE ("expression") } },
  { "character-set", { BLOCK ("ranges") } },
  { "guardian", { BLOCK ("guardian") } }
};

static const struct cs_objects tables[] = {
  { "3.0.8 3.0.9 3.0.10 3.0.11", types, sizeof types / sizeof *types, smobs,
    sizeof smobs / sizeof *smobs }
};

const struct cs_objects *
cs_objects_find (const char *release)
{
  size_t len = strlen (release);

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const char *r = tables[i].releases; *r; r += strspn (r, " "))
      {
        size_t own = strcspn (r, " ");

        if (own == len && len > 0 && memcmp (r, release, len) == 0)
          return &tables[i];
        r += own;
      }
  return NULL;
}

const char *
cs_objects_releases (void)
{
  return tables[0].releases;
}

const struct cs_object_type *
cs_object_type (const struct cs_heap *heap, uint64_t first)
{
  const struct cs_objects *o = heap->objects;

  for (size_t i = 0; o && i < o->nr_types; i++)
    if ((first & o->types[i].mask) == o->types[i].tag
        && (!o->types[i].refine || o->types[i].refine (heap, first)))
      return &o->types[i];
  return NULL;
}

const char *
cs_value_kind_name (enum cs_value_kind kind)
{
  static const char *const immediates[] = {
    [CS_VALUE_INVALID] = "invalid",
    [CS_VALUE_INTEGER] = "integer",
    [CS_VALUE_CHARACTER] = "character",
    [CS_VALUE_BOOLEAN] = "boolean",
    [CS_VALUE_EMPTY_LIST] = "empty-list",
    [CS_VALUE_CONSTANT] = "constant"
  };

  if ((unsigned) kind < sizeof immediates / sizeof *immediates)
    return immediates[kind];
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].kind == kind)
      return types[i].name;
  return immediates[CS_VALUE_INVALID];
}

/* smob.h, SCM_SMOBNUM and SCM_SMOBNAME; a descriptor is eight words, the
   first of them the name.  */
const char *
cs_object_smob_name (const struct cs_heap *heap, uint64_t first)
{
  uint64_t name, number = first >> 8 & 0xff;

  return heap->smobs && number < heap->nr_smobs
         && cs_heap_word (heap, heap->smobs, 8 * number, &name)
         ? cs_heap_c_string (heap, name) : "";
}

static const struct cs_field *
smob_fields (const struct cs_heap *heap, const struct cs_object_type *type,
             uint64_t first)
{
  const struct cs_objects *o = heap->objects;
  const char *name = cs_object_smob_name (heap, first);

  for (size_t i = 0; i < o->nr_smobs; i++)
    if (strcmp (o->smobs[i].name, name) == 0)
      return o->smobs[i].fields;
  return type->fields;
}

/* An object while its fields are gone through.  */
struct place
{
  const struct cs_heap *heap;
  uint64_t addr, first, at;     /* the object, its first word, the field */
  uint64_t block_len;
  cs_object_run *visit;
  void *closure;
};

/* integers.c, struct scm_bignum: the number of limbs, with the sign.  */
static uint64_t
nr_limbs (const struct place *p)
{
  const void *size = cs_heap_view (p->heap, p->addr + p->heap->word_len + 4, 4);
  int32_t nr = 0;

  if (size)
    memcpy (&nr, size, sizeof nr);
  return nr < 0 ? -(uint64_t) nr : (uint64_t) nr;
}

static uint64_t
count (const struct place *p, const struct cs_field *field)
{
  uint64_t nr = 0;

  switch (field->count)
    {
    case CS_COUNT_FIXED: return field->nr;
    case CS_COUNT_HEAD_8: return p->first >> 8;
    case CS_COUNT_HEAD_16: return p->first >> 16;
    case CS_COUNT_DIMENSIONS: return (p->first >> 17) * field->nr;
    case CS_COUNT_LIMBS: return nr_limbs (p);
    case CS_COUNT_SLOTS:
      vtable_slot (p->heap, p->first, scm_vtable_index_size, &nr);
      return nr;
    case CS_COUNT_CHARACTERS:
      cs_heap_word (p->heap, p->addr, 1, &nr);
      return (nr + 1) * (p->first & SCM_I_STRINGBUF_F_WIDE ? 4 : 1);
    case CS_COUNT_CONTENTS:
      /* Others lead to a parent's contents, or to memory of their own.  */
      cs_heap_word (p->heap, p->addr, 1, &nr);
      return p->first >> 7 & SCM_F_BYTEVECTOR_CONTIGUOUS ? nr : 0;
    default:
      return p->block_len > p->at - p->addr
             ? (p->block_len - (p->at - p->addr)) / p->heap->word_len : 1;
    }
}

static unsigned
unit_len (const struct cs_heap *heap, const struct cs_field *field)
{
  switch (field->unit)
    {
    case CS_UNIT_WORD: return heap->word_len;
    case CS_UNIT_INT: return 4;
    case CS_UNIT_DOUBLE: return 8;
    default: return 1;
    }
}

/* The slots of a struct: struct.h, SCM_VTABLE_FIELD_IS_UNBOXED.  */
static void
visit_slots (struct place *p, struct cs_field_run *run)
{
  uint64_t fields = 0, nr = run->nr, end = run->addr + nr * run->unit_len;
  const uint8_t *bits;

  vtable_slot (p->heap, p->first, scm_vtable_index_unboxed_fields, &fields);
  bits = fields ? cs_heap_view (p->heap, fields, (nr + 31) / 32 * 4) : NULL;
  if (!bits)
    return p->visit (p->closure, run);
  run->nr = 1;
  for (uint64_t i = 0; run->addr < end; i++, run->addr += run->unit_len)
    {
      run->first = i;
      run->kind = bits[i / 8] & 1 << i % 8 ? CS_FIELD_OPAQUE : CS_FIELD_VALUE;
      p->visit (p->closure, run);
    }
}

static void
visit_field (struct place *p, const struct cs_field *field)
{
  uint64_t limit = cs_store_superblock (p->heap->store)->committed;
  struct cs_field_run run = {
    field, field->kind, p->at, count (p, field), unit_len (p->heap, field), 0
  };

  if (field->unit == CS_UNIT_DOUBLE)
    run.addr = (run.addr + 7) & -(uint64_t) 8;
  if (run.nr > limit || run.nr * run.unit_len > limit)
    run.nr = 0;
  p->at = run.addr + run.nr * run.unit_len;
  if (run.nr == 0 || !p->visit)
    return;
  if (field->count == CS_COUNT_SLOTS)
    visit_slots (p, &run);
  else
    p->visit (p->closure, &run);
}

uint64_t
cs_object_fields (const struct cs_heap *heap,
                  const struct cs_object_type *type, uint64_t addr,
                  uint64_t first, uint64_t block_len, cs_object_run *visit,
                  void *closure)
{
  static const struct cs_field vtable = {
    "vtable", CS_FIELD_VTABLE, CS_UNIT_WORD, CS_COUNT_FIXED, 1
  };
  struct place p = { heap, addr, first, addr, block_len, visit, closure };
  const struct cs_field *fields = type->kind == CS_VALUE_SMOB
                                  ? smob_fields (heap, type, first)
                                  : type->fields;

  if ((first & 7) == scm_tc3_struct)
    visit_field (&p, &vtable);
  else if (first & 1)
    p.at += heap->word_len;
  for (size_t i = 0; i < CS_OBJECT_FIELDS_MAX && fields[i].name; i++)
    visit_field (&p, &fields[i]);
  return p.at - addr;
}
