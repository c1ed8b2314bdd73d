/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-symbols.c -- the dynamic symbols.

   DT_SYMTAB does not tell its length.  DT_HASH has one chain word a symbol;
   DT_GNU_HASH holds the symbols from a first number on, sorted by bucket,
   and a bit ends each bucket's chain: the end of the last one is the end of
   the table.  If it holds nothing at all, the relocations tell.  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "intern/elf-private.h"

#define X PRIx64

enum { HASH_WORD = 4 };         /* bytes, on both machines */

static uint32_t
hash_word (const struct cs_elf *elf, uint64_t off, uint64_t i)
{
  return cs_elf_number (elf, off + i * HASH_WORD, HASH_WORD);
}

/* -- DT_HASH (gABI, "Hash Table").  */

/* Check that the buckets at OFF lead to at most NR_CHAINS symbols, each
   once, so that no search can run in circles.  */
static int
check_chains (const struct cs_elf *elf, uint64_t off, uint32_t nr_buckets,
              uint32_t nr_chains, struct cs_err *err)
{
  uint64_t chains = off + (uint64_t) nr_buckets * HASH_WORD;
  uint64_t steps = 0;

  for (uint32_t i = 0; i < nr_buckets; i++)
    for (uint32_t at = hash_word (elf, off, i); at != 0;
         at = hash_word (elf, chains, at))
      if (at >= nr_chains || ++steps > nr_chains)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "DT_HASH: the chain of bucket %" PRIu32 " leads to"
                            " symbol %" PRIu32 " of %" PRIu32 "%s",
                            i, at, nr_chains,
                            at < nr_chains ? " again" : "");
  return 0;
}

static int
count_hash (const struct cs_elf *elf, uint64_t addr, uint64_t *nr,
            struct cs_err *err)
{
  uint32_t nr_buckets, nr_chains;
  uint64_t off;
  int res = cs_elf_locate (elf, "DT_HASH", addr, 2 * HASH_WORD, &off, err);

  if (res < 0)
    return res;
  nr_buckets = hash_word (elf, off, 0);
  nr_chains = hash_word (elf, off, 1);
  res = cs_elf_locate (elf, "DT_HASH", addr,
                       (2 + (uint64_t) nr_buckets + nr_chains) * HASH_WORD,
                       &off, err);
  if (res < 0)
    return res;
  if (nr_buckets == 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED, "DT_HASH: no buckets");
  *nr = nr_chains;
  return check_chains (elf, off + 2 * HASH_WORD, nr_buckets, nr_chains, err);
}

/* -- DT_GNU_HASH (glibc, elf/dl-lookup.c and elf/dl-setup_hash.c).  */

struct gnu_hash
{
  uint32_t nr_buckets;
  uint32_t first;               /* the first symbol that it holds */
  uint64_t buckets_addr;
  uint64_t buckets;             /* file offset */
};

static int
read_gnu_hash (const struct cs_elf *elf, uint64_t addr, struct gnu_hash *hash,
               struct cs_err *err)
{
  uint64_t off, bloom_words;
  int res = cs_elf_locate (elf, "DT_GNU_HASH", addr, 4 * HASH_WORD, &off,
                           err);

  if (res < 0)
    return res;
  hash->nr_buckets = hash_word (elf, off, 0);
  hash->first = hash_word (elf, off, 1);
  bloom_words = hash_word (elf, off, 2);
  if (hash->nr_buckets == 0 || bloom_words == 0
      || (bloom_words & (bloom_words - 1)) != 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_GNU_HASH: %" PRIu32 " buckets, filter of %" PRIu64
                        " words at file offset 0x%" X,
                        hash->nr_buckets, bloom_words, off);
  addr += 4 * HASH_WORD;
  res = cs_elf_locate (elf, "DT_GNU_HASH", addr,
                       bloom_words * elf->arch->word_len
                       + (uint64_t) hash->nr_buckets * HASH_WORD, &off, err);
  hash->buckets_addr = addr + bloom_words * elf->arch->word_len;
  hash->buckets = off + bloom_words * elf->arch->word_len;
  return res;
}

/* The highest symbol that a bucket begins with, 0 if all are empty.  */
static int
last_bucket (const struct cs_elf *elf, const struct gnu_hash *hash,
             uint32_t *last, struct cs_err *err)
{
  *last = 0;
  for (uint32_t i = 0; i < hash->nr_buckets; i++)
    {
      uint32_t symbol = hash_word (elf, hash->buckets, i);

      if (symbol != 0 && symbol < hash->first)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "DT_GNU_HASH: bucket %" PRIu32 " begins with"
                            " symbol %" PRIu32 ", before the first, %" PRIu32,
                            i, symbol, hash->first);
      if (*last < symbol)
        *last = symbol;
    }
  return 0;
}

/* 0 in *NR if the table is empty.  */
static int
count_gnu_hash (const struct cs_elf *elf, uint64_t addr, uint64_t *nr,
                struct cs_err *err)
{
  struct gnu_hash hash = { 0 };
  uint64_t chains_addr, off;
  uint32_t last = 0;
  int res = read_gnu_hash (elf, addr, &hash, err);

  if (res == 0)
    res = last_bucket (elf, &hash, &last, err);
  if (res < 0)
    return res;
  *nr = 0;
  if (last == 0)
    return 0;
  chains_addr = hash.buckets_addr + (uint64_t) hash.nr_buckets * HASH_WORD;
  for (uint64_t symbol = last;; symbol++)
    {
      res = cs_elf_locate (elf, "DT_GNU_HASH",
                           chains_addr + (symbol - hash.first) * HASH_WORD,
                           HASH_WORD, &off, err);
      if (res < 0)
        return res;
      if (hash_word (elf, off, 0) & 1)
        {
          *nr = symbol + 1;
          return 0;
        }
    }
}

/* -- The table.  */

/* One more than the highest symbol that a relocation refers to.  */
static uint64_t
count_relocated (const struct cs_elf *elf)
{
  uint64_t nr = 1;

  for (size_t i = 0; i < elf->nr_relocs; i++)
    if (nr <= elf->relocs[i].symbol)
      nr = (uint64_t) elf->relocs[i].symbol + 1;
  return nr;
}

static int
count_symbols (const struct cs_elf *elf, uint64_t *nr, struct cs_err *err)
{
  const GElf_Dyn *hash = cs_elf_dynamic (elf, DT_HASH);
  const GElf_Dyn *gnu = cs_elf_dynamic (elf, DT_GNU_HASH);
  uint64_t nr_hash = 0, nr_gnu = 0;
  int res = 0;

  if (hash)
    res = count_hash (elf, hash->d_un.d_ptr, &nr_hash, err);
  if (res == 0 && gnu)
    res = count_gnu_hash (elf, gnu->d_un.d_ptr, &nr_gnu, err);
  if (res < 0)
    return res;
  if (hash && nr_gnu > nr_hash)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_GNU_HASH has %" PRIu64 " symbols, but DT_HASH"
                        " %" PRIu64, nr_gnu, nr_hash);
  *nr = nr_hash ? nr_hash : nr_gnu ? nr_gnu : count_relocated (elf);
  if ((!hash && !gnu) || *nr <= 1)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE, "no dynamic symbols");
  return 0;
}

static int
find_table (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *table = cs_elf_dynamic (elf, DT_SYMTAB);
  const GElf_Dyn *entry = cs_elf_dynamic (elf, DT_SYMENT);
  uint64_t record_len = cs_elf_record_len (elf, ELF_T_SYM);
  uint64_t nr = 0;
  int res;

  if (!table)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "no dynamic symbols: no DT_SYMTAB");
  if (entry && entry->d_un.d_val != record_len)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "DT_SYMENT: 0x%" X " bytes, not 0x%" X,
                        entry->d_un.d_val, record_len);
  res = count_symbols (elf, &nr, err);
  if (res < 0)
    return res;
  /* NR has at most 33 bits.  */
  res = cs_elf_locate (elf, "DT_SYMTAB", table->d_un.d_ptr, nr * record_len,
                       &elf->symbol_table.off, err);
  elf->symbol_table.nr = nr;
  return res;
}

static enum cs_symbol_kind
classify (unsigned type)
{
  switch (type)
    {
    case STT_FUNC:
    case STT_GNU_IFUNC:
      return CS_SYMBOL_FUNCTION;
    case STT_OBJECT:
    case STT_COMMON:
      return CS_SYMBOL_DATA;
    default:
      return CS_SYMBOL_OTHER;
    }
}

static bool
is_global (const GElf_Sym *sym)
{
  unsigned binding = GELF_ST_BIND (sym->st_info);
  unsigned visibility = GELF_ST_VISIBILITY (sym->st_other);

  return (binding == STB_GLOBAL || binding == STB_WEAK
          || binding == STB_GNU_UNIQUE)
         && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

static void
fill_symbol (const GElf_Sym *sym, struct cs_elf_symbol *symbol)
{
  unsigned type = GELF_ST_TYPE (sym->st_info);

  symbol->value = sym->st_value;
  symbol->size = sym->st_size;
  symbol->kind = classify (type);
  symbol->defined = sym->st_shndx != SHN_UNDEF;
  symbol->absolute = sym->st_shndx == SHN_ABS;
  symbol->tls = type == STT_TLS;
  symbol->ifunc = type == STT_GNU_IFUNC;
  symbol->global = is_global (sym);
  symbol->weak = GELF_ST_BIND (sym->st_info) == STB_WEAK;
}

/* Check that what SYMBOL names is in the image.  */
static int
check_place (const struct cs_elf *elf, size_t i, struct cs_err *err)
{
  const struct cs_elf_symbol *symbol = &elf->symbols[i];
  const struct cs_elf_layout *layout = &elf->layout;

  /* An offset in a thread's block is ld.so's affair.  */
  if (!symbol->defined || symbol->absolute || symbol->tls)
    return 0;
  if (cs_elf_within (symbol->value, symbol->size, layout->start, layout->len))
    return 0;
  return cs_elf_fail (elf, err, CS_E_DAMAGED,
                      "symbol %zu, '%s': address 0x%" X " + 0x%" X
                      " is not in the image's 0x%" X " + 0x%" X, i,
                      symbol->name, symbol->value, symbol->size,
                      layout->start, layout->len);
}

static int
read_table (struct cs_elf *elf, struct cs_err *err)
{
  size_t nr = elf->symbol_table.nr;
  Elf_Data *data = cs_elf_records (elf, elf->symbol_table.off, nr, ELF_T_SYM);

  elf->symbols = calloc (nr, sizeof *elf->symbols);
  if (!data || !elf->symbols)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  elf->nr_symbols = nr;
  for (size_t i = 0; i < nr; i++)
    {
      struct cs_elf_symbol *symbol = &elf->symbols[i];
      GElf_Sym sym;
      int res;

      gelf_getsym (data, i, &sym);
      fill_symbol (&sym, symbol);
      /* Number 0 stands for no symbol (gABI, STN_UNDEF).  */
      symbol->defined = symbol->defined && i > 0;
      res = cs_elf_string (elf, "DT_SYMTAB", sym.st_name, &symbol->name, err);
      if (res == 0)
        res = check_place (elf, i, err);
      if (res < 0)
        return res;
    }
  return 0;
}

/* -- Versions.  */

/* Without versions, all are the default.  */
static void
clear_versions (struct cs_elf *elf)
{
  for (size_t i = 0; i < elf->nr_symbols; i++)
    {
      elf->symbols[i].version = elf->symbols[i].library = "";
      elf->symbols[i].default_version = elf->symbols[i].defined;
    }
}

static int
assign_versions (struct cs_elf *elf, const struct cs_elf_version *versions,
                 uint64_t off, struct cs_err *err)
{
  for (size_t i = 0; i < elf->nr_symbols; i++)
    {
      struct cs_elf_symbol *symbol = &elf->symbols[i];
      uint16_t number = cs_elf_number (elf, off + i * sizeof (Elf64_Half),
                                       sizeof (Elf64_Half));
      bool hidden = number & CS_ELF_NR_VERSIONS;
      const struct cs_elf_version *version
        = &versions[number & (CS_ELF_NR_VERSIONS - 1)];

      if (!version->name)
        return cs_elf_fail (elf, err, CS_E_DAMAGED,
                            "DT_VERSYM: symbol %zu, '%s' has version number"
                            " %u, which is not defined",
                            i, symbol->name, number & 0x7fff);
      symbol->version = version->name;
      symbol->library = symbol->defined ? "" : version->library;
      symbol->default_version = symbol->defined && !hidden;
    }
  return 0;
}

static int
read_symbol_versions (struct cs_elf *elf, struct cs_err *err)
{
  const GElf_Dyn *versym = cs_elf_dynamic (elf, DT_VERSYM);
  struct cs_elf_version *versions;
  uint64_t off;
  int res;

  clear_versions (elf);
  if (!versym)
    return 0;
  res = cs_elf_locate (elf, "DT_VERSYM", versym->d_un.d_ptr,
                       (uint64_t) elf->nr_symbols * sizeof (Elf64_Half), &off,
                       err);
  if (res == 0)
    res = cs_elf_read_versions (elf, &versions, err);
  if (res < 0)
    return res;
  res = assign_versions (elf, versions, off, err);
  free (versions);
  return res;
}

/* -- The index by name.  */

static size_t
hash_name (const char *name)
{
  uint32_t hash = 2166136261u;  /* FNV-1a, 32 bits */

  for (; *name; name++)
    hash = (hash ^ (unsigned char) *name) * 16777619u;
  return hash;
}

static bool
is_found_by_name (const struct cs_elf_symbol *symbol)
{
  return symbol->defined && symbol->global && symbol->default_version;
}

static int
build_index (struct cs_elf *elf, struct cs_err *err)
{
  size_t nr = 16;

  while (nr < elf->nr_symbols)
    nr *= 2;
  elf->index_mask = nr - 1;
  elf->index_heads = calloc (nr, sizeof *elf->index_heads);
  elf->index_next = calloc (elf->nr_symbols, sizeof *elf->index_next);
  if (!elf->index_heads || !elf->index_next)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);

  /* From the end, so that the first of two with one name is found.  */
  for (size_t i = elf->nr_symbols; i-- > 1;)
    {
      const struct cs_elf_symbol *symbol = &elf->symbols[i];
      uint32_t *head;

      if (!is_found_by_name (symbol))
        continue;
      head = &elf->index_heads[hash_name (symbol->name) & elf->index_mask];
      elf->index_next[i] = *head;
      *head = i + 1;
    }
  return 0;
}

const struct cs_elf_symbol *
cs_elf_symbol_find (const struct cs_elf *elf, const char *name)
{
  uint32_t at = elf->index_heads[hash_name (name) & elf->index_mask];

  for (; at != 0; at = elf->index_next[at - 1])
    if (strcmp (elf->symbols[at - 1].name, name) == 0)
      return &elf->symbols[at - 1];
  return NULL;
}

int
cs_elf_read_symbols (struct cs_elf *elf, struct cs_err *err)
{
  int res = find_table (elf, err);

  if (res == 0)
    res = read_table (elf, err);
  if (res == 0)
    res = read_symbol_versions (elf, err);
  if (res == 0)
    res = build_index (elf, err);
  return res;
}
