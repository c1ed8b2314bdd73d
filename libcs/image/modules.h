/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* modules.h -- the module tree of a workspace, read from its image.

   Guile keeps modules in a tree: the module of the empty name has
   submodules, one for each first word of a name, and so on (boot-9.scm of
   Guile 3.0, "Module-based Loading" and nested-ref-module).  A definition is
   a variable in the hash table of its module, its obarray.  */
#ifndef CS_IMAGE_MODULES_H
#define CS_IMAGE_MODULES_H

#include "image/heap.h"

struct cs_module
{
  uint64_t addr;
  char *name;                   /* as written: "(ice-9 match)" */
  char kind[24];                /* "module", "directory", "interface" */
  char *file;                   /* it was loaded from; NULL: none */
  uint64_t interface;           /* its public interface, a module; or 0 */
  uint64_t nr_bindings, nr_exports, nr_uses, nr_submodules;
};

struct cs_module_list
{
  struct cs_module *items;      /* by name; nameless ones, which Guile calls
                                   ( g12), last */
  size_t nr, room;
};

/* Read the tree below HEAP's `modules`.  Errors: -CS_E_INCOMPATIBLE if the
   store has no record of it or libguile does not tell how to know a module;
   -CS_E_DAMAGED with the first thing that was not sound: then LIST has all
   that was; -ENOMEM.  Release with cs_modules_fini() in every case.  */
int cs_modules_read (const struct cs_heap *heap, struct cs_module_list *list,
                     struct cs_err *err);
void cs_modules_fini (struct cs_module_list *list);

struct cs_binding
{
  char *name;                   /* UTF-8 */
  uint64_t variable;
  uint64_t value;               /* CS_VALUE_UNDEFINED: not bound */
};

struct cs_binding_list
{
  struct cs_binding *items;     /* by name */
  size_t nr, room;
};

/* Read what MODULE itself defines.  Errors: -CS_E_DAMAGED, with LIST as
   above; -ENOMEM.  Release with cs_bindings_fini() in every case.  */
int cs_bindings_read (const struct cs_heap *heap,
                      const struct cs_module *module,
                      struct cs_binding_list *list, struct cs_err *err);
void cs_bindings_fini (struct cs_binding_list *list);

#endif
