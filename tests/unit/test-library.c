/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-library.c -- libraries that a store carries: written, loaded, loaded
   again by the next process.  */

#include <dlfcn.h>
#include <link.h>

#include "elf-fixture.h"
#include "store-fixture.h"

#include "image/roots.h"
#include "image/sections.h"
#include "intern/interpose.h"
#include "intern/intern.h"
#include "intern/library-load.h"
#include "maps.h"

#define FIRST "libcs-carried.so"
#define SECOND "libcs-carried-user.so"

static char first_path[4096], second_path[4096], future_path[4096];
static char extending_path[4096], ifunc_path[4096], plain_path[4096];

static const char policy_text[] =
  "policy 1\n"
  "rebind *\n"
  "persist libcs-carried.so libcs-carried-user.so\n"
  "intern function * in persistent\n"
  "optional intern function * in rebound\n"
  "replace malloc with test:malloc\n"
  "replace free with test:free\n"
  "replace carried_twice with test:twice in persistent\n"
  "replace carried_thrice with test:twice in persistent\n";

/* What each process has.  */
static struct cs_store *store;
static struct cs_table_disk *table;
static struct cs_library_set set;
static unsigned nr_allocated, nr_released;

/* What one process leaves for the next: section "test".  */
static uint64_t *words;

static void *
replaced_malloc (size_t len)
{
  static char block[64];

  CHECK (len <= sizeof block);
  nr_allocated++;
  return block;
}

static void
replaced_free (void *block)
{
  (void) block;
  nr_released++;
}

static int
replaced_twice (int n)
{
  return 2 * n + 1;
}

static void *
find (const char *name)
{
  if (strcmp (name, "test:twice") == 0)
    return replaced_twice;
  if (strcmp (name, "test:malloc") == 0)
    return replaced_malloc;
  return strcmp (name, "test:free") == 0 ? replaced_free : NULL;
}

static void *
find_all_but_free (const char *name)
{
  return strcmp (name, "test:free") == 0 ? NULL : find (name);
}

static void
open_elfs (struct cs_elf **elfs)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (cs_elf_open (first_path, &elfs[0], &err) == 0);
  CHECK (cs_elf_open (second_path, &elfs[1], &err) == 0);
}

static struct cs_library_loading
loading (cs_library_replacement *with)
{
  return (struct cs_library_loading) {
    .store = store, .table = table, .find = with, .set = &set
  };
}

static struct cs_policy *policy;

/* Make a store that carries the first NR of both; what cs_library_carry()
   says.  */
static int
carry_first (size_t nr, const char *policy_source, struct cs_err *err)
{
  struct cs_library_carrying carrying = { .find = find, .nr = nr };
  struct cs_table_disk *compiled;
  struct cs_elf *elfs[2];
  void *addr;
  int code;

  *err = (struct cs_err) CS_ERR_INIT;
  store = create (false);
  open_elfs (elfs);
  CHECK (cs_policy_parse ("test", policy_source, strlen (policy_source), NULL,
                          NULL, &policy, err) == 0);
  CHECK (cs_table_compile (policy, (const struct cs_elf *const *) elfs, nr,
                           &compiled, err) == 0);
  CHECK (cs_intern_create (store, cs_arch_native (), compiled, err) == 0);
  free (compiled);
  CHECK (cs_intern_open (store, &table, err) == 0);
  CHECK (cs_store_section_create (store, "test", PAGE, RW, &addr) == 0);
  words = addr;
  carrying.policy = policy;
  carrying.table = table;
  carrying.elfs = elfs;
  code = cs_library_carry (store, &carrying, err);
  cs_elf_close (elfs[0]);
  cs_elf_close (elfs[1]);
  return code;
}

static int
carry (const char *policy_source, struct cs_err *err)
{
  return carry_first (2, policy_source, err);
}

static int
load (bool again, struct cs_err *err)
{
  struct cs_library_loading with = loading (find);
  int code;

  *err = (struct cs_err) CS_ERR_INIT;
  code = cs_library_load (&with, again, err);
  if (code == 0 && !again)
    cs_library_construct (&set, 0);
  return code;
}

/* Is nothing before a library's data writable: code, and what ld.so has
   relocated and then protected (PT_GNU_RELRO)?  */
static void
look_for_writable (void *closure, const struct cs_mapping *m)
{
  (void) closure;
  for (size_t i = 0; i < set.nr; i++)
    {
      const struct cs_library_disk *l = set.items[i].library;

      CHECK (m->prot[1] != 'w' || m->end <= l->addr
             || m->start >= l->data_addr);
    }
}

static void
check_protection (void)
{
  char buf[8192];

  cs_maps_each (buf, sizeof buf, look_for_writable, NULL);
}

static void
load_ok (bool again)
{
  struct cs_err err;

  if (load (again, &err) != 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0 && set.nr == 2);
  check_protection ();
}

static void
begin (void)
{
  struct cs_err err;

  if (carry (policy_text, &err) != 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
  load_ok (false);
}

static void
reopen (enum cs_store_mode mode)
{
  struct cs_err err = CS_ERR_INIT;
  size_t len;

  store = open_mode (mode);
  CHECK (cs_intern_open (store, &table, &err) == 0);
  words = cs_store_section (store, "test", &len);
  CHECK (words);
}

static void
resume (void)
{
  reopen (CS_STORE_WRITE);
  load_ok (true);
}

static void
save_and_leave (void)
{
  commit_ok (store);
  cs_store_close (store);
  _exit (0);
}

/* Symbol NAME of library I.  */
static void *
at (int i, const char *name)
{
  void *addr = dlsym (set.items[i].handle, name);

  if (!addr)
    fprintf (stderr, "%s\n", dlerror ());
  CHECK (addr);
  return addr;
}

typedef int function (int);

static function *
function_at (int i, const char *name)
{
  return (function *) at (i, name);
}

static int *
int_at (int i, const char *name)
{
  return at (i, name);
}

static bool
has_trampoline (const char *library, const char *name, const void *addr)
{
  long i = cs_table_find (table, library, name);

  return i >= 0
         && cs_intern_trampoline (table, (uint32_t) i) == (uintptr_t) addr;
}

/* Everything that is the same in each process.  */
static void
check_calls (void)
{
  function *(*get_add) (void)
    = (function *(*) (void)) at (0, "carried_get_add");
  int (*compare) (const char *, const char *)
    = *(int (**) (const char *, const char *)) at (0, "carried_compare");
  void (*release) (void *) = *(void (**) (void *)) at (0, "carried_release");
  long (*number) (const char *) = (long (*) (const char *))
    at (0, "carried_number");
  void *(*allocate) (size_t) = (void *(*) (size_t))
    at (0, "carried_allocate");
  void *(*user_allocate) (size_t) = (void *(*) (size_t))
    at (1, "user_allocate");
  function *twice = *(function **) at (0, "carried_twice_pointer");

  CHECK (cs_store_contains (store, at (0, "carried_add")));
  CHECK (cs_store_contains (store, at (1, "user_add")));
  CHECK (has_trampoline (FIRST, "carried_add", (void *) get_add ()));
  CHECK (get_add () (0) == *int_at (0, "carried_count"));
  CHECK (cs_intern_at (table, (uintptr_t) compare) >= 0);
  CHECK (compare ("a", "b") < 0 && compare ("a", "a") == 0);
  /* Lazily bound.  */
  CHECK (number ("123") == 123);
  nr_allocated = nr_released = 0;
  CHECK (allocate (10) && nr_allocated == 1);
  CHECK (user_allocate (10) && nr_allocated == 2);
  CHECK (cs_intern_at (table, (uintptr_t) release) >= 0);
  release (NULL);
  CHECK (nr_released == 1);
  CHECK (function_at (0, "carried_call_twice") (4) == 9);
  CHECK (has_trampoline (FIRST, "carried_twice", (void *) twice));
  CHECK (twice (4) == 9 && function_at (0, "carried_twice") (4) == 8);
}

typedef function *getter (void);

static function *
taken (int i, const char *name)
{
  return ((getter *) at (i, name)) ();
}

/* Functions that are called and whose addresses are taken, by the same
   library.  */
static void
check_shared_words (void)
{
  function *parent = taken (0, "carried_get_parent");

  CHECK (has_trampoline (FIRST, "carried_next",
                         (void *) taken (0, "carried_get_next")));
  CHECK (taken (0, "carried_get_next") == taken (1, "user_get_next"));
  CHECK (taken (1, "user_get_next") (4) == 5);
  CHECK (function_at (0, "carried_call_next") (4) == 5);
  CHECK (function_at (1, "user_call_next") (4) == 5);
  CHECK (has_trampoline (FIRST, "carried_thrice",
                         (void *) taken (0, "carried_get_thrice")));
  CHECK (taken (0, "carried_get_thrice") (4) == 9);
  CHECK (function_at (0, "carried_call_thrice") (4) == 9);
  CHECK (cs_intern_at (table, (uintptr_t) parent) >= 0);
  CHECK (((pid_t (*) (void)) (uintptr_t) parent) () == getppid ());
  CHECK (function_at (0, "carried_call_parent") (3) == getppid () + 3);
}

static void
new_store (void)
{
  const struct cs_libraries_disk *libraries;
  const struct cs_library_disk *library;
  struct cs_err err = CS_ERR_INIT;
  struct link_map *map;

  begin ();
  check_calls ();
  CHECK (*int_at (0, "carried_constructed") == 1);
  libraries = cs_library_block (store, 0, &err);
  CHECK (libraries && libraries->count == 2);
  CHECK (!strcmp (cs_library_get (libraries, 0)->soname, FIRST));
  CHECK (!strcmp (cs_library_get (libraries, 1)->soname, SECOND));
  for (uint32_t i = 0; i < 2; i++)
    {
      library = cs_library_get (libraries, i);
      CHECK (dlinfo (set.items[i].handle, RTLD_DI_LINKMAP, &map) == 0);
      CHECK (map->l_addr == 0 && library->build_id[0]);
      CHECK (strstr (cs_library_name (libraries, library->path),
                     i == 0 ? "carried.so" : "carried-user.so")
             || strstr (cs_library_name (libraries, library->path), "-i386"));
    }
  /* The other one uses this one, not a copy from the system.  */
  CHECK (function_at (1, "user_add") (4) == 5);
  CHECK (*int_at (0, "carried_count") == 5);
}

static void
change_data (void)
{
  begin ();
  CHECK (function_at (0, "carried_add") (4) == 5);
  CHECK (function_at (1, "user_add") (2) == 7);
  ((void (*) (void)) at (1, "user_keep")) ();
  ((void *(*) (size_t)) at (0, "carried_allocate")) (3);
  *(void **) at (0, "carried_block") = words;
  words[0] = (uintptr_t) at (0, "carried_add");
  words[1] = 7;
  check_calls ();
  *(void **) at (0, "carried_block") = words;
  save_and_leave ();
}

static void
find_data (void)
{
  int count;

  resume ();
  count = (int) words[1];
  CHECK ((uintptr_t) at (0, "carried_add") == words[0]);
  CHECK (*int_at (0, "carried_count") == count);
  CHECK (*int_at (0, "carried_constructed") == 1);
  CHECK (*(void **) at (0, "carried_block") == words);
  CHECK (((int (*) (void)) at (0, "carried_hidden")) ()
         == 10 + 2 * (count - 1));
  /* A pointer in its data, to a trampoline.  */
  CHECK (function_at (1, "user_call_kept") (1) == count + 1);
  /* Its static table of pointers.  */
  CHECK (function_at (1, "user_add") (1) == count + 2);
  words[1] += 2;
  check_calls ();
  *(void **) at (0, "carried_block") = words;
  save_and_leave ();
}

/* ld.so puts libc elsewhere in a process that was executed; here all are
   forks, so what it wrote last time is spoiled in the store instead.  */
static void
spoil_slots (void)
{
  const struct cs_libraries_disk *libraries;
  const struct cs_library_disk *library;
  const struct cs_library_slot_disk *slots;
  struct cs_err err = CS_ERR_INIT;
  unsigned nr = 0;

  reopen (CS_STORE_WRITE);
  load_ok (true);
  libraries = cs_library_block (store, 0, &err);
  for (uint32_t n = 0; n < libraries->count; n++)
    {
      library = cs_library_get (libraries, n);
      slots = cs_library_slots (libraries, library);
      for (uint32_t i = 0; i < library->nr_slots; i++)
        if (slots[i].addr - library->data_addr < library->data_len)
          {
            *(uintptr_t *) (uintptr_t) slots[i].addr = 1;
            nr++;
          }
    }
  CHECK (nr >= 2);            /* strtol and malloc */
  save_and_leave ();
}

static void
next_process (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (find_data) == 0);
  CHECK (in_child (find_data) == 0);
}

static void
fresh_words (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (spoil_slots) == 0);
  CHECK (in_child (find_data) == 0);
}

static void
ephemeral (void)
{
  reopen (CS_STORE_EPHEMERAL);
  load_ok (true);
  check_calls ();
}

static void
two_at_once (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (ephemeral) == 0);
  CHECK (in_child (ephemeral) == 0);
}

static void
address_in_use (void)
{
  const struct cs_libraries_disk *libraries;
  const struct cs_library_disk *library;
  struct cs_err err = CS_ERR_INIT;
  void *addr;
  int fd;

  reopen (CS_STORE_EPHEMERAL);
  libraries = cs_library_block (store, 0, &err);
  library = cs_library_get (libraries, 0);
  addr = (void *) (uintptr_t) (library->addr
                               + (library->len - PAGE) / PAGE / 2 * PAGE);
  fd = open ("in-the-way", O_RDWR | O_CREAT, 0600);
  CHECK (fd >= 0 && ftruncate (fd, (off_t) PAGE) == 0);
  CHECK (mmap (addr, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
               0) == addr);
  CHECK (load (true, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, FIRST) && strstr (err.text, "in-the-way"));
}

static void
conflict (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (address_in_use) == 0);
}

static void
unknown_replacement (void)
{
  struct cs_err err;

  CHECK (carry ("policy 1\nrebind *\npersist libcs-carried*\n"
                "replace malloc with test:none\n", &err) == -CS_E_MISUSE);
  CHECK (strstr (err.text, "test:none") && strstr (err.text, "test:4:"));
}

/* The address that is taken could not be the same in each process.  */
static void
replacement_without_name (void)
{
  struct cs_err err;

  CHECK (carry ("policy 1\nrebind *\npersist libcs-carried*\n"
                "replace carried_twice with test:twice\n", &err)
         == -CS_E_MISUSE);
  CHECK (strstr (err.text, "carried_twice"));
}

static void
replacement_is_gone (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_library_loading with;

  reopen (CS_STORE_EPHEMERAL);
  with = loading (find_all_but_free);
  CHECK (cs_library_load (&with, true, &err) == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "test:free"));
}

static void
other_release (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (replacement_is_gone) == 0);
}

static void
too_many (void)
{
  struct cs_library_carrying carrying = {
    .find = find, .nr = CS_LIBRARIES_MAX + 1
  };
  struct cs_err err = CS_ERR_INIT;

  store = create (false);
  CHECK (cs_policy_parse ("test", policy_text, strlen (policy_text), NULL,
                          NULL, &policy, &err) == 0);
  carrying.policy = policy;
  CHECK (cs_library_carry (store, &carrying, &err) == -CS_E_REFUSED);
}

/* From now on the trampolines can be told, but not be jumped to.  */
static void
lock_trampolines (void)
{
  size_t len;
  void *code = cs_store_section (store, "code", &len);

  CHECK (code && mprotect (code, len, PROT_NONE) == 0);
}

static void
call_directly (void)
{
  resume ();
  check_shared_words ();
  lock_trampolines ();
  CHECK (function_at (0, "carried_call_next") (4) == 5);
  CHECK (function_at (1, "user_call_next") (4) == 5);
  CHECK (function_at (0, "carried_call_thrice") (4) == 9);
  CHECK (function_at (0, "carried_call_parent") (3) == getppid () + 3);
}

static void
call_by_trampoline (void)
{
  resume ();
  check_shared_words ();
  lock_trampolines ();
  function_at (0, "carried_call_next") (4);
}

static void
call_taken (void)
{
  resume ();
  lock_trampolines ();
  taken (0, "carried_get_next") (4);
}

static void
make_and_leave (void)
{
  begin ();
  check_shared_words ();
  save_and_leave ();
}

static void
direct_calls (void)
{
  CHECK (in_child (make_and_leave) == 0);
  CHECK (in_child (call_directly) == 0);
  CHECK (in_child (call_taken) == 128 + SIGSEGV);
}

/* Carry a copy of the first library without section headers instead.  */
static void
strip_first (void)
{
  static char data[1 << 18];
  ElfW (Ehdr) *header = (ElfW (Ehdr) *) data;
  FILE *file = fopen (first_path, "rb");
  size_t len;

  CHECK (file);
  len = fread (data, 1, sizeof data, file);
  CHECK (len > sizeof *header && len < sizeof data && fclose (file) == 0);
  header->e_shoff = 0;
  header->e_shnum = header->e_shstrndx = 0;
  file = fopen ("stripped.so", "wb");
  CHECK (file && fwrite (data, 1, len, file) == len && fclose (file) == 0);
  snprintf (first_path, sizeof first_path, "stripped.so");
}

static void
without_sections (void)
{
  strip_first ();
  CHECK (in_child (make_and_leave) == 0);
  CHECK (in_child (call_by_trampoline) == 128 + SIGSEGV);
}

static jmp_buf escape;
static uint32_t missed;

CS_ARCH_HANDLER static void
note_missing (uint32_t index)
{
  missed = index;
  longjmp (escape, 1);
}

/* A call that does not touch a trampoline is not lost to its stub.  */
static void
missing_function (void)
{
  long i;

  begin ();
  i = cs_intern_at (table, (uintptr_t) taken (0, "carried_get_parent"));
  CHECK (i >= 0);
  cs_intern_set_handler (table, note_missing);
  cs_intern_bind (table, (uint32_t) i, 0);
  missed = UINT32_MAX;
  if (setjmp (escape) == 0)
    function_at (0, "carried_call_parent") (3);
  CHECK (missed == (uint32_t) i);
}

/* Nothing is interned, so that addresses are what they are.  */
static void
nothing_interned (void)
{
  struct cs_err err;

  CHECK (carry ("policy 1\nrebind *\npersist libcs-carried*\n", &err) == 0);
  load_ok (false);
  CHECK (table->count == 0);
  CHECK ((void *) taken (0, "carried_get_next") == at (0, "carried_next"));
  CHECK (taken (0, "carried_get_next") == taken (1, "user_get_next"));
  CHECK (function_at (0, "carried_call_next") (4) == 5);
  CHECK (function_at (0, "carried_call_thrice") (4) == 12);
  CHECK (function_at (0, "carried_call_parent") (3) == getppid () + 3);
}

static void
no_section (void)
{
  struct cs_err err = CS_ERR_INIT;

  store = create (false);
  CHECK (!cs_library_block (store, 0, &err) && err.code == -CS_E_DAMAGED);
}

static void
finding (void)
{
  char path[4096];

  CHECK (cs_library_find ("libc.so.6", path, sizeof path) == 0);
  CHECK (path[0] == '/' && access (path, R_OK) == 0);
  CHECK (cs_library_find ("libnone.so.0", path, sizeof path) == -ENOENT);
  CHECK (cs_library_find ("libc.so.6", path, 5) == -ENOENT);
}

/* Damage: each changes one word of the section, or all words of a part to
   values that lead astray.  */
static char *section;
static size_t section_len;

static void
open_section_for (enum cs_store_mode mode)
{
  reopen (mode);
  section = cs_store_section (store, "libs", &section_len);
  CHECK (section
         && mprotect (section, section_len, PROT_READ | PROT_WRITE) == 0);
}

static void
open_section (void)
{
  open_section_for (CS_STORE_EPHEMERAL);
}

struct damage
{
  size_t off, len;
  uint64_t value;
  int code;
};

#define HEAD(field) offsetof (struct cs_libraries_disk, field), \
  sizeof ((struct cs_libraries_disk *) NULL)->field
#define LIBRARY(field) sizeof (struct cs_libraries_disk) \
  + offsetof (struct cs_library_disk, field), \
  sizeof ((struct cs_library_disk *) NULL)->field

static const struct damage damages[] = {
  { HEAD (magic[0]), 'X', -CS_E_DAMAGED },
  { HEAD (version), 99, -CS_E_INCOMPATIBLE },
  { HEAD (count), CS_LIBRARIES_MAX + 1, -CS_E_DAMAGED },
  { HEAD (count), UINT32_MAX, -CS_E_DAMAGED },
  { HEAD (len), UINT64_MAX, -CS_E_DAMAGED },
  { HEAD (len), 8, -CS_E_DAMAGED },
  { HEAD (slots), UINT64_MAX - 8, -CS_E_DAMAGED },
  { HEAD (slots), 4097, -CS_E_DAMAGED },
  { HEAD (imports), UINT64_MAX, -CS_E_DAMAGED },
  { HEAD (imports), 4098, -CS_E_DAMAGED },
  { HEAD (names), UINT64_MAX, -CS_E_DAMAGED },
  { HEAD (names_len), 0, -CS_E_DAMAGED },
  { HEAD (names_len), UINT64_MAX, -CS_E_DAMAGED },
  { HEAD (nr_slots), UINT32_MAX, -CS_E_DAMAGED },
  { HEAD (nr_imports), UINT32_MAX, -CS_E_DAMAGED },
  { HEAD (nr_replacements), CS_LIBRARY_REPLACEMENTS_MAX + 1, -CS_E_DAMAGED },
  { HEAD (replacements[0]), UINT32_MAX, -CS_E_DAMAGED },
  { LIBRARY (soname), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (path), UINT32_MAX, -CS_E_DAMAGED },
  { LIBRARY (first_slot), UINT32_MAX, -CS_E_DAMAGED },
  { LIBRARY (nr_slots), UINT32_MAX, -CS_E_DAMAGED },
  { LIBRARY (nr_segments), UINT32_MAX, -CS_E_DAMAGED },
  { LIBRARY (addr), 0, -CS_E_DAMAGED },
  { LIBRARY (addr), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (len), 0, -CS_E_DAMAGED },
  { LIBRARY (len), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (data_addr), 0, -CS_E_DAMAGED },
  { LIBRARY (data_addr), 1, -CS_E_DAMAGED },
  { LIBRARY (data_len), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (copy), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (copy_len), UINT64_MAX, -CS_E_DAMAGED },
  { LIBRARY (segments[0].addr), 4096, -CS_E_DAMAGED },
  { LIBRARY (segments[0].len), 0, -CS_E_DAMAGED },
  { LIBRARY (segments[0].len), UINT64_MAX & -4096, -CS_E_DAMAGED },
  { LIBRARY (segments[0].copy), 0, -CS_E_DAMAGED },
  { LIBRARY (nr_segments), 0, -CS_E_DAMAGED },  /* of a flat library */
};

static const struct damage *damage;

static void
load_damaged (void)
{
  struct cs_err err;
  int code;

  open_section ();
  if (damage->len > sizeof damage->value)
    memset (section + damage->off, 0xff, damage->len);
  else
    memcpy (section + damage->off, &damage->value, damage->len);
  code = load (true, &err);
  if (code != damage->code)
    fprintf (stderr, "%d instead of %d: %s\n", code, damage->code, err.text);
  CHECK (code == damage->code && err.code == code && err.text[0]);
}

static void
damaged_heads (void)
{
  CHECK (in_child (change_data) == 0);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
    {
      damage = &damages[i];
      if (in_child (load_damaged) != 0)
        fprintf (stderr, "damage %zu\n", i), _exit (1);
    }
}

static struct cs_library_slot_disk *
first_slots (const struct cs_library_disk **library)
{
  struct cs_libraries_disk *libraries = (struct cs_libraries_disk *) section;

  *library = cs_library_get (libraries, 0);
  return (struct cs_library_slot_disk *) cs_library_slots (libraries,
                                                           *library);
}

static void (*spoil) (void);

static void
slot_outside (void)
{
  const struct cs_library_disk *library;
  struct cs_library_slot_disk *slots = first_slots (&library);

  slots[1].addr = library->addr + library->len;
}

static void
slot_odd (void)
{
  const struct cs_library_disk *library;

  first_slots (&library)[1].addr++;
}

static void
slot_at_zero (void)
{
  const struct cs_library_disk *library;

  first_slots (&library)[0].addr = 0;
}

static void
slot_replacement (void)
{
  const struct cs_library_disk *library;

  first_slots (&library)[0].replacement = CS_LIBRARY_REPLACEMENTS_MAX;
}

static struct cs_library_import_disk *
first_import (void)
{
  struct cs_libraries_disk *libraries = (struct cs_libraries_disk *) section;

  CHECK (libraries->nr_imports > 0);
  return (struct cs_library_import_disk *) cs_library_imports (libraries);
}

static void
float_entry (void)
{
  first_import ()->entry = UINT32_MAX;
}

static void
float_replacement (void)
{
  first_import ()->replacement = 200;
}

/* Headers of a copy, which load() puts before ld.so in another form.  */
static ElfW (Ehdr) *
first_copy (void)
{
  const struct cs_library_disk *library
    = cs_library_get ((struct cs_libraries_disk *) section, 0);

  CHECK (library->flags & CS_LIBRARY_FLAT);
  return (ElfW (Ehdr) *) (section + library->copy);
}

static void
header_count (void)
{
  first_copy ()->e_phnum = UINT16_MAX;
}

static void
header_place (void)
{
  first_copy ()->e_phoff = UINT32_MAX;
}

static void
header_segment (void)
{
  ElfW (Ehdr) *header = first_copy ();
  ElfW (Phdr) *segment = (ElfW (Phdr) *) ((char *) header + header->e_phoff);

  for (int i = 0; i < header->e_phnum; i++)
    if (segment[i].p_type == PT_LOAD)
      segment[i].p_filesz = UINT32_MAX;
}

static void
load_spoiled (void)
{
  struct cs_err err;

  open_section ();
  spoil ();
  CHECK (load (true, &err) == -CS_E_DAMAGED && err.code == -CS_E_DAMAGED);
}

/* What cs-inspect --check says of libraries and symbols.  */

static size_t nr_wrong;
static char said[2][sizeof ((struct cs_err *) NULL)->text];

static void
note_found (void *closure, const char *name, const struct cs_err *err)
{
  (void) closure;
  nr_wrong += err != NULL;
  if (err && strcmp (name, "libraries") == 0)
    snprintf (said[0], sizeof said[0], "%s", err->text);
  if (err && strcmp (name, "symbols") == 0)
    snprintf (said[1], sizeof said[1], "%s", err->text);
}

static struct cs_library_disk *
first_library (void)
{
  return (struct cs_library_disk *)
    cs_library_get ((struct cs_libraries_disk *) section, 0);
}

static void
slot_behind (void)
{
  const struct cs_library_disk *library;
  struct cs_library_slot_disk *slots = first_slots (&library);

  slots[library->nr_slots - 1].addr = library->addr + library->len;
}

static void
slot_before (void)
{
  const struct cs_library_disk *library;
  struct cs_library_slot_disk *slots = first_slots (&library);

  slots[0].addr = library->addr - 8;
}

static void
data_later (void)
{
  first_library ()->data_addr += PAGE;
  first_library ()->data_len -= PAGE;
}

static void
data_shorter (void)
{
  first_library ()->data_len -= PAGE;
}

static void
other_soname (void)
{
  strcpy (first_library ()->soname, "libcs-other.so");
}

static void
entry_hash (void)
{
  CHECK (mprotect (table, PAGE, RW) == 0);
  ((struct cs_table_entry_disk *) cs_table_entry (table, 0))->hash ^= 1;
}

static const struct
{
  void (*spoil) (void);
  int subject;                  /* index in `said` */
  const char *says;
} spoiled[] = {
  { slot_behind, 0, "slot " }, { slot_before, 0, "slot 0 of" },
  { data_later, 0, "with data at" }, { data_shorter, 0, "with data at" },
  { other_soname, 0, "soname: expected 'libcs-other.so'" },
  { entry_hash, 1, "" }
};

static size_t spoiled_now;

static void
inspect (void)
{
  size_t before;

  open_section_for (CS_STORE_READ);
  CHECK (cs_image_check (store, note_found, NULL) == nr_wrong);
  CHECK (!said[0][0] && !said[1][0]);
  before = nr_wrong;
  spoiled[spoiled_now].spoil ();
  nr_wrong = 0;
  CHECK (cs_image_check (store, note_found, NULL) == nr_wrong
         && nr_wrong == before + 2);            /* its page's checksum too */
  CHECK (said[spoiled[spoiled_now].subject][0]
         && strstr (said[spoiled[spoiled_now].subject],
                    spoiled[spoiled_now].says));
}

static void
inspected (void)
{
  CHECK (in_child (change_data) == 0);
  for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
    {
      spoiled_now = i;
      if (in_child (inspect) != 0)
        fprintf (stderr, "damage %zu\n", i), _exit (1);
    }
}

/* Where the collector would begin: words that lead to the heap count, those
   that lead to what is not the interpreter's do not.  */

static void
leave_roots (void)
{
  struct cs_err err;
  uint64_t *guile;
  void *addr;
  char *heap;

  CHECK (carry (policy_text, &err) == 0);
  CHECK (cs_store_section_create (store, "guile",
                                  sizeof (struct cs_guile_disk), RW, &addr)
         == 0);
  heap = cs_store_map (store, 4 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  guile = addr;
  memcpy (guile, CS_GUILE_MAGIC, sizeof *guile);
  guile[1] = CS_GUILE_VERSION;
  guile[2] = (uintptr_t) heap;
  guile[3] = (uintptr_t) heap + 4 * PAGE - 1;
  guile[4] = (uintptr_t) guile;
  guile[5] = (uintptr_t) store->image;
  guile[6] = (uintptr_t) store->image + store->superblock.reserved - 1;
  guile[7] = (uintptr_t) store->image - 1;
  save_and_leave ();
}

static void
find_roots (void)
{
  static struct cs_root_range ranges[CS_ROOT_RANGES_MAX];
  struct cs_err err = CS_ERR_INIT;
  size_t nr;

  store = open_mode (CS_STORE_READ);
  CHECK (cs_root_ranges (store, ranges, &nr, &err) == 0 && nr == 3);
  CHECK (strcmp (ranges[0].name, FIRST) == 0
         && strcmp (ranges[1].name, SECOND) == 0
         && strcmp (ranges[2].name, "guile") == 0);
  CHECK (ranges[2].nr_pointers == 2);
}

static void
roots (void)
{
  CHECK (in_child (leave_roots) == 0);
  CHECK (in_child (find_roots) == 0);
}

/* L4, for a library of the interpreter.  */

static int (*instructions (void)) (void)
{
  return (int (*) (void)) at (0, "carried_instructions");
}

static const char restart_text[] =
  "policy 1\nrebind *\npersist libcs-carried-user.so\n"
  "restart libcs-carried.so\nintern function * in persistent\n"
  "optional intern function * in rebound\n";

static void
first_of_restart (void)
{
  struct cs_err err;

  CHECK (carry (restart_text, &err) == 0);
  load_ok (false);
  CHECK (setenv ("CARRIED_PROCESSOR", "special", 1) == 0);
  CHECK (instructions () () == 2);
  CHECK (function_at (0, "carried_add") (4) == 5);
  CHECK (function_at (1, "user_add") (4) == 9);
  words[0] = (uintptr_t) at (0, "carried_add");
  save_and_leave ();
}

static void
next_of_restart (void)
{
  resume ();
  cs_library_restart (&set, 0, set.nr_base);
  CHECK (words[0] == (uintptr_t) at (0, "carried_add"));
  CHECK (*int_at (0, "carried_constructed") == 1);
  CHECK (((int (*) (void)) at (0, "carried_hidden")) () == 10);
  CHECK (*int_at (0, "carried_count") == 1);
  CHECK (unsetenv ("CARRIED_PROCESSOR") == 0);
  CHECK (instructions () () == 1);
  CHECK (!cs_library_any_restarts (&set));
}

static void
restarted (void)
{
  CHECK (in_child (first_of_restart) == 0);
  CHECK (in_child (next_of_restart) == 0);
  CHECK (in_child (next_of_restart) == 0);
}

static void
newer_libc (void)
{
  struct cs_err err;

  strcpy (first_path, future_path);
  CHECK (carry_first (1, "policy 1\nrebind *\npersist libcs-future.so\n", &err)
         == 0);
  CHECK (load (false, &err) == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "'libcs-future.so': it needs glibc 99.7, and this"
                 " system has libc.so.6 of glibc 2."));
  CHECK (strstr (err.advice, "glibc 99.7 or later"));
}

/* A word that is written later, for a function that a library misses.  */
static void
write_words (void)
{
  const struct cs_library_disk *library;
  const struct cs_library_slot_disk *slots;
  unsigned nr = 0;
  uintptr_t before;

  resume ();
  for (size_t n = 0; n < set.nr; n++)
    {
      library = set.items[n].library;
      slots = cs_library_slots (set.items[n].block, library);
      for (uint32_t i = 0; i < library->nr_slots; i++)
        {
          before = *(uintptr_t *) (uintptr_t) slots[i].addr;
          CHECK (cs_library_write (library, slots[i].addr, 5) == 0);
          CHECK (*(uintptr_t *) (uintptr_t) slots[i].addr == 5);
          CHECK (cs_library_write (library, slots[i].addr, before) == 0);
          nr += slots[i].addr < library->data_addr;
        }
    }
  CHECK (nr > 0);
  check_protection ();
}

static void
late_words (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (write_words) == 0);
}

/* Is what is not written to there as it was carried, to the last byte?  */
static void
check_contents (void)
{
  const ElfW (Ehdr) *header;
  const ElfW (Phdr) *segment;
  const char *copy;

  for (size_t n = 0; n < set.nr; n++)
    {
      copy = (const char *) set.items[n].block + set.items[n].library->copy;
      header = (const ElfW (Ehdr) *) copy;
      segment = (const ElfW (Phdr) *) (copy + header->e_phoff);
      for (int i = 0; i < header->e_phnum; i++, segment++)
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
          CHECK (memcmp ((const void *) (uintptr_t) segment->p_vaddr,
                         copy + segment->p_offset, segment->p_filesz) == 0);
    }
}

static void
look_at_contents (void)
{
  struct cs_err err = CS_ERR_INIT;

  resume ();
  CHECK (cs_library_settle (store, &set, &err) == 0);
  check_contents ();
  check_protection ();
  check_calls ();
}

static void
contents (void)
{
  CHECK (in_child (change_data) == 0);
  CHECK (in_child (look_at_contents) == 0);
}

/* A library whose own code ld.so calls while it is loaded.  */
static const char resolving_text[] =
  "policy 1\nrebind *\npersist libcs-ifunc.so\n";

static void
check_resolved (void)
{
  CHECK (set.nr == 1 && ((int (*) (void)) at (0, "check")) () == 0);
  check_protection ();
}

static void
first_of_resolving (void)
{
  struct cs_err err;

  strcpy (first_path, ifunc_path);
  CHECK (carry_first (1, resolving_text, &err) == 0);
  CHECK (load (false, &err) == 0);
  check_resolved ();
  save_and_leave ();
}

static void
next_of_resolving (void)
{
  struct cs_err err;

  reopen (CS_STORE_WRITE);
  CHECK (load (true, &err) == 0);
  check_resolved ();
  CHECK (cs_library_settle (store, &set, &err) == 0);
  check_resolved ();
  check_contents ();
}

static void
resolving (void)
{
  CHECK (in_child (first_of_resolving) == 0);
  CHECK (in_child (next_of_resolving) == 0);
}

/* Addresses of its own functions that an extension may hand out.  */

static unsigned nr_asked;
static char asked[64];

static int
in_place_of_hook (int n)
{
  return -n;
}

static uintptr_t
redirect (void *closure, const char *name, uintptr_t addr)
{
  CHECK (addr == (uintptr_t) dlsym (closure, name));
  nr_asked++;
  strncat (asked, name, sizeof asked - strlen (asked) - 1);
  return strcmp (name, "extending_hook") == 0
           ? (uintptr_t) in_place_of_hook : 0;
}

static const struct link_map *extension;

/* Nothing is writable that ld.so has protected.  */
static int
check_relro (struct dl_phdr_info *info, size_t len, void *closure)
{
  const ElfW (Phdr) *segment = info->dlpi_phdr;

  (void) len;
  if (info->dlpi_addr != extension->l_addr)
    return 0;
  while (segment->p_type != PT_GNU_RELRO)
    segment++;
  *(uintptr_t *) closure = info->dlpi_addr + segment->p_vaddr;
  return 1;
}

static void
look_for_relro (void *closure, const struct cs_mapping *m)
{
  uintptr_t start = *(uintptr_t *) closure;

  CHECK (m->start > start || m->end <= start || m->prot[1] != 'w');
}

static void
extension_is_redirected (void)
{
  char buf[8192];
  struct cs_err err;
  struct link_map *map;
  uintptr_t relro = 0;
  void *handle;

  CHECK (carry_first (1, policy_text, &err) == 0 && load (false, &err) == 0);
  handle = dlopen (extending_path, RTLD_LAZY);
  CHECK (handle && dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0);
  CHECK (cs_interpose_redirect_own (store, handle, redirect, handle) == 1);
  CHECK (nr_asked == 2 && strstr (asked, "extending_hook")
         && strstr (asked, "extending_variable_hook"));
  set.items[1].handle = handle;
  CHECK (taken (1, "extending_get_hook") == in_place_of_hook);
  CHECK ((*(function **) at (1, "extending_variable")) (1) == 201);
  CHECK (taken (1, "extending_get_next") (4) == 5);
  CHECK (taken (1, "extending_get_twice") (4) == 8);
  extension = map;
  CHECK (dl_iterate_phdr (check_relro, &relro) == 1);
  cs_maps_each (buf, sizeof buf, look_for_relro, &relro);
}

static void
no_extension (void)
{
  struct cs_err err;
  void *handle;

  CHECK (carry_first (1, policy_text, &err) == 0 && load (false, &err) == 0);
  handle = dlopen (plain_path, RTLD_LAZY);
  CHECK (handle);
  CHECK (cs_interpose_redirect_own (store, handle, redirect, handle) == 0);
  CHECK (cs_interpose_redirect_own (store, set.items[0].handle, redirect,
                                  set.items[0].handle) == 0);
  CHECK (nr_asked == 0);
}

static void
damaged_entries (void)
{
  static void (*const spoils[]) (void) = {
    slot_outside, slot_odd, slot_at_zero, slot_replacement, float_entry,
    float_replacement, header_count, header_place, header_segment
  };

  CHECK (in_child (change_data) == 0);
  for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
    {
      spoil = spoils[i];
      if (in_child (load_spoiled) != 0)
        fprintf (stderr, "damage %zu\n", i), _exit (1);
    }
}

static const struct test_case cases[] = {
  { "a new store's libraries lie at their addresses and are connected",
    new_store },
  { "data is kept, calls go to today's functions", next_process },
  { "words that ld.so relocated are not the last process's", fresh_words },
  { "any number of processes load them without writing", two_at_once },
  { "an address in use is refused, naming the mapping", conflict },
  { "a policy with an unknown replacement is misuse", unknown_replacement },
  { "a replaced function whose address is taken must be interned",
    replacement_without_name },
  { "a store that wants a replacement we lack", other_release },
  { "too many libraries are refused", too_many },
  { "calls that share a word with an address make no detour", direct_calls },
  { "without section headers they make it", without_sections },
  { "a call of what is missing goes to its stub", missing_function },
  { "where nothing is interned there is no trampoline", nothing_interned },
  { "a store without the section", no_section },
  { "finding a library by its name", finding },
  { "damaged counts, offsets and addresses", damaged_heads },
  { "damaged slots, imports and headers", damaged_entries },
  { "a library that restarts decides again what it decided for one processor",
    restarted },
  { "words that are roots, and words that are not", roots },
  { "--check finds what is damaged of libraries and symbols, and counts it",
    inspected },
  { "a word that is written later is protected again", late_words },
  { "code and tables are what was carried", contents },
  { "a library whose code runs while it is loaded", resolving },
  { "an extension's words lead where they are redirected to, no others",
    extension_is_redirected },
  { "a library that uses no carried one keeps its words", no_extension },
  { "a libc that is too old is named, with its version and the one needed",
    newer_libc },
};

int
main (void)
{
  if (!find_fixture ("carried", first_path)
      || !find_fixture ("carried-user", second_path)
      || !find_fixture ("future", future_path)
      || !find_fixture ("extending", extending_path)
      || !find_fixture ("ifunc", ifunc_path)
      || !find_fixture ("plain", plain_path))
    return 1;
  return run_cases (cases, sizeof cases / sizeof *cases);
}
