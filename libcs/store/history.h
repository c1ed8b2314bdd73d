/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* history.h -- older generations of a store.

   The folder NAME-history beside the store has one file a generation, named
   by its number: the record (record.h) that leads back to it from the one
   after it.  It may be removed at any time; then only the newest generation
   can be opened.

   A generation is reached from the image: forwards through the log, and from
   there backwards through the history.

   H1  Its file is complete and synced, and so is the folder, before the
       image changes (A1).
   H2  A generation can be opened if it and all that are newer, up to one
       that image and log make, have files that are complete (R1) and this
       store's (R2).
   H3  A file is removed or replaced only if it is a record of this store, or
       of the store that this one has replaced; the latter's records are
       removed when the new store is on stable storage.  Until then, and as
       long as a process that was killed may have left some, the superblock has
       their uuid (former_uuid) and the history counts for nothing.
   H4  A directory that others own or can write to does not belong to the
       history, nor does such a file in it: nothing is read from them or
       written to them.  */
#ifndef CS_HISTORY_H
#define CS_HISTORY_H

#include "store/record.h"
#include "store/slice.h"

/* history-files.c */

/* May a file or directory with status ST be of STORE's history (H4)?  */
bool cs_history_is_trusted (const struct cs_store *store,
                            const struct stat *st);

/* Open the history's directory.  A descriptor, -CS_E_REFUSED (H4), or
   -errno.  */
int cs_history_open (const struct cs_store *store);

/* The same, but make it first if there is none, and sync its name.  Users who
   may read the store may read its history.  */
int cs_history_make (struct cs_store *store);

/* Is the file NAME the beginning of a record, complete or not, of the store
   with UUID?  1, 0 or -errno.  */
int cs_history_is_record (int folder, const char *name,
                           const uint8_t uuid[16]);

/* Is there nothing at its beginning?  */
bool cs_history_is_blank (int folder, const char *name);

/* Remove all records of the store with UUID, and the directory if nothing is
   left in it.  0 if none is left, or -errno.  */
int cs_history_forget (const struct cs_store *store, const uint8_t uuid[16]);

/* STORE is to replace the store that cs_store_claim() found: refuse if there
   are files of generations of any other store, else set former_uuid.  A
   directory that H4 rules out is not in the way.  Errors: -CS_E_REFUSED,
   -errno.  */
int cs_history_claim (struct cs_store *store, struct cs_err *err);

/* STORE is on stable storage: remove the records of the one it replaced, then
   have the history count (H3).  */
int cs_history_replace (struct cs_store *store, struct cs_err *err);

/* Remove what leads to GENERATION and older ones, as far as there is.  */
void cs_history_trim (const struct cs_store *store, int folder,
                      uint64_t generation);

/* The generations that there are files for, whatever is in them, newest first:
   a list that is given to free().  0 or -errno.  */
int cs_history_files (int folder, uint64_t **list, size_t *nr);

/* history.c */

/* Find the record that leads to GENERATION.  1: it is loaded, and the caller
   calls cs_history_leave(); 0: there is none that is complete; -errno.  */
int cs_history_find (const struct cs_store *store, int folder,
                     uint64_t generation, struct cs_record *record);
void cs_history_leave (struct cs_record *record);

/* Is there a file for GENERATION, whatever is in it?  */
bool cs_history_has_file (int folder, uint64_t generation);

/* Where to turn round: set *TURN to the oldest generation that the image
   makes, or image and log together.  When applying is cut off, the image is
   in part what the log starts from and in part newer.  But it had not begun
   with a record of the log if something is missing of the history that had
   to be there before (H1).  0 or -errno.  */
int cs_history_turn (const struct cs_store *store, int folder,
                     uint64_t *turn);

/* Sync the record that undoes REDO, which is loaded.  If there is none, and
   WRITE, make it.  BEFORE is the store without REDO.  Gives way as SLICE says.
   0, CS_OVERTAKEN, or -errno: -EEXIST if a file that is none of the store's has
   its name (H3).  */
int cs_history_keep (const struct cs_store *before, int folder,
                     const struct cs_record *redo, bool write,
                     struct cs_slice *slice);

/* Enter the patches that lead from the generation in force to GENERATION.
   Errors: -CS_E_REFUSED if it is not kept, -CS_E_DAMAGED, -errno.  */
int cs_history_go_back (struct cs_store *store, uint64_t generation,
                        struct cs_err *err);

#endif
