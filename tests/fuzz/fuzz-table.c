/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-table.c -- the intern table, as a file and as a block of a store.

   Input: a byte of flags (enum below), then the block as it lies on disk.  */

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "intern/compare.h"
#include "intern/table.h"

#include "fuzz.h"

enum
{
  SEAL = 1,                     /* the CRC is made right */
  FIT = 2,                      /* so are the length and the room (T1) */
  HASH = 4                      /* so are the hashes (T4) */
};

unsigned long fuzz_accepted;

static size_t
seal (struct cs_table_disk *table, size_t len)
{
  table->crc = 0;
  table->crc = (uint32_t) crc32_z (0, (const Bytef *) table, len);
  return len;
}

/* Give the block the entries and strings that there is room for.  */
static void
fit (struct cs_table_disk *table, size_t len)
{
  size_t entries = (len - sizeof *table) / sizeof (struct cs_table_entry_disk);

  if (table->capacity > entries)
    table->capacity = (uint32_t) entries;
  if (table->count > table->capacity)
    table->count = table->capacity;
  table->strings_max = (uint32_t) (len - cs_table_len (table->capacity, 0));
  if (table->strings_len > table->strings_max)
    table->strings_len = table->strings_max;
  table->len = len;
}

/* The hash that an entry of these names gets.  */
static uint32_t
hash_of (const char *library, const char *name)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  uint32_t room = (uint32_t) (strlen (library) + strlen (name) + 4), hash;
  struct cs_table_disk *one = calloc (1, cs_table_len (1, room));

  REQUIRE (one);
  cs_table_init (one, EM_X86_64, 1, room);
  REQUIRE (cs_table_add (one, library, name, "", &fields) == 0);
  hash = cs_table_entry (one, 0)->hash;
  free (one);
  return hash;
}

static void
set_hashes (struct cs_table_disk *table, size_t len)
{
  if (cs_table_check_header (table, len, "t", NULL) < 0)
    return;
  for (uint32_t i = 0; i < table->count; i++)
    {
      struct cs_table_entry_disk *e = cs_table_entry (table, i);

      e->hash = hash_of (cs_table_string (table, e->library),
                         cs_table_string (table, e->name));
    }
}

/* All accesses to a table of which only the header was checked.  */
static void
look (const struct cs_table_disk *table)
{
  for (uint32_t i = 0; i < table->count; i++)
    {
      const struct cs_table_entry_disk *e = cs_table_entry (table, i);

      REQUIRE (strlen (cs_table_string (table, e->name)) < table->len
               && strlen (cs_table_string (table, e->symver)) < table->len);
      cs_table_find (table, cs_table_string (table, e->library),
                     cs_table_string (table, e->name));
      cs_compare_entry (table, i, NULL, 0);
    }
  cs_table_find (table, "libguile-3.0.so.1", "scm_cons");
}

/* T3 for a table that was checked; then more is added, and a copy made.  */
static void
use (struct cs_table_disk *table)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_DATA };
  size_t len = (size_t) table->len;
  struct cs_table_disk *copy
    = calloc (1, cs_table_len (table->capacity, table->strings_max));
  long added = 0;

  for (uint32_t i = 0; i < table->count; i++)
    {
      const struct cs_table_entry_disk *e = cs_table_entry (table, i);

      REQUIRE (cs_table_find (table, cs_table_string (table, e->library),
                              cs_table_string (table, e->name)) == (long) i);
    }
  REQUIRE (copy);
  cs_table_init (copy, table->machine, table->capacity, table->strings_max);
  if (cs_table_copy (copy, table) == 0)
    REQUIRE (cs_table_check (copy, len, "copy", NULL) == 0
             && copy->count == table->count);
  free (copy);
  table->crc = 0;
  for (char name[] = "new-a"; added >= 0 && name[4] <= 'z'; name[4]++)
    {
      added = cs_table_add (table, "lib", name, "V1", &fields);
      REQUIRE (cs_table_check (table, len, "t", NULL) == 0);
    }
}

static void
read_file (const void *block, size_t len)
{
  static char name[64];
  struct cs_table_disk *table = NULL;
  struct cs_err err = CS_ERR_INIT;
  static int fd = -1;

  if (fd < 0)
    {
      fd = memfd_create ("table", MFD_CLOEXEC);
      snprintf (name, sizeof name, "/proc/self/fd/%d", fd);
    }
  REQUIRE (fd >= 0 && ftruncate (fd, 0) == 0
           && pwrite (fd, block, len, 0) == (ssize_t) len);
  fuzz_answer (cs_table_read (name, &table, &err), &err);
  REQUIRE (err.code < 0 || cs_table_check (table, len, "t", NULL) == 0);
  free (table);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct fuzz_input in = { data, len };
  unsigned flags = fuzz_byte (&in);
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;

  len = in.left;
  table = malloc (len + 1);
  REQUIRE (table);
  table = realloc (table, len ? len : 1);
  fuzz_take (&in, table, len);
  if (len >= sizeof *table && flags & FIT)
    fit (table, len);
  if (flags & HASH)
    set_hashes (table, len);
  if (len >= sizeof *table && flags & SEAL)
    seal (table, len);
  if (len > 0)
    read_file (table, len);
  if (cs_table_check_header (table, len, "t", NULL) == 0)
    look (table);
  fuzz_answer (cs_table_check (table, len, "table", &err), &err);
  if (err.code == 0)
    {
      fuzz_accepted++;
      use (table);
    }
  free (table);
  return 0;
}

/* Tables as they are in a file and in a store, which has room to grow.  */
static struct cs_table_disk *
make_table (uint32_t capacity, uint32_t strings_max)
{
  struct cs_table_disk *table = calloc (1, cs_table_len (capacity,
                                                         strings_max));
  struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_PERSISTENT, .size = 40,
    .value = 0x1234, .offset = 0x1234, .line = 3
  };

  REQUIRE (table);
  cs_table_init (table, EM_X86_64, capacity, strings_max);
  REQUIRE (cs_table_add (table, "libguile-3.0.so.1", "scm_cons", "", &fields)
           == 0);
  fields.flags = CS_TABLE_USED | CS_TABLE_DYNAMIC;
  REQUIRE (cs_table_add (table, "libm.so.6", "sin", "GLIBC_2.2.5", &fields)
           == 1);
  fields.kind = CS_SYMBOL_DATA;
  REQUIRE (cs_table_add (table, "", "environ", "", &fields) == 2);
  return table;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static struct fuzz_output out;
  char name[40];

  for (uint32_t room = 0; room < 2; room++)
    for (unsigned flags = 0; flags < 8; flags++)
      {
        struct cs_table_disk *table = make_table (3 + 4 * room,
                                                  80 + 40 * room);

        out.len = 0;
        fuzz_put_byte (&out, flags);
        fuzz_put (&out, table, table->len);
        snprintf (name, sizeof name, "%s-%u", room ? "roomy" : "tight",
                  flags);
        seed (closure, name, out.data, out.len, true);
        free (table);
      }
}
