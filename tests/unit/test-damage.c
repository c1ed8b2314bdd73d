/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-damage.c -- files that are not stores, or no longer.  */

#include "store-fixture.h"

static struct cs_err err;

static void
damaged_in_every_mode (void)
{
  CHECK (try_open (CS_STORE_READ, &err) == -CS_E_DAMAGED);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_DAMAGED);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_DAMAGED);
}

static void
not_a_store (void)
{
  static unsigned char bytes[100000];
  unsigned int seed = 1;
  int fd = open (STORE, O_RDWR | O_CREAT, 0600);

  CHECK (fd >= 0);
  damaged_in_every_mode ();
  CHECK (strcmp (err.text, "cannot open 'a.store': superblock at offset 0: "
                 "expected 128 bytes, found 0") == 0);
  for (int i = 0; i < 20; i++)
    {
      for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (unsigned char) ((seed = seed * 1103515245 + 12345) >> 16);
      patch (0, bytes, sizeof bytes);
      damaged_in_every_mode ();
      CHECK (strstr (err.text, "superblock at offset 0: magic: expected "
                     "'ColdStor', found '"));
    }
  patch (0, "GIF89a\001\377", 8);
  damaged_in_every_mode ();
  CHECK (strstr (err.text, "found 'GIF89a\\x01\\xff'"));
}

static void
truncated (void)
{
  struct cs_superblock_disk sb;
  uint64_t end;

  make_store ("x");
  peek (0, &sb, sizeof sb);
  end = IMAGE_OFF + sb.committed;
  /* From the end down, so that each truncation really removes.  */
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  for (uint64_t len = end - 1; len > 0;
       len -= len > 2 * 1024 * 1024 ? 65536 : len > 70000 ? 4096
              : len > 512 ? 512 : 1)
    {
      CHECK (truncate (STORE, (off_t) len) == 0);
      damaged_in_every_mode ();
      CHECK (strstr (err.text, "superblock at offset 0: ")
             && strstr (err.text, "expected") && strstr (err.text, "found"));
    }
}

static void
truncated_and_extended (void)
{
  struct cs_superblock_disk sb;

  make_store ("x");
  peek (0, &sb, sizeof sb);
  CHECK (truncate (STORE, IMAGE_OFF) == 0);
  CHECK (truncate (STORE, (off_t) (IMAGE_OFF + sb.committed)) == 0);
  damaged_in_every_mode ();
  CHECK (strstr (err.text, "directory at offset 0 of the image: magic"));
}

static void
one_slot_is_enough (void)
{
  struct cs_superblock_disk sb;

  make_store ("x");
  for (size_t slot = 0; slot < 2; slot++)
    for (size_t i = 0; i < sizeof sb; i++)
      {
        uint64_t off = slot * CS_STORE_SLOT_LEN + i;
        unsigned char byte;

        peek (off, &byte, 1);
        byte ^= 0x41;
        patch (off, &byte, 1);
        CHECK (try_open (CS_STORE_READ, &err) == 0 && file_says ("x"));
        CHECK (err.code == 0 && !err.text[0] && !err.advice[0]);
        byte ^= 0x41;
        patch (off, &byte, 1);
      }
}

static void
no_slot_is_refused (void)
{
  unsigned char byte, flipped;

  make_store ("x");
  for (size_t i = 0; i < sizeof (struct cs_superblock_disk); i++)
    {
      peek (i, &byte, 1);
      flipped = byte ^ 0x41;
      patch (i, &flipped, 1);
      patch (CS_STORE_SLOT_LEN + i, &flipped, 1);
      damaged_in_every_mode ();
      CHECK (strstr (err.text, "superblock at offset 0: "));
      patch (i, &byte, 1);
      patch (CS_STORE_SLOT_LEN + i, &byte, 1);
    }
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

static void
newer_slot_counts (void)
{
  struct cs_superblock_disk sb;
  struct cs_store *store;

  make_store ("x");
  peek (0, &sb, sizeof sb);
  for (int slot = 0; slot < 2; slot++)
    {
      sb.generation++;
      cs_superblock_seal (&sb);
      patch ((uint64_t) slot * CS_STORE_SLOT_LEN, &sb, sizeof sb);
      store = open_mode (CS_STORE_READ);
      CHECK (cs_store_superblock (store)->generation == sb.generation);
      cs_store_close (store);
    }
}

static void
other_version (struct cs_superblock_disk *sb)
{
  sb->version = 4;
}

static void
other_machine (struct cs_superblock_disk *sb)
{
  sb->version = CS_STORE_VERSION;
  sb->machine = 243;
}

static void
other_words (struct cs_superblock_disk *sb)
{
  sb->machine = CS_MACHINE_ELF;
  sb->word_len = sizeof (void *) == 8 ? 4 : 8;
  sb->base = 0x60000000;
}

static void
other_pages (struct cs_superblock_disk *sb)
{
  sb->word_len = sizeof (void *);
  sb->page_len = 16384;
  sb->committed = sb->committed / 16384 * 16384;
}

static void
other_machines (void)
{
  struct cs_store *store;
  const char *words;

  other_reserved = 64 << 20;
  make_store ("x");
  change_superblock (other_version);
  for (enum cs_store_mode m = CS_STORE_WRITE; m <= CS_STORE_READ; m++)
    CHECK (try_open (m, &err) == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "format version: expected 3, found 4"));
  change_superblock (other_machine);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "machine: expected"));
  CHECK (file_says ("x"));
  change_superblock (other_words);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_INCOMPATIBLE);
  CHECK (file_says ("x"));
  store = open_mode (CS_STORE_READ);
  words = cs_store_view (store, 0x60000000
                         + cs_directory_len (cs_directory (store)), 2);
  CHECK (words && strcmp (words, "x") == 0);
  CHECK (!cs_store_view (store, 0x60000000 + (60 << 20), 1));
  CHECK (!cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP) && errno == EPERM);
  CHECK (cs_store_unmap (store, store->image, PAGE) == -EPERM);
  CHECK (cs_store_commit (store, NULL) == -CS_E_REFUSED);
  CHECK (cs_store_check (store, NULL) == 0);
  cs_store_close (store);
  change_superblock (other_pages);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_INCOMPATIBLE);
}

/* A store whose superblock has a right CRC and a wrong value.  */
static uint64_t wrong_value;
static size_t wrong_field;

static void
set_wrong_field (struct cs_superblock_disk *sb)
{
  memcpy ((char *) sb + wrong_field, &wrong_value, 8);
}

static void
impossible_superblocks (void)
{
  static const struct
  {
    size_t field;
    uint64_t value;
    const char *says;
  } cases[] = {
    { 16, 0, "page length" }, { 16, 5000, "page length" },
    { 16, 1 << 17, "page length" },
    { 24, 0, "base" }, { 24, 1, "base" },
    { 24, (uint64_t) 0 - 4096, "reserved length" },
    { 32, 0, "reserved length" }, { 32, 100, "reserved length" },
    { 32, (uint64_t) 0 - 4096, "reserved length" },
    { 40, 0, "generation" },
    { 48, 0, "committed length" }, { 48, 4097, "committed length" },
    { 48, (uint64_t) 1 << 62, "committed length" },
    { 48, (uint64_t) 0 - 4096, "committed length" },
    { 48, (uint64_t) 9 << 20, "expected a file of at least " },
    { 48, 4096, "directory at offset 0 of the image" },
    { 56, 4096, "directory: expected 0, found 4096" },
    { 96, CS_STORE_HISTORY, "start of the log: expected behind the image" }
  };
  struct cs_superblock_disk sb;

  make_store ("x");
  peek (0, &sb, sizeof sb);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      wrong_field = cases[i].field;
      wrong_value = cases[i].value;
      change_superblock (set_wrong_field);
      damaged_in_every_mode ();
      if (!strstr (err.text, cases[i].says))
        fprintf (stderr, "%zu: %s\n", i, err.text);
      CHECK (strstr (err.text, cases[i].says));
      patch (0, &sb, sizeof sb);
      patch (CS_STORE_SLOT_LEN, &sb, sizeof sb);
    }
}

/* Three extents: directory and section (0), heap (1), read-only heap (2).  */
static void
make_three (void)
{
  struct cs_store *store = create (false);
  void *p;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &p) == 0);
  CHECK (cs_store_map (store, 4 * PAGE, RW, CS_EXTENT_HEAP));
  CHECK (cs_store_map (store, 4 * PAGE, PROT_READ, CS_EXTENT_HEAP));
  commit_ok (store);
  close_and_unmap (store);
}

#define D IMAGE_OFF
#define E (D + 4096)

static void
impossible_directories (void)
{
  static const struct
  {
    uint64_t off;
    size_t len;
    uint64_t value;
    const char *says;
  } cases[] = {
    { D, 1, 'X', "directory at offset 0 of the image: magic" },
    { D + 8, 4, 33, "number of sections" },
    { D + 8, 4, UINT32_MAX, "number of sections" },
    { D + 12, 4, 0, "number of extents" },
    { D + 12, 4, 65537, "number of extents" },
    { D + 12, 4, UINT32_MAX, "number of extents" },
    { D + 16, 8, 0, "extent table" },
    { D + 16, 8, 4097, "extent table" },
    { D + 16, 8, UINT64_MAX - 7, "extent table" },
    { D + 24, 8, UINT64_MAX / 24 + 1, "capacity" },
    { D + 24, 8, UINT64_MAX, "capacity" },
    { D + 24, 8, 66000, "length: expected the directory's" },
    { D + 32, 8, 0, "section at offset 32 of the image: name" },
    { D + 40, 8, 1, "(S3)" },
    { D + 40, 8, (uint64_t) 1 << 40, "(S3)" },
    { D + 48, 8, 0, "(S3)" },
    { D + 48, 8, 8192, "(S3)" },
    { D + 48, 8, UINT64_MAX - 4095, "(S3)" },
    { E, 8, 4096, "(S1)" },
    { E + 8, 8, 4096, "(S3)" },
    { E + 16, 4, PROT_READ, "(S3)" },
    { E + 20, 4, CS_EXTENT_HEAP, "(S2)" },
    { E + 24, 8, 0, "(S1)" },
    { E + 24, 8, 4097, "(S1)" },
    { E + 32, 8, 0, "(S1)" },
    { E + 32, 8, 1, "(S1)" },
    { E + 32, 8, UINT64_MAX - 4095, "(S1)" },
    { E + 32, 8, 8 * 4096, "(S1)" },
    { E + 40, 4, PROT_READ, "(S2)" },
    { E + 40, 4, 8, "protection" },
    { E + 44, 4, 0, "kind" },
    { E + 44, 4, 5, "kind" },
    { E + 56, 8, 5 * 4096, "inside the committed image" }
  };

  make_three ();
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      unsigned char old[8];

      peek (cases[i].off, old, cases[i].len);
      patch (cases[i].off, &cases[i].value, cases[i].len);
      damaged_in_every_mode ();
      if (!strstr (err.text, cases[i].says))
        fprintf (stderr, "%zu: %s\n", i, err.text);
      CHECK (strstr (err.text, cases[i].says));
      patch (cases[i].off, old, cases[i].len);
    }
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

/* Two sections of which one could be taken for the other.  */
static void
section_name_twice (void)
{
  struct cs_store *store = create (false);
  char name[8];
  void *p;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &p) == 0);
  CHECK (cs_store_section_create (store, "word", PAGE, RW, &p) == 0);
  CHECK (cs_store_section_create (store, "swords", PAGE, RW, &p) == 0);
  commit_ok (store);
  close_and_unmap (store);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  peek (D + 32, name, sizeof name);
  for (int i = 1; i <= 2; i++)
    {
      char old[8];

      peek (D + 32 + i * sizeof (struct cs_section_disk), old, sizeof old);
      patch (D + 32 + i * sizeof (struct cs_section_disk), name, sizeof name);
      damaged_in_every_mode ();
      CHECK (strstr (err.text, "expected only one 'words'"));
      patch (D + 32 + i * sizeof (struct cs_section_disk), old, sizeof old);
    }
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

static void
random_damage (void)
{
  unsigned int seed = 99;
  struct cs_store *store;

  make_three ();
  for (int i = 0; i < 3000; i++)
    {
      static const uint64_t starts[] = { 65536, 65536 + 4096 };
      unsigned char old, new;
      uint64_t off;
      int r;

      seed = seed * 1103515245 + 12345;
      off = starts[seed >> 30 & 1] + (seed >> 16) % 72;
      peek (off, &old, 1);
      new = (unsigned char) (seed >> 8);
      patch (off, &new, 1);
      r = try_open (i % 2 ? CS_STORE_READ : CS_STORE_EPHEMERAL, &err);
      CHECK (r == 0 || r == -CS_E_DAMAGED);
      if (r == 0)
        {
          store = open_mode (CS_STORE_READ);
          for (uint64_t a = 0; a < 0x200000; a += 1024)
            {
              const char *p = cs_store_view (store,
                                             store->superblock.base + a, 1);
              if (p)
                CHECK (*(const volatile char *) p + 1 != 1000);
            }
          cs_store_close (store);
        }
      patch (off, &old, 1);
    }
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "other files are not stores", not_a_store },
    { "truncated at any length", truncated },
    { "truncated and extended again", truncated_and_extended },
    { "one good superblock is enough", one_slot_is_enough },
    { "no good superblock is refused", no_slot_is_refused },
    { "the newer superblock is in force", newer_slot_counts },
    { "other versions, machines, words, pages", other_machines },
    { "impossible superblocks", impossible_superblocks },
    { "S1 S2 S3: impossible directories", impossible_directories },
    { "S3: two sections of one name", section_name_twice },
    { "random damage never ends a process", random_damage }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
