/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* elf-versions.c -- symbol versions by number.

   DT_VERDEF and DT_VERNEED are lists linked by relative offsets (Linux
   Standard Base, Core, chapter 11.7, "Symbol Versioning").  Their records
   have the same form in both classes.  Every link must lead forwards, so
   that no list can be a loop, and the number of records is bounded by the
   count in the dynamic section.  */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "intern/elf-private.h"

#define X PRIx64

/* A field of the RECORD type at OFF.  */
#define FIELD(elf, off, record, field) \
  cs_elf_number (elf, (off) + offsetof (record, field), \
                 sizeof ((record *) NULL)->field)

/* Give version NUMBER (as symbols do) its name at string offset NAME.  */
static int
set_version (const struct cs_elf *elf, struct cs_elf_version *versions,
             const char *what, uint16_t number, uint64_t name,
             const char *library, struct cs_err *err)
{
  struct cs_elf_version *version;

  number &= CS_ELF_NR_VERSIONS - 1;     /* without the hidden bit */
  version = &versions[number];
  if (number < 2 || version->name)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: version number %u is %s", what, number,
                        version->name ? "used twice" : "reserved");
  version->library = library;
  return cs_elf_string (elf, what, name, &version->name, err);
}

/* The address NEXT bytes after ADDR, where the next record must be.  */
static int
follow (const struct cs_elf *elf, const char *what, uint64_t addr,
        uint64_t next, uint64_t *result, struct cs_err *err)
{
  if (next == 0)
    return cs_elf_fail (elf, err, CS_E_DAMAGED,
                        "%s: the list ends early, after the record at 0x%" X,
                        what, addr);
  *result = addr + next;        /* checked by the next step; no wrap-around:
                                   ADDR is an address, NEXT has 32 bits */
  return 0;
}

static int
read_definition (const struct cs_elf *elf, struct cs_elf_version *versions,
                 uint64_t addr, uint64_t off, struct cs_err *err)
{
  uint64_t aux = FIELD (elf, off, Elf64_Verdef, vd_aux);
  uint16_t flags = FIELD (elf, off, Elf64_Verdef, vd_flags);
  uint64_t aux_off;
  int res;

  if (FIELD (elf, off, Elf64_Verdef, vd_version) != VER_DEF_CURRENT)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "DT_VERDEF: record at 0x%" X " has format %u, not %u",
                        addr,
                        (unsigned) FIELD (elf, off, Elf64_Verdef, vd_version),
                        VER_DEF_CURRENT);
  /* The base definition names the library, not a version.  */
  if (flags & VER_FLG_BASE)
    return 0;
  res = cs_elf_locate (elf, "DT_VERDEF", addr + aux, sizeof (Elf64_Verdaux),
                       &aux_off, err);
  if (res < 0)
    return res;
  return set_version (elf, versions, "DT_VERDEF",
                      FIELD (elf, off, Elf64_Verdef, vd_ndx),
                      FIELD (elf, aux_off, Elf64_Verdaux, vda_name), "", err);
}

static int
read_definitions (const struct cs_elf *elf, struct cs_elf_version *versions,
                  uint64_t addr, uint64_t nr, struct cs_err *err)
{
  for (uint64_t i = 0; i < nr; i++)
    {
      uint64_t off;
      int res = cs_elf_locate (elf, "DT_VERDEF", addr, sizeof (Elf64_Verdef),
                               &off, err);

      if (res == 0)
        res = read_definition (elf, versions, addr, off, err);
      if (res == 0 && i + 1 < nr)
        res = follow (elf, "DT_VERDEF", addr,
                      FIELD (elf, off, Elf64_Verdef, vd_next), &addr, err);
      if (res < 0)
        return res;
    }
  return 0;
}

/* The versions wanted from one library.  */
static int
read_need (const struct cs_elf *elf, struct cs_elf_version *versions,
           uint64_t addr, uint64_t off, struct cs_err *err)
{
  uint64_t nr = FIELD (elf, off, Elf64_Verneed, vn_cnt);
  uint64_t aux = addr + FIELD (elf, off, Elf64_Verneed, vn_aux);
  const char *library;
  int res;

  if (FIELD (elf, off, Elf64_Verneed, vn_version) != VER_NEED_CURRENT)
    return cs_elf_fail (elf, err, CS_E_INCOMPATIBLE,
                        "DT_VERNEED: record at 0x%" X " has format %u, not"
                        " %u", addr,
                        (unsigned) FIELD (elf, off, Elf64_Verneed, vn_version),
                        VER_NEED_CURRENT);
  res = cs_elf_string (elf, "DT_VERNEED",
                       FIELD (elf, off, Elf64_Verneed, vn_file), &library,
                       err);
  for (uint64_t i = 0; res == 0 && i < nr; i++)
    {
      uint64_t aux_off;

      res = cs_elf_locate (elf, "DT_VERNEED", aux, sizeof (Elf64_Vernaux),
                           &aux_off, err);
      if (res == 0)
        res = set_version (elf, versions, "DT_VERNEED",
                           FIELD (elf, aux_off, Elf64_Vernaux, vna_other),
                           FIELD (elf, aux_off, Elf64_Vernaux, vna_name),
                           library, err);
      if (res == 0 && i + 1 < nr)
        res = follow (elf, "DT_VERNEED", aux,
                      FIELD (elf, aux_off, Elf64_Vernaux, vna_next), &aux,
                      err);
    }
  return res;
}

static int
read_needs (const struct cs_elf *elf, struct cs_elf_version *versions,
            uint64_t addr, uint64_t nr, struct cs_err *err)
{
  for (uint64_t i = 0; i < nr; i++)
    {
      uint64_t off;
      int res = cs_elf_locate (elf, "DT_VERNEED", addr,
                               sizeof (Elf64_Verneed), &off, err);

      if (res == 0)
        res = read_need (elf, versions, addr, off, err);
      if (res == 0 && i + 1 < nr)
        res = follow (elf, "DT_VERNEED", addr,
                      FIELD (elf, off, Elf64_Verneed, vn_next), &addr, err);
      if (res < 0)
        return res;
    }
  return 0;
}

int
cs_elf_read_versions (const struct cs_elf *elf,
                      struct cs_elf_version **versions, struct cs_err *err)
{
  const GElf_Dyn *def = cs_elf_dynamic (elf, DT_VERDEF);
  const GElf_Dyn *nr_def = cs_elf_dynamic (elf, DT_VERDEFNUM);
  const GElf_Dyn *need = cs_elf_dynamic (elf, DT_VERNEED);
  const GElf_Dyn *nr_need = cs_elf_dynamic (elf, DT_VERNEEDNUM);
  int res = 0;

  *versions = calloc (CS_ELF_NR_VERSIONS, sizeof **versions);
  if (!*versions)
    return cs_err_sys (err, ENOMEM, "cannot read '%s'", elf->path);
  /* Numbers 0 and 1 mean local and global without a version.  */
  (*versions)[0] = (*versions)[1] = (struct cs_elf_version) { "", "" };
  if (def && nr_def)
    res = read_definitions (elf, *versions, def->d_un.d_ptr,
                            nr_def->d_un.d_val, err);
  if (res == 0 && need && nr_need)
    res = read_needs (elf, *versions, need->d_un.d_ptr,
                      nr_need->d_un.d_val, err);
  if (res < 0)
    free (*versions);
  return res;
}
