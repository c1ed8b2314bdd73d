/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* compare.h -- what the entries of a table would bind to in other libraries.

   An entry is looked for in the library of its soname, by name and version,
   as it is at each start; one whose library is not known, in all.  */
#ifndef CS_COMPARE_H
#define CS_COMPARE_H

#include "intern/table.h"

/* The first that is true counts, from the end.  */
enum cs_compare_status
{
  CS_COMPARE_SAME,
  CS_COMPARE_MOVED,             /* another offset in the library */
  CS_COMPARE_SIZE_CHANGED,
  CS_COMPARE_KIND_CHANGED,
  CS_COMPARE_MISSING,
  CS_COMPARE_NOT_CHECKED        /* its library is not among those given */
};

#define CS_COMPARE_STATUSES 6

struct cs_comparison
{
  enum cs_compare_status status;
  const struct cs_elf_symbol *symbol;   /* what it would bind to, or NULL;
                                           lent by its library */
};

/* Look for entry I of TABLE in the NR libraries.  Size and offset are only
   compared if the table has them (struct cs_table_entry_disk.offset).  */
struct cs_comparison cs_compare_entry (const struct cs_table_disk *table,
                                       uint32_t i,
                                       const struct cs_elf *const *libraries,
                                       size_t nr);

/* "same", "moved", "size-changed", "kind-changed", "missing",
   "not-checked".  */
const char *cs_compare_name (enum cs_compare_status status);

#endif
