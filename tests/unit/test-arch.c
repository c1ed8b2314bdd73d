/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-arch.c -- machines: relocation kinds, trampolines, stubs.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

#include "arch/arch.h"
#include "arch/crc.h"

/* -- Bytes, as an assembler makes them.  */

static void
bytes_x86_64 (void **state)
{
  static const uint8_t expected[32] = {
    0xf3, 0x0f, 0x1e, 0xfa,                     /* endbr64 */
    0xff, 0x25, 0xf6, 0x0f, 0x00, 0x00,         /* jmp *0xff6(%rip) */
    0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,         /* int3 */
    0xf3, 0x0f, 0x1e, 0xfa,                     /* endbr64 */
    0xbf, 0x04, 0x03, 0x02, 0x01,               /* mov $0x1020304, %edi */
    0xff, 0x25, 0xe1, 0xef, 0xff, 0xff,         /* jmp *-0x101f(%rip) */
    0xcc                                        /* int3 */
  };
  uint8_t code[32];

  (void) state;
  assert_int_equal (cs_arch_x86_64.trampoline_len, 32);
  assert_int_equal (cs_arch_x86_64.stub_off, 16);
  assert_int_equal (cs_arch_x86_64.encode_trampoline
                    (code, 0x200000002000, 0x200000003000, 0x200000001000,
                     0x1020304), 0);
  assert_memory_equal (code, expected, sizeof code);
}

static void
bytes_i386 (void **state)
{
  static const uint8_t expected[32] = {
    0xf3, 0x0f, 0x1e, 0xfb,                     /* endbr32 */
    0xff, 0x25, 0x04, 0x30, 0x00, 0x70,         /* jmp *0x70003004 */
    0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,         /* int3 */
    0xf3, 0x0f, 0x1e, 0xfb,                     /* endbr32 */
    0xb8, 0x04, 0x03, 0x02, 0x01,               /* mov $0x1020304, %eax */
    0xff, 0x25, 0x00, 0x30, 0x00, 0xf0,         /* jmp *0xf0003000 */
    0xcc                                        /* int3 */
  };
  uint8_t code[32];

  (void) state;
  assert_int_equal (cs_arch_i386.trampoline_len, 32);
  assert_int_equal (cs_arch_i386.stub_off, 16);
  assert_int_equal (cs_arch_i386.encode_trampoline
                    (code, 0x70002000, 0x70003004, 0xf0003000, 0x1020304), 0);
  assert_memory_equal (code, expected, sizeof code);
}

/* -- Reach.  */

static void
reach_x86_64 (void **state)
{
  uint64_t addr = 0x200000000000, near = addr + 32;
  uint64_t from = addr + 10, stub_from = addr + 31;
  uint8_t code[32], before[32];

  (void) state;
#define ENCODE(slot, handler) \
  cs_arch_x86_64.encode_trampoline (code, addr, (slot), (handler), 0)
  assert_int_equal (ENCODE (from + INT32_MAX, near), 0);
  assert_int_equal (ENCODE (from - 0x80000000u, near), 0);
  assert_int_equal (ENCODE (near, stub_from + INT32_MAX), 0);
  assert_int_equal (ENCODE (near, stub_from - 0x80000000u), 0);

  memset (before, 0x5a, sizeof before);
  memcpy (code, before, sizeof code);
  assert_int_equal (ENCODE (from + 0x80000000u, near), -ERANGE);
  assert_int_equal (ENCODE (from - 0x80000001u, near), -ERANGE);
  assert_int_equal (ENCODE (near, stub_from + 0x80000000u), -ERANGE);
  assert_int_equal (ENCODE (near, stub_from - 0x80000001u), -ERANGE);
  assert_memory_equal (code, before, sizeof code);      /* nothing half done */
#undef ENCODE
}

static void
reach_i386 (void **state)
{
  uint8_t code[32];

  (void) state;
#define ENCODE(addr, slot, handler) \
  cs_arch_i386.encode_trampoline (code, (addr), (slot), (handler), 0)
  assert_int_equal (ENCODE (0, 0xfffffffc, 0xfffffffc), 0);
  assert_int_equal (ENCODE (0xffffffe0, 0, 0), 0);
  assert_int_equal (ENCODE (0xffffffe1, 0, 0), -ERANGE);
  assert_int_equal (ENCODE (0, 0xfffffffd, 0), -ERANGE);
  assert_int_equal (ENCODE (0, 0, 0x100000000), -ERANGE);
#undef ENCODE
}

/* -- Execution, on the machine that this program is built for.  */

enum { NR = 3 };

static uint8_t *code;           /* a page of code, a page of words */
static uintptr_t *words;        /* 0: the handler; 1 + I: slot I */

static void *
entry (size_t i, size_t off)
{
  return code + i * cs_arch_native ()->trampoline_len + off;
}

static int
map_code (void **state)
{
  const struct cs_arch *arch = cs_arch_native ();
  long page_len = arch->page_len;

  (void) state;
  code = mmap (NULL, 2 * page_len, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED)
    return -1;
  words = (uintptr_t *) (code + page_len);
  for (uint32_t i = 0; i < NR; i++)
    if (arch->encode_trampoline (entry (i, 0), (uintptr_t) entry (i, 0),
                                 (uintptr_t) &words[1 + i],
                                 (uintptr_t) &words[0], 1000 + i) < 0)
      return -1;
  return mprotect (code, page_len, PROT_READ | PROT_EXEC);
}

static int
unmap_code (void **state)
{
  (void) state;
  return munmap (code, 2 * cs_arch_native ()->page_len);
}

static long
eight (int a, long b, short c, char d, long e, long f, long g, double h)
{
  return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f
         + 1000000 * g + (long) (10000000 * h);
}

static void
run_trampolines (void **state)
{
  long (*call_eight) (int, long, short, char, long, long, long, double)
    = entry (1, 0);
  int (*call_snprintf) (char *, size_t, const char *, ...) = entry (2, 0);
  char text[64];

  (void) state;
  words[2] = (uintptr_t) eight;
  words[3] = (uintptr_t) snprintf;
  assert_int_equal (call_eight (1, 2, 3, 4, 5, 6, 7, 8.0), 87654321);
  /* Variadic: on x86-64 %al counts the vector registers.  */
  assert_int_equal (call_snprintf (text, sizeof text, "%d %.2f %s %.1f", 7,
                                   1.25, "x", 2.5), 12);
  assert_string_equal (text, "7 1.25 x 2.5");

  words[2] = (uintptr_t) snprintf;      /* a slot may change at any time */
  assert_int_equal (((int (*) (char *, size_t, const char *, ...))
                     (uintptr_t) call_eight) (text, sizeof text, "%u", 99u),
                    2);
}

static uint32_t handled;
static bool aligned;
static jmp_buf escape;

/* Stubs jump here.  A call pushes its return address to an aligned stack, so
   what lies above the return address must be aligned.  */
CS_ARCH_HANDLER static void
handler (uint32_t index)
{
  uintptr_t frame = (uintptr_t) __builtin_frame_address (0);

  handled = index;
  aligned = (frame + 2 * sizeof (void *)) % 16 == 0;
  longjmp (escape, 1);
}

static void
run_stubs (void **state)
{
  size_t stub_off = cs_arch_native ()->stub_off;

  (void) state;
  words[0] = (uintptr_t) handler;
  for (size_t i = 0; i < NR; i++)
    {
      void (*missing) (int, int, int) = entry (i, 0);

      handled = 0;
      aligned = false;
      words[1 + i] = (uintptr_t) entry (i, stub_off);
      if (setjmp (escape) == 0)
        {
          missing (-1, -2, -3);
          fail_msg ("the handler returned");
        }
      assert_int_equal (handled, 1000 + i);
      assert_true (aligned);
    }
}

/* -- Entries of section .plt.got.  */

static const struct
{
  const struct cs_arch *arch;
  size_t len, field;            /* field: where the displacement is */
  uint8_t before[16], after[16];
} entries[] = {
  { &cs_arch_x86_64, 8, 2,
    { 0xff, 0x25, 0x04, 0x03, 0x02, 0x01, 0x66, 0x90 },
    { 0xff, 0x25, 0xfa, 0xff, 0xff, 0xff, 0x66, 0x90 } },
  { &cs_arch_x86_64, 8, 3,
    { 0xf2, 0xff, 0x25, 0x04, 0x03, 0x02, 0x01, 0x90 },
    { 0xf2, 0xff, 0x25, 0xf9, 0xff, 0xff, 0xff, 0x90 } },
  { &cs_arch_x86_64, 16, 6,
    { 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0x04, 0x03, 0x02, 0x01,
      0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
    { 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0xf6, 0xff, 0xff, 0xff,
      0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 } },
  { &cs_arch_x86_64, 16, 7,
    { 0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0x04, 0x03, 0x02, 0x01,
      0x0f, 0x1f, 0x44, 0x00, 0x00 },
    { 0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0xf5, 0xff, 0xff, 0xff,
      0x0f, 0x1f, 0x44, 0x00, 0x00 } },
  { &cs_arch_i386, 8, 2,
    { 0xff, 0xa3, 0x04, 0x03, 0x02, 0x01, 0x66, 0x90 },
    { 0xff, 0x25, 0x00, 0x00, 0x20, 0x00, 0x66, 0x90 } },
  { &cs_arch_i386, 16, 6,
    { 0xf3, 0x0f, 0x1e, 0xfb, 0xff, 0xa3, 0x04, 0x03, 0x02, 0x01,
      0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
    { 0xf3, 0x0f, 0x1e, 0xfb, 0xff, 0x25, 0x00, 0x00, 0x20, 0x00,
      0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 } }
};

enum { NR_ENTRIES = sizeof entries / sizeof *entries };

/* The library's GOT at 0x1000; the entry at 0x200000, and so is the word that
   it is to jump through.  */
static void
plt_got_bytes (void **state)
{
  uint64_t addr = 0x200000, got = 0x1000, word, expected;
  uint8_t bytes[16];

  (void) state;
  for (size_t i = 0; i < NR_ENTRIES; i++)
    {
      const struct cs_arch *arch = entries[i].arch;

      expected = 0x1020304
                 + (arch == &cs_arch_i386 ? got : addr + entries[i].field + 4);
      memcpy (bytes, entries[i].before, sizeof bytes);
      assert_int_equal (arch->decode_plt_got (bytes, sizeof bytes, addr, got,
                                              &word), entries[i].len);
      assert_int_equal (word, expected);
      assert_int_equal (arch->encode_plt_got (bytes, sizeof bytes, addr,
                                              addr), 0);
      assert_memory_equal (bytes, entries[i].after, sizeof bytes);
    }
}

/* A displacement is signed.  */
static void
plt_got_negative (void **state)
{
  static const uint8_t wide[8]
    = { 0xff, 0x25, 0xf0, 0xff, 0xff, 0xff, 0x66, 0x90 };
  static const uint8_t narrow[8]
    = { 0xff, 0xa3, 0xf0, 0xff, 0xff, 0xff, 0x66, 0x90 };
  uint64_t word;

  (void) state;
  assert_int_equal (cs_arch_x86_64.decode_plt_got (wide, 8, 0x200000, 0,
                                                   &word), 8);
  assert_int_equal (word, 0x200006 - 16);
  assert_int_equal (cs_arch_i386.decode_plt_got (narrow, 8, 0x200000, 0x1000,
                                                 &word), 8);
  assert_int_equal (word, 0x1000 - 16);
}

/* Each byte but the displacement's counts; so does the length; on i386, that
   there is a GOT.  */
static void
plt_got_others (void **state)
{
  uint8_t bytes[16];
  uint64_t word;

  (void) state;
  for (size_t i = 0; i < NR_ENTRIES; i++)
    {
      const struct cs_arch *arch = entries[i].arch;

      memcpy (bytes, entries[i].before, sizeof bytes);
      for (size_t k = 0; k < entries[i].len; k++)
        {
          bytes[k] ^= 0x40;
          assert_int_equal (arch->decode_plt_got (bytes, sizeof bytes, 0, 1,
                                                  &word) != 0,
                            k - entries[i].field < 4);
          bytes[k] ^= 0x40;
        }
      for (size_t len = 0; len < entries[i].len; len++)
        assert_int_equal (arch->decode_plt_got (bytes, len, 0, 1, &word), 0);
      if (arch == &cs_arch_i386)
        assert_int_equal (arch->decode_plt_got (bytes, sizeof bytes, 0, 0,
                                                &word), 0);
      bytes[0] ^= 0x40;
      assert_int_equal (arch->encode_plt_got (bytes, sizeof bytes, 0, 0),
                        -EINVAL);
    }
}

static void
plt_got_reach (void **state)
{
  uint64_t addr = 0x200000000000, from = addr + 6;
  uint8_t bytes[16];

  (void) state;
#define ENCODE(i, word) \
  (memcpy (bytes, entries[i].before, sizeof bytes), \
   entries[i].arch->encode_plt_got (bytes, sizeof bytes, addr, (word)))
  assert_int_equal (ENCODE (0, from + INT32_MAX), 0);
  assert_int_equal (ENCODE (0, from - 0x80000000u), 0);
  assert_int_equal (ENCODE (0, from + 0x80000000u), -ERANGE);
  assert_memory_equal (bytes, entries[0].before, sizeof bytes);
  assert_int_equal (ENCODE (0, from - 0x80000001u), -ERANGE);
  assert_int_equal (ENCODE (4, 0xfffffffc), 0);
  assert_int_equal (ENCODE (4, 0xfffffffd), -ERANGE);
  assert_int_equal (ENCODE (4, 0x100000000), -ERANGE);
  assert_memory_equal (bytes, entries[4].before, sizeof bytes);
#undef ENCODE
}

/* As the machine sees it.  */
static void
run_plt_got (void **state)
{
  const struct cs_arch *arch = cs_arch_native ();
  long page_len = arch->page_len;
  int (*call_snprintf) (char *, size_t, const char *, ...) = entry (0, 0);
  char text[64];
  size_t nr = 0;

  (void) state;
  words[1] = 0;
  words[2] = (uintptr_t) snprintf;
  for (size_t i = 0; i < NR_ENTRIES; i++)
    {
      if (entries[i].arch != arch)
        continue;
      assert_int_equal (mprotect (code, page_len, PROT_READ | PROT_WRITE), 0);
      memcpy (code, entries[i].before, entries[i].len);
      assert_int_equal (arch->encode_plt_got (code, entries[i].len,
                                              (uintptr_t) code,
                                              (uintptr_t) &words[2]), 0);
      assert_int_equal (mprotect (code, page_len, PROT_READ | PROT_EXEC), 0);
      assert_int_equal (call_snprintf (text, sizeof text, "%d %.2f %s", 7,
                                       1.25, "x"), 8);
      assert_string_equal (text, "7 1.25 x");
      nr++;
    }
  assert_true (nr > 0);
}

/* -- The rest.  */

static void
find_machines (void **state)
{
  const struct cs_arch *native = cs_arch_native ();

  (void) state;
  assert_ptr_equal (cs_arch_find (EM_X86_64), &cs_arch_x86_64);
  assert_ptr_equal (cs_arch_find (EM_386), &cs_arch_i386);
  assert_null (cs_arch_find (EM_NONE));
  assert_null (cs_arch_find (EM_AARCH64));
  assert_int_equal (native->word_len, sizeof (void *));
#if defined __i386__
  assert_string_equal (native->name, "i386");
#elif defined __x86_64__
  assert_string_equal (native->name, "x86_64");
#endif
}

static void
classify_relocs (void **state)
{
  static const struct
  {
    const struct cs_arch *arch;
    uint32_t type;
    enum cs_reloc_kind kind;
    const char *name;
  } cases[] = {
    { &cs_arch_x86_64, 0, CS_RELOC_NONE, "R_X86_64_NONE" },
    { &cs_arch_x86_64, 1, CS_RELOC_ABSOLUTE, "R_X86_64_64" },
    { &cs_arch_x86_64, 2, CS_RELOC_UNSUPPORTED, "R_X86_64_PC32" },
    { &cs_arch_x86_64, 5, CS_RELOC_UNSUPPORTED, "R_X86_64_COPY" },
    { &cs_arch_x86_64, 6, CS_RELOC_GLOB_DAT, "R_X86_64_GLOB_DAT" },
    { &cs_arch_x86_64, 7, CS_RELOC_JUMP_SLOT, "R_X86_64_JUMP_SLOT" },
    { &cs_arch_x86_64, 8, CS_RELOC_RELATIVE, "R_X86_64_RELATIVE" },
    { &cs_arch_x86_64, 16, CS_RELOC_DTPMOD, "R_X86_64_DTPMOD64" },
    { &cs_arch_x86_64, 17, CS_RELOC_DTPOFF, "R_X86_64_DTPOFF64" },
    { &cs_arch_x86_64, 18, CS_RELOC_TPOFF, "R_X86_64_TPOFF64" },
    { &cs_arch_x86_64, 36, CS_RELOC_UNSUPPORTED, "R_X86_64_TLSDESC" },
    { &cs_arch_x86_64, 37, CS_RELOC_IRELATIVE, "R_X86_64_IRELATIVE" },
    { &cs_arch_x86_64, 39, CS_RELOC_UNSUPPORTED, "unknown relocation" },
    { &cs_arch_i386, 0, CS_RELOC_NONE, "R_386_NONE" },
    { &cs_arch_i386, 1, CS_RELOC_ABSOLUTE, "R_386_32" },
    { &cs_arch_i386, 2, CS_RELOC_UNSUPPORTED, "R_386_PC32" },
    { &cs_arch_i386, 5, CS_RELOC_UNSUPPORTED, "R_386_COPY" },
    { &cs_arch_i386, 6, CS_RELOC_GLOB_DAT, "R_386_GLOB_DAT" },
    { &cs_arch_i386, 7, CS_RELOC_JUMP_SLOT, "R_386_JMP_SLOT" },
    { &cs_arch_i386, 8, CS_RELOC_RELATIVE, "R_386_RELATIVE" },
    { &cs_arch_i386, 14, CS_RELOC_TPOFF, "R_386_TLS_TPOFF" },
    { &cs_arch_i386, 35, CS_RELOC_DTPMOD, "R_386_TLS_DTPMOD32" },
    { &cs_arch_i386, 36, CS_RELOC_DTPOFF, "R_386_TLS_DTPOFF32" },
    { &cs_arch_i386, 37, CS_RELOC_TPOFF, "R_386_TLS_TPOFF32" },
    { &cs_arch_i386, 41, CS_RELOC_UNSUPPORTED, "R_386_TLS_DESC" },
    { &cs_arch_i386, 42, CS_RELOC_IRELATIVE, "R_386_IRELATIVE" },
    { &cs_arch_i386, 13, CS_RELOC_UNSUPPORTED, "unknown relocation" }
  };

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      const struct cs_arch *arch = cases[i].arch;

      assert_int_equal (arch->reloc_kind (cases[i].type), cases[i].kind);
      assert_string_equal (arch->reloc_name (cases[i].type), cases[i].name);
    }
  for (uint64_t type = 43; type <= UINT32_MAX; type = type * 3 + 1)
    {
      assert_non_null (cs_arch_x86_64.reloc_name (type));
      assert_non_null (cs_arch_i386.reloc_name (type));
      assert_int_equal (cs_arch_i386.reloc_kind (type), CS_RELOC_UNSUPPORTED);
    }
}

static void
reserve_region (void **state)
{
  static const struct cs_arch *const all[]
    = { &cs_arch_x86_64, &cs_arch_i386 };
  const struct cs_arch *native = cs_arch_native ();
  void *want = (void *) (uintptr_t) native->region_base;
  void *got;

  (void) state;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    {
      assert_int_equal (all[i]->region_base % all[i]->page_len, 0);
      assert_int_equal (all[i]->region_len % all[i]->page_len, 0);
      assert_true (all[i]->region_base + all[i]->region_len
                   < all[i]->address_end);
    }
  got = mmap (want, native->region_len, PROT_NONE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
              | MAP_FIXED_NOREPLACE, -1, 0);
  assert_ptr_equal (got, want);
  munmap (got, native->region_len);
}

static void
compare_crc (cs_page_crc *crc, const uint8_t *page)
{
  assert_int_equal (crc (page), crc32 (0, page, 4096));
}

/* Every CRC of a page against zlib's, for pages of all sorts, wherever they
   lie.  */
static void
page_crc (void **state)
{
  static uint8_t room[4096 + 64] __attribute__ ((aligned (64)));
  uint8_t *page = room;
  unsigned int n;
  cs_page_crc *crc;

  (void) state;
  for (n = 0; (crc = cs_arch_page_crc (n)); n++)
    {
      srand (7);
      for (int i = 0; i < 2000; i++)
        {
          page = room + i % 64;
          for (size_t k = 0; k < 4096; k++)
            page[k] = (uint8_t) (i < 1000 ? rand () : rand () % 64 == 0);
          compare_crc (crc, page);
        }
      for (size_t bit = 0; bit < 8 * 4096; bit++)
        {
          memset (room, 0, sizeof room);
          room[bit / 8] = (uint8_t) (1 << bit % 8);
          compare_crc (crc, room);
        }
    }
  if (n == 0)
    skip ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (page_crc),
    cmocka_unit_test (bytes_x86_64),
    cmocka_unit_test (bytes_i386),
    cmocka_unit_test (reach_x86_64),
    cmocka_unit_test (reach_i386),
    cmocka_unit_test_setup_teardown (run_trampolines, map_code, unmap_code),
    cmocka_unit_test_setup_teardown (run_stubs, map_code, unmap_code),
    cmocka_unit_test (plt_got_bytes),
    cmocka_unit_test (plt_got_negative),
    cmocka_unit_test (plt_got_others),
    cmocka_unit_test (plt_got_reach),
    cmocka_unit_test_setup_teardown (run_plt_got, map_code, unmap_code),
    cmocka_unit_test (find_machines),
    cmocka_unit_test (classify_relocs),
    cmocka_unit_test (reserve_region)
  };

  return cmocka_run_group_tests_name ("arch", tests, NULL, NULL);
}
