/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* make-store.c STORE POLICY LIBRARY -- a store that has nothing in it but the
   intern table of one library, for cs-intern.bats.  */

#include <stdio.h>
#include <stdlib.h>

#include "intern/intern.h"
#include "intern/needed.h"

static void
check (int code, const struct cs_err *err)
{
  if (code == 0)
    return;
  fprintf (stderr, "make-store: %s\n", err->text);
  exit (1);
}

int
main (int argc, char **argv)
{
  const struct cs_arch *arch = cs_arch_native ();
  const struct cs_store_params params
    = { .machine = arch->elf_machine, .word_len = arch->word_len,
        .base = arch->region_base, .reserved = 64 << 20 };
  struct cs_err err = CS_ERR_INIT;
  struct cs_elf_list list;
  struct cs_policy *policy;
  struct cs_store *store;
  struct cs_table_disk *table;

  if (argc != 4)
    return 2;
  check (cs_policy_load (argv[2], NULL, NULL, &policy, &err), &err);
  check (cs_elf_list_open (policy, (const char *const *) argv + 3, 1, &list,
                           &err), &err);
  check (cs_table_compile (policy, (const struct cs_elf *const *) list.items,
                           list.nr, &table, &err), &err);
  check (cs_store_create (argv[1], &params, true, &store, &err), &err);
  check (cs_intern_create (store, arch, table, &err), &err);
  check (cs_store_commit (store, &err), &err);
  cs_store_close (store);
  free (table);
  cs_elf_list_fini (&list);
  cs_policy_free (policy);
  return 0;
}
