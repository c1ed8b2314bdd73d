/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-foreign.c -- libraries opened at run time.  */

#include <dlfcn.h>

#include "elf-fixture.h"
#include "process-fixture.h"

#define LIBRARY "./libforeign.so"

static char foreign_path[4096], less_path[4096];

static void
copy_file (const char *from, const char *to)
{
  int in = open (from, O_RDONLY), out;
  char bytes[4096];
  ssize_t n;

  unlink (to);
  out = open (to, O_WRONLY | O_CREAT | O_EXCL, 0700);
  CHECK (in >= 0 && out >= 0);
  while ((n = read (in, bytes, sizeof bytes)) > 0)
    CHECK (write (out, bytes, (size_t) n) == n);
  CHECK (n == 0);
  close (in);
  close (out);
}

typedef int function (int);

static function *
kept (int i)
{
  return (function *) (uintptr_t) words->word[i];
}

static void
keep (int i, void *addr)
{
  CHECK (addr && is_in_store (addr));
  words->word[i] = (uintptr_t) addr;
}

static jmp_buf caller;
static uint32_t missing_index;

static void CS_ARCH_HANDLER
missing (uint32_t index)
{
  missing_index = index;
  longjmp (caller, 1);
}

/* The name of the missing function that a call of F ends in, or NULL.  */
static const char *
call_missing (function *f)
{
  cs_intern_set_handler (cs_process.table, missing);
  if (setjmp (caller) == 0)
    {
      f (0);
      return NULL;
    }
  CHECK (cs_intern_at (cs_process.table, (uintptr_t) f)
         == (long) missing_index);
  return cs_table_string (cs_process.table,
                          cs_table_entry (cs_process.table,
                                          missing_index)->name);
}

static void *
open_library (void)
{
  void *handle;

  copy_file (foreign_path, LIBRARY);
  handle = cs_foreign_open (LIBRARY, RTLD_LAZY | RTLD_LOCAL);
  if (!handle)
    fprintf (stderr, "%s\n", dlerror ());
  CHECK (handle && is_in_store (handle));
  return handle;
}

static void
leave_functions (void)
{
  void *handle;

  begin ();
  handle = open_library ();
  keep (0, cs_foreign_symbol (handle, "foreign_twice"));
  keep (1, cs_foreign_symbol (handle, "foreign_count"));
  keep (2, handle);
  CHECK (kept (0) (21) == 42 && kept (1) (0) == 6 && kept (1) (0) == 7);
  CHECK (cs_foreign_symbol (handle, "foreign_twice")
         == (void *) (uintptr_t) words->word[0]);
  save_and_leave ();
}

static void
call_functions (void)
{
  void *handle;

  CHECK (mkdir ("elsewhere", 0700) == 0 || errno == EEXIST);
  CHECK (chdir ("elsewhere") == 0);
  CHECK (symlink ("../" STORE, STORE) == 0 || errno == EEXIST);
  resume ();
  CHECK (kept (0) (21) == 42);
  /* Its data is of this process.  */
  CHECK (kept (1) (0) == 6);
  handle = (void *) (uintptr_t) words->word[2];
  CHECK (cs_foreign_symbol (handle, "foreign_twice")
         == (void *) (uintptr_t) words->word[0]);
}

static void
next_process (void)
{
  CHECK (in_child (leave_functions) == 0);
  CHECK (in_child (call_functions) == 0);
}

static void
call_without_library (void)
{
  void *handle;

  CHECK (unlink (LIBRARY) == 0);
  resume ();
  CHECK (!strcmp (call_missing (kept (0)), "foreign_twice"));
  CHECK (!strcmp (call_missing (kept (1)), "foreign_count"));
  handle = (void *) (uintptr_t) words->word[2];
  CHECK (!cs_foreign_symbol (handle, "foreign_twice") && dlerror ());
  /* It comes back while the process runs.  */
  copy_file (foreign_path, LIBRARY);
  CHECK (cs_foreign_symbol (handle, "foreign_twice")
         == (void *) (uintptr_t) words->word[0]);
  CHECK (kept (0) (4) == 8);
  CHECK (unlink (LIBRARY) == 0);
  save_and_leave ();
}

static void
call_later (void)
{
  copy_file (foreign_path, LIBRARY);
  resume ();
  CHECK (kept (0) (5) == 10 && kept (1) (0) == 6);
}

static void
missing_library (void)
{
  CHECK (in_child (leave_functions) == 0);
  CHECK (in_child (call_without_library) == 0);
  CHECK (in_child (call_later) == 0);
}

static void
call_less (void)
{
  copy_file (less_path, LIBRARY);
  resume ();
  CHECK (kept (0) (21) == 42);
  CHECK (!strcmp (call_missing (kept (1)), "foreign_count"));
}

static void
missing_symbol (void)
{
  CHECK (in_child (leave_functions) == 0);
  CHECK (in_child (call_less) == 0);
}

/* The entry of the variable NAME, which is at ADDR.  */
static const struct cs_table_entry_disk *
data_entry (const void *addr, const char *name)
{
  const struct cs_table_entry_disk *entry;
  long i = cs_process_data_symbol (addr);

  CHECK (i >= 0 && cs_process_data_symbol (addr) == -ENOENT);
  entry = cs_table_entry (cs_process.table, (uint32_t) i);
  CHECK (entry->kind == CS_SYMBOL_DATA);
  CHECK (!strcmp (cs_table_string (cs_process.table, entry->name), name));
  CHECK (entry->value == (uintptr_t) addr);
  return entry;
}

static void
leave_data (void)
{
  const int *constant;
  void *handle;
  int *data;

  begin ();
  handle = open_library ();
  data = cs_foreign_symbol (handle, "foreign_data");
  CHECK (data && !is_in_store (data) && *data == 5);
  CHECK (cs_process_data_symbol (data + 1) == -ENOENT);
  data_entry (data, "foreign_data");
  constant = cs_foreign_symbol (handle, "foreign_constant");
  CHECK (constant && !is_in_store (constant) && *constant == 17);
  words->word[0] = (uintptr_t) data_entry (constant, "foreign_constant");
  CHECK (cs_process.table->count == 2);
  save_and_leave ();
}

static void
find_data (void)
{
  const struct cs_table_entry_disk *entry;

  resume ();
  entry = (const void *) (uintptr_t) words->word[0];
  CHECK (*(const int *) (uintptr_t) entry->value == 17);
  save_and_leave ();
}

static void
miss_data (void)
{
  const struct cs_table_entry_disk *entry;

  resume ();
  entry = (const void *) (uintptr_t) words->word[0];
  CHECK (entry->value == 0 && (entry->flags & CS_TABLE_MISSING));
}

static void
data_passes (void)
{
  CHECK (in_child (leave_data) == 0);
  CHECK (in_child (find_data) == 0);
  CHECK (unlink (LIBRARY) == 0);
  CHECK (in_child (miss_data) == 0);
}

static void
not_there (void)
{
  void *handle;

  begin ();
  handle = open_library ();
  CHECK (!cs_foreign_symbol (handle, "foreign_none") && dlerror ());
  CHECK (!cs_foreign_open ("./libnone.so", RTLD_NOW) && dlerror ());
  CHECK (cs_process.image->nr_handles == 1);
  CHECK (cs_process.table->count == 0);
}

static bool
is_loaded (void)
{
  void *handle = dlopen (LIBRARY, RTLD_LAZY | RTLD_NOLOAD);

  if (handle)
    dlclose (handle);
  return handle;
}

static void
open_twice_and_close (void)
{
  void *handle;

  begin ();
  handle = open_library ();
  CHECK (cs_foreign_open (LIBRARY, RTLD_NOW) == handle);
  keep (0, cs_foreign_symbol (handle, "foreign_twice"));
  CHECK (cs_process.image->nr_handles == 1);
  CHECK (cs_foreign_close (handle) == 0 && is_loaded ());
  CHECK (kept (0) (1) == 2);
  CHECK (cs_foreign_close (handle) == 0 && !is_loaded ());
  save_and_leave ();
}

static void
find_closed (void)
{
  resume ();
  CHECK (!is_loaded ());
  CHECK (!strcmp (call_missing (kept (0)), "foreign_twice"));
}

static void
closing (void)
{
  CHECK (in_child (open_twice_and_close) == 0);
  CHECK (in_child (find_closed) == 0);
}

static void
open_loaded (void)
{
  void *handle;

  begin ();
  copy_file (foreign_path, LIBRARY);
  CHECK (!cs_foreign_open (LIBRARY, RTLD_LAZY | RTLD_NOLOAD));
  CHECK (dlopen (LIBRARY, RTLD_LAZY));
  handle = cs_foreign_open (LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
  keep (0, cs_foreign_symbol (handle, "foreign_twice"));
  save_and_leave ();
}

static void
call_one (void)
{
  resume ();
  CHECK (kept (0) (3) == 6);
}

static void
opened_when_loaded (void)
{
  CHECK (in_child (open_loaded) == 0);
  CHECK (in_child (call_one) == 0);
}

static void
open_program (void)
{
  void *handle;

  begin ();
  handle = cs_foreign_open (NULL, RTLD_LAZY);
  keep (0, cs_foreign_symbol (handle, "abs"));
  CHECK (kept (0) (-3) == 3);
  handle = cs_foreign_open ("libm.so.6", RTLD_LAZY);
  keep (1, cs_foreign_symbol (handle, "ilogbf"));
  /* What is no handle of ours is passed on.  */
  CHECK (cs_foreign_symbol (RTLD_DEFAULT, "abs") == dlsym (RTLD_DEFAULT,
                                                           "abs"));
  save_and_leave ();
}

static void
call_program (void)
{
  resume ();
  CHECK (kept (0) (-4) == 4);
  CHECK (((int (*) (float)) (uintptr_t) words->word[1]) (8.0f) == 3);
}

static void
by_name (void)
{
  CHECK (in_child (open_program) == 0);
  CHECK (in_child (call_program) == 0);
}

static unsigned nr_raised;

static void
raise_text (const char *text)
{
  CHECK (text && text[0]);
  nr_raised++;
}

static void
no_room (void)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  char name[64];
  void *handle;
  long i;

  begin ();
  cs_process.raise = raise_text;
  handle = open_library ();
  for (i = 0; i >= 0; )
    {
      snprintf (name, sizeof name, "f%u", cs_process.table->count);
      i = cs_table_add (cs_process.table, "libx.so", name, "", &fields);
    }
  CHECK (!cs_foreign_symbol (handle, "foreign_twice") && nr_raised == 1);
  for (int n = 1; n <= CS_PROCESS_HANDLES_MAX; n++)
    {
      snprintf (name, sizeof name, "./libforeign-%d.so", n);
      CHECK (link (LIBRARY, name) == 0);
      handle = cs_foreign_open (name, RTLD_LAZY);
      CHECK ((handle != NULL) == (n < CS_PROCESS_HANDLES_MAX));
    }
  CHECK (nr_raised == 2);
}

static const struct test_case cases[] = {
  { "functions are called through trampolines, in the next process too",
    next_process },
  { "functions of a missing library end in the handler",
    missing_library },
  { "a missing function ends in the handler, the others work",
    missing_symbol },
  { "variables are passed on and their names kept, constants among code too",
    data_passes },
  { "what is not there is libc's error", not_there },
  { "a library is closed when its last opener closes it", closing },
  { "one that was opened because it was loaded is loaded",
    opened_when_loaded },
  { "the program itself, and libraries by name", by_name },
  { "no room is raised", no_room },
};

int
main (void)
{
  if (!find_fixture ("foreign", foreign_path)
      || !find_fixture ("foreign-less", less_path))
    return 1;
  return run_cases (cases, sizeof cases / sizeof *cases);
}
