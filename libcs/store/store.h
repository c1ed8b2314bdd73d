/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.h -- the store file: superblocks, mapping, extents, sections, commit.

   A store is one file that holds the pages of one address range, the
   *region*: [base, base + reserved).  The same page lies at the same address
   in every process.  This layer knows nothing of ELF or of Guile.

   The file (all numbers little-endian on every machine supported so far;
   the superblock's machine field says whose they are):

     offset 0       superblock, slot A        4096 bytes
     offset 4096    superblock, slot B        4096 bytes
     offset 65536   the image: byte ADDR of the region is at file offset
                    65536 + (ADDR - base); never-used ranges are holes

   The first page of the image is the directory (struct cs_directory_disk):
   sections (named areas for the layers above) and extents (which ranges are
   in use, with what protection).  It is part of the image, so it commits
   with everything else.

   Memory: ranges of the image that exist in the committed file are mapped
   MAP_PRIVATE from it, everything newer is anonymous; nothing reaches the
   file but through cs_store_commit().

   Numbered invariants, kept by store.c and space.c, checked by
   cs_store_check() and named by the tests:

   S1  Extents are sorted by offset, page-aligned, not empty, do not overlap,
       and lie inside the reserved range.
   S2  Two neighbours that touch differ in kind or protection.
   S3  Every section lies inside one extent.
   S4  The file under the store's name is always a complete commit: it is
       replaced by rename(2) after the new one was synced.
   S5  Only the process that took the lock commits; a forked child never.  */
#ifndef CS_STORE_H
#define CS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CS_STORE_MAGIC "ColdStor"       /* 8 bytes, no terminator */
#define CS_STORE_VERSION 1
#define CS_STORE_IMAGE_OFF 65536
#define CS_STORE_PAGE_LEN 4096

struct cs_store;

/* One superblock slot as it lies in the file.  The slot with the larger
   generation among those whose CRC is right is the one in force.  */
struct cs_superblock_disk
{
  char magic[8];                /* CS_STORE_MAGIC */
  uint32_t version;             /* CS_STORE_VERSION */
  uint16_t machine;             /* EM_... of ELF */
  uint8_t word_len;             /* 4 or 8 */
  uint8_t reserved0;
  uint32_t page_len;            /* CS_STORE_PAGE_LEN */
  uint32_t reserved1;
  uint64_t base;                /* address of the region */
  uint64_t reserved;            /* its length */
  uint64_t generation;          /* 1 for the first commit */
  uint64_t committed;           /* length of the image in the file */
  uint64_t directory;           /* offset of the directory in the image: 0 */
  int64_t created;              /* seconds since 1970 */
  int64_t committed_at;         /* the same, of this generation */
  uint8_t uuid[16];             /* names the store through all generations */
  uint8_t reserved2[24];
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
  uint32_t reserved3;
};

/* What a range of the region is for.  */
enum cs_extent_kind
{
  CS_EXTENT_DIRECTORY = 1,      /* directory and sections */
  CS_EXTENT_HEAP = 2,           /* what the interpreter mapped */
  CS_EXTENT_LIBRARY_DATA = 3,   /* writable data of a carried library: in the
                                   file, but mapped by cs_store_map_extent()
                                   only, after the library was loaded */
  CS_EXTENT_LIBRARY_TEXT = 4    /* kept free for a carried library: never in
                                   the file, never mapped by this layer */
};

struct cs_extent_disk
{
  uint64_t off;                 /* offset in the region, page-aligned */
  uint64_t len;                 /* bytes, page-aligned, not 0 */
  uint32_t prot;                /* PROT_READ | ... of mmap(2) */
  uint32_t kind;                /* enum cs_extent_kind */
};

struct cs_section_disk
{
  char name[8];                 /* padded with NULs, not terminated */
  uint64_t off;                 /* offset in the region, page-aligned */
  uint64_t len;                 /* bytes, page-aligned */
};

#define CS_STORE_SECTIONS_MAX 32

struct cs_directory_disk
{
  char magic[8];                /* "ColdDir\0" */
  uint32_t nr_sections;
  uint32_t nr_extents;
  uint64_t extents_off;         /* the extent table: offset in the region */
  uint64_t extents_max;         /* its capacity in entries */
  struct cs_section_disk sections[CS_STORE_SECTIONS_MAX];
};

enum cs_store_mode
{
  CS_STORE_WRITE,               /* mapped at its base, locked, may commit */
  CS_STORE_EPHEMERAL,           /* mapped at its base, not locked, never commits */
  CS_STORE_READ                 /* mapped read-only anywhere, for inspection:
                                   only the view functions may be used */
};

struct cs_store_params
{
  uint16_t machine;             /* EM_... */
  uint8_t word_len;             /* 4 or 8 */
  uint64_t base;                /* page-aligned */
  uint64_t reserved;            /* page-aligned; at least 16 MiB */
};

/* Make an empty store for PATH and map it, as CS_STORE_WRITE does.  Nothing
   appears under PATH before the first cs_store_commit(); until then the data
   is in a temporary file beside it that has no name (O_TMPFILE) or, where
   the file system has none, is removed by cs_store_close().  If PATH exists:
   without FORCE -CS_E_REFUSED; with FORCE it is replaced by the first
   commit, and left alone until then, unless it is held (-CS_E_HELD) or is
   not a regular file (-CS_E_REFUSED).
   Errors: -CS_E_REFUSED with the name of the mapping when the region's range
   is in use in this process; -errno.  */
int cs_store_create (const char *path, const struct cs_store_params *params,
                     bool force, struct cs_store **store,
                     struct cs_err *err);

/* Open the store at PATH.
   Errors, besides -errno: -CS_E_DAMAGED (not a store, truncated, no valid
   superblock, a directory that breaks S1 to S3: structure, offset, expected,
   found); -CS_E_INCOMPATIBLE (format version; with the mapping modes also
   machine or page size); -CS_E_HELD (CS_STORE_WRITE: pid, host and since
   when); -CS_E_REFUSED (not a regular file; mapping modes: owned by neither
   this user nor root, or writable by group or others; region occupied).  */
int cs_store_open (const char *path, enum cs_store_mode mode,
                   struct cs_store **store, struct cs_err *err);

/* Release lock, descriptors and, for CS_STORE_READ, the mapping.  A region
   mapped at its base stays mapped: code may still run in it.  NULL is
   allowed.  */
void cs_store_close (struct cs_store *store);

/* In a forked child: forget lock and descriptors, so that the child can
   neither hold nor write the store (S5).  Async-signal-safe.  */
void cs_store_disown (struct cs_store *store);

/* Write the whole image to a new file beside the store and rename it into
   place (S4).  When it returns 0 the new generation is on stable storage;
   otherwise the last commit stands and the store may be used further, and
   committed again.  No other thread may write to the region meanwhile.
   Does not allocate from the region.  Pages of zeros become holes.  */
int cs_store_commit (struct cs_store *store, struct cs_err *err);

/* The superblock in force: that of the last commit (generation 0 before the
   first).  Lent until the store is closed.  */
const struct cs_superblock_disk *cs_store_superblock (const struct cs_store *);

/* The name given when it was opened.  Lent.  */
const char *cs_store_path (const struct cs_store *);

/* Ranges.  All lengths are rounded up to pages; addresses must be
   page-aligned.  Thread-safe.  They write only to the directory.  */

/* Map LEN zero bytes with protection PROT anywhere in the region, lowest
   free address first.  Returns NULL with errno ENOMEM when the region or the
   extent table is full.  */
void *cs_store_map (struct cs_store *store, size_t len, int prot,
                    enum cs_extent_kind kind);

/* The same at ADDR, which must lie in the region.  What was there is
   replaced by zeros, as MAP_FIXED does.  CS_EXTENT_LIBRARY_TEXT only claims
   the range, and CS_EXTENT_LIBRARY_DATA claims it for the file: neither is
   mapped here.  Returns 0 or -errno.  */
int cs_store_map_at (struct cs_store *store, void *addr, size_t len,
                     int prot, enum cs_extent_kind kind);

/* Give back a range, which may span extents and free space.  It is unmapped
   (or held by a PROT_NONE reservation) and becomes a hole at the next
   commit.  Returns 0 or -errno.  */
int cs_store_unmap (struct cs_store *store, void *addr, size_t len);

/* Change protection, as mprotect(2).  */
int cs_store_protect (struct cs_store *store, void *addr, size_t len,
                      int prot);

/* Make the range read as zeros again, as MADV_DONTNEED does for anonymous
   memory (for a private file mapping the kernel would bring the file's old
   contents back).  Keeps protection and kind.  */
int cs_store_clear (struct cs_store *store, void *addr, size_t len);

/* Is ADDR inside the region (used or not)?  */
bool cs_store_contains (const struct cs_store *store, const void *addr);

/* Map the committed contents of the CS_EXTENT_LIBRARY_DATA extent that holds
   [ADDR, ADDR + LEN) over whatever is mapped there (MAP_FIXED).  */
int cs_store_map_extent (struct cs_store *store, void *addr, size_t len,
                         struct cs_err *err);

/* Copies up to MAX extents in order to EXTENTS; returns how many there are.  */
size_t cs_store_extents (struct cs_store *store,
                         struct cs_extent_disk *extents, size_t max);

/* Sections: named page-aligned areas of the image.  NAME has at most 8
   characters.  */

/* Make section NAME of LEN zero bytes (rounded up to pages).  -EEXIST if
   there is one, -ENOSPC if the directory is full, -ENOMEM.  *ADDR is its
   address in the region.  */
int cs_store_section_create (struct cs_store *store, const char *name,
                             size_t len, int prot, void **addr);

/* Find section NAME.  Returns its data, readable in every mode, and sets
   *LEN; NULL if there is none.  In the mapping modes the pointer is the
   section's address in the region.  Lent until the store is closed.  */
void *cs_store_section (const struct cs_store *store, const char *name,
                        size_t *len);

/* A pointer to LEN bytes at region address ADDR, in every mode; NULL unless
   the range lies in one extent that is in the file (CS_STORE_READ) or in
   memory.  Lent until the store is closed.  */
const void *cs_store_view (const struct cs_store *store, uint64_t addr,
                           size_t len);

/* Check S1 to S3.  Returns 0 or -CS_E_DAMAGED.  */
int cs_store_check (const struct cs_store *store, struct cs_err *err);

#endif
