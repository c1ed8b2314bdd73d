/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* needed.c -- finding the libraries that a library needs.  */

#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intern/needed.h"

void
cs_elf_list_fini (struct cs_elf_list *list)
{
  size_t i;

  for (i = 0; i < list->nr; i++)
    cs_elf_close (list->items[i]);
  free (list->items);
  *list = (struct cs_elf_list) { NULL, 0 };
}

const struct cs_elf *
cs_elf_list_find (const struct cs_elf_list *list, const char *soname)
{
  size_t i;

  for (i = 0; i < list->nr; i++)
    if (!strcmp (cs_elf_soname (list->items[i]), soname))
      return list->items[i];
  return NULL;
}

/* Append ELF, which is closed if that fails.  */
static int
append (struct cs_elf_list *list, struct cs_elf *elf, struct cs_err *err)
{
  struct cs_elf **items
    = realloc (list->items, (list->nr + 1) * sizeof *items);

  if (!items)
    {
      cs_elf_close (elf);
      return cs_err_sys (err, ENOMEM, "cannot read libraries");
    }
  list->items = items;
  items[list->nr++] = elf;
  return 0;
}

static int
open_named (struct cs_elf_list *list, const char *path, struct cs_err *err)
{
  const struct cs_elf *other;
  struct cs_elf *elf;
  int r = cs_elf_open (path, &elf, err);

  if (r < 0)
    return r;
  other = cs_elf_list_find (list, cs_elf_soname (elf));
  if (other)
    {
      r = cs_err_set (err, CS_E_REFUSED,
                      "'%.250s' and '%.250s' have the same soname '%.100s'",
                      cs_elf_path (other), path, cs_elf_soname (other));
      cs_elf_close (elf);
      return r;
    }
  return append (list, elf, err);
}

/* Looking for one.  */

/* What is looked for, and for whom.  */
struct search
{
  const struct cs_elf *needs;   /* the library that needs it, or NULL */
  const char *soname;
  struct cs_elf *found;         /* NULL until it is */
  struct cs_err err;            /* what was wrong with one that does not fit */
};

/* The folder of the library at PATH (given), "." if it has none.  */
static char *
folder_of (const char *path)
{
  const char *slash = strrchr (path, '/');

  if (!slash)
    return strdup (".");
  return strndup (path, slash == path ? 1 : slash - path);
}

static const struct cs_arch *
arch_of (const struct search *s)
{
  return s->needs ? cs_elf_arch (s->needs) : cs_arch_native ();
}

/* Look in FOLDER (LEN characters).  As ld.so does: one that is damaged ends
   the search, others that do not fit are passed over.  */
static int
look_in (struct search *s, const char *folder, size_t len)
{
  char *path;
  int r = 0;

  if (s->found || len == 0)
    return 0;
  if (asprintf (&path, "%.*s/%s", (int) len, folder, s->soname) < 0)
    return -ENOMEM;
  if (access (path, F_OK) == 0)
    r = cs_elf_open (path, &s->found, &s->err);
  free (path);
  if (r < 0)
    {
      s->found = NULL;
      return r == -CS_E_DAMAGED ? r : 0;
    }
  if (s->found && cs_elf_arch (s->found) != arch_of (s))
    {
      cs_elf_close (s->found);
      s->found = NULL;
    }
  return 0;
}

static int
look_near (struct search *s)
{
  char *folder = folder_of (cs_elf_path (s->needs));
  int r = folder ? look_in (s, folder, strlen (folder)) : -ENOMEM;

  free (folder);
  return r;
}

/* The text of DT_RUNPATH, if ELF still has section headers that lead to it;
   NULL otherwise.  Lent by ELF.  */
static const char *
find_runpath (Elf *elf)
{
  Elf_Scn *scn = NULL;

  while ((scn = elf_nextscn (elf, scn)))
    {
      GElf_Shdr shdr;
      GElf_Dyn dyn;
      Elf_Data *data;
      int i;

      if (!gelf_getshdr (scn, &shdr) || shdr.sh_type != SHT_DYNAMIC)
        continue;
      data = elf_getdata (scn, NULL);
      for (i = 0; data && gelf_getdyn (data, i, &dyn); i++)
        if (dyn.d_tag == DT_RUNPATH)
          return elf_strptr (elf, shdr.sh_link, dyn.d_un.d_val);
    }
  return NULL;
}

/* One entry of a run path, LEN characters at ENTRY; $ORIGIN is the folder of
   the library itself.  Entries with other variables are passed over.  */
static int
look_in_entry (struct search *s, const char *entry, size_t len)
{
  static const char *const origins[] = { "$ORIGIN", "${ORIGIN}" };
  char *folder, *path;
  unsigned i;
  int r = 0;

  if (!memchr (entry, '$', len))
    return look_in (s, entry, len);
  for (i = 0; i < 2; i++)
    {
      size_t skip = strlen (origins[i]);

      if (!s->needs || len < skip || memcmp (entry, origins[i], skip))
        continue;
      folder = folder_of (cs_elf_path (s->needs));
      if (!folder || asprintf (&path, "%s%.*s", folder, (int) (len - skip),
                               entry + skip) < 0)
        r = -ENOMEM;
      else
        {
          r = look_in (s, path, strlen (path));
          free (path);
        }
      free (folder);
      return r;
    }
  return 0;
}

/* A list of folders with colons between them; NULL is an empty one.  */
static int
look_in_list (struct search *s, const char *path)
{
  const char *end;
  int r = 0;

  for (; path && *path && r == 0; path = *end ? end + 1 : end)
    {
      end = strchrnul (path, ':');
      r = look_in_entry (s, path, end - path);
    }
  return r;
}

static int
look_in_runpath (struct search *s)
{
  size_t len;
  const void *data;
  Elf *elf;
  int r;

  if (s->found || !s->needs)
    return 0;
  data = cs_elf_data (s->needs, &len);
  elf_version (EV_CURRENT);
  /* libelf does not write to an image it was given for reading.  */
  elf = elf_memory ((char *) (uintptr_t) data, len);
  r = look_in_list (s, elf ? find_runpath (elf) : NULL);
  elf_end (elf);
  return r;
}

/* The folders of Debian's multiarch, which are named after the machine, then
   those of other systems.  */
static int
look_in_standard (struct search *s)
{
  const struct cs_arch *arch = arch_of (s);
  const char *wide = arch->word_len == 8 ? "64" : "32";
  char folders[7][64];
  size_t i;
  int r = 0;

  snprintf (folders[0], sizeof *folders, "/lib/%s-linux-gnu", arch->name);
  snprintf (folders[1], sizeof *folders, "/usr/lib/%s-linux-gnu", arch->name);
  snprintf (folders[2], sizeof *folders, "/usr/local/lib");
  snprintf (folders[3], sizeof *folders, "/lib%s", wide);
  snprintf (folders[4], sizeof *folders, "/usr/lib%s", wide);
  snprintf (folders[5], sizeof *folders, "/lib");
  snprintf (folders[6], sizeof *folders, "/usr/lib");
  for (i = 0; i < 7 && r == 0; i++)
    r = look_in (s, folders[i], strlen (folders[i]));
  return r;
}

static int
open_needed (struct cs_elf_list *list, const struct cs_elf *needs,
             const char *soname, struct cs_err *err)
{
  struct search s = { .needs = needs, .soname = soname };
  int r = look_near (&s);

  if (r == 0)
    r = look_in_runpath (&s);
  if (r == 0)
    r = look_in_standard (&s);
  if (r < 0)
    {
      cs_elf_close (s.found);
      if (r == -CS_E_DAMAGED)
        *err = s.err;
      else
        cs_err_sys (err, -r, "cannot look for '%.200s'", soname);
      return r;
    }
  if (s.found)
    return append (list, s.found, err);
  cs_err_set (err, CS_E_INCOMPATIBLE,
              "cannot find '%.200s', which '%.300s' needs and the policy "
              "carries", soname, cs_elf_path (needs));
  cs_err_advise (err, "install it where ld.so looks for libraries; to"
                 " cs-intern its file can be given as well");
  return -CS_E_INCOMPATIBLE;
}

int
cs_elf_list_open (struct cs_policy *policy, const char *const *paths,
                  size_t nr, struct cs_elf_list *list, struct cs_err *err)
{
  struct cs_err local = CS_ERR_INIT;
  size_t i, k;
  int r = 0;

  if (!err)
    err = &local;
  *list = (struct cs_elf_list) { NULL, 0 };
  for (i = 0; i < nr && r == 0; i++)
    r = open_named (list, paths[i], err);
  for (i = 0; i < list->nr && r == 0; i++)
    {
      const struct cs_elf *elf = list->items[i];

      if (cs_policy_role (policy, cs_elf_soname (elf)) == CS_POLICY_REBIND)
        continue;
      for (k = 0; k < cs_elf_nr_needed (elf) && r == 0; k++)
        {
          const char *soname = cs_elf_needed (elf, k);

          if (cs_policy_role (policy, soname) != CS_POLICY_REBIND
              && !cs_elf_list_find (list, soname))
            r = open_needed (list, elf, soname, err);
        }
    }
  return r;
}

int
cs_elf_open_needed (const struct cs_elf *needs, const char *name,
                    const char *path, struct cs_elf **elf)
{
  struct search s = { .needs = needs, .soname = name };
  int r = look_in_runpath (&s);

  if (r == 0)
    r = look_in_list (&s, path);
  if (r == 0)
    r = look_in_standard (&s);
  *elf = s.found;
  return r == 0 && !s.found ? -ENOENT : r;
}
