/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* create.c -- making a workspace: store, libraries, process, interpreter, first
   commit.  */

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guile/bundle.h"
#include "guile/functions.h"
#include "intern/interpose.h"
#include "intern/needed.h"
#include "machine.h"
#include "process/process.h"
#include "workspace/boot.h"
#include "workspace/checkpoint.h"
#include "workspace/interpose.h"
#include "workspace/load.h"
#include "workspace/save-policy.h"
#include "workspace/workspace.h"

#define LIBGUILE "libguile-3.0.so.1"

/* What a boot needs, of the region (where it uses some 35 MiB of Guile 3.0.8)
   and of this process, with some room to work in afterwards.  */
#define BOOT_LEN ((uint64_t) 64 << 20)

/* What cs_workspace_create() works with.  */
struct making
{
  const struct cs_create_params *params;
  struct cs_policy *policy;
  struct cs_elf_list list;
  struct cs_store *store;
  struct cs_table_disk *table;
};

static void
report (void *closure, const char *text)
{
  const struct cs_create_params *params = closure;

  if (params->warn)
    params->warn (text);
}

/* Is every persistent library that ELF needs among the first NR of ELFS?  */
static bool
is_loadable (struct cs_policy *policy, const struct cs_elf *elf,
             struct cs_elf *const *elfs, size_t nr)
{
  const char *soname;
  bool placed = true;

  for (size_t i = 0; placed && i < cs_elf_nr_needed (elf); i++)
    {
      soname = cs_elf_needed (elf, i);
      placed = cs_policy_role (policy, soname) == CS_POLICY_REBIND;
      for (size_t n = 0; !placed && n < nr; n++)
        placed = strcmp (cs_elf_soname (elfs[n]), soname) == 0;
    }
  return placed;
}

/* Put the libraries into load order, each after those it needs: ld.so would
   otherwise load the system's own.  */
static int
sort_libraries (struct making *m, struct cs_err *err)
{
  struct cs_elf *swap;
  size_t next;

  for (size_t placed = 0; placed < m->list.nr; placed++)
    {
      for (next = placed; next < m->list.nr; next++)
        if (is_loadable (m->policy, m->list.items[next], m->list.items,
                         placed))
          break;
      if (next == m->list.nr)
        return cs_err_set (err, CS_E_INCOMPATIBLE,
                           "libraries need each other in a circle: '%s'",
                           cs_elf_soname (m->list.items[placed]));
      swap = m->list.items[placed];
      m->list.items[placed] = m->list.items[next];
      m->list.items[next] = swap;
    }
  return 0;
}

static int
open_libraries (struct making *m, struct cs_err *err)
{
  const char *libguile = m->params->libguile;
  const struct cs_elf *elf;
  char found[PATH_MAX];
  int code;

  if (!libguile)
    {
      if (cs_library_find (LIBGUILE, found, sizeof found) != 0)
        {
          cs_err_set (err, CS_E_INCOMPATIBLE,
                      "cannot find the interpreter, '%s'", LIBGUILE);
          return cs_err_advise (err, "install Guile 3.0 (Debian: apt-get"
                                " install guile-3.0), or name the library"
                                " with --libguile");
        }
      libguile = found;
    }
  code = cs_elf_list_open (m->policy, &libguile, 1, &m->list, err);
  for (size_t i = 0; code == 0 && i < m->list.nr; i++)
    {
      elf = m->list.items[i];
      if (cs_elf_arch (elf) != cs_arch_native ())
        code = cs_err_set (err, CS_E_INCOMPATIBLE,
                           "'%s' is of machine %s, this is %s",
                           cs_elf_path (elf), cs_elf_arch (elf)->name,
                           cs_arch_native ()->name);
    }
  return code == 0 ? sort_libraries (m, err) : code;
}

/* Append to TEXT a rule for each library of the list that the policy
   restarts, and close it.  */
static void
release_libraries (struct making *m, FILE *text)
{
  size_t nr = 0;

  fputs ("\n# cs-create --bundle=none\n", text);
  for (size_t i = 0; i < m->list.nr; i++)
    if (cs_policy_role (m->policy, cs_elf_soname (m->list.items[i]))
        == CS_POLICY_RESTART)
      {
        fprintf (text, "optional rebind %s\n", cs_elf_soname (m->list.items[i]));
        cs_elf_close (m->list.items[i]);
      }
    else
      m->list.items[nr++] = m->list.items[i];
  m->list.nr = nr;
}

/* Let all but the persistent libraries be the system's.  The store keeps a
   policy that says so, for what is opened later.  */
static int
unbundle (struct making *m, struct cs_err *err)
{
  struct cs_policy *policy = NULL;
  char *text = NULL;
  size_t len, old_len;
  const char *old = cs_policy_text (m->policy, &old_len);
  FILE *stream = open_memstream (&text, &len);
  int code;

  if (!stream)
    return cs_err_sys (err, errno, "cannot change the policy");
  fwrite (old, 1, old_len, stream);
  release_libraries (m, stream);
  code = fclose (stream) != 0 ? cs_err_sys (err, errno, "cannot change the"
                                            " policy")
         : cs_policy_parse (m->params->policy ? m->params->policy
                                              : "<built-in>/guile-3.0.pol",
                            text, len, m->params->diagnose,
                            m->params->closure, &policy, err);
  free (text);
  if (code != 0)
    return code;
  cs_policy_free (m->policy);
  m->policy = policy;
  return 0;
}

static int
make_table (struct making *m, struct cs_err *err)
{
  struct cs_table_disk *compiled;
  int code;

  if (m->params->table)
    code = cs_table_read (m->params->table, &compiled, err);
  else
    code = cs_table_compile (m->policy,
                             (const struct cs_elf *const *) m->list.items,
                             m->list.nr,
                             &compiled, err);
  if (code != 0)
    return code;
  if (compiled->machine != CS_MACHINE_ELF)
    code = cs_err_set (err, CS_E_INCOMPATIBLE,
                       "the intern table is of another machine (%u, this is"
                       " %u)", compiled->machine, CS_MACHINE_ELF);
  else
    code = cs_intern_create (m->store, cs_arch_native (), compiled, err);
  free (compiled);
  return code == 0 ? cs_intern_open (m->store, &m->table, err) : code;
}

/* The length of the region, or 0 with ERR set.  */
static uint64_t
region_len (const struct cs_create_params *params, struct cs_err *err)
{
  const struct cs_arch *arch = cs_arch_native ();
  uint64_t max = arch->address_end - arch->region_base;
  uint64_t len = params->reserve ? params->reserve : arch->region_len;

  if (len < BOOT_LEN)
    cs_err_set (err, CS_E_REFUSED, "cannot reserve %" PRIu64 " bytes: a"
                " workspace needs at least %" PRIu64, len, BOOT_LEN);
  else if (len > max)
    cs_err_set (err, CS_E_REFUSED, "cannot reserve %" PRIu64 " bytes: the"
                " address space has room for %" PRIu64, len, max);
  else
    return (len + CS_STORE_PAGE_LEN - 1) & -(uint64_t) CS_STORE_PAGE_LEN;
  return 0;
}

static int
make_store (struct making *m, const char *path, struct cs_err *err)
{
  const struct cs_arch *arch = cs_arch_native ();
  const struct cs_store_params store_params = {
    .machine = arch->elf_machine, .word_len = arch->word_len,
    .base = arch->region_base, .reserved = region_len (m->params, err)
  };
  int code;

  if (store_params.reserved == 0)
    return err->code;
  code = cs_store_create (path, &store_params, m->params->force, &m->store,
                          err);
  if (code == 0)
    code = cs_store_check_executable (m->store, err);
  if (code == 0 && m->params->history)
    cs_store_set_history (m->store, *m->params->history);
  return code;
}

/* Guile that runs out of memory while it boots goes on without what it could
   not load, for minutes.  So see first whether RLIMIT_AS leaves enough, and
   keep malloc from taking 64 MiB of it for each thread.  */
static int
prepare_boot (struct cs_err *err)
{
  void *room;

  mallopt (M_ARENA_MAX, 1);
  room = mmap (NULL, BOOT_LEN, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room != MAP_FAILED)
    {
      munmap (room, BOOT_LEN);
      return 0;
    }
  cs_err_sys (err, errno, "cannot boot the interpreter in %" PRIu64 " bytes",
              BOOT_LEN);
  return cs_err_advise (err, "raise the limit of address space: ulimit -v");
}

/* Names of the built-in policy's `replace` rules that another one lacks.  */
struct lack
{
  const struct cs_policy *policy;
  const char *name;             /* looked for */
  bool found;
  const char *first;            /* NULL: none is missing */
};

static void
match_name (void *closure, const char *name, const char *place)
{
  struct lack *lack = closure;

  (void) place;
  lack->found = lack->found || strcmp (name, lack->name) == 0;
}

static void
look_for_name (void *closure, const char *name, const char *place)
{
  struct lack *lack = closure;

  (void) place;
  lack->name = name;
  lack->found = false;
  cs_policy_each_replacement (lack->policy, match_name, lack);
  if (!lack->found && !lack->first)
    lack->first = name;
}

/* An interpreter that does not work as it must, whose calls of libc are not
   replaced, says nothing about its release: blame the policy.  */
static int
blame_policy (const struct making *m, struct cs_err *err)
{
  struct lack lack = { .policy = m->policy };
  struct cs_err own = CS_ERR_INIT;
  struct cs_policy *ours = NULL;

  if (cs_policy_parse ("built-in policy", cs_policy_builtin,
                       cs_policy_builtin_len, NULL, NULL, &ours, &own) == 0)
    cs_policy_each_replacement (ours, look_for_name, &lack);
  if (lack.first)
    {
      cs_err_set (err, CS_E_INCOMPATIBLE, "the policy has no rule 'replace ..."
                  " with %s': Guile does not work without it", lack.first);
      cs_err_advise (err, "take the built-in policy and change what has to be"
                     " other: PREFIX/share/coldstore/policy/guile-3.0.pol");
    }
  cs_policy_free (ours);
  return err->code;
}

static void
look_for_stat (void *found, const char *name, const char *place)
{
  (void) place;
  if (strcmp (name, "process:stat") == 0 || strcmp (name, "process:stat64") == 0)
    *(bool *) found = true;
}

/* Carry Guile's files, if libguile will find them.  */
static int
bundle_files (struct making *m, struct cs_err *err)
{
  bool found = false;

  cs_policy_each_replacement (m->policy, look_for_stat, &found);
  if (found)
    return cs_bundle_create (m->store, err);
  if (m->params->warn)
    m->params->warn ("Guile's modules are not carried: the policy has no rule"
                     " 'replace ... with process:stat'");
  return 0;
}

static int
fill_store (struct making *m, struct cs_err *err)
{
  struct cs_library_carrying carrying = {
    .policy = m->policy, .find = cs_interpose_find,
    .elfs = m->list.items, .nr = m->list.nr
  };
  int code = make_table (m, err);

  carrying.table = m->table;
  if (code == 0)
    code = cs_interpose_create (m->store, m->policy, err);
  if (code == 0)
    code = cs_library_carry (m->store, &carrying, err);
  if (code == 0)
    code = cs_process_create (m->store, m->table, err);
  if (code == 0)
    code = cs_load (m->store, m->table, false, err);
  if (code == 0)
    code = prepare_boot (err);
  if (code == 0)
    {
      code = cs_boot (m->store, err);
      if (code == 0)
        cs_save_policy_create (m->params->save);
      if (code == -CS_E_INCOMPATIBLE)
        code = blame_policy (m, err);
    }
  if (code == 0 && m->params->bundle == CS_BUNDLE_ALL)
    code = bundle_files (m, err);
  if (code == 0)
    code = cs_checkpoint_last (m->store, err);
  if (code == 0)
    code = cs_store_settle (m->store, err);
  return code;
}

static int
create (struct making *m, const char *path, struct cs_err *err)
{
  int code = cs_interpose_policy (m->params->policy, m->params->diagnose,
                                    m->params->closure, &m->policy, err);

  if (code == 0)
    code = open_libraries (m, err);
  if (code == 0 && m->params->bundle == CS_BUNDLE_NONE)
    code = unbundle (m, err);
  if (code == 0)
    code = make_store (m, path, err);
  if (code == 0)
    code = fill_store (m, err);
  /* A table was compiled elsewhere: no rule was applied here.  */
  if (code == 0 && !m->params->table)
    cs_policy_unused (m->policy, report, (void *) m->params);
  return code;
}

/* Clone a store, or restore backups.  */
static int
copy (const char *path, const struct cs_create_params *params,
      struct cs_err *err)
{
  size_t nr = 0;

  while (params->from[nr])
    nr++;
  if (cs_backup_recognize (params->from[0]))
    return cs_store_restore (params->from, nr, path, params->force,
                             params->progress, params->closure, err);
  if (nr > 1)
    return cs_err_set (err, CS_E_REFUSED, "cannot create '%s' from several "
                       "sources: '%s' is no backup", path, params->from[0]);
  return cs_store_clone (params->from[0],
                         params->from_generation ? params->from_generation
                                                 : CS_STORE_NEWEST,
                         path, params->force, err);
}

int
cs_workspace_create (const char *path, const struct cs_create_params *params,
                     struct cs_err *err)
{
  struct making m = { .params = params };
  int code;

  if (params->from)
    return copy (path, params, err);
  code = create (&m, path, err);
  cs_elf_list_fini (&m.list);
  cs_policy_free (m.policy);
  cs_process_close ();
  cs_store_close (m.store);
  return code;
}
