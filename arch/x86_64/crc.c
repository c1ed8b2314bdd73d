/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crc.c -- CRC-32 of a page by carry-less multiplication.

   The method is that of V. Gopal et al., "Fast CRC Computation for Generic
   Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), for reflected
   bits: four accumulators of 128 bits are folded over the data, then into
   one, which is reduced to 32 bits (Barrett).  The constants are its table
   for the polynomial of zlib's crc32(), with which the tests compare it.  */

#include "store/crc.h"

#if defined __x86_64__ || defined __i386__

#include <cpuid.h>
#include <immintrin.h>

#define FOLD_64 _mm_set_epi64x (0x1c6e41596, 0x154442bd4)
#define FOLD_16 _mm_set_epi64x (0x0ccaa009e, 0x1751997d0)
#define FOLD_4 _mm_set_epi64x (0, 0x163cd6124)
#define BARRETT _mm_set_epi64x (0x1f7011641, 0x1db710641)

#define TARGET __attribute__ ((target ("pclmul,sse4.1")))

/* Asked here, not with __builtin_cpu_supports(): that brings a constructor
   along, which executes cpuid some twenty times at each start of a program,
   and in a virtual machine each of them leaves the machine.  */
bool
cs_arch_has_page_crc (void)
{
  unsigned int a, b, c, d;

  return __get_cpuid (1, &a, &b, &c, &d) && (c & bit_PCLMUL)
         && (c & bit_SSE4_1);
}

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

TARGET uint32_t
cs_arch_page_crc (const void *page)
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

#else

bool
cs_arch_has_page_crc (void)
{
  return false;
}

uint32_t
cs_arch_page_crc (const void *page)
{
  (void) page;
  return 0;
}

#endif
