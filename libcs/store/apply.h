/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* apply.h -- what the files of an apply share: apply.c, apply-history.c.  */
#ifndef CS_APPLY_H
#define CS_APPLY_H

#include "store/record.h"
#include "store/slice.h"

struct cs_apply
{
  struct cs_slice slice;
  struct cs_store *store;
  struct cs_store at;           /* the store when the round began: its generation
                                   is where the round leads, its log ends there.
                                   Not to be changed by who has only this.  */
  struct cs_superblock_disk image;      /* what was in the file then */
};

/* Have a round of A begin with what STORE has now.  */
int cs_apply_begin_round (struct cs_apply *a, struct cs_store *store,
                          struct cs_err *err);

/* Call VISIT for the records that A's round applies, in order, with the index
   loaded.  0, what VISIT returned below 0, CS_OVERTAKEN, or an error.  */
int cs_apply_each_record (struct cs_apply *a,
                          int (*visit) (void *context, struct cs_apply *a,
                                        const struct cs_record *record,
                                        struct cs_err *err),
                          void *context, struct cs_err *err);

/* apply-history.c: keep in the history what the round overwrites (A1).  */
int cs_apply_keep (struct cs_apply *a, struct cs_err *err);

#endif
