/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* code.c -- which procedure an address of the interpreter's code is in.

   An image begins on a page, as a file that is mapped does, and is looked
   for backwards from the address.  */

#include <gelf.h>
#include <string.h>

#include "image/code.h"

#define IMAGE_LEN_MAX ((uint64_t) 16 << 20)

/* An image that an address is in.  */
struct image
{
  uint64_t addr, len;
  const unsigned char *bytes;
  Elf *elf;
};

/* Where the table of sections of the ELF image at BYTES ends, of which LEN are
   there; 0 if it is none.  Images for either word size begin alike.  */
static uint64_t
table_end (const unsigned char *bytes, uint64_t len)
{
  Elf64_Ehdr h64;
  Elf32_Ehdr h32;

  if (len < sizeof h64 || memcmp (bytes, ELFMAG, SELFMAG) != 0)
    return 0;
  memcpy (&h64, bytes, sizeof h64);
  memcpy (&h32, bytes, sizeof h32);
  if (bytes[EI_CLASS] == ELFCLASS64 && h64.e_shoff < IMAGE_LEN_MAX)
    return h64.e_shoff + (uint64_t) h64.e_shnum * h64.e_shentsize;
  if (bytes[EI_CLASS] == ELFCLASS32 && h32.e_shoff < IMAGE_LEN_MAX)
    return h32.e_shoff + (uint64_t) h32.e_shnum * h32.e_shentsize;
  return 0;
}

/* The end of the last section, or of their table, which lies among them.  */
static uint64_t
image_len (const unsigned char *bytes, uint64_t len)
{
  Elf *elf = elf_memory ((char *) bytes, len);
  Elf_Scn *section = NULL;
  GElf_Shdr header;

  while (elf && (section = elf_nextscn (elf, section)))
    if (gelf_getshdr (section, &header) && header.sh_type != SHT_NOBITS
        && header.sh_offset < IMAGE_LEN_MAX && header.sh_size < IMAGE_LEN_MAX
        && header.sh_offset + header.sh_size > len)
      len = header.sh_offset + header.sh_size;
  elf_end (elf);
  return len;
}

static bool
is_image (const struct cs_heap *heap, uint64_t addr, struct image *image)
{
  const unsigned char *bytes = cs_heap_view (heap, addr, CS_STORE_PAGE_LEN);
  uint64_t end = bytes ? table_end (bytes, CS_STORE_PAGE_LEN) : 0;

  image->addr = addr;
  image->bytes = end > 0 ? cs_heap_view (heap, addr, end) : NULL;
  if (!image->bytes)
    return false;
  image->len = image_len (image->bytes, end);
  image->bytes = cs_heap_view (heap, addr, image->len);
  return image->bytes;
}

static bool
find_image (const struct cs_heap *heap, uint64_t addr, struct image *image)
{
  uint64_t page = addr & -(uint64_t) CS_STORE_PAGE_LEN;

  for (uint64_t back = 0; back < IMAGE_LEN_MAX && page > 0;
       back += CS_STORE_PAGE_LEN, page -= CS_STORE_PAGE_LEN)
    {
      if (!cs_heap_view (heap, page, 1))
        return false;
      if (is_image (heap, page, image))
        return addr - page < image->len;
    }
  return false;
}

/* Section NAME and its bytes.  */
static const unsigned char *
find_section (const struct image *image, const char *name, GElf_Shdr *header)
{
  Elf_Scn *section = NULL;
  size_t names;
  const char *own;

  if (elf_getshdrstrndx (image->elf, &names) != 0)
    return NULL;
  while ((section = elf_nextscn (image->elf, section)))
    {
      if (!gelf_getshdr (section, header))
        continue;
      own = elf_strptr (image->elf, names, header->sh_name);
      if (own && strcmp (own, name) == 0)
        return header->sh_offset <= image->len
               && header->sh_size <= image->len - header->sh_offset
               ? image->bytes + header->sh_offset : NULL;
    }
  return NULL;
}

/* Copy a name that ends within LEN bytes; what is not printable is left
   out.  */
static void
copy_name (char *to, size_t room, const unsigned char *from, uint64_t len)
{
  size_t used = 0;

  for (uint64_t i = 0; i < len && from[i] && used < room - 1; i++)
    if (from[i] >= 0x20 && from[i] != 0x7f)
      to[used++] = (char) from[i];
  to[used] = '\0';
}

/* The compiler calls a procedure that it made for one of another module
   "name@module".  */
static void
cut_module (char *name)
{
  char *at = name[0] ? strchr (name + 1, '@') : NULL;

  if (at)
    *at = '\0';
}

static void
find_name (const struct image *image, uint64_t text_off,
           struct cs_code_place *place)
{
  GElf_Shdr table, strings;
  const unsigned char *symbols = find_section (image, ".symtab", &table);
  const unsigned char *names = find_section (image, ".strtab", &strings);
  size_t entry = gelf_getclass (image->elf) == ELFCLASS64
                 ? sizeof (Elf64_Sym) : sizeof (Elf32_Sym);
  Elf64_Sym s;
  Elf32_Sym s32;

  if (!symbols || !names)
    return;
  for (uint64_t off = 0; table.sh_size - off >= entry; off += entry)
    {
      if (entry == sizeof s)
        memcpy (&s, symbols + off, sizeof s);
      else
        {
          memcpy (&s32, symbols + off, sizeof s32);
          s = (Elf64_Sym) { .st_name = s32.st_name,
                            .st_value = s32.st_value,
                            .st_size = s32.st_size };
        }
      if (text_off - s.st_value >= s.st_size)
        continue;
      if (s.st_name < strings.sh_size)
        copy_name (place->name, sizeof place->name, names + s.st_name,
                   strings.sh_size - s.st_name);
      cut_module (place->name);
      return;
    }
}

/* Line numbers: DWARF 2, 6.2.  */

struct reader
{
  const unsigned char *at, *end;
  bool short_of;                /* something was not there */
};

static uint64_t
fixed (struct reader *r, unsigned len)
{
  uint64_t value = 0;

  if ((size_t) (r->end - r->at) < len)
    {
      r->short_of = true;
      r->at = r->end;
      return 0;
    }
  for (unsigned i = 0; i < len; i++)
    value |= (uint64_t) r->at[i] << (8 * i);
  r->at += len;
  return value;
}

/* LEB128; the sign is that of its last byte if IS_SIGNED.  */
static uint64_t
leb (struct reader *r, bool is_signed)
{
  uint64_t value = 0, byte;
  unsigned shift = 0;

  do
    {
      byte = fixed (r, 1);
      if (shift < 64)
        value |= (byte & 0x7f) << shift;
      shift += 7;
    }
  while ((byte & 0x80) && !r->short_of);
  if (is_signed && (byte & 0x40) && shift < 64)
    value |= ~(uint64_t) 0 << shift;
  return value;
}

static const unsigned char *
string (struct reader *r)
{
  const unsigned char *start = r->at;
  const unsigned char *nul = memchr (start, 0, (size_t) (r->end - start));

  r->short_of = r->short_of || !nul;
  r->at = nul ? nul + 1 : r->end;
  return start;
}

struct program
{
  uint64_t min_len, line_base, line_range, opcode_base;
  unsigned char nr_operands[256];
  const unsigned char *files;
  struct reader code;
};

static bool
read_header (const unsigned char *bytes, uint64_t len, struct program *p)
{
  struct reader r = { bytes, bytes + len, false };
  uint64_t unit_len = fixed (&r, 4), version = fixed (&r, 2), header_len;

  if (r.short_of || unit_len > len - 4 || version < 2 || version > 3)
    return false;
  r.end = bytes + 4 + unit_len;
  header_len = fixed (&r, 4);
  p->code = r;
  if (header_len > (uint64_t) (r.end - r.at))
    return false;
  p->code.at += header_len;
  p->min_len = fixed (&r, 1);
  fixed (&r, 1);
  p->line_base = (uint64_t) (int8_t) fixed (&r, 1);
  p->line_range = fixed (&r, 1);
  p->opcode_base = fixed (&r, 1);
  for (unsigned i = 1; i < p->opcode_base; i++)
    p->nr_operands[i] = (unsigned char) fixed (&r, 1);
  while (!r.short_of && r.at < r.end && *r.at)
    string (&r);                /* folders */
  fixed (&r, 1);
  p->files = r.at;
  return !r.short_of && p->line_range > 0 && p->opcode_base > 0;
}

static void
copy_file (const struct program *p, uint64_t number, char *to, size_t room)
{
  struct reader r = { p->files, p->code.end, false };
  const unsigned char *name = r.at;

  while (number > 0 && !r.short_of && r.at < r.end && *r.at)
    {
      name = string (&r);
      for (int i = 0; i < 3; i++)
        leb (&r, false);
      if (--number == 0 && !r.short_of)
        copy_name (to, room, name, (uint64_t) (r.end - name));
    }
}

struct row
{
  uint64_t addr, file, line, column;
};

/* One of the opcodes that are not special; false at the end.  */
static bool
step (struct program *p, uint64_t opcode, struct row *row, bool *complete)
{
  struct reader *r = &p->code;
  uint64_t len;

  switch (opcode)
    {
    case 0:                     /* extended */
      len = leb (r, false);
      if (len == 0 || len > (uint64_t) (r->end - r->at) || *r->at == 1)
        return false;
      if (*r->at == 2)          /* set address */
        {
          struct reader operand = { r->at + 1, r->at + len, false };
          row->addr = fixed (&operand, (unsigned) (len < 9 ? len - 1 : 8));
        }
      r->at += len;
      break;
    case 1: *complete = true; break;
    case 2: row->addr += leb (r, false) * p->min_len; break;
    case 3: row->line += leb (r, true); break;
    case 4: row->file = leb (r, false); break;
    case 5: row->column = leb (r, false); break;
    case 8:
      row->addr += (255 - p->opcode_base) / p->line_range * p->min_len;
      break;
    case 9: row->addr += fixed (r, 2); break;
    default:
      for (unsigned i = 0; i < p->nr_operands[opcode]; i++)
        leb (r, false);
    }
  return true;
}

/* The last row that is not behind OFF.  */
static void
find_line (const struct image *image, uint64_t off,
           struct cs_code_place *place)
{
  GElf_Shdr header;
  const unsigned char *bytes = find_section (image, ".debug_line", &header);
  struct program p = { 0 };
  struct row row = { 0, 1, 1, 0 }, last = { 0, 0, 0, 0 };
  bool complete;
  uint64_t opcode;

  if (!bytes || !read_header (bytes, header.sh_size, &p))
    return;
  while (p.code.at < p.code.end && !p.code.short_of)
    {
      opcode = fixed (&p.code, 1);
      complete = opcode >= p.opcode_base;
      if (complete)
        {
          opcode -= p.opcode_base;
          row.addr += opcode / p.line_range * p.min_len;
          row.line += p.line_base + opcode % p.line_range;
        }
      else if (!step (&p, opcode, &row, &complete))
        break;
      if (complete && row.addr > off)
        break;
      if (complete)
        last = row;
    }
  place->line = last.line;
  place->column = last.column > 0 ? last.column - 1 : 0;
  copy_file (&p, last.file, place->file, sizeof place->file);
}

bool
cs_code_find (const struct cs_heap *heap, uint64_t addr,
              struct cs_code_place *place)
{
  struct image image;
  GElf_Shdr text;
  uint64_t off;
  bool found = false;

  *place = (struct cs_code_place) { .line = 0 };
  if (elf_version (EV_CURRENT) == EV_NONE
      || !find_image (heap, addr, &image))
    return false;
  image.elf = elf_memory ((char *) image.bytes, image.len);
  if (image.elf && find_section (&image, ".rtl-text", &text))
    {
      off = addr - image.addr;
      found = off - text.sh_addr < text.sh_size;
    }
  if (found)
    {
      find_name (&image, off - text.sh_addr, place);
      find_line (&image, off, place);
    }
  elf_end (image.elf);
  return found;
}

/* Roots.  */

/* libguile/loader.c: DT_GUILE_GC_ROOT, DT_GUILE_GC_ROOT_SZ.  */
enum { GC_ROOT = 0x37146000, GC_ROOT_SZ = 0x37146001 };

/* The value of dynamic entry TAG of IMAGE, or 0: its table is the section
   ".dynamic".  */
static uint64_t
dynamic_value (const struct image *image, uint64_t tag)
{
  GElf_Shdr header;
  const unsigned char *at = find_section (image, ".dynamic", &header);
  const unsigned word = gelf_getclass (image->elf) == ELFCLASS64 ? 8 : 4;
  uint64_t entry[2];

  for (uint64_t off = 0; at && header.sh_size - off >= 2 * word
       && off < header.sh_size; off += 2 * word)
    {
      entry[0] = entry[1] = 0;
      memcpy (&entry[0], at + off, word);
      memcpy (&entry[1], at + off + word, word);
      if (entry[0] == tag)
        return entry[1];
      if (entry[0] == DT_NULL)
        break;
    }
  return 0;
}

static uint64_t
visit_image (struct image *image, cs_code_root_visit *visit, void *closure)
{
  uint64_t off, len;

  image->elf = elf_memory ((char *) image->bytes, image->len);
  if (!image->elf)
    return 0;
  off = dynamic_value (image, GC_ROOT);
  len = dynamic_value (image, GC_ROOT_SZ);
  elf_end (image->elf);
  if (len > 0 && off <= IMAGE_LEN_MAX && len <= IMAGE_LEN_MAX)
    visit (closure, image->addr + off, len);
  return image->len;
}

void
cs_code_each_root (const struct cs_heap *heap, cs_code_root_visit *visit,
                   void *closure)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (heap->store);
  struct image image;
  uint64_t page = 0, len;

  if (elf_version (EV_CURRENT) == EV_NONE)
    return;
  for (; page < sb->committed; page += len)
    {
      len = is_image (heap, sb->base + page, &image)
            ? visit_image (&image, visit, closure) : 0;
      len = (len + CS_STORE_PAGE_LEN - 1) & -(uint64_t) CS_STORE_PAGE_LEN;
      len = len ? len : CS_STORE_PAGE_LEN;
    }
}
