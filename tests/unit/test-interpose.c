/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-interpose.c -- replaced calls of libraries that are not carried.  */

#include <dlfcn.h>

#include "elf-fixture.h"
#include "store-fixture.h"

#include "intern/interpose.h"

static char imported_path[4096], rebuilt_path[4096], now_path[4096];
static char user_path[4096];

static const char policy_text[] =
  "policy 1\n"
  "rebind *\n"
  "replace malloc with test:malloc\n"
  "replace calloc with test:calloc\n"
  "replace memset with test:memset in libc.so.*\n";

static unsigned nr_replaced;

static void *
replaced_malloc (size_t len)
{
  static char block[64];

  CHECK (len <= sizeof block);
  nr_replaced++;
  return block;
}

static void *
replaced_calloc (size_t count, size_t len)
{
  return replaced_malloc (count * len);
}

static void *
find (const char *name)
{
  if (strcmp (name, "test:malloc") == 0)
    return replaced_malloc;
  return strcmp (name, "test:calloc") == 0 ? replaced_calloc : NULL;
}

static void *
find_none (const char *name)
{
  (void) name;
  return NULL;
}

static struct cs_store *store;
static struct cs_interpose_disk *imports;

static void
find_section (void)
{
  size_t len;

  imports = cs_store_section (store, "imports", &len);
  CHECK (imports && len >= sizeof *imports);
}

/* How many records have words; the others are of libraries that are never
   changed, such as libc.  */
static unsigned
nr_bound (void)
{
  unsigned nr = 0;

  for (uint32_t i = 0; i < imports->nr_records; i++)
    nr += imports->records[i].nr_slots > 0;
  return nr;
}

static void
begin_with (const char *text)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;

  CHECK (cs_policy_parse ("test", text, strlen (text), NULL, NULL, &policy,
                          &err) == 0);
  store = create (false);
  CHECK (cs_interpose_create (store, policy, &err) == 0);
  cs_policy_free (policy);
  find_section ();
}

static void
begin (void)
{
  begin_with (policy_text);
}

static void
save_and_leave (void)
{
  commit_ok (store);
  cs_store_close (store);
  _exit (0);
}

static void
resume (void)
{
  store = open_mode (CS_STORE_WRITE);
  find_section ();
}

/* What stands for the carried libraries here: one that needs PATH's library,
   which is "imported" or "rebuilt".  */
static void *imported;

static struct cs_library_set
load (const char *path)
{
  struct cs_library_set set = { .nr = 1 };

  imported = dlopen (path, RTLD_LAZY | RTLD_GLOBAL);
  set.items[0].handle = dlopen (now_path, RTLD_LAZY | RTLD_GLOBAL);
  if (!imported || !set.items[0].handle)
    fprintf (stderr, "%s\n", dlerror ());
  CHECK (imported && set.items[0].handle);
  return set;
}

static int
bind_with (const char *path, cs_library_replacement *with,
           struct cs_err *err)
{
  struct cs_library_set set = load (path);

  *err = (struct cs_err) CS_ERR_INIT;
  return cs_interpose_bind (store, &set, with, NULL, err);
}

static void
bind_ok (const char *path)
{
  struct cs_err err;

  if (bind_with (path, find, &err) != 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
}

typedef void *allocator (size_t len);

static void *
function_of (void *handle, const char *name)
{
  void *addr = dlsym (handle, name);

  CHECK (addr);
  return addr;
}

/* Do the calls of the library arrive in replaced_malloc()?  */
static bool
is_replaced (void)
{
  allocator *allocate = (allocator *) function_of (imported,
                                                   "imported_allocate");
  void *(*(*pointer) (void)) (size_t, size_t)
    = (void *(*(*) (void)) (size_t, size_t))
      function_of (imported, "imported_pointer");
  unsigned before = nr_replaced;
  void *block = allocate (8);

  if (nr_replaced == before)
    free (block);
  else
    CHECK (pointer () == replaced_calloc);
  return nr_replaced > before;
}

static bool
is_writable (const void *addr)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[512], prot[8];
  unsigned long start, end;
  bool writable = false;

  CHECK (maps);
  while (fgets (line, sizeof line, maps))
    if (sscanf (line, "%lx-%lx %7s", &start, &end, prot) == 3
        && (uintptr_t) addr >= start && (uintptr_t) addr < end)
      writable = prot[1] == 'w';
  fclose (maps);
  return writable;
}

static void
replaced (void)
{
  void *block;

  begin ();
  load (imported_path);
  CHECK (!is_replaced ());
  bind_ok (imported_path);
  CHECK (is_replaced ());
  CHECK (nr_bound () >= 1);
  /* The program's own calls are not.  */
  block = malloc (10);
  CHECK (block);
  free (block);
  /* Nor are libc's: strdup() allocates.  */
  nr_replaced = 0;
  free (strdup ("text"));
  CHECK (nr_replaced == 0);
}

/* The sanitizer has a malloc of its own, which words of the library then lead
   to: they count as set by the program.  */
#ifdef __SANITIZE_ADDRESS__
static const bool has_own_malloc = true;
#else
static const bool has_own_malloc = false;
#endif

static void
relro_is_protected_again (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_library_set set;
  const struct cs_interpose_slot_disk *slot;
  unsigned nr_relro = 0;
  Dl_info info;

  if (has_own_malloc)
    return;
  begin ();
  set = load (imported_path);
  CHECK (cs_interpose_bind (store, &set, find, NULL, &err) == 0);
  CHECK (dladdr (function_of (imported, "imported_pointer"), &info) != 0);
  CHECK (nr_bound () == 1 && imports->nr_slots >= 2);
  slot = imports->slots;
  for (uint32_t i = 0; i < imports->nr_slots; i++, slot++)
    {
      const char *word = (const char *) info.dli_fbase + slot->off;

      CHECK (*(void *const *) word == (void *) replaced_malloc
             || *(void *const *) word == (void *) replaced_calloc);
      if (slot->relro)
        CHECK (!is_writable (word));
      nr_relro += slot->relro;
    }
  CHECK (nr_relro > 0 && nr_relro < imports->nr_slots);
}

static void
bound_at_once (void)
{
  struct cs_library_set set = { .nr = 1 };
  struct cs_err err = CS_ERR_INIT;
  allocator *allocate;
  void *user;

  begin ();
  load (imported_path);
  user = dlopen (user_path, RTLD_LAZY);
  CHECK (user);
  set.items[0].handle = user;
  CHECK (cs_interpose_bind (store, &set, find, NULL, &err) == 0);
  allocate = (allocator *) function_of (user, "imported_now_allocate");
  CHECK (allocate (8) && nr_replaced == 1);
  CHECK (is_replaced ());
  /* It was looked up, and is to be each time: nothing of it is kept.  */
  CHECK (nr_bound () == 1);
}

static void *
programs_malloc (size_t len)
{
  (void) len;
  return NULL;
}

typedef void *(*variable) (size_t);

/* A variable that leads to a replaced function, in the first process and in the
   next: one that the program has set keeps that.  */
static void
variable_is_replaced (void)
{
  bind_ok (imported_path);
  CHECK (*(variable *) function_of (imported, "imported_variable")
         == replaced_malloc);
}

static void
variable_is_kept (void)
{
  load (imported_path);
  *(variable *) function_of (imported, "imported_variable") = programs_malloc;
  bind_ok (imported_path);
  CHECK (*(variable *) function_of (imported, "imported_variable")
         == programs_malloc);
  CHECK (is_replaced ());
}

static void
unset_at_first (void)
{
  begin ();
  variable_is_replaced ();
  save_and_leave ();
}

static void
set_at_first (void)
{
  begin ();
  variable_is_kept ();
  save_and_leave ();
}

static void
set_later (void)
{
  resume ();
  variable_is_kept ();
}

static void
unset_later (void)
{
  resume ();
  variable_is_replaced ();
}

static void
variables (void)
{
  if (has_own_malloc)
    return;
  CHECK (in_child (unset_at_first) == 0);
  CHECK (in_child (set_later) == 0);
  CHECK (in_child (unset_later) == 0);
  CHECK (unlink (STORE) == 0);
  CHECK (in_child (set_at_first) == 0);
  CHECK (in_child (set_later) == 0);
  CHECK (in_child (unset_later) == 0);
}

static void
first_lookup (void)
{
  begin ();
  bind_ok (imported_path);
  CHECK (nr_bound () == 1);
  /* The next process is to use this record and not the policy.  */
  save_and_leave ();
}

static void
spoil_policy (void)
{
  size_t len;
  char *policy = cs_store_section (store, "policy", &len);

  CHECK (policy);
  memset (policy, '?', 5);
}

static void
use_record (void)
{
  uint32_t nr_slots;

  resume ();
  nr_slots = imports->nr_slots;
  spoil_policy ();
  bind_ok (imported_path);
  CHECK (nr_bound () == 1 && imports->nr_slots == nr_slots);
  CHECK (is_replaced ());
}

static void
same_build (void)
{
  CHECK (in_child (first_lookup) == 0);
  CHECK (in_child (use_record) == 0);
}

static void
rebuilt_asks_policy (void)
{
  struct cs_err err;

  resume ();
  spoil_policy ();
  CHECK (bind_with (rebuilt_path, find, &err) < 0 && err.text[0]);
}

static void
rebuilt_is_looked_up (void)
{
  resume ();
  bind_ok (rebuilt_path);
  CHECK (nr_bound () == 2);
  CHECK (is_replaced ());
  save_and_leave ();
}

/* Of the builds of one library, the last start had one.  */
static unsigned
nr_in_use (void)
{
  unsigned nr = 0;

  for (uint32_t i = 0; i < imports->nr_records; i++)
    nr += imports->records[i].nr_slots > 0 && imports->records[i].in_use;
  return nr;
}

static void
both_are_known (void)
{
  resume ();
  spoil_policy ();
  bind_ok (rebuilt_path);
  CHECK (nr_bound () == 2 && is_replaced ());
  CHECK (nr_in_use () == 1);
}

static void
other_build (void)
{
  CHECK (in_child (first_lookup) == 0);
  CHECK (in_child (rebuilt_asks_policy) == 0);
  CHECK (in_child (rebuilt_is_looked_up) == 0);
  CHECK (in_child (both_are_known) == 0);
}

/* A full section begins anew, with what is used now.  */
static void
full_section (void)
{
  begin ();
  imports->nr_records = CS_INTERPOSE_RECORDS_MAX;
  bind_ok (imported_path);
  CHECK (is_replaced () && nr_bound () == 1);
}

static void
full_slots (void)
{
  begin ();
  imports->nr_records = 1;
  imports->records[0].build_id_len = 20;
  imports->records[0].nr_slots = CS_INTERPOSE_SLOTS_MAX - 1;
  imports->nr_slots = CS_INTERPOSE_SLOTS_MAX - 1;
  bind_ok (imported_path);
  CHECK (is_replaced () && nr_bound () == 1);
  CHECK (imports->nr_slots < 10);
}

static void
full_names (void)
{
  begin ();
  imports->nr_names = CS_LIBRARY_REPLACEMENTS_MAX;
  bind_ok (imported_path);
  CHECK (is_replaced () && imports->nr_names == 2);
}

static void
long_name (void)
{
  struct cs_err err;

  begin_with ("policy 1\nreplace malloc with test:012345678901234567890123"
              "456789012345678901234567890123456789\n");
  CHECK (bind_with (imported_path, find, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "libcs-imported.so"));
  CHECK (imports->nr_records == 0 && !is_replaced ());
}

static void
no_replacement (void)
{
  struct cs_err err;

  begin ();
  CHECK (bind_with (imported_path, find_none, &err)
         == -CS_E_INCOMPATIBLE);
  CHECK (strstr (err.text, "libcs-imported.so"));
  CHECK (!is_replaced ());
}

/* Damage.  */
static void (*spoil) (void);

static void no_magic (void) { imports->magic[0] = 'X'; }
static void many_records (void) { imports->nr_records = 129; }
static void many_slots (void) { imports->nr_slots = 4097; }
static void many_names (void) { imports->nr_names = 129; }
static void far_slot (void) { imports->records[0].first_slot = 5; }
static void long_record (void) { imports->records[0].nr_slots = UINT32_MAX; }
static void slot_outside (void) { imports->slots[0].off = 1 << 30; }
static void slot_below (void) { imports->slots[0].off = (uint64_t) -4096; }
static void slot_in_code (void) { imports->slots[1].off = 64; }
static void slot_odd (void) { imports->slots[0].off++; }
static void slot_name (void) { imports->slots[0].replacement = 77; }

static void
endless_name (void)
{
  memset (imports->names[0], 'x', CS_INTERPOSE_NAME_MAX);
}

static void
bind_damaged (void)
{
  struct cs_err err;

  resume ();
  spoil ();
  CHECK (bind_with (imported_path, find, &err) == -CS_E_DAMAGED);
  CHECK (strstr (err.text, "imports"));
}

static void
damaged (void)
{
  static void (*const spoils[]) (void) = {
    no_magic, many_records, many_slots, many_names, far_slot, long_record,
    slot_outside, slot_below, slot_in_code, slot_odd, slot_name,
    endless_name
  };

  CHECK (in_child (first_lookup) == 0);
  for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
    {
      spoil = spoils[i];
      if (in_child (bind_damaged) != 0)
        fprintf (stderr, "damage %zu\n", i), _exit (1);
    }
}

static void
missing_section (void)
{
  struct cs_library_set set = { .nr = 0 };
  struct cs_err err = CS_ERR_INIT;

  store = create (false);
  CHECK (cs_interpose_bind (store, &set, find, NULL, &err) == -CS_E_DAMAGED);
}

static const struct test_case cases[] = {
  { "calls are replaced in what is needed, not in the program or libc",
    replaced },
  { "words in PT_GNU_RELRO are replaced and protected again",
    relro_is_protected_again },
  { "a variable is replaced, but not one that the program has set",
    variables },
  { "a library that is bound at once and has no build id", bound_at_once },
  { "the same build is not looked up again", same_build },
  { "another build is", other_build },
  { "too many records: begun anew", full_section },
  { "too many words: begun anew", full_slots },
  { "too many names: begun anew", full_names },
  { "a name that is too long is refused", long_name },
  { "a replacement that does not exist", no_replacement },
  { "damage is refused", damaged },
  { "a store without the section", missing_section },
};

int
main (void)
{
  if (!find_fixture ("imported", imported_path)
      || !find_fixture ("imported-rebuilt", rebuilt_path)
      || !find_fixture ("imported-now", now_path)
      || !find_fixture ("imported-user", user_path))
    return 1;
  return run_cases (cases, sizeof cases / sizeof *cases);
}
