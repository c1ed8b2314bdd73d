/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-split.c -- what of a rebased library a start need not copy.

   ld.so reads the dynamic section, the tables it points to, and the writable
   data; the rest of a library is there to be executed or read later.  Those
   segments are mapped from the store over the ones ld.so mapped, which costs
   two system calls instead of a copy of a megabyte.  The segment with the
   tables is mapped from the store too, once nothing is looked up any more:
   the memory file's pages are this process's own, the store's are shared.

   The copy was checked by cs_elf_open() and written by cs_rebase(), so its
   headers and dynamic section can be followed.  */

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "intern/library-private.h"

#define PAGE ((uint64_t) CS_STORE_PAGE_LEN)

struct copy
{
  char *data;
  size_t len;
  const ElfW (Phdr) *segments;
  size_t nr;
  ElfW (Dyn) *dynamic;
};

static void
find_parts (struct copy *copy)
{
  const ElfW (Ehdr) *header = (const ElfW (Ehdr) *) copy->data;

  copy->segments = (const ElfW (Phdr) *) (copy->data + header->e_phoff);
  copy->nr = header->e_phnum;
  for (size_t i = 0; i < copy->nr; i++)
    if (copy->segments[i].p_type == PT_DYNAMIC)
      copy->dynamic
        = (ElfW (Dyn) *) (copy->data + copy->segments[i].p_offset);
}

ElfW (Dyn) *
cs_library_dynamic (void *data)
{
  struct copy copy = { .data = data };

  find_parts (&copy);
  return copy.dynamic;
}

void *
cs_library_bytes (void *data, uint64_t addr)
{
  struct copy copy = { .data = data };

  find_parts (&copy);
  for (size_t i = 0; i < copy.nr; i++)
    if (copy.segments[i].p_type == PT_LOAD
        && addr - copy.segments[i].p_vaddr < copy.segments[i].p_filesz)
      return copy.data + copy.segments[i].p_offset
             + (addr - copy.segments[i].p_vaddr);
  return NULL;
}

void
cs_library_forget_entry (ElfW (Dyn) *entry)
{
  entry->d_tag = DT_DEBUG;
  entry->d_un.d_val = 0;
}

/* Does ld.so follow the address of entry TAG while it loads a library?  */
static bool
is_read (ElfW (Sxword) tag)
{
  switch (tag)
    {
    case DT_HASH: case DT_GNU_HASH: case DT_STRTAB: case DT_SYMTAB:
    case DT_RELA: case DT_REL: case DT_RELR: case DT_JMPREL:
    case DT_VERSYM: case DT_VERDEF: case DT_VERNEED:
      return true;
    default:
      return false;
    }
}

static bool
holds_tables (const struct copy *copy, const ElfW (Phdr) *segment)
{
  for (const ElfW (Dyn) *d = copy->dynamic; d->d_tag != DT_NULL; d++)
    if (is_read (d->d_tag)
        && d->d_un.d_ptr - segment->p_vaddr < segment->p_memsz)
      return true;
  return false;
}

/* The bytes of DT_RELA or DT_REL, and DT_JMPREL, hold an IRELATIVE one?  */
static bool
holds_resolvers (const struct copy *copy, ElfW (Sxword) table,
                 ElfW (Sxword) table_len, size_t entry_len)
{
  const ElfW (Rel) *reloc;
  uint64_t addr = 0, len = 0;
  uint32_t type;

  for (const ElfW (Dyn) *d = copy->dynamic; d->d_tag != DT_NULL; d++)
    if (d->d_tag == table)
      addr = d->d_un.d_ptr;
    else if (d->d_tag == table_len)
      len = d->d_un.d_val;
  for (size_t i = 0; addr && i < copy->nr; i++)
    {
      const ElfW (Phdr) *segment = &copy->segments[i];

      if (segment->p_type != PT_LOAD
          || addr - segment->p_vaddr >= segment->p_filesz)
        continue;
      for (uint64_t off = 0; off + entry_len <= len; off += entry_len)
        {
          reloc = (const ElfW (Rel) *) (copy->data + segment->p_offset
                                        + (addr - segment->p_vaddr) + off);
          type = sizeof reloc->r_info == 8
                   ? (uint32_t) ELF64_R_TYPE (reloc->r_info)
                   : (uint32_t) ELF32_R_TYPE (reloc->r_info);
          if (cs_arch_native ()->reloc_kind (type) == CS_RELOC_IRELATIVE)
            return true;
        }
    }
  return false;
}

static bool
runs_code_while_loading (const struct copy *copy)
{
  size_t plt_entry = cs_arch_native ()->rela ? sizeof (ElfW (Rela))
                                             : sizeof (ElfW (Rel));

  return holds_resolvers (copy, DT_RELA, DT_RELASZ, sizeof (ElfW (Rela)))
         || holds_resolvers (copy, DT_REL, DT_RELSZ, sizeof (ElfW (Rel)))
         || holds_resolvers (copy, DT_JMPREL, DT_PLTRELSZ, plt_entry);
}

/* Whole pages of the file, mapped as they are: a last page that the file
   only half fills is followed by the next segment's bytes there, as in
   ld.so's own mapping.  */
static bool
is_mappable (const ElfW (Phdr) *segment)
{
  return segment->p_type == PT_LOAD && !(segment->p_flags & PF_W)
         && segment->p_memsz == segment->p_filesz && segment->p_filesz > 0
         && segment->p_offset % PAGE == 0 && segment->p_vaddr % PAGE == 0;
}

static void
add_segment (struct cs_library_disk *library, const ElfW (Phdr) *segment,
             bool late)
{
  library->segments[library->nr_segments++]
    = (struct cs_library_segment_disk) {
    .addr = segment->p_vaddr,
    .len = (segment->p_memsz + PAGE - 1) & -PAGE,
    .copy = segment->p_offset,
    .prot = (uint32_t) (PROT_READ
                        | (segment->p_flags & PF_X ? PROT_EXEC : 0)),
    .late = late
  };
}

/* Note D in LIBRARY if it tells of constructors or destructors.  Returns
   whether ld.so must not see it (L3, L4).  */
static bool
is_taken (struct cs_library_disk *library, const ElfW (Dyn) *d)
{
  switch (d->d_tag)
    {
    case DT_INIT:
      library->init = d->d_un.d_ptr;
      return true;
    case DT_INIT_ARRAY:
      library->init_array = d->d_un.d_ptr;
      return true;
    case DT_INIT_ARRAYSZ:
      library->init_array_len = d->d_un.d_val;
      return true;
    case DT_FINI: case DT_FINI_ARRAY: case DT_FINI_ARRAYSZ:
      return !(library->flags & CS_LIBRARY_RESTART);
    default:
      return false;
    }
}

static void
take_constructors (struct cs_library_disk *library, struct copy *copy)
{
  for (ElfW (Dyn) *d = copy->dynamic; d->d_tag != DT_NULL; d++)
    if (is_taken (library, d))
      cs_library_forget_entry (d);
}

/* Is all that is not written to in LIBRARY's segments, without gaps, and the
   headers are in the first one?  */
static bool
is_flat (const struct cs_library_disk *library, const struct copy *copy)
{
  const ElfW (Ehdr) *header = (const ElfW (Ehdr) *) copy->data;
  size_t nr_read_only = 0, headers_len = cs_library_headers_len (header);
  const ElfW (Phdr) *first = NULL;

  for (size_t i = 0; i < copy->nr; i++)
    {
      if (copy->segments[i].p_type != PT_LOAD)
        continue;
      if (!first)
        first = &copy->segments[i];
      nr_read_only += !(copy->segments[i].p_flags & PF_W);
    }
  return first && nr_read_only == library->nr_segments
         && cs_library_is_contiguous (library)
         && first->p_vaddr == library->addr && first->p_offset == 0
         && library->segments[0].late
         && headers_len <= CS_LIBRARY_HEADERS_MAX
         && headers_len <= first->p_filesz;
}

void
cs_library_split (struct cs_library_disk *library, void *data, size_t len)
{
  struct copy copy = { .data = data, .len = len };

  find_parts (&copy);
  library->nr_segments = 0;
  take_constructors (library, &copy);
  if (runs_code_while_loading (&copy))
    return;
  for (size_t i = 0; i < copy.nr; i++)
    if (is_mappable (&copy.segments[i])
        && library->nr_segments < CS_LIBRARY_SEGMENTS_MAX)
      add_segment (library, &copy.segments[i],
                   holds_tables (&copy, &copy.segments[i]));
  if (is_flat (library, &copy))
    library->flags |= CS_LIBRARY_FLAT;
}
