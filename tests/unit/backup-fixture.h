/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* backup-fixture.h -- what the tests of backups share.  */
#ifndef BACKUP_FIXTURE_H
#define BACKUP_FIXTURE_H

#include "store-faults.h"

#include "store/backup.h"
#include "store/record.h"

#define BACKUP "a.gz"
#define SECOND "b.gz"
#define COPY "b.store"
#define HEAP_PAGES 40

static struct cs_err err;

/* A store with section "words", and a heap of HEAP_PAGES pages of which every
   third is left alone, that is open for writing.  */
static inline char *
make_heap (struct cs_store **store)
{
  void *addr;
  char *heap;

  *store = create (false);
  CHECK (cs_store_section_create (*store, "words", PAGE, RW, &addr) == 0);
  strcpy (addr, "words");
  heap = cs_store_map (*store, HEAP_PAGES * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  for (size_t i = 0; i < HEAP_PAGES; i++)
    if (i % 3 != 2)
      memset (heap + i * PAGE, (int) i + 1, PAGE / 2);
  commit_ok (*store);
  close_and_unmap (*store);
  /* Without it a log can only be read to its end (history.c).  */
  CHECK (mkdir (STORE "-history", 0700) == 0 || errno == EEXIST);
  *store = open_mode (CS_STORE_WRITE);
  return heap;
}

/* The same, closed.  */
static inline void
make_closed (void)
{
  struct cs_store *store;

  make_heap (&store);
  close_and_unmap (store);
}

static inline int
back_up (const char *to, uint64_t since)
{
  struct cs_backup_params params = { .to = to, .since = since };

  err = (struct cs_err) CS_ERR_INIT;
  return cs_store_backup (STORE, &params, NULL, &err);
}

static inline int
restore2 (const char *first, const char *second, bool force)
{
  const char *from[] = { first, second };

  err = (struct cs_err) CS_ERR_INIT;
  return cs_store_restore (from, second ? 2 : 1, COPY, force, NULL, NULL,
                           &err);
}

static inline void
ok (int r)
{
  if (r < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (r == 0);
}

/* Superblocks of one generation differ in where the log begins, and what they
   have replaced.  */
static inline bool
same_superblock (const struct cs_store *s, const struct cs_store *t)
{
  struct cs_superblock_disk sb = t->superblock;

  sb.log_start = s->superblock.log_start;
  memcpy (sb.former_uuid, s->superblock.former_uuid, sizeof sb.former_uuid);
  cs_superblock_seal (&sb);
  return memcmp (&s->superblock, &sb, sizeof sb) == 0;
}

/* Is every page of the store B, and the sum of it, what it is in generation
   GENERATION of the store A?  So are the superblocks if SAME.  */
static inline bool
same_pages (const char *a, uint64_t generation, const char *b, bool same)
{
  char p[PAGE] __attribute__ ((aligned (8)));
  char q[PAGE] __attribute__ ((aligned (8)));
  struct cs_store *s, *t;
  uint32_t sum_p, sum_q;
  uint64_t pages;

  ok (cs_store_open_at (a, CS_STORE_READ, generation, &s, &err));
  ok (cs_store_open (b, CS_STORE_READ, &t, &err));
  pages = s->superblock.committed / PAGE;
  same = (!same || same_superblock (s, t))
         && pages == t->superblock.committed / PAGE;
  for (uint64_t page = 0; page < pages && same; page++)
    {
      CHECK (cs_committed_read (s, page, 1, p) == 0);
      CHECK (cs_committed_read (t, page, 1, q) == 0);
      CHECK (cs_committed_sums (s, page, 1, &sum_p) == 0);
      CHECK (cs_committed_sums (t, page, 1, &sum_q) == 0);
      same = memcmp (p, q, PAGE) == 0 && sum_p == sum_q
             && cs_page_sum (q) == sum_q;
    }
  cs_store_close (s);
  cs_store_close (t);
  return same;
}

static inline bool
same_store (const char *a, uint64_t generation, const char *b)
{
  return same_pages (a, generation, b, true);
}

static inline bool
exists (const char *path)
{
  return access (path, F_OK) == 0;
}

/* All of a file, which must fit into BUF.  */
static inline size_t
slurp (const char *path, void *buf, size_t max)
{
  int fd = open (path, O_RDONLY);
  ssize_t n = read (fd, buf, max);

  CHECK (fd >= 0 && n >= 0 && (size_t) n < max);
  close (fd);
  return (size_t) n;
}

static inline void
spit (const char *path, const void *bytes, size_t len)
{
  int fd;

  /* A new file: some file systems write out at once what was truncated.  */
  unlink (path);
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK (fd >= 0 && write (fd, bytes, len) == (ssize_t) len);
  close (fd);
}

#endif
