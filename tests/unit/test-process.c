/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-process.c -- the sections "process" and "threads".  */

#include "process-fixture.h"

#include "image/sections.h"

static void
epoch_grows (void)
{
  begin ();
  CHECK (cs_process.image->epoch == 1);
  save_and_leave ();
}

static void
epoch_is_two (void)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (reopen_store (CS_STORE_EPHEMERAL, &err) == 0);
  CHECK (cs_process.image->epoch == 2);
}

static void
epochs (void)
{
  CHECK (in_child (epoch_grows) == 0);
  CHECK (in_child (epoch_is_two) == 0);
  CHECK (in_child (epoch_is_two) == 0);
}

static void
strings (void)
{
  char long_text[5000];
  uint32_t a, nr = 0;

  begin ();
  CHECK (cs_process_string ("") == 0);
  a = cs_process_string ("a");
  CHECK (a != 0 && cs_process_string ("bc") == a + 2);
  CHECK (cs_process_string ("a") == a && cs_process_string ("bc") == a + 2);
  CHECK (cs_process_string ("c") == a + 5);
  memset (long_text, 'x', sizeof long_text);
  long_text[sizeof long_text - 1] = '\0';
  do
    snprintf (long_text, 8, "%07u", ++nr), long_text[7] = 'x';
  while (nr < 1000 && cs_process_string (long_text) != 0);
  CHECK (nr > 20 && nr < 1000);
  CHECK (cs_process_string ("a") == a);
  CHECK (cs_process.image->strings_len <= CS_PROCESS_STRINGS_MAX);
}

static void
replacements (void)
{
  CHECK (cs_process_replacement ("store:malloc") == cs_memory_malloc);
  CHECK (cs_process_replacement ("process:dlsym") == cs_foreign_symbol);
  CHECK (!cs_process_replacement ("store:none"));
  CHECK (!cs_process_replacement ("malloc"));
  CHECK (!cs_process_replacement (""));
}

static void
made_twice (void)
{
  struct cs_err err = CS_ERR_INIT;

  begin ();
  CHECK (cs_process_create (cs_process.store, cs_process.table, &err)
         == -EEXIST);
}

static void
missing (void)
{
  struct cs_store *store = create (false);
  struct cs_err err = CS_ERR_INIT;

  CHECK (cs_process_open (store, NULL, &err) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "no section 'process'"));
}

/* Another version's sections may have another length.  */
static void
other_version (void)
{
  struct cs_store *store = create (false);
  struct cs_err err = CS_ERR_INIT;
  const struct cs_process_disk head = {
    .magic = CS_PROCESS_MAGIC, .version = CS_PROCESS_VERSION - 1
  };
  void *section;

  CHECK (cs_store_section_create (store, "process", PAGE,
                                  PROT_READ | PROT_WRITE, &section) == 0);
  memcpy (section, &head, offsetof (struct cs_process_disk, strings_len));
  CHECK (cs_process_open (store, NULL, &err) == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "section 'process' of version"));
}

/* Damage: each changes one field of a sound section.  */

static void
sound (void)
{
  int fd;

  begin ();
  fd = open ("file", O_RDONLY | O_CREAT, 0600);
  CHECK (fd >= 3);
  CHECK (cs_process_string ("x") != 0);
  cs_process.image->onces[0].control = (uintptr_t) words;
  cs_process.image->nr_onces = 1;
  cs_process.image->arenas[0].addr = (uintptr_t) words & -PAGE;
  cs_process.image->arenas[0].len = PAGE;
  cs_process.image->nr_arenas = 1;
  cs_process.image->callbacks[0] = (struct cs_callbacks_disk) {
    .addr = (uintptr_t) words & -PAGE,
    .nr_slots = PAGE / CS_PROCESS_CALLBACK_LEN
  };
  cs_process.image->nr_callbacks = 1;
  cs_process.image->nr_locks = 1;
  cs_process.image->locks[0] = (uintptr_t) words;
  cs_process.image->nr_domains = 1;
  cs_process.image->nr_handles = 1;
  cs_process.image->handles[0].path = 1;
  save ();
}

struct damage
{
  const char *name;
  size_t off, len;
  uint64_t value;
  int code;
};

/* The check names the field itself, or the one that it belongs to.  */
#define FIELD_AT(name) offsetof (struct cs_process_disk, name), \
  sizeof ((struct cs_process_disk *) NULL)->name
#define FIELD(name) #name, FIELD_AT (name)

static const struct damage damages[] = {
  { "magic", FIELD_AT (magic[0]), 'X', -CS_E_DAMAGED },
  { FIELD (version), CS_PROCESS_VERSION + 1, -CS_E_INCOMPATIBLE },
  { FIELD (nr_onces), CS_PROCESS_ONCES_MAX + 1, -CS_E_DAMAGED },
  { FIELD (nr_atforks), CS_PROCESS_ATFORKS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (nr_atexits), CS_PROCESS_ATEXITS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (nr_arenas), CS_PROCESS_ARENAS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (nr_handles), CS_PROCESS_HANDLES_MAX + 1, -CS_E_DAMAGED },
  { FIELD (nr_descriptors), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (strings_len), CS_PROCESS_STRINGS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (strings_len), 0, -CS_E_DAMAGED },
  { FIELD (paths_len), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (paths_len), 0, -CS_E_DAMAGED },
  { FIELD (strings[2]), 'x', -CS_E_DAMAGED },
  { FIELD (handles[0].path), CS_PROCESS_STRINGS_MAX, -CS_E_DAMAGED },
  { FIELD (descriptors[0].name), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (descriptors[0].shares), 1, -CS_E_DAMAGED },
  { FIELD (nr_domains), CS_PROCESS_DOMAINS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (domain), CS_PROCESS_STRINGS_MAX, -CS_E_DAMAGED },
  { FIELD (domains[0].folder), CS_PROCESS_STRINGS_MAX, -CS_E_DAMAGED },
  { FIELD (descriptors[0].fd), 1 << 20, -CS_E_DAMAGED },
  { FIELD (descriptors[0].fd), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (onces[0].control), 16, -CS_E_DAMAGED },
  { FIELD (onces[0].control), UINT64_MAX, -CS_E_DAMAGED },
  { FIELD (arenas[0].addr), PAGE, -CS_E_DAMAGED },
  { "arenas[0].addr", FIELD_AT (arenas[0].len), UINT64_MAX, -CS_E_DAMAGED },
  { FIELD (arenas[0].addr), UINT64_MAX & -PAGE, -CS_E_DAMAGED },
  { FIELD (nr_locks), CS_PROCESS_LOCKS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (locks[0]), PAGE, -CS_E_DAMAGED },
  { FIELD (onces[0].pipe), PAGE, -CS_E_DAMAGED },
  { FIELD (signals[3].own), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (handles[0].soname), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (domains[0].name), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (domains[0].codeset), UINT32_MAX, -CS_E_DAMAGED },
  { FIELD (free_callback), 1, -CS_E_DAMAGED },
  { FIELD (zone_len), PAGE + 1, -CS_E_DAMAGED },
  { FIELD (nr_callbacks), CS_PROCESS_CALLBACKS_MAX + 1, -CS_E_DAMAGED },
  { FIELD (callbacks[0].addr), PAGE, -CS_E_DAMAGED },
  { "callbacks[0].addr", FIELD_AT (callbacks[0].nr_slots), UINT32_MAX,
    -CS_E_DAMAGED },
  { FIELD (callbacks[0].nr_used), UINT32_MAX, -CS_E_DAMAGED },
};

static const struct damage *damage;

/* The fields are little-endian, as is every machine supported.  */
static void
spoil (struct cs_store *store)
{
  size_t len;
  char *image = cs_store_section (store, "process", &len);

  memcpy (image + damage->off, &damage->value, damage->len);
}

static bool
is_told (const struct cs_err *err)
{
  return err->code == damage->code && strstr (err->text, "section 'process'")
         && strstr (err->text, damage->name);
}

static void
open_damaged (void)
{
  struct cs_store *store = open_mode (CS_STORE_EPHEMERAL);
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;

  CHECK (cs_intern_open (store, &table, &err) == 0);
  spoil (store);
  CHECK (cs_process_open (store, table, &err) == damage->code);
  CHECK (is_told (&err));
}

static void
note_process (void *told, const char *name, const struct cs_err *err)
{
  if (strcmp (name, "process") == 0)
    *(bool *) told = err && is_told (err);
}

/* cs-inspect --check says the same.  */
static void
check_damaged (void)
{
  struct cs_store *store = open_mode (CS_STORE_EPHEMERAL);
  bool told = false;

  spoil (store);
  cs_image_check (store, note_process, &told);
  CHECK (told);
}

static void
open_sound (void)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (reopen_store (CS_STORE_EPHEMERAL, &err) == 0);
}

static void
too_many_threads (void)
{
  struct cs_store *store = open_mode (CS_STORE_EPHEMERAL);
  struct cs_err err = CS_ERR_INIT;
  struct cs_threads_disk *threads;
  size_t len;

  threads = cs_store_section (store, "threads", &len);
  threads->count = CS_PROCESS_THREADS_MAX + 1;
  CHECK (cs_process_open (store, NULL, &err) == -CS_E_DAMAGED);
}

static void
damaged (void)
{
  CHECK (in_child (sound) == 0);
  CHECK (in_child (open_sound) == 0);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
    {
      damage = &damages[i];
      if (in_child (open_damaged) != 0 || in_child (check_damaged) != 0)
        fprintf (stderr, "damage %zu\n", i), _exit (1);
    }
  CHECK (in_child (too_many_threads) == 0);
}

static const struct test_case cases[] = {
  { "each process has an epoch of its own", epochs },
  { "strings are stored once, until there is no room", strings },
  { "replacements are found by name", replacements },
  { "the sections are made once", made_twice },
  { "a store without the sections", missing },
  { "sections of another version", other_version },
  { "a damaged section is refused", damaged },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
