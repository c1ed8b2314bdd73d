/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* backup.h -- a store as a stream of bytes, and back.

   A backup is a gzip stream (stream.h).  What gunzip makes of it:

     head      struct cs_backup_disk
     index     `nr` entries (struct cs_entry_disk of record.h: number of the
               page in the region, sum of its contents), ascending by page
     data      the pages of those entries whose sum is not 0, in order

   A full backup has the pages of one generation, but for those that are all
   zeros.  An increment has what leads from one generation to a later one; a
   page that has become zeros is in its index only.

   B1  A backup is of one committed generation, whatever the store's writer
       does meanwhile (L4).
   B2  The index of a full backup names every page that is not all zeros;
       that of an increment every page that is not as it was in generation
       `from`.
   B3  The head has a CRC-32 of itself and of the index, the index has the
       sum of every page, gzip adds a CRC-32 of everything, and the seal
       (stream.h) has one of what gzip wrote.  How long it is follows from the
       head, and nothing comes behind the seal.  So a backup that was cut
       short anywhere, or in which one bit has changed, is noticed.
   B4  A page that does not have the sum its store has for it gets into no
       backup, and is not passed over either: the backup fails.
   B5  An increment is applied only to what it was made from: the same uuid,
       generation `from` with the same time of commit, and pages of the same
       sums (`from_crc`) where it puts its own.
   B6  Nothing has the name of a backup or of a restored store before it is
       complete, every checksum was found right, and it was synced (S4).

   Invariants B1, B2, B4 are kept by backup.c, B3 by stream.c and restore.c,
   B5 by restore.c, B6 by new-file.c.  */
#ifndef CS_BACKUP_H
#define CS_BACKUP_H

#include "store/store.h"

#define CS_BACKUP_MAGIC "ColdBak"       /* 8 bytes with its NUL */
#define CS_BACKUP_VERSION 1
#define CS_BACKUP_LEVEL 1               /* of compression, if not set */

struct cs_backup_disk
{
  char magic[8];                /* CS_BACKUP_MAGIC */
  uint32_t version;             /* CS_BACKUP_VERSION */
  uint32_t index_crc;           /* CRC-32 of the entries */
  uint64_t from;                /* generation it starts from; 0: a full one */
  int64_t from_at;              /* when that was committed */
  uint64_t nr;                  /* entries */
  uint64_t nr_data;             /* of them with data */
  uint32_t from_crc;            /* CRC-32 of the sums (4 bytes each) that the
                                   pages of the index had in `from` */
  uint32_t reserved;            /* 0 */
  struct cs_superblock_disk superblock; /* of the generation it leads to */
  uint32_t reserved2;           /* 0 */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
};

/* Called now and then with the bytes of pages done, and of all.  */
typedef void cs_backup_progress (void *closure, uint64_t done,
                                 uint64_t total);

struct cs_backup_params
{
  /* Where to: a new file, or if that is NULL a descriptor, which is lent and
     stays open.  */
  const char *to;
  int fd;
  bool force;                   /* replace the file if it exists */

  /* An increment since a generation, or since the one that a backup of this
     store leads to (a file's name); 0 and NULL: a full backup.  */
  uint64_t since;
  const char *since_backup;

  int level;                    /* 1 (fastest) to 9; 0: CS_BACKUP_LEVEL */
  cs_backup_progress *progress; /* may be NULL */
  void *closure;
};

/* Write a backup of the store at PATH, which may have a writer meanwhile and
   be of any machine.  *HEAD is its head, if that was wanted (not NULL).
   A file gets its name when it is complete and synced; it has mode 0600, less
   the umask.  What was written to a descriptor by a call that failed is no
   backup, and is noticed as such.  SIGPIPE is the caller's business.  With a
   file signals wait, but one that would end the process ends the writing:
   -EINTR.
   Errors: those of cs_store_open() with CS_STORE_READ; -CS_E_DAMAGED also for
   a page that is not as it was written (B4); -CS_E_REFUSED if the generation
   is not kept, or the backup since which it is to be is not of this store; as
   cs_store_create() for the file; -errno.  */
int cs_store_backup (const char *path, const struct cs_backup_params *params,
                     struct cs_backup_disk *head, struct cs_err *err);

/* Could the file at PATH be a backup?  True also for "-".  False if it cannot
   be read.  */
bool cs_backup_recognize (const char *path);

/* Read the head of the backup at PATH.  Errors: -CS_E_DAMAGED (also if it is
   no backup), -CS_E_INCOMPATIBLE, -errno.  */
int cs_backup_read_head (const char *path, struct cs_backup_disk *head,
                         struct cs_err *err);

/* Make the file TO a store out of NR backups: a full one, and increments that
   lead on from it in order.  "-" is standard input.  The store has the uuid
   of the one that the backups are of, and is of the generation that the last
   of them leads to; it has no history.  Otherwise as cs_store_clone().
   Errors: -CS_E_DAMAGED for whatever is not as it was written, or cut short;
   -CS_E_INCOMPATIBLE (version); -CS_E_REFUSED for backups that do not follow
   each other (B5), and for a file that others can write to; those of
   cs_store_clone() for TO; -errno.  */
int cs_store_restore (const char *const *from, size_t nr, const char *to,
                      bool force, cs_backup_progress *progress, void *closure,
                      struct cs_err *err);

#endif
