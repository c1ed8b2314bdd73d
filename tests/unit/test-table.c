/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-table.c -- the intern table: T1 to T4, files, compiling.  */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "intern/compare.h"
#include "intern/needed.h"
#include "intern/table.h"

/* Each test has a folder of its own.  */
static char folder[64];
static char path[128];

static int
make_folder (void **state)
{
  (void) state;
  strcpy (folder, "/tmp/cs-test-table-XXXXXX");
  if (!mkdtemp (folder))
    return -1;
  snprintf (path, sizeof path, "%s/t.cst", folder);
  return 0;
}

static int
remove_folder (void **state)
{
  char command[128];

  (void) state;
  snprintf (command, sizeof command, "rm -rf %s", folder);
  return system (command);
}

static struct cs_table_disk *
new_table (uint32_t capacity, uint32_t strings_max)
{
  struct cs_table_disk *table
    = calloc (1, cs_table_len (capacity, strings_max));

  assert_non_null (table);
  cs_table_init (table, cs_arch_native ()->elf_machine, capacity,
                 strings_max);
  return table;
}

static long
add (struct cs_table_disk *table, const char *library, const char *name)
{
  const struct cs_table_entry_disk fields
    = { .kind = CS_SYMBOL_FUNCTION, .size = 7, .value = 8, .line = 9 };

  return cs_table_add (table, library, name, "V1", &fields);
}

static struct cs_table_disk *
small_table (void)
{
  struct cs_table_disk *table = new_table (4, 64);

  assert_int_equal (add (table, "liba.so.1", "f"), 0);
  assert_int_equal (add (table, "liba.so.1", "g"), 1);
  assert_int_equal (add (table, "", "f"), 2);
  return table;
}

static int
check (const struct cs_table_disk *table, struct cs_err *err)
{
  return cs_table_check (table, table->len, "t", err);
}

static void
test_add_and_find (void **state)
{
  struct cs_table_disk *table = small_table ();
  struct cs_err err = CS_ERR_INIT;
  const struct cs_table_entry_disk *entry = cs_table_entry (table, 1);

  (void) state;
  assert_int_equal (check (table, &err), 0);
  assert_int_equal (table->count, 3);
  assert_int_equal (cs_table_find (table, "liba.so.1", "g"), 1);
  assert_int_equal (cs_table_find (table, "", "f"), 2);
  assert_int_equal (cs_table_find (table, "", "g"), -ENOENT);
  assert_string_equal (cs_table_string (table, entry->name), "g");
  assert_string_equal (cs_table_string (table, entry->library), "liba.so.1");
  assert_string_equal (cs_table_string (table, entry->symver), "V1");
  assert_int_equal (entry->size, 7);
  /* Names of libraries and versions are stored once.  */
  assert_int_equal (table->strings_len, 1 + 10 + 3 + 2 + 2 + 2);
  free (table);
}

static void
test_add_again (void **state)
{
  struct cs_table_disk *table = small_table ();
  uint32_t len = table->strings_len;

  (void) state;
  assert_int_equal (add (table, "liba.so.1", "g"), 1);
  assert_int_equal (table->count, 3);
  assert_int_equal (table->strings_len, len);
  free (table);
}

static void
test_no_room (void **state)
{
  struct cs_table_disk *table = new_table (2, 1 + 2 + 3 + 2 + 1);
  struct cs_table_disk *copy = new_table (1, 64);
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  assert_int_equal (add (table, "a", "f"), 0);
  /* One byte too many: nothing changes.  */
  assert_int_equal (add (table, "a", "gg"), -ENOSPC);
  assert_int_equal (table->strings_len, 8);
  assert_int_equal (add (table, "b", ""), -ENOSPC);
  assert_int_equal (table->count, 1);
  assert_int_equal (check (table, &err), 0);
  free (table);

  /* No entry left, though there are strings.  */
  table = small_table ();
  assert_int_equal (cs_table_copy (copy, table), -ENOSPC);
  assert_int_equal (copy->count, 1);
  assert_int_equal (check (copy, &err), 0);
  free (copy);
  free (table);
}

static void
test_copy (void **state)
{
  struct cs_table_disk *table = small_table ();
  struct cs_table_disk *copy = new_table (10, 200);

  (void) state;
  assert_int_equal (add (copy, "", "f"), 0);
  assert_int_equal (cs_table_copy (copy, table), 0);
  assert_int_equal (copy->count, 3);
  assert_int_equal (cs_table_find (copy, "liba.so.1", "g"), 2);
  free (copy);
  free (table);
}

/* T1 to T4, one breach each.  */

static void
expect_damage (struct cs_table_disk *table, const char *what)
{
  struct cs_err err = CS_ERR_INIT;

  assert_int_equal (check (table, &err), -CS_E_DAMAGED);
  assert_non_null (strstr (err.text, what));
  assert_non_null (strstr (err.text, "'t'"));
  free (table);
}

static void
test_t1 (void **state)
{
  struct cs_table_disk *table;
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  table = small_table ();
  table->count = table->capacity + 1;
  expect_damage (table, "number of entries at offset 24");
  table = small_table ();
  table->strings_len = table->strings_max + 1;
  expect_damage (table, "length of strings at offset 32");
  table = small_table ();
  table->capacity--;
  expect_damage (table, "capacity at offset 28");
  table = small_table ();
  table->capacity = UINT32_MAX;
  table->count = UINT32_MAX;
  expect_damage (table, "capacity at offset 28");
  table = small_table ();
  assert_int_equal (cs_table_check (table, table->len - 1, "t", &err),
                    -CS_E_DAMAGED);
  assert_int_equal (cs_table_check (table, 63, "t", &err), -CS_E_DAMAGED);
  assert_int_equal (cs_table_check (table, 0, "t", &err), -CS_E_DAMAGED);
  free (table);
}

static void
test_t2 (void **state)
{
  struct cs_table_disk *table = small_table ();

  (void) state;
  cs_table_entry (table, 1)->name = table->strings_len;
  expect_damage (table, "string of an entry at offset 112");
  table = small_table ();
  cs_table_entry (table, 0)->library = UINT32_MAX;
  expect_damage (table, "string of an entry at offset 68");
  table = small_table ();
  cs_table_entry (table, 2)->symver = 5000;
  expect_damage (table, "string of an entry at offset 168");
  table = small_table ();
  cs_table_entry (table, 0)->name = 0;
  expect_damage (table, "entry 0 at offset 64 has no name");
  table = small_table ();
  ((char *) table)[cs_table_len (4, 0) + table->strings_len - 1] = 'x';
  expect_damage (table, "end of strings");
  table = small_table ();
  ((char *) table)[cs_table_len (4, 0)] = 'x';
  expect_damage (table, "end of strings");
  table = small_table ();
  table->count = table->strings_len = 0;
  expect_damage (table, "length of strings at offset 32");
  table = small_table ();
  cs_table_entry (table, 0)->kind = 4;
  expect_damage (table, "kind of an entry at offset 76");
}

static void
test_t3 (void **state)
{
  struct cs_table_disk *table = small_table ();

  (void) state;
  *cs_table_entry (table, 2) = *cs_table_entry (table, 0);
  expect_damage (table, "entries 0 and 2 both are 'f' of 'liba.so.1'");
}

static void
test_t4 (void **state)
{
  struct cs_table_disk *table = small_table ();

  (void) state;
  cs_table_entry (table, 2)->hash++;
  expect_damage (table, "hash of an entry at offset 204");
}

static void
test_incompatible (void **state)
{
  struct cs_table_disk *table = small_table ();
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  table->version = 2;
  assert_int_equal (check (table, &err), -CS_E_INCOMPATIBLE);
  assert_string_equal (err.text, "intern table 't' has format version 2, this "
                       "release knows version 1");
  table->version = 1;
  table->machine = 0xfff0;
  assert_int_equal (check (table, &err), -CS_E_INCOMPATIBLE);
  table->magic[0] = 'X';
  assert_int_equal (check (table, &err), -CS_E_DAMAGED);
  free (table);
}

/* Files.  */

static void
test_write_and_read (void **state)
{
  struct cs_table_disk *table = small_table (), *read;
  struct cs_err err = CS_ERR_INIT;
  struct stat st;

  (void) state;
  table->code_addr = table->slots_addr = 4096;
  assert_int_equal (cs_table_write (table, path, &err), 0);
  assert_int_equal (cs_table_write (table, path, &err), 0);
  assert_int_equal (cs_table_read (path, &read, &err), 0);
  assert_int_equal (read->code_addr, 0);
  assert_int_equal (read->slots_addr, 0);
  read->code_addr = read->slots_addr = 4096;
  assert_memory_equal (read, table, table->len);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_size, table->len);
  free (read);
  free (table);
}

static void
test_write_refused (void **state)
{
  struct cs_table_disk *table = small_table ();
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  assert_int_equal (cs_table_write (table, folder, &err), -CS_E_REFUSED);
  assert_int_equal (cs_table_write (table, "/dev/null", &err),
                    -CS_E_REFUSED);
  assert_int_equal (cs_table_write (table, "/nowhere/t.cst", &err), -ENOENT);
  free (table);
}

/* The target of a symbolic link is replaced, not the link.  */
static void
test_write_through_link (void **state)
{
  struct cs_table_disk *table = small_table (), *read;
  struct cs_err err = CS_ERR_INIT;
  char link[128];
  struct stat st;

  (void) state;
  snprintf (link, sizeof link, "%s/link", folder);
  assert_int_equal (cs_table_write (table, path, &err), 0);
  assert_int_equal (symlink ("t.cst", link), 0);
  assert_int_equal (add (table, "liba.so.1", "h"), 3);
  assert_int_equal (cs_table_write (table, link, &err), 0);
  assert_int_equal (lstat (link, &st), 0);
  assert_true (S_ISLNK (st.st_mode));
  assert_int_equal (cs_table_read (path, &read, &err), 0);
  assert_int_equal (read->count, 4);
  free (read);
  free (table);
}

static int failing_sync;        /* which of those to come fails, from 1 */
static ino_t synced[4];
static bool was_named[4];       /* path was a name of it when it was synced */
static size_t nr_synced;

/* In place of libc's.  */
int
fsync (int fd)
{
  struct stat st, named;

  if (fstat (fd, &st) < 0)
    abort ();
  nr_synced %= 4;
  synced[nr_synced] = st.st_ino;
  was_named[nr_synced++] = stat (path, &named) == 0
                           && named.st_ino == st.st_ino;
  if (failing_sync > 0 && --failing_sync == 0)
    {
      errno = EIO;
      return -1;
    }
  return 0;
}

/* A power failure leaves the old table or the new one: the file is synced
   before it has the name, then the directory.  */
static void
test_write_is_durable (void **state)
{
  struct cs_table_disk *table = small_table (), *read;
  struct cs_err err = CS_ERR_INIT;
  struct stat file, directory;

  (void) state;
  nr_synced = 0;
  assert_int_equal (cs_table_write (table, path, &err), 0);
  assert_int_equal (stat (path, &file), 0);
  assert_int_equal (stat (folder, &directory), 0);
  assert_int_equal (nr_synced, 2);
  assert_true (synced[0] == file.st_ino && !was_named[0]);
  assert_true (synced[1] == directory.st_ino);

  assert_int_equal (add (table, "liba.so.1", "h"), 3);
  nr_synced = 0;
  failing_sync = 1;
  assert_int_equal (cs_table_write (table, path, &err), -EIO);
  assert_int_equal (cs_table_read (path, &read, &err), 0);
  assert_int_equal (read->count, 3);
  free (read);
  nr_synced = 0;
  failing_sync = 2;
  assert_int_equal (cs_table_write (table, path, &err), -EIO);
  nr_synced = 0;
  free (table);
}

/* Read PATH's LEN bytes from BYTES instead.  */
static int
read_bytes (const void *bytes, size_t len)
{
  struct cs_table_disk *table = NULL;
  struct cs_err err = CS_ERR_INIT;
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600), r;

  assert_true (fd >= 0);
  assert_int_equal (write (fd, bytes, len), len);
  close (fd);
  r = cs_table_read (path, &table, &err);
  assert_true (r == 0 || (!table && err.code == r && *err.text));
  free (table);
  return r;
}

static char *
table_bytes (size_t *len)
{
  struct cs_table_disk *table = small_table ();
  struct cs_err err = CS_ERR_INIT;
  char *bytes;
  int fd;

  *len = table->len;
  bytes = malloc (*len + 1);
  assert_int_equal (cs_table_write (table, path, &err), 0);
  fd = open (path, O_RDONLY);
  assert_int_equal (read (fd, bytes, *len + 1), *len);
  close (fd);
  free (table);
  return bytes;
}

static void
test_damage_at_every_byte (void **state)
{
  static const unsigned char changes[] = { 0x01, 0x80, 0xff };
  size_t len, i, k;
  char *bytes = table_bytes (&len);

  (void) state;
  assert_int_equal (read_bytes (bytes, len), 0);
  for (i = 0; i < len; i++)
    for (k = 0; k < sizeof changes; k++)
      {
        int r;

        bytes[i] ^= changes[k];
        r = read_bytes (bytes, len);
        /* In the version field it is a version that is not known.  */
        assert_int_equal (r, i >= 8 && i < 12 ? -CS_E_INCOMPATIBLE
                          : i >= 12 && i < 14 && r != -CS_E_DAMAGED
                          ? -CS_E_INCOMPATIBLE : -CS_E_DAMAGED);
        bytes[i] ^= changes[k];
      }
  /* In memory it is looked at as well.  */
  assert_int_equal (cs_table_check (bytes, len, "table", NULL), 0);
  bytes[64 + offsetof (struct cs_table_entry_disk, offset)] ^= 1;
  assert_int_equal (cs_table_check (bytes, len, "table", NULL),
                    -CS_E_DAMAGED);
  bytes[64 + offsetof (struct cs_table_entry_disk, offset)] ^= 1;
  /* A CRC of 0 is not "no CRC" in a file.  */
  memset (bytes + 56, 0, 4);
  assert_int_equal (read_bytes (bytes, len), -CS_E_DAMAGED);
  free (bytes);
}

static void
test_truncated_at_every_length (void **state)
{
  size_t len, i;
  char *bytes = table_bytes (&len);

  (void) state;
  for (i = 0; i < len; i++)
    assert_int_equal (read_bytes (bytes, i), -CS_E_DAMAGED);
  bytes[len] = 0;
  assert_int_equal (read_bytes (bytes, len + 1), -CS_E_DAMAGED);
  free (bytes);
}

static void
test_read_refused (void **state)
{
  struct cs_table_disk *table;
  struct cs_err err = CS_ERR_INIT;

  (void) state;
  assert_int_equal (cs_table_read (path, &table, &err), -ENOENT);
  assert_int_equal (cs_table_read (folder, &table, &err), -CS_E_REFUSED);
  assert_null (table);
}

/* Compiling.  */

/* Make lib NAME.so from SOURCE with the compiler's OPTIONS.  */
static void
build (const char *name, const char *source, const char *options)
{
  char command[512];
  FILE *file;

  snprintf (command, sizeof command, "%s/%s.c", folder, name);
  file = fopen (command, "w");
  assert_non_null (file);
  fputs (source, file);
  fclose (file);
  snprintf (command, sizeof command, "cd %s && cc %s -shared -fPIC -O1 "
            "-nostdlib -Wl,-soname,%s.so.1 -o %s.so.1 %s.c %s", folder,
            sizeof (void *) == 4 ? "-m32" : "", name, name, name, options);
  assert_int_equal (system (command), 0);
}

static struct cs_policy *
policy (const char *text)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *result;

  assert_int_equal (cs_policy_parse ("p", text, strlen (text), NULL, NULL,
                                     &result, &err), 0);
  return result;
}

static struct cs_table_disk *
compile (struct cs_policy *p, const char *name, struct cs_elf_list *list)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;
  const char *paths[] = { path };

  snprintf (path, sizeof path, "%s/%s.so.1", folder, name);
  assert_int_equal (cs_elf_list_open (p, paths, 1, list, &err), 0);
  assert_int_equal (cs_table_compile (p, (const struct cs_elf *const *)
                                      list->items, list->nr, &table, &err),
                    0);
  assert_int_equal (check (table, &err), 0);
  assert_int_equal (table->count, table->capacity);
  return table;
}

static const struct cs_table_entry_disk *
find (const struct cs_table_disk *table, const char *library,
      const char *name)
{
  long i = cs_table_find (table, library, name);

  return i < 0 ? NULL : cs_table_entry (table, i);
}

static void
build_pair (void)
{
  build ("libb", "int b_taken (void) { return 1; }\n"
         "int b_called (void) { return 2; }\nint b_data[4];\n"
         "static int b_hidden (void) { return 3; }\n"
         "void *b_table[] = { b_hidden };\n", "");
  build ("liba", "extern int b_taken (void), b_called (void);\n"
         "extern int far_away (void), maybe (void) __attribute__ ((weak));\n"
         "extern int nowhere (void);\n"
         "void *a_table[] = { b_taken, maybe, nowhere };\n"
         "int a_called (void) { return b_called (); }\n"
         "__thread int a_tls; int a_data = 1;\n", "libb.so.1");
}

/* A symbol whose name begins with the NUL that ends the one before.  */
static void
test_nameless (void **state)
{
  struct cs_policy *p = policy ("policy 1\nintern function *\n");
  struct cs_err err = CS_ERR_INIT;
  struct cs_table_disk *table;
  struct cs_elf *elf;
  char data[1 << 16], *name;
  FILE *file;
  size_t len;

  (void) state;
  build ("libn", "int n_nameless (void) { return 1; }\n"
         "extern int n_nowhere (void);\nvoid *n_table[] = { n_nowhere };\n"
         "int n_named (void) { return 2; }\n", "");
  snprintf (path, sizeof path, "%s/libn.so.1", folder);
  file = fopen (path, "rb");
  assert_non_null (file);
  len = fread (data, 1, sizeof data, file);
  fclose (file);
  assert_true (len > 0 && len < sizeof data);
  /* In .dynstr, and then in .strtab.  */
  while ((name = memmem (data, len, "n_nameless", 10))
         || (name = memmem (data, len, "n_nowhere", 9)))
    *name = '\0';
  assert_int_equal (cs_elf_open_memory ("n", data, len, &elf, &err), 0);
  assert_int_equal (cs_table_compile (p, (const struct cs_elf *const *) &elf,
                                      1, &table, &err), 0);
  assert_int_equal (check (table, &err), 0);
  assert_int_equal (table->count, 1);
  assert_non_null (find (table, "libn.so.1", "n_named"));
  free (table);
  cs_elf_close (elf);
  cs_policy_free (p);
}

static void
test_compile (void **state)
{
  struct cs_policy *p
    = policy ("policy 1\npersist lib[ab].so.1\n"
              "intern function * in persistent\nintern data a_data\n"
              "intern function nowhere in rebound\n");
  const struct cs_table_entry_disk *entry;
  struct cs_table_disk *table;
  struct cs_elf_list list;

  (void) state;
  build_pair ();
  table = compile (p, "liba", &list);
  /* libb was found beside liba.  */
  assert_int_equal (list.nr, 2);
  assert_string_equal (cs_elf_soname (list.items[1]), "libb.so.1");
  entry = find (table, "liba.so.1", "a_called");
  assert_non_null (entry);
  assert_int_equal (entry->flags, CS_TABLE_PERSISTENT);
  assert_int_equal (entry->kind, CS_SYMBOL_FUNCTION);
  assert_int_equal (entry->line, 3);
  assert_true (entry->size > 0 && entry->value == entry->offset);
  entry = find (table, "liba.so.1", "a_data");
  assert_non_null (entry);
  assert_int_equal (entry->size, sizeof (int));
  /* An import is entered under the library that defines it, with what that
     says of it.  */
  entry = find (table, "libb.so.1", "b_taken");
  assert_non_null (entry);
  assert_int_equal (entry->flags, CS_TABLE_PERSISTENT);
  assert_true (entry->offset > 0);
  assert_non_null (find (table, "libb.so.1", "b_called"));
  assert_null (find (table, "", "nowhere"));
  assert_null (find (table, "", "maybe"));
  assert_null (find (table, "libb.so.1", "b_data"));
  assert_null (find (table, "liba.so.1", "a_tls"));
  assert_null (find (table, "libb.so.1", "b_hidden"));
  free (table);
  cs_elf_list_fini (&list);
  cs_policy_free (p);
}

static void
test_compile_floating (void **state)
{
  struct cs_policy *p = policy ("policy 1\nintern function b_*\n"
                                "replace b_called with x:y\n"
                                "replace b_taken with x:y in libb*\n");
  struct cs_table_disk *table;
  struct cs_elf_list list;

  (void) state;
  build_pair ();
  table = compile (p, "liba", &list);
  /* libb is not persistent, so it was not read, and it gives its symbols no
     versions: its name is not known.  The kind is known only where the linker
     kept it.  */
  assert_int_equal (list.nr, 1);
  assert_null (find (table, "", "b_called"));
  assert_non_null (find (table, "", "b_taken"));
  assert_int_equal (find (table, "", "b_taken")->flags, 0);
  assert_int_equal (cs_policy_unused (p, NULL, NULL), 1);
  free (table);
  cs_elf_list_fini (&list);
  cs_policy_free (p);
}

static void
test_needed_not_found (void **state)
{
  struct cs_policy *p = policy ("policy 1\npersist lib[ab].so.1\n");
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf_list list;
  const char *paths[] = { path, path };

  (void) state;
  build_pair ();
  snprintf (path, sizeof path, "%s/libb.so.1", folder);
  unlink (path);
  snprintf (path, sizeof path, "%s/liba.so.1", folder);
  assert_int_equal (cs_elf_list_open (p, paths, 1, &list, &err),
                    -CS_E_INCOMPATIBLE);
  assert_non_null (strstr (err.text, "cannot find 'libb.so.1'"));
  cs_elf_list_fini (&list);
  assert_int_equal (cs_elf_list_open (p, paths, 2, &list, &err),
                    -CS_E_REFUSED);
  cs_elf_list_fini (&list);
  cs_policy_free (p);
}

/* In the folder that DT_RUNPATH names, relative to the library.  */
static void
test_needed_in_runpath (void **state)
{
  struct cs_policy *p = policy ("policy 1\npersist lib[ab].so.1\n");
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf_list list;
  const char *paths[] = { path };
  char command[512];

  (void) state;
  build ("libb", "int b (void) { return 1; }\n", "");
  build ("liba", "int b (void); int a (void) { return b (); }\n",
         "libb.so.1 -Wl,--enable-new-dtags "
         "-Wl,-rpath,'/nowhere:$ORIGIN/sub dir'");
  snprintf (command, sizeof command, "cd %s && mkdir 'sub dir' && "
            "mv libb.so.1 'sub dir'", folder);
  assert_int_equal (system (command), 0);
  snprintf (path, sizeof path, "%s/liba.so.1", folder);
  assert_int_equal (cs_elf_list_open (p, paths, 1, &list, &err), 0);
  assert_int_equal (list.nr, 2);
  assert_non_null (cs_elf_list_find (&list, "libb.so.1"));
  cs_elf_list_fini (&list);
  cs_policy_free (p);
}

static void
test_compare (void **state)
{
  static const struct
  {
    const char *source, *expected;
  } cases[] = {
    { "int f (int a) { return a; }\nint g[2];\n", "same" },
    { "int f (int a) { return a; }\nint h[2]; int g[2];\n", NULL },
    { "int f (int a) { return a; }\nint g[3];\n", "size-changed" },
    { "int f (int a) { return a; }\nint g (int a) { return a + f (a); }\n",
      "kind-changed" },
    { "int f (int a) { return a; }\nstatic int g[2]; int *h = g;\n",
      "missing" },
  };
  struct cs_policy *p = policy ("policy 1\nintern any [fg]\n");
  struct cs_table_disk *table;
  struct cs_elf_list list;
  size_t i;
  long g;

  (void) state;
  build ("libc", cases[0].source, "");
  table = compile (p, "libc", &list);
  g = cs_table_find (table, "libc.so.1", "g");
  for (i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      struct cs_err err = CS_ERR_INIT;
      struct cs_elf_list now;
      const char *paths[] = { path };
      const char *status;

      build ("libc", cases[i].source, "");
      assert_int_equal (cs_elf_list_open (p, paths, 1, &now, &err), 0);
      status = cs_compare_name
        (cs_compare_entry (table, g, (const struct cs_elf *const *)
                           now.items, now.nr).status);
      if (cases[i].expected)
        assert_string_equal (status, cases[i].expected);
      cs_elf_list_fini (&now);
    }
  assert_int_equal (cs_compare_entry (table, g, NULL, 0).status,
                    CS_COMPARE_NOT_CHECKED);
  free (table);
  cs_elf_list_fini (&list);
  cs_policy_free (p);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, make_folder, remove_folder)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_add_and_find),
    TEST (test_add_again),
    TEST (test_no_room),
    TEST (test_copy),
    TEST (test_t1),
    TEST (test_t2),
    TEST (test_t3),
    TEST (test_t4),
    TEST (test_incompatible),
    TEST (test_write_and_read),
    TEST (test_write_refused),
    TEST (test_write_through_link),
    TEST (test_write_is_durable),
    TEST (test_damage_at_every_byte),
    TEST (test_truncated_at_every_length),
    TEST (test_read_refused),
    TEST (test_compile),
    TEST (test_nameless),
    TEST (test_compile_floating),
    TEST (test_needed_not_found),
    TEST (test_needed_in_runpath),
    TEST (test_compare),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
