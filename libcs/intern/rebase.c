/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rebase.c -- a copy of a library that loads at one fixed address.

   Parsing and checking of the library itself are done (intern/elf.h).  What
   is left goes in this order:

     check     the new place: alignment, address range
     compute   every change, into a plan: words to store, records to keep,
               slots to report; what cannot be expressed is refused here
     write     the copy is made and the plan carried out; only memory could
               run out, so all of it is had before

   R1  A word of the file is written at most once by each of: headers,
       dynamic entries, symbols, the plan's words.
   R2  The kept records fit the table they come from: they are some of it.
   R3  JUMP_SLOT records of DT_JMPREL keep their place, because each PLT
       entry holds its record's number (psABI, "Procedure Linkage Table").  */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"
#include "intern/rebase.h"

#define X PRIx64

/* A word to store at OFF of the copy.  */
struct word
{
  uint64_t off;
  uint64_t value;
};

/* A record that stays for ld.so: where it is in the library, and its new
   addend.  */
struct record
{
  size_t reloc;
  uint64_t addend;
};

struct plan
{
  const struct cs_elf *elf;
  uint64_t base;
  cs_rebase_resolver *resolver;
  void *closure;

  struct word *words;
  size_t nr_words;
  struct record *records;       /* of the main table */
  size_t nr_records;
  struct cs_rebase_slot *slots;
  size_t nr_slots;
};

/* -- Check.  */

static int
refuse (const struct cs_elf *elf, struct cs_err *err, const char *text,
        uint64_t addr, uint64_t limit)
{
  return cs_err_set (err, CS_E_INCOMPATIBLE,
                     "cannot move '%s': address 0x%" X " %s 0x%" X,
                     cs_elf_path (elf), addr, text, limit);
}

static int
check_place (const struct cs_elf *elf, uint64_t base, struct cs_err *err)
{
  const struct cs_elf_layout *layout = &elf->layout;
  uint64_t end = elf->arch->address_end;

  if (base % layout->align != 0)
    return refuse (elf, err, "is not a multiple of the alignment", base,
                   layout->align);
  if (base > end || !cs_elf_within (base + layout->start, layout->len, 0, end))
    return refuse (elf, err, "leads out of the machine's range, which ends at",
                   base, end);
  return 0;
}

/* -- Compute: relocations.  */

static void
keep_record (struct plan *plan, size_t i, uint64_t addend)
{
  /* The others (DT_JMPREL) stay where they are.  */
  if (!plan->elf->relocs[i].plt)
    plan->records[plan->nr_records++] = (struct record) { i, addend };
}

/* Report a word that will hold something else in each process.  */
static void
report_slot (struct plan *plan, const struct cs_elf_reloc *reloc)
{
  plan->slots[plan->nr_slots++] = (struct cs_rebase_slot) {
    .addr = reloc->off + plan->base,
    .symbol = reloc->symbol,
    .kind = reloc->kind
  };
}

/* Have VALUE stored in RELOC's word.  False if the file has no place for it,
   as the word is in .bss.  */
static bool
store_word (struct plan *plan, const struct cs_elf_reloc *reloc,
            uint64_t value)
{
  uint64_t off;

  if (!cs_elf_find_bytes (plan->elf, reloc->off, plan->elf->arch->word_len,
                          &off))
    return false;
  plan->words[plan->nr_words++]
    = (struct word) { off, cs_elf_wrap (plan->elf, value) };
  return true;
}

static int
refuse_bss (const struct plan *plan, const struct cs_elf_reloc *reloc,
            struct cs_err *err)
{
  return cs_err_set (err, CS_E_INCOMPATIBLE,
                     "cannot move '%s': the word of %s at address 0x%" X
                     " is not in the file", cs_elf_path (plan->elf),
                     plan->elf->arch->reloc_name (reloc->type), reloc->off);
}

static int
plan_relative (struct plan *plan, size_t i, struct cs_err *err)
{
  const struct cs_elf_reloc *reloc = &plan->elf->relocs[i];
  uint64_t value = (uint64_t) reloc->addend + plan->base;

  if (store_word (plan, reloc, value))
    return 0;
  /* A REL record would take its addend from the word.  */
  if (!plan->elf->arch->rela)
    return refuse_bss (plan, reloc, err);
  keep_record (plan, i, value);
  return 0;
}

static int
plan_irelative (struct plan *plan, size_t i, struct cs_err *err)
{
  const struct cs_elf_reloc *reloc = &plan->elf->relocs[i];
  uint64_t value = (uint64_t) reloc->addend + plan->base;

  if (!plan->elf->arch->rela && !store_word (plan, reloc, value))
    return refuse_bss (plan, reloc, err);
  keep_record (plan, i, value);
  report_slot (plan, reloc);
  return 0;
}

/* The value that the resolver gives to RELOC's word, if it does.  */
static bool
resolve (const struct plan *plan, const struct cs_elf_reloc *reloc,
         uint64_t *value)
{
  if (!plan->resolver
      || !plan->resolver (plan->closure, &plan->elf->symbols[reloc->symbol],
                          reloc, value))
    return false;
  if (reloc->kind == CS_RELOC_ABSOLUTE)
    *value += (uint64_t) reloc->addend;
  return true;
}

static int
check_value (const struct plan *plan, const struct cs_elf_reloc *reloc,
             uint64_t value, struct cs_err *err)
{
  if (cs_elf_wrap (plan->elf, value) == value
      || reloc->kind == CS_RELOC_ABSOLUTE)      /* wraps around */
    return 0;
  return cs_err_set (err, CS_E_INCOMPATIBLE,
                     "cannot move '%s': value 0x%" X " of symbol '%s' does"
                     " not fit a word of %u bytes", cs_elf_path (plan->elf),
                     value, plan->elf->symbols[reloc->symbol].name,
                     plan->elf->arch->word_len);
}

/* An unresolved JUMP_SLOT word leads back into the PLT.  ld.so adds l_addr
   to it, which will be 0, so that BASE must be in it already.  */
static void
move_plt_word (struct plan *plan, const struct cs_elf_reloc *reloc)
{
  uint64_t off;

  if (reloc->plt
      && cs_elf_find_bytes (plan->elf, reloc->off, plan->elf->arch->word_len,
                            &off))
    store_word (plan, reloc, cs_elf_word (plan->elf, off) + plan->base);
}

static int
plan_symbolic (struct plan *plan, size_t i, struct cs_err *err)
{
  const struct cs_elf_reloc *reloc = &plan->elf->relocs[i];
  uint64_t value;

  if (resolve (plan, reloc, &value))
    {
      int res = check_value (plan, reloc, value, err);

      if (res < 0 || store_word (plan, reloc, value))
        return res;
    }
  else
    move_plt_word (plan, reloc);
  keep_record (plan, i, (uint64_t) reloc->addend);
  report_slot (plan, reloc);
  return 0;
}

static int
plan_reloc (struct plan *plan, size_t i, struct cs_err *err)
{
  const struct cs_elf_reloc *reloc = &plan->elf->relocs[i];

  switch (reloc->kind)
    {
    case CS_RELOC_NONE:
      return 0;
    case CS_RELOC_RELATIVE:
      return plan_relative (plan, i, err);
    case CS_RELOC_IRELATIVE:
      return plan_irelative (plan, i, err);
    case CS_RELOC_GLOB_DAT:
    case CS_RELOC_JUMP_SLOT:
    case CS_RELOC_ABSOLUTE:
      return plan_symbolic (plan, i, err);
    case CS_RELOC_DTPMOD:
    case CS_RELOC_DTPOFF:
    case CS_RELOC_TPOFF:
      keep_record (plan, i, (uint64_t) reloc->addend);
      report_slot (plan, reloc);
      return 0;
    case CS_RELOC_UNSUPPORTED:
      break;
    }
  assert (!"cs_elf_open() lets no other kind pass");
  return 0;
}

/* GOT[0] holds the address of the dynamic section (psABI, "Global Offset
   Table").  The linker stores it; there is no record.  */
static void
plan_got (struct plan *plan)
{
  const struct cs_elf *elf = plan->elf;
  const GElf_Dyn *got = cs_elf_dynamic (elf, DT_PLTGOT);
  uint64_t off;

  if (!got || !cs_elf_find_bytes (elf, got->d_un.d_ptr, elf->arch->word_len,
                                  &off)
      || cs_elf_word (elf, off) != elf->dynamic_addr)
    return;
  plan->words[plan->nr_words++]
    = (struct word) { off, elf->dynamic_addr + plan->base };
}

static int
compare_slots (const void *a, const void *b)
{
  uint64_t x = ((const struct cs_rebase_slot *) a)->addr;
  uint64_t y = ((const struct cs_rebase_slot *) b)->addr;

  return (x > y) - (x < y);
}

static int
make_plan (struct plan *plan, struct cs_err *err)
{
  size_t nr = plan->elf->nr_relocs + 1;         /* and GOT[0] */

  plan->words = calloc (nr, sizeof *plan->words);
  plan->records = calloc (nr, sizeof *plan->records);
  plan->slots = calloc (nr, sizeof *plan->slots);
  if (!plan->words || !plan->records || !plan->slots)
    return cs_err_sys (err, ENOMEM, "cannot move '%s'",
                       cs_elf_path (plan->elf));
  for (size_t i = 0; i < plan->elf->nr_relocs; i++)
    {
      int res = plan_reloc (plan, i, err);

      if (res < 0)
        return res;
    }
  plan_got (plan);
  qsort (plan->slots, plan->nr_slots, sizeof *plan->slots, compare_slots);

  /* Only a DT_RELR word in .bss could break R2, and DT_RELR words are known
     to be in the file.  */
  assert (plan->nr_records <= plan->elf->main_table.nr);
  return 0;
}

static void
free_plan (struct plan *plan)
{
  free (plan->words);
  free (plan->records);
  free (plan->slots);
}

/* -- Write.  */

/* Where the fields to change are in the records of each class.  */
struct fields
{
  size_t e_entry;
  size_t p_vaddr, p_paddr, p_align;
  size_t sh_addr;
  size_t st_value;
  size_t d_tag, d_val;
  size_t r_offset, r_info, r_addend;
};

#define FIELDS(bits) { \
  .e_entry = offsetof (Elf##bits##_Ehdr, e_entry), \
  .p_vaddr = offsetof (Elf##bits##_Phdr, p_vaddr), \
  .p_paddr = offsetof (Elf##bits##_Phdr, p_paddr), \
  .p_align = offsetof (Elf##bits##_Phdr, p_align), \
  .sh_addr = offsetof (Elf##bits##_Shdr, sh_addr), \
  .st_value = offsetof (Elf##bits##_Sym, st_value), \
  .d_tag = offsetof (Elf##bits##_Dyn, d_tag), \
  .d_val = offsetof (Elf##bits##_Dyn, d_un), \
  .r_offset = offsetof (Elf##bits##_Rela, r_offset), \
  .r_info = offsetof (Elf##bits##_Rela, r_info), \
  .r_addend = offsetof (Elf##bits##_Rela, r_addend) \
}

static const struct fields fields32 = FIELDS (32);
static const struct fields fields64 = FIELDS (64);

/* The copy while it is written.  */
struct copy
{
  const struct cs_elf *elf;
  const struct fields *fields;
  uint64_t base;
  uint8_t *data;
};

static void
put_word (const struct copy *copy, uint64_t off, uint64_t value)
{
  for (int i = 0; i < copy->elf->arch->word_len; i++)
    copy->data[off + i] = value >> (8 * i);
}

/* Add BASE to the address at OFF.  */
static void
move_word (const struct copy *copy, uint64_t off)
{
  put_word (copy, off, cs_elf_word (copy->elf, off) + copy->base);
}

static void
write_header (const struct copy *copy)
{
  if (copy->elf->header.e_entry != 0)
    move_word (copy, copy->fields->e_entry);
}

static void
write_segments (const struct copy *copy)
{
  const struct cs_elf *elf = copy->elf;
  size_t record_len = cs_elf_record_len (elf, ELF_T_PHDR);

  for (size_t i = 0; i < elf->nr_segments; i++)
    {
      const GElf_Phdr *ph = &elf->segments[i];
      uint64_t off = elf->header.e_phoff + i * record_len;

      if (ph->p_type == PT_NULL || ph->p_type == PT_GNU_STACK)
        continue;               /* without an address */
      move_word (copy, off + copy->fields->p_vaddr);
      move_word (copy, off + copy->fields->p_paddr);
      /* For more than a page, ld.so would ask for a larger range than the
         image's, which need not be free (glibc, _dl_map_segment).  BASE is
         a multiple of the alignment as it is.  */
      if (ph->p_type == PT_LOAD)
        put_word (copy, off + copy->fields->p_align, elf->arch->page_len);
    }
}

/* For debuggers and readelf; ld.so does not look at sections.  */
static void
write_sections (const struct copy *copy)
{
  const struct cs_elf *elf = copy->elf;
  size_t record_len = cs_elf_record_len (elf, ELF_T_SHDR);

  if (elf->header.e_shoff == 0)
    return;
  for (size_t i = 0; i < elf->header.e_shnum; i++)
    {
      GElf_Shdr section;

      if (gelf_getshdr (elf_getscn (elf->elf, i), &section)
          && (section.sh_flags & SHF_ALLOC))
        move_word (copy, elf->header.e_shoff + i * record_len
                         + copy->fields->sh_addr);
    }
}

static void
write_symbols (const struct copy *copy)
{
  const struct cs_elf *elf = copy->elf;
  size_t record_len = cs_elf_record_len (elf, ELF_T_SYM);

  for (size_t i = 1; i < elf->nr_symbols; i++)
    {
      const struct cs_elf_symbol *symbol = &elf->symbols[i];

      if (symbol->defined && !symbol->tls && !symbol->absolute)
        move_word (copy, elf->symbol_table.off + i * record_len
                         + copy->fields->st_value);
    }
}

/* Is it an entry that the copy goes without?  */
static bool
is_dropped (const struct cs_elf *elf, int64_t tag)
{
  return tag == DT_RELR || tag == DT_RELRSZ || tag == DT_RELRENT
         || elf->arch->is_plt_tag (tag);
}

static void
write_dynamic_entry (const struct copy *copy, size_t i, size_t nr_records)
{
  const struct cs_elf *elf = copy->elf;
  uint64_t off = elf->dynamic_off + i * cs_elf_record_len (elf, ELF_T_DYN);
  Elf_Type record = elf->arch->rela ? ELF_T_RELA : ELF_T_REL;

  if (is_dropped (elf, elf->dynamic[i].d_tag))
    {
      put_word (copy, off + copy->fields->d_tag, DT_DEBUG);
      put_word (copy, off + copy->fields->d_val, 0);
      return;
    }
  switch (elf->dynamic[i].d_tag)
    {
    case DT_RELASZ:
    case DT_RELSZ:
      put_word (copy, off + copy->fields->d_val,
                nr_records * cs_elf_record_len (elf, record));
      break;
    case DT_RELACOUNT:
    case DT_RELCOUNT:
      put_word (copy, off + copy->fields->d_val, 0);
      break;
    default:
      if (cs_elf_tag_is_address (elf->dynamic[i].d_tag))
        move_word (copy, off + copy->fields->d_val);
    }
}

/* Write RELOC's record at OFF; ADDEND only counts for RELA.  */
static void
write_record (const struct copy *copy, uint64_t off,
              const struct cs_elf_reloc *reloc, uint64_t addend)
{
  bool wide = copy->elf->arch->word_len == 8;
  uint64_t info = wide ? GELF_R_INFO ((uint64_t) reloc->symbol, reloc->type)
                       : ELF32_R_INFO (reloc->symbol, reloc->type);

  put_word (copy, off + copy->fields->r_offset, reloc->off + copy->base);
  put_word (copy, off + copy->fields->r_info, info);
  if (copy->elf->arch->rela)
    put_word (copy, off + copy->fields->r_addend, addend);
}

/* Move the kept records together; the rest becomes R_..._NONE, which is all
   zeros on both machines.  */
static void
write_main_table (const struct copy *copy, const struct plan *plan)
{
  const struct cs_elf *elf = copy->elf;
  const struct cs_elf_table *table = &elf->main_table;
  size_t record_len
    = cs_elf_record_len (elf, elf->arch->rela ? ELF_T_RELA : ELF_T_REL);

  memset (copy->data + table->off, 0, table->nr * record_len);
  for (size_t i = 0; i < plan->nr_records; i++)
    write_record (copy, table->off + i * record_len,
                  &elf->relocs[plan->records[i].reloc],
                  plan->records[i].addend);
}

/* All records stay (R3); only addresses change.  */
static void
write_plt_table (const struct copy *copy)
{
  const struct cs_elf *elf = copy->elf;
  const struct cs_elf_table *table = &elf->plt_table;
  const struct cs_elf_reloc *relocs
    = elf->relocs + elf->nr_relocs - table->nr;
  size_t record_len
    = cs_elf_record_len (elf, elf->arch->rela ? ELF_T_RELA : ELF_T_REL);

  for (size_t i = 0; i < table->nr; i++)
    {
      uint64_t addend = (uint64_t) relocs[i].addend;

      if (relocs[i].kind == CS_RELOC_IRELATIVE)
        addend += copy->base;
      write_record (copy, table->off + i * record_len, &relocs[i], addend);
    }
}

static void
write_copy (const struct copy *copy, const struct plan *plan)
{
  write_header (copy);
  write_segments (copy);
  write_sections (copy);
  write_symbols (copy);
  for (size_t i = 0; i < copy->elf->nr_dynamic; i++)
    write_dynamic_entry (copy, i, plan->nr_records);
  write_main_table (copy, plan);
  write_plt_table (copy);
  for (size_t i = 0; i < plan->nr_words; i++)
    put_word (copy, plan->words[i].off, plan->words[i].value);
}

/* A word that is stored could be one of those that say what is where, for
   example an entry of the dynamic section.  No linker makes such a
   relocation.  */
static int
check_copy (const struct cs_elf *elf, const void *data, struct cs_err *err)
{
  struct cs_elf *again;
  int res = cs_elf_open_memory (cs_elf_path (elf), data, elf->len, &again,
                                err);

  if (res == 0)
    cs_elf_close (again);
  else if (res == -CS_E_DAMAGED)
    res = cs_err_set (err, CS_E_INCOMPATIBLE, "cannot move '%s': its "
                      "relocations change what ld.so needs to load it",
                      cs_elf_path (elf));
  return res;
}

int
cs_rebase (const struct cs_elf *elf, uint64_t base,
           cs_rebase_resolver *resolver, void *closure,
           struct cs_rebased *out, struct cs_err *err)
{
  struct plan plan = {
    .elf = elf, .base = base, .resolver = resolver, .closure = closure
  };
  struct copy copy = {
    .elf = elf,
    .fields = elf->arch->word_len == 8 ? &fields64 : &fields32,
    .base = base
  };
  int res = check_place (elf, base, err);

  if (res == 0)
    res = make_plan (&plan, err);
  if (res == 0 && !(copy.data = malloc (elf->len)))
    res = cs_err_sys (err, ENOMEM, "cannot move '%s'", cs_elf_path (elf));
  if (res == 0)
    {
      memcpy (copy.data, elf->data, elf->len);
      write_copy (&copy, &plan);
      res = check_copy (elf, copy.data, err);
    }
  if (res < 0)
    {
      free (copy.data);
      free_plan (&plan);
      return res;
    }

  *out = (struct cs_rebased) {
    copy.data, elf->len, plan.slots, plan.nr_slots
  };
  plan.slots = NULL;            /* given to the caller */
  free_plan (&plan);
  return 0;
}

void
cs_rebased_fini (struct cs_rebased *rebased)
{
  free (rebased->data);
  free (rebased->slots);
  *rebased = (struct cs_rebased) { NULL, 0, NULL, 0 };
}
