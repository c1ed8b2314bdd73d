/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-elf.c -- shared libraries: reading, rebasing, what a policy interns.

   Input: the file.  Seeds are the small libraries that tests/elf/build.sh
   makes, in $CS_TEST_ELF_DIR.  */

#include <dirent.h>

#include "intern/plt-got.h"
#include "intern/policy.h"
#include "intern/rebase.h"
#include "intern/table.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

/* All results are there, and strings end.  */
static void
walk (const struct cs_elf *elf)
{
  const struct cs_elf_layout *layout = cs_elf_layout (elf);
  size_t nr = cs_elf_nr_symbols (elf), total;

  REQUIRE (cs_elf_arch (elf) && cs_elf_data (elf, &total)
           && layout->data_start >= layout->start
           && layout->data_len <= layout->len);
  total = strlen (cs_elf_soname (elf)) + strlen (cs_elf_build_id (elf));
  for (size_t i = 0; i < nr; i++)
    {
      const struct cs_elf_symbol *s = cs_elf_symbol_get (elf, i);

      total += strlen (s->name) + strlen (s->version);
      cs_elf_symbol_find (elf, s->name);
    }
  for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
    REQUIRE (cs_elf_reloc_get (elf, i)->symbol < nr
             || cs_elf_reloc_get (elf, i)->symbol == 0);
  for (size_t i = 0; i < cs_elf_nr_needed (elf); i++)
    total += strlen (cs_elf_needed (elf, i));
  REQUIRE (total < SIZE_MAX);
}

/* Every symbolic word gets its symbol's value, or none.  */
static bool
resolve (void *closure, const struct cs_elf_symbol *symbol,
         const struct cs_elf_reloc *reloc, uint64_t *value)
{
  (void) closure;
  (void) reloc;
  *value = 0x10000000;
  return symbol->name[0] % 2;
}

/* The slot of the trampoline that each of those symbols has.  */
static uint64_t
find_slot (void *closure, uint64_t addr)
{
  (void) closure;
  return addr == 0x10000000 ? 0x20000000 : 0;
}

/* The copy is a library again (rebase.h).  */
static void
rebase (const struct cs_elf *elf, cs_rebase_resolver *resolver)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *again;
  uint64_t align = cs_elf_layout (elf)->align;
  uint64_t base = 0x40000000 / align * align;

  fuzz_answer (cs_rebase (elf, base, resolver, NULL, &copy, &err), &err);
  if (err.code < 0)
    return;
  for (size_t i = 1; i < copy.nr_slots; i++)
    REQUIRE (copy.slots[i].addr >= copy.slots[i - 1].addr);
  REQUIRE (cs_plt_got_direct (elf, base, find_slot, NULL, &copy, &err) == 0);
  fuzz_answer (cs_elf_open_memory ("copy", copy.data, copy.len, &again, &err),
               &err);
  if (err.code < 0)
    fprintf (stderr, "the copy: %s\n", err.text);
  REQUIRE (err.code == 0);
  walk (again);
  cs_elf_close (again);
  cs_rebased_fini (&copy);
}

static void
compile (const struct cs_elf *elf)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;
  struct cs_table_disk *table = NULL;

  REQUIRE (cs_policy_parse ("p", "policy 1\nintern any *\n", 22, NULL, NULL,
                            &policy, &err) == 0);
  fuzz_answer (cs_table_compile (policy, &elf, 1, &table, &err), &err);
  if (err.code == 0)
    {
      REQUIRE (cs_table_check (table, (size_t) table->len, "t", &err) == 0);
      free (table);
    }
  cs_policy_free (policy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf *elf = NULL;

  fuzz_answer (cs_elf_open_memory ("library", data, len, &elf, &err), &err);
  if (err.code < 0)
    return 0;
  fuzz_accepted++;
  walk (elf);
  rebase (elf, NULL);
  rebase (elf, resolve);
  compile (elf);
  cs_elf_close (elf);
  return 0;
}

static int
is_library (const struct dirent *entry)
{
  size_t len = strlen (entry->d_name);

  return len > 3 && strcmp (entry->d_name + len - 3, ".so") == 0;
}

/* Those that are refused are seeds as well.  */
static void
give_file (const char *folder, const char *name, fuzz_seed *seed,
           void *closure)
{
  static char data[1 << 18];
  char path[4096];
  struct cs_elf *elf;
  FILE *file;
  size_t len;
  bool valid;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  file = fopen (path, "rb");
  REQUIRE (file);
  len = fread (data, 1, sizeof data, file);
  fclose (file);
  if (len == sizeof data)
    return;                     /* too large to be changed in time */
  valid = cs_elf_open (path, &elf, NULL) == 0;
  if (valid)
    cs_elf_close (elf);
  seed (closure, name, data, len, valid);
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  const char *folder = getenv ("CS_TEST_ELF_DIR");
  struct dirent **entries;
  int nr;

  folder = folder ? folder : "build/elf";
  nr = scandir (folder, &entries, is_library, alphasort);
  if (nr <= 0)
    fprintf (stderr, "no libraries in '%s': set CS_TEST_ELF_DIR\n", folder);
  REQUIRE (nr > 0);
  for (int i = 0; i < nr; i++)
    {
      give_file (folder, entries[i]->d_name, seed, closure);
      free (entries[i]);
    }
  free (entries);
}
