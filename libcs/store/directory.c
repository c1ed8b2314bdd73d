/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* directory.c -- the directory: checks, the extent table, sections.

   Everything here works on the image in place, in the mapping modes in the
   very pages that the next commit writes.  The editing functions run inside
   a garbage collector: they do not allocate, and all but the checks may
   assume that S1 to S3 hold.  */

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "store/store-private.h"

_Static_assert (sizeof (struct cs_extent_disk) == 24, "extent");
_Static_assert (offsetof (struct cs_extent_disk, prot) == 16, "");
_Static_assert (offsetof (struct cs_extent_disk, kind) == 20, "");
_Static_assert (sizeof (struct cs_section_disk) == 24, "section");
_Static_assert (offsetof (struct cs_section_disk, off) == 8, "");
_Static_assert (sizeof (struct cs_directory_disk) == 800, "directory");
_Static_assert (offsetof (struct cs_directory_disk, nr_extents) == 12, "");
_Static_assert (offsetof (struct cs_directory_disk, extents_off) == 16, "");
_Static_assert (offsetof (struct cs_directory_disk, extents_max) == 24, "");
_Static_assert (offsetof (struct cs_directory_disk, sections) == 32, "");
_Static_assert (sizeof (struct cs_directory_disk) <= CS_STORE_PAGE_LEN, "");

#define PROT_RW (PROT_READ | PROT_WRITE)
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Checks.  Offsets in messages are those in the image.  */

static int
wrong (struct cs_err *err, const char *structure, uint64_t off,
       const char *field, const char *expected, uint64_t found)
{
  return cs_err_set (err, CS_E_DAMAGED, "%s at offset %" PRIu64
                     " of the image: %s: expected %s, found %" PRIu64,
                     structure, off, field, expected, found);
}

uint64_t
cs_directory_len (const struct cs_directory_disk *d)
{
  return cs_round_up (d->extents_off
                      + d->extents_max * sizeof (struct cs_extent_disk),
                      CS_STORE_PAGE_LEN);
}

int
cs_directory_check_head (const struct cs_directory_disk *d,
                         const struct cs_superblock_disk *sb,
                         struct cs_err *err)
{
  char text[sizeof d->magic * 4 + 1];

  if (memcmp (d->magic, CS_DIRECTORY_MAGIC, sizeof d->magic) != 0)
    return cs_err_set (err, CS_E_DAMAGED, "directory at offset 0 of the "
                       "image: magic: expected '%s', found '%s'",
                       CS_DIRECTORY_MAGIC,
                       cs_printable (d->magic, strnlen (d->magic, 8), text));
  if (d->nr_sections > CS_STORE_SECTIONS_MAX)
    return wrong (err, "directory", 0, "number of sections", "at most 32",
                  d->nr_sections);
  if (d->extents_off < sizeof *d || d->extents_off % 8
      || d->extents_off > sb->committed)
    return wrong (err, "directory", 0, "extent table", "an offset inside the "
                  "committed image", d->extents_off);
  if (d->extents_max > ((sb->committed - d->extents_off)
                        / sizeof (struct cs_extent_disk))
      || cs_directory_len (d) > sb->committed)
    return wrong (err, "directory", 0, "capacity of the extent table",
                  "no more than fits in the committed image",
                  d->extents_max);
  if (d->nr_extents == 0 || d->nr_extents > d->extents_max)
    return wrong (err, "directory", 0, "number of extents",
                  "from 1 to the table's capacity", d->nr_extents);
  return 0;
}

/* One extent on its own (S1), AT bytes from the start of the image.  */
static int
check_extent (const struct cs_extent_disk *e, uint64_t at,
              const struct cs_superblock_disk *sb, bool committed,
              struct cs_err *err)
{
  if (e->off % sb->page_len)
    return wrong (err, "extent", at, "offset", "a page (S1)", e->off);
  if (e->len == 0 || e->len % sb->page_len)
    return wrong (err, "extent", at, "length", "pages (S1)", e->len);
  if (e->off > sb->reserved || e->len > sb->reserved - e->off)
    return wrong (err, "extent", at, "end", "inside the reserved range (S1)",
                  e->off + e->len);
  if (e->kind < CS_EXTENT_DIRECTORY || e->kind > CS_EXTENT_LIBRARY_TEXT)
    return wrong (err, "extent", at, "kind", "1 to 4", e->kind);
  if (e->prot & ~(uint32_t) PROT_ALL)
    return wrong (err, "extent", at, "protection", "0 to 7", e->prot);
  if (committed && cs_extent_in_file (e) && cs_extent_end (e) > sb->committed)
    return wrong (err, "extent", at, "end", "inside the committed image",
                  cs_extent_end (e));
  return 0;
}

/* Two neighbours (S1, S2).  */
static int
check_pair (const struct cs_extent_disk *a, const struct cs_extent_disk *b,
            uint64_t at, struct cs_err *err)
{
  if (b->off < cs_extent_end (a))
    return wrong (err, "extent", at, "offset",
                  "behind the extent before it (S1)", b->off);
  if (b->off == cs_extent_end (a) && a->kind == b->kind
      && a->prot == b->prot)
    return wrong (err, "extent", at, "kind and protection",
                  "other than those of the extent it touches (S2)", b->kind);
  return 0;
}

static int
check_extents (const char *image, const struct cs_superblock_disk *sb,
               bool committed, struct cs_err *err)
{
  const struct cs_directory_disk *d = (const void *) image;
  const struct cs_extent_disk *table = (const void *) (image
                                                       + d->extents_off);
  uint64_t at = d->extents_off;
  int r = 0;

  for (size_t i = 0; i < d->nr_extents && r == 0; i++, at += sizeof *table)
    {
      r = check_extent (&table[i], at, sb, committed, err);
      if (r == 0 && i > 0)
        r = check_pair (&table[i - 1], &table[i], at, err);
    }
  if (r < 0)
    return r;
  if (table[0].off != 0 || table[0].kind != CS_EXTENT_DIRECTORY
      || table[0].prot != PROT_RW || table[0].len < cs_directory_len (d))
    return wrong (err, "extent", d->extents_off, "length",
                  "the directory's, readable and writable, at 0 (S3)",
                  table[0].len);
  return 0;
}

/* Index of the first of NR extents that ends after OFF.  */
static size_t
index_in (const struct cs_extent_disk *table, size_t nr, uint64_t off)
{
  size_t low = 0;

  while (low < nr)
    {
      size_t middle = low + (nr - low) / 2;

      if (cs_extent_end (&table[middle]) <= off)
        low = middle + 1;
      else
        nr = middle;
    }
  return low;
}

/* S3, for extents that keep S1.  */
static int
check_section (const struct cs_directory_disk *d,
               const struct cs_extent_disk *table, size_t i,
               struct cs_err *err)
{
  const struct cs_section_disk *s = &d->sections[i];
  uint64_t at = (uint64_t) ((const char *) s - (const char *) d);
  size_t e = index_in (table, d->nr_extents, s->off);
  char text[sizeof s->name * 4 + 1];

  if (s->name[0] == '\0')
    return wrong (err, "section", at, "name", "a character", 0);
  for (size_t k = 0; k < i; k++)
    if (memcmp (d->sections[k].name, s->name, sizeof s->name) == 0)
      return cs_err_set (err, CS_E_DAMAGED, "section at offset %" PRIu64
                         " of the image: name: expected only one '%s', "
                         "found another", at,
                         cs_printable (s->name, strnlen (s->name, 8), text));
  if (s->len == 0 || s->len % CS_STORE_PAGE_LEN
      || s->off % CS_STORE_PAGE_LEN)
    return wrong (err, "section", at, "length", "pages (S3)", s->len);
  if (e == d->nr_extents || s->off < table[e].off
      || s->len > cs_extent_end (&table[e]) - s->off
      || cs_extent_is_library (&table[e]) || !cs_extent_in_file (&table[e]))
    return wrong (err, "section", at, "offset",
                  "a range inside one extent (S3)", s->off);
  return 0;
}

int
cs_directory_check (const char *image, const struct cs_superblock_disk *sb,
                    bool committed, struct cs_err *err)
{
  const struct cs_directory_disk *d = (const void *) image;
  struct cs_superblock_disk bound = *sb;
  int r;

  if (!committed)
    bound.committed = sb->reserved;
  r = cs_directory_check_head (d, &bound, err);
  if (r == 0)
    r = check_extents (image, &bound, committed, err);
  for (size_t i = 0; i < d->nr_sections && r == 0; i++)
    r = check_section (d, (const void *) (image + d->extents_off), i, err);
  return r;
}

void
cs_directory_init (struct cs_store *store)
{
  struct cs_directory_disk *d = cs_directory (store);

  memcpy (d->magic, CS_DIRECTORY_MAGIC, sizeof d->magic);
  d->extents_off = CS_STORE_PAGE_LEN;
  d->extents_max = CS_STORE_EXTENTS_MAX;
  d->nr_extents = 1;
  *cs_extent_table (store) = (struct cs_extent_disk) {
    .len = cs_directory_len (d),
    .prot = PROT_RW,
    .kind = CS_EXTENT_DIRECTORY
  };
}

/* Looking up.  */

size_t
cs_extent_index (const struct cs_store *store, uint64_t off)
{
  return index_in (cs_extent_table (store), cs_directory (store)->nr_extents,
                   off);
}

const struct cs_extent_disk *
cs_store_extent_at (const struct cs_store *store, uint64_t addr)
{
  uint64_t off = addr - store->superblock.base;
  size_t i = cs_extent_index (store, off);
  const struct cs_extent_disk *e = cs_extent_table (store) + i;

  return i < cs_directory (store)->nr_extents && e->off <= off ? e : NULL;
}

bool
cs_extent_next_used (const struct cs_store *store, uint64_t off,
                     uint64_t end, struct cs_extent_disk *piece)
{
  size_t i = cs_extent_index (store, off);
  uint64_t piece_end;

  if (off >= end || i == cs_directory (store)->nr_extents)
    return false;
  *piece = cs_extent_table (store)[i];
  if (piece->off >= end)
    return false;
  piece_end = cs_extent_end (piece) < end ? cs_extent_end (piece) : end;
  if (piece->off < off)
    piece->off = off;
  piece->len = piece_end - piece->off;
  return true;
}

bool
cs_extent_next_free (const struct cs_store *store, uint64_t off,
                     uint64_t end, uint64_t *free_off, uint64_t *free_len)
{
  struct cs_extent_disk piece;

  while (off < end && cs_extent_next_used (store, off, end, &piece)
         && piece.off == off)
    off = cs_extent_end (&piece);
  if (off >= end)
    return false;
  *free_off = off;
  *free_len = (cs_extent_next_used (store, off, end, &piece)
               ? piece.off : end) - off;
  return true;
}

bool
cs_extent_find_gap (const struct cs_store *store, uint64_t len,
                    uint64_t *off)
{
  const struct cs_extent_disk *table = cs_extent_table (store);
  size_t nr = cs_directory (store)->nr_extents;

  for (size_t i = cs_extent_index (store, *off); i < nr; i++)
    {
      if (table[i].off > *off && table[i].off - *off >= len)
        return true;
      *off = cs_extent_end (&table[i]);
    }
  return (*off <= store->superblock.reserved
          && len <= store->superblock.reserved - *off);
}

/* Editing.  */

bool
cs_extent_has_room (const struct cs_store *store)
{
  return (cs_directory (store)->nr_extents + 2
          <= cs_directory (store)->extents_max);
}

/* Append E to the NR entries at LIST, or to the last of them if they touch
   and are alike (S2).  Returns the new number.  */
static size_t
append (struct cs_extent_disk *list, size_t nr,
        const struct cs_extent_disk *e)
{
  struct cs_extent_disk *last = nr > 0 ? &list[nr - 1] : NULL;

  if (e->len == 0)
    return nr;
  if (last && cs_extent_end (last) == e->off && last->kind == e->kind
      && last->prot == e->prot)
    {
      last->len += e->len;
      return nr;
    }
  list[nr] = *e;
  return nr + 1;
}

/* Put [OFF, OFF + LEN) in FILL's hands, or in nobody's if FILL->len is 0.
   The entries that this touches, and one neighbour on each side for merging,
   are replaced by at most five.  */
static void
replace (struct cs_store *store, uint64_t off, uint64_t len,
         const struct cs_extent_disk *fill)
{
  struct cs_directory_disk *d = cs_directory (store);
  struct cs_extent_disk *table = cs_extent_table (store);
  struct cs_extent_disk list[5], rest;
  size_t first = cs_extent_index (store, off), last = first, nr = 0;

  if (first > 0)
    nr = append (list, nr, &table[first - 1]);
  if (first < d->nr_extents && table[first].off < off)
    {
      rest = table[first];
      rest.len = off - rest.off;
      nr = append (list, nr, &rest);
    }
  nr = append (list, nr, fill);
  while (last < d->nr_extents && table[last].off < off + len)
    last++;
  if (last > first && cs_extent_end (&table[last - 1]) > off + len)
    {
      rest = table[last - 1];
      rest.len = cs_extent_end (&rest) - (off + len);
      rest.off = off + len;
      nr = append (list, nr, &rest);
    }
  if (last < d->nr_extents)
    nr = append (list, nr, &table[last++]);
  if (first > 0)
    first--;
  memmove (&table[first + nr], &table[last],
           (d->nr_extents - last) * sizeof *table);
  memcpy (&table[first], list, nr * sizeof *table);
  d->nr_extents = (uint32_t) (d->nr_extents - (last - first) + nr);
}

void
cs_extent_set_free (struct cs_store *store, uint64_t off, uint64_t len)
{
  replace (store, off, len, &(struct cs_extent_disk) { .len = 0 });
}

void
cs_extent_set (struct cs_store *store, const struct cs_extent_disk *extent)
{
  replace (store, extent->off, extent->len, extent);
}

/* Sections.  */

struct cs_section_disk *
cs_section_find (const struct cs_store *store, const char *name)
{
  struct cs_directory_disk *d = cs_directory (store);

  for (size_t i = 0; i < d->nr_sections; i++)
    if (strncmp (d->sections[i].name, name, sizeof d->sections->name) == 0)
      return &d->sections[i];
  return NULL;
}

bool
cs_directory_touches (const struct cs_store *store, uint64_t off,
                      uint64_t len)
{
  return len > 0 && off < cs_directory_len (cs_directory (store));
}

bool
cs_section_touches (const struct cs_store *store, uint64_t off, uint64_t len,
                    bool partly)
{
  const struct cs_directory_disk *d = cs_directory (store);

  for (size_t i = 0; i < d->nr_sections; i++)
    {
      const struct cs_section_disk *s = &d->sections[i];

      if (s->off < off + len && off < s->off + s->len
          && !(partly && s->off >= off && s->off + s->len <= off + len))
        return true;
    }
  return false;
}
