/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* arch.c -- finding a machine's description.  */

#include <assert.h>

#include "machine.h"

#include "arch/arch.h"

static const struct cs_arch *const machines[] = {
  &cs_arch_x86_64,
  &cs_arch_i386
};

const struct cs_arch *
cs_arch_find (uint16_t elf_machine)
{
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
    if (machines[i]->elf_machine == elf_machine)
      return machines[i];
  return NULL;
}

const struct cs_arch *
cs_arch_native (void)
{
  const struct cs_arch *arch = cs_arch_find (CS_MACHINE_ELF);

  assert (arch);
  return arch;
}
