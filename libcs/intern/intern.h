/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* intern.h -- the intern table of a store, with its trampolines.

   Three sections of the store:
     "intern"   the table (intern/table.h), with room to grow
     "code"     the trampolines, readable and executable; all `capacity` of
                them are encoded when the store is made, so that the pages
                are never written again
     "slots"    words: number 0 is the handler that stubs of missing symbols
                jump to, number 1 + I today's address for entry I

   A trampoline's address is code_addr + I * trampoline_len, for the life of
   the store.  Slots are filled by whoever loads the libraries.  */
#ifndef CS_INTERN_H
#define CS_INTERN_H

#include <stdbool.h>

#include "intern/table.h"
#include "store/store.h"

/* Room left for symbols interned at run time.  */
#define CS_INTERN_SPARE_ENTRIES 4096
#define CS_INTERN_SPARE_STRINGS (256 * 1024)

/* Make the three sections from TABLE (a compiled one, or NULL for none) and
   encode every trampoline.  Every slot first points to its own missing
   stub.  */
int cs_intern_create (struct cs_store *store, const struct cs_arch *arch,
                      const struct cs_table_disk *table, struct cs_err *err);

/* The table, after cs_table_check() and a check that the three sections fit
   each other (-CS_E_DAMAGED).  Lent until the store is closed; writable only
   in the mapping modes.  */
int cs_intern_open (struct cs_store *store, struct cs_table_disk **table,
                    struct cs_err *err);

/* The same for a start, which uses few entries: cs_table_check_header()
   instead of cs_table_check().  */
int cs_intern_attach (struct cs_store *store, struct cs_table_disk **table,
                      struct cs_err *err);

/* Address of entry I's trampoline, of its missing stub, and of its slot.  */
uint64_t cs_intern_trampoline (const struct cs_table_disk *table, uint32_t i);
uint64_t cs_intern_stub (const struct cs_table_disk *table, uint32_t i);
uint64_t cs_intern_slot (const struct cs_table_disk *table, uint32_t i);

/* The entry whose trampoline ADDR is in, or -ENOENT.  */
long cs_intern_at (const struct cs_table_disk *table, uint64_t addr);

/* Point slot I to ADDR, or to I's missing stub for 0, and keep `value` and
   CS_TABLE_MISSING in step.  Only in the mapping modes.  */
void cs_intern_bind (struct cs_table_disk *table, uint32_t i, uint64_t addr);

/* The same for an entry whose address is another one in each process: the
   entry is written without being read, which brings fewer of the table's
   pages into memory.  It must be a used function that is neither PERSISTENT
   nor DYNAMIC.  */
void cs_intern_bind_anew (struct cs_table_disk *table, uint32_t i,
                          uint64_t addr);

/* Point slot I to ADDR, whatever the entry says: for a function of a carried
   library that is replaced.  Only in the mapping modes.  */
void cs_intern_redirect (const struct cs_table_disk *table, uint32_t i,
                         uint64_t addr);

/* Is the word at ADDR, in one of the sections, an address that each start finds:
   a slot, or the `value` of a function?  The value of a data symbol is not, as
   pointers in the heap have it.  */
bool cs_intern_is_of_process (const struct cs_table_disk *table,
                              uint64_t addr);

/* Set the handler that missing stubs call with the index of their entry; it
   does not return to the caller's code with a useful value, so it should
   not return at all.  Only in the mapping modes.  */
void cs_intern_set_handler (struct cs_table_disk *table,
                            void (*handler) (uint32_t index) CS_ARCH_HANDLER);

#endif
