/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* statics.c -- variables of extensions that lead to memory of one process.

   The variables of an extension are in the store, and with them addresses of
   another library's memory.  That library starts from scratch in the next
   process, where the address leads nowhere, or to a block that the library does
   not know.  So the words of extensions' data that lead out of the store, or to
   a borrowed block, are noted whenever an image is written, while the kernel
   still knows what they lead to.  The next process reports the words, and sets
   them to NULL, so that an extension makes again what it makes on first use.

   Two kinds of words are only reported: those of 32 bits, as a number may look
   like an address, and blocks that libstdc++ has allocated for C++ code, which
   belong to that code.  The policy's rule `restart` lets the extension start
   from scratch, too.  */

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "maps.h"
#include "process/private.h"
#include "report.h"

#define LOST_MAX 16
#define ADDRESS_MIN 65536       /* nothing lies below (vm.mmap_min_addr) */

static struct cs_statics_disk *
find_section (void)
{
  size_t len;
  struct cs_statics_disk *statics = cs_store_section (cs_process.store,
                                                      "statics", &len);

  return statics && len >= sizeof *statics
         && statics->count <= CS_PROCESS_STATICS_MAX ? statics : NULL;
}

void
cs_statics_start (void)
{
  void *section;

  if (!find_section ())
    cs_store_section_create (cs_process.store, "statics",
                             sizeof (struct cs_statics_disk),
                             PROT_READ | PROT_WRITE, &section);
}

/* Words that ld.so relocates, or libcs binds, are made again.  */
static bool
is_slot (const struct cs_library_loaded *item, uint64_t addr)
{
  const struct cs_library_slot_disk *slots
    = cs_library_slots (item->block, item->library);

  for (uint32_t i = 0; i < item->library->nr_slots; i++)
    if (slots[i].addr == addr)
      return true;
  return false;
}

/* Not a block of an earlier process: that was told at the resume.  */
static bool
leads_to_borrowed (uintptr_t value)
{
  void *base = cs_process.collector.base ((void *) value);
  size_t len;

  return base && cs_process.collector.kind (base, &len)
                   == cs_process.collector.borrowed
         && !cs_process_was_borrowed (base);
}

static void
look_at_data (struct cs_statics_disk *statics,
              const struct cs_library_loaded *item)
{
  uint64_t addr = item->library->data_addr;
  uint64_t end = addr + item->library->data_len;
  uintptr_t value;

  for (; addr + sizeof value <= end; addr += sizeof value)
    {
      bool inside;

      value = *(const uintptr_t *) (uintptr_t) addr;
      inside = cs_memory_is_store ((void *) value);
      if (value < ADDRESS_MIN || value >= cs_arch_native ()->address_end
          || (inside && !leads_to_borrowed (value)) || is_slot (item, addr))
        continue;
      if (statics->count == CS_PROCESS_STATICS_MAX)
        return;
      statics->items[statics->count++] = (struct cs_static_disk) {
        .addr = addr, .value = value, .leads = inside
      };
    }
}

struct naming
{
  struct cs_statics_disk *statics;
  uintptr_t end;                /* of the library that was mapped last */
  char file[sizeof ((struct cs_static_disk *) 0)->owner];
  union
  {
    ElfW (Ehdr) header;
    char bytes[CS_STORE_PAGE_LEN];
  } page;
  char buf[8192];
};

/* Where the library ends, with its .bss, whose first page is at START.  The
   kernel reads it: whatever is mapped may have lost its file.  */
static uintptr_t
end_of_library (struct naming *naming, uintptr_t start)
{
  struct iovec to = { &naming->page, sizeof naming->page };
  struct iovec from = { (void *) start, sizeof naming->page };
  const ElfW (Ehdr) *header = &naming->page.header;
  const ElfW (Phdr) *segments;
  uintptr_t end = 0;

  if (process_vm_readv (getpid (), &to, 1, &from, 1, 0)
        != (ssize_t) sizeof naming->page
      || memcmp (header->e_ident, ELFMAG, SELFMAG) != 0
      || header->e_phoff > sizeof naming->page
      || header->e_phnum > (sizeof naming->page - header->e_phoff)
                             / sizeof *segments)
    return 0;
  segments = (const ElfW (Phdr) *) (naming->page.bytes + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD
        && segments[i].p_vaddr + segments[i].p_memsz > end)
      end = segments[i].p_vaddr + segments[i].p_memsz;
  return start + end;
}

static void
name_owner (void *closure, const struct cs_mapping *m)
{
  struct naming *naming = closure;

  if (m->name[0] && m->name[0] != '[' && m->off == 0)
    {
      naming->end = end_of_library (naming, m->start);
      memset (naming->file, 0, sizeof naming->file);
      memcpy (naming->file, m->name,
              strnlen (m->name, sizeof naming->file - 1));
    }
  for (uint64_t i = 0; i < naming->statics->count; i++)
    {
      struct cs_static_disk *s = &naming->statics->items[i];

      if (s->leads || s->value < m->start || s->value >= m->end)
        continue;
      s->leads = 1;
      if (s->value < naming->end)
        memcpy (s->owner, naming->file, sizeof s->owner);
    }
}

static void
drop_numbers (struct cs_statics_disk *statics)
{
  uint64_t nr = 0;

  for (uint64_t i = 0; i < statics->count; i++)
    if (statics->items[i].leads)
      statics->items[nr++] = statics->items[i];
  memset (&statics->items[nr], 0,
          (statics->count - nr) * sizeof statics->items[0]);
  statics->count = nr;
}

void
cs_process_record_statics (void)
{
  const struct cs_library_set *set = &cs_process.libraries;
  struct cs_statics_disk *statics;
  struct naming *naming;

  if (set->nr == set->nr_base || !(statics = find_section ()))
    return;
  memset (statics->items, 0, statics->count * sizeof statics->items[0]);
  statics->count = 0;
  for (size_t i = set->nr_base; i < set->nr; i++)
    if (!set->items[i].restart)
      look_at_data (statics, &set->items[i]);
  if (statics->count == 0)
    return;
  naming = mmap (NULL, sizeof *naming, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (naming == MAP_FAILED)
    return;
  naming->statics = statics;
  cs_maps_each (naming->buf, sizeof naming->buf, name_owner, naming);
  munmap (naming, sizeof *naming);
  drop_numbers (statics);
}

static const struct cs_library_loaded *
find_library (uint64_t addr)
{
  const struct cs_library_set *set = &cs_process.libraries;

  for (size_t i = set->nr_base; i < set->nr; i++)
    if (addr - set->items[i].library->data_addr
        < set->items[i].library->data_len)
      return &set->items[i];
  return NULL;
}

/* Is the library that WORD is a variable of made by a C++ compiler?  */
static bool
is_cxx (void *word)
{
  const ElfW (Dyn) *at = NULL;
  const char *needed;
  struct link_map *map;
  Dl_info info;

  if (dladdr1 (word, &info, (void **) &map, RTLD_DL_LINKMAP) == 0)
    return false;
  while ((needed = cs_foreign_next_string (map, DT_NEEDED, &at)))
    if (strncmp (needed, "libstdc++.so.", 13) == 0)
      return true;
  return false;
}

/* A block that libstdc++ has allocated for C++ code belongs to that code: the
   text of a std::string.  */
static void
clear (const struct cs_static_disk *s)
{
  uintptr_t *word = (uintptr_t *) (uintptr_t) s->addr;

  if (sizeof *word > 4 && s->addr % sizeof *word == 0 && *word == s->value
      && !(cs_memory_is_store ((void *) *word) && is_cxx (word)))
    *word = 0;
}

/* What was told of at this resume.  */
static struct
{
  const struct cs_library_loaded *item;
  char owner[sizeof ((struct cs_static_disk *) 0)->owner];
} lost[LOST_MAX];
static size_t nr_lost;

static void
tell (const struct cs_static_disk *s, const struct cs_library_loaded *item)
{
  const char *owner = s->owner[0] ? s->owner : "another library";
  char name[64];
  Dl_info info;

  if (dladdr ((void *) (uintptr_t) s->addr, &info) != 0 && info.dli_sname)
    snprintf (name, sizeof name, "%s", info.dli_sname);
  else
    snprintf (name, sizeof name, "at offset 0x%llx",
              (unsigned long long) (s->addr - item->library->addr));
  cs_report (CS_REPORT_WEEDED, "what variable %s of extension %s led to:"
             " memory of %s", name, item->library->soname, owner);
  if (nr_lost == LOST_MAX)
    return;
  lost[nr_lost].item = item;
  snprintf (lost[nr_lost++].owner, sizeof lost->owner, "%s", owner);
}

void
cs_statics_resume (void)
{
  const struct cs_library_set *set = &cs_process.libraries;
  const struct cs_statics_disk *statics;
  const struct cs_library_loaded *item;

  if (set->nr == set->nr_base || !(statics = find_section ()))
    return;
  for (uint64_t i = 0; i < statics->count; i++)
    {
      item = find_library (statics->items[i].addr);
      if (item && !item->restart
          && memchr (statics->items[i].owner, 0, sizeof lost->owner))
        {
          tell (&statics->items[i], item);
          clear (&statics->items[i]);
        }
    }
}

const char *
cs_process_lost_owner (size_t number)
{
  for (size_t i = 0; i < nr_lost; i++)
    if (lost[i].item == &cs_process.libraries.items[number])
      return lost[i].owner;
  return NULL;
}
