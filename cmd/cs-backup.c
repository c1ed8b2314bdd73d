/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cs-backup -- write a store as a compressed stream.  */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "progress.h"
#include "store/backup.h"

enum
{
  OPTION_FORCE = 256,
  OPTION_LEVEL,
  OPTION_SINCE
};

static char *level, *output, *since;

static struct poptOption options[] = {
  { "force", 0, POPT_ARG_NONE, NULL, OPTION_FORCE,
    "Replace FILE if it exists", NULL },
  { "level", 0, POPT_ARG_STRING, &level, OPTION_LEVEL,
    "Compress from 1 (fast, the default) to 9 (small)", "LEVEL" },
  { "output", 'o', POPT_ARG_STRING, &output, 'o',
    "Write to FILE, not to standard output", "FILE" },
  { "since", 0, POPT_ARG_STRING, &since, OPTION_SINCE,
    "Leave out what has not changed since a generation, or since a backup",
    "GENERATION|BACKUP" },
  POPT_TABLEEND
};

static const struct cs_cmd command = {
  .name = "cs-backup",
  .operands = "STORE",
  .summary = "Write a backup of the workspace in the file STORE.",
  .options = options,
  .min_operands = 1,
  .max_operands = 1
};

static int
parse_level (void)
{
  if (!level)
    return CS_BACKUP_LEVEL;
  if (level[0] < '1' || level[0] > '9' || level[1] != '\0')
    cs_cmd_misuse ("option '--level': '%s' is not a number from 1 to 9",
                   level);
  return level[0] - '0';
}

/* A number is a generation, anything else the name of a backup.  */
static void
parse_since (struct cs_backup_params *params)
{
  char *end;

  if (!since)
    return;
  if (since[strspn (since, "0123456789")] != '\0' || since[0] == '\0')
    {
      params->since_backup = since;
      return;
    }
  errno = 0;
  params->since = strtoull (since, &end, 10);
  if (errno != 0 || params->since == 0)
    cs_cmd_misuse ("option '--since': '%s' is not the number of a generation",
                   since);
}

static void
refuse_terminal (const struct cs_backup_params *params)
{
  struct cs_err err = CS_ERR_INIT;

  if (params->to || !isatty (params->fd))
    return;
  cs_err_set (&err, CS_E_REFUSED, "cannot write a backup to a terminal");
  cs_err_advise (&err, "redirect it to a file or a program, or name a file: "
                 "-o FILE");
  cs_cmd_fail (&err);
}

static void
note (const char *store, const struct cs_backup_disk *head)
{
  char kind[64] = "all";

  if (head->from > 0)
    snprintf (kind, sizeof kind, "changes since generation %" PRIu64,
              head->from);
  cs_cmd_note ("wrote generation %" PRIu64 " of '%s': %s, %" PRIu64
               " pages of %d bytes", head->superblock.generation, store, kind,
               head->nr_data, CS_STORE_PAGE_LEN);
}

int
main (int argc, char **argv)
{
  const struct cs_cmd_line *line = cs_cmd_start (&command, argc, argv);
  const char *store = line->operands[0];
  struct cs_backup_params params = {
    .to = output && strcmp (output, "-") != 0 ? output : NULL,
    .fd = STDOUT_FILENO,
    .force = cs_cmd_given (OPTION_FORCE),
    .level = parse_level (),
    .progress = cs_progress_show
  };
  struct cs_backup_disk head;
  struct cs_err err = CS_ERR_INIT;

  parse_since (&params);
  refuse_terminal (&params);
  /* A reader that has gone, or a file that is too large, is an error like any
     other.  */
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);
  cs_store_backup (store, &params, &head, &err);
  cs_progress_end ();
  if (err.code != 0)
    cs_cmd_fail (&err);
  note (store, &head);
  cs_cmd_exit (0);
}
