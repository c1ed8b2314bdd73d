/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-carry.h -- what the files that carry libraries share.

     library-carry.c    places the libraries and rebases them
     library-resolve.c  says what their words refer to
     library-block.c    writes their block  */
#ifndef CS_LIBRARY_CARRY_H
#define CS_LIBRARY_CARRY_H

#include "intern/library-private.h"

struct cs_carry_part            /* a growing array */
{
  char *data;
  size_t len, room;
};

struct cs_carry_plan            /* one library */
{
  struct cs_elf *elf;
  uint64_t addr;                /* 0 for a known one: its copy is rebased */
  struct cs_rebased rebased;
};

#define CS_CARRY_PLANS_MAX 64   /* known libraries among them */

struct cs_carry
{
  struct cs_store *store;
  const struct cs_library_carrying *with;
  /* The libraries to be carried, then the known ones.  */
  struct cs_carry_plan plans[CS_CARRY_PLANS_MAX];
  size_t nr, nr_plans;
  const struct cs_carry_plan *current;  /* the one being rebased */
  bool extension;               /* in a running process */
  int mode;                     /* of dlopen() */
  struct cs_libraries_disk head;
  struct cs_carry_part slots, imports, names;
  int code;                     /* the first failure inside the resolver */
  const char *unnamed;          /* -ENOENT: a symbol that is not interned */
};

/* Add LEN bytes at DATA to PART.  Returns 0 or -ENOMEM.  */
int cs_carry_append (struct cs_carry_part *part, const void *data,
                     size_t len);

/* Add NAME to the names, which begin with an empty one.  Returns its offset;
   without memory sets C's code.  */
uint32_t cs_carry_name (struct cs_carry *c, const char *name);

/* The number of replacement NAME, a new one if it is the first use.  Sets C's
   code if there is no room.  */
uint32_t cs_carry_number (struct cs_carry *c, const char *name);

/* Does the policy restart PLAN's library in each process?  */
bool cs_carry_restarts (const struct cs_carry *c,
                        const struct cs_carry_plan *plan);

/* For cs_rebase(): what the word of RELOC, which refers to SYMBOL, holds.  */
bool cs_carry_resolve (void *closure, const struct cs_elf_symbol *symbol,
                       const struct cs_elf_reloc *reloc, uint64_t *value);

/* Enter the words of PLAN's library that ld.so still relocates: bound to a
   replacement, or kept.  */
void cs_carry_add_slots (struct cs_carry *c,
                         const struct cs_carry_plan *plan);

/* Give the block its place, *OUT, and write it.  Returns 0 or -errno.  */
int cs_carry_write_block (struct cs_carry *c, void **out,
                          struct cs_err *err);

#endif
