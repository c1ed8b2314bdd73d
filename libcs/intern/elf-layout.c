/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-layout.c -- ELF header, program headers, and what follows from them.

   References are to the System V ABI, generic part (gABI), chapters 4 and
   5, and to glibc's elf/dl-load.c for what a loader accepts beyond it.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"

#define X PRIx64

/* -- Address arithmetic.  */

static uint64_t
page_down (const struct cs_elf *elf, uint64_t addr)
{
  return addr & ~(uint64_t) (elf->arch->page_len - 1);
}

/* ADDR is at most address_end, which leaves room.  */
static uint64_t
page_up (const struct cs_elf *elf, uint64_t addr)
{
  return page_down (elf, addr + elf->arch->page_len - 1);
}

const GElf_Phdr *
cs_elf_segment_at (const struct cs_elf *elf, uint64_t addr, uint64_t len)
{
  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      const GElf_Phdr *ph = &elf->segments[i];

      if (ph->p_type == PT_LOAD
          && cs_elf_within (addr, len, ph->p_vaddr, ph->p_memsz))
        return ph;
    }
  return NULL;
}

bool
cs_elf_find_bytes (const struct cs_elf *elf, uint64_t addr, uint64_t len,
                   uint64_t *off)
{
  const GElf_Phdr *ph = cs_elf_segment_at (elf, addr, len);

  if (!ph || !cs_elf_within (addr, len, ph->p_vaddr, ph->p_filesz))
    return false;
  *off = ph->p_offset + (addr - ph->p_vaddr);
  return true;
}

int
cs_elf_locate (const struct cs_elf *elf, const char *what, uint64_t addr,
               uint64_t len, uint64_t *off, struct cs_err *err)
{
  if (cs_elf_find_bytes (elf, addr, len, off))
    return 0;
  return cs_elf_fail (elf, err, CS_E_DAMAGED,
                      "%s: address 0x%" X " + 0x%" X
                      " is not in any segment of the file", what, addr, len);
}

/* -- The ELF header.  */

/* Check e_ident before libelf sees anything else.  */
static int
check_ident (struct cs_elf *elf, struct cs_err *err)
{
  const uint8_t *ident = elf->data;

  if (elf->len < EI_NIDENT || memcmp (ident, ELFMAG, SELFMAG) != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED, "not an ELF file");
  if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "ELF header: class at offset 0x%x is %u, not %u or %u",
                        EI_CLASS, ident[EI_CLASS], ELFCLASS32, ELFCLASS64);
  if (ident[EI_DATA] != ELFDATA2LSB)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "ELF header: byte order at offset 0x%x is %u, not"
                        " little-endian (%u)",
                        EI_DATA, ident[EI_DATA], ELFDATA2LSB);
  if (ident[EI_VERSION] != EV_CURRENT)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "ELF header: version at offset 0x%x is %u, not %u",
                        EI_VERSION, ident[EI_VERSION], EV_CURRENT);
  return 0;
}

static int
open_libelf (struct cs_elf *elf, struct cs_err *err)
{
  elf_version (EV_CURRENT);
  /* elf_memory() is for reading; it only lacks a const.  */
  elf->elf = elf_memory ((char *) (uintptr_t) elf->data, elf->len);
  if (!elf->elf || elf_kind (elf->elf) != ELF_K_ELF
      || !gelf_getehdr (elf->elf, &elf->header))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "ELF header does not fit the file's 0x%zx bytes",
                        elf->len);
  return 0;
}

static int
check_machine (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Ehdr *eh = &elf->header;
  size_t word_len = eh->e_ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;

  elf->arch = cs_arch_find (eh->e_machine);
  if (!elf->arch)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "machine %u is not supported", eh->e_machine);
  if (elf->arch->word_len != word_len)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "a library for %s with %zu-bit words is not supported",
                        elf->arch->name, word_len * 8);
  if (eh->e_type != ET_DYN)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "not a shared library: file type is %u, not %u",
                        eh->e_type, ET_DYN);
  return 0;
}

/* Check that a table of headers lies in the file.  */
static int
check_headers (const struct cs_elf *elf, const char *what, uint64_t off,
               size_t nr, size_t record_len, Elf_Type type,
               struct cs_err *err)
{
  size_t expected = cs_elf_record_len (elf, type);

  if (record_len != expected)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "ELF header: %s headers have 0x%zx bytes, not 0x%zx",
                        what, record_len, expected);
  if (!cs_elf_within (off, nr * expected, 0, elf->len))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s headers: file offset 0x%" X " + 0x%zx exceeds the"
                        " file's 0x%zx bytes",
                        what, off, nr * expected, elf->len);
  return 0;
}

static int
check_header (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Ehdr *eh = &elf->header;
  int res;

  if (eh->e_phnum == 0 || eh->e_phnum == PN_XNUM)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "ELF header: %u program headers", eh->e_phnum);
  res = check_headers (elf, "program", eh->e_phoff, eh->e_phnum,
                       eh->e_phentsize, ELF_T_PHDR, err);
  if (res < 0 || eh->e_shoff == 0)
    return res;
  if (eh->e_shnum == 0)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "ELF header: section headers at 0x%" X
                        ", but their number is not given", eh->e_shoff);
  return check_headers (elf, "section", eh->e_shoff, eh->e_shnum,
                        eh->e_shentsize, ELF_T_SHDR, err);
}

/* -- Program headers.  */

static int
read_segments (struct cs_elf *elf, struct cs_err *err)
{
  size_t nr = elf->header.e_phnum;

  elf->segments = calloc (nr, sizeof *elf->segments);
  if (!elf->segments)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  for (size_t i = 0; i < nr; i++)
    if (!gelf_getphdr (elf->elf, i, &elf->segments[i]))
      return cs_elf_fail (elf, err, CS_E_DAMAGED,
                          "program header %zu: %s", i, elf_errmsg (-1));
  elf->nr_segments = nr;
  return 0;
}

/* What must hold for a program header of any type.  */
static int
check_segment (const struct cs_elf *elf, size_t i, struct cs_err *err)
{
  const GElf_Phdr *ph = &elf->segments[i];

  if (!cs_elf_within (ph->p_offset, ph->p_filesz, 0, elf->len))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: file offset 0x%" X " + 0x%" X
                        " exceeds the file's 0x%zx bytes",
                        i, ph->p_offset, ph->p_filesz, elf->len);
  if (!cs_elf_within (ph->p_vaddr, ph->p_memsz, 0, elf->arch->address_end))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: address 0x%" X " + 0x%" X
                        " exceeds the machine's 0x%" X,
                        i, ph->p_vaddr, ph->p_memsz, elf->arch->address_end);
  return 0;
}

/* What must hold for a segment to load (gABI, "Program Header"; ld.so
   refuses the same).  */
static int
check_load (const struct cs_elf *elf, size_t i, struct cs_err *err)
{
  const GElf_Phdr *ph = &elf->segments[i];

  if (ph->p_memsz < ph->p_filesz)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: 0x%" X " bytes in memory, but"
                        " 0x%" X " in the file", i, ph->p_memsz, ph->p_filesz);
  if (ph->p_align < elf->arch->page_len
      || (ph->p_align & (ph->p_align - 1)) != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: alignment 0x%" X
                        " is not a power of two of whole pages",
                        i, ph->p_align);
  if (((ph->p_vaddr - ph->p_offset) & (ph->p_align - 1)) != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: address 0x%" X " and file offset"
                        " 0x%" X " differ modulo 0x%" X,
                        i, ph->p_vaddr, ph->p_offset, ph->p_align);
  return 0;
}

/* Check segment I against the one to load before it, PREVIOUS (E1).  */
static int
check_order (const struct cs_elf *elf, size_t previous, size_t i,
             struct cs_err *err)
{
  const GElf_Phdr *a = &elf->segments[previous];
  const GElf_Phdr *b = &elf->segments[i];

  if (page_up (elf, a->p_vaddr + a->p_memsz) > page_down (elf, b->p_vaddr))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: address 0x%" X " is not on a"
                        " page after segment %zu, which ends at 0x%" X,
                        i, b->p_vaddr, previous, a->p_vaddr + a->p_memsz);
  if (a->p_offset + a->p_filesz > b->p_offset && b->p_filesz > 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "program header %zu: file offset 0x%" X " is not"
                        " after segment %zu, which ends at 0x%" X,
                        i, b->p_offset, previous, a->p_offset + a->p_filesz);
  return 0;
}

static int
check_segments (struct cs_elf *elf, struct cs_err *err)
{
  size_t previous = SIZE_MAX;

  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      int res = check_segment (elf, i, err);

      if (res < 0)
        return res;
      if (elf->segments[i].p_type != PT_LOAD)
        continue;
      res = check_load (elf, i, err);
      if (res == 0 && previous != SIZE_MAX)
        res = check_order (elf, previous, i, err);
      if (res < 0)
        return res;
      previous = i;
    }
  if (previous == SIZE_MAX)
    return cs_elf_fail (elf, err, CS_E_DAMAGED, "no segment to load");
  return 0;
}

/* The only program header of TYPE in *FOUND, or NULL.  */
static int
find_single (const struct cs_elf *elf, uint32_t type, const char *name,
             const GElf_Phdr **found, struct cs_err *err)
{
  *found = NULL;
  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      if (elf->segments[i].p_type != type)
        continue;
      if (*found)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "program header %zu: a second %s", i, name);
      *found = &elf->segments[i];
    }
  return 0;
}

/* -- The layout.  */

/* Writable memory, from the first byte to the end.  Nothing read-only may
   lie between.  */
static int
find_writable (const struct cs_elf *elf, uint64_t *start, uint64_t *end,
               struct cs_err *err)
{
  *start = *end = 0;
  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      const GElf_Phdr *ph = &elf->segments[i];

      if (ph->p_type != PT_LOAD)
        continue;
      if (!(ph->p_flags & PF_W))
        {
          if (*end == 0)
            continue;
          return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                              "program header %zu: a read-only segment after"
                              " a writable one is not supported", i);
        }
      if (*end == 0)
        *start = ph->p_vaddr;
      *end = ph->p_vaddr + ph->p_memsz;
    }
  return 0;
}

/* PT_GNU_RELRO must be the beginning of what is writable, or what it
   protects could not be told from data by one address.  */
static int
check_relro (const struct cs_elf *elf, const GElf_Phdr *relro,
             uint64_t start, uint64_t end, struct cs_err *err)
{
  if (relro->p_vaddr < start
      || !cs_elf_within (relro->p_vaddr, relro->p_memsz, start,
                         page_up (elf, end) - start))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "PT_GNU_RELRO: address 0x%" X " + 0x%" X " is not"
                        " within the writable 0x%" X " to 0x%" X,
                        relro->p_vaddr, relro->p_memsz, start, end);
  if (page_down (elf, relro->p_vaddr) != page_down (elf, start))
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "PT_GNU_RELRO at 0x%" X " does not begin the writable"
                        " memory at 0x%" X ", which is not supported",
                        relro->p_vaddr, start);
  return 0;
}

static int
find_data (struct cs_elf *elf, struct cs_err *err)
{
  struct cs_elf_layout *layout = &elf->layout;
  const GElf_Phdr *relro = NULL;
  uint64_t start, end;
  int res = find_writable (elf, &start, &end, err);

  if (res == 0)
    res = find_single (elf, PT_GNU_RELRO, "PT_GNU_RELRO", &relro, err);
  if (res < 0)
    return res;
  if (end == 0)
    {
      layout->data_start = layout->start + layout->len;
      return 0;
    }
  layout->data_start = page_down (elf, start);
  if (relro && relro->p_memsz > 0)
    {
      res = check_relro (elf, relro, start, end, err);
      if (res < 0)
        return res;
      /* ld.so protects whole pages (glibc, elf/dl-reloc.c,
         _dl_protect_relro): a page that RELRO shares stays writable.  */
      layout->data_start = page_down (elf, relro->p_vaddr + relro->p_memsz);
      if (layout->data_start < page_down (elf, start))
        layout->data_start = page_down (elf, start);
    }
  layout->data_len = page_up (elf, end) - layout->data_start;
  return 0;
}

static int
find_extent (struct cs_elf *elf, struct cs_err *err)
{
  struct cs_elf_layout *layout = &elf->layout;
  bool first = true;

  (void) err;
  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      const GElf_Phdr *ph = &elf->segments[i];

      if (ph->p_type != PT_LOAD)
        continue;
      if (first)
        layout->start = page_down (elf, ph->p_vaddr);
      first = false;
      layout->len = page_up (elf, ph->p_vaddr + ph->p_memsz) - layout->start;
      if (layout->align < ph->p_align)
        layout->align = ph->p_align;
    }
  return 0;
}

/* Where the initial contents of thread-local variables are.  */
static int
check_tls (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Phdr *tls;
  uint64_t off;
  int res = find_single (elf, PT_TLS, "PT_TLS", &tls, err);

  if (res < 0 || !tls)
    return res;
  if (tls->p_memsz < tls->p_filesz)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "PT_TLS: 0x%" X " bytes in memory, but 0x%" X
                        " in the file", tls->p_memsz, tls->p_filesz);
  if (tls->p_filesz == 0)
    return 0;
  return cs_elf_locate (elf, "PT_TLS", tls->p_vaddr, tls->p_filesz, &off,
                        err);
}

static int
find_dynamic (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Phdr *ph;
  uint64_t off;
  int res = find_single (elf, PT_DYNAMIC, "PT_DYNAMIC", &ph, err);

  if (res < 0)
    return res;
  if (!ph)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "not a shared library: no dynamic section");
  res = cs_elf_locate (elf, "PT_DYNAMIC", ph->p_vaddr, ph->p_filesz, &off,
                       err);
  if (res < 0)
    return res;
  if (off != ph->p_offset)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "PT_DYNAMIC: file offset is 0x%" X ", but its address"
                        " 0x%" X " is loaded from 0x%" X,
                        ph->p_offset, ph->p_vaddr, off);
  elf->dynamic_off = off;
  elf->dynamic_addr = ph->p_vaddr;
  elf->nr_dynamic = ph->p_filesz / cs_elf_record_len (elf, ELF_T_DYN);
  return 0;
}

int
cs_elf_read_layout (struct cs_elf *elf, struct cs_err *err)
{
  /* Each step reads only what the ones before have checked.  */
  static int (*const steps[]) (struct cs_elf *, struct cs_err *) = {
    check_ident,
    open_libelf,
    check_machine,
    check_header,
    read_segments,
    check_segments,
    find_extent,
    find_data,
    check_tls,
    find_dynamic
  };

  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    {
      int res = steps[i] (elf, err);

      if (res < 0)
        return res;
    }
  return 0;
}

/* -- The build-id.  */

static int
keep_build_id (struct cs_elf *elf, uint64_t off, size_t len,
               struct cs_err *err)
{
  if (elf->build_id)
    return 0;
  elf->build_id = malloc (2 * len + 1);
  if (!elf->build_id)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  elf->build_id[0] = '\0';
  for (size_t i = 0; i < len; i++)
    sprintf (elf->build_id + 2 * i, "%02x", elf->data[off + i]);
  return 0;
}

/* Look through the notes of segment I (gABI, "Note Section").  */
static int
read_notes (struct cs_elf *elf, size_t i, struct cs_err *err)
{
  const GElf_Phdr *ph = &elf->segments[i];
  Elf_Data *notes;
  GElf_Nhdr note;
  size_t name, desc;

  if (ph->p_filesz == 0)
    return 0;
  notes = elf_getdata_rawchunk (elf->elf, ph->p_offset, ph->p_filesz,
                                ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
  if (!notes)
    return cs_elf_fail (elf, err, CS_E_DAMAGED, "program header %zu: %s",
                        i, elf_errmsg (-1));
  for (size_t at = 0, next; at < notes->d_size; at = next)
    {
      next = gelf_getnote (notes, at, &note, &name, &desc);
      if (next <= at)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "program header %zu: the note at file offset"
                            " 0x%" X " exceeds the segment's 0x%" X " bytes",
                            i, ph->p_offset + at, ph->p_filesz);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU"
          && memcmp (elf->data + ph->p_offset + name, "GNU", 4) == 0)
        {
          int res = keep_build_id (elf, ph->p_offset + desc, note.n_descsz,
                                   err);
          if (res < 0)
            return res;
        }
    }
  return 0;
}

int
cs_elf_read_build_id (struct cs_elf *elf, struct cs_err *err)
{
  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      int res;

      if (elf->segments[i].p_type != PT_NOTE)
        continue;
      res = read_notes (elf, i, err);
      if (res < 0)
        return res;
    }
  return 0;
}
