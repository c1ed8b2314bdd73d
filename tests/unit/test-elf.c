/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-elf.c -- reading libraries: what is found, what is refused, and that
   no damage does more than that.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/stat.h>
#include <time.h>

#include "elf-fixture.h"
#include "intern/elf-private.h"
#include "intern/rebase.h"

static const char *const machines[] = { "x86_64", "i386" };

#define NATIVE (cs_arch_native ()->name)

/* Open fixture NAME for MACHINE; NULL (and a message) if it is not there.  */
static struct cs_elf *
open_fixture (const char *name, const char *machine)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf *elf;
  char path[4096];

  if (!fixture_path (name, machine, path))
    {
      print_message ("not built: %s for %s\n", name, machine);
      return NULL;
    }
  if (cs_elf_open (path, &elf, &err) < 0)
    fail_msg ("%s", err.text);
  assert_string_equal (cs_elf_path (elf), path);
  assert_string_equal (cs_elf_arch (elf)->name, machine);
  return elf;
}

/* The fixture that a test cannot do without.  */
static struct cs_elf *
need_fixture (const char *name)
{
  struct cs_elf *elf = open_fixture (name, NATIVE);

  if (!elf)
    skip ();
  return elf;
}

static size_t
count_relocs (const struct cs_elf *elf, enum cs_reloc_kind kind)
{
  size_t nr = 0;

  for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
    nr += cs_elf_reloc_get (elf, i)->kind == kind;
  return nr;
}

/* -- What is found.  */

static void
check_layout (const struct cs_elf *elf)
{
  const struct cs_elf_layout *layout = cs_elf_layout (elf);

  assert_int_equal (layout->start, 0);
  assert_true (layout->len > 0 && layout->len % 4096 == 0);
  assert_int_equal (layout->data_start % 4096, 0);
  assert_int_equal (layout->data_len % 4096, 0);
  assert_true (layout->data_len > 0);
  assert_int_equal (layout->data_start + layout->data_len, layout->len);
  assert_true (layout->got_plt != 0 && layout->got_plt < layout->len);
}

static void
finds_functions_and_data (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_elf *elf = open_fixture ("plain", machines[m]);
      const struct cs_elf_symbol *add, *data;

      if (!elf)
        continue;
      check_layout (elf);
      assert_string_equal (cs_elf_soname (elf), "libcs-plain.so");
      assert_int_equal (cs_elf_nr_needed (elf), 1);
      assert_string_equal (cs_elf_needed (elf, 0), "libc.so.6");

      add = cs_elf_symbol_find (elf, "plain_add");
      assert_non_null (add);
      assert_int_equal (add->kind, CS_SYMBOL_FUNCTION);
      assert_true (add->defined && add->global && add->default_version);
      assert_false (add->tls || add->ifunc || add->absolute || add->weak);
      assert_true (add->size > 0 && add->value > 0);

      data = cs_elf_symbol_find (elf, "plain_data");
      assert_non_null (data);
      assert_int_equal (data->kind, CS_SYMBOL_DATA);
      assert_int_equal (data->size, 4);
      assert_true (data->value >= cs_elf_layout (elf)->data_start);

      assert_null (cs_elf_symbol_find (elf, "plain_hidden"));
      assert_null (cs_elf_symbol_find (elf, "strcmp"));
      assert_null (cs_elf_symbol_find (elf, ""));
      cs_elf_close (elf);
    }
}

/* Every symbol that is defined and global is found by its name.  */
static void
finds_every_name (void **state)
{
  static const char *const names[]
    = { "plain", "tls", "ifunc", "versions", "sysv", "norelro" };

  (void) state;
  for (size_t n = 0; n < sizeof names / sizeof *names; n++)
    for (size_t m = 0; m < 2; m++)
      {
        struct cs_elf *elf = open_fixture (names[n], machines[m]);

        for (size_t i = 1; elf && i < cs_elf_nr_symbols (elf); i++)
          {
            const struct cs_elf_symbol *symbol = cs_elf_symbol_get (elf, i);

            if (symbol->defined && symbol->global && symbol->default_version)
              assert_ptr_equal (cs_elf_symbol_find (elf, symbol->name),
                                symbol);
          }
        assert_true (!elf || cs_elf_symbol_find (elf, "check"));
        cs_elf_close (elf);
      }
}

static void
finds_relocations (void **state)
{
  static const struct
  {
    const char *fixture;
    enum cs_reloc_kind kind;
    size_t at_least;
  } cases[] = {
    { "plain", CS_RELOC_RELATIVE, 1 },
    { "plain", CS_RELOC_GLOB_DAT, 4 },
    { "plain", CS_RELOC_JUMP_SLOT, 1 },
    { "tls", CS_RELOC_DTPMOD, 2 },
    { "tls", CS_RELOC_DTPOFF, 1 },
    { "tls", CS_RELOC_TPOFF, 1 },
    { "ifunc", CS_RELOC_IRELATIVE, 1 },
    { "tables", CS_RELOC_ABSOLUTE, 5 },
    { "tables", CS_RELOC_RELATIVE, 4 },
    { "sysv", CS_RELOC_JUMP_SLOT, 1 },
    { "relr", CS_RELOC_RELATIVE, 103 }
  };

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t m = 0; m < 2; m++)
      {
        struct cs_elf *elf = open_fixture (cases[i].fixture, machines[m]);

        assert_true (!elf || count_relocs (elf, cases[i].kind)
                             >= cases[i].at_least);
        cs_elf_close (elf);
      }
}

/* The addends of symbolic and relative words, whether they are in a record
   (RELA) or in the word (REL).  */
static void
finds_addends (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_elf *elf = open_fixture ("tables", machines[m]);
      const struct cs_elf_symbol *table;
      unsigned seen = 0;

      if (!elf)
        continue;
      table = cs_elf_symbol_find (elf, "tables_absolute");
      assert_non_null (table);
      for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
        {
          static const int expected[] = { 0, 12, 36, 20 };
          const struct cs_elf_reloc *reloc = cs_elf_reloc_get (elf, i);
          uint64_t at = (reloc->off - table->value)
                        / cs_elf_arch (elf)->word_len;

          if (reloc->off < table->value || at >= 4)
            continue;
          assert_int_equal (reloc->kind, CS_RELOC_ABSOLUTE);
          assert_string_equal (cs_elf_symbol_get (elf, reloc->symbol)->name,
                               "tables_target");
          assert_int_equal (reloc->addend, expected[at]);
          seen |= 1u << at;
        }
      assert_int_equal (seen, 15);
      cs_elf_close (elf);
    }
}

/* DT_RELR comes out as the words it stands for, in rising order.  */
static void
decodes_relr (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_elf *elf = open_fixture ("relr", machines[m]);
      const struct cs_elf_symbol *dense;
      size_t nr = 0;

      if (!elf)
        continue;
      dense = cs_elf_symbol_find (elf, "relr_dense");
      assert_non_null (dense);
      for (size_t i = 0; i < cs_elf_nr_relocs (elf); i++)
        {
          const struct cs_elf_reloc *reloc = cs_elf_reloc_get (elf, i);

          if (reloc->kind != CS_RELOC_RELATIVE)
            break;
          if (i > 0)
            assert_true (reloc->off > cs_elf_reloc_get (elf, i - 1)->off);
          assert_string_equal (cs_elf_arch (elf)->reloc_name (reloc->type)
                               + strlen (m == 0 ? "R_X86_64_" : "R_386_"),
                               "RELATIVE");
          if (reloc->off < dense->value
              || reloc->off >= dense->value + dense->size)
            continue;
          assert_int_equal (reloc->off, dense->value
                            + nr * cs_elf_arch (elf)->word_len);
          nr++;
        }
      assert_int_equal (nr, 100);
      cs_elf_close (elf);
    }
}

static void
finds_versions (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_elf *elf = open_fixture ("versions", machines[m]);
      const struct cs_elf_symbol *get;
      int old = 0, wanted = 0;

      if (!elf)
        continue;
      get = cs_elf_symbol_find (elf, "versions_get");
      assert_non_null (get);
      assert_string_equal (get->version, "CS_2.0");
      assert_string_equal (get->library, "");
      assert_string_equal (cs_elf_symbol_find (elf, "check")->version,
                           "CS_1.0");
      for (size_t i = 1; i < cs_elf_nr_symbols (elf); i++)
        {
          const struct cs_elf_symbol *symbol = cs_elf_symbol_get (elf, i);

          if (strcmp (symbol->name, "versions_get") == 0 && symbol != get)
            {
              assert_string_equal (symbol->version, "CS_1.0");
              assert_false (symbol->default_version);
              old++;
            }
          if (!symbol->defined && *symbol->library)
            {
              assert_string_equal (symbol->library, "libc.so.6");
              assert_memory_equal (symbol->version, "GLIBC_2.", 8);
              wanted++;
            }
        }
      assert_int_equal (old, 1);
      assert_true (wanted >= 1);
      cs_elf_close (elf);
    }
}

static void
finds_thread_locals_and_ifuncs (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      struct cs_elf *tls = open_fixture ("tls", machines[m]);
      struct cs_elf *ifunc = open_fixture ("ifunc", machines[m]);

      if (tls)
        {
          assert_true (cs_elf_symbol_find (tls, "tls_global")->tls);
          assert_int_equal (cs_elf_symbol_find (tls, "tls_global")->kind,
                            CS_SYMBOL_OTHER);
        }
      if (ifunc)
        {
          assert_true (cs_elf_symbol_find (ifunc, "ifunc_exported")->ifunc);
          assert_int_equal (cs_elf_symbol_find (ifunc, "ifunc_exported")
                            ->kind, CS_SYMBOL_FUNCTION);
        }
      cs_elf_close (tls);
      cs_elf_close (ifunc);
    }
}

static void
reads_the_real_libraries (void **state)
{
  static const struct { const char *soname, *symbol; } cases[] = {
    { "libgc.so.1", "GC_init" },
    { "libguile-3.0.so.1", "scm_cons" },
    { "libc.so.6", "malloc" }
  };
  size_t found = 0;
  char path[4096];

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      struct cs_err err = CS_ERR_INIT;
      const struct cs_elf_symbol *symbol;
      struct cs_elf *elf;

      if (!system_path (cases[i].soname, path))
        {
          print_message ("not installed: %s\n", cases[i].soname);
          continue;
        }
      if (cs_elf_open (path, &elf, &err) < 0)
        fail_msg ("%s", err.text);
      assert_string_equal (cs_elf_soname (elf), cases[i].soname);
      symbol = cs_elf_symbol_find (elf, cases[i].symbol);
      assert_non_null (symbol);
      assert_int_equal (symbol->kind, CS_SYMBOL_FUNCTION);
      assert_int_equal (strlen (cs_elf_build_id (elf)), 40);
      assert_int_equal (strspn (cs_elf_build_id (elf), "0123456789abcdef"),
                        40);
      cs_elf_close (elf);
      found++;
    }
  if (found == 0)
    skip ();
}

/* -- What is refused.  */

static void
expect_refused (const char *name, const char *machine, int code,
                const char *text)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf *elf;
  char path[4096];

  if (!fixture_path (name, machine, path))
    {
      print_message ("not built: %s for %s\n", name, machine);
      return;
    }
  assert_int_equal (cs_elf_open (path, &elf, &err), code);
  assert_int_equal (err.code, code);
  if (!strstr (err.text, text) || !strstr (err.text, path))
    fail_msg ("'%s' does not contain '%s'", err.text, text);
}

static void
refuses_what_is_not_supported (void **state)
{
  (void) state;
  for (size_t m = 0; m < 2; m++)
    {
      expect_refused ("none", machines[m], -CS_E_INCOMPATIBLE,
                      "no dynamic symbols");
      expect_refused ("textrel", machines[m], -CS_E_INCOMPATIBLE,
                      "DT_TEXTREL");
    }
  expect_refused ("copy", "x86_64", -CS_E_INCOMPATIBLE, "R_X86_64_COPY");
  /* There, the compiler avoids COPY.  */
  expect_refused ("copy", "i386", -CS_E_INCOMPATIBLE,
                  "not a shared library");
}

static void
refuses_other_files (void **state)
{
  struct cs_err err = CS_ERR_INIT;
  char path[] = "/tmp/test-elf-XXXXXX";
  struct cs_elf *elf;
  int fd = mkstemp (path);

  (void) state;
  assert_true (fd >= 0);
  assert_int_equal (cs_elf_open (path, &elf, &err), -CS_E_DAMAGED);
  assert_non_null (strstr (err.text, "not an ELF file"));
  assert_int_equal (write (fd, "INPUT(libx.so)\n", 15), 15);
  assert_int_equal (cs_elf_open (path, &elf, &err), -CS_E_DAMAGED);
  close (fd);
  unlink (path);

  assert_int_equal (cs_elf_open (path, &elf, &err), -ENOENT);
  assert_int_equal (cs_elf_open ("/", &elf, &err), -EISDIR);
  assert_int_equal (cs_elf_open ("/dev/null", &elf, &err), -CS_E_REFUSED);
  assert_int_equal (mkfifo (path, 0600), 0);
  assert_int_equal (cs_elf_open (path, &elf, &err), -CS_E_REFUSED);
  unlink (path);
  assert_int_equal (cs_elf_open (path, &elf, NULL), -ENOENT);
  cs_elf_close (NULL);
}

/* -- Damage in one field.  The native library `plain` in memory.  */

struct image
{
  uint8_t *data;
  size_t len;
};

static int
load_image (void **state)
{
  static struct image image;
  struct cs_elf *elf;
  char path[4096];
  const void *data;

  *state = NULL;
  if (!fixture_path ("plain", NATIVE, path)
      || cs_elf_open (path, &elf, NULL) < 0)
    return 0;
  data = cs_elf_data (elf, &image.len);
  image.data = malloc (image.len);
  memcpy (image.data, data, image.len);
  cs_elf_close (elf);
  *state = &image;
  return 0;
}

static int
free_image (void **state)
{
  struct image *image = *state;

  if (image)
    free (image->data);
  return 0;
}

static ElfW (Ehdr) *
header_of (struct image *image)
{
  return (void *) image->data;
}

/* The Nth program header of TYPE.  */
static ElfW (Phdr) *
segment_of (struct image *image, uint32_t type, size_t n)
{
  ElfW (Ehdr) *eh = header_of (image);
  ElfW (Phdr) *ph = (void *) (image->data + eh->e_phoff);

  for (size_t i = 0; i < eh->e_phnum; i++)
    if (ph[i].p_type == type && n-- == 0)
      return &ph[i];
  fail_msg ("no program header of type 0x%x", (unsigned) type);
  return NULL;
}

static ElfW (Dyn) *
dynamic_of (struct image *image, int64_t tag)
{
  ElfW (Phdr) *ph = segment_of (image, PT_DYNAMIC, 0);
  ElfW (Dyn) *dyn = (void *) (image->data + ph->p_offset);

  for (; dyn->d_tag != tag; dyn++)
    if (dyn->d_tag == DT_NULL)
      fail_msg ("no dynamic entry 0x%x", (unsigned) tag);
  return dyn;
}

/* What a dynamic entry points to: the tables lie in the first segment,
   where addresses and offsets are the same.  */
static void *
table_of (struct image *image, int64_t tag)
{
  return image->data + dynamic_of (image, tag)->d_un.d_ptr;
}

#if defined __x86_64__
# define MAIN_TAG DT_RELA
# define MAIN_LEN_TAG DT_RELASZ
# define R_COPY R_X86_64_COPY
# define R_TLSDESC R_X86_64_TLSDESC
# define R_PC R_X86_64_PC32
# define R_SYMBOLIC R_X86_64_GLOB_DAT
# define INFO(symbol, type) ELF64_R_INFO ((uint64_t) (symbol), type)
typedef Elf64_Rela native_record;
#else
# define MAIN_TAG DT_REL
# define MAIN_LEN_TAG DT_RELSZ
# define R_COPY R_386_COPY
# define R_TLSDESC R_386_TLS_DESC
# define R_PC R_386_PC32
# define R_SYMBOLIC R_386_GLOB_DAT
# define INFO(symbol, type) ELF32_R_INFO (symbol, type)
typedef Elf32_Rel native_record;
#endif

static void bad_magic (struct image *i) { i->data[0] = 0; }
static void bad_class (struct image *i) { i->data[EI_CLASS] = 3; }
static void bad_order (struct image *i) { i->data[EI_DATA] = ELFDATA2MSB; }
static void bad_version (struct image *i) { i->data[EI_VERSION] = 9; }
static void
bad_machine (struct image *i)
{
  header_of (i)->e_machine = EM_AARCH64;
}
static void
other_class (struct image *i)
{
  header_of (i)->e_machine
    = sizeof (void *) == 8 ? EM_386 : EM_X86_64;
}
static void bad_type (struct image *i) { header_of (i)->e_type = ET_EXEC; }
static void no_segments (struct image *i) { header_of (i)->e_phnum = 0; }
static void far_segments (struct image *i) { header_of (i)->e_phoff = -16; }
static void bad_entsize (struct image *i) { header_of (i)->e_phentsize = 8; }
static void far_sections (struct image *i) { header_of (i)->e_shoff = i->len; }
static void
far_offset (struct image *i)
{
  ElfW (Phdr) *ph = segment_of (i, PT_LOAD, 1);

  ph->p_offset += (i->len + 4095) & ~(size_t) 4095;
}
static void
long_filesz (struct image *i)
{
  segment_of (i, PT_LOAD, 1)->p_filesz = -(uint32_t) 1 & 0x7fffffff;
}
static void
short_memsz (struct image *i)
{
  ElfW (Phdr) *ph = segment_of (i, PT_LOAD, 0);

  ph->p_memsz = ph->p_filesz - 1;
}
static void
odd_align (struct image *i)
{
  segment_of (i, PT_LOAD, 0)->p_align = 4097;
}
static void
no_align (struct image *i)
{
  segment_of (i, PT_LOAD, 0)->p_align = 1;
}
static void
shifted (struct image *i)
{
  segment_of (i, PT_LOAD, 1)->p_vaddr += 16;
}
static void
overlapping (struct image *i)
{
  segment_of (i, PT_LOAD, 1)->p_vaddr = segment_of (i, PT_LOAD, 0)->p_vaddr;
  segment_of (i, PT_LOAD, 1)->p_offset = segment_of (i, PT_LOAD, 0)->p_offset;
}
static void
same_bytes (struct image *i)
{
  segment_of (i, PT_LOAD, 1)->p_offset = segment_of (i, PT_LOAD, 0)->p_offset;
}
static void
huge_memsz (struct image *i)
{
  segment_of (i, PT_LOAD, 3)->p_memsz = -4096;
}
static void
wide_relro (struct image *i)
{
  segment_of (i, PT_GNU_RELRO, 0)->p_memsz = 0x100000;
}
static void
early_relro (struct image *i)
{
  segment_of (i, PT_GNU_RELRO, 0)->p_vaddr -= 4096;
}
static void
late_relro (struct image *i)
{
  ElfW (Phdr) *ph = segment_of (i, PT_GNU_RELRO, 0);

  segment_of (i, PT_LOAD, 3)->p_memsz += 3 * 4096;
  ph->p_vaddr += 2 * 4096;
}
static void
read_only_behind (struct image *i)
{
  segment_of (i, PT_LOAD, 1)->p_flags |= PF_W;
}
static void
two_dynamic (struct image *i)
{
  segment_of (i, PT_GNU_STACK, 0)->p_type = PT_DYNAMIC;
}
static void
no_dynamic (struct image *i)
{
  segment_of (i, PT_DYNAMIC, 0)->p_type = PT_NULL;
}
static void
moved_dynamic (struct image *i)
{
  segment_of (i, PT_DYNAMIC, 0)->p_offset -= 8;
}
static void
short_dynamic (struct image *i)
{
  segment_of (i, PT_DYNAMIC, 0)->p_filesz = 64;
}
static void
bad_note (struct image *i)
{
  ElfW (Phdr) *ph = segment_of (i, PT_NOTE, 0);
  ElfW (Nhdr) *note = (void *) (i->data + ph->p_offset);

  note->n_descsz = 0x7ffffff0;
}
static void
twice (struct image *i)
{
  dynamic_of (i, DT_FINI)->d_tag = DT_INIT;
}
static void
strange (struct image *i)
{
  dynamic_of (i, DT_FINI)->d_tag = DT_LOPROC + 5;
}
static void
prelinked (struct image *i)
{
  dynamic_of (i, DT_FINI)->d_tag = DT_GNU_PRELINKED;
}
static void
data_init (struct image *i)
{
  dynamic_of (i, DT_INIT)->d_un.d_ptr = 0;
}
static void
far_strings (struct image *i)
{
  dynamic_of (i, DT_STRTAB)->d_un.d_ptr += 0x1000000;
}
static void
long_strings (struct image *i)
{
  dynamic_of (i, DT_STRSZ)->d_un.d_val = -1;
}
static void
open_strings (struct image *i)
{
  dynamic_of (i, DT_STRSZ)->d_un.d_val--;
}
static void
far_soname (struct image *i)
{
  dynamic_of (i, DT_SONAME)->d_un.d_val = 0xffffff;
}
static void
bad_syment (struct image *i)
{
  dynamic_of (i, DT_SYMENT)->d_un.d_val = 7;
}
static void
far_symbols (struct image *i)
{
  dynamic_of (i, DT_SYMTAB)->d_un.d_ptr = 0x2000000;
}
static void
far_name (struct image *i)
{
  ((ElfW (Sym) *) table_of (i, DT_SYMTAB))[1].st_name = 0xfffff;
}
static void
far_value (struct image *i)
{
  ElfW (Sym) *sym = table_of (i, DT_SYMTAB);

  while (sym->st_shndx == SHN_UNDEF)
    sym++;
  sym->st_value = 0x10000000;
}
static void
no_buckets (struct image *i)
{
  ((uint32_t *) table_of (i, DT_GNU_HASH))[0] = 0;
}
static void
many_buckets (struct image *i)
{
  ((uint32_t *) table_of (i, DT_GNU_HASH))[0] = -1;
}
static void
odd_filter (struct image *i)
{
  ((uint32_t *) table_of (i, DT_GNU_HASH))[2] = 3;
}
static void
late_first (struct image *i)
{
  ((uint32_t *) table_of (i, DT_GNU_HASH))[1] = 0xffff;
}
static void
bad_versym (struct image *i)
{
  ((uint16_t *) table_of (i, DT_VERSYM))[1] = 0x7abc;
}
static void
bad_need (struct image *i)
{
  ((ElfW (Verneed) *) table_of (i, DT_VERNEED))->vn_version = 2;
}
static void
far_need (struct image *i)
{
  ((ElfW (Verneed) *) table_of (i, DT_VERNEED))->vn_aux = 0xfffffff;
}
static void
far_file (struct image *i)
{
  ((ElfW (Verneed) *) table_of (i, DT_VERNEED))->vn_file = 0xfffffff;
}
static void
many_needs (struct image *i)
{
  dynamic_of (i, DT_VERNEEDNUM)->d_un.d_val = -1;
}
static void
many_versions (struct image *i)
{
  ((ElfW (Verneed) *) table_of (i, DT_VERNEED))->vn_cnt = 0xffff;
}
static void
odd_records (struct image *i)
{
  dynamic_of (i, MAIN_LEN_TAG)->d_un.d_val--;
}
static void
far_records (struct image *i)
{
  dynamic_of (i, MAIN_TAG)->d_un.d_ptr = -16;
}
static void
other_form (struct image *i)
{
  dynamic_of (i, DT_PLTREL)->d_un.d_val ^= DT_REL ^ DT_RELA;
}
static void
no_got (struct image *i)
{
  dynamic_of (i, DT_PLTGOT)->d_un.d_ptr = 0;
}
static void
overlapping_plt (struct image *i)
{
  dynamic_of (i, DT_JMPREL)->d_un.d_ptr = dynamic_of (i, MAIN_TAG)->d_un.d_ptr;
}
static void
set_record (struct image *i, uint32_t type)
{
  ((native_record *) table_of (i, MAIN_TAG))->r_info = INFO (1, type);
}
static void copy_record (struct image *i) { set_record (i, R_COPY); }
static void tlsdesc_record (struct image *i) { set_record (i, R_TLSDESC); }
static void pc_record (struct image *i) { set_record (i, R_PC); }
static void unknown_record (struct image *i) { set_record (i, 200); }
static void
far_word (struct image *i)
{
  ((native_record *) table_of (i, MAIN_TAG))->r_offset = 0x1000;
}
static void
far_symbol (struct image *i)
{
  ((native_record *) table_of (i, MAIN_TAG))->r_info
    = INFO (0xfffff, R_SYMBOLIC);
}
static void
no_symbol (struct image *i)
{
  ((native_record *) table_of (i, MAIN_TAG))->r_info = INFO (0, R_SYMBOLIC);
}
static void
eager_plt (struct image *i)
{
  ((native_record *) table_of (i, DT_JMPREL))->r_info = INFO (1, R_SYMBOLIC);
}

static const struct
{
  void (*change) (struct image *image);
  int code;
  const char *text;
} damages[] = {
  { bad_magic, CS_E_DAMAGED, "not an ELF file" },
  { bad_class, CS_E_DAMAGED, "class at offset 0x4 is 3" },
  { bad_order, CS_E_INCOMPATIBLE, "not little-endian" },
  { bad_version, CS_E_DAMAGED, "version at offset 0x6 is 9" },
  { bad_machine, CS_E_INCOMPATIBLE, "machine 183 is not supported" },
  { other_class, CS_E_INCOMPATIBLE, "-bit words is not supported" },
  { bad_type, CS_E_INCOMPATIBLE, "file type is 2, not 3" },
  { no_segments, CS_E_DAMAGED, "0 program headers" },
  { far_segments, CS_E_DAMAGED, "" },
  { bad_entsize, CS_E_DAMAGED, "program headers have 0x8 bytes" },
  { far_sections, CS_E_DAMAGED, "section headers: file offset" },
  { far_offset, CS_E_DAMAGED, "exceeds the file's" },
  { long_filesz, CS_E_DAMAGED, "0x7fffffff exceeds the file's" },
  { short_memsz, CS_E_DAMAGED, "bytes in memory, but" },
  { odd_align, CS_E_DAMAGED, "alignment 0x1001" },
  { no_align, CS_E_DAMAGED, "alignment 0x1 " },
  { shifted, CS_E_DAMAGED, "differ modulo" },
  { overlapping, CS_E_DAMAGED, "is not on a page after segment" },
  { same_bytes, CS_E_DAMAGED, "is not after segment" },
  { huge_memsz, CS_E_DAMAGED, "exceeds the machine's" },
  { wide_relro, CS_E_DAMAGED, "is not within the writable" },
  { early_relro, CS_E_DAMAGED, "is not within the writable" },
  { late_relro, CS_E_INCOMPATIBLE, "does not begin the writable memory" },
  { read_only_behind, CS_E_INCOMPATIBLE, "2: a read-only segment after" },
  { two_dynamic, CS_E_DAMAGED, "a second PT_DYNAMIC" },
  { no_dynamic, CS_E_INCOMPATIBLE, "no dynamic section" },
  { moved_dynamic, CS_E_DAMAGED, "PT_DYNAMIC: file offset is" },
  { short_dynamic, CS_E_DAMAGED, "no DT_NULL among" },
  { bad_note, CS_E_DAMAGED, "the note at file offset" },
  { twice, CS_E_DAMAGED, "a second DT_INIT" },
  { strange, CS_E_INCOMPATIBLE, "tag 0x70000005 is not supported" },
  { prelinked, CS_E_INCOMPATIBLE, "DT_GNU_PRELINKED is not supported" },
  { data_init, CS_E_DAMAGED, "DT_INIT: address 0x0" },
  { far_strings, CS_E_DAMAGED, "DT_STRTAB: address" },
  { long_strings, CS_E_DAMAGED, "DT_STRTAB: address" },
  { open_strings, CS_E_DAMAGED, "do not end with a NUL" },
  { far_soname, CS_E_DAMAGED, "DT_SONAME: string offset 0xffffff" },
  { bad_syment, CS_E_DAMAGED, "DT_SYMENT: 0x7 bytes" },
  { far_symbols, CS_E_DAMAGED, "DT_SYMTAB: address 0x2000000" },
  { far_name, CS_E_DAMAGED, "string offset 0xfffff" },
  { far_value, CS_E_DAMAGED, "is not in the image's" },
  { no_buckets, CS_E_DAMAGED, "DT_GNU_HASH: 0 buckets" },
  { many_buckets, CS_E_DAMAGED, "DT_GNU_HASH: address" },
  { odd_filter, CS_E_DAMAGED, "filter of 3 words" },
  { late_first, CS_E_DAMAGED, "before the first, 65535" },
  { bad_versym, CS_E_DAMAGED, "version number 31420, which is not defined" },
  { bad_need, CS_E_INCOMPATIBLE, "DT_VERNEED: record" },
  { far_need, CS_E_DAMAGED, "DT_VERNEED: address" },
  { far_file, CS_E_DAMAGED, "DT_VERNEED: string offset 0xfffffff" },
  { many_needs, CS_E_DAMAGED, "DT_VERNEED: the list ends early" },
  { many_versions, CS_E_DAMAGED, "DT_VERNEED: " },
  { odd_records, CS_E_DAMAGED, "bytes are not whole records" },
  { far_records, CS_E_DAMAGED, "is not in any segment" },
  { other_form, CS_E_DAMAGED, "DT_PLTREL: form" },
  { no_got, CS_E_DAMAGED, "DT_PLTGOT: address 0x0" },
  { overlapping_plt, CS_E_DAMAGED, "overlaps other relocations" },
  { copy_record, CS_E_INCOMPATIBLE, "_COPY (5) is not supported" },
  { tlsdesc_record, CS_E_INCOMPATIBLE, "DESC (" },
  { pc_record, CS_E_INCOMPATIBLE, "_PC32 (2) is not supported" },
  { unknown_record, CS_E_INCOMPATIBLE, "unknown relocation (200)" },
  { far_word, CS_E_DAMAGED, "0x1000 is not in a writable segment" },
  { far_symbol, CS_E_DAMAGED, ": symbol 1048575 of" },
  { no_symbol, CS_E_INCOMPATIBLE, "without a symbol" },
  { eager_plt, CS_E_INCOMPATIBLE, "in DT_JMPREL is not supported" }
};

static void
names_the_damage (void **state)
{
  const struct image *original = *state;

  if (!original)
    skip ();
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
    {
      struct image image = { malloc (original->len), original->len };
      struct cs_err err = CS_ERR_INIT;
      struct cs_elf *elf;
      int res;

      memcpy (image.data, original->data, image.len);
      damages[i].change (&image);
      res = cs_elf_open_memory ("hurt.so", image.data, image.len, &elf, &err);
      if (res != -damages[i].code || !strstr (err.text, damages[i].text))
        fail_msg ("damage %zu (%s): result %d, '%s'", i, damages[i].text, res,
                  err.text);
      assert_memory_equal (err.text, "cannot read 'hurt.so': ", 23);
      free (image.data);
    }
}

/* Dynamic entries with numbers that are not known, but are of a known kind.  */
static void
knows_ranges_of_tags (void **state)
{
  static const struct { int64_t tag; bool is_address; } known[] = {
    { DT_VALRNGLO + 1, false }, { DT_ADDRRNGHI - 200, true },
#if defined __x86_64__
    { DT_LOPROC, false }, { DT_LOPROC + 1, false }, { DT_LOPROC + 3, false }
#endif
  };
  const struct image *original = *state;

  if (!original)
    skip ();
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    {
      struct image image = { malloc (original->len), original->len };
      struct cs_err err = CS_ERR_INIT;
      struct cs_elf *elf;

      memcpy (image.data, original->data, image.len);
      dynamic_of (&image, DT_FINI)->d_tag = (int32_t) known[i].tag;
      if (cs_elf_open_memory ("odd.so", image.data, image.len, &elf, &err) < 0)
        fail_msg ("%s", err.text);
      assert_true (cs_elf_tag_is_address (known[i].tag)
                   == known[i].is_address);
      cs_elf_close (elf);
      free (image.data);
    }
}

/* -- Damage anywhere: an error or not, never a signal.  */

static uint64_t random_state;

/* xorshift64, to be the same everywhere.  */
static uint64_t
next_random (void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static void
start_random (void)
{
  const char *seed = getenv ("CS_TEST_SEED");

  random_state = seed ? strtoull (seed, NULL, 0) : 20240229;
  print_message ("seed %llu (CS_TEST_SEED)\n",
                 (unsigned long long) random_state);
  if (random_state == 0)
    random_state = 1;
}

/* Read and move LEN bytes at DATA; whatever comes of it, it must be said.
   Returns true if they were accepted.  */
static bool
try_image (const void *data, size_t len)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased rebased;
  struct cs_elf *elf;
  int res = cs_elf_open_memory ("hurt.so", data, len, &elf, &err);

  if (res < 0)
    {
      assert_int_equal (err.code, res);
      assert_true (err.text[0] != '\0');
      return false;
    }
  for (size_t i = 0; i < cs_elf_nr_symbols (elf); i++)
    cs_elf_symbol_find (elf, cs_elf_symbol_get (elf, i)->name);
  res = cs_rebase (elf, 0x60000000, NULL, NULL, &rebased, &err);
  if (res == 0)
    cs_rebased_fini (&rebased);
  else
    assert_int_equal (err.code, res);
  cs_elf_close (elf);
  return true;
}

static void
survives_truncation_of (const char *path)
{
  struct cs_elf *elf;
  size_t len, step;
  const uint8_t *data;

  assert_int_equal (cs_elf_open (path, &elf, NULL), 0);
  data = cs_elf_data (elf, &len);
  step = len / 400 + 1;
  for (size_t n = 0; n < len; n += n < 1024 ? 1 : 1 + next_random () % step)
    {
      /* Exactly N bytes, so that a sanitizer sees a step beyond.  */
      uint8_t *copy = malloc (n ? n : 1);

      memcpy (copy, data, n);
      if (try_image (copy, n))
        fail_msg ("%s is accepted with 0x%zx of 0x%zx bytes", path, n, len);
      free (copy);
    }
  cs_elf_close (elf);
}

static void
survives_truncation (void **state)
{
  char path[4096];

  (void) state;
  start_random ();
  for (size_t m = 0; m < 2; m++)
    {
      if (fixture_path ("plain", machines[m], path))
        survives_truncation_of (path);
      if (fixture_path ("relr", machines[m], path))
        survives_truncation_of (path);
    }
  if (system_path ("libgc.so.1", path))
    survives_truncation_of (path);
}

/* A place worth damaging: half of the time in the tables at the beginning,
   else in the dynamic section.  */
static size_t
pick_place (const struct cs_elf *elf, size_t len)
{
  const struct cs_elf_layout *layout = cs_elf_layout (elf);
  uint64_t chance = next_random () % 4;

  if (chance == 0)
    return next_random () % 0x400 % len;
  if (chance == 1)
    return next_random () % 0x2000 % len;
  if (chance == 2)              /* RELRO, where the dynamic section is */
    {
      uint64_t back = next_random () % 0x1600;

      return layout->data_start > back ? (layout->data_start - back) % len
                                       : back % len;
    }
  return next_random () % len;
}

static void
survives_changes_of (const char *path, size_t rounds)
{
  size_t len, accepted = 0;
  const uint8_t *data;
  struct cs_elf *elf;
  uint8_t *copy;

  assert_int_equal (cs_elf_open (path, &elf, NULL), 0);
  data = cs_elf_data (elf, &len);
  copy = malloc (len);
  for (size_t i = 0; i < rounds; i++)
    {
      size_t nr = 1 + next_random () % 4;

      memcpy (copy, data, len);
      for (size_t k = 0; k < nr; k++)
        {
          size_t at = pick_place (elf, len);

          if (next_random () % 2)
            copy[at] ^= 1 << next_random () % 8;
          else
            copy[at] = next_random () % 3 ? 0xff : next_random ();
        }
      accepted += try_image (copy, len);
    }
  print_message ("%s: %zu of %zu changed ones are accepted\n", path, accepted,
                 rounds);
  assert_true (accepted < rounds);
  free (copy);
  cs_elf_close (elf);
}

static void
survives_changes (void **state)
{
  static const char *const names[]
    = { "plain", "tls", "tables", "versions", "sysv", "relr" };
  char path[4096];

  (void) state;
  start_random ();
  for (size_t n = 0; n < sizeof names / sizeof *names; n++)
    for (size_t m = 0; m < 2; m++)
      if (fixture_path (names[n], machines[m], path))
        survives_changes_of (path, 3000);
  if (system_path ("libgc.so.1", path))
    survives_changes_of (path, 2000);
}

/* A loop in a DT_HASH chain must be found, not followed.  */
static void
finds_loops_in_chains (void **state)
{
  struct cs_elf *good = need_fixture ("sysv"), *elf;
  struct cs_err err = CS_ERR_INIT;
  struct image image;
  const void *data = cs_elf_data (good, &image.len);
  uint32_t *hash;

  (void) state;
  image.data = malloc (image.len);
  memcpy (image.data, data, image.len);
  cs_elf_close (good);
  hash = table_of (&image, DT_HASH);
  for (uint32_t i = 1; i < hash[1]; i++)
    hash[2 + hash[0] + i] = i;          /* each symbol follows itself */
  assert_int_equal (cs_elf_open_memory ("loop.so", image.data, image.len,
                                        &elf, &err), -CS_E_DAMAGED);
  assert_non_null (strstr (err.text, "again"));
  free (image.data);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (finds_functions_and_data),
    cmocka_unit_test (finds_every_name),
    cmocka_unit_test (finds_relocations),
    cmocka_unit_test (finds_addends),
    cmocka_unit_test (decodes_relr),
    cmocka_unit_test (finds_versions),
    cmocka_unit_test (finds_thread_locals_and_ifuncs),
    cmocka_unit_test (reads_the_real_libraries),
    cmocka_unit_test (refuses_what_is_not_supported),
    cmocka_unit_test (refuses_other_files),
    cmocka_unit_test_setup_teardown (names_the_damage, load_image,
                                     free_image),
    cmocka_unit_test_setup_teardown (knows_ranges_of_tags, load_image,
                                     free_image),
    cmocka_unit_test (finds_loops_in_chains),
    cmocka_unit_test (survives_truncation),
    cmocka_unit_test (survives_changes)
  };

  return cmocka_run_group_tests_name ("elf", tests, need_fixtures, NULL);
}
