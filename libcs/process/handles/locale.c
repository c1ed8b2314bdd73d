/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* locale.c -- locale objects that can be kept in a heap.

   libguile keeps a locale_t in each locale object of (ice-9 i18n) (3.0.8,
   libguile/i18n.c).  What it gets from here is a block in the store with the
   name of the locale for each category; libc's object is made when it is
   first used in each process.  A locale that is not installed today behaves
   as "C".  */

#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "process/private.h"

#define CATEGORIES 13           /* LC_CTYPE .. LC_IDENTIFICATION */
#define NAME_MAX_LEN 64

struct handle
{
  uint64_t epoch;               /* in which TODAY was made */
  locale_t today;
  char names[CATEGORIES][NAME_MAX_LEN];
};

/* The two special values that are not objects.  */
static bool
is_special (locale_t locale)
{
  return locale == (locale_t) 0 || locale == LC_GLOBAL_LOCALE;
}

static locale_t
make (const struct handle *handle)
{
  locale_t locale = newlocale (LC_ALL_MASK, "C", (locale_t) 0);
  locale_t next;

  for (int i = 0; locale && i < CATEGORIES; i++)
    {
      if (i == LC_ALL || !handle->names[i][0])
        continue;
      next = newlocale (1 << i, handle->names[i], locale);
      if (next)
        locale = next;
    }
  return locale;
}

/* libc's object for LOCALE in this process.  */
static locale_t
real (locale_t locale)
{
  struct handle *handle = (struct handle *) locale;

  if (is_special (locale))
    return locale;
  if (handle->epoch != cs_process.image->epoch)
    {
      handle->today = make (handle);
      handle->epoch = cs_process.image->epoch;
    }
  return handle->today;
}

/* Keep what libc's object says that its categories are: the name it was made
   with may be "", or list several.  A name without room counts as "C".  */
static void
set_names (struct handle *handle, int mask)
{
  const char *name;

  for (int i = 0; i < CATEGORIES; i++)
    if (i != LC_ALL && (mask & (1 << i)))
      {
        name = nl_langinfo_l (NL_LOCALE_NAME (i), handle->today);
        memset (handle->names[i], 0, NAME_MAX_LEN);
        if (strlen (name) < NAME_MAX_LEN)
          strcpy (handle->names[i], name);
      }
}

static struct handle *
wrap (locale_t today)
{
  struct handle *handle = cs_memory_calloc (1, sizeof *handle);

  if (!handle)
    {
      freelocale (today);
      return NULL;
    }
  handle->epoch = cs_process.image->epoch;
  handle->today = today;
  return handle;
}

locale_t
cs_locale_new (int mask, const char *name, locale_t base)
{
  struct handle *old = is_special (base) ? NULL : (struct handle *) base;
  struct handle *handle;
  locale_t today = newlocale (mask, name, old ? real (base) : base);

  if (!today)
    return (locale_t) 0;
  if (old)
    old->today = today;
  handle = old ? old : wrap (today);
  if (handle)
    set_names (handle, mask);
  return (locale_t) handle;
}

locale_t
cs_locale_dup (locale_t locale)
{
  locale_t today = duplocale (real (locale));
  struct handle *copy = today ? wrap (today) : NULL;

  /* A locale that is not installed today keeps its name.  */
  if (copy && !is_special (locale))
    memcpy (copy->names, ((struct handle *) locale)->names,
            sizeof copy->names);
  else if (copy)
    set_names (copy, LC_ALL_MASK);
  return (locale_t) copy;
}

void
cs_locale_free (locale_t locale)
{
  struct handle *handle = (struct handle *) locale;

  if (is_special (locale))
    return;
  if (handle->epoch == cs_process.image->epoch)
    freelocale (handle->today);
  cs_memory_free (handle);
}

/* uselocale() returns the previous locale, which its caller puts back: a
   thread-local cell keeps the handle that stands for it.  */
locale_t
cs_locale_use (locale_t locale)
{
  static __thread locale_t current = LC_GLOBAL_LOCALE;
  locale_t previous = current;

  if (locale != (locale_t) 0)
    {
      if (!uselocale (real (locale)))
        return (locale_t) 0;
      current = locale;
    }
  return previous;
}

char *
cs_locale_nl_langinfo (int item, locale_t locale)
{
  return nl_langinfo_l (item, real (locale));
}

double
cs_locale_strtod (const char *text, char **end, locale_t locale)
{
  return strtod_l (text, end, real (locale));
}

long
cs_locale_strtol (const char *text, char **end, int base, locale_t locale)
{
  return strtol_l (text, end, base, real (locale));
}
