/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-rebase.c -- copies that load at one address.

   Copies for both machines are compared with their originals.  Those for
   this machine are loaded too, each in a process of its own: this program
   runs itself with the arguments "load BASE RESOLVE LIBRARY...".  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <gelf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "elf-fixture.h"
#include "intern/rebase.h"

#ifdef __i386__
# define BASE 0x68000000u
#else
# define BASE 0x1ff000000000u
#endif
/* From one library to the next; a multiple of every alignment.  */
#define STEP 0x1000000u

static const char *const machines[] = { "x86_64", "i386" };
static const char *const names[]
  = { "plain", "tls", "ifunc", "tables", "versions", "needs", "relr", "sysv",
      "norelro", "aligned", "marked" };

enum { NR_NAMES = sizeof names / sizeof *names };

#define NATIVE (cs_arch_native ()->name)

static uint64_t
base_for (const struct cs_elf *elf)
{
  return cs_elf_arch (elf)->word_len == 8 ? 0x1ff000000000u : 0x68000000u;
}

/* -- A resolver for the symbols of libraries whose places are known.  */

struct place
{
  const struct cs_elf *elf;
  uint64_t base;
};

struct world
{
  struct place places[4];
  size_t nr;
};

static bool
resolve (void *closure, const struct cs_elf_symbol *symbol,
         const struct cs_elf_reloc *reloc, uint64_t *value)
{
  const struct world *world = closure;

  assert_true (reloc->kind == CS_RELOC_GLOB_DAT
               || reloc->kind == CS_RELOC_JUMP_SLOT
               || reloc->kind == CS_RELOC_ABSOLUTE);
  for (size_t i = 0; i < world->nr; i++)
    {
      const struct cs_elf_symbol *found
        = cs_elf_symbol_find (world->places[i].elf, symbol->name);

      if (!found || found->ifunc || found->tls || found->absolute)
        continue;
      *value = found->value + world->places[i].base;
      return true;
    }
  return false;
}

/* -- Loading, in a process of its own.  */

#define DEMAND(condition) \
  do \
    if (!(condition)) \
      { \
        fprintf (stderr, "line %d: not so: %s\n", __LINE__, #condition); \
        exit (1); \
      } \
  while (0)

/* Move the library at PATH to BASE and load it from memory.  */
static void *
load (struct world *world, const char *path, uint64_t base, bool resolving)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  char name[64];
  void *handle;
  int fd;

  if (cs_elf_open (path, &elf, &err) < 0)
    {
      fprintf (stderr, "%s\n", err.text);
      exit (1);
    }
  world->places[world->nr++] = (struct place) { elf, base };
  if (cs_rebase (elf, base, resolving ? resolve : NULL, world, &copy, &err)
      < 0)
    {
      fprintf (stderr, "%s\n", err.text);
      exit (1);
    }
  fd = memfd_create ("copy", MFD_CLOEXEC);
  DEMAND (write (fd, copy.data, copy.len) == (ssize_t) copy.len);
  cs_rebased_fini (&copy);
  snprintf (name, sizeof name, "/proc/self/fd/%d", fd);
  handle = dlopen (name, RTLD_LAZY | RTLD_GLOBAL);
  if (!handle)
    {
      fprintf (stderr, "%s\n", dlerror ());
      exit (1);
    }
  return handle;
}

struct search
{
  uint64_t start;
  bool found;
};

/* The unwinder finds its tables this way.  */
static int
find_segments (struct dl_phdr_info *info, size_t size, void *closure)
{
  struct search *search = closure;

  (void) size;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_addr == 0
        && info->dlpi_phdr[i].p_vaddr == search->start)
      search->found = true;
  return search->found;
}

/* Is HANDLE, the last library of WORLD, where it is meant to be?  */
static void
check_place (const struct world *world, void *handle)
{
  const struct place *place = &world->places[world->nr - 1];
  struct search search = { place->base, false };
  struct link_map *map;

  DEMAND (dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0);
  DEMAND (map->l_addr == 0);
  dl_iterate_phdr (find_segments, &search);
  DEMAND (search.found);
  for (size_t i = 1; i < cs_elf_nr_symbols (place->elf); i++)
    {
      const struct cs_elf_symbol *symbol = cs_elf_symbol_get (place->elf, i);
      void *addr;
      Dl_info info;

      if (symbol->kind == CS_SYMBOL_OTHER || symbol->ifunc || symbol->absolute
          || cs_elf_symbol_find (place->elf, symbol->name) != symbol)
        continue;
      addr = dlsym (handle, symbol->name);
      DEMAND ((uintptr_t) addr == place->base + symbol->value);
      DEMAND (dladdr (addr, &info) != 0);
      DEMAND ((uintptr_t) info.dli_fbase == place->base);
    }
}

/* The interpreter works: memory, bignums (libgmp), a collection.  */
static void
check_guile (void *gc, void *guile)
{
  unsigned (*gc_version) (void) = dlsym (gc, "GC_get_version");
  void *(*with_guile) (void *(*) (void *), void *)
    = dlsym (guile, "scm_with_guile");
  void *(*eval) (const char *) = dlsym (guile, "scm_c_eval_string");
  int (*is_true) (void *) = dlsym (guile, "scm_to_bool");

  DEMAND (gc_version && gc_version () >> 16 >= 7);
  DEMAND (with_guile && eval && is_true);
  DEMAND (is_true (with_guile ((void *(*) (void *)) (uintptr_t) eval,
                               (void *)
                               "(let ((l (map (lambda (i) (expt 7 i))"
                               "              (iota 1000))))"
                               "  (gc)"
                               "  (and (catch #t (lambda () (error \"x\"))"
                               "         (lambda args #t))"
                               "       (= (modulo (apply + l) 1000003)"
                               "          (modulo (/ (- (expt 7 1000) 1) 6)"
                               "                  1000003))))")));
}

/* "load BASE RESOLVE LIBRARY...": exits with 0 if all is well.  */
static int
load_all (int argc, char **argv)
{
  uint64_t base = strtoull (argv[2], NULL, 0);
  bool resolving = atoi (argv[3]);
  struct world world = { .nr = 0 };
  void *handle = NULL, *previous = NULL;
  int (*check) (void);

  for (int i = 4; i < argc; i++, base += STEP)
    {
      previous = handle;
      handle = load (&world, argv[i], base, resolving);
      check_place (&world, handle);
    }
  check = dlsym (handle, "check");
  if (check)
    {
      int res = check ();

      if (res != 0)
        fprintf (stderr, "check: %d\n", res);
      _exit (res);
    }
  check_guile (previous, handle);
  _exit (0);
}

/* Run this program to load the libraries at PATHS (NULL for none).  */
static void
run_load (const char *first, const char *second, bool resolving, bool now)
{
  char base[32];
  pid_t pid;
  int status;

  snprintf (base, sizeof base, "%#llx", (unsigned long long) BASE);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    {
      if (now)
        setenv ("LD_BIND_NOW", "1", 1);
      else
        unsetenv ("LD_BIND_NOW");
      /* libgc and the interpreter have no leaks to report.  */
      setenv ("ASAN_OPTIONS", "detect_leaks=0", 1);
      setenv ("GUILE_AUTO_COMPILE", "0", 1);
      execl ("/proc/self/exe", "test-rebase", "load", base,
             resolving ? "1" : "0", first, second, NULL);
      _exit (127);
    }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  if (status != 0)
    fail_msg ("%s (resolving %d, LD_BIND_NOW %d): status 0x%x",
              second ? second : first, resolving, now, status);
}

static void
run_loads (const char *first, const char *second)
{
  for (int i = 0; i < 4; i++)
    run_load (first, second, i & 1, i & 2);
}

static void
loads_fixtures (void **state)
{
  char path[4096], other[4096];
  size_t nr = 0;

  (void) state;
  for (size_t i = 0; i < NR_NAMES; i++)
    {
      if (!fixture_path (names[i], NATIVE, path))
        continue;
      if (strcmp (names[i], "needs") != 0)
        run_loads (path, NULL);
      else if (fixture_path ("plain", NATIVE, other))
        run_loads (other, path);
      nr++;
    }
  if (nr == 0)
    skip ();
}

static void
loads_guile (void **state)
{
  char gc[4096], guile[4096];

  (void) state;
  if (!system_path ("libgc.so.1", gc)
      || !system_path ("libguile-3.0.so.1", guile))
    {
      print_message ("no libgc.so.1 or no libguile-3.0.so.1 here\n");
      skip ();
    }
  run_loads (gc, guile);
}

/* -- Comparing a copy with its original.  */

/* What the word at ADDR of the library in LEN bytes at DATA holds; false if
   it is not in the file.  */
static bool
word_at (const void *data, size_t len, uint64_t addr, uint64_t *value)
{
  Elf *elf = elf_memory ((char *) (uintptr_t) data, len);
  size_t word_len = gelf_getclass (elf) == ELFCLASS64 ? 8 : 4;
  bool found = false;
  GElf_Phdr ph;
  size_t nr;

  assert_int_equal (elf_getphdrnum (elf, &nr), 0);
  for (size_t i = 0; i < nr; i++)
    if (gelf_getphdr (elf, i, &ph) && ph.p_type == PT_LOAD
        && addr >= ph.p_vaddr && addr + word_len <= ph.p_vaddr + ph.p_filesz)
      {
        *value = 0;
        memcpy (value, (const char *) data + ph.p_offset + addr - ph.p_vaddr,
                word_len);
        found = true;
      }
  elf_end (elf);
  return found;
}

/* An original, its copy, and the copy read again.  */
struct pair
{
  struct cs_elf *elf;
  struct cs_rebased copy;
  struct cs_elf *again;
  uint64_t base;
  struct world world;
};

static bool
open_pair (const char *name, const char *machine, bool resolving,
           struct pair *pair)
{
  struct cs_err err = CS_ERR_INIT;
  char path[4096];

  *pair = (struct pair) { .elf = NULL };
  if (!fixture_path (name, machine, path))
    {
      print_message ("not built: %s for %s\n", name, machine);
      return false;
    }
  if (cs_elf_open (path, &pair->elf, &err) < 0)
    fail_msg ("%s", err.text);
  pair->base = base_for (pair->elf);
  pair->world = (struct world) { { { pair->elf, pair->base } }, 1 };
  if (cs_rebase (pair->elf, pair->base, resolving ? resolve : NULL,
                 &pair->world, &pair->copy, &err) < 0
      || cs_elf_open_memory ("copy", pair->copy.data, pair->copy.len,
                             &pair->again, &err) < 0)
    fail_msg ("%s", err.text);
  return true;
}

static void
close_pair (struct pair *pair)
{
  cs_elf_close (pair->again);
  cs_rebased_fini (&pair->copy);
  cs_elf_close (pair->elf);
}

/* The dynamic entry with TAG of the 64-bit library at DATA, or NULL.  */
static Elf64_Dyn *
find_tag (unsigned char *data, int64_t tag)
{
  const Elf64_Ehdr *header = (const void *) data;
  const Elf64_Phdr *ph = (const void *) (data + header->e_phoff);
  Elf64_Dyn *dyn;

  while (ph->p_type != PT_DYNAMIC)
    ph++;
  for (dyn = (void *) (data + ph->p_offset); dyn->d_tag != tag; dyn++)
    if (dyn->d_tag == DT_NULL)
      return NULL;
  return dyn;
}

/* An entry point moves, as that of libc.so.6, which can be executed; a library
   without one has none afterwards.  */
static void
moves_the_entry_point (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  const void *original;
  unsigned char *data;
  char path[4096];
  size_t len;

  (void) state;
  if (!fixture_path ("plain", "x86_64", path))
    skip ();
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  original = cs_elf_data (elf, &len);
  data = memcpy (malloc (len), original, len);
  cs_elf_close (elf);
  for (uint64_t entry = 0; entry <= 0x1010; entry += 0x1010)
    {
      ((Elf64_Ehdr *) data)->e_entry = entry;
      assert_int_equal (cs_elf_open_memory ("entry", data, len, &elf, &err),
                        0);
      assert_int_equal (cs_rebase (elf, base_for (elf), NULL, NULL, &copy,
                                   &err), 0);
      assert_int_equal (((const Elf64_Ehdr *) copy.data)->e_entry,
                        entry ? entry + base_for (elf) : 0);
      cs_rebased_fini (&copy);
      cs_elf_close (elf);
    }
  free (data);
}

/* ld.so must not bind the copy's calls in its code (arch.h, is_plt_tag).  */
static void
drops_marks_of_the_plt (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  const void *original;
  unsigned char *data;
  char path[4096];
  size_t len;

  (void) state;
  if (!fixture_path ("plain", "x86_64", path))
    skip ();
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  original = cs_elf_data (elf, &len);
  data = memcpy (malloc (len), original, len);
  cs_elf_close (elf);
  find_tag (data, DT_FINI)->d_tag = DT_LOPROC;
  assert_int_equal (cs_elf_open_memory ("marked", data, len, &elf, &err), 0);
  assert_int_equal (cs_rebase (elf, base_for (elf), NULL, NULL, &copy, &err),
                    0);
  assert_non_null (find_tag (copy.data, DT_DEBUG));
  assert_null (find_tag (copy.data, DT_LOPROC));
  cs_rebased_fini (&copy);
  cs_elf_close (elf);
  free (data);
}

static uint64_t
word_of_copy (const struct pair *pair, const struct cs_elf_reloc *reloc)
{
  uint64_t value = 0;

  assert_true (word_at (pair->copy.data, pair->copy.len,
                        reloc->off + pair->base, &value));
  return value;
}

static uint64_t
word_of_original (const struct pair *pair, const struct cs_elf_reloc *reloc)
{
  uint64_t value = 0;
  size_t len;
  const void *data = cs_elf_data (pair->elf, &len);

  assert_true (word_at (data, len, reloc->off, &value));
  return value;
}

static const struct cs_rebase_slot *
slot_at (const struct pair *pair, uint64_t addr)
{
  for (size_t i = 0; i < pair->copy.nr_slots; i++)
    if (pair->copy.slots[i].addr == addr)
      return &pair->copy.slots[i];
  return NULL;
}

static void
compare_layout (const struct pair *pair)
{
  const struct cs_elf_layout *a = cs_elf_layout (pair->elf);
  const struct cs_elf_layout *b = cs_elf_layout (pair->again);
  size_t len;

  assert_int_equal (b->start, a->start + pair->base);
  assert_int_equal (b->len, a->len);
  assert_int_equal (b->align, 4096);
  assert_int_equal (b->data_start, a->data_start + pair->base);
  assert_int_equal (b->data_len, a->data_len);
  assert_int_equal (b->got_plt, a->got_plt ? a->got_plt + pair->base : 0);
  cs_elf_data (pair->elf, &len);
  assert_int_equal (pair->copy.len, len);
  assert_string_equal (cs_elf_soname (pair->again),
                       cs_elf_soname (pair->elf));
  assert_string_equal (cs_elf_build_id (pair->again),
                       cs_elf_build_id (pair->elf));
}

static void
compare_symbols (const struct pair *pair)
{
  assert_int_equal (cs_elf_nr_symbols (pair->again),
                    cs_elf_nr_symbols (pair->elf));
  for (size_t i = 1; i < cs_elf_nr_symbols (pair->elf); i++)
    {
      const struct cs_elf_symbol *a = cs_elf_symbol_get (pair->elf, i);
      const struct cs_elf_symbol *b = cs_elf_symbol_get (pair->again, i);
      bool moved = a->defined && !a->tls && !a->absolute;

      assert_string_equal (b->name, a->name);
      assert_string_equal (b->version, a->version);
      assert_int_equal (b->value, a->value + (moved ? pair->base : 0));
    }
}

/* GOT[0] leads to the dynamic section.  */
static void
compare_got (const struct pair *pair)
{
  struct cs_elf_reloc got = { .off = cs_elf_layout (pair->elf)->got_plt };

  if (got.off != 0)
    assert_int_equal (word_of_copy (pair, &got),
                      word_of_original (pair, &got) + pair->base);
}

/* What became of one relocation, when nothing is resolved.  */
static void
compare_reloc (const struct pair *pair, const struct cs_elf_reloc *reloc)
{
  const struct cs_rebase_slot *slot = slot_at (pair, reloc->off + pair->base);

  if (reloc->kind == CS_RELOC_RELATIVE)
    {
      assert_null (slot);
      assert_int_equal (word_of_copy (pair, reloc),
                        (uint64_t) reloc->addend + pair->base);
      return;
    }
  assert_non_null (slot);
  assert_int_equal (slot->symbol, reloc->symbol);
  assert_int_equal (slot->kind, reloc->kind);
  if (reloc->plt && reloc->kind == CS_RELOC_JUMP_SLOT)
    assert_int_equal (word_of_copy (pair, reloc),
                      word_of_original (pair, reloc) + pair->base);
}

/* The records that are left, in their old order.  */
static void
compare_records (const struct pair *pair)
{
  size_t k = 0;

  for (size_t i = 0; i < cs_elf_nr_relocs (pair->elf); i++)
    {
      const struct cs_elf_reloc *a = cs_elf_reloc_get (pair->elf, i);
      const struct cs_elf_reloc *b;
      uint64_t addend = a->addend;

      if (a->kind == CS_RELOC_RELATIVE)
        continue;
      assert_true (k < cs_elf_nr_relocs (pair->again));
      b = cs_elf_reloc_get (pair->again, k++);
      assert_int_equal (b->off, a->off + pair->base);
      assert_int_equal (b->type, a->type);
      assert_int_equal (b->symbol, a->symbol);
      assert_int_equal (b->plt, a->plt);
      if (a->kind == CS_RELOC_IRELATIVE
          || (a->kind == CS_RELOC_JUMP_SLOT && !cs_elf_arch (pair->elf)->rela))
        addend += pair->base;
      assert_int_equal (b->addend, addend);
    }
  assert_int_equal (k, cs_elf_nr_relocs (pair->again));
  assert_int_equal (k, pair->copy.nr_slots);
}

static void
moves_everything (void **state)
{
  (void) state;
  for (size_t n = 0; n < NR_NAMES; n++)
    for (size_t m = 0; m < 2; m++)
      {
        struct pair pair;

        if (!open_pair (names[n], machines[m], false, &pair))
          continue;
        compare_layout (&pair);
        compare_symbols (&pair);
        compare_got (&pair);
        for (size_t i = 0; i < cs_elf_nr_relocs (pair.elf); i++)
          compare_reloc (&pair, cs_elf_reloc_get (pair.elf, i));
        compare_records (&pair);
        for (size_t i = 1; i < pair.copy.nr_slots; i++)
          assert_true (pair.copy.slots[i - 1].addr < pair.copy.slots[i].addr);
        close_pair (&pair);
      }
}

/* With a resolver, known words are stored and are nobody's slots.  */
static void
stores_what_is_resolved (void **state)
{
  (void) state;
  for (size_t n = 0; n < NR_NAMES; n++)
    for (size_t m = 0; m < 2; m++)
      {
        struct pair pair;
        size_t slots = 0, stored = 0;

        if (!open_pair (names[n], machines[m], true, &pair))
          continue;
        for (size_t i = 0; i < cs_elf_nr_relocs (pair.elf); i++)
          {
            const struct cs_elf_reloc *reloc = cs_elf_reloc_get (pair.elf, i);
            uint64_t value;

            if (reloc->kind != CS_RELOC_GLOB_DAT
                && reloc->kind != CS_RELOC_JUMP_SLOT
                && reloc->kind != CS_RELOC_ABSOLUTE)
              {
                compare_reloc (&pair, reloc);
                slots += reloc->kind != CS_RELOC_RELATIVE;
                continue;
              }
            if (!resolve (&pair.world,
                          cs_elf_symbol_get (pair.elf, reloc->symbol), reloc,
                          &value))
              {
                compare_reloc (&pair, reloc);
                slots++;
                continue;
              }
            if (reloc->kind == CS_RELOC_ABSOLUTE)
              value += reloc->addend;
            assert_int_equal (word_of_copy (&pair, reloc), value);
            assert_null (slot_at (&pair, reloc->off + pair.base));
            stored++;
          }
        assert_int_equal (slots, pair.copy.nr_slots);
        /* Of these there is something to store.  */
        assert_true (stored > 0 || strcmp (names[n], "plain") != 0);
        for (size_t i = 0; i < cs_elf_nr_relocs (pair.again); i++)
          {
            const struct cs_elf_reloc *reloc = cs_elf_reloc_get (pair.again,
                                                                 i);

            assert_true (reloc->plt || slot_at (&pair, reloc->off));
          }
        close_pair (&pair);
      }
}

/* A copy is a library as it should be: moving it by nothing changes nothing.
   (It cannot go elsewhere, since its RELATIVE records are gone.)  */
static void
moves_copies_by_nothing (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_err err = CS_ERR_INIT;
      struct cs_rebased direct, twice;
      struct pair pair;

      if (!open_pair ("versions", machines[m], false, &pair))
        continue;
      if (cs_rebase (pair.again, 0, NULL, NULL, &twice, &err) < 0
          || cs_rebase (pair.elf, pair.base, NULL, NULL, &direct, &err) < 0)
        fail_msg ("%s", err.text);
      assert_int_equal (twice.len, direct.len);
      assert_memory_equal (twice.data, direct.data, direct.len);
      cs_rebased_fini (&twice);
      cs_rebased_fini (&direct);
      close_pair (&pair);
    }
}

/* -- What is refused.  */

static void
refuses_bad_places (void **state)
{
  static const struct { uint64_t base; const char *text; } cases[] = {
    { 0x1234, "is not a multiple of the alignment 0x1000" },
    { UINT64_C (0x7ffffffff000), "leads out of the machine's range" },
    { UINT64_C (0xfffffffffffff000), "leads out of the machine's range" }
  };
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  char path[4096];

  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      if (!fixture_path ("plain", machines[m], path))
        continue;
      assert_int_equal (cs_elf_open (path, &elf, &err), 0);
      for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        {
          assert_int_equal (cs_rebase (elf, cases[i].base, NULL, NULL, &copy,
                                       &err), -CS_E_INCOMPATIBLE);
          if (!strstr (err.text, cases[i].text) || !strstr (err.text, path))
            fail_msg ("'%s'", err.text);
        }
      cs_elf_close (elf);
    }
}

static void
refuses_unaligned_places (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  char path[4096];

  (void) state;
  if (!fixture_path ("aligned", NATIVE, path))
    skip ();
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  assert_int_equal (cs_elf_layout (elf)->align, 0x10000);
  assert_int_equal (cs_rebase (elf, BASE + 0x1000, NULL, NULL, &copy, &err),
                    -CS_E_INCOMPATIBLE);
  assert_int_equal (cs_rebase (elf, BASE + 0x10000, NULL, NULL, &copy, &err),
                    0);
  cs_rebased_fini (&copy);
  cs_elf_close (elf);
}

static bool
resolve_far (void *closure, const struct cs_elf_symbol *symbol,
             const struct cs_elf_reloc *reloc, uint64_t *value)
{
  (void) closure;
  (void) symbol;
  (void) reloc;
  *value = UINT64_C (0x100000000);
  return true;
}

static bool
resolve_near (void *closure, const struct cs_elf_symbol *symbol,
              const struct cs_elf_reloc *reloc, uint64_t *value)
{
  resolve_far (closure, symbol, reloc, value);
  *value = 0x10000000;
  return true;
}

static void
refuses_values_that_do_not_fit (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  char path[4096];

  (void) state;
  if (!fixture_path ("plain", "i386", path))
    skip ();
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  assert_int_equal (cs_rebase (elf, 0x68000000, resolve_far, NULL, &copy,
                               &err), -CS_E_INCOMPATIBLE);
  assert_non_null (strstr (err.text, "does not fit a word of 4 bytes"));
  cs_elf_close (elf);
}

/* -- Words that have no bytes in the file, or are not to be stored.  */

/* The address of the word with the address of the symbols' table.  */
static uint64_t
symtab_word (const void *data, size_t len)
{
  Elf *elf = elf_memory ((char *) (uintptr_t) data, len);
  size_t word_len = gelf_getclass (elf) == ELFCLASS64 ? 8 : 4, nr;
  uint64_t addr = 0, tag;
  GElf_Phdr ph;

  assert_int_equal (elf_getphdrnum (elf, &nr), 0);
  for (size_t i = 0; i < nr; i++)
    if (gelf_getphdr (elf, i, &ph) && ph.p_type == PT_DYNAMIC)
      for (uint64_t at = ph.p_vaddr; addr == 0; at += 2 * word_len)
        {
          assert_true (word_at (data, len, at, &tag) && tag != DT_NULL);
          addr = tag == DT_SYMTAB ? at + word_len : 0;
        }
  elf_end (elf);
  assert_true (addr != 0);
  return addr;
}

/* Where in the copy of a library, LEN bytes at DATA, RELOC is.  */
static uint8_t *
find_record (uint8_t *data, size_t len, const struct cs_elf_reloc *reloc,
             size_t word_len)
{
  uint8_t *at = data;

  /* The record begins with the word's address.  */
  while ((at = memmem (at, data + len - at, &reloc->off, word_len))
         && at[word_len] != reloc->type)
    at++;
  assert_non_null (at);
  return at;
}

/* Let the first record of KIND in fixture `plain` for MACHINE lead to the
   last word of .bss, or if IN_DYNAMIC to one of the dynamic section.  Returns
   the changed file (given), or NULL.  */
static void *
aim_record (const char *machine, enum cs_reloc_kind kind, bool in_dynamic,
            size_t *len, uint64_t *addr)
{
  struct cs_elf *elf;
  const uint8_t *data;
  uint8_t *copy;
  char path[4096];
  size_t word_len;

  if (!fixture_path ("plain", machine, path))
    return NULL;
  assert_int_equal (cs_elf_open (path, &elf, NULL), 0);
  data = cs_elf_data (elf, len);
  word_len = cs_elf_arch (elf)->word_len;
  copy = malloc (*len);
  memcpy (copy, data, *len);
  *addr = in_dynamic ? symtab_word (data, *len)
          : cs_elf_symbol_find (elf, "plain_initialized")->value & -word_len;
  for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
    {
      const struct cs_elf_reloc *reloc = cs_elf_reloc_get (elf, i);

      if (reloc->kind != kind)
        continue;
      memcpy (find_record (copy, *len, reloc, word_len), addr, word_len);
      break;
    }
  cs_elf_close (elf);
  return copy;
}

static void
keeps_records_of_bss (void **state)
{
  static const enum cs_reloc_kind kinds[]
    = { CS_RELOC_GLOB_DAT, CS_RELOC_RELATIVE };

  (void) state;
  for (size_t m = 0; m < 2; m++)
    for (size_t k = 0; k < 2; k++)
      {
        struct cs_err err = CS_ERR_INIT;
        struct cs_rebased copy;
        struct cs_elf *elf, *again;
        struct world world;
        uint64_t addr, base;
        size_t len, found = 0;
        void *data = aim_record (machines[m], kinds[k], false, &len,
                                 &addr);
        int res;

        if (!data)
          continue;
        if (cs_elf_open_memory ("bss", data, len, &elf, &err) < 0)
          fail_msg ("%s", err.text);
        base = base_for (elf);
        world = (struct world) { { { elf, base } }, 1 };
        res = cs_rebase (elf, base, resolve, &world, &copy, &err);
        if (kinds[k] == CS_RELOC_RELATIVE && !cs_elf_arch (elf)->rela)
          {
            /* The addend would have to be in the word.  */
            assert_int_equal (res, -CS_E_INCOMPATIBLE);
            assert_non_null (strstr (err.text, "is not in the file"));
          }
        else
          {
            if (res < 0 || cs_elf_open_memory ("copy", copy.data, copy.len,
                                               &again, &err) < 0)
              fail_msg ("%s", err.text);
            for (size_t i = 0; i < cs_elf_nr_relocs (again); i++)
              found += cs_elf_reloc_get (again, i)->off == addr + base;
            assert_int_equal (found, 1);
            cs_elf_close (again);
            cs_rebased_fini (&copy);
          }
        cs_elf_close (elf);
        free (data);
      }
}

static void
refuses_words_of_the_dynamic_section (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_err err = CS_ERR_INIT;
      struct cs_rebased copy;
      struct cs_elf *elf;
      uint64_t addr;
      size_t len;
      void *data = aim_record (machines[m], CS_RELOC_GLOB_DAT, true, &len,
                               &addr);

      if (!data)
        continue;
      if (cs_elf_open_memory ("aimed", data, len, &elf, &err) < 0)
        fail_msg ("%s", err.text);
      assert_int_equal (cs_rebase (elf, base_for (elf), resolve_near, NULL,
                                   &copy, &err), -CS_E_INCOMPATIBLE);
      assert_non_null (strstr (err.text, "what ld.so needs"));
      cs_elf_close (elf);
      free (data);
    }
}

/* A record that does nothing may name a symbol that there is not.  */
static void
ignores_symbols_of_no_relocation (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_elf_reloc *reloc;
  const size_t word_len = sizeof (void *);
  struct cs_elf *elf;
  char path[4096];
  uint8_t *data, *at;
  size_t len, i = 0;

  (void) state;
  assert_true (fixture_path ("plain", NATIVE, path));
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  cs_elf_data (elf, &len);
  data = memcpy (malloc (len), cs_elf_data (elf, &len), len);
  while (cs_elf_reloc_get (elf, i)->kind != CS_RELOC_GLOB_DAT)
    i++;
  reloc = cs_elf_reloc_get (elf, i);
  at = find_record (data, len, reloc, word_len) + word_len;
  cs_elf_close (elf);
  memset (at, 0xff, word_len);  /* r_info: the type is in its lower part */
  memset (at, 0, word_len == 8 ? 4 : 1);
  assert_int_equal (cs_elf_open_memory ("n", data, len, &elf, &err), 0);
  reloc = cs_elf_reloc_get (elf, i);
  assert_int_equal (reloc->kind, CS_RELOC_NONE);
  assert_int_equal (reloc->symbol, 0);
  cs_elf_close (elf);
  free (data);
}

/* gABI: number 0 of the symbols' table stands for none.  */
static void
takes_any_symbol_for_none (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased copy;
  struct cs_elf *elf;
  char path[4096];
  uint64_t off;
  uint8_t *data;
  size_t len;

  (void) state;
  assert_true (fixture_path ("plain", NATIVE, path));
  assert_int_equal (cs_elf_open (path, &elf, &err), 0);
  cs_elf_data (elf, &len);
  data = memcpy (malloc (len), cs_elf_data (elf, &len), len);
  cs_elf_close (elf);
  /* The table is in the first segment, where addresses are offsets.  */
  assert_true (word_at (data, len, symtab_word (data, len), &off));
  data[off + (sizeof (void *) == 8 ? 6 : 14)] = 1;      /* st_shndx */
  assert_int_equal (cs_elf_open_memory ("n", data, len, &elf, &err), 0);
  assert_false (cs_elf_symbol_get (elf, 0)->defined);
  assert_int_equal (cs_rebase (elf, base_for (elf), NULL, NULL, &copy, &err),
                    0);
  cs_rebased_fini (&copy);
  cs_elf_close (elf);
  free (data);
}

/* -- Speed.  */

static double
now_ms (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void
is_fast (void **state)
{
  struct cs_rebased copy;
  struct world world;
  struct cs_elf *elf;
  char path[4096];
  double start, spent;

  (void) state;
  if (!system_path ("libguile-3.0.so.1", path))
    skip ();
  start = now_ms ();
  assert_int_equal (cs_elf_open (path, &elf, NULL), 0);
  world = (struct world) { { { elf, BASE } }, 1 };
  assert_int_equal (cs_rebase (elf, BASE, resolve, &world, &copy, NULL), 0);
  spent = now_ms () - start;
  print_message ("libguile is read and moved in %.2f ms\n", spent);
#ifndef __SANITIZE_ADDRESS__
  assert_true (spent < 50);
#endif
  cs_rebased_fini (&copy);
  cs_elf_close (elf);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (moves_everything),
    cmocka_unit_test (stores_what_is_resolved),
    cmocka_unit_test (moves_copies_by_nothing),
    cmocka_unit_test (refuses_bad_places),
    cmocka_unit_test (refuses_unaligned_places),
    cmocka_unit_test (refuses_values_that_do_not_fit),
    cmocka_unit_test (keeps_records_of_bss),
    cmocka_unit_test (refuses_words_of_the_dynamic_section),
    cmocka_unit_test (ignores_symbols_of_no_relocation),
    cmocka_unit_test (takes_any_symbol_for_none),
    cmocka_unit_test (moves_the_entry_point),
    cmocka_unit_test (drops_marks_of_the_plt),
    cmocka_unit_test (loads_fixtures),
    cmocka_unit_test (loads_guile),
    cmocka_unit_test (is_fast)
  };

  elf_version (EV_CURRENT);
  if (argc >= 5 && strcmp (argv[1], "load") == 0)
    return load_all (argc, argv);
  return cmocka_run_group_tests_name ("rebase", tests, need_fixtures, NULL);
}
