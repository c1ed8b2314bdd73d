/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-intern.c -- trampolines in a mapped store, executed on this machine.  */

#include "store-fixture.h"

#include "intern/intern.h"

typedef int function (int);

static int
twice (int n)
{
  return 2 * n;
}

static int
thrice (int n)
{
  return 3 * n;
}

static struct cs_table_disk *
compiled (void)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  struct cs_table_disk *table = calloc (1, cs_table_len (8, 256));

  CHECK (table);
  cs_table_init (table, cs_arch_native ()->elf_machine, 8, 256);
  CHECK (cs_table_add (table, "liba.so.1", "twice", "", &fields) == 0);
  CHECK (cs_table_add (table, "liba.so.1", "gone", "", &fields) == 1);
  CHECK (cs_table_add (table, "libb.so.1", "other", "V1", &fields) == 2);
  return table;
}

/* A new store with the three entries above.  */
static struct cs_table_disk *
new_table (struct cs_store **store)
{
  struct cs_table_disk *from = compiled (), *table;
  struct cs_err err = CS_ERR_INIT;

  *store = create (false);
  CHECK (cs_intern_create (*store, cs_arch_native (), from, &err) == 0);
  CHECK (cs_intern_open (*store, &table, &err) == 0);
  CHECK (table->count == 3);
  free (from);
  return table;
}

static int
call (const struct cs_table_disk *table, uint32_t i, int n)
{
  function *f = (function *) (uintptr_t) cs_intern_trampoline (table, i);

  return f (n);
}

static void
call_and_rebind (void)
{
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);

  cs_intern_bind (table, 0, (uintptr_t) twice);
  CHECK (call (table, 0, 21) == 42);
  CHECK (cs_table_entry (table, 0)->value == (uintptr_t) twice);
  cs_intern_bind (table, 0, (uintptr_t) thrice);
  CHECK (call (table, 0, 21) == 63);
  cs_store_close (store);
}

static int
many (int a, int b, int c, int d, int e, int f, int g, int h, double x,
      double y)
{
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h
    + (int) (x * y);
}

static void
arguments_pass_through (void)
{
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);
  __typeof__ (many) *f
    = (__typeof__ (many) *) (uintptr_t) cs_intern_trampoline (table, 2);
  int (*print) (char *, size_t, const char *, ...)
    = (int (*) (char *, size_t, const char *, ...))
    (uintptr_t) cs_intern_trampoline (table, 1);
  char text[64];

  cs_intern_bind (table, 2, (uintptr_t) many);
  CHECK (f (1, 2, 3, 4, 5, 6, 7, 8, 1.5, 4) == 210);
  cs_intern_bind (table, 1, (uintptr_t) snprintf);
  CHECK (print (text, sizeof text, "%d %s %.1f", 7, "x", 2.5) == 7);
  CHECK (!strcmp (text, "7 x 2.5"));
  cs_store_close (store);
}

static jmp_buf caller;
static uint32_t missing_index;

static void CS_ARCH_HANDLER
missing (uint32_t index)
{
  missing_index = index;
  longjmp (caller, 1);
}

static uint32_t
call_missing (const struct cs_table_disk *table, uint32_t i)
{
  missing_index = UINT32_MAX;
  if (setjmp (caller) == 0)
    call (table, i, 0);
  return missing_index;
}

static void
missing_calls_handler (void)
{
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);

  cs_intern_set_handler (table, missing);
  CHECK (call_missing (table, 0) == 0);
  CHECK (call_missing (table, 1) == 1);
  cs_intern_bind (table, 1, (uintptr_t) twice);
  CHECK (!(cs_table_entry (table, 1)->flags & CS_TABLE_MISSING));
  CHECK (call (table, 1, 4) == 8);
  cs_intern_bind (table, 1, 0);
  CHECK (cs_table_entry (table, 1)->flags & CS_TABLE_MISSING);
  CHECK (cs_table_entry (table, 1)->value == 0);
  CHECK (call_missing (table, 1) == 1);
  cs_store_close (store);
}

static void
last_trampoline_works (void)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);
  struct cs_err err = CS_ERR_INIT;
  char name[32];
  long i;

  CHECK (table->capacity == 3 + CS_INTERN_SPARE_ENTRIES);
  cs_intern_set_handler (table, missing);
  do
    {
      snprintf (name, sizeof name, "f%u", table->count);
      i = cs_table_add (table, "liba.so.1", name, "", &fields);
    }
  while (i >= 0);
  CHECK (i == -ENOSPC);
  CHECK (table->count == table->capacity);
  i = table->count - 1;
  CHECK (call_missing (table, i) == (uint32_t) i);
  cs_intern_bind (table, i, (uintptr_t) twice);
  CHECK (call (table, i, 5) == 10);
  CHECK (cs_intern_open (store, &table, &err) == 0);
  cs_store_close (store);
}

static void
strings_run_out (void)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);
  struct cs_err err = CS_ERR_INIT;
  char name[5000];
  long i;

  memset (name, 'x', sizeof name);
  do
    {
      snprintf (name, 12, "%011u", table->count);
      name[11] = 'x';
      name[sizeof name - 1] = '\0';
      i = cs_table_add (table, "liba.so.1", name, "", &fields);
    }
  while (i >= 0);
  CHECK (i == -ENOSPC);
  CHECK (table->count >= 3 + CS_INTERN_SPARE_STRINGS / sizeof name);
  CHECK (table->count < table->capacity);
  CHECK (cs_intern_open (store, &table, &err) == 0);
  cs_store_close (store);
}

static void
addresses (void)
{
  const struct cs_arch *arch = cs_arch_native ();
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);
  uint64_t first = cs_intern_trampoline (table, 0);

  CHECK (first == table->code_addr);
  CHECK (cs_intern_trampoline (table, 2) == first + 2 * arch->trampoline_len);
  CHECK (cs_intern_stub (table, 2)
         == first + 2 * arch->trampoline_len + arch->stub_off);
  CHECK (cs_intern_at (table, first - 1) == -ENOENT);
  CHECK (cs_intern_at (table, first) == 0);
  CHECK (cs_intern_at (table, first + arch->trampoline_len - 1) == 0);
  CHECK (cs_intern_at (table, cs_intern_stub (table, 2)) == 2);
  CHECK (cs_intern_at (table, cs_intern_trampoline (table, 3)) == -ENOENT);
  CHECK (cs_intern_at (table, 0) == -ENOENT);
  CHECK (cs_intern_at (table, UINT64_MAX) == -ENOENT);
  cs_store_close (store);
}

/* The same address works in another process, bound to something else.  */
static uint64_t kept;

static void
resume (void)
{
  struct cs_store *store = open_mode (CS_STORE_EPHEMERAL);
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;

  CHECK (cs_intern_open (store, &table, &err) == 0);
  CHECK (cs_intern_trampoline (table, 0) == kept);
  cs_intern_set_handler (table, missing);
  CHECK (call_missing (table, 2) == 2);
  cs_intern_bind (table, 0, (uintptr_t) thrice);
  CHECK (((function *) (uintptr_t) kept) (5) == 15);
  cs_store_close (store);
}

static void
inspect (void)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;

  CHECK (cs_intern_open (store, &table, &err) == 0);
  CHECK (cs_intern_trampoline (table, 0) == kept);
  CHECK (cs_table_find (table, "libb.so.1", "other") == 2);
  cs_store_close (store);
}

static void
next_process (void)
{
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);

  cs_intern_bind (table, 0, (uintptr_t) twice);
  kept = cs_intern_trampoline (table, 0);
  commit_ok (store);
  close_and_unmap (store);
  CHECK (in_child (resume) == 0);
  CHECK (in_child (inspect) == 0);
}

static void
empty_table (void)
{
  struct cs_store *store = create (false);
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;

  CHECK (cs_intern_create (store, cs_arch_native (), NULL, &err) == 0);
  CHECK (cs_intern_open (store, &table, &err) == 0);
  CHECK (table->count == 0);
  CHECK (cs_intern_at (table, table->code_addr) == -ENOENT);
  cs_store_close (store);
}

/* What cs_intern_create() and cs_intern_open() refuse.  */

static void
other_machine (void)
{
  const struct cs_arch *other = cs_arch_native () == &cs_arch_i386
    ? &cs_arch_x86_64 : &cs_arch_i386;
  struct cs_table_disk *from = compiled ();
  struct cs_store *store = create (false);
  struct cs_err err = CS_ERR_INIT;

  CHECK (cs_intern_create (store, other, from, &err)
         == -CS_E_INCOMPATIBLE);
  cs_store_close (store);
  free (from);
}

static void
made_twice (void)
{
  struct cs_store *store;
  struct cs_err err = CS_ERR_INIT;

  new_table (&store);
  CHECK (cs_intern_create (store, cs_arch_native (), NULL, &err) == -EEXIST);
  cs_store_close (store);
}

static void
region_full (void)
{
  struct cs_store_params params = default_params ();
  struct cs_store *store = NULL;
  struct cs_err err = CS_ERR_INIT;

  params.reserved = 16 << 20;
  CHECK (cs_store_create (STORE, &params, false, &store, &err) == 0);
  while (cs_store_map (store, 128 << 10, RW, CS_EXTENT_HEAP))
    continue;
  CHECK (cs_intern_create (store, cs_arch_native (), NULL, &err) == -ENOMEM);
  CHECK (err.code == -ENOMEM);
  cs_store_close (store);
}

static void
expect_damage (struct cs_store *store, const char *text)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table = (struct cs_table_disk *) &err;

  CHECK (cs_intern_open (store, &table, &err) == -CS_E_DAMAGED);
  CHECK (!table);
  if (!strstr (err.text, text))
    fprintf (stderr, "'%s' is not in '%s'\n", text, err.text);
  CHECK (strstr (err.text, text));
}

static void
damaged_sections (void)
{
  struct cs_store *store = create (false);
  struct cs_table_disk *table = NULL;
  void *addr;
  size_t len = 2 * PAGE, head = cs_table_len (8, 0);

  expect_damage (store, "no section 'intern'");
  CHECK (cs_store_section_create (store, "intern", len, RW, &addr) == 0);
  expect_damage (store, "no magic");
  table = addr;
  cs_table_init (table, cs_arch_native ()->elf_machine, 8, len - head);
  expect_damage (store, "no section 'code'");
  CHECK (cs_store_section_create (store, "code", PAGE, RW, &addr) == 0);
  expect_damage (store, "expects section 'code' at");
  table->code_addr = (uintptr_t) addr;
  CHECK (cs_store_section_create (store, "slots", PAGE, RW, &addr) == 0);
  expect_damage (store, "expects section 'slots' at");
  table->slots_addr = (uintptr_t) addr;
  CHECK (cs_intern_open (store, &table, NULL) == 0);
  cs_table_init (table, cs_arch_native ()->elf_machine, 160,
                 len - cs_table_len (160, 0));
  expect_damage (store, "section 'code' has 4096 bytes");
  cs_store_close (store);
}

static void
damaged_table (void)
{
  const uint16_t other = cs_arch_native () == &cs_arch_i386
    ? cs_arch_x86_64.elf_machine : cs_arch_i386.elf_machine;
  struct cs_store *store;
  struct cs_table_disk *table = new_table (&store);

  table->len += PAGE;
  expect_damage (store, "length at offset 16");
  table->len -= 2 * PAGE;
  expect_damage (store, "length at offset 16");
  table->len += PAGE;
  table->count = UINT32_MAX;
  expect_damage (store, "number of entries");
  table->count = 3;
  table->machine = other;
  expect_damage (store, "its superblock for");
  cs_store_close (store);
}

static const struct test_case cases[] = {
  { "a call through a trampoline, before and after rebinding",
    call_and_rebind },
  { "arguments of all kinds pass through", arguments_pass_through },
  { "a missing stub calls the handler with its index",
    missing_calls_handler },
  { "the last trampoline works, then -ENOSPC", last_trampoline_works },
  { "strings run out: -ENOSPC, table intact", strings_run_out },
  { "addresses of trampolines and back", addresses },
  { "the next process finds the same addresses", next_process },
  { "a store without symbols", empty_table },
  { "a table of another machine is refused", other_machine },
  { "the sections are made once", made_twice },
  { "a full region is -ENOMEM", region_full },
  { "sections that do not fit each other", damaged_sections },
  { "a damaged table", damaged_table },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
