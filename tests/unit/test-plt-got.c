/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-plt-got.c -- entries of section .plt.got: changed, or left alone.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gelf.h>

#include "elf-fixture.h"
#include "intern/plt-got.h"

#define BASE 0x60000000u
#define TRAMPOLINE 0x50000000u
#define SLOT 0x58000000u

static const char *const machines[] = { "x86_64", "i386" };

/* A library of which a test may change what it likes, and its copy.  */
struct subject
{
  char data[1 << 18];
  size_t len;
  GElf_Shdr section;            /* .plt.got */
  uint64_t header;              /* where its header is in the file */
  struct cs_elf *elf;
  struct cs_rebased copy;
  uint64_t slot;                /* what the trampoline jumps through */
  unsigned nr_asked;
};

static void
find_section (struct subject *s)
{
  Elf *elf = elf_memory (s->data, s->len);
  GElf_Ehdr header;
  Elf_Scn *scn = NULL;

  assert_non_null (elf);
  assert_non_null (gelf_getehdr (elf, &header));
  while ((scn = elf_nextscn (elf, scn)))
    {
      assert_non_null (gelf_getshdr (scn, &s->section));
      s->header = header.e_shoff + elf_ndxscn (scn) * header.e_shentsize;
      if (!strcmp (elf_strptr (elf, header.e_shstrndx, s->section.sh_name),
                   ".plt.got"))
        break;
    }
  assert_non_null (scn);
  elf_end (elf);
}

/* Read fixture "carried", which calls several functions whose addresses it
   takes.  False if it was not built for MACHINE.  */
static bool
read_subject (struct subject *s, const char *machine)
{
  char path[4096];
  FILE *file;

  *s = (struct subject) { .slot = SLOT };
  if (!fixture_path ("carried", machine, path))
    return false;
  file = fopen (path, "rb");
  assert_non_null (file);
  s->len = fread (s->data, 1, sizeof s->data, file);
  assert_true (s->len > 0 && s->len < sizeof s->data);
  assert_int_equal (fclose (file), 0);
  elf_version (EV_CURRENT);
  find_section (s);
  return true;
}

static bool
resolve (void *closure, const struct cs_elf_symbol *symbol,
         const struct cs_elf_reloc *reloc, uint64_t *value)
{
  (void) closure;
  *value = TRAMPOLINE;
  return symbol->defined && reloc->kind == CS_RELOC_GLOB_DAT;
}

static uint64_t
find (void *closure, uint64_t addr)
{
  struct subject *s = closure;

  s->nr_asked++;
  return addr == TRAMPOLINE ? s->slot : 0;
}

/* Make the copy, and a second one whose entries are changed: how many bytes
   differ.  */
static size_t
change (struct subject *s)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_rebased before;
  size_t nr = 0;

  if (cs_elf_open_memory ("subject", s->data, s->len, &s->elf, &err) < 0)
    fail_msg ("%s", err.text);
  assert_int_equal (cs_rebase (s->elf, BASE, resolve, NULL, &before, &err), 0);
  assert_int_equal (cs_rebase (s->elf, BASE, resolve, NULL, &s->copy, &err),
                    0);
  assert_int_equal (cs_plt_got_direct (s->elf, BASE, find, s, &s->copy, &err),
                    0);
  for (size_t i = 0; i < s->len; i++)
    nr += ((char *) before.data)[i] != ((char *) s->copy.data)[i];
  cs_rebased_fini (&before);
  return nr;
}

static void
end (struct subject *s)
{
  cs_rebased_fini (&s->copy);
  cs_elf_close (s->elf);
}

/* Do the 8 bytes CODE at ADDR jump through the slot?  */
static bool
jumps_to_slot (const struct subject *s, const uint8_t *code, uint64_t addr)
{
  uint32_t field = code[2] | code[3] << 8 | code[4] << 16
                   | (uint32_t) code[5] << 24;

  if (cs_elf_arch (s->elf) == &cs_arch_i386)
    addr = 0;
  else
    addr += 6 + (uint64_t) (int64_t) (int32_t) field - field;
  return code[0] == 0xff && code[1] == 0x25 && addr + field == s->slot;
}

/* How many of the entries in the first LEN bytes jump through the slot.  */
static size_t
count_direct (const struct subject *s, uint64_t len)
{
  const uint8_t *code = (const uint8_t *) s->copy.data + s->section.sh_offset;
  size_t nr = 0;

  for (uint64_t at = 0; at + 8 <= len; at += 8)
    nr += jumps_to_slot (s, code + at, s->section.sh_addr + BASE + at);
  return nr;
}

/* Those of functions that have a trampoline are changed, and no other byte of
   the library: four in each, and the one more that says how on i386.  */
static void
changed (void **state)
{
  static struct subject s;
  size_t nr, total = 0;

  (void) state;
  for (int i = 0; i < 2; i++)
    {
      if (!read_subject (&s, machines[i]))
        continue;
      nr = change (&s);
      assert_int_equal (count_direct (&s, s.section.sh_size), 2);
      assert_true (nr >= 2 && nr <= 2 * 5);
      assert_true (s.section.sh_size / 8 > 2);
      total++;
      end (&s);
    }
  assert_true (total > 0);
}

/* What each of these does to a library, nothing is changed in its copy.  */

static void
no_headers (struct subject *s)
{
  if (s->data[EI_CLASS] == ELFCLASS64)
    ((Elf64_Ehdr *) s->data)->e_shoff = 0;
  else
    ((Elf32_Ehdr *) s->data)->e_shoff = 0;
}

static void
unknown_code (struct subject *s)
{
  s->data[s->section.sh_offset] ^= 1;
}

static void
unknown_end (struct subject *s)
{
  s->data[s->section.sh_offset + 7] ^= 1;
}

static void
set_section (struct subject *s)
{
  Elf64_Shdr *wide = (Elf64_Shdr *) (s->data + s->header);
  Elf32_Shdr *narrow = (Elf32_Shdr *) (s->data + s->header);

  if (s->data[EI_CLASS] == ELFCLASS64)
    {
      wide->sh_name = s->section.sh_name;
      wide->sh_type = s->section.sh_type;
      wide->sh_addr = s->section.sh_addr;
      wide->sh_size = s->section.sh_size;
      return;
    }
  narrow->sh_name = s->section.sh_name;
  narrow->sh_type = s->section.sh_type;
  narrow->sh_addr = (Elf32_Addr) s->section.sh_addr;
  narrow->sh_size = (Elf32_Word) s->section.sh_size;
}

static void
other_name (struct subject *s)
{
  s->section.sh_name++;
  set_section (s);
}

static void
name_outside (struct subject *s)
{
  s->section.sh_name = UINT32_MAX;
  set_section (s);
}

static void
no_bits (struct subject *s)
{
  s->section.sh_type = SHT_NOBITS;
  set_section (s);
}

static void
in_the_middle (struct subject *s)
{
  s->section.sh_addr += 3;
  set_section (s);
}

static void
too_long (struct subject *s)
{
  s->section.sh_size = 1 << 24;
  set_section (s);
}

static void
end_of_memory (struct subject *s)
{
  s->section.sh_addr = UINT32_MAX - 3;
  set_section (s);
}

static void
too_short (struct subject *s)
{
  s->section.sh_size = 7;
  set_section (s);
}

static void
left_alone (void **state)
{
  static void (*const spoils[]) (struct subject *) = {
    no_headers, unknown_code, unknown_end, other_name, name_outside, no_bits,
    in_the_middle, too_long, end_of_memory, too_short
  };
  static struct subject s;

  (void) state;
  for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
    for (int m = 0; m < 2; m++)
      {
        if (!read_subject (&s, machines[m]))
          continue;
        spoils[i] (&s);
        if (change (&s) != 0)
          fail_msg ("spoil %zu, %s: bytes were changed", i, machines[m]);
        end (&s);
      }
}

/* An entry that is not known ends the search; those before it are changed.  */
static void
half_known (void **state)
{
  static struct subject s;
  size_t before, all;
  char *entry;

  (void) state;
  for (int m = 0; m < 2; m++)
    {
      if (!read_subject (&s, machines[m]))
        continue;
      before = 0;
      for (uint64_t at = 0; at < s.section.sh_size; at += 8)
        {
          change (&s);
          all = count_direct (&s, at);
          end (&s);
          assert_true (all >= before);
          before = all;
          entry = s.data + s.section.sh_offset + at;
          *entry ^= 1;
          change (&s);
          assert_int_equal (count_direct (&s, s.section.sh_size), before);
          end (&s);
          *entry ^= 1;
        }
      assert_true (before > 0);
    }
}

/* On x86-64 a slot may be too far away; on i386 it may be no address.  */
static void
out_of_reach (void **state)
{
  static struct subject s;

  (void) state;
  for (int m = 0; m < 2; m++)
    {
      if (!read_subject (&s, machines[m]))
        continue;
      s.slot = 0x200000000000;
      assert_int_equal (change (&s), 0);
      assert_true (s.nr_asked > 0);
      end (&s);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (changed),
    cmocka_unit_test (left_alone),
    cmocka_unit_test (half_known),
    cmocka_unit_test (out_of_reach)
  };

  return cmocka_run_group_tests_name ("plt-got", tests, need_fixtures, NULL);
}
