/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-heap.c -- the reader of Guile's objects, on images made by hand.

   An image is one extent of words, written here as Guile lays objects out,
   and read from the committed file.  Each case runs for words of 8 and of 4
   bytes; for the latter the file is told a base that fits into 4.  */

#include "store-fixture.h"

#include "image/heap.h"
#include "image/modules.h"
#include "image/objects.h"

/* Tags, as in libguile/scm.h of Guile 3.0, written out: a test should not
   take them from where the reader does.  */
enum
{
  SYMBOL = 0x05, VARIABLE = 0x07, VECTOR = 0x0d, STRING = 0x15,
  BIG = 0x117, REAL = 0x217, FRACTION = 0x417, TABLE = 0x1d,
  STRINGBUF = 0x27, WIDE = 0x400, KEYWORD = 0x35, PROCEDURE = 0x45,
  BYTEVECTOR = 0x4d, SMOB = 0x77, SHARED = 0x115,
  FALSE = 0x004, EOL = 0x304, TRUE = 0x404, UNDEFINED = 0x904
};

#define LOW_BASE 0x60000000u
#define IMAGE_LEN (16 * PAGE)

/* The image that is being made.  */
static unsigned char image[IMAGE_LEN];
static size_t used;
static unsigned word_len;
static uint64_t image_addr;

static struct cs_heap heap;
static char text[256];

static uint64_t
integer (int64_t n)
{
  uint64_t bits = (uint64_t) n << 2 | 2;

  return word_len == 8 ? bits : bits & 0xffffffff;
}

static void
set_word (uint64_t addr, unsigned i, uint64_t word)
{
  memcpy (image + (addr - image_addr) + i * word_len, &word, word_len);
}

/* LEN bytes at a multiple of 8.  */
static uint64_t
room (size_t len)
{
  uint64_t addr = image_addr + used;

  used += (len + 15) / 8 * 8;
  CHECK (used <= IMAGE_LEN);
  return addr;
}

#define OBJECT(...)                                                     \
  object ((const uint64_t[]) { __VA_ARGS__ },                           \
          sizeof (uint64_t[]) { __VA_ARGS__ } / sizeof (uint64_t))

static uint64_t
object (const uint64_t *words, size_t nr)
{
  uint64_t addr = room ((nr + 1) * word_len);

  for (size_t i = 0; i < nr; i++)
    set_word (addr, (unsigned) i, words[i]);
  return addr;
}

static uint64_t
pair (uint64_t car, uint64_t cdr)
{
  return OBJECT (car, cdr);
}

/* Those that are literals in libguile are no objects of the collector's: they
   lie at a multiple of the word (i386).  */
static uint64_t
stringbuf (const char *bytes, size_t nr, unsigned width)
{
  uint64_t addr = room (8 + 2 * word_len + nr * width + width) + word_len % 8;

  set_word (addr, 0, STRINGBUF | (width == 4 ? WIDE : 0));
  set_word (addr, 1, nr);
  memcpy (image + (addr - image_addr) + 2 * word_len, bytes, nr * width);
  return addr;
}

static uint64_t
symbol (const char *name)
{
  return OBJECT (SYMBOL, stringbuf (name, strlen (name), 1), 1234);
}

static uint64_t
string (const char *name)
{
  return OBJECT (STRING, stringbuf (name, strlen (name), 1), 0,
                 strlen (name));
}

static void
low_base (struct cs_superblock_disk *sb)
{
  sb->base = LOW_BASE;
  sb->word_len = 4;
  sb->machine = 3;              /* EM_386 */
}

/* Make a store with the objects that BUILD makes, and open it.  The address
   of the extent is known before: it is the first one that is free.  */
static void
make_image (unsigned len, void (*build) (void))
{
  struct cs_store_params params = default_params ();
  struct cs_store *store;
  char *addr;

  other_reserved = 64 << 20;
  store = create (true);
  addr = cs_store_map (store, IMAGE_LEN, RW, CS_EXTENT_HEAP);
  CHECK (addr);
  word_len = len;
  used = 0;
  memset (image, 0, sizeof image);
  image_addr = (uint64_t) (uintptr_t) addr;
  if (len == 4)
    image_addr += LOW_BASE - params.base;
  heap = (struct cs_heap) {
    .word_len = (uint8_t) len, .objects = cs_objects_find ("3.0.8")
  };
  CHECK (heap.objects);
  build ();
  memcpy (addr, image, sizeof image);
  commit_ok (store);
  close_and_unmap (store);
  if (len == 4)
    change_superblock (low_base);
  heap.store = open_mode (CS_STORE_READ);
}

static void
both_word_lengths (void (*build) (void), void (*check) (void))
{
  make_image (8, build);
  check ();
  cs_store_close ((struct cs_store *) heap.store);
  make_image (4, build);
  check ();
  cs_store_close ((struct cs_store *) heap.store);
}

static bool
prints (uint64_t value, const char *want)
{
  cs_heap_print (&heap, value, text, sizeof text);
  if (strcmp (text, want) != 0)
    fprintf (stderr, "word_len %u: wanted %s, got %s\n", word_len, want,
             text);
  return strcmp (text, want) == 0;
}

static enum cs_value_kind
kind (uint64_t value)
{
  return cs_heap_kind (&heap, value);
}

static void
nothing (void)
{
}

static void
check_immediates (void)
{
  CHECK (kind (integer (42)) == CS_VALUE_INTEGER);
  CHECK (prints (integer (42), "42") && prints (integer (-5), "-5"));
  CHECK (prints (integer (-(1 << 29)), "-536870912"));
  CHECK (prints (FALSE, "#f") && prints (TRUE, "#t") && prints (EOL, "()"));
  CHECK (prints (0x804, "#<unspecified>") && prints (0xa04, "#<eof>"));
  CHECK (prints (UNDEFINED, "#<undefined>") && prints (0x104, "#nil"));
  CHECK (prints ('a' << 8 | 0x0c, "#\\a") && prints (0x3bb0c, "#\\λ"));
  CHECK (prints (0x0a0c, "#\\xa"));
  CHECK (kind (FALSE) == CS_VALUE_BOOLEAN && kind (EOL) == CS_VALUE_EMPTY_LIST);
  CHECK (kind ('a' << 8 | 0x0c) == CS_VALUE_CHARACTER);
  CHECK (kind (0x804) == CS_VALUE_CONSTANT);
  CHECK (kind (0) == CS_VALUE_INVALID && kind (8) == CS_VALUE_INVALID);
  CHECK (kind (1) == CS_VALUE_INVALID && kind (0x14) == CS_VALUE_INVALID);
  CHECK (kind (UINT64_MAX - 7) == CS_VALUE_INVALID);
}

/* A release is known by its whole name.  */
static void
releases (void)
{
  CHECK (cs_objects_find ("3.0.8") && cs_objects_find ("3.0.11"));
  CHECK (!cs_objects_find ("3.0.7") && !cs_objects_find ("2.2.7"));
  CHECK (!cs_objects_find ("3.0.1") && !cs_objects_find ("3.0")
         && !cs_objects_find ("") && !cs_objects_find (" "));
}

static void
immediates (void)
{
  both_word_lengths (nothing, check_immediates);
}

static uint64_t things[16];

static void
build_texts (void)
{
  static const uint32_t wide[] = { 0x3bb, 'x', 0x1f600, 0xd800, 0x110000 };

  things[0] = symbol ("name");
  things[1] = symbol ("a b");
  things[2] = string ("one \"two\"\n");
  things[3] = OBJECT (STRING, stringbuf ("h\xe9llo", 5, 1), 1, 3);
  things[4] = OBJECT (STRING, stringbuf ((const char *) wide, 5, 4), 0, 5);
  things[5] = OBJECT (KEYWORD, symbol ("key"));
  things[6] = OBJECT (SHARED, string ("hello world"), 6, 5);
  things[7] = string ("");
}

static void
check_texts (void)
{
  CHECK (kind (things[0]) == CS_VALUE_SYMBOL && prints (things[0], "name"));
  CHECK (prints (things[1], "#{a b}#"));
  CHECK (kind (things[2]) == CS_VALUE_STRING
         && prints (things[2], "\"one \\\"two\\\"\\n\""));
  CHECK (prints (things[3], "\"éll\""));
  CHECK (prints (things[4], "\"λx😀\xef\xbf\xbd\xef\xbf\xbd\""));
  CHECK (kind (things[5]) == CS_VALUE_KEYWORD && prints (things[5], "#:key"));
  CHECK (prints (things[6], "\"world\"") && prints (things[7], "\"\""));
  CHECK (cs_heap_text (&heap, things[5], text, sizeof text)
         && strcmp (text, "key") == 0);
  CHECK (!cs_heap_text (&heap, integer (1), text, sizeof text)
         && text[0] == '\0');
}

static void
texts (void)
{
  both_word_lengths (build_texts, check_texts);
}

static void
build_long (void)
{
  char letters[1000];

  memset (letters, 'x', sizeof letters);
  things[0] = OBJECT (STRING, stringbuf (letters, 1000, 1), 0, 1000);
  for (size_t i = 0; i < sizeof letters; i++)
    letters[i] = "\xe9"[0];
  things[1] = OBJECT (STRING, stringbuf (letters, 1000, 1), 0, 1000);
}

static void
check_long (void)
{
  static const char mark[] = "…";

  for (size_t len = 32; len < 200; len++)
    for (int i = 0; i < 2; i++)
      {
        memset (text, '#', sizeof text);
        cs_heap_print (&heap, things[i], text, len);
        CHECK (strlen (text) < len && text[len] == '#');
        CHECK (strcmp (text + strlen (text) - strlen (mark), mark) == 0);
        CHECK (strlen (text) + 2 + sizeof mark > len);
      }
}

static void
cut_off (void)
{
  both_word_lengths (build_long, check_long);
}

static void
build_data (void)
{
  uint64_t last = pair (integer (3), EOL), circle = pair (integer (1), EOL);

  things[0] = pair (integer (1), pair (symbol ("b"), last));
  things[1] = pair (integer (1), integer (2));
  things[2] = OBJECT (VECTOR | 3 << 8, integer (1), things[1], FALSE);
  set_word (circle, 1, circle);
  things[3] = circle;
  things[4] = pair (pair (pair (pair (pair (EOL, EOL), EOL), EOL), EOL), EOL);
  things[5] = OBJECT (FRACTION, integer (1), integer (3));
  things[6] = OBJECT (BYTEVECTOR, 3, image_addr, FALSE);
  things[7] = OBJECT (PROCEDURE, 0x1234);
  things[8] = OBJECT (VARIABLE, integer (7));
}

static void
check_data (void)
{
  uint64_t car, cdr, len, element;

  CHECK (kind (things[0]) == CS_VALUE_PAIR && prints (things[0], "(1 b 3)"));
  CHECK (prints (things[1], "(1 . 2)"));
  CHECK (kind (things[2]) == CS_VALUE_VECTOR
         && prints (things[2], "#(1 (1 . 2) #f)"));
  cs_heap_print (&heap, things[3], text, sizeof text);
  CHECK (strncmp (text, "(1 1 1 ", 7) == 0 && strstr (text, " …)"));
  CHECK (prints (things[4], "((((…))))"));
  CHECK (kind (things[5]) == CS_VALUE_FRACTION && prints (things[5], "1/3"));
  CHECK (kind (things[6]) == CS_VALUE_BYTEVECTOR);
  cs_heap_print (&heap, things[6], text, sizeof text);
  CHECK (strncmp (text, "#<bytevector of 3 0x", 20) == 0);
  CHECK (kind (things[7]) == CS_VALUE_PROCEDURE);
  CHECK (cs_heap_pair (&heap, things[1], &car, &cdr)
         && car == integer (1) && cdr == integer (2));
  CHECK (!cs_heap_pair (&heap, things[2], &car, &cdr));
  CHECK (cs_heap_vector_len (&heap, things[2], &len) && len == 3);
  CHECK (cs_heap_vector_get (&heap, things[2], 2, &element)
         && element == FALSE);
  CHECK (!cs_heap_vector_get (&heap, things[2], 3, &element));
  CHECK (!cs_heap_vector_get (&heap, things[1], 0, &element));
  CHECK (cs_heap_variable (&heap, things[8], &element)
         && element == integer (7));
  CHECK (!cs_heap_variable (&heap, things[1], &element));
}

static void
data (void)
{
  both_word_lengths (build_data, check_data);
}

static void
build_numbers (void)
{
  double real = 1.5;
  int32_t size = -2;

  things[0] = OBJECT (REAL, 0, 0, 0);
  memcpy (image + (things[0] - image_addr) + 8, &real, sizeof real);
  things[1] = OBJECT (BIG, 0, 0, 0, 0x15, 1);
  set_word (things[1], word_len == 8 ? 2 : 3, things[1] + 4 * word_len);
  memcpy (image + (things[1] - image_addr) + word_len + 4, &size, 4);
}

static void
check_numbers (void)
{
  CHECK (kind (things[0]) == CS_VALUE_REAL && prints (things[0], "1.5"));
  CHECK (kind (things[1]) == CS_VALUE_BIG_INTEGER);
  CHECK (prints (things[1], word_len == 8 ? "#x-10000000000000015"
                                          : "#x-100000015"));
}

static void
numbers (void)
{
  both_word_lengths (build_numbers, check_numbers);
}

/* Structs.  A vtable: itself a struct, whose slots begin with layout, flags,
   finalizer, printer, name, size, unboxed fields, reserved (struct.h).  */
static uint64_t
vtable (uint64_t meta, const char *name, uint64_t nr_slots, uint64_t flags)
{
  return OBJECT (meta + 1, symbol ("pw"), flags, 0, FALSE, symbol (name),
                 nr_slots, 0, 0);
}

static uint64_t
table_of (uint64_t bucket)
{
  return OBJECT (TABLE, OBJECT (VECTOR | 2 << 8, EOL, bucket), 0);
}

static uint64_t module_type;

static uint64_t
module (uint64_t obarray, uint64_t submodules)
{
  return OBJECT (module_type + 1, obarray, EOL, FALSE, FALSE, FALSE, FALSE,
                 FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, submodules, FALSE,
                 FALSE, FALSE, FALSE, FALSE, FALSE);
}

/* A tree of a root and one module (m), which defines x and y.  */
static void
build_modules (void)
{
  uint64_t meta = vtable (0, "meta", 8, 2), inner, root, bucket;

  set_word (meta, 0, meta + 1);
  module_type = vtable (meta, "module", 19, 0);
  bucket = pair (pair (symbol ("x"), OBJECT (VARIABLE, integer (1))),
                 pair (pair (symbol ("y"), OBJECT (VARIABLE, UNDEFINED)),
                       EOL));
  inner = module (table_of (bucket), table_of (EOL));
  root = module (table_of (EOL),
                 table_of (pair (pair (symbol ("m"), inner), EOL)));
  /* A tree that leads back to its root.  */
  set_word (inner, 1 + 12, table_of (pair (pair (symbol ("up"), root), EOL)));
  things[0] = root;
  things[1] = inner;
  things[2] = OBJECT (vtable (meta, "point", 1, 0) + 1, integer (1));
  things[3] = bucket;
  heap.module_tag = module_type + 1;
  heap.modules = root;
}

static void
check_modules (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_module_list list;
  struct cs_binding_list bindings;

  CHECK (kind (things[0]) == CS_VALUE_MODULE);
  CHECK (kind (module_type) == CS_VALUE_RECORD_TYPE);
  CHECK (kind (things[2]) == CS_VALUE_RECORD);
  cs_heap_print (&heap, things[2], text, sizeof text);
  CHECK (strncmp (text, "#<point 0x", 10) == 0);
  CHECK (cs_modules_read (&heap, &list, &err) == 0);
  CHECK (list.nr == 2 && strcmp (list.items[0].name, "()") == 0
         && strcmp (list.items[1].name, "(m)") == 0);
  CHECK (list.items[1].addr == things[1] && list.items[1].nr_bindings == 2);
  CHECK (strcmp (list.items[1].kind, "module") == 0 && !list.items[1].file);
  CHECK (cs_bindings_read (&heap, &list.items[1], &bindings, &err) == 0);
  CHECK (bindings.nr == 2 && strcmp (bindings.items[0].name, "x") == 0
         && bindings.items[0].value == integer (1)
         && strcmp (bindings.items[1].name, "y") == 0
         && bindings.items[1].value == UNDEFINED);
  cs_bindings_fini (&bindings);
  cs_modules_fini (&list);
}

static void
modules (void)
{
  both_word_lengths (build_modules, check_modules);
}

/* Damage.  */

static void
build_circular_bucket (void)
{
  build_modules ();
  /* The last pair of the bucket leads to the first.  */
  set_word (things[3], 1, things[3]);
}

static void
check_circular_bucket (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_module_list list;
  struct cs_binding_list bindings;

  CHECK (cs_modules_read (&heap, &list, &err) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "module (m): a hash table expected, found "
                 "hash-table at 0x"));
  CHECK (list.nr == 2);
  CHECK (cs_bindings_read (&heap, &list.items[1], &bindings, NULL)
         == -CS_E_DAMAGED);
  CHECK (bindings.nr > 0 && bindings.nr < 10);
  cs_bindings_fini (&bindings);
  cs_modules_fini (&list);
}

static void
circular_bucket (void)
{
  both_word_lengths (build_circular_bucket, check_circular_bucket);
}

static void
no_tree (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_module_list list;

  make_image (8, build_modules);
  heap.modules = 0;
  CHECK (cs_modules_read (&heap, &list, &err) == -CS_E_INCOMPATIBLE);
  cs_modules_fini (&list);
  heap.modules = things[2];
  CHECK (cs_modules_read (&heap, &list, &err) == -CS_E_DAMAGED);
  CHECK (list.nr == 0 && strstr (err.text, "a module expected, found record"));
  cs_modules_fini (&list);
}

/* The last object of the image promises more than there is.  */
static void
build_short (void)
{
  used = IMAGE_LEN - 64;
  things[0] = OBJECT (VECTOR | 1000u << 8, integer (1), integer (2));
  things[1] = image_addr + IMAGE_LEN - word_len;
  set_word (things[1] - word_len, 0, STRINGBUF);
  set_word (things[1], 0, 0x0fffffff);
  things[2] = things[1] - word_len;
}

static void
check_short (void)
{
  char more[4096];

  CHECK (kind (things[1]) == CS_VALUE_INVALID);
  CHECK (kind (things[2]) == CS_VALUE_STRINGBUF);
  cs_heap_print (&heap, things[0], more, sizeof more);
  CHECK (strncmp (more, "#(1 2", 5) == 0 && strlen (more) < 400);
}

static void
past_the_end (void)
{
  both_word_lengths (build_short, check_short);
}

/* Every word of a sound image replaced by every kind of word: nothing but
   the result may differ.  The image is changed in the file.  */
static void
every_word_damaged (void)
{
  uint64_t patterns[8], addr, start;
  struct cs_module_list list;
  size_t found = 0;

  make_image (8, build_modules);
  start = cs_store_image_off (cs_store_superblock (heap.store))
          + (image_addr - cs_store_superblock (heap.store)->base);
  patterns[0] = 0;
  patterns[1] = UINT64_MAX;
  patterns[2] = things[0];
  patterns[3] = heap.module_tag;
  patterns[4] = image_addr + IMAGE_LEN - 8;
  patterns[5] = UINT64_MAX << 8 | VECTOR;
  patterns[6] = TABLE;
  patterns[7] = image_addr + 1;
  for (addr = start; addr < start + used; addr += 8)
    for (int i = 0; i < 8; i++)
      {
        uint64_t saved;

        peek (addr, &saved, 8);
        patch (addr, &patterns[i], 8);
        found += cs_modules_read (&heap, &list, NULL) == -CS_E_DAMAGED;
        for (size_t k = 0; k < list.nr; k++)
          {
            struct cs_binding_list bindings;

            cs_bindings_read (&heap, &list.items[k], &bindings, NULL);
            cs_bindings_fini (&bindings);
          }
        cs_modules_fini (&list);
        for (uint64_t value = image_addr; value < image_addr + used;
             value += 8)
          cs_heap_print (&heap, value, text, sizeof text);
        patch (addr, &saved, 8);
      }
  CHECK (found > 100);
}

/* Where things end.  */

enum { BUCKETS = 500, CHAIN = 300 };

static void
build_ends (void)
{
  uint64_t vtable, list = EOL, buckets;

  vtable = OBJECT (0, 0, 0, 0, 0, FALSE, 2, 0);
  set_word (vtable, 0, vtable + 1);
  things[0] = OBJECT (vtable + 1, integer (1), integer (2));
  /* A vector in the place of a vtable.  */
  things[1] = OBJECT (OBJECT (VECTOR | 7 << 8, 0, 0, 0, 0, FALSE, 2, 0) + 1,
                      integer (1), integer (2));
  for (int i = 0; i < CHAIN; i++)
    list = pair (pair (integer (i), TRUE), list);
  buckets = room ((BUCKETS + 1) * word_len);
  set_word (buckets, 0, VECTOR | (uint64_t) BUCKETS << 8);
  for (unsigned i = 1; i <= BUCKETS; i++)
    set_word (buckets, i, list);
  things[2] = OBJECT (TABLE, buckets);
  set_word (image_addr, (IMAGE_LEN - 8) / word_len, VARIABLE);
}

static int
pass (void *closure, uint64_t key, uint64_t value)
{
  (void) closure;
  (void) key;
  (void) value;
  return 0;
}

static void
check_ends (void)
{
  static unsigned char library[16];
  uint64_t word;

  CHECK (kind (things[0]) == CS_VALUE_RECORD);
  CHECK (cs_heap_slot (&heap, things[0], 1, &word) && word == integer (2));
  CHECK (!cs_heap_slot (&heap, things[0], 2, &word));
  CHECK (kind (things[1]) == CS_VALUE_INVALID);
  /* Buckets that share a list have more steps than the heap has pairs.  */
  CHECK (cs_heap_each_entry (&heap, things[2], pass, NULL) == -CS_E_DAMAGED);
  /* An object has two words.  */
  CHECK (kind (image_addr + IMAGE_LEN - 8)
         == (word_len == 8 ? CS_VALUE_INVALID : CS_VALUE_VARIABLE));
  CHECK (cs_heap_word (&heap, image_addr, 0, &word));
  CHECK (!cs_heap_word (&heap, image_addr, UINT64_MAX / word_len + 1, &word));
  heap.libraries[0] = (struct cs_heap_library) {
    .image = library, .addr = 4096, .len = sizeof library
  };
  heap.nr_libraries = 1;
  CHECK (cs_heap_view (&heap, 4096 + 8, 8) == library + 8);
  CHECK (!cs_heap_view (&heap, 4096 + 12, 8));
  CHECK (!cs_heap_view (&heap, 4096 + 20, 8));
}

static void
ends (void)
{
  both_word_lengths (build_ends, check_ends);
}

static const struct test_case cases[] = {
  { "a release is known by its whole name", releases },
  { "immediates are told apart and printed", immediates },
  { "objects, lists and copies have ends", ends },
  { "symbols, strings and keywords, narrow, wide, shared", texts },
  { "what does not fit is cut off at a character", cut_off },
  { "pairs, vectors, variables; lists that run in a circle", data },
  { "reals and big integers", numbers },
  { "structs, and a tree of modules with their bindings", modules },
  { "a bucket that runs in a circle is damage", circular_bucket },
  { "no tree, and a root that is no module", no_tree },
  { "objects that promise more than the file has", past_the_end },
  { "any damaged word leaves the reader inside the image",
    every_word_damaged }
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
