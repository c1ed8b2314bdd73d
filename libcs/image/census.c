/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* census.c -- what objects of which types a workspace has.

   Sizes and fields are those of the table of objects (objects.h).  */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libguile.h>

#include "image/census.h"
#include "image/modules.h"
#include "image/objects.h"
#include "image/roots.h"

struct vtable
{
  uint64_t addr;                /* 0: a free place */
  size_t type;                  /* index in the census */
};

struct walk
{
  const struct cs_heap *heap;
  struct cs_census *census;
  uint64_t base, len;           /* of the image */
  uint8_t *met;                 /* a bit for each place an object can be at */
  uint64_t *todo;               /* values to be looked at */
  size_t nr_todo, todo_room;
  uint64_t bytes;               /* counted since the last binding */
  bool into_modules;
  bool no_memory;
  size_t kinds[CS_VALUE_KINDS]; /* 1 + index of the type in the census */
  struct vtable *vtables;       /* a hash table: room is a power of two */
  size_t nr_vtables, vtables_room;
};

/* Make room for one more element of LEN bytes.  */
static int
grow (void **items, size_t nr, size_t *room, size_t len)
{
  size_t more = *room ? 2 * *room : 256;
  void *new = nr < *room ? *items : reallocarray (*items, more, len);

  if (!new)
    return -ENOMEM;
  *room = nr < *room ? *room : more;
  *items = new;
  return 0;
}

/* Types.  */

/* The index of a new type; 0 without memory (the first is never asked for
   again).  */
static size_t
new_type (struct walk *w, const char *prefix, const char *name)
{
  struct cs_census *c = w->census;

  if (grow ((void **) &c->types, c->nr_types, &c->types_room,
            sizeof *c->types) < 0)
    {
      w->no_memory = true;
      return 0;
    }
  c->types[c->nr_types] = (struct cs_census_type) { .count = 0 };
  snprintf (c->types[c->nr_types].name, sizeof c->types->name, "%s%s",
            prefix, name);
  return c->nr_types++;
}

static struct vtable *
vtable_place (const struct walk *w, uint64_t addr)
{
  size_t mask = w->vtables_room - 1;
  size_t i = (size_t) (addr * UINT64_C (0x9e3779b97f4a7c15) >> 32) & mask;

  while (w->vtables[i].addr && w->vtables[i].addr != addr)
    i = (i + 1) & mask;
  return &w->vtables[i];
}

static bool
grow_vtables (struct walk *w)
{
  struct walk grown = *w;

  if (2 * w->nr_vtables < w->vtables_room)
    return true;
  grown.vtables_room = w->vtables_room ? 2 * w->vtables_room : 1024;
  grown.vtables = calloc (grown.vtables_room, sizeof *grown.vtables);
  if (!grown.vtables)
    return false;
  for (size_t i = 0; i < w->vtables_room; i++)
    if (w->vtables[i].addr)
      *vtable_place (&grown, w->vtables[i].addr) = w->vtables[i];
  free (w->vtables);
  w->vtables = grown.vtables;
  w->vtables_room = grown.vtables_room;
  return true;
}

/* The type of the records whose vtable is at ADDR.  */
static size_t
record_type (struct walk *w, uint64_t addr)
{
  struct vtable *place;
  uint64_t name;
  char text[100];

  if (!grow_vtables (w))
    {
      w->no_memory = true;
      return 0;
    }
  place = vtable_place (w, addr);
  if (!place->addr)
    {
      if (!cs_heap_word (w->heap, addr, 1 + scm_vtable_index_name, &name)
          || !cs_heap_text (w->heap, name, text, sizeof text))
        strcpy (text, "of no name");
      *place = (struct vtable) { addr, new_type (w, "record ", text) };
      w->nr_vtables++;
    }
  return place->type;
}

static size_t
type_of (struct walk *w, enum cs_value_kind kind, uint64_t first)
{
  if (kind == CS_VALUE_RECORD)
    return record_type (w, first - scm_tc3_struct);
  if (w->kinds[kind] == 0)
    w->kinds[kind] = 1 + new_type (w, "", cs_value_kind_name (kind));
  return w->kinds[kind] - 1;
}

/* Objects.  */

/* Was something met at OFF of the image, a multiple of 8?  */
static bool
was_met (const struct walk *w, uint64_t off)
{
  return w->met[off / 64] & 1 << off / 8 % 8;
}

/* The same for VALUE, which lies there; from now on it was.  */
static bool
meet (struct walk *w, uint64_t value)
{
  uint64_t off = value - w->base;
  bool met = was_met (w, off);

  w->met[off / 64] |= (uint8_t) (1 << off / 8 % 8);
  return met;
}

static void
push (struct walk *w, uint64_t value)
{
  uint64_t off = value - w->base;

  if (!cs_value_is_object (value) || off >= w->len || was_met (w, off))
    return;
  if (grow ((void **) &w->todo, w->nr_todo, &w->todo_room,
            sizeof *w->todo) < 0)
    w->no_memory = true;
  else
    w->todo[w->nr_todo++] = value;
}

/* What of a field keeps objects alive.  A word of which C knows the meaning
   is no pair: any two words could be one.  */
static void
push_run (void *closure, const struct cs_field_run *run)
{
  struct walk *w = closure;
  uint64_t word;

  for (uint64_t i = 0; i < run->nr; i++)
    {
      if (run->kind == CS_FIELD_RAW || run->kind == CS_FIELD_INTEGER
          || !cs_heap_word (w->heap, run->addr, i, &word))
        return;
      if (run->kind == CS_FIELD_VALUE)
        push (w, word);
      else if (run->kind == CS_FIELD_VTABLE)
        push (w, word - scm_tc3_struct);
      else if (run->kind == CS_FIELD_OPAQUE
               && cs_heap_kind (w->heap, word) != CS_VALUE_PAIR)
        push (w, word);
    }
}

/* Count all that VALUE leads to and that was not counted yet.  A module is
   left for later, unless it is time for them.  */
static void
count_from (struct walk *w, uint64_t value)
{
  push (w, value);
  while (w->nr_todo > 0 && !w->no_memory)
    {
      uint64_t addr = w->todo[--w->nr_todo], first, len;
      enum cs_value_kind kind = cs_heap_kind (w->heap, addr);
      size_t type;

      if (kind == CS_VALUE_INVALID
          || (kind == CS_VALUE_MODULE && !w->into_modules)
          || !cs_heap_word (w->heap, addr, 0, &first) || meet (w, addr))
        continue;
      type = type_of (w, kind, first);
      len = cs_object_fields (w->heap, cs_object_type (w->heap, first), addr,
                              first, 0, push_run, w);
      /* A damaged length is as long as the heap at most.  */
      len = len < w->len ? len : w->len;
      if (w->no_memory)
        return;
      w->census->types[type].count++;
      w->census->types[type].bytes += len;
      w->bytes += len;
    }
}

/* Bindings.  */

static int
add_binding (struct walk *w, const struct cs_module *module,
             const struct cs_binding *binding)
{
  struct cs_census *c = w->census;
  struct cs_census_binding *new;

  if (grow ((void **) &c->bindings, c->nr_bindings, &c->bindings_room,
            sizeof *c->bindings) < 0)
    return -ENOMEM;
  w->bytes = 0;
  count_from (w, binding->value);
  new = &c->bindings[c->nr_bindings++];
  *new = (struct cs_census_binding) {
    strdup (module->name), strdup (binding->name), w->bytes
  };
  return new->module && new->name && !w->no_memory ? 0 : -ENOMEM;
}

static int
count_module (struct walk *w, const struct cs_module *module,
              struct cs_err *err)
{
  struct cs_binding_list list;
  int code = cs_bindings_read (w->heap, module, &list, err);

  for (size_t i = 0; i < list.nr && code == 0; i++)
    {
      code = add_binding (w, module, &list.items[i]);
      if (code < 0)
        cs_err_sys (err, -code, "cannot count the objects of '%.300s'",
                    cs_store_path (w->heap->store));
    }
  cs_bindings_fini (&list);
  return code;
}

/* What the modules themselves are made of, and what has another name.  */
static int
count_rest (struct walk *w, const struct cs_module_list *modules,
            struct cs_err *err)
{
  struct cs_named_root roots[CS_NAMED_ROOTS_MAX];
  size_t nr = cs_named_roots (w->heap, roots);

  w->into_modules = true;
  for (size_t i = 0; i < modules->nr; i++)
    count_from (w, modules->items[i].addr);
  for (size_t i = 0; i < nr; i++)
    count_from (w, roots[i].value);
  return w->no_memory ? cs_err_sys (err, ENOMEM, "cannot count the objects "
                                    "of '%.300s'",
                                    cs_store_path (w->heap->store)) : 0;
}

static int
count_all (struct walk *w, struct cs_err *err)
{
  struct cs_module_list modules = { NULL, 0, 0 };
  int code = cs_modules_read (w->heap, &modules, err);

  for (size_t i = 0; i < modules.nr && code == 0; i++)
    code = count_module (w, &modules.items[i], err);
  if (code == 0)
    code = count_rest (w, &modules, err);
  cs_modules_fini (&modules);
  return code;
}

/* In order, and each name once.  */

static int
compare_types (const void *a, const void *b)
{
  const struct cs_census_type *m = a, *n = b;

  return strcmp (m->name, n->name);
}

static int
compare_bindings (const void *a, const void *b)
{
  const struct cs_census_binding *m = a, *n = b;
  int order = strcmp (m->module, n->module);

  return order ? order : strcmp (m->name, n->name);
}

/* Record types of one name, made anew or of two modules, are one.  */
static void
put_in_order (struct cs_census *c)
{
  size_t nr = 0;

  if (c->nr_types > 0)
    qsort (c->types, c->nr_types, sizeof *c->types, compare_types);
  for (size_t i = 0; i < c->nr_types; i++)
    if (nr > 0 && strcmp (c->types[nr - 1].name, c->types[i].name) == 0)
      {
        c->types[nr - 1].count += c->types[i].count;
        c->types[nr - 1].bytes += c->types[i].bytes;
      }
    else
      c->types[nr++] = c->types[i];
  c->nr_types = nr;
  if (c->nr_bindings > 0)
    qsort (c->bindings, c->nr_bindings, sizeof *c->bindings,
           compare_bindings);
}

int
cs_census_take (const struct cs_store *store, struct cs_census *census,
                struct cs_err *err)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (store);
  struct cs_heap heap = { .store = store };
  struct walk w = {
    .heap = &heap, .census = census, .base = sb->base, .len = sb->committed
  };
  int code;

  *census = (struct cs_census) { .nr_types = 0 };
  code = cs_heap_open (store, &heap, err);
  if (code == 0)
    {
      w.met = calloc (1, sb->committed / 64 + 1);
      code = w.met && cs_heap_index (&heap) == 0 ? count_all (&w, err)
             : cs_err_sys (err, ENOMEM, "cannot count the objects of '%.300s'",
                           cs_store_path (store));
    }
  put_in_order (census);
  free (w.met);
  free (w.todo);
  free (w.vtables);
  cs_heap_fini (&heap);
  return code;
}

void
cs_census_fini (struct cs_census *census)
{
  for (size_t i = 0; i < census->nr_bindings; i++)
    {
      free (census->bindings[i].module);
      free (census->bindings[i].name);
    }
  free (census->bindings);
  free (census->types);
}
