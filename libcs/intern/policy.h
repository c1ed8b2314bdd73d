/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* policy.h -- the declarative policy: what persists, what is interned.

   The language is described in coldstore-policy(5).  In short, one rule a
   line, '#' starts a comment, words are separated by blanks, patterns are
   those of fnmatch(3) without flags, matched against sonames and symbol
   names:

     policy 1                                   first rule of every policy
     persist LIBRARY...                         fixed address, data in the store
     restart LIBRARY...                         fixed address, data begins anew
     rebind  LIBRARY...                         bound at each start, reached by
                                                trampolines
     intern  function|data|any SYMBOL... [in LIBRARY...]
     skip    function|data|any SYMBOL... [in LIBRARY...]
     replace SYMBOL with NAME [in LIBRARY...]
     files   reopen|reopen-at-end|close|fail PATH...

   The word `optional` before a rule silences cs_policy_unused() about it.
   Without `in`, a rule holds for every library.  In `in`, the words
   `persistent` and `rebound` stand for all libraries that persist or do
   not; wherever a library is expected, `extensions` stands for those opened
   at run time that refer to a carried one (cs_policy_add_extension).  For
   each question the last rule that matches decides.  A library no rule
   speaks of is rebound; a symbol no rule speaks of is not interned.  */
#ifndef CS_POLICY_H
#define CS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "intern/elf.h"
#include "intern/file-rules.h"

struct cs_policy;

enum cs_policy_role
{
  CS_POLICY_REBIND,
  CS_POLICY_RESTART,
  CS_POLICY_PERSIST
};

/* Called once for every error, in line order; TEXT is
   "file:line:column: text".  */
typedef void cs_policy_report (void *closure, const char *text);

/* Parse LEN bytes of TEXT; FILE is its name for messages.  Every error is
   reported through REPORT (which may be NULL), then -CS_E_MISUSE is returned
   with ERR telling their number and the first of them.  Free with
   cs_policy_free().  */
int cs_policy_parse (const char *file, const char *text, size_t len,
                     cs_policy_report *report, void *closure,
                     struct cs_policy **policy, struct cs_err *err);

/* Read and parse a file; FILE NULL means the built-in policy, whose name in
   messages is "<built-in>/guile-3.0.pol".  Also -errno.  */
int cs_policy_load (const char *file, cs_policy_report *report,
                    void *closure, struct cs_policy **policy,
                    struct cs_err *err);

void cs_policy_free (struct cs_policy *policy);         /* NULL is allowed */

/* The text the policy was parsed from, and its length.  Lent.  */
const char *cs_policy_text (const struct cs_policy *policy, size_t *len);

/* From now on LIBRARY is one of the `extensions`.  0 or -ENOMEM.  */
int cs_policy_add_extension (struct cs_policy *policy, const char *library);

/* The questions.  They mark the deciding rule as used.  */
enum cs_policy_role cs_policy_role (struct cs_policy *policy,
                                    const char *library);

/* Is SYMBOL of LIBRARY interned?  Then *LINE (if not NULL) is the line of
   the rule that says so.  LIBRARY may be "" when it is not known (an
   unversioned import): then it matches `rebound` and patterns that match any
   name ("*") only.  */
bool cs_policy_interns (struct cs_policy *policy, const char *library,
                        const char *symbol, enum cs_symbol_kind kind,
                        unsigned *line);

/* The NAME of the last matching `replace` rule for references to SYMBOL that
   are made *by* LIBRARY; NULL if there is none.  Lent.  */
const char *cs_policy_replacement (struct cs_policy *policy,
                                   const char *library, const char *symbol);

/* What the last matching `files` rule says of the file PATH;
   CS_POLICY_FILES_NONE if there is none.  */
enum cs_policy_files cs_policy_files_rule (const struct cs_policy *policy,
                                      const char *path);

/* The word for a rule, "" for CS_POLICY_FILES_NONE or another number
   (static), and back: CS_POLICY_FILES_NONE if it is none of the words.  */
const char *cs_policy_files_word (enum cs_policy_files rule);
enum cs_policy_files cs_policy_files_parse (const char *word, size_t len);

/* Every `replace` rule in order: calls VISIT with its NAME and place
   ("file:line:column"), so that the caller can check the names.  */
void cs_policy_each_replacement (const struct cs_policy *policy,
                                 void (*visit) (void *closure,
                                                const char *name,
                                                const char *place),
                                 void *closure);

/* Report "file:line:column: rule 'TEXT' matches nothing" for every rule that
   no question was decided or considered by since parsing: its library
   pattern never matched a library asked for, or its symbol pattern never
   matched a symbol asked for; in rules that were, the same for each single
   pattern of a list ("pattern 'TEXT' matches nothing").  Rules marked
   `optional` are left out, `files` rules, which speak of run time, and what
   waits for `extensions`.  Returns the number of reports.  */
size_t cs_policy_unused (const struct cs_policy *policy,
                         cs_policy_report *report, void *closure);

/* The text of policy/guile-3.0.pol, built in.  */
extern const char cs_policy_builtin[];
extern const size_t cs_policy_builtin_len;

#endif
