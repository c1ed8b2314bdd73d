/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-diff.c -- cs-inspect --diff.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/census.h"
#include "inspect.h"

/* One line of what is printed: a binding, or a type of objects.  */
struct change
{
  const char *module;           /* NULL for a type */
  const char *name;
  bool before, after;           /* is there one? */
  uint64_t count_before, count_after;   /* of a type */
  uint64_t bytes_before, bytes_after;
};

struct changes
{
  struct change *items;
  size_t nr;
};

static const char *
change_word (const struct change *c)
{
  return !c->before ? "added" : !c->after ? "removed"
         : c->bytes_after >= c->bytes_before ? "grown" : "shrunk";
}

static int64_t
growth (const struct change *c)
{
  return (int64_t) (c->bytes_after - c->bytes_before);
}

/* What grew most comes first.  */
static int
compare_growth (const void *a, const void *b)
{
  const struct change *m = a, *n = b;
  int order;

  if (growth (m) != growth (n))
    return growth (m) < growth (n) ? 1 : -1;
  order = m->module ? strcmp (m->module, n->module) : 0;
  return order ? order : strcmp (m->name, n->name);
}

static int
compare_bindings (const struct cs_census_binding *m,
                  const struct cs_census_binding *n)
{
  int order = strcmp (m->module, n->module);

  return order ? order : strcmp (m->name, n->name);
}

static void
add (struct changes *changes, const struct change *c)
{
  if (c->before != c->after || c->bytes_before != c->bytes_after
      || c->count_before != c->count_after)
    changes->items[changes->nr++] = *c;
}

static void
sort (struct changes *changes)
{
  if (changes->nr > 0)
    qsort (changes->items, changes->nr, sizeof *changes->items,
           compare_growth);
}

/* Both lists are in order: they are gone through side by side.  0 or
   -ENOMEM.  */
static int
compare_all_bindings (const struct cs_census *a, const struct cs_census *b,
                      struct changes *changes)
{
  size_t i = 0, k = 0;

  changes->items = calloc (a->nr_bindings + b->nr_bindings + 1,
                           sizeof *changes->items);
  if (!changes->items)
    return -ENOMEM;
  while (i < a->nr_bindings || k < b->nr_bindings)
    {
      int order = i == a->nr_bindings ? 1 : k == b->nr_bindings ? -1
                  : compare_bindings (&a->bindings[i], &b->bindings[k]);
      const struct cs_census_binding *old
        = order <= 0 ? &a->bindings[i++] : NULL;
      const struct cs_census_binding *new
        = order >= 0 ? &b->bindings[k++] : NULL;
      const struct cs_census_binding *any = old ? old : new;

      add (changes, &(struct change) {
        .module = any->module, .name = any->name, .before = old,
        .after = new, .bytes_before = old ? old->bytes : 0,
        .bytes_after = new ? new->bytes : 0
      });
    }
  sort (changes);
  return 0;
}

static int
compare_all_types (const struct cs_census *a, const struct cs_census *b,
                   struct changes *changes)
{
  size_t i = 0, k = 0;

  changes->items = calloc (a->nr_types + b->nr_types + 1,
                           sizeof *changes->items);
  if (!changes->items)
    return -ENOMEM;
  while (i < a->nr_types || k < b->nr_types)
    {
      int order = i == a->nr_types ? 1 : k == b->nr_types ? -1
                  : strcmp (a->types[i].name, b->types[k].name);
      const struct cs_census_type *old = order <= 0 ? &a->types[i++] : NULL;
      const struct cs_census_type *new = order >= 0 ? &b->types[k++] : NULL;

      add (changes, &(struct change) {
        .name = old ? old->name : new->name, .before = old, .after = new,
        .count_before = old ? old->count : 0,
        .count_after = new ? new->count : 0,
        .bytes_before = old ? old->bytes : 0,
        .bytes_after = new ? new->bytes : 0
      });
    }
  sort (changes);
  return 0;
}

/* Printing.  */

static void
show_binding (struct run *run, const struct change *c)
{
  char name[512];

  if (!run->json)
    {
      printf ("%-7s  %14" PRIu64 "  %14" PRIu64 "  %+14" PRId64 "  %s %s\n",
              change_word (c), c->bytes_before, c->bytes_after, growth (c),
              c->module, visible (name, c->name));
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_string (run->json, "module", c->module);
  cs_json_string (run->json, "name", c->name);
  cs_json_string (run->json, "change", change_word (c));
  cs_json_number (run->json, "bytes_before", c->bytes_before);
  cs_json_number (run->json, "bytes_after", c->bytes_after);
  cs_json_end (run->json);
}

static void
show_type (struct run *run, const struct change *c)
{
  char name[512];

  if (!run->json)
    {
      printf ("%10" PRIu64 "  %10" PRIu64 "  %14" PRIu64 "  %14" PRIu64
              "  %+14" PRId64 "  %s\n", c->count_before, c->count_after,
              c->bytes_before, c->bytes_after, growth (c),
              visible (name, c->name));
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_string (run->json, "type", c->name);
  cs_json_number (run->json, "count_before", c->count_before);
  cs_json_number (run->json, "count_after", c->count_after);
  cs_json_number (run->json, "bytes_before", c->bytes_before);
  cs_json_number (run->json, "bytes_after", c->bytes_after);
  cs_json_end (run->json);
}

static void
show_bindings (struct run *run, const struct changes *changes)
{
  if (run->json)
    cs_json_array (run->json, "bindings");
  else
    {
      begin_table (run);
      printf ("%-7s  %14s  %14s  %14s  %s\n", "CHANGE", "BYTES BEFORE",
              "AFTER", "GROWTH", "BINDING");
    }
  for (size_t i = 0; i < changes->nr; i++)
    show_binding (run, &changes->items[i]);
  if (run->json)
    cs_json_end (run->json);
}

static void
show_types (struct run *run, const struct changes *changes)
{
  if (run->json)
    cs_json_array (run->json, "types");
  else
    {
      begin_table (run);
      printf ("%10s  %10s  %14s  %14s  %14s  %s\n", "COUNT", "AFTER",
              "BYTES BEFORE", "AFTER", "GROWTH", "TYPE");
    }
  for (size_t i = 0; i < changes->nr; i++)
    show_type (run, &changes->items[i]);
  if (run->json)
    cs_json_end (run->json);
}

static int
compare (struct run *run, const struct cs_census *a,
         const struct cs_census *b, const uint64_t generations[2])
{
  struct changes bindings = { NULL, 0 }, types = { NULL, 0 };
  int r = compare_all_bindings (a, b, &bindings);

  if (r == 0)
    r = compare_all_types (a, b, &types);
  if (r == 0)
    {
      if (run->json)
        {
          cs_json_object (run->json, "diff");
          cs_json_number (run->json, "from", generations[0]);
          cs_json_number (run->json, "to", generations[1]);
        }
      show_bindings (run, &bindings);
      show_types (run, &types);
      if (run->json)
        cs_json_end (run->json);
    }
  free (bindings.items);
  free (types.items);
  return r;
}

/* Reading.  */

/* Take the census of GENERATION; that which is open is not opened again.  */
static int
take (const struct run *run, uint64_t generation, struct cs_census *census,
      struct cs_err *err)
{
  struct cs_store *store = run->store;
  int r = 0;

  *census = (struct cs_census) { .nr_types = 0 };
  if (generation != cs_store_superblock (store)->generation)
    r = cs_store_open_at (run->path, CS_STORE_READ, generation, &store, err);
  if (r == 0 && memcmp (cs_store_superblock (store)->uuid,
                        cs_store_superblock (run->store)->uuid, 16) != 0)
    r = cs_err_sys (err, EBUSY, "cannot open '%.300s': replaced meanwhile",
                    run->path);
  if (r == 0)
    r = cs_census_take (store, census, err);
  if (store != run->store)
    cs_store_close (store);
  return r;
}

void
cs_inspect_parse_diff (struct run *run, const char *text)
{
  char *end;

  errno = 0;
  run->diff_from = strtoull (text, &end, 10);
  run->diff_to = CS_STORE_NEWEST;
  if (strncmp (end, "..", 2) == 0 && end[2])
    run->diff_to = strtoull (end + 2, &end, 10);
  /* Neither signs nor blanks, which strtoull() takes.  */
  if (errno || *end || text[strspn (text, ".0123456789")] || text[0] == '.'
      || !run->diff_from || !run->diff_to)
    cs_cmd_misuse ("option '--diff': '%s' is not of the form A..B, or A, of "
                   "two generations", text);
}

void
cs_inspect_show_diff (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_census a, b = { .nr_types = 0 };
  uint64_t open = cs_store_superblock (run->store)->generation;
  const uint64_t generations[2] = {
    run->diff_from, run->diff_to == CS_STORE_NEWEST ? open : run->diff_to
  };
  int r = take (run, generations[0], &a, &err);

  if (r == 0)
    r = take (run, generations[1], &b, &err);
  if (r == 0)
    {
      r = compare (run, &a, &b, generations);
      if (r < 0)
        cs_err_sys (&err, -r, "cannot compare the generations of '%.300s'",
                    run->path);
    }
  if (r < 0)
    failed (run, "diff", &err);
  cs_census_fini (&a);
  cs_census_fini (&b);
}
