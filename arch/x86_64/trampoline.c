/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trampoline.c -- x86-64 trampolines and stubs.

     +0   f3 0f 1e fa         endbr64
     +4   ff 25 DISP32        jmp   *slot(%rip)
     +10  cc...               int3
     +16  f3 0f 1e fa         endbr64
     +20  bf INDEX            mov   $index, %edi
     +25  ff 25 DISP32        jmp   *handler(%rip)
     +31  cc                  int3

   Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual,
   volume 2: ENDBR64, JMP (FF /4, ModRM 25: RIP-relative in 64-bit mode,
   section 2.2.1.6), MOV (B8+rd), INT3.  Registers: AMD64 psABI 1.0, section
   3.2.3: the first integer argument is in %rdi.  A trampoline touches no
   register and no flag, so it suits functions of every type, variadic ones
   (%al) included; the stack at the handler's entry is as its caller's call
   left it.  */

#include <errno.h>
#include <string.h>

#include "machine-code.h"

enum { JUMP = 4, STUB = 16, STUB_MOVE = 20, STUB_JUMP = 25, LEN = 32 };
enum { JUMP_LEN = 6 };

static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

static void
put32 (uint8_t *at, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    at[i] = value >> (8 * i);
}

/* Encode at AT a jump at address ADDR through the word at WORD_ADDR.  */
static int
put_jump (uint8_t *at, uint64_t addr, uint64_t word_addr)
{
  /* The displacement counts from the end of the instruction.  */
  int64_t displacement = (int64_t) (word_addr - (addr + JUMP_LEN));

  if (displacement < INT32_MIN || displacement > INT32_MAX)
    return -ERANGE;
  at[0] = 0xff;
  at[1] = 0x25;
  put32 (at + 2, (uint32_t) displacement);
  return 0;
}

int
cs_x86_64_encode_trampoline (void *code, uint64_t addr, uint64_t slot_addr,
                             uint64_t handler_addr, uint32_t index)
{
  uint8_t bytes[LEN];
  int res;

  memset (bytes, 0xcc, sizeof bytes);
  memcpy (bytes, endbr64, sizeof endbr64);
  res = put_jump (bytes + JUMP, addr + JUMP, slot_addr);
  if (res < 0)
    return res;

  memcpy (bytes + STUB, endbr64, sizeof endbr64);
  bytes[STUB_MOVE] = 0xbf;
  put32 (bytes + STUB_MOVE + 1, index);
  res = put_jump (bytes + STUB_JUMP, addr + STUB_JUMP, handler_addr);
  if (res < 0)
    return res;

  memcpy (code, bytes, sizeof bytes);
  return 0;
}
