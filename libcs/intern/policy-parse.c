/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* policy-parse.c -- from the text of a policy to its rules.

   A line is cut into words, then read as one rule.  An error ends its line
   but never the parse, so that one run shows all of them; only a version
   this release does not know ends it, because nothing after it can be
   judged.  Memory that runs out is remembered in struct parser and reported
   once, at the end.  */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intern/policy-private.h"

#define RULES_KNOWN "policy, persist, restart, rebind, intern, skip, " \
  "replace, files"

struct word
{
  const char *start;            /* in the policy's text */
  size_t len;
  unsigned column;              /* in characters, from 1 */
};

struct words
{
  struct word *items;
  size_t nr, max;
};

struct parser
{
  struct cs_policy *policy;
  struct policy_errors *errors;
  struct words words;           /* of the line being read; reused */
  unsigned line;
  unsigned version_line;        /* of `policy 1`; 0 before it */
  bool headless;                /* `policy 1` was missed and reported */
  bool stop;                    /* nothing after this can be judged */
  bool no_memory;
};

void
cs_policy_complain (struct policy_errors *errors, unsigned line,
                    unsigned column, const char *format, ...)
{
  char buffer[sizeof errors->first];
  va_list ap;
  int len;

  len = snprintf (buffer, sizeof buffer, "%.255s:%u:%u: ", errors->file, line,
                  column);
  va_start (ap, format);
  vsnprintf (buffer + len, sizeof buffer - len, format, ap);
  va_end (ap);
  if (errors->nr++ == 0)
    memcpy (errors->first, buffer, sizeof buffer);
  if (errors->report)
    errors->report (errors->closure, buffer);
}

/* Words.  */

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

/* Does C begin a character?  Columns count characters of UTF-8.  */
static bool
begins_character (char c)
{
  return ((unsigned char) c & 0xc0) != 0x80;
}

static bool
is_control (char c)
{
  return ((unsigned char) c < 0x20 && c != '\t') || c == 0x7f;
}

static void
add_word (struct parser *p, const char *start, const char *end,
          unsigned column)
{
  struct words *w = &p->words;

  if (w->nr == w->max)
    {
      size_t max = w->max ? 2 * w->max : 16;
      struct word *items = realloc (w->items, max * sizeof *items);

      if (!items)
        {
          p->no_memory = true;
          return;
        }
      w->items = items;
      w->max = max;
    }
  w->items[w->nr++] = (struct word) { start, end - start, column };
}

static bool
complain_control (struct parser *p, unsigned column, char c)
{
  if (c)
    cs_policy_complain (p->errors, p->line, column,
                        "control character 0x%02x", (unsigned char) c);
  else
    cs_policy_complain (p->errors, p->line, column,
                        "NUL byte; a policy is a text file");
  return false;
}

/* Cut [AT, END) into words.  Returns false, having complained, if there is
   a byte in front of the comment that no text has.  */
static bool
split_line (struct parser *p, const char *at, const char *end)
{
  unsigned column = 1;

  p->words.nr = 0;
  while (at < end && *at != '#')
    {
      const char *start = at;
      unsigned start_column = column;

      for (; at < end && *at != '#' && !is_blank (*at); at++)
        {
          if (is_control (*at))
            return complain_control (p, column, *at);
          column += begins_character (*at);
        }
      if (at > start)
        add_word (p, start, at, start_column);
      for (; at < end && is_blank (*at); at++)
        column++;
    }
  return true;
}

static bool
word_is (const struct word *word, const char *text)
{
  return word->len == strlen (text) && !memcmp (word->start, text, word->len);
}

/* A word for messages: "%.*s" with its length kept sensible.  */
#define WORD_ARGS(w) (int) ((w)->len < 100 ? (w)->len : 100), (w)->start

static char *
copy_word (struct parser *p, const struct word *word)
{
  char *text = strndup (word->start, word->len);

  if (!text)
    p->no_memory = true;
  return text;
}

/* Patterns.  */

/* The end of the bracket expression whose '[' is at AT, or NULL.  */
static const char *
skip_bracket (const char *at)
{
  at++;
  if (*at == '!' || *at == '^')
    at++;
  if (*at == ']')
    at++;
  for (; *at && *at != ']'; at++)
    if (*at == '\\' && at[1])
      at++;
    else if (*at == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '='))
      {
        char closing[3] = { at[1], ']', '\0' };
        const char *end = strstr (at + 2, closing);

        if (!end)
          return NULL;
        at = end + 1;
      }
  return *at ? at : NULL;
}


const char *
cs_policy_pattern_fault (const char *text)
{
  for (; *text; text++)
    if (*text == '\\')
      {
        if (!*++text)
          return "'\\' at the end";
      }
    else if (*text == '[' && !(text = skip_bracket (text)))
      return "'[' without ']'";
  return NULL;
}

static bool
add_pattern (struct parser *p, struct policy_patterns *list,
             const struct word *word)
{
  size_t len = (list->nr + 1) * sizeof *list->items;
  struct policy_pattern *items = realloc (list->items, len);
  const char *fault;
  char *text;

  if (items)
    list->items = items;
  text = items ? copy_word (p, word) : NULL;
  if (!text)
    {
      p->no_memory = true;
      return false;
    }
  list->items[list->nr++]
    = (struct policy_pattern) { .text = text, .column = word->column };
  fault = cs_policy_pattern_fault (text);
  if (fault)
    cs_policy_complain (p->errors, p->line, word->column,
                        "pattern '%.100s': %s", text, fault);
  return !fault;
}

/* A rule's words are read from number *I on; each reader leaves *I at the
   first word that is not its own.  */

static const struct word *
word_at (const struct parser *p, size_t i)
{
  return i < p->words.nr ? &p->words.items[i] : NULL;
}

static bool
at_word (const struct parser *p, size_t i, const char *text)
{
  const struct word *word = word_at (p, i);

  return word && word_is (word, text);
}

/* What WORD stands for where a library is expected.  */
static enum policy_word
library_word (const struct word *word)
{
  if (word_is (word, "persistent"))
    return WORD_PERSISTENT;
  if (word_is (word, "rebound"))
    return WORD_REBOUND;
  return word_is (word, "extensions") ? WORD_EXTENSIONS : WORD_NONE;
}

/* One pattern or more for symbols or, in rules of roles, libraries, up to
   the word `in`.  */
static bool
read_patterns (struct parser *p, size_t *i, struct policy_patterns *list,
               const char *what)
{
  const struct word *keyword = word_at (p, *i - 1);
  size_t before = *i;

  for (; *i < p->words.nr && !at_word (p, *i, "in"); ++*i)
    if (!add_pattern (p, list, word_at (p, *i)))
      return false;
  if (*i == before)
    cs_policy_complain (p->errors, p->line, keyword->column,
                        "%s pattern expected after '%.*s'", what,
                        WORD_ARGS (keyword));
  return *i > before;
}

/* `in LIBRARY...` at the end of a rule, or nothing.  */
static bool
read_in (struct parser *p, size_t *i, struct policy_patterns *list)
{
  const struct word *in = word_at (p, *i);

  if (!in)
    return true;
  for (++*i; *i < p->words.nr; ++*i)
    {
      const struct word *word = word_at (p, *i);

      if (word_is (word, "in"))
        {
          cs_policy_complain (p->errors, p->line, word->column,
                              "a second 'in' in one rule");
          return false;
        }
      if (!add_pattern (p, list, word))
        return false;
      list->items[list->nr - 1].word = library_word (word);
    }
  if (list->nr == 0)
    cs_policy_complain (p->errors, p->line, in->column,
                        "library pattern expected after 'in'");
  return list->nr > 0;
}

static bool
names_role (const struct word *word)
{
  enum policy_word meaning = library_word (word);

  return meaning == WORD_PERSISTENT || meaning == WORD_REBOUND;
}

/* persist LIBRARY..., restart LIBRARY..., rebind LIBRARY...  */
static bool
read_role (struct parser *p, size_t i, struct policy_rule *rule)
{
  const struct word *verb = word_at (p, i - 1);
  size_t k;

  for (k = i; k < p->words.nr; k++)
    {
      const struct word *word = word_at (p, k);

      if (word_is (word, "in"))
        cs_policy_complain (p->errors, p->line, word->column,
                            "'in' has no meaning after '%.*s'",
                            WORD_ARGS (verb));
      else if (names_role (word))
        cs_policy_complain (p->errors, p->line, word->column,
                            "'%.*s' names a role and may only stand after "
                            "'in'", WORD_ARGS (word));
      else
        continue;
      return false;
    }
  if (!read_patterns (p, &i, &rule->libraries, "library"))
    return false;
  for (k = 0; k < rule->libraries.nr; k++)
    rule->libraries.items[k].word
      = library_word (word_at (p, i - rule->libraries.nr + k));
  return true;
}

static bool
parse_kind (const struct word *word, enum policy_kind *kind)
{
  static const char *const names[]
    = { [KIND_FUNCTION] = "function", [KIND_DATA] = "data",
        [KIND_ANY] = "any" };
  unsigned i;

  for (i = 0; i < sizeof names / sizeof *names; i++)
    if (word_is (word, names[i]))
      {
        *kind = i;
        return true;
      }
  return false;
}

/* intern|skip KIND SYMBOL... [in LIBRARY...]  */
static bool
read_selection (struct parser *p, size_t i, struct policy_rule *rule)
{
  const struct word *verb = word_at (p, i - 1);
  const struct word *word = word_at (p, i);
  enum policy_kind second;

  if (!word || !parse_kind (word, &rule->kind))
    {
      if (!word)
        cs_policy_complain (p->errors, p->line, verb->column,
                            "'%.*s' needs a kind: function, data or any",
                            WORD_ARGS (verb));
      else
        cs_policy_complain (p->errors, p->line, word->column,
                            "unknown kind '%.*s'; kinds are function, data, "
                            "any", WORD_ARGS (word));
      return false;
    }
  word = word_at (p, ++i);
  if (word && parse_kind (word, &second))
    {
      cs_policy_complain (p->errors, p->line, word->column,
                          "a second kind '%.*s' in one rule; a symbol of that "
                          "name is written '[%c]%.*s'", WORD_ARGS (word),
                          *word->start, (int) word->len - 1, word->start + 1);
      return false;
    }
  return read_patterns (p, &i, &rule->symbols, "symbol")
    && read_in (p, &i, &rule->libraries);
}

/* NAMESPACE:NAME of letters, digits and '_'.  */
static bool
is_replacement (const struct word *word)
{
  const char *colon = memchr (word->start, ':', word->len);
  size_t i;

  if (!colon || colon == word->start
      || colon == word->start + word->len - 1)
    return false;
  for (i = 0; i < word->len; i++)
    if (word->start + i != colon
        && !strchr ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    "0123456789_", word->start[i]))
      return false;
  return true;
}

static bool
read_replacement (struct parser *p, const struct word *word,
                  struct policy_rule *rule)
{
  if (!is_replacement (word))
    {
      cs_policy_complain (p->errors, p->line, word->column,
                          "replacement '%.*s' is not of the form "
                          "NAMESPACE:NAME, as in store:malloc",
                          WORD_ARGS (word));
      return false;
    }
  rule->replacement = copy_word (p, word);
  if (asprintf (&rule->place, "%s:%u:%u", p->policy->file, p->line,
                word->column) < 0)
    {
      rule->place = NULL;
      p->no_memory = true;
    }
  return !p->no_memory;
}

/* Complain that WORD (NULL: nothing) stands where TEXT has to.  */
static bool
complain_expected (struct parser *p, const char *text,
                   const struct word *before, const struct word *word)
{
  if (word)
    cs_policy_complain (p->errors, p->line, word->column,
                        "%s expected after '%.*s', not '%.*s'", text,
                        WORD_ARGS (before), WORD_ARGS (word));
  else
    cs_policy_complain (p->errors, p->line, before->column,
                        "%s expected after '%.*s'", text, WORD_ARGS (before));
  return false;
}

/* replace SYMBOL with NAME [in LIBRARY...]  */
static bool
read_replace (struct parser *p, size_t i, struct policy_rule *rule)
{
  const struct word *symbol = word_at (p, i);
  const struct word *name = word_at (p, i + 2);

  if (!symbol || word_is (symbol, "with") || word_is (symbol, "in"))
    return complain_expected (p, "symbol pattern", word_at (p, i - 1),
                              symbol);
  if (!add_pattern (p, &rule->symbols, symbol))
    return false;
  if (!at_word (p, i + 1, "with"))
    return complain_expected (p, "'with'", symbol, word_at (p, i + 1));
  if (!name)
    return complain_expected (p, "replacement", word_at (p, i + 1), NULL);
  if (!read_replacement (p, name, rule))
    return false;
  i += 3;
  if (i < p->words.nr && !at_word (p, i, "in"))
    return complain_expected (p, "'in' or the end of the line", name,
                              word_at (p, i));
  return read_in (p, &i, &rule->libraries);
}

static const char *const files_words[] = {
  [CS_POLICY_FILES_NONE] = "", [CS_POLICY_FILES_REOPEN] = "reopen",
  [CS_POLICY_FILES_REOPEN_AT_END] = "reopen-at-end",
  [CS_POLICY_FILES_CLOSE] = "close", [CS_POLICY_FILES_FAIL] = "fail"
};

#define NR_FILES_WORDS (sizeof files_words / sizeof *files_words)

const char *
cs_policy_files_word (enum cs_policy_files rule)
{
  return files_words[rule < NR_FILES_WORDS ? rule : CS_POLICY_FILES_NONE];
}

enum cs_policy_files
cs_policy_files_parse (const char *word, size_t len)
{
  for (size_t i = 1; i < NR_FILES_WORDS; i++)
    if (strlen (files_words[i]) == len
        && memcmp (files_words[i], word, len) == 0)
      return i;
  return CS_POLICY_FILES_NONE;
}

/* files RULE PATH...  */
static bool
read_files (struct parser *p, size_t i, struct policy_rule *rule)
{
  const struct word *verb = word_at (p, i - 1);
  const struct word *word = word_at (p, i);

  rule->files = word ? cs_policy_files_parse (word->start, word->len)
                     : CS_POLICY_FILES_NONE;
  if (rule->files == CS_POLICY_FILES_NONE)
    return complain_expected (p, "'reopen', 'reopen-at-end', 'close' or "
                              "'fail'", verb, word);
  for (i++; i < p->words.nr; i++)
    if (!add_pattern (p, &rule->symbols, word_at (p, i)))
      return false;
  return rule->symbols.nr > 0
         || complain_expected (p, "path pattern", word, NULL);
}

/* policy 1  */
static void
read_version (struct parser *p)
{
  const struct word *word = word_at (p, 0);
  const struct word *version = word_at (p, 1);

  if (p->version_line)
    cs_policy_complain (p->errors, p->line, word->column,
                        "a second 'policy' rule; the first is in line %u",
                        p->version_line);
  else if (p->headless)
    cs_policy_complain (p->errors, p->line, word->column,
                        "'policy' must be the first rule");
  else if (!version)
    cs_policy_complain (p->errors, p->line, word->column,
                        "'policy' needs a version: policy 1");
  else if (!word_is (version, "1"))
    {
      cs_policy_complain (p->errors, p->line, version->column,
                          "policy version '%.*s' is not supported; this "
                          "release knows version 1", WORD_ARGS (version));
      p->stop = true;
    }
  else if (p->words.nr > 2)
    cs_policy_complain (p->errors, p->line, p->words.items[2].column,
                        "'%.*s' after the version",
                        WORD_ARGS (&p->words.items[2]));
  if (!p->version_line)
    p->version_line = p->line;
}

static const struct verb
{
  const char *name;
  enum policy_verb verb;
  bool (*read) (struct parser *p, size_t i, struct policy_rule *rule);
} verbs[] =
{
  { "persist", VERB_PERSIST, read_role },
  { "restart", VERB_RESTART, read_role },
  { "rebind", VERB_REBIND, read_role },
  { "intern", VERB_INTERN, read_selection },
  { "skip", VERB_SKIP, read_selection },
  { "replace", VERB_REPLACE, read_replace },
  { "files", VERB_FILES, read_files },
};

static const struct verb *
find_verb (const struct word *word)
{
  size_t i;

  for (i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (word_is (word, verbs[i].name))
      return &verbs[i];
  return NULL;
}

/* A new empty rule at the end of the policy for the words of this line.  */
static struct policy_rule *
add_rule (struct parser *p)
{
  struct cs_policy *policy = p->policy;
  const struct word *first = word_at (p, 0);
  const struct word *last = word_at (p, p->words.nr - 1);
  struct policy_rule *rules
    = realloc (policy->rules, (policy->nr_rules + 1) * sizeof *rules);

  if (!rules)
    {
      p->no_memory = true;
      return NULL;
    }
  policy->rules = rules;
  rules += policy->nr_rules++;
  memset (rules, 0, sizeof *rules);
  rules->line = p->line;
  rules->column = first->column;
  rules->text_off = first->start - policy->text;
  rules->text_len = last->start + last->len - first->start;
  return rules;
}

static void
complain_unknown (struct parser *p, const struct word *word)
{
  cs_policy_complain (p->errors, p->line, word->column,
                      "unknown rule '%.*s'; rules are " RULES_KNOWN,
                      WORD_ARGS (word));
}

/* A line with words in it.  */
static void
read_rule (struct parser *p)
{
  bool optional = at_word (p, 0, "optional");
  const struct word *word = word_at (p, optional);
  const struct verb *verb;
  struct policy_rule *rule;

  if (at_word (p, 0, "policy"))
    {
      read_version (p);
      return;
    }
  if (!p->version_line && !p->headless)
    {
      p->headless = true;
      cs_policy_complain (p->errors, p->line, word_at (p, 0)->column,
                          "the first rule must be 'policy 1'");
    }
  verb = word ? find_verb (word) : NULL;
  if (!word)
    cs_policy_complain (p->errors, p->line, word_at (p, 0)->column,
                        "rule expected after 'optional'");
  else if (!verb)
    complain_unknown (p, word);
  else if ((rule = add_rule (p)))
    {
      rule->verb = verb->verb;
      rule->optional = optional;
      verb->read (p, optional + 1, rule);
    }
}

/* The end of the line that starts at AT: its '\n' or END.  */
static const char *
line_end (const char *at, const char *end)
{
  const char *newline = memchr (at, '\n', end - at);

  return newline ? newline : end;
}

int
cs_policy_parse_rules (struct cs_policy *policy, struct policy_errors *errors)
{
  struct parser p = { .policy = policy, .errors = errors };
  const char *end = policy->text + policy->len;
  const char *at, *stop;

  for (at = policy->text; at < end && !p.stop && !p.no_memory; at = stop + 1)
    {
      const char *text_end = stop = line_end (at, end);

      p.line++;
      if (text_end > at && text_end[-1] == '\r')
        text_end--;
      if (split_line (&p, at, text_end) && p.words.nr)
        read_rule (&p);
    }
  if (!p.version_line && !p.headless && !p.no_memory)
    cs_policy_complain (errors, p.line ? p.line : 1, 1,
                        "no rules; the first must be 'policy 1'");
  free (p.words.items);
  return p.no_memory ? -ENOMEM : 0;
}
