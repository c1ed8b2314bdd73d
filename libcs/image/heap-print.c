/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap-print.c -- names and values of Guile's heap as text.  */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libguile.h>

#include "image/objects.h"

/* How far printing goes into what it prints.  */
#define DEPTH_MAX 3
#define ELEMENTS_MAX 64

/* A stringbuf: tag and flags, number of characters, then the characters,
   Latin-1 or UCS-4 (libguile 3.0, strings.c, "Stringbufs"; the flag is in
   strings.h).  */
enum { STRINGBUF_LEN = 1, STRINGBUF_CHARACTERS = 2 };

/* A string: tag, stringbuf, first character, number of characters
   (strings.h, SCM_IMMUTABLE_STRING).  One that shares another string's
   characters has that string in the second word (strings.c,
   SH_STRING_TAG).  */
enum { STRING_STRINGBUF = 1, STRING_START = 2, STRING_LEN = 3 };
#define SHARED_STRING_TAG (scm_tc7_string + 0x100)

/* A bignum (libguile 3.0.8, integers.c, struct scm_bignum): the tag, then
   GMP's int _mp_alloc, int _mp_size, limbs.  */
enum { BIG_SIZE_OFF = 4, BIG_LIMBS_MAX = 16 };

/* Text that grows in a buffer of the caller's.  There is always room for
   the mark that says it was cut, and the NUL.  */
static const char cut_mark[] = "…";

struct writer
{
  char *text;
  size_t len;                   /* of the buffer, less that room */
  size_t used;
  bool cut;
};

static struct writer
writer_on (char *text, size_t len)
{
  text[0] = '\0';
  return (struct writer) { text, len - sizeof cut_mark, 0, false };
}

static void
put_bytes (struct writer *w, const char *bytes, size_t len)
{
  if (w->cut)
    return;
  if (w->used + len > w->len)
    {
      memcpy (w->text + w->used, cut_mark, sizeof cut_mark);
      w->cut = true;
      return;
    }
  memcpy (w->text + w->used, bytes, len);
  w->used += len;
  w->text[w->used] = '\0';
}

static void
put (struct writer *w, const char *text)
{
  put_bytes (w, text, strlen (text));
}

static void
put_number (struct writer *w, const char *format, uint64_t number)
{
  char text[32];

  snprintf (text, sizeof text, format, number);
  put (w, text);
}

/* A code point as UTF-8; what is none becomes U+FFFD.  */
static void
put_character (struct writer *w, uint32_t c)
{
  char b[4];

  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
    c = 0xfffd;
  if (c < 0x80)
    return put_bytes (w, (const char[]) { (char) c }, 1);
  b[3] = (char) (0x80 | (c & 0x3f));
  b[2] = (char) (0x80 | (c >> 6 & 0x3f));
  b[1] = (char) (0x80 | (c >> 12 & 0x3f));
  if (c < 0x800)
    {
      b[2] = (char) (0xc0 | c >> 6);
      return put_bytes (w, b + 2, 2);
    }
  if (c < 0x10000)
    {
      b[1] = (char) (0xe0 | c >> 12);
      return put_bytes (w, b + 1, 3);
    }
  b[0] = (char) (0xf0 | c >> 18);
  put_bytes (w, b, 4);
}

static bool
is_control (uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Characters [FIRST, FIRST + NR) of a stringbuf.  */
struct characters
{
  const unsigned char *bytes;
  uint64_t nr;
  bool wide;
};

static uint32_t
character (const struct characters *c, uint64_t i)
{
  uint32_t wide;

  if (!c->wide)
    return c->bytes[i];
  memcpy (&wide, c->bytes + 4 * i, 4);
  return wide;
}

static bool
find_characters (const struct cs_heap *heap, uint64_t stringbuf,
                 uint64_t first, uint64_t nr, struct characters *c)
{
  uint64_t word, len, width;

  /* Literals in libguile are aligned to words only.  */
  if (stringbuf % heap->word_len != 0
      || !cs_heap_word (heap, stringbuf, 0, &word)
      || (word & 0x7f) != scm_tc7_stringbuf
      || !cs_heap_word (heap, stringbuf, STRINGBUF_LEN, &len)
      || first > len || nr > len - first || len > UINT64_MAX / 8)
    return false;
  c->wide = word & SCM_I_STRINGBUF_F_WIDE;
  c->nr = nr;
  width = c->wide ? 4 : 1;
  c->bytes = cs_heap_view (heap, stringbuf
                                 + STRINGBUF_CHARACTERS * heap->word_len
                                 + first * width, nr * width + 1);
  return c->bytes;
}

/* Symbols and keywords have their name in the second word: the stringbuf of
   a symbol (symbols.h; symbols.c, scm_i_make_symbol), the symbol of a
   keyword (keywords.h, SCM_I_KEYWORD_HASH).  */
static bool
name_characters (const struct cs_heap *heap, uint64_t symbol,
                 struct characters *c)
{
  uint64_t stringbuf, len;

  return cs_heap_word (heap, symbol, 1, &stringbuf)
         && cs_heap_word (heap, stringbuf, STRINGBUF_LEN, &len)
         && find_characters (heap, stringbuf, 0, len, c);
}

static bool
string_characters (const struct cs_heap *heap, uint64_t string,
                   struct characters *c)
{
  uint64_t tag, buffer, inner, start, len;

  if (!cs_heap_word (heap, string, 0, &tag)
      || !cs_heap_word (heap, string, STRING_STRINGBUF, &buffer)
      || !cs_heap_word (heap, string, STRING_START, &start)
      || !cs_heap_word (heap, string, STRING_LEN, &len))
    return false;
  if (tag == SHARED_STRING_TAG)
    {
      if (!cs_heap_word (heap, buffer, STRING_STRINGBUF, &inner))
        return false;
      buffer = inner;
    }
  return find_characters (heap, buffer, start, len, c);
}

static bool
characters_of (const struct cs_heap *heap, uint64_t value,
               struct characters *c)
{
  uint64_t symbol;

  switch (cs_heap_kind (heap, value))
    {
    case CS_VALUE_STRING:
      return string_characters (heap, value, c);
    case CS_VALUE_SYMBOL:
      return name_characters (heap, value, c);
    case CS_VALUE_KEYWORD:
      return cs_heap_word (heap, value, 1, &symbol)
             && cs_heap_kind (heap, symbol) == CS_VALUE_SYMBOL
             && name_characters (heap, symbol, c);
    default:
      return false;
    }
}

bool
cs_heap_text (const struct cs_heap *heap, uint64_t value, char *text,
              size_t len)
{
  struct writer w = writer_on (text, len);
  struct characters c;

  if (!characters_of (heap, value, &c))
    return false;
  for (uint64_t i = 0; i < c.nr && !w.cut; i++)
    put_character (&w, character (&c, i));
  return true;
}

/* Printing.  */

static void put_value (struct writer *w, const struct cs_heap *heap,
                       uint64_t value, unsigned depth);

static void
put_string (struct writer *w, const struct characters *c)
{
  put (w, "\"");
  for (uint64_t i = 0; i < c->nr && !w->cut; i++)
    {
      uint32_t ch = character (c, i);

      if (ch == '"' || ch == '\\')
        put (w, "\\");
      if (ch == '\n')
        put (w, "\\n");
      else if (is_control (ch))
        put_number (w, "\\x%02" PRIx64, ch);
      else
        put_character (w, ch);
    }
  put (w, "\"");
}

static bool
needs_braces (const struct characters *c)
{
  for (uint64_t i = 0; i < c->nr; i++)
    {
      uint32_t ch = character (c, i);

      if (ch == ' ' || is_control (ch) || (ch < 0x80 && strchr ("()\";", (int) ch)))
        return true;
    }
  return c->nr == 0;
}

/* As Guile writes symbols that would not be read again: #{a b}#.  */
static void
put_symbol (struct writer *w, const struct characters *c)
{
  bool braces = needs_braces (c);

  put (w, braces ? "#{" : "");
  for (uint64_t i = 0; i < c->nr && !w->cut; i++)
    if (is_control (character (c, i)))
      put_number (w, "\\x%" PRIx64 ";", character (c, i));
    else
      put_character (w, character (c, i));
  put (w, braces ? "}#" : "");
}

static void
put_opaque (struct writer *w, enum cs_value_kind kind, uint64_t value)
{
  put (w, "#<");
  put (w, cs_value_kind_name (kind));
  put_number (w, " 0x%" PRIx64 ">", value);
}

/* Constants in the order of their numbers (scm.h, SCM_BOOL_F_BITS to
   SCM_EOF_VAL_BITS).  */
static void
put_flag (struct writer *w, uint64_t value)
{
  static const char *const names[] = {
    "#f", "#nil", NULL, "()", "#t", NULL, NULL, NULL,
    "#<unspecified>", "#<undefined>", "#<eof>"
  };
  uint64_t number = value >> 8;

  if (number < sizeof names / sizeof *names && names[number])
    put (w, names[number]);
  else
    put_number (w, "#<constant %" PRIu64 ">", number);
}

static void
put_immediate (struct writer *w, const struct cs_heap *heap, uint64_t value)
{
  unsigned unused = 64 - 8 * heap->word_len;
  char text[32];

  if (value & 2)
    {
      /* numbers.h, SCM_I_INUM: an arithmetic shift of the machine's word.  */
      snprintf (text, sizeof text, "%" PRId64,
                (int64_t) (value << unused) >> (unused + 2));
      put (w, text);
    }
  else if ((value & 0xff) != scm_tc8_char)
    put_flag (w, value);
  else if (value >> 8 == ' ' || is_control ((uint32_t) (value >> 8)))
    put_number (w, "#\\x%" PRIx64, value >> 8);
  else
    {
      put (w, "#\\");
      put_character (w, (uint32_t) (value >> 8));
    }
}

static bool
put_list (struct writer *w, const struct cs_heap *heap, uint64_t list,
          unsigned depth)
{
  uint64_t car, cdr;

  put (w, "(");
  for (unsigned i = 0; cs_heap_pair (heap, list, &car, &cdr); i++)
    {
      put (w, i ? " " : "");
      if (i == ELEMENTS_MAX || w->cut)
        {
          put (w, cut_mark);
          break;
        }
      put_value (w, heap, car, depth + 1);
      list = cdr;
    }
  if (!cs_heap_pair (heap, list, &car, &cdr) && list != CS_VALUE_EOL)
    {
      put (w, " . ");
      put_value (w, heap, list, depth + 1);
    }
  put (w, ")");
  return true;
}

static bool
put_vector (struct writer *w, const struct cs_heap *heap, uint64_t vector,
            unsigned depth)
{
  uint64_t element;

  put (w, "#(");
  for (uint64_t i = 0;
       !w->cut && cs_heap_vector_get (heap, vector, i, &element); i++)
    {
      put (w, i ? " " : "");
      if (i == ELEMENTS_MAX)
        {
          put (w, cut_mark);
          break;
        }
      put_value (w, heap, element, depth + 1);
    }
  put (w, ")");
  return true;
}

/* numbers.h, scm_t_double: the number is at a multiple of its size.  */
static bool
put_real (struct writer *w, const struct cs_heap *heap, uint64_t value)
{
  const void *place = cs_heap_view (heap, value + 8, sizeof (double));
  char text[40];
  double real;

  if (!place)
    return false;
  memcpy (&real, place, sizeof real);
  if (real != real)
    put (w, "+nan.0");
  else if (real - real != 0)
    put (w, real > 0 ? "+inf.0" : "-inf.0");
  else
    {
      snprintf (text, sizeof text, "%.15g", real);
      put (w, text);
      put (w, strpbrk (text, ".e") ? "" : ".0");
    }
  return true;
}

/* In hexadecimal: exact, and no arithmetic.  */
static bool
put_big (struct writer *w, const struct cs_heap *heap, uint64_t value)
{
  const void *place = cs_heap_view (heap, value + heap->word_len
                                          + BIG_SIZE_OFF, 4);
  const char *format = "%" PRIx64;
  uint64_t limbs, limb;
  int32_t size;
  uint32_t nr;

  if (!place || !cs_heap_word (heap, value, heap->word_len == 8 ? 2 : 3,
                               &limbs))
    return false;
  memcpy (&size, place, sizeof size);
  nr = size < 0 ? -(uint32_t) size : (uint32_t) size;
  if (nr == 0 || nr > BIG_LIMBS_MAX)
    return false;
  put (w, size < 0 ? "#x-" : "#x");
  while (nr-- > 0)
    {
      if (!cs_heap_word (heap, limbs, nr, &limb))
        return false;
      put_number (w, format, limb);
      format = heap->word_len == 8 ? "%016" PRIx64 : "%08" PRIx64;
    }
  return true;
}

/* numbers.h, SCM_FRACTION_NUMERATOR.  */
static bool
put_fraction (struct writer *w, const struct cs_heap *heap, uint64_t value,
              unsigned depth)
{
  uint64_t numerator, denominator;

  if (!cs_heap_word (heap, value, 1, &numerator)
      || !cs_heap_word (heap, value, 2, &denominator))
    return false;
  put_value (w, heap, numerator, depth + 1);
  put (w, "/");
  put_value (w, heap, denominator, depth + 1);
  return true;
}

/* "#<NAME 0x...>" where the vtable has a name (struct.h,
   scm_vtable_index_name); a record type is named itself.  */
static bool
put_record (struct writer *w, const struct cs_heap *heap, uint64_t value,
            enum cs_value_kind kind)
{
  uint64_t vtable, name;
  struct characters c;

  if (!cs_heap_word (heap, value, 0, &vtable))
    return false;
  vtable = kind == CS_VALUE_RECORD_TYPE ? value : vtable - scm_tc3_struct;
  if (!cs_heap_word (heap, vtable, 1 + scm_vtable_index_name, &name)
      || !characters_of (heap, name, &c) || c.nr == 0)
    return false;
  put (w, kind == CS_VALUE_RECORD_TYPE ? "#<record-type " : "#<");
  put_symbol (w, &c);
  put_number (w, " 0x%" PRIx64 ">", value);
  return true;
}

/* bytevectors.h, SCM_BYTEVECTOR_LENGTH.  */
static bool
put_counted (struct writer *w, const struct cs_heap *heap, uint64_t value,
             enum cs_value_kind kind)
{
  uint64_t nr;

  if (!cs_heap_word (heap, value, 1, &nr))
    return false;
  put (w, "#<");
  put (w, cs_value_kind_name (kind));
  put_number (w, " of %" PRIu64, nr);
  put_number (w, " 0x%" PRIx64 ">", value);
  return true;
}

static bool
put_smob (struct writer *w, const struct cs_heap *heap, uint64_t value)
{
  uint64_t tag;
  const char *name;

  if (!cs_heap_word (heap, value, 0, &tag))
    return false;
  name = cs_object_smob_name (heap, tag);
  if (!name[0])
    return false;
  put (w, "#<");
  put (w, name);
  put_number (w, " 0x%" PRIx64 ">", value);
  return true;
}

static bool
put_text (struct writer *w, const struct cs_heap *heap, uint64_t value,
          enum cs_print how)
{
  struct characters c;

  if (!characters_of (heap, value, &c))
    return false;
  if (how == CS_PRINT_STRING)
    put_string (w, &c);
  else
    {
      put (w, how == CS_PRINT_KEYWORD ? "#:" : "");
      put_symbol (w, &c);
    }
  return true;
}

/* False if VALUE is not sound or has no notation of its own.  */
static bool
put_object (struct writer *w, const struct cs_heap *heap, uint64_t value,
            const struct cs_object_type *type, unsigned depth)
{
  switch (type->print)
    {
    case CS_PRINT_LIST: return put_list (w, heap, value, depth);
    case CS_PRINT_VECTOR: return put_vector (w, heap, value, depth);
    case CS_PRINT_STRING:
    case CS_PRINT_SYMBOL:
    case CS_PRINT_KEYWORD: return put_text (w, heap, value, type->print);
    case CS_PRINT_REAL: return put_real (w, heap, value);
    case CS_PRINT_BIG: return put_big (w, heap, value);
    case CS_PRINT_FRACTION: return put_fraction (w, heap, value, depth);
    case CS_PRINT_COUNTED: return put_counted (w, heap, value, type->kind);
    case CS_PRINT_RECORD:
    case CS_PRINT_RECORD_TYPE:
      return put_record (w, heap, value, type->kind);
    case CS_PRINT_SMOB: return put_smob (w, heap, value);
    default: return false;
    }
}

static void
put_value (struct writer *w, const struct cs_heap *heap, uint64_t value,
           unsigned depth)
{
  enum cs_value_kind kind = cs_heap_kind (heap, value);
  uint64_t first;

  if (w->cut)
    return;
  if (depth > DEPTH_MAX)
    put (w, cut_mark);
  else if (kind != CS_VALUE_INVALID && !cs_value_is_object (value))
    put_immediate (w, heap, value);
  else if (kind == CS_VALUE_INVALID
           || !cs_heap_word (heap, value, 0, &first)
           || !put_object (w, heap, value, cs_object_type (heap, first),
                           depth))
    put_opaque (w, kind, value);
}

const char *
cs_heap_print (const struct cs_heap *heap, uint64_t value, char *text,
               size_t len)
{
  struct writer w = writer_on (text, len);

  put_value (&w, heap, value, 0);
  return text;
}
