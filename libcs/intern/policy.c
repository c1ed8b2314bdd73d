/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* policy.c -- the questions a policy answers.

   Every question walks all rules in order and keeps the last that matches,
   so that each rule that could have decided is marked as used even if a
   later one did.  Patterns are marked one by one, so that a misspelt name in
   a list is found although its neighbours match.  */

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intern/policy-private.h"

#define BUILTIN_NAME "<built-in>/guile-3.0.pol"

/* More than any policy needs; keeps a mistaken file name from filling the
   memory.  */
#define POLICY_LEN_MAX (16 << 20)

static void
free_patterns (struct policy_patterns *list)
{
  size_t i;

  for (i = 0; i < list->nr; i++)
    free (list->items[i].text);
  free (list->items);
}

void
cs_policy_free (struct cs_policy *policy)
{
  size_t i;

  if (!policy)
    return;
  for (i = 0; i < policy->nr_rules; i++)
    {
      free_patterns (&policy->rules[i].symbols);
      free_patterns (&policy->rules[i].libraries);
      free (policy->rules[i].replacement);
      free (policy->rules[i].place);
    }
  for (i = 0; i < policy->nr_extensions; i++)
    free (policy->extensions[i]);
  free (policy->extensions);
  free (policy->rules);
  free (policy->text);
  free (policy->file);
  free (policy);
}

/* An empty policy with its own copies of FILE and TEXT, or NULL.  */
static struct cs_policy *
new_policy (const char *file, const char *text, size_t len)
{
  struct cs_policy *policy = calloc (1, sizeof *policy);

  if (!policy)
    return NULL;
  policy->file = strdup (file);
  policy->text = malloc (len + 1);
  if (!policy->file || !policy->text)
    {
      cs_policy_free (policy);
      return NULL;
    }
  memcpy (policy->text, text, len);
  policy->text[len] = '\0';
  policy->len = len;
  return policy;
}

int
cs_policy_parse (const char *file, const char *text, size_t len,
                 cs_policy_report *report, void *closure,
                 struct cs_policy **policy, struct cs_err *err)
{
  struct policy_errors errors
    = { .file = file, .report = report, .closure = closure };
  struct cs_policy *new = new_policy (file, text, len);
  int r = new ? cs_policy_parse_rules (new, &errors) : -ENOMEM;

  *policy = NULL;
  if (r < 0)
    r = cs_err_sys (err, -r, "cannot parse policy '%.200s'", file);
  else if (errors.nr == 1)
    r = cs_err_set (err, CS_E_MISUSE, "%s", errors.first);
  else if (errors.nr)
    r = cs_err_set (err, CS_E_MISUSE,
                    "policy '%.200s' has %zu errors, the first is %s", file,
                    errors.nr, errors.first);
  else
    {
      *policy = new;
      return 0;
    }
  cs_policy_free (new);
  return r;
}

/* Read all of descriptor FD into *TEXT (given).  */
static int
read_all (int fd, char **text, size_t *len)
{
  size_t room = 0;

  *text = NULL;
  *len = 0;
  for (;;)
    {
      ssize_t got;

      if (*len == room)
        {
          char *bigger;

          if (room >= POLICY_LEN_MAX)
            return -EFBIG;
          room = room ? 2 * room : 16384;
          bigger = realloc (*text, room);
          if (!bigger)
            return -ENOMEM;
          *text = bigger;
        }
      got = read (fd, *text + *len, room - *len);
      if (got == 0)
        return 0;
      if (got < 0 && errno != EINTR)
        return -errno;
      if (got > 0)
        *len += got;
    }
}

int
cs_policy_load (const char *file, cs_policy_report *report, void *closure,
                struct cs_policy **policy, struct cs_err *err)
{
  char *text = NULL;
  size_t len;
  int fd, r;

  *policy = NULL;
  if (!file)
    return cs_policy_parse (BUILTIN_NAME, cs_policy_builtin,
                            cs_policy_builtin_len, report, closure, policy,
                            err);
  fd = open (file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return cs_err_sys (err, errno, "cannot open policy '%.400s'", file);
  r = read_all (fd, &text, &len);
  if (r < 0)
    cs_err_sys (err, -r, "cannot read policy '%.400s'", file);
  else
    r = cs_policy_parse (file, text, len, report, closure, policy, err);
  free (text);
  close (fd);
  return r;
}

const char *
cs_policy_text (const struct cs_policy *policy, size_t *len)
{
  *len = policy->len;
  return policy->text;
}

/* Matching.  */

static bool
is_extension (const struct cs_policy *policy, const char *library)
{
  size_t i;

  for (i = 0; i < policy->nr_extensions; i++)
    if (strcmp (policy->extensions[i], library) == 0)
      return true;
  return false;
}

int
cs_policy_add_extension (struct cs_policy *policy, const char *library)
{
  char **items, *name;

  if (is_extension (policy, library))
    return 0;
  items = realloc (policy->extensions,
                   (policy->nr_extensions + 1) * sizeof *items);
  if (items)
    policy->extensions = items;
  name = items ? strdup (library) : NULL;
  if (!name)
    return -ENOMEM;
  items[policy->nr_extensions++] = name;
  return 0;
}

/* A library that is asked about.  */
struct subject
{
  const char *name;
  enum cs_policy_role role;
  bool is_extension;
};

static bool
matches (const struct policy_pattern *pattern, const struct subject *library)
{
  switch (pattern->word)
    {
    case WORD_PERSISTENT:
      return library->role == CS_POLICY_PERSIST;
    case WORD_REBOUND:
      return library->role != CS_POLICY_PERSIST;
    case WORD_EXTENSIONS:
      return library->is_extension;
    default:
      return fnmatch (pattern->text, library->name, 0) == 0;
    }
}

/* Does one of LIST match LIBRARY?  Marks every one that does.  */
static bool
match_libraries (struct policy_patterns *list, const struct subject *library)
{
  bool found = false;
  size_t i;

  for (i = 0; i < list->nr; i++)
    if (matches (&list->items[i], library))
      found = list->items[i].used = true;
  return found;
}

static bool
match_symbol (struct policy_patterns *list, const char *symbol)
{
  return match_libraries (list, &(struct subject) { .name = symbol });
}

/* The role that RULE gives; false if it is about something else.  */
static bool
gives_role (const struct policy_rule *rule, enum cs_policy_role *role)
{
  if (rule->verb == VERB_PERSIST)
    *role = CS_POLICY_PERSIST;
  else if (rule->verb == VERB_RESTART)
    *role = CS_POLICY_RESTART;
  else if (rule->verb == VERB_REBIND)
    *role = CS_POLICY_REBIND;
  else
    return false;
  return true;
}

enum cs_policy_role
cs_policy_role (struct cs_policy *policy, const char *library)
{
  const struct subject subject
    = { .name = library, .is_extension = is_extension (policy, library) };
  enum cs_policy_role role = CS_POLICY_REBIND, given;
  size_t i;

  if (!*library)
    return CS_POLICY_REBIND;
  for (i = 0; i < policy->nr_rules; i++)
    {
      struct policy_rule *rule = &policy->rules[i];

      if (!gives_role (rule, &given)
          || !match_libraries (&rule->libraries, &subject))
        continue;
      rule->used = true;
      role = given;
    }
  return role;
}

static struct subject
describe (struct cs_policy *policy, const char *library)
{
  return (struct subject) {
    .name = library, .role = cs_policy_role (policy, library),
    .is_extension = is_extension (policy, library)
  };
}

/* Does RULE, which has symbol patterns, speak of SYMBOL in LIBRARY?  */
static bool
rule_matches (struct policy_rule *rule, const struct subject *library,
              const char *symbol)
{
  if (rule->libraries.nr && !match_libraries (&rule->libraries, library))
    return false;
  if (!match_symbol (&rule->symbols, symbol))
    return false;
  rule->used = true;
  return true;
}

static bool
kind_matches (enum policy_kind kind, enum cs_symbol_kind symbol_kind)
{
  return kind == KIND_ANY
    || (kind == KIND_FUNCTION && symbol_kind == CS_SYMBOL_FUNCTION)
    || (kind == KIND_DATA && symbol_kind == CS_SYMBOL_DATA);
}

bool
cs_policy_interns (struct cs_policy *policy, const char *library,
                   const char *symbol, enum cs_symbol_kind kind,
                   unsigned *line)
{
  const struct subject subject = describe (policy, library);
  struct policy_rule *decides = NULL;
  size_t i;

  for (i = 0; i < policy->nr_rules; i++)
    {
      struct policy_rule *rule = &policy->rules[i];

      if ((rule->verb == VERB_INTERN || rule->verb == VERB_SKIP)
          && kind_matches (rule->kind, kind)
          && rule_matches (rule, &subject, symbol))
        decides = rule;
    }
  if (!decides || decides->verb == VERB_SKIP)
    return false;
  if (line)
    *line = decides->line;
  return true;
}

const char *
cs_policy_replacement (struct cs_policy *policy, const char *library,
                       const char *symbol)
{
  const struct subject subject = describe (policy, library);
  const char *name = NULL;
  size_t i;

  for (i = 0; i < policy->nr_rules; i++)
    {
      struct policy_rule *rule = &policy->rules[i];

      if (rule->verb == VERB_REPLACE
          && rule_matches (rule, &subject, symbol))
        name = rule->replacement;
    }
  return name;
}

enum cs_policy_files
cs_policy_files_rule (const struct cs_policy *policy, const char *path)
{
  enum cs_policy_files found = CS_POLICY_FILES_NONE;

  for (size_t i = 0; i < policy->nr_rules; i++)
    {
      struct policy_rule *rule = &policy->rules[i];

      if (rule->verb == VERB_FILES
          && match_symbol (&rule->symbols, path))
        found = rule->files;
    }
  return found;
}

void
cs_policy_each_replacement (const struct cs_policy *policy,
                            void (*visit) (void *closure, const char *name,
                                           const char *place),
                            void *closure)
{
  size_t i;

  for (i = 0; i < policy->nr_rules; i++)
    if (policy->rules[i].verb == VERB_REPLACE)
      visit (closure, policy->rules[i].replacement, policy->rules[i].place);
}

/* What was never used.  */

static void
report_unused_rule (const struct cs_policy *policy,
                    const struct policy_rule *rule,
                    struct policy_errors *warnings)
{
  size_t len = rule->text_len < 200 ? rule->text_len : 200;

  cs_policy_complain (warnings, rule->line, rule->column,
                      "rule '%.*s%s' matches nothing", (int) len,
                      policy->text + rule->text_off,
                      len < rule->text_len ? "..." : "");
}

/* Extensions come later.  */
static bool
is_waiting (const struct policy_pattern *pattern)
{
  return !pattern->used && pattern->word == WORD_EXTENSIONS;
}

static void
report_unused_patterns (const struct policy_rule *rule,
                        const struct policy_patterns *list,
                        struct policy_errors *warnings)
{
  size_t i;

  for (i = 0; i < list->nr; i++)
    if (!list->items[i].used && !is_waiting (&list->items[i]))
      cs_policy_complain (warnings, rule->line, list->items[i].column,
                          "pattern '%.200s' matches nothing",
                          list->items[i].text);
}

static bool
waits_for_extensions (const struct policy_rule *rule)
{
  size_t i;

  for (i = 0; i < rule->libraries.nr; i++)
    if (is_waiting (&rule->libraries.items[i]))
      return true;
  return false;
}

size_t
cs_policy_unused (const struct cs_policy *policy, cs_policy_report *report,
                  void *closure)
{
  struct policy_errors warnings
    = { .file = policy->file, .report = report, .closure = closure };
  size_t i;

  for (i = 0; i < policy->nr_rules; i++)
    {
      const struct policy_rule *rule = &policy->rules[i];

      if (rule->optional || rule->verb == VERB_FILES
          || (!rule->used && waits_for_extensions (rule)))
        continue;
      if (!rule->used)
        report_unused_rule (policy, rule, &warnings);
      else
        {
          report_unused_patterns (rule, &rule->symbols, &warnings);
          report_unused_patterns (rule, &rule->libraries, &warnings);
        }
    }
  return warnings.nr;
}
