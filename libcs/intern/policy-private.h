/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* policy-private.h -- what the policy's parser and its questions share.  */
#ifndef CS_POLICY_PRIVATE_H
#define CS_POLICY_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "intern/policy.h"

enum policy_verb
{
  VERB_PERSIST,
  VERB_RESTART,
  VERB_REBIND,
  VERB_INTERN,
  VERB_SKIP,
  VERB_REPLACE,
  VERB_FILES
};

enum policy_kind
{
  KIND_FUNCTION,
  KIND_DATA,
  KIND_ANY
};

/* Words that stand for libraries in the place of a pattern.  */
enum policy_word
{
  WORD_NONE,                    /* a pattern */
  WORD_PERSISTENT,              /* after `in` */
  WORD_REBOUND,                 /* after `in`: those that do not persist */
  WORD_EXTENSIONS
};

struct policy_pattern
{
  char *text;                   /* for fnmatch(), or the word */
  unsigned column;
  enum policy_word word;
  bool used;                    /* matched something that was asked for */
};

struct policy_patterns
{
  struct policy_pattern *items;
  size_t nr;
};

struct policy_rule
{
  enum policy_verb verb;
  enum policy_kind kind;        /* intern, skip */
  bool optional;                /* no warning if it matches nothing */
  bool used;                    /* matched a question as a whole */
  unsigned line;                /* of its first word, from 1 */
  unsigned column;
  size_t text_off;              /* the rule in the policy's text, without */
  size_t text_len;              /* comment and blanks around it */
  struct policy_patterns symbols;       /* intern, skip, replace; paths in
                                           files */
  struct policy_patterns libraries;     /* persist, restart, rebind; else
                                           after `in`, empty without `in` */
  char *replacement;            /* replace */
  char *place;                  /* replace: "file:line:column" of the name */
  enum cs_policy_files files;
};

struct cs_policy
{
  char *file;                   /* name for messages */
  char *text;
  size_t len;
  struct policy_rule *rules;
  size_t nr_rules;
  char **extensions;            /* names of libraries known to be some */
  size_t nr_extensions;
};

/* Where errors go, and how many there were.  */
struct policy_errors
{
  const char *file;
  cs_policy_report *report;
  void *closure;
  size_t nr;
  char first[512];
};

/* Report one error.  */
void cs_policy_complain (struct policy_errors *errors, unsigned line,
                         unsigned column, const char *format, ...)
  __attribute__ ((format (printf, 4, 5)));

/* What is wrong with fnmatch() pattern TEXT, or NULL.  */
const char *cs_policy_pattern_fault (const char *text);

/* Turn POLICY's text into rules.  Returns 0 or -ENOMEM; errors in the text
   are counted in ERRORS.  */
int cs_policy_parse_rules (struct cs_policy *policy,
                           struct policy_errors *errors);

#endif
