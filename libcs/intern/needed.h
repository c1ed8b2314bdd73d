/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* needed.h -- finding the libraries that a library needs.

   A library that is carried is useless without the carried ones it refers
   to (libguile needs libgc).  Those the user did not name are looked for
   where ld.so would look first: in the folder of the library that needs
   them, then in its DT_RUNPATH, then in the standard folders of its
   machine.  Files for another machine are passed over, as ld.so does.  */
#ifndef CS_NEEDED_H
#define CS_NEEDED_H

#include "intern/elf.h"
#include "intern/policy.h"

struct cs_elf_list
{
  struct cs_elf **items;        /* those named first, in their order */
  size_t nr;
};

/* Open the NR libraries at PATHS, then each library that POLICY persists or
   restarts and that a library of the list needs which POLICY persists or
   restarts.  Close with cs_elf_list_fini(), after errors too.  Errors: those
   of cs_elf_open(); -CS_E_REFUSED if two have the same soname;
   -CS_E_INCOMPATIBLE if one that is needed is not found.  */
int cs_elf_list_open (struct cs_policy *policy, const char *const *paths,
                      size_t nr, struct cs_elf_list *list,
                      struct cs_err *err);

/* Look for the library that ld.so would load for NAME, which NEEDS (may be
   NULL) needs: in its DT_RUNPATH, in PATH (folders with colons between them,
   as in LD_LIBRARY_PATH; may be NULL), in the standard folders.  0 with *ELF
   to be closed, -ENOENT, or -ENOMEM.  */
int cs_elf_open_needed (const struct cs_elf *needs, const char *name,
                        const char *path, struct cs_elf **elf);

void cs_elf_list_fini (struct cs_elf_list *list);

/* The one with SONAME, or NULL.  */
const struct cs_elf *cs_elf_list_find (const struct cs_elf_list *list,
                                       const char *soname);

#endif
