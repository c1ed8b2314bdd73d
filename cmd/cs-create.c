/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-create -- make a store with an interpreter in it.  */

#include "common.h"
#include "creation.h"

enum
{
  OPTION_FORCE = CS_CREATION_END,
  OPTION_HISTORY,
  OPTION_SAVE
};

static char *history, *save;

static struct poptOption options[] = {
  { NULL, 0, POPT_ARG_INCLUDE_TABLE, cs_creation_options, 0, NULL, NULL },
  { "force", 0, POPT_ARG_NONE, NULL, OPTION_FORCE,
    "Replace STORE if it exists", NULL },
  { "history", 0, POPT_ARG_STRING, &history, OPTION_HISTORY,
    "Keep so many older generations (8)", "NUMBER" },
  { "save", 0, POPT_ARG_STRING, &save, OPTION_SAVE,
    "At the end of a run, save: success, always, never or ask", "POLICY" },
  POPT_TABLEEND
};

/* A clone has its source's length of history, and policy of saving.  */
static const int exclusive[][CS_CMD_EXCLUSIVE_MAX] = {
  CS_CREATION_EXCLUSIVE,
  { CS_CREATION_FROM, OPTION_HISTORY },
  { CS_CREATION_FROM, OPTION_SAVE },
  { 0 }
};

static const struct cs_cmd command = {
  .name = "cs-create",
  .operands = "STORE",
  .summary = "Make a workspace for Guile in the file STORE.",
  .options = options,
  .exclusive = exclusive,
  .min_operands = 1,
  .max_operands = 1,
  .ends_at_once = true          /* an interpreter may be loaded in part */
};

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  const char *store = line->operands[0];
  uint32_t kept = (uint32_t) cs_cmd_number (OPTION_HISTORY, history, 0,
                                            UINT32_MAX);
  struct cs_create_params params = cs_creation_params ();
  struct cs_err err = CS_ERR_INIT;

  params.history = history ? &kept : NULL;
  params.save = cs_creation_save (OPTION_SAVE, save);
  params.force = cs_cmd_given (OPTION_FORCE);
  if (cs_creation_make (store, &params, &err) == -CS_E_MISUSE)
    cs_cmd_exit (cs_err_status (err.code));
  if (err.code != 0)
    cs_cmd_fail (&err);
  cs_cmd_note ("made '%s'", store);
  cs_cmd_exit (0);
}
