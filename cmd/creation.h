/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* creation.h -- the options that say how a store is made: cs-create has them,
   and cs-run for --create.  */
#ifndef CS_CREATION_H
#define CS_CREATION_H

#include "common.h"
#include "workspace/workspace.h"

/* The `val`s of the options.  Those of a command begin behind them.  */
enum
{
  CS_CREATION_BUNDLE = 256,
  CS_CREATION_FROM,
  CS_CREATION_LIBGUILE,
  CS_CREATION_POLICY,
  CS_CREATION_RESERVE,
  CS_CREATION_TABLE,
  CS_CREATION_END
};

/* The table, which a command's own includes (POPT_ARG_INCLUDE_TABLE).  */
extern struct poptOption cs_creation_options[];

/* Rows for a command's table of options that exclude each other.  A clone has the
   interpreter, the policy and the region of its source.  A table is of the
   libraries that the policy carries.  */
#define CS_CREATION_EXCLUSIVE                   \
  { CS_CREATION_BUNDLE, CS_CREATION_FROM },     \
  { CS_CREATION_BUNDLE, CS_CREATION_TABLE },    \
  { CS_CREATION_FROM, CS_CREATION_LIBGUILE },   \
  { CS_CREATION_FROM, CS_CREATION_POLICY },     \
  { CS_CREATION_FROM, CS_CREATION_RESERVE },    \
  { CS_CREATION_FROM, CS_CREATION_TABLE }

/* The first of the options that was given, as the user knows it; NULL: none.  */
const char *cs_creation_given (void);

/* The argument NAME of the option VAL, --save, of both commands.  NULL:
   CS_SAVE_STORED.  Misuse ends the process.  */
enum cs_save cs_creation_save (int val, const char *name);

/* The parameters that the options ask for; progress is shown on a terminal, and
   the policy's errors and warnings are printed.  Misuse ends the process.  The
   words are lent from the command line.  */
struct cs_create_params cs_creation_params (void);

/* Make STORE with PARAMS, and take the progress away.  Returns ERR's code;
   -CS_E_MISUSE: errors of the policy, which have been printed.  */
int cs_creation_make (const char *store, const struct cs_create_params *params,
                      struct cs_err *err);

#endif
