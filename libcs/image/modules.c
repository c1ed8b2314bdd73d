/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* modules.c -- the module tree of a workspace, read from its image.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/modules.h"

/* Slots of a module: the record type `module` of boot-9.scm, Guile 3.0.0 to
   3.0.11; those that C knows are in libguile/modules.h too.  */
enum
{
  MODULE_OBARRAY = 0,
  MODULE_USES = 1,
  MODULE_KIND = 6,
  MODULE_SUBMODULES = 12,
  MODULE_INTERFACE = 14,
  MODULE_FILE = 15
};

#define NAME_MAX_LEN 512
#define TREE_DEPTH_MAX 64
#define USES_MAX 100000

struct walk
{
  const struct cs_heap *heap;
  struct cs_module_list *list;
  struct cs_err *err;
  int code;                     /* of the first damage */
  unsigned depth;
  /* Modules met, as a hash table of addresses; 0 is a free place.  */
  uint64_t *met;
  size_t met_nr, met_room;      /* the room is a power of two */
  const char *prefix;           /* the module that is being read */
};

/* Note the first thing that is not sound, and go on.  */
static void
damaged (struct walk *w, const char *name, const char *what, uint64_t found)
{
  if (w->code == 0)
    w->code = cs_err_set (w->err, CS_E_DAMAGED,
                          "'%.200s': module %.100s: %s expected, found %s "
                          "at 0x%" PRIx64, cs_store_path (w->heap->store),
                          name, what,
                          cs_value_kind_name (cs_heap_kind (w->heap, found)),
                          found);
}

static size_t
place_of (const uint64_t *met, size_t room, uint64_t addr)
{
  size_t i = (size_t) ((addr >> 3) * UINT64_C (0x9e3779b97f4a7c15) >> 20);

  for (i &= room - 1; met[i] && met[i] != addr; i = (i + 1) & (room - 1))
    ;
  return i;
}

static int
grow_met (struct walk *w)
{
  size_t room = w->met_room ? 2 * w->met_room : 1024;
  uint64_t *met = calloc (room, sizeof *met);

  if (!met)
    return -ENOMEM;
  for (size_t i = 0; i < w->met_room; i++)
    if (w->met[i])
      met[place_of (met, room, w->met[i])] = w->met[i];
  free (w->met);
  w->met = met;
  w->met_room = room;
  return 0;
}

/* 1 if ADDR was met before, else 0, or -ENOMEM.  */
static int
meet (struct walk *w, uint64_t addr)
{
  size_t i;

  if (2 * w->met_nr >= w->met_room && grow_met (w) < 0)
    return -ENOMEM;
  i = place_of (w->met, w->met_room, addr);
  if (w->met[i])
    return 1;
  w->met[i] = addr;
  w->met_nr++;
  return 0;
}

/* Make room for one more element of LEN bytes.  */
static int
grow (void **items, size_t nr, size_t *room, size_t len)
{
  size_t more = *room ? 2 * *room : 64;
  void *new;

  if (nr < *room)
    return 0;
  new = reallocarray (*items, more, len);
  if (!new)
    return -ENOMEM;
  *items = new;
  *room = more;
  return 0;
}

static int
count_entry (void *closure, uint64_t key, uint64_t value)
{
  (void) key;
  (void) value;
  ++*(uint64_t *) closure;
  return 0;
}

static uint64_t
count_entries (struct walk *w, const char *name, uint64_t table)
{
  uint64_t nr = 0;

  if (cs_heap_each_entry (w->heap, table, count_entry, &nr) < 0)
    damaged (w, name, "a hash table", table);
  return nr;
}

static uint64_t
count_uses (struct walk *w, const char *name, uint64_t list)
{
  uint64_t nr = 0, car, cdr;

  for (; cs_heap_pair (w->heap, list, &car, &cdr) && nr < USES_MAX; nr++)
    list = cdr;
  if (list != CS_VALUE_EOL)
    damaged (w, name, "a list of used modules", list);
  return nr;
}

static uint64_t
slot (struct walk *w, const char *name, uint64_t module, unsigned i)
{
  uint64_t value;

  if (cs_heap_slot (w->heap, module, i, &value))
    return value;
  damaged (w, name, "a module", module);
  return CS_VALUE_FALSE;
}

static void
read_slots (struct walk *w, struct cs_module *m)
{
  uint64_t value = slot (w, m->name, m->addr, MODULE_OBARRAY);
  char text[4096];

  m->nr_bindings = count_entries (w, m->name, value);
  m->nr_uses = count_uses (w, m->name,
                           slot (w, m->name, m->addr, MODULE_USES));
  m->nr_submodules
    = count_entries (w, m->name, slot (w, m->name, m->addr,
                                       MODULE_SUBMODULES));
  /* boot-9.scm, %print-module: no kind is the kind `module`.  */
  if (!cs_heap_text (w->heap, slot (w, m->name, m->addr, MODULE_KIND),
                     m->kind, sizeof m->kind))
    strcpy (m->kind, "module");
  value = slot (w, m->name, m->addr, MODULE_INTERFACE);
  if (cs_heap_kind (w->heap, value) == CS_VALUE_MODULE)
    {
      m->interface = value;
      m->nr_exports
        = count_entries (w, m->name, slot (w, m->name, value,
                                           MODULE_OBARRAY));
    }
  if (cs_heap_text (w->heap, slot (w, m->name, m->addr, MODULE_FILE), text,
                    sizeof text))
    m->file = strdup (text);
}

static int read_tree (struct walk *w, uint64_t module, const char *name);

/* The name of submodule KEY of the module called PREFIX: "(a b)" and c is
   "(a b c)".  Keys are symbols; other things are printed as they are.  */
static int
read_submodule (void *closure, uint64_t key, uint64_t value)
{
  struct walk *w = closure;
  const char *prefix = w->prefix;
  char word[NAME_MAX_LEN / 2], name[NAME_MAX_LEN];
  int code;

  cs_heap_print (w->heap, key, word, sizeof word);
  snprintf (name, sizeof name, "%.*s%s%s)", (int) strlen (prefix) - 1, prefix,
            prefix[1] == ')' ? "" : " ", word);
  code = read_tree (w, value, name);
  w->prefix = prefix;
  return code;
}

static int
add_module (struct walk *w, uint64_t module, const char *name)
{
  struct cs_module_list *list = w->list;
  struct cs_module *m;

  if (grow ((void **) &list->items, list->nr, &list->room,
            sizeof *list->items) < 0)
    return -ENOMEM;
  m = &list->items[list->nr];
  *m = (struct cs_module) { .addr = module, .name = strdup (name) };
  if (!m->name)
    return -ENOMEM;
  list->nr++;
  read_slots (w, m);
  return 0;
}

/* MODULE and all below it that were not met yet.  */
static int
read_tree (struct walk *w, uint64_t module, const char *name)
{
  uint64_t submodules;
  int code;

  if (cs_heap_kind (w->heap, module) != CS_VALUE_MODULE)
    {
      damaged (w, name, "a module", module);
      return 0;
    }
  code = meet (w, module);
  if (code != 0)
    return code < 0 ? code : 0;
  code = add_module (w, module, name);
  if (code < 0)
    return code;
  submodules = slot (w, name, module, MODULE_SUBMODULES);
  if (w->depth == TREE_DEPTH_MAX || strlen (name) > NAME_MAX_LEN / 2)
    {
      damaged (w, "tree", "a tree less deep", module);
      return 0;
    }
  w->depth++;
  w->prefix = name;
  code = cs_heap_each_entry (w->heap, submodules, read_submodule, w);
  w->depth--;
  if (code == -CS_E_DAMAGED)
    {
      damaged (w, name, "a table of submodules", submodules);
      code = 0;
    }
  return code;
}

/* By name; those whose name was made up (boot-9.scm, module-name: a gensym,
   which begins with a space) come last.  */
static int
compare_modules (const void *a, const void *b)
{
  const struct cs_module *m = a, *n = b;
  bool made_up = strncmp (m->name, "(#{ ", 4) == 0;
  bool other_made_up = strncmp (n->name, "(#{ ", 4) == 0;

  return made_up != other_made_up ? made_up - other_made_up
                                  : strcmp (m->name, n->name);
}

int
cs_modules_read (const struct cs_heap *heap, struct cs_module_list *list,
                 struct cs_err *err)
{
  struct walk w = { .heap = heap, .list = list, .err = err };
  int code;

  *list = (struct cs_module_list) { NULL, 0, 0 };
  if (!heap->modules || !heap->module_tag)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "'%.300s' has no record of its module tree",
                       cs_store_path (heap->store));
  code = read_tree (&w, heap->modules, "()");
  free (w.met);
  if (list->nr > 0)
    qsort (list->items, list->nr, sizeof *list->items, compare_modules);
  return code < 0 ? cs_err_sys (err, -code, "cannot read the modules of "
                                "'%.300s'", cs_store_path (heap->store))
                  : w.code;
}

void
cs_modules_fini (struct cs_module_list *list)
{
  for (size_t i = 0; i < list->nr; i++)
    {
      free (list->items[i].name);
      free (list->items[i].file);
    }
  free (list->items);
}

/* Bindings.  */

struct reading
{
  const struct cs_heap *heap;
  struct cs_binding_list *list;
  bool unsound;                 /* an entry that is no symbol and variable */
};

static int
add_binding (void *closure, uint64_t key, uint64_t value)
{
  struct reading *r = closure;
  struct cs_binding_list *list = r->list;
  struct cs_binding b = { .variable = value };
  char name[1024];

  if (!cs_heap_text (r->heap, key, name, sizeof name)
      || !cs_heap_variable (r->heap, value, &b.value))
    {
      r->unsound = true;
      return 0;
    }
  if (grow ((void **) &list->items, list->nr, &list->room,
            sizeof *list->items) < 0)
    return -ENOMEM;
  b.name = strdup (name);
  if (!b.name)
    return -ENOMEM;
  list->items[list->nr++] = b;
  return 0;
}

static int
compare_bindings (const void *a, const void *b)
{
  const struct cs_binding *m = a, *n = b;
  int order = strcmp (m->name, n->name);

  return order ? order : (m->variable > n->variable)
                         - (m->variable < n->variable);
}

int
cs_bindings_read (const struct cs_heap *heap, const struct cs_module *module,
                  struct cs_binding_list *list, struct cs_err *err)
{
  struct reading r = { heap, list, false };
  uint64_t obarray;
  int code = -CS_E_DAMAGED;

  *list = (struct cs_binding_list) { NULL, 0, 0 };
  if (cs_heap_slot (heap, module->addr, MODULE_OBARRAY, &obarray))
    code = cs_heap_each_entry (heap, obarray, add_binding, &r);
  if (list->nr > 0)
    qsort (list->items, list->nr, sizeof *list->items, compare_bindings);
  if (code == 0 && r.unsound)
    code = -CS_E_DAMAGED;
  if (code == -CS_E_DAMAGED)
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.200s': module %.200s: a hash table of symbols and "
                       "variables expected at 0x%" PRIx64,
                       cs_store_path (heap->store), module->name,
                       module->addr);
  return code < 0 ? cs_err_sys (err, -code, "cannot read module %s",
                                module->name) : 0;
}

void
cs_bindings_fini (struct cs_binding_list *list)
{
  for (size_t i = 0; i < list->nr; i++)
    free (list->items[i].name);
  free (list->items);
}
