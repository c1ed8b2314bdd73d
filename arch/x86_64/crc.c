/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crc.c -- CRC-32 of a page by carry-less multiplication.

   The method is that of V. Gopal et al., "Fast CRC Computation for Generic
   Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), for reflected
   bits: four accumulators are folded over the data, then into one of 128
   bits, which is reduced to 32 (Barrett).  They have 128 bits each, or 512
   where the processor has VPCLMULQDQ and AVX-512: a third of the time.

   FOLD_N moves an accumulator over N bytes: x^(8N + 32) in the low half,
   x^(8N - 32) in the high half, modulo the polynomial of zlib's crc32(), bits
   reflected, one place up.  The tests compare with zlib's.  */

#include <stdbool.h>
#include <stddef.h>

#include "arch/crc.h"

#if defined __x86_64__ || defined __i386__

#include <cpuid.h>
#include <immintrin.h>

#define FOLD_256 _mm_set_epi64x (0x1322d1430, 0x11542778a)
#define FOLD_64 _mm_set_epi64x (0x1c6e41596, 0x154442bd4)
#define FOLD_16 _mm_set_epi64x (0x0ccaa009e, 0x1751997d0)
#define FOLD_4 _mm_set_epi64x (0, 0x163cd6124)
#define BARRETT _mm_set_epi64x (0x1f7011641, 0x1db710641)

#define TARGET __attribute__ ((target ("pclmul,sse4.1")))
#define WIDE __attribute__ ((target ("pclmul,sse4.1,vpclmulqdq,avx512f")))

/* XCR0: the system keeps the AVX-512 registers of a thread (Intel SDM, volume
   1, 13.3).  */
#define AVX512_STATE 0xe6

/* Move ACC forward by the distance that K stands for, and add DATA.  */
static inline TARGET __m128i
fold (__m128i acc, __m128i k, __m128i data)
{
  __m128i low = _mm_clmulepi64_si128 (acc, k, 0x00);
  __m128i high = _mm_clmulepi64_si128 (acc, k, 0x11);

  return _mm_xor_si128 (_mm_xor_si128 (low, high), data);
}

/* The remainder of 128 bits.  */
static inline TARGET uint32_t
reduce (__m128i x)
{
  const __m128i low_32 = _mm_set_epi64x (0, 0xffffffff);
  __m128i t;

  t = _mm_clmulepi64_si128 (x, FOLD_16, 0x10);
  x = _mm_xor_si128 (_mm_srli_si128 (x, 8), t);
  t = _mm_clmulepi64_si128 (_mm_and_si128 (x, low_32), FOLD_4, 0x00);
  x = _mm_xor_si128 (_mm_srli_si128 (x, 4), t);
  t = _mm_clmulepi64_si128 (_mm_and_si128 (x, low_32), BARRETT, 0x10);
  t = _mm_clmulepi64_si128 (_mm_and_si128 (t, low_32), BARRETT, 0x00);
  return (uint32_t) _mm_extract_epi32 (_mm_xor_si128 (x, t), 1);
}

static TARGET uint32_t
narrow_crc (const void *page)
{
  const __m128i *p = page, *end = p + 4096 / 16;
  __m128i a = _mm_xor_si128 (_mm_loadu_si128 (p),
                             _mm_cvtsi32_si128 (-1));
  __m128i b = _mm_loadu_si128 (p + 1), c = _mm_loadu_si128 (p + 2);
  __m128i d = _mm_loadu_si128 (p + 3);

  for (p += 4; p < end; p += 4)
    {
      a = fold (a, FOLD_64, _mm_loadu_si128 (p));
      b = fold (b, FOLD_64, _mm_loadu_si128 (p + 1));
      c = fold (c, FOLD_64, _mm_loadu_si128 (p + 2));
      d = fold (d, FOLD_64, _mm_loadu_si128 (p + 3));
    }
  a = fold (fold (fold (a, FOLD_16, b), FOLD_16, c), FOLD_16, d);
  return ~reduce (a);
}

static inline WIDE __m512i
fold_wide (__m512i acc, __m128i k, __m512i data)
{
  __m512i all = _mm512_broadcast_i32x4 (k);
  __m512i low = _mm512_clmulepi64_epi128 (acc, all, 0x00);
  __m512i high = _mm512_clmulepi64_epi128 (acc, all, 0x11);

  return _mm512_ternarylogic_epi64 (low, high, data, 0x96);     /* xor */
}

static WIDE uint32_t
wide_crc (const void *page)
{
  const char *p = page, *end = p + 4096;
  __m512i a = _mm512_xor_si512 (_mm512_loadu_si512 (p),
                                _mm512_zextsi128_si512
                                (_mm_cvtsi32_si128 (-1)));
  __m512i b = _mm512_loadu_si512 (p + 64), c = _mm512_loadu_si512 (p + 128);
  __m512i d = _mm512_loadu_si512 (p + 192);
  __m128i x;

  for (p += 256; p < end; p += 256)
    {
      a = fold_wide (a, FOLD_256, _mm512_loadu_si512 (p));
      b = fold_wide (b, FOLD_256, _mm512_loadu_si512 (p + 64));
      c = fold_wide (c, FOLD_256, _mm512_loadu_si512 (p + 128));
      d = fold_wide (d, FOLD_256, _mm512_loadu_si512 (p + 192));
    }
  a = fold_wide (fold_wide (fold_wide (a, FOLD_64, b), FOLD_64, c), FOLD_64,
                 d);
  x = fold (_mm512_castsi512_si128 (a), FOLD_16,
            _mm512_extracti32x4_epi32 (a, 1));
  x = fold (x, FOLD_16, _mm512_extracti32x4_epi32 (a, 2));
  return ~reduce (fold (x, FOLD_16, _mm512_extracti32x4_epi32 (a, 3)));
}

/* Asked here, not with __builtin_cpu_supports(): that brings a constructor
   along, which executes cpuid some twenty times at each start of a program,
   and in a virtual machine each of them leaves the machine.  */

static bool
is_wide (unsigned int features)
{
  unsigned int a, b, c, d;

  if (!(features & bit_OSXSAVE))
    return false;
  __asm__ ("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
  return ((a & AVX512_STATE) == AVX512_STATE
          && __get_cpuid_count (7, 0, &a, &b, &c, &d)
          && (b & bit_AVX512F) && (c & bit_VPCLMULQDQ));
}

cs_page_crc *
cs_arch_page_crc (unsigned int n)
{
  unsigned int a, b, c, d;

  if (!__get_cpuid (1, &a, &b, &c, &d) || !(c & bit_PCLMUL)
      || !(c & bit_SSE4_1))
    return NULL;
  if (is_wide (c) && n-- == 0)
    return wide_crc;
  return n == 0 ? narrow_crc : NULL;
}

#else

cs_page_crc *
cs_arch_page_crc (unsigned int n)
{
  (void) n;
  return NULL;
}

#endif
