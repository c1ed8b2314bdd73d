/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.c -- checking what a store keeps of its process.

   The addresses of functions (handlers, destructors) are not checked: a
   function has no form that could be wrong, and one that is not there ends as
   any damage at run time does.  */

#include <pthread.h>
#include <sys/mman.h>

#include "image/sections.h"
#include "intern/section.h"
#include "intern/table.h"

/* What libc keeps behind these addresses; of a machine with other words, the
   least of all machines.  */
static uint64_t
len_of (const struct cs_section *s, size_t native, size_t least)
{
  return cs_store_superblock (s->store)->word_len == sizeof (void *) ? native
                                                                      : least;
}

static bool
counts_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
#define COUNT(member, min, max) \
  cs_field_between (s, CS_FIELD (p, member, 0), p->member, min, max)
  return COUNT (strings_len, 1, CS_PROCESS_STRINGS_MAX)
         && COUNT (paths_len, 1, CS_PROCESS_STRINGS_MAX)
         && COUNT (nr_onces, 0, CS_PROCESS_ONCES_MAX)
         && COUNT (nr_atforks, 0, CS_PROCESS_ATFORKS_MAX)
         && COUNT (nr_atexits, 0, CS_PROCESS_ATEXITS_MAX)
         && COUNT (nr_arenas, 0, CS_PROCESS_ARENAS_MAX)
         && COUNT (nr_handles, 0, CS_PROCESS_HANDLES_MAX)
         && COUNT (nr_descriptors, 0, CS_PROCESS_DESCRIPTORS_MAX)
         && COUNT (nr_callbacks, 0, CS_PROCESS_CALLBACKS_MAX)
         && COUNT (nr_locks, 0, CS_PROCESS_LOCKS_MAX)
         && COUNT (nr_domains, 0, CS_PROCESS_DOMAINS_MAX)
         && COUNT (domain, 0, p->strings_len - 1);
#undef COUNT
}

static bool
texts_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  uint32_t i = p->strings_len - 1;

  if (!cs_field_ends_text (s, CS_FIELD (p, strings[i], i), p->strings[i]))
    return false;
  i = p->paths_len - 1;
  /* Offset 0 means that there is no path.  */
  return i == 0
         || cs_field_ends_text (s, CS_FIELD (p, paths[i], i), p->paths[i]);
}

static bool
locks_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  const uint64_t once = len_of (s, sizeof (pthread_once_t), 4);
  const uint64_t mutex = len_of (s, sizeof (pthread_mutex_t), 24);

  for (uint32_t i = 0; i < p->nr_onces; i++)
    if (!cs_field_in_use (s, CS_FIELD (p, onces[i].control, i),
                          p->onces[i].control, once, PROT_WRITE, 4)
        || (p->onces[i].pipe
            && !cs_field_in_use (s, CS_FIELD (p, onces[i].pipe, i),
                                 p->onces[i].pipe, 2 * sizeof (int),
                                 PROT_WRITE, 4)))
      return false;
  for (uint32_t i = 0; i < p->nr_locks; i++)
    if (!cs_field_in_use (s, CS_FIELD (p, locks[i], i), p->locks[i], mutex,
                          PROT_WRITE, 4))
      return false;
  return true;
}

/* The entry of the intern table that stands for the process's own handler.  */
static bool
signals_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  size_t len = 0;
  const struct cs_table_disk *table = cs_store_section (s->store, "intern",
                                                        &len);
  const uint32_t nr = table && len >= sizeof *table ? table->count : 0;

  for (uint32_t i = 0; i < CS_PROCESS_SIGNALS_MAX; i++)
    if (!cs_field_between (s, CS_FIELD (p, signals[i].own, i),
                           p->signals[i].own, 0, nr))
      return false;
  return true;
}

static bool
callback_is_free (const struct cs_process_disk *p)
{
  const struct cs_callbacks_disk *area;
  uint64_t off;

  for (uint64_t i = 0; i < p->nr_callbacks; i++)
    {
      area = &p->callbacks[i];
      off = p->free_callback - area->addr;
      if (off < (uint64_t) area->nr_used * CS_PROCESS_CALLBACK_LEN
          && off % CS_PROCESS_CALLBACK_LEN == 0)
        return true;
    }
  return p->free_callback == 0;
}

static bool
callbacks_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  for (uint64_t i = 0; i < p->nr_callbacks; i++)
    {
      const struct cs_callbacks_disk *area = &p->callbacks[i];

      if (!cs_field_between (s, CS_FIELD (p, callbacks[i].nr_used, i),
                             area->nr_used, 0, area->nr_slots)
          || !cs_field_in_use (s, CS_FIELD (p, callbacks[i].addr, i),
                               area->addr,
                               (uint64_t) area->nr_slots
                                 * CS_PROCESS_CALLBACK_LEN,
                               PROT_WRITE, CS_STORE_PAGE_LEN))
        return false;
    }
  return callback_is_free (p)
         || cs_field_wrong (s, CS_FIELD (p, free_callback, 0), "expected 0 or"
                            " a slot in use, found 0x%llx",
                            (unsigned long long) p->free_callback);
}

/* Code arenas, and what is left of the collector's zone.  */
static bool
arenas_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  for (uint32_t i = 0; i < p->nr_arenas; i++)
    if (!cs_field_in_use (s, CS_FIELD (p, arenas[i].addr, i),
                          p->arenas[i].addr, p->arenas[i].len, PROT_READ,
                          CS_STORE_PAGE_LEN))
      return false;
  if (p->zone_len == 0)
    return true;
  if (p->zone_len % CS_STORE_PAGE_LEN != 0)
    return cs_field_wrong (s, CS_FIELD (p, zone_len, 0), "expected whole"
                           " pages, found %llu",
                           (unsigned long long) p->zone_len);
  return cs_field_in_use (s, CS_FIELD (p, zone_addr, 0), p->zone_addr,
                          p->zone_len, PROT_NONE, CS_STORE_PAGE_LEN);
}

static bool
strings_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
  const uint32_t last = p->strings_len - 1;

#define STRING(member) \
  cs_field_between (s, CS_FIELD (p, member, i), p->member, 0, last)
  for (uint32_t i = 0; i < p->nr_handles; i++)
    if (!STRING (handles[i].path) || !STRING (handles[i].soname))
      return false;
  for (uint32_t i = 0; i < p->nr_domains; i++)
    if (!STRING (domains[i].name) || !STRING (domains[i].folder)
        || !STRING (domains[i].codeset))
      return false;
#undef STRING
  return true;
}

static bool
descriptors_fit (const struct cs_section *s, const struct cs_process_disk *p)
{
#define AT_MOST(member, max) \
  cs_field_between (s, CS_FIELD (p, descriptors[i].member, i), \
                    (uint32_t) p->descriptors[i].member, 0, max)
  for (uint32_t i = 0; i < p->nr_descriptors; i++)
    if (!AT_MOST (fd, CS_DESCRIPTORS_END - 1)
        || !AT_MOST (name, p->paths_len - 1) || !AT_MOST (shares, i))
      return false;
#undef AT_MOST
  return true;
}

struct cs_process_disk *
cs_image_process (const struct cs_store *store, struct cs_err *err)
{
  static const struct cs_section_kind kind = {
    "process", CS_PROCESS_MAGIC, CS_PROCESS_VERSION,
    sizeof (struct cs_process_disk)
  };
  struct cs_section s;
  struct cs_process_disk *p;

  if (!cs_section_open (&s, store, &kind, err))
    return NULL;
  p = s.start;
  return counts_fit (&s, p) && texts_fit (&s, p) && locks_fit (&s, p)
         && signals_fit (&s, p) && callbacks_fit (&s, p) && arenas_fit (&s, p)
         && strings_fit (&s, p) && descriptors_fit (&s, p) ? p : NULL;
}

/* The version of "process" is that of "threads" too, and decides how long the
   latter are.  */
struct cs_threads_disk *
cs_image_threads (const struct cs_store *store, struct cs_err *err)
{
  static const struct cs_section_kind process = {
    "process", CS_PROCESS_MAGIC, CS_PROCESS_VERSION, 0
  };
  static const struct cs_section_kind kind = {
    .name = "threads", .len = sizeof (struct cs_threads_disk)
  };
  struct cs_section s;
  struct cs_threads_disk *t;

  if (!cs_section_open (&s, store, &process, err)
      || !cs_section_open (&s, store, &kind, err))
    return NULL;
  t = s.start;
  return cs_field_between (&s, CS_FIELD (t, count, 0), t->count, 0,
                           CS_PROCESS_THREADS_MAX) ? t : NULL;
}
