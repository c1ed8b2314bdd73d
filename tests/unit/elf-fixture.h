/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-fixture.h -- finding the small libraries that tests/elf/build.sh
   makes, and those of the system.  */
#ifndef CS_ELF_FIXTURE_H
#define CS_ELF_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intern/elf.h"

/* The path of fixture NAME for MACHINE in PATH (4096 bytes), in the directory
   that tests/run names.  False if it was not built.  */
static inline bool
fixture_path (const char *name, const char *machine, char *path)
{
  const char *dir = getenv ("CS_TEST_ELF_DIR");
  struct cs_elf *elf;
  bool right;

  if (!dir)
    return false;
  snprintf (path, 4096, "%s/%s-%s.so", dir, name, machine);
  if (access (path, R_OK) == 0)
    return true;
  snprintf (path, 4096, "%s/%s.so", dir, name);
  if (cs_elf_open (path, &elf, NULL) < 0)
    /* One that is to be refused.  */
    return access (path, R_OK) == 0
           && strcmp (machine, cs_arch_native ()->name) == 0;
  right = strcmp (cs_elf_arch (elf)->name, machine) == 0;
  cs_elf_close (elf);
  return right;
}

/* The real path of fixture NAME for this machine in PATH (4096 bytes).  False,
   and said so, if it was not built.  */
static inline bool
find_fixture (const char *name, char *path)
{
  char found[4096];

  if (fixture_path (name, cs_arch_native ()->name, found)
      && realpath (found, path))
    return true;
  fprintf (stderr, "no library '%s': set CS_TEST_ELF_DIR to where"
                   " tests/elf/build.sh has put them\n", found);
  return false;
}

/* A group's setup: without the fixtures no test would test anything.  */
static inline int
need_fixtures (void **state)
{
  char path[4096];

  (void) state;
  if (fixture_path ("plain", cs_arch_native ()->name, path))
    return 0;
  fprintf (stderr, "no library '%s': set CS_TEST_ELF_DIR to where"
                   " tests/elf/build.sh has put them\n", path);
  return -1;
}

/* The system's library SONAME for this machine in PATH (4096 bytes); those
   of another release can be put in front by the environment.  */
static inline bool
system_path (const char *soname, char *path)
{
  const char *own = getenv ("CS_TEST_LIB_DIR");
  const char *const dirs[] = {
    own ? own : "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/i386-linux-gnu",
    "/usr/lib64", "/usr/lib32", "/usr/lib"
  };

  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
    {
      struct cs_elf *elf;
      bool native;

      snprintf (path, 4096, "%s/%s", dirs[i], soname);
      if (cs_elf_open (path, &elf, NULL) < 0)
        continue;
      native = cs_elf_arch (elf) == cs_arch_native ();
      cs_elf_close (elf);
      if (native)
        return true;
    }
  return false;
}

#endif
