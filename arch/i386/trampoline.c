/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trampoline.c -- i386 trampolines and stubs.

     +0   f3 0f 1e fb         endbr32
     +4   ff 25 ADDR32        jmp   *slot
     +10  cc...               int3
     +16  f3 0f 1e fb         endbr32
     +20  b8 INDEX            mov   $index, %eax
     +25  ff 25 ADDR32        jmp   *handler
     +31  cc                  int3

   Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual,
   volume 2: ENDBR32, JMP (FF /4, ModRM 25: disp32 outside 64-bit mode), MOV
   (B8+rd), INT3.  A trampoline touches no register and no flag.  Arguments
   are on the stack (i386 psABI 1.1, section 2.2.3) where the stub leaves
   them; the handler takes its own in %eax (GCC's regparm(1),
   CS_ARCH_HANDLER).  */

#include <errno.h>
#include <string.h>

#include "machine-code.h"

enum { JUMP = 4, STUB = 16, STUB_MOVE = 20, STUB_JUMP = 25, LEN = 32 };
enum { WORD_LEN = 4 };

static const uint8_t endbr32[] = { 0xf3, 0x0f, 0x1e, 0xfb };

/* Do LEN bytes at ADDR lie in a 32-bit address space?  */
static bool
is_addressable (uint64_t addr, uint64_t len)
{
  return addr <= UINT32_MAX && len - 1 <= UINT32_MAX - addr;
}

static void
put32 (uint8_t *at, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    at[i] = value >> (8 * i);
}

/* Encode at AT a jump through the word at WORD_ADDR.  */
static void
put_jump (uint8_t *at, uint64_t word_addr)
{
  at[0] = 0xff;
  at[1] = 0x25;
  put32 (at + 2, (uint32_t) word_addr);
}

int
cs_i386_encode_trampoline (void *code, uint64_t addr, uint64_t slot_addr,
                           uint64_t handler_addr, uint32_t index)
{
  uint8_t *bytes = code;

  if (!is_addressable (addr, LEN) || !is_addressable (slot_addr, WORD_LEN)
      || !is_addressable (handler_addr, WORD_LEN))
    return -ERANGE;

  memset (bytes, 0xcc, LEN);
  memcpy (bytes, endbr32, sizeof endbr32);
  put_jump (bytes + JUMP, slot_addr);

  memcpy (bytes + STUB, endbr32, sizeof endbr32);
  bytes[STUB_MOVE] = 0xb8;
  put32 (bytes + STUB_MOVE + 1, index);
  put_jump (bytes + STUB_JUMP, handler_addr);
  return 0;
}
