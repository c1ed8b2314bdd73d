/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-relocs.c -- the dynamic relocations.

   Three tables: DT_RELR (relative ones only, compressed), DT_RELA or DT_REL
   (which of them, the machine's ABI says), and DT_JMPREL (lazily bound, in
   the form of the former).  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "intern/elf-private.h"

#define X PRIx64

/* -- Parse: the records of DT_RELA, DT_REL and DT_JMPREL.  */

static Elf_Type
record_type (const struct cs_elf *elf)
{
  return elf->arch->rela ? ELF_T_RELA : ELF_T_REL;
}

/* Find the table whose address and length the dynamic entries TAG and
   LEN_TAG give.  */
static int
find_table (const struct cs_elf *elf, const char *name, int64_t tag,
            int64_t len_tag, struct cs_elf_table *table, struct cs_err *err)
{
  const GElf_Dyn *addr = cs_elf_dynamic (elf, tag);
  const GElf_Dyn *len = cs_elf_dynamic (elf, len_tag);
  size_t record_len = cs_elf_record_len (elf, record_type (elf));

  if (!addr || (len && len->d_un.d_val == 0))
    return 0;
  if (!len || len->d_un.d_val % record_len != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: 0x%" X " bytes are not whole records of 0x%zx",
                        name, len ? len->d_un.d_val : 0, record_len);
  table->nr = len->d_un.d_val / record_len;
  return cs_elf_locate (elf, name, addr->d_un.d_ptr, len->d_un.d_val,
                        &table->off, err);
}

/* A table of the other form than the machine's ABI prescribes.  */
static int
check_form (const struct cs_elf *elf, struct cs_err *err)
{
  bool rela = elf->arch->rela;
  const GElf_Dyn *entry = cs_elf_dynamic (elf, rela ? DT_RELAENT : DT_RELENT);
  const GElf_Dyn *plt = cs_elf_dynamic (elf, DT_PLTREL);
  uint64_t record_len = cs_elf_record_len (elf, record_type (elf));

  if (cs_elf_dynamic (elf, rela ? DT_REL : DT_RELA))
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "%s is not supported on %s",
                        rela ? "DT_REL" : "DT_RELA", elf->arch->name);
  if (entry && entry->d_un.d_val != record_len)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: 0x%" X " bytes, not 0x%" X,
                        rela ? "DT_RELAENT" : "DT_RELENT", entry->d_un.d_val,
                        record_len);
  if (cs_elf_dynamic (elf, DT_JMPREL)
      && (!plt || plt->d_un.d_val != (rela ? DT_RELA : DT_REL)))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_PLTREL: form %" PRIu64 ", not %d",
                        plt ? plt->d_un.d_val : 0, rela ? DT_RELA : DT_REL);
  return 0;
}

/* Some linkers let DT_RELASZ count the records of DT_JMPREL too, which
   follow at once (gABI, "DT_JMPREL").  Any other overlap is damage.  */
static int
separate_tables (struct cs_elf *elf, struct cs_err *err)
{
  uint64_t record_len = cs_elf_record_len (elf, record_type (elf));
  struct cs_elf_table *a = &elf->main_table, *b = &elf->plt_table;
  uint64_t a_end = a->off + a->nr * record_len;
  uint64_t b_end = b->off + b->nr * record_len;

  if (a->nr == 0 || b->nr == 0 || a_end <= b->off || b_end <= a->off)
    return 0;
  if (a_end != b_end || b->nr > a->nr)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_JMPREL at file offset 0x%" X " + 0x%" X
                        " overlaps other relocations at 0x%" X " + 0x%" X,
                        b->off, b_end - b->off, a->off, a_end - a->off);
  a->nr -= b->nr;
  return 0;
}

static int
find_tables (struct cs_elf *elf, struct cs_err *err)
{
  bool rela = elf->arch->rela;
  int res = check_form (elf, err);

  if (res == 0)
    res = find_table (elf, rela ? "DT_RELA" : "DT_REL",
                      rela ? DT_RELA : DT_REL, rela ? DT_RELASZ : DT_RELSZ,
                      &elf->main_table, err);
  if (res == 0)
    res = find_table (elf, "DT_JMPREL", DT_JMPREL, DT_PLTRELSZ,
                      &elf->plt_table, err);
  if (res == 0)
    res = separate_tables (elf, err);
  return res;
}

/* The addend that a REL record has left in the word.  */
static int64_t
word_addend (const struct cs_elf *elf, const struct cs_elf_reloc *reloc)
{
  uint64_t off;

  if (!cs_elf_find_bytes (elf, reloc->off, elf->arch->word_len, &off))
    return 0;                   /* .bss; anything else is refused later */
  /* Addresses have no sign, offsets do.  */
  if (elf->arch->word_len == 8 || reloc->kind == CS_RELOC_RELATIVE
      || reloc->kind == CS_RELOC_IRELATIVE)
    return cs_elf_word (elf, off);
  return (int32_t) cs_elf_word (elf, off);
}

static void
parse_record (const struct cs_elf *elf, Elf_Data *data, size_t i,
              struct cs_elf_reloc *reloc)
{
  GElf_Rela record;

  if (elf->arch->rela)
    gelf_getrela (data, i, &record);
  else
    {
      GElf_Rel rel;

      gelf_getrel (data, i, &rel);
      record = (GElf_Rela) { rel.r_offset, rel.r_info, 0 };
    }
  reloc->off = record.r_offset;
  reloc->type = GELF_R_TYPE (record.r_info);
  reloc->kind = elf->arch->reloc_kind (reloc->type);
  /* One that does nothing may name any symbol.  */
  reloc->symbol = reloc->kind == CS_RELOC_NONE ? 0
                  : GELF_R_SYM (record.r_info);
  reloc->addend = elf->arch->rela ? record.r_addend
                                  : word_addend (elf, reloc);
}

static int
parse_table (struct cs_elf *elf, const struct cs_elf_table *table, bool plt,
             struct cs_err *err)
{
  Elf_Data *data;

  if (table->nr == 0)
    return 0;
  data = cs_elf_records (elf, table->off, table->nr, record_type (elf));
  if (!data)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  for (size_t i = 0; i < table->nr; i++)
    {
      struct cs_elf_reloc *reloc = &elf->relocs[elf->nr_relocs++];

      parse_record (elf, data, i, reloc);
      reloc->plt = plt;
    }
  return 0;
}

/* -- Parse: DT_RELR (gABI draft of 2022, "Relative Relocation Table").

   An even word is the address of a word to relocate; an odd one is a bitmap
   of the words that follow.  The addends are in the words.  */

struct relr
{
  uint64_t next;                /* address after the words seen so far */
  uint32_t type;                /* the machine's RELATIVE */
};

/* The machine's number for RELATIVE.  */
static uint32_t
relative_type (const struct cs_elf *elf)
{
  uint32_t type = 0;

  while (elf->arch->reloc_kind (type) != CS_RELOC_RELATIVE)
    type++;
  return type;
}

/* Check the word at ADDR and keep it, unless only counting.  */
static int
add_relr (struct cs_elf *elf, const struct relr *relr, uint64_t addr,
          bool keep, struct cs_err *err)
{
  uint64_t off;
  int res = cs_elf_locate (elf, "DT_RELR", addr, elf->arch->word_len, &off,
                           err);

  if (res < 0)
    return res;
  if (keep)
    elf->relocs[elf->nr_relr] = (struct cs_elf_reloc) {
      .off = addr,
      .kind = CS_RELOC_RELATIVE,
      .type = relr->type,
      .addend = cs_elf_word (elf, off)
    };
  elf->nr_relr++;
  return 0;
}

static int
decode_entry (struct cs_elf *elf, struct relr *relr, uint64_t entry,
              bool keep, struct cs_err *err)
{
  unsigned word_len = elf->arch->word_len;
  uint64_t addr = relr->next;

  if ((entry & 1) == 0)
    {
      /* Rising addresses bound the table's result by the file's length.  */
      if (entry < relr->next)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "DT_RELR: address 0x%" X " after 0x%" X, entry,
                            relr->next);
      relr->next = entry + word_len;
      return add_relr (elf, relr, entry, keep, err);
    }
  if (addr == 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_RELR: begins with a bitmap, 0x%" X, entry);
  for (entry >>= 1; entry != 0; entry >>= 1, addr += word_len)
    {
      int res = entry & 1 ? add_relr (elf, relr, addr, keep, err) : 0;

      if (res < 0)
        return res;
    }
  relr->next += (8 * word_len - 1) * word_len;
  return 0;
}

/* Decode the NR words at OFF: count the relocations in nr_relr, or keep
   them.  */
static int
decode_relr (struct cs_elf *elf, const struct cs_elf_table *table, bool keep,
             struct cs_err *err)
{
  struct relr relr = { 0, relative_type (elf) };
  unsigned word_len = elf->arch->word_len;

  elf->nr_relr = 0;
  for (size_t i = 0; i < table->nr; i++)
    {
      uint64_t entry = cs_elf_word (elf, table->off + i * word_len);
      int res = decode_entry (elf, &relr, entry, keep, err);

      if (res < 0)
        return res;
    }
  return 0;
}

static int
find_relr (const struct cs_elf *elf, struct cs_elf_table *table,
           struct cs_err *err)
{
  const GElf_Dyn *addr = cs_elf_dynamic (elf, DT_RELR);
  const GElf_Dyn *len = cs_elf_dynamic (elf, DT_RELRSZ);
  const GElf_Dyn *entry = cs_elf_dynamic (elf, DT_RELRENT);
  unsigned word_len = elf->arch->word_len;

  if (!addr)
    return 0;
  if (!len || len->d_un.d_val % word_len != 0 || !entry
      || entry->d_un.d_val != word_len)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_RELR: 0x%" X " bytes in words of %" PRIu64
                        ", not %u", len ? len->d_un.d_val : 0,
                        entry ? entry->d_un.d_val : 0, word_len);
  table->nr = len->d_un.d_val / word_len;
  return cs_elf_locate (elf, "DT_RELR", addr->d_un.d_ptr, len->d_un.d_val,
                        &table->off, err);
}

int
cs_elf_read_relocs (struct cs_elf *elf, struct cs_err *err)
{
  struct cs_elf_table relr = { 0, 0 };
  int res = find_tables (elf, err);

  if (res == 0)
    res = find_relr (elf, &relr, err);
  if (res == 0)
    res = decode_relr (elf, &relr, false, err);
  if (res < 0)
    return res;

  elf->relocs = calloc (elf->nr_relr + elf->main_table.nr
                        + elf->plt_table.nr + 1, sizeof *elf->relocs);
  if (!elf->relocs)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  res = decode_relr (elf, &relr, true, err);
  elf->nr_relocs = elf->nr_relr;
  if (res == 0)
    res = parse_table (elf, &elf->main_table, false, err);
  if (res == 0)
    res = parse_table (elf, &elf->plt_table, true, err);
  return res;
}

/* -- Check.  */

static const char *
reloc_name (const struct cs_elf *elf, const struct cs_elf_reloc *reloc)
{
  return elf->arch->reloc_name (reloc->type);
}

static int
check_kind (const struct cs_elf *elf, const struct cs_elf_reloc *reloc,
            size_t i, struct cs_err *err)
{
  if (reloc->kind == CS_RELOC_UNSUPPORTED)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "relocation %zu, at address 0x%" X ": %s (%" PRIu32
                        ") is not supported",
                        i, reloc->off, reloc_name (elf, reloc), reloc->type);
  /* What binds lazily must be what ld.so's lazy code knows (glibc,
     sysdeps/x86_64/dl-machine.h and i386, elf_machine_lazy_rel).  */
  if (reloc->plt && reloc->kind != CS_RELOC_JUMP_SLOT
      && reloc->kind != CS_RELOC_IRELATIVE)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "relocation %zu, at address 0x%" X
                        ": %s in DT_JMPREL is not supported",
                        i, reloc->off, reloc_name (elf, reloc));
  return 0;
}

/* E4.  */
static int
check_word (const struct cs_elf *elf, const struct cs_elf_reloc *reloc,
            size_t i, struct cs_err *err)
{
  const GElf_Phdr *ph = cs_elf_segment_at (elf, reloc->off,
                                           elf->arch->word_len);

  if (!ph || !(ph->p_flags & PF_W))
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "relocation %zu, %s: address 0x%" X
                        " is not in a writable segment",
                        i, reloc_name (elf, reloc), reloc->off);
  return 0;
}

static int
check_symbol (const struct cs_elf *elf, const struct cs_elf_reloc *reloc,
              size_t i, struct cs_err *err)
{
  bool symbolic = reloc->kind == CS_RELOC_GLOB_DAT
                  || reloc->kind == CS_RELOC_JUMP_SLOT
                  || reloc->kind == CS_RELOC_ABSOLUTE;

  if (reloc->symbol >= elf->nr_symbols)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "relocation %zu, %s: symbol %" PRIu32 " of %zu",
                        i, reloc_name (elf, reloc), reloc->symbol,
                        elf->nr_symbols);
  if (symbolic && reloc->symbol == 0)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "relocation %zu, at address 0x%" X
                        ": %s without a symbol is not supported",
                        i, reloc->off, reloc_name (elf, reloc));
  return 0;
}

/* ld.so calls what an IRELATIVE word leads to.  */
static int
check_resolver (const struct cs_elf *elf, const struct cs_elf_reloc *reloc,
                size_t i, struct cs_err *err)
{
  uint64_t addr = cs_elf_wrap (elf, reloc->addend);
  const GElf_Phdr *ph = cs_elf_segment_at (elf, addr, 1);

  if (reloc->kind != CS_RELOC_IRELATIVE || (ph && (ph->p_flags & PF_X)))
    return 0;
  return cs_elf_fail (elf, err, CS_E_DAMAGED,
                      "relocation %zu, %s: address 0x%" X
                      " is not in an executable segment",
                      i, reloc_name (elf, reloc), addr);
}

/* A program has no fixed address to move to, and ld.so would refuse to load
   it.  Asked last, because a relocation that is not supported (R_..._COPY)
   says more.  */
static int
check_not_program (const struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *flags = cs_elf_dynamic (elf, DT_FLAGS_1);

  if (flags && (flags->d_un.d_val & DF_1_PIE))
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "not a shared library: a position-independent"
                        " program (DF_1_PIE)");
  return 0;
}

int
cs_elf_check_relocs (const struct cs_elf *elf, struct cs_err *err)
{
  for (size_t i = 0; i < elf->nr_relocs; i++)
    {
      const struct cs_elf_reloc *reloc = &elf->relocs[i];
      int res = check_kind (elf, reloc, i, err);

      if (reloc->kind == CS_RELOC_NONE && res == 0)
        continue;
      if (res == 0)
        res = check_word (elf, reloc, i, err);
      if (res == 0)
        res = check_symbol (elf, reloc, i, err);
      if (res == 0)
        res = check_resolver (elf, reloc, i, err);
      if (res < 0)
        return res;
    }
  return check_not_program (elf, err);
}
