/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-private.h -- what the files that interpose calls share.

     interpose-bind.c      writes the words, at each start
     interpose-scan.c      asks the policy which words, once for each build
     interpose-section.c   keeps the answer
     interpose-redirect.c  an extension's addresses of its own functions
     interpose-objects.c   the loaded libraries; all the others use it  */
#ifndef CS_INTERPOSE_PRIVATE_H
#define CS_INTERPOSE_PRIVATE_H

#include <link.h>

#include "intern/interpose.h"

struct cs_object                /* one loaded library */
{
  const char *soname;
  ElfW (Addr) addr;             /* load address */
  const ElfW (Dyn) *dynamic;
  const uint8_t *build_id;
  uint32_t build_id_len;
  ElfW (Addr) relro, relro_len;
  ElfW (Addr) data, data_end;   /* from the first to the last writable byte */
  bool needed;                  /* by a carried library, directly or not */
  bool never;                   /* the program, libc, ld.so, a carried one */
};

/* All of them, in ld.so's order.  */
struct cs_objects
{
  struct cs_object *items;
  size_t nr, room;
};

/* Fill OBJECTS, which is zeroed; free with cs_objects_fini(), after an error
   too.  Returns 0 or -ENOMEM.  */
int cs_objects_read (struct cs_objects *objects, const struct cs_store *store);
void cs_objects_fini (struct cs_objects *objects);

/* Mark as needed what O, which need not be one of OBJECTS, needs, and what
   that needs.  */
void cs_objects_mark_needed (struct cs_objects *objects,
                             const struct cs_object *o);

/* The address and the value that O's dynamic section has under TAG, or 0.  */
uintptr_t cs_object_addr (const struct cs_object *o, ElfW (Sxword) tag);
ElfW (Xword) cs_object_value (const struct cs_object *o, ElfW (Sxword) tag);

/* Is the word at offset OFF one of O's writable ones?  */
bool cs_object_has_word (const struct cs_object *o, uint64_t off);

/* Make the pages that hold O's PT_GNU_RELRO writable, or read-only again.
   Returns 0 or -errno.  */
int cs_object_protect (const struct cs_object *o, int prot);

struct cs_object_table          /* one relocation table of a library */
{
  uintptr_t start;
  size_t len, entry_len;
};

/* O's relocation tables; absent ones are empty.  */
void cs_object_tables (const struct cs_object *o,
                       struct cs_object_table tables[3]);

/* The type and the symbol of RELOC (a Rela begins as a Rel does).  */
uint32_t cs_object_reloc_type (const ElfW (Rel) *reloc);
size_t cs_object_reloc_symbol (const ElfW (Rel) *reloc);

/* What cs_interpose_bind() works with.  */
struct cs_binder
{
  struct cs_store *store;
  struct cs_interpose_disk *section;
  cs_library_replacement *find;
  void *found[CS_LIBRARY_REPLACEMENTS_MAX];     /* of section->names */
  struct cs_policy *policy;     /* parsed when it is first needed */
  struct cs_objects objects;
  bool changed;                 /* there was one that the last start had not */
};

/* The record of O's build, or NULL.  */
struct cs_interpose_record_disk *
cs_interpose_record_find (struct cs_interpose_disk *section,
                          const struct cs_object *o);

/* A new, empty record of O at the end, or NULL if there is no room; take it
   back, with its slots.  */
struct cs_interpose_record_disk *
cs_interpose_record_add (struct cs_interpose_disk *section,
                         const struct cs_object *o);
void cs_interpose_record_drop (struct cs_interpose_disk *section,
                               const struct cs_interpose_record_disk *record);

/* The number of replacement NAME in the section, or -ENOSPC.  */
long cs_interpose_number (struct cs_interpose_disk *section,
                          const char *name);

/* Ask the policy about O's words, and keep the answer as *RESULT.  If the
   section is full of builds of earlier starts, it is emptied first.  Errors:
   -CS_E_REFUSED (no room all the same), those of cs_policy_of_store().  */
int cs_interpose_look_up (struct cs_binder *b, const struct cs_object *o,
                          struct cs_interpose_record_disk **result,
                          struct cs_err *err);

#endif
