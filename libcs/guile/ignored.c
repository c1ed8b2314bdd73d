/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ignored.c -- changes that a save leaves out.  */

#include <string.h>

#include "guile/ignored.h"
#include "intern/intern.h"
#include "intern/library.h"
#include "process/process.h"

/* Guile 3.0.8, libguile/jit.h, struct scm_jit_function_data.  */
struct jit_data
{
  uintptr_t mcode;
  uint32_t counter;
  int32_t start, end;           /* of the bytecode, from this structure */
};

/* The number of the instruction instrument-entry, with which a procedure begins;
   its second word leads to the procedure's data (3.0.8, libguile/vm-engine.c).
   With a libguile that has other numbers, counters are saved.  */
#define INSTRUMENT_ENTRY 1

/* Does ADDR hold the JIT's data of a procedure?  The bytecode lies before its
   data and leads back to the data, as no other object does.  */
static bool
is_jit_data (uint64_t addr)
{
  struct jit_data data;
  uint32_t opcode;
  int32_t back;
  uint64_t code;

  if (addr % sizeof (uintptr_t) != 0
      || !cs_store_holds (cs_process.store, addr, sizeof data))
    return false;
  memcpy (&data, (char *) (uintptr_t) addr, sizeof data);
  code = addr + (uint64_t) (int64_t) data.start;
  if (data.start >= data.end || data.end > 0 || code % sizeof opcode != 0
      || !cs_store_holds (cs_process.store, code, 2 * sizeof opcode))
    return false;
  memcpy (&opcode, (char *) (uintptr_t) code, sizeof opcode);
  memcpy (&back, (char *) (uintptr_t) code + sizeof opcode, sizeof back);
  return (opcode == INSTRUMENT_ENTRY
          && code + (uint64_t) ((int64_t) back * 4) == addr);
}

/* Does WORD, at ADDR, belong to this process?  */
static bool
is_of_process (uint64_t addr, uintptr_t word)
{
  return (!cs_store_contains (cs_process.store, (void *) word)
          && (cs_intern_is_of_process (cs_process.table, addr)
              || cs_library_is_slot (&cs_process.libraries, addr)));
}

/* Is the change of the word at ADDR to NOW ignored?  THEN is what it was.  */
static bool
ignores_word (uint64_t addr, const char *now, const char *then)
{
  uintptr_t word;

  memcpy (&word, now, sizeof word);
  if (is_of_process (addr, word))
    return true;
  for (size_t i = 0; i < sizeof word; i += sizeof (uint32_t))
    if (memcmp (now + i, then + i, sizeof (uint32_t)) != 0
        && !is_jit_data (addr + i - offsetof (struct jit_data, counter)))
      return false;
  return true;
}

bool
cs_ignored_page (const char *addr, const char *now, const char *then)
{
  for (size_t i = 0; i < CS_STORE_PAGE_LEN; i += sizeof (uintptr_t))
    if (memcmp (now + i, then + i, sizeof (uintptr_t)) != 0
        && !ignores_word ((uintptr_t) addr + i, now + i, then + i))
      return false;
  return true;
}
