/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* census.h -- what objects of which types a workspace has.

   Objects are counted that can be reached from the values of the module
   tree's bindings and from the named roots (roots.h), along what libcs knows
   of Guile's types (heap.h).  What only C code or compiled code leads to, and
   what a weak table does not keep, is not counted.  Each object is counted
   once, with what itself takes of the heap, without the padding of the
   collector; an object in the constants of a library is none of the heap.

   Every object belongs to the first binding that leads to it, in the order
   of modules and names; modules, and variables of other bindings, are not
   gone through.  So the same rule at two generations gives numbers that can
   be compared, at the cost of one walk over each heap.  */
#ifndef CS_CENSUS_H
#define CS_CENSUS_H

#include "image/heap.h"

/* What there is of one type: a kind of heap.h, or for records "record" and
   the name of their type: "record point".  */
struct cs_census_type
{
  char name[128];
  uint64_t count, bytes;
};

struct cs_census_binding
{
  char *module, *name;
  uint64_t bytes;               /* of the objects that belong to it */
};

struct cs_census
{
  struct cs_census_type *types; /* by name; no name twice */
  size_t nr_types, types_room;
  struct cs_census_binding *bindings;   /* by module and name */
  size_t nr_bindings, bindings_room;
};

/* Take the census of what STORE has open.  Errors: those of cs_heap_open()
   and cs_modules_read(); -CS_E_DAMAGED for a module that cannot be read;
   -ENOMEM.  Release with cs_census_fini() in every case.  */
int cs_census_take (const struct cs_store *store, struct cs_census *census,
                    struct cs_err *err);
void cs_census_fini (struct cs_census *census);

#endif
