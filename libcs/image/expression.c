/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* expression.c -- an object named by a binding and a way from there.  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libguile.h>

#include "image/expression.h"

#define WORD_LEN 512
#define LIST_LEN_MAX 100000000

/* Take the next word off *TEXT; a list in parentheses is one.  False at the
   end, or if it is too long.  */
static bool
next_word (const char **text, char word[WORD_LEN])
{
  const char *start = *text + strspn (*text, " \t\n");
  size_t len = start[0] == '(' ? strcspn (start, ")") + 1
               : strcspn (start, " \t\n");

  if (start[0] == '(' && start[len - 1] != ')')
    len--;
  if (len == 0 || len >= WORD_LEN)
    return false;
  memcpy (word, start, len);
  word[len] = '\0';
  *text = start + len;
  return true;
}

static int
find_binding (const struct cs_graph *g, const char *module, const char *name,
              uint64_t *value, struct cs_err *err)
{
  for (size_t m = 0; m < g->modules.nr; m++)
    if (strcmp (g->modules.items[m].name, module) == 0)
      {
        for (size_t i = 0; i < g->bindings[m].nr; i++)
          if (strcmp (g->bindings[m].items[i].name, name) == 0)
            {
              *value = g->bindings[m].items[i].value;
              return 0;
            }
        return cs_err_set (err, CS_E_REFUSED, "module %.200s defines no "
                           "'%.200s'", module, name);
      }
  return cs_err_set (err, CS_E_REFUSED, "there is no module %.200s", module);
}

static int
start (const struct cs_graph *g, const char **text, uint64_t *value,
       struct cs_err *err)
{
  char word[WORD_LEN], name[WORD_LEN], *end;

  if (!next_word (text, word))
    return cs_err_set (err, CS_E_REFUSED, "the expression is empty or too "
                       "long");
  if (strncmp (word, "0x", 2) == 0)
    {
      *value = strtoull (word, &end, 16);
      return *end == '\0' ? 0 : cs_err_set (err, CS_E_REFUSED, "'%.100s' is "
                                            "no address", word);
    }
  if (word[0] != '(')
    return find_binding (g, "(guile-user)", word, value, err);
  if (!next_word (text, name))
    return cs_err_set (err, CS_E_REFUSED, "a name is expected behind module "
                       "%.200s", word);
  return find_binding (g, word, name, value, err);
}

/* car, cdr, cadr ...: the last letter is done first.  */
static bool
is_pair_word (const char *word)
{
  size_t len = strlen (word);

  return len >= 3 && word[0] == 'c' && word[len - 1] == 'r'
         && strspn (word + 1, "ad") == len - 2;
}

static bool
take_pair (const struct cs_heap *heap, const char *word, uint64_t *value)
{
  uint64_t car, cdr;

  for (size_t i = strlen (word) - 2; i > 0; i--)
    {
      if (!cs_heap_pair (heap, *value, &car, &cdr))
        return false;
      *value = word[i] == 'a' ? car : cdr;
    }
  return true;
}

static bool
take_element (const struct cs_heap *heap, uint64_t n, uint64_t *value)
{
  uint64_t car = *value, cdr = *value;

  if (cs_heap_kind (heap, *value) != CS_VALUE_PAIR)
    return cs_heap_vector_get (heap, *value, n, value)
           || cs_heap_slot (heap, *value, n, value);
  for (uint64_t i = 0; i <= n && i < LIST_LEN_MAX; i++)
    if (!cs_heap_pair (heap, cdr, &car, &cdr))
      return false;
  *value = car;
  return n < LIST_LEN_MAX;
}

/* Is ITEM the symbol NAME, or a list such as (mutable NAME)?  */
static bool
is_named (const struct cs_heap *heap, uint64_t item, const char *name)
{
  char text[WORD_LEN];
  uint64_t car, cdr;

  if (cs_heap_pair (heap, item, &car, &cdr)
      && cs_heap_pair (heap, cdr, &car, &cdr))
    item = car;
  return cs_heap_kind (heap, item) == CS_VALUE_SYMBOL
         && cs_heap_text (heap, item, text, sizeof text)
         && strcmp (text, name) == 0;
}

/* The number of the field NAME, if SLOT of a record's type lists the fields
   (boot-9.scm, make-record-type).  */
static bool
field_number (const struct cs_heap *heap, uint64_t slot, const char *name,
              uint64_t *number)
{
  uint64_t car, cdr = slot, item;

  for (uint64_t i = 0; i < 1000; i++)
    {
      if (cs_heap_pair (heap, cdr, &car, &cdr))
        item = car;
      else if (!cs_heap_vector_get (heap, slot, i, &item))
        return false;
      if (is_named (heap, item, name))
        {
          *number = i;
          return true;
        }
    }
  return false;
}

static bool
take_field (const struct cs_heap *heap, const char *name, uint64_t *value)
{
  uint64_t vtable, slot, number;

  if (cs_heap_kind (heap, *value) != CS_VALUE_RECORD
      || !cs_heap_word (heap, *value, 0, &vtable))
    return false;
  vtable -= scm_tc3_struct;
  for (uint64_t i = scm_vtable_offset_user;
       cs_heap_slot (heap, vtable, i, &slot); i++)
    if (field_number (heap, slot, name, &number))
      return cs_heap_slot (heap, *value, number, value);
  return false;
}

static bool
take (const struct cs_heap *heap, const char *word, uint64_t *value)
{
  enum cs_value_kind kind = cs_heap_kind (heap, *value);
  uint64_t n;
  char *end;

  if (word[0] == '[')
    {
      n = strtoull (word + 1, &end, 10);
      return end > word + 1 && strcmp (end, "]") == 0
             && take_element (heap, n, value);
    }
  if (kind == CS_VALUE_PAIR && is_pair_word (word))
    return take_pair (heap, word, value);
  if ((kind == CS_VALUE_VARIABLE || kind == CS_VALUE_ATOMIC_BOX)
      && strcmp (word, "value") == 0)
    return cs_heap_word (heap, *value, 1, value);
  return take_field (heap, word, value);
}

int
cs_expression_value (const struct cs_graph *g, const char *text,
                     uint64_t *value, struct cs_err *err)
{
  char word[WORD_LEN];
  uint64_t before;
  int code = start (g, &text, value, err);

  while (code == 0 && next_word (&text, word))
    {
      before = *value;
      if (!take (g->heap, word, value))
        code = cs_err_set (err, CS_E_REFUSED, "%s at 0x%llx has no '%.200s'",
                           cs_value_kind_name (cs_heap_kind (g->heap,
                                                             before)),
                           (unsigned long long) before, word);
    }
  return code;
}
