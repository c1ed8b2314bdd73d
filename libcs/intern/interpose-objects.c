/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interpose-objects.c -- the libraries that ld.so has loaded.

   Works through ld.so's documented views (dl_iterate_phdr(3), dlinfo(3)) and
   the ELF tables of each library in memory.  ld.so has checked the tables;
   they are not checked again.  */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/interpose-private.h"

/* A d_ptr of the dynamic section: glibc relocates it in place for most
   objects, but not for the vDSO and read-only dynamic sections.  */
uintptr_t
cs_object_addr (const struct cs_object *o, ElfW (Sxword) tag)
{
  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    if (d->d_tag == tag)
      return d->d_un.d_ptr < o->addr ? d->d_un.d_ptr + o->addr
                                     : d->d_un.d_ptr;
  return 0;
}

ElfW (Xword)
cs_object_value (const struct cs_object *o, ElfW (Sxword) tag)
{
  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    if (d->d_tag == tag)
      return d->d_un.d_val;
  return 0;
}

static const char *
soname_of (const struct cs_object *o, const char *path)
{
  const char *strings = (const char *) cs_object_addr (o, DT_STRTAB);
  ElfW (Xword) off = cs_object_value (o, DT_SONAME);
  const char *slash = strrchr (path, '/');

  if (strings && off)
    return strings + off;
  return slash ? slash + 1 : path;
}

static void
read_note (struct cs_object *o, const ElfW (Phdr) *segment)
{
  const char *at = (const char *) (o->addr + segment->p_vaddr);
  const char *end = at + segment->p_memsz;
  const ElfW (Nhdr) *note;

  while (end - at >= (ptrdiff_t) sizeof *note)
    {
      note = (const ElfW (Nhdr) *) at;
      at += sizeof *note;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4
          && memcmp (at, "GNU", 4) == 0)
        {
          o->build_id = (const uint8_t *) at + 4;
          o->build_id_len = note->n_descsz;
          return;
        }
      at += ((note->n_namesz + 3u) & ~3u) + ((note->n_descsz + 3u) & ~3u);
    }
}

static void
add_data (struct cs_object *o, const ElfW (Phdr) *segment)
{
  ElfW (Addr) start = o->addr + segment->p_vaddr;

  if (o->data_end == 0 || start < o->data)
    o->data = start;
  if (start + segment->p_memsz > o->data_end)
    o->data_end = start + segment->p_memsz;
}

static void
read_segments (struct cs_object *o, const struct dl_phdr_info *info)
{
  const ElfW (Phdr) *segment;

  for (int i = 0; i < info->dlpi_phnum; i++)
    {
      segment = &info->dlpi_phdr[i];
      if (segment->p_type == PT_DYNAMIC)
        o->dynamic = (const ElfW (Dyn) *) (o->addr + segment->p_vaddr);
      else if (segment->p_type == PT_NOTE && !o->build_id)
        read_note (o, segment);
      else if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W))
        add_data (o, segment);
      else if (segment->p_type == PT_GNU_RELRO)
        {
          o->relro = o->addr + segment->p_vaddr;
          o->relro_len = segment->p_memsz;
        }
    }
}

/* Room for one more object, or NULL.  */
static struct cs_object *
new_object (struct cs_objects *objects)
{
  size_t room = objects->room ? 2 * objects->room : 64;
  struct cs_object *items;

  if (objects->nr == objects->room)
    {
      items = realloc (objects->items, room * sizeof *items);
      if (!items)
        return NULL;
      objects->items = items;
      objects->room = room;
    }
  return &objects->items[objects->nr++];
}

struct reading
{
  struct cs_objects *objects;
  const struct cs_store *store;
};

static int
add_object (struct dl_phdr_info *info, size_t len, void *closure)
{
  const struct reading *reading = closure;
  struct cs_object *o = new_object (reading->objects);

  (void) len;
  if (!o)
    return -ENOMEM;
  *o = (struct cs_object) { .addr = info->dlpi_addr };
  read_segments (o, info);
  o->soname = soname_of (o, info->dlpi_name);
  if (o->build_id_len > sizeof ((struct cs_interpose_record_disk *) 0)->build_id)
    o->build_id_len = 0;
  o->never = reading->objects->nr == 1 || !o->dynamic
             || cs_store_contains (reading->store, o->dynamic)
             || strncmp (o->soname, "libc.so.", 8) == 0
             || strncmp (o->soname, "ld-linux", 8) == 0
             || strncmp (o->soname, "ld.so", 5) == 0
             || strncmp (o->soname, "linux-", 6) == 0;
  return 0;
}

int
cs_objects_read (struct cs_objects *objects, const struct cs_store *store)
{
  struct reading reading = { objects, store };

  return dl_iterate_phdr (add_object, &reading);
}

void
cs_objects_fini (struct cs_objects *objects)
{
  free (objects->items);
}

struct build_search
{
  const ElfW (Dyn) *dynamic;
  uint64_t build;
};

static int
look_for_build (struct dl_phdr_info *info, size_t len, void *closure)
{
  struct build_search *search = closure;
  struct cs_object o = { .addr = info->dlpi_addr };

  (void) len;
  read_segments (&o, info);
  if (o.dynamic != search->dynamic)
    return 0;
  if (o.build_id_len >= sizeof search->build)
    memcpy (&search->build, o.build_id, sizeof search->build);
  return 1;
}

uint64_t
cs_interpose_build (void *handle)
{
  struct build_search search = { NULL, 0 };
  struct link_map *map;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0)
    return 0;
  search.dynamic = map->l_ld;
  dl_iterate_phdr (look_for_build, &search);
  return search.build;
}

static struct cs_object *
find_object (struct cs_objects *objects, const char *soname)
{
  for (size_t i = 0; i < objects->nr; i++)
    if (strcmp (objects->items[i].soname, soname) == 0)
      return &objects->items[i];
  return NULL;
}

void
cs_objects_mark_needed (struct cs_objects *objects, const struct cs_object *o)
{
  const char *strings = (const char *) cs_object_addr (o, DT_STRTAB);
  struct cs_object *needed;

  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    {
      if (d->d_tag != DT_NEEDED)
        continue;
      needed = find_object (objects, strings + d->d_un.d_val);
      if (!needed || needed->needed)
        continue;
      needed->needed = true;
      if (!needed->never)
        cs_objects_mark_needed (objects, needed);
    }
}

/* ELF64_R_TYPE and ELF32_R_TYPE (elf.h), for this word size.  */
uint32_t
cs_object_reloc_type (const ElfW (Rel) *reloc)
{
  return sizeof reloc->r_info == 8 ? (uint32_t) ELF64_R_TYPE (reloc->r_info)
                                   : (uint32_t) ELF32_R_TYPE (reloc->r_info);
}

size_t
cs_object_reloc_symbol (const ElfW (Rel) *reloc)
{
  uint64_t info = reloc->r_info;

  return sizeof reloc->r_info == 8 ? ELF64_R_SYM (info) : ELF32_R_SYM (info);
}

void
cs_object_tables (const struct cs_object *o, struct cs_object_table tables[3])
{
  tables[0] = (struct cs_object_table) {
    cs_object_addr (o, DT_JMPREL), cs_object_value (o, DT_PLTRELSZ),
    cs_object_value (o, DT_PLTREL) == DT_RELA ? sizeof (ElfW (Rela))
                                            : sizeof (ElfW (Rel))
  };
  tables[1] = (struct cs_object_table) {
    cs_object_addr (o, DT_RELA), cs_object_value (o, DT_RELASZ),
    sizeof (ElfW (Rela))
  };
  tables[2] = (struct cs_object_table) {
    cs_object_addr (o, DT_REL), cs_object_value (o, DT_RELSZ),
    sizeof (ElfW (Rel))
  };
}

bool
cs_object_has_word (const struct cs_object *o, uint64_t off)
{
  uint64_t word = o->addr + off, len = sizeof (uintptr_t);

  return word % len == 0 && word >= o->data && word <= o->data_end
         && o->data_end - word >= len;
}

int
cs_object_protect (const struct cs_object *o, int prot)
{
  uintptr_t page = CS_STORE_PAGE_LEN;
  uintptr_t start = o->relro & -page;
  uintptr_t end = (o->relro + o->relro_len) & -page;

  return end > start
         && mprotect ((void *) start, end - start, prot) != 0 ? -errno : 0;
}
