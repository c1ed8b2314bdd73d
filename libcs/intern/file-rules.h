/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file-rules.h -- the rules for ports on files (coldstore-policy(5), Files).  */
#ifndef CS_FILE_RULES_H
#define CS_FILE_RULES_H

/* The rule for a port whose file, at a resume, has been replaced or removed.
   Stores keep these numbers.  */
enum cs_policy_files
{
  CS_POLICY_FILES_NONE,         /* there is no rule */
  CS_POLICY_FILES_REOPEN,       /* the file of that name now, same offset */
  CS_POLICY_FILES_REOPEN_AT_END,        /* the same, at its end */
  CS_POLICY_FILES_CLOSE,        /* the port is closed */
  CS_POLICY_FILES_FAIL          /* the workspace is not resumed */
};

#endif
