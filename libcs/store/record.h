/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* record.h -- a record: the pages that lead from one generation to another.

   The log holds one record a commit (what the commit wrote), the history
   one a generation (what the next commit overwrote).  As it lies in a file,
   beginning at a multiple of the page length:

     head      one page: struct cs_record_disk, then zeros
     data      the pages of those entries whose sum is not 0, in order
     index     nr entries, ascending by page, padded with zeros to a page

   A page whose sum is 0 is all zeros and has no data.  The index is behind
   the data, so that data can be written before it is known how much there
   is.

   R1  A record is complete if the CRC-32 of its head and of its index and
       the sums of all its pages are right.  What is not complete counts for
       nothing.
   R2  The head says which store the record belongs to (uuid), and the
       superblock of the generation it leads to.  It is one that could be in
       that store's file: what is not counts for nothing either.  */
#ifndef CS_RECORD_H
#define CS_RECORD_H

#include "store/store-private.h"

#define CS_RECORD_MAGIC "ColdRec"       /* 8 bytes with its NUL */

struct cs_entry_disk
{
  uint32_t page;                /* number of the page in the region */
  uint32_t sum;                 /* cs_page_sum() of its contents */
};

struct cs_record_disk
{
  char magic[8];                /* CS_RECORD_MAGIC */
  uint64_t from;                /* generation it starts from */
  uint64_t nr;                  /* entries */
  uint64_t nr_data;             /* of them with data */
  struct cs_superblock_disk superblock;  /* of the generation it leads to */
  uint32_t index_crc;           /* CRC-32 of the entries */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
  uint64_t nr_in_place;         /* pages that the commit put into the image
                                   itself (direct.h): only to be told */
  uint32_t in_place_crc;        /* CRC-32 of that field; 0 if that is 0 */
  uint32_t reserved;            /* 0 */
};

/* A record found in a file.  */
struct cs_record
{
  int fd;
  uint64_t off;                 /* of its head */
  struct cs_record_disk head;
  struct cs_entry_disk *index;  /* mapped; NULL before cs_record_load() */
};

/* The pages up to the last one that RECORD, whose index is loaded, has.  */
static inline uint64_t
cs_record_pages (const struct cs_record *record)
{
  uint64_t nr = record->head.nr;

  return nr > 0 ? (uint64_t) record->index[nr - 1].page + 1 : 0;
}

static inline uint64_t
cs_record_index_len (const struct cs_record_disk *head)
{
  return cs_round_up (head->nr * sizeof (struct cs_entry_disk),
                      CS_STORE_PAGE_LEN);
}

/* Offsets of data and index from the head, and the length of all three.  */
#define CS_RECORD_DATA CS_STORE_PAGE_LEN

static inline uint64_t
cs_record_index (const struct cs_record_disk *head)
{
  return CS_RECORD_DATA + head->nr_data * CS_STORE_PAGE_LEN;
}

static inline uint64_t
cs_record_len (const struct cs_record_disk *head)
{
  return cs_record_index (head) + cs_record_index_len (head);
}

/* Entries of an index that are read and looked at together.  */
#define CS_INDEX_PIECE 8192

/* The first of entries I to END, of which those before I are right, that is
   not of a page below LIMIT and behind the one before it; END if all are.  */
uint64_t cs_index_check (const struct cs_entry_disk *index, uint64_t i,
                         uint64_t end, uint64_t limit);

/* The checksum of a page: CRC-32, but 0 for, and only for, a page of zeros.
   PAGE is aligned to 8 bytes.  */
uint32_t cs_page_sum (const char *page);

/* Fill in what tells whose record the head is the beginning of; it is not
   complete.  */
void cs_record_begin (struct cs_record_disk *head);

/* Fill in what the head, whose NR_IN_PLACE is set, says of itself and of the NR
   entries at INDEX.  */
void cs_record_seal (struct cs_record_disk *head,
                     const struct cs_entry_disk *index, uint64_t nr);

/* Read the head of the record at OFF of FD, for a store whose superblock is
   SB.  1 if it is one, 0 if there is none, or -errno.  */
int cs_record_find (int fd, uint64_t off, const struct cs_superblock_disk *sb,
                    struct cs_record *record);

/* Read its index.  1, 0 if it is not complete, or -errno.  Free it with
   cs_record_unload().  Takes no memory but by mmap(2).  */
int cs_record_load (struct cs_record *record);
void cs_record_unload (struct cs_record *record);

/* Check the sums of its pages, which must be loaded.  1, 0 or -errno.  */
int cs_record_verify (const struct cs_record *record);

#endif
