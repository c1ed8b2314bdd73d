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
       store's (R2).  */
#ifndef CS_HISTORY_H
#define CS_HISTORY_H

#include "store/record.h"

/* Open the history's folder.  A descriptor, or -errno.  */
int cs_history_open (const struct cs_store *store);

/* The same, but make it first if there is none, and sync its name.  */
int cs_history_make (struct cs_store *store);

/* Find the record that leads to GENERATION.  1: it is loaded, and the caller
   calls cs_history_leave(); 0: there is none that is complete; -errno.  */
int cs_history_find (const struct cs_store *store, int folder,
                     uint64_t generation, struct cs_record *record);
void cs_history_leave (struct cs_record *record);

/* Is there a file for GENERATION, whatever is in it?  */
bool cs_history_has_file (int folder, uint64_t generation);

/* The generations that there are files for, whatever is in them, newest first:
   a list that is given to free().  0 or -errno.  */
int cs_history_files (int folder, uint64_t **list, size_t *nr);

/* Where to turn round: set *TURN to the oldest generation that the image
   makes, or image and log together.  When applying is cut off, the image is
   in part what the log starts from and in part newer.  But it had not begun
   with a record of the log if something is missing of the history that had
   to be there before (H1).  0 or -errno.  */
int cs_history_turn (const struct cs_store *store, int folder,
                     uint64_t *turn);

/* Sync the record that undoes REDO, which is loaded.  If there is none, and
   WRITE, make it.  BEFORE is the store without REDO.  0 or -errno.  */
int cs_history_keep (const struct cs_store *before, int folder,
                     const struct cs_record *redo, bool write);

/* Remove what leads to GENERATION and older ones, as far as there is.  */
void cs_history_trim (int folder, uint64_t generation);

/* Remove all of it.  0 if no generation is left, or -errno.  */
int cs_history_forget (const struct cs_store *store);

/* Enter the patches that lead from the generation in force to GENERATION.
   Errors: -CS_E_REFUSED if it is not kept, -CS_E_DAMAGED, -errno.  */
int cs_history_go_back (struct cs_store *store, uint64_t generation,
                        struct cs_err *err);

#endif
