/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose.h -- replaced calls of the libraries that the carried ones need.

   libgmp, libunistring and their like are not carried: they are where ld.so
   puts them, today's version.  But what they allocate can stay in the heap
   (libguile's static integers have limbs that libgmp allocated), so the
   calls that the policy replaces are replaced in them too, by writing to the
   words that ld.so relocated for them.

   Which words those are is looked up once for each build of a library and
   kept in the store's section "imports", under its build id; as long as the
   libraries stay the same, a start only writes them.  When one changed, the
   policy in section "policy" is asked again.

   libc and ld.so are never changed; their builds are known too, so that the
   resume report can tell when another one is there.  */
#ifndef CS_INTERN_INTERPOSE_H
#define CS_INTERN_INTERPOSE_H

#include "intern/library.h"

#define CS_INTERPOSE_MAGIC "ColdImp"      /* 8 bytes with its NUL */
#define CS_INTERPOSE_RECORDS_MAX 128
#define CS_INTERPOSE_SLOTS_MAX 4096
#define CS_INTERPOSE_NAME_MAX 48

struct cs_interpose_record_disk
{
  char soname[64];
  uint8_t build_id[32];
  uint32_t build_id_len;        /* not 0: without one, or with one that is
                                   too long, nothing is kept */
  uint32_t first_slot, nr_slots;
  uint32_t in_use;              /* 1: the last start had this build */
};

struct cs_interpose_slot_disk
{
  uint64_t off;                 /* of the word, from the load address */
  uint32_t replacement;         /* number in the names */
  uint16_t relro;               /* 1 if it lies in PT_GNU_RELRO */
  uint16_t variable;            /* 1 if it is one of the library's variables,
                                   which may have been set since */
};

struct cs_interpose_disk
{
  char magic[8];
  uint32_t nr_records, nr_slots, nr_names;
  uint32_t reserved;
  char names[CS_LIBRARY_REPLACEMENTS_MAX][CS_INTERPOSE_NAME_MAX];
  struct cs_interpose_record_disk records[CS_INTERPOSE_RECORDS_MAX];
  struct cs_interpose_slot_disk slots[CS_INTERPOSE_SLOTS_MAX];
};

/* Make the sections "imports" (empty) and "policy" (POLICY's text).  */
int cs_interpose_create (struct cs_store *store,
                       const struct cs_policy *policy, struct cs_err *err);

/* Section "imports" after its check (section.h): NULL with ERR set if it is
   damaged.  The check leaves out the slots, which are looked at when they are
   used.  Lent until the store is closed.  */
struct cs_interpose_disk *cs_interpose_read (const struct cs_store *store,
                                         struct cs_err *err);

/* Parse the policy that is kept in STORE.  Errors: -CS_E_DAMAGED (no such
   section), those of cs_policy_parse().  Free with cs_policy_free().  */
int cs_policy_of_store (const struct cs_store *store,
                       struct cs_policy **policy, struct cs_err *err);

/* Gives the address that a word holding FUNCTION's, exported as NAME, shall
   hold; 0 to leave it.  */
typedef uintptr_t cs_interpose_redirect (void *closure, const char *name,
                                       uintptr_t function);

/* HANDLE (of dlopen) is a library that is not carried.  If it is an extension
   all the same (it refers to a symbol of a carried library), it may hand
   addresses of its own functions to the interpreter, which keeps them: ask
   REDIRECT about every word in which ld.so stored the address of a function
   that the library itself exports, and write what it says.  To be called
   before any of its functions.  Returns 1 for an extension, 0, or -errno.  */
int cs_interpose_redirect_own (struct cs_store *store, void *handle,
                             cs_interpose_redirect *redirect, void *closure);

/* A number that tells builds of the library HANDLE (of dlopen) apart: the
   first bytes of its build id.  0 if it has none.  */
uint64_t cs_interpose_build (void *handle);

/* Point the replaced calls of every library that SET's libraries need,
   directly or not, to their replacements.  To be called in each process
   after cs_library_load().  *CHANGED (CHANGED may be NULL) tells whether one
   of them is a build that the last start did not have.  Errors: -CS_E_DAMAGED
   (a section is missing, or leads to words outside a library's data),
   -CS_E_INCOMPATIBLE (FIND does not know a replacement), -CS_E_REFUSED (more
   words than the section has room for), those of cs_policy_parse(), -errno.  */
int cs_interpose_bind (struct cs_store *store,
                     const struct cs_library_set *set,
                     cs_library_replacement *find, bool *changed,
                     struct cs_err *err);

#endif
