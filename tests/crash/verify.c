/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verify.c -- is what a power loss left what was promised?  */

#include <inttypes.h>

#include "../unit/store-fixture.h"

#include "store/record.h"

#include "verify.h"

#define LISTED_MAX 64

bool verify_is_quiet;

static bool __attribute__ ((format (printf, 1, 2)))
complain (const char *format, ...)
{
  va_list args;

  if (verify_is_quiet)
    return false;
  va_start (args, format);
  fputs ("  ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  va_end (args);
  return false;
}

void
promise_at (const struct trace *trace, size_t point, const char *path,
            struct promise *promise)
{
  *promise = (struct promise) { .path = path };
  for (size_t i = 0; i < point; i++)
    {
      const struct event *e = &trace->events[i];

      if (e->kind == EVENT_BEGIN && strcmp (e->attempt->path, path) == 0)
        {
          CHECK (promise->nr < PROMISE_MAX);
          promise->attempts[promise->nr++] = e->attempt;
        }
    }
  promise->first = promise->nr;
  for (size_t i = 0; i < point; i++)
    if (trace->events[i].kind == EVENT_ACKNOWLEDGED)
      for (size_t k = 0; k < promise->nr; k++)
        if (promise->attempts[k] == trace->events[i].attempt)
          promise->first = k;
}

/* Comparing.  */

static bool
same_extents (const struct attempt *a, const struct cs_store *store)
{
  const struct cs_directory_disk *d = cs_directory (store);

  return (d->nr_extents == a->nr_extents
          && memcmp (cs_extent_table (store), a->extents,
                     a->nr_extents * sizeof *a->extents) == 0);
}

static bool
same_pages (const struct attempt *a, const struct cs_store *store)
{
  size_t next = 0;

  for (size_t i = 0; i < a->nr_extents; i++)
    {
      const struct cs_extent_disk *e = &a->extents[i];

      if (!cs_extent_in_file (e))
        continue;
      /* Faster than page by page.  */
      madvise (store->image + e->off, (size_t) e->len, MADV_POPULATE_READ);
      for (uint64_t off = e->off; off < cs_extent_end (e); off += PAGE)
        {
          bool expected = next < a->nr_pages && a->page[next] == off / PAGE;
          const char *found = store->image + off;

          if (expected ? memcmp (a->contents + next * PAGE, found, PAGE) != 0
              : !cs_page_is_zero (found))
            return false;
          next += expected;
        }
    }
  return true;
}

/* The attempt among [FIRST, END) that STORE is; NULL if it is none.  */
static const struct attempt *
find (const struct promise *promise, size_t first, size_t end,
      const struct cs_store *store)
{
  for (size_t i = end; i-- > first;)
    {
      const struct attempt *a = promise->attempts[i];

      if (a->generation == store->superblock.generation
          && same_extents (a, store) && same_pages (a, store))
        return a;
    }
  return NULL;
}

/* Opening.  */

static void
put_away (struct cs_store *store)
{
  if (store->mode == CS_STORE_READ)
    cs_store_close (store);
  else
    close_and_unmap (store);
}

/* Open the newest generation and say which it is; NULL: it is wrong, or
   there is none.  */
static const struct attempt *
open_newest (const struct promise *promise, enum cs_store_mode mode,
             struct cs_store **store)
{
  struct cs_err err = CS_ERR_INIT;
  const struct attempt *a;

  *store = NULL;
  if (cs_store_open (promise->path, mode, store, &err) < 0)
    {
      if (err.code != -ENOENT || promise->first < promise->nr)
        complain ("mode %d: %s", mode, err.text);
      return NULL;
    }
  a = find (promise, promise->first < promise->nr ? promise->first : 0,
            promise->nr, *store);
  if (!a)
    {
      complain ("%s, mode %d: generation %" PRIu64 " is not what was "
                "committed", promise->path, mode,
                (*store)->superblock.generation);
      put_away (*store);
      *store = NULL;
    }
  return a;
}

/* Checksums.  */

struct allowance
{
  bool leftovers;               /* what was not finished may lie about */
  bool exceeded;
};

static void
judge (void *closure, const struct cs_damage *damage)
{
  struct allowance *a = closure;

  if (a->leftovers && (strcmp (damage->structure, "log") == 0
                       || strcmp (damage->structure, "history") == 0))
    return;
  a->exceeded = true;
  complain ("%s at %" PRIu64 ": expected %" PRIx32 ", found %" PRIx32,
            damage->structure, damage->off, damage->expected, damage->found);
}

/* Is everything as its checksum says?  */
static bool
verify_sums (struct cs_store *store, bool leftovers)
{
  struct allowance a = { leftovers, false };
  struct cs_err err = CS_ERR_INIT;

  if (cs_store_verify (store, judge, &a, &err) < 0)
    return complain ("%s", err.text);
  return !a.exceeded;
}

/* Older generations.  */

static bool
verify_generation (const struct promise *promise, uint64_t generation,
                   enum cs_store_mode mode, bool must)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = NULL;
  bool right;

  if (cs_store_open_at (promise->path, mode, generation, &store, &err) < 0)
    return ((!must && err.code == -CS_E_REFUSED)
            || complain ("older generation %" PRIu64 ": %s", generation,
                         err.text));
  right = find (promise, 0, promise->nr, store) != NULL
          && store->superblock.generation == generation;
  put_away (store);
  return right || complain ("%s, mode %d: older generation %" PRIu64
                            " is not what was committed", promise->path, mode,
                            generation);
}

static bool
is_listed (const struct cs_generation *list, size_t nr, uint64_t generation)
{
  for (size_t i = 0; i < nr; i++)
    if (list[i].generation == generation)
      return true;
  return false;
}

/* What is listed can be opened, and so can, if there is a folder for it and
   nothing took it away, what the history should have.  The oldest is opened
   in MODE too.  */
static bool
verify_history (const struct promise *promise, const struct attempt *newest,
                enum cs_store_mode mode)
{
  struct cs_generation list[LISTED_MAX];
  struct cs_store *store;
  uint64_t keep, oldest;
  size_t nr;
  bool has_folder = access (STORE "-history", F_OK) == 0, right = true;

  if (!open_newest (promise, CS_STORE_READ, &store))
    return false;
  nr = cs_store_history (store, list, LISTED_MAX);
  keep = store->superblock.history;
  cs_store_close (store);
  if (nr == 0 || nr > LISTED_MAX || list[0].generation != newest->generation)
    return complain ("the history does not list the newest generation");
  oldest = newest->generation > keep ? newest->generation - keep : 1;
  for (uint64_t g = newest->generation; g > 0 && g + 2 > oldest && right; g--)
    {
      bool listed = is_listed (list, nr, g);
      bool must = promise->history && has_folder && g >= oldest;

      if (must && !listed)
        return complain ("generation %" PRIu64 " is not listed", g);
      right = verify_generation (promise, g, CS_STORE_READ, listed);
      if (right && listed && g == oldest)
        right = verify_generation (promise, g, mode, true);
    }
  return right;
}

/* Writing.  */

/* Life goes on: another generation is committed and found.  */
static bool
go_on (const struct promise *promise, struct cs_store *store)
{
  static const char text[] = "after the power came back";
  struct cs_err err = CS_ERR_INIT;
  uint64_t generation = store->superblock.generation + 1;
  size_t len;
  char *words = cs_store_section (store, "words", &len);
  bool right;

  CHECK (words);
  strcpy (words, text);
  if (cs_store_commit (store, &err) < 0 || cs_store_settle (store, &err) < 0)
    complain ("%s", err.text);
  close_and_unmap (store);
  if (err.code != 0
      || cs_store_open (promise->path, CS_STORE_READ, &store, &err) < 0)
    return complain ("the next commit: %s", err.text);
  words = cs_store_section (store, "words", &len);
  right = words && strcmp (words, text) == 0
          && store->superblock.generation == generation
          && verify_sums (store, false);
  cs_store_close (store);
  return right || complain ("the next commit is not found");
}

static bool
verify_recovery (const struct promise *promise, const struct attempt *newest)
{
  struct cs_store *store;
  const struct attempt *a = open_newest (promise, CS_STORE_WRITE, &store);

  if (a != newest)
    {
      if (a)
        close_and_unmap (store);
      return complain ("%s: recovered to another generation", promise->path);
    }
  if (cs_store_check (store, NULL) < 0)
    {
      close_and_unmap (store);
      return complain ("%s: recovered, but damaged", promise->path);
    }
  return (verify_history (promise, newest, CS_STORE_READ)
          && go_on (promise, store));
}

bool
verify (const struct promise *promise)
{
  const struct attempt *newest, *a;
  struct cs_store *store;

  newest = open_newest (promise, CS_STORE_READ, &store);
  if (!newest)
    /* Nothing was promised, and nothing is there.  */
    return promise->first == promise->nr && access (promise->path, F_OK) < 0
           && errno == ENOENT;
  if (!verify_sums (store, true))
    return false;
  put_away (store);
  a = open_newest (promise, CS_STORE_EPHEMERAL, &store);
  if (a)
    put_away (store);
  if (a != newest)
    return complain ("%s: readers find different generations", promise->path);
  return (verify_history (promise, newest, CS_STORE_EPHEMERAL)
          && verify_recovery (promise, newest));
}
