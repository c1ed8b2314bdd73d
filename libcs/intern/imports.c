/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imports.c -- replaced calls of libraries that are not carried.

   Works on what ld.so has loaded, through its documented views of it
   (dl_iterate_phdr(3), dlinfo(3)) and the ELF tables of each object in
   memory.  ld.so has checked those tables; they are not checked again.  */

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intern/arch.h"
#include "intern/imports.h"
#include "report.h"

struct object                   /* one loaded library */
{
  const char *soname;
  ElfW (Addr) addr;             /* load address */
  const ElfW (Dyn) *dynamic;
  const uint8_t *build_id;
  uint32_t build_id_len;
  ElfW (Addr) relro, relro_len;
  ElfW (Addr) data, data_end;   /* from the first to the last writable byte */
  bool needed;                  /* by a carried library, directly or not */
  bool never;                   /* the program, libc, ld.so, a carried one */
};

struct binder
{
  struct cs_store *store;
  struct cs_imports_disk *imports;
  cs_library_replacement *find;
  void *found[CS_LIBRARY_REPLACEMENTS_MAX];     /* of imports->names */
  struct cs_policy *policy;     /* parsed when it is first needed */
  struct object *objects;
  size_t nr, room;
  bool changed;                 /* there was one that the last start had not */
};

/* A d_ptr of the dynamic section: glibc relocates it in place for most
   objects, but not for the vDSO and read-only dynamic sections.  */
static uintptr_t
dynamic_addr (const struct object *o, ElfW (Sxword) tag)
{
  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    if (d->d_tag == tag)
      return d->d_un.d_ptr < o->addr ? d->d_un.d_ptr + o->addr
                                     : d->d_un.d_ptr;
  return 0;
}

static ElfW (Xword)
dynamic_value (const struct object *o, ElfW (Sxword) tag)
{
  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    if (d->d_tag == tag)
      return d->d_un.d_val;
  return 0;
}

static const char *
soname_of (const struct object *o, const char *path)
{
  const char *strings = (const char *) dynamic_addr (o, DT_STRTAB);
  ElfW (Xword) off = dynamic_value (o, DT_SONAME);
  const char *slash = strrchr (path, '/');

  if (strings && off)
    return strings + off;
  return slash ? slash + 1 : path;
}

static void
read_note (struct object *o, const ElfW (Phdr) *segment)
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
add_data (struct object *o, const ElfW (Phdr) *segment)
{
  ElfW (Addr) start = o->addr + segment->p_vaddr;

  if (o->data_end == 0 || start < o->data)
    o->data = start;
  if (start + segment->p_memsz > o->data_end)
    o->data_end = start + segment->p_memsz;
}

static void
read_segments (struct object *o, const struct dl_phdr_info *info)
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
static struct object *
new_object (struct binder *b)
{
  size_t room = b->room ? 2 * b->room : 64;
  struct object *objects;

  if (b->nr == b->room)
    {
      objects = realloc (b->objects, room * sizeof *objects);
      if (!objects)
        return NULL;
      b->objects = objects;
      b->room = room;
    }
  return &b->objects[b->nr++];
}

static int
add_object (struct dl_phdr_info *info, size_t len, void *closure)
{
  struct binder *b = closure;
  struct object *o = new_object (b);

  (void) len;
  if (!o)
    return -ENOMEM;
  *o = (struct object) { .addr = info->dlpi_addr };
  read_segments (o, info);
  o->soname = soname_of (o, info->dlpi_name);
  if (o->build_id_len > sizeof ((struct cs_import_record_disk *) 0)->build_id)
    o->build_id_len = 0;
  o->never = b->nr == 1 || !o->dynamic
             || cs_store_contains (b->store, o->dynamic)
             || strncmp (o->soname, "libc.so.", 8) == 0
             || strncmp (o->soname, "ld-linux", 8) == 0
             || strncmp (o->soname, "ld.so", 5) == 0
             || strncmp (o->soname, "linux-", 6) == 0;
  return 0;
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
  struct object o = { .addr = info->dlpi_addr };

  (void) len;
  read_segments (&o, info);
  if (o.dynamic != search->dynamic)
    return 0;
  if (o.build_id_len >= sizeof search->build)
    memcpy (&search->build, o.build_id, sizeof search->build);
  return 1;
}

uint64_t
cs_imports_build (void *handle)
{
  struct build_search search = { NULL, 0 };
  struct link_map *map;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0)
    return 0;
  search.dynamic = map->l_ld;
  dl_iterate_phdr (look_for_build, &search);
  return search.build;
}

static struct object *
find_object (struct binder *b, const char *soname)
{
  for (size_t i = 0; i < b->nr; i++)
    if (strcmp (b->objects[i].soname, soname) == 0)
      return &b->objects[i];
  return NULL;
}

/* Mark what O needs, and what that needs.  */
static void
mark_needed (struct binder *b, const struct object *o)
{
  const char *strings = (const char *) dynamic_addr (o, DT_STRTAB);
  struct object *needed;

  for (const ElfW (Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++)
    {
      if (d->d_tag != DT_NEEDED)
        continue;
      needed = find_object (b, strings + d->d_un.d_val);
      if (!needed || needed->needed)
        continue;
      needed->needed = true;
      if (!needed->never)
        mark_needed (b, needed);
    }
}

static int
find_closure (struct binder *b, const struct cs_library_set *set)
{
  struct link_map *map;
  struct object carried;
  int code = dl_iterate_phdr (add_object, b);

  for (size_t i = 0; code == 0 && i < set->nr; i++)
    {
      if (dlinfo (set->items[i].handle, RTLD_DI_LINKMAP, &map) != 0)
        continue;
      carried = (struct object) { .addr = map->l_addr, .dynamic = map->l_ld };
      mark_needed (b, &carried);
    }
  return code;
}

static struct cs_import_record_disk *
find_record (struct binder *b, const struct object *o)
{
  struct cs_import_record_disk *r = b->imports->records;

  for (uint32_t i = 0; i < b->imports->nr_records; i++, r++)
    if (r->build_id_len > 0 && r->build_id_len == o->build_id_len
        && memcmp (r->build_id, o->build_id, o->build_id_len) == 0)
      return r;
  return NULL;
}

/* The number of replacement NAME in the section, or -ENOSPC.  */
static long
number_name (struct cs_imports_disk *imports, const char *name)
{
  uint32_t i = 0;

  while (i < imports->nr_names && strcmp (imports->names[i], name) != 0)
    i++;
  if (i == CS_LIBRARY_REPLACEMENTS_MAX
      || strlen (name) >= CS_IMPORTS_NAME_MAX)
    return -ENOSPC;
  if (i == imports->nr_names)
    {
      strcpy (imports->names[i], name);
      imports->nr_names++;
    }
  return (long) i;
}

/* ELF64_R_TYPE and ELF32_R_TYPE (elf.h), for this word size.  */
static uint32_t
reloc_type (const ElfW (Rel) *reloc)
{
  return sizeof reloc->r_info == 8 ? (uint32_t) ELF64_R_TYPE (reloc->r_info)
                                   : (uint32_t) ELF32_R_TYPE (reloc->r_info);
}

static size_t
reloc_symbol (const ElfW (Rel) *reloc)
{
  uint64_t info = reloc->r_info;

  return sizeof reloc->r_info == 8 ? ELF64_R_SYM (info) : ELF32_R_SYM (info);
}

struct table                    /* one relocation table of an object */
{
  uintptr_t start;
  size_t len, entry_len;
};

/* The relocation tables of an object; absent ones are empty.  */
static void
find_tables (const struct object *o, struct table tables[3])
{
  tables[0] = (struct table) {
    dynamic_addr (o, DT_JMPREL), dynamic_value (o, DT_PLTRELSZ),
    dynamic_value (o, DT_PLTREL) == DT_RELA ? sizeof (ElfW (Rela))
                                            : sizeof (ElfW (Rel))
  };
  tables[1] = (struct table) {
    dynamic_addr (o, DT_RELA), dynamic_value (o, DT_RELASZ),
    sizeof (ElfW (Rela))
  };
  tables[2] = (struct table) {
    dynamic_addr (o, DT_REL), dynamic_value (o, DT_RELSZ),
    sizeof (ElfW (Rel))
  };
}

/* Is the word at offset OFF one of O's writable ones?  */
static bool
is_data_word (const struct object *o, uint64_t off)
{
  uint64_t word = o->addr + off, len = sizeof (uintptr_t);

  return word % len == 0 && word >= o->data && word <= o->data_end
         && o->data_end - word >= len;
}

/* Is the word of RELOC, of KIND, the address of a function and nothing
   else?  */
static bool
is_address (const struct object *o, const struct table *t,
            const ElfW (Rel) *reloc, enum cs_reloc_kind kind)
{
  if (kind != CS_RELOC_ABSOLUTE)
    return kind == CS_RELOC_JUMP_SLOT || kind == CS_RELOC_GLOB_DAT;
  /* A Rel's addend was in the word; what is there now tells.  */
  return t->entry_len == sizeof (ElfW (Rela))
           ? ((const ElfW (Rela) *) reloc)->r_addend == 0
           : is_data_word (o, reloc->r_offset);
}

/* Note the word of RELOC for replacement NUMBER; false if there is no
   room.  */
static bool
add_slot (struct cs_imports_disk *imports, const struct object *o,
          const ElfW (Rel) *reloc, enum cs_reloc_kind kind, long number)
{
  if (number < 0 || imports->nr_slots == CS_IMPORTS_SLOTS_MAX)
    return false;
  imports->slots[imports->nr_slots++] = (struct cs_import_slot_disk) {
    .off = reloc->r_offset, .replacement = (uint32_t) number,
    .relro = o->addr + reloc->r_offset - o->relro < o->relro_len,
    .variable = kind == CS_RELOC_ABSOLUTE
  };
  return true;
}

static int
look_up_table (struct binder *b, const struct object *o,
               const struct table *t, struct cs_import_record_disk *record)
{
  const ElfW (Sym) *symbols = (const ElfW (Sym) *) dynamic_addr (o, DT_SYMTAB);
  const char *strings = (const char *) dynamic_addr (o, DT_STRTAB);
  enum cs_reloc_kind kind;
  const char *replacement;
  const ElfW (Rel) *reloc;

  for (size_t off = 0; off + t->entry_len <= t->len; off += t->entry_len)
    {
      /* A Rela begins as a Rel does.  */
      reloc = (const ElfW (Rel) *) (t->start + off);
      kind = cs_arch_native ()->reloc_kind (reloc_type (reloc));
      if (!is_address (o, t, reloc, kind))
        continue;
      replacement = cs_policy_replacement
        (b->policy, o->soname,
         strings + symbols[reloc_symbol (reloc)].st_name);
      if (!replacement)
        continue;
      if (!add_slot (b->imports, o, reloc, kind,
                     number_name (b->imports, replacement)))
        return -ENOSPC;
      record->nr_slots++;
    }
  return 0;
}

int
cs_imports_policy (const struct cs_store *store, struct cs_policy **policy,
                   struct cs_err *err)
{
  size_t len;
  const char *text = cs_store_section (store, "policy", &len);

  *policy = NULL;
  if (!text)
    return cs_err_set (err, CS_E_DAMAGED, "'%s': no section 'policy'",
                       cs_store_path (store));
  return cs_policy_parse ("policy of the store", text, strnlen (text, len),
                          NULL, NULL, policy, err);
}

static struct cs_import_record_disk *
add_record (struct cs_imports_disk *imports, const struct object *o)
{
  struct cs_import_record_disk *record;

  if (imports->nr_records == CS_IMPORTS_RECORDS_MAX)
    return NULL;
  record = &imports->records[imports->nr_records++];
  memset (record, 0, sizeof *record);
  strncpy (record->soname, o->soname, sizeof record->soname - 1);
  if (o->build_id_len > 0)
    memcpy (record->build_id, o->build_id, o->build_id_len);
  record->build_id_len = o->build_id_len;
  record->first_slot = imports->nr_slots;
  return record;
}

/* Take back RECORD, which is the last one.  */
static void
drop_record (struct cs_imports_disk *imports,
             const struct cs_import_record_disk *record)
{
  imports->nr_slots = record->first_slot;
  imports->nr_records--;
}

/* Look up the words of O that the policy replaces, and keep them; NULL if
   there is no room.  */
static struct cs_import_record_disk *
look_up_object (struct binder *b, const struct object *o)
{
  struct table tables[3];
  struct cs_import_record_disk *record = add_record (b->imports, o);
  int code = 0;

  find_tables (o, tables);
  for (size_t i = 0; record && i < 3; i++)
    if (code == 0 && tables[i].start)
      code = look_up_table (b, o, &tables[i], record);
  if (code == 0)
    return record;
  drop_record (b->imports, record);
  return NULL;
}

static int
look_up (struct binder *b, const struct object *o,
         struct cs_import_record_disk **result, struct cs_err *err)
{
  struct cs_imports_disk *imports = b->imports;
  int code = b->policy ? 0 : cs_imports_policy (b->store, &b->policy, err);

  if (code != 0)
    return code;
  *result = look_up_object (b, o);
  if (!*result)
    {
      /* Old builds filled it: begin anew, today's are looked up again.  */
      imports->nr_records = imports->nr_slots = imports->nr_names = 0;
      memset (b->found, 0, sizeof b->found);
      *result = look_up_object (b, o);
    }
  if (!*result)
    return cs_err_set (err, CS_E_REFUSED,
                       "'%s': no room for the replaced calls of '%s'",
                       cs_store_path (b->store), o->soname);
  return 0;
}

/* Make the pages that hold O's PT_GNU_RELRO writable, or read-only again.  */
static int
protect_relro (const struct object *o, int prot)
{
  uintptr_t page = CS_STORE_PAGE_LEN;
  uintptr_t start = o->relro & -page;
  uintptr_t end = (o->relro + o->relro_len) & -page;

  return end > start
         && mprotect ((void *) start, end - start, prot) != 0 ? -errno : 0;
}

/* The replacement called imports->names[I], or NULL.  Many words have the
   same.  */
static void *
find_replacement (struct binder *b, uint32_t i)
{
  if (!b->found[i])
    b->found[i] = b->find (b->imports->names[i]);
  return b->found[i];
}

/* Nothing is written before all of RECORD was checked.  */
static int
check_words (struct binder *b, const struct object *o,
             const struct cs_import_record_disk *record, struct cs_err *err)
{
  const struct cs_imports_disk *imports = b->imports;
  const struct cs_import_slot_disk *slot
    = imports->slots + record->first_slot;

  for (uint32_t i = 0; i < record->nr_slots; i++, slot++)
    {
      if (slot->replacement >= imports->nr_names
          || !is_data_word (o, slot->off))
        return cs_err_set (err, CS_E_DAMAGED,
                           "'%s': section 'imports': word %u of '%s' is not"
                           " in its data", cs_store_path (b->store), i,
                           o->soname);
      if (!find_replacement (b, slot->replacement))
        return cs_err_set (err, CS_E_INCOMPATIBLE,
                           "'%s': the replacement '%s' for calls of '%s'"
                           " does not exist", cs_store_path (b->store),
                           imports->names[slot->replacement], o->soname);
    }
  return 0;
}

/* A variable that the program has set since keeps that: only what still
   leads to libc is replaced.  */
static bool
is_libc_address (const struct binder *b, uintptr_t addr)
{
  for (size_t i = 0; i < b->nr; i++)
    if (strncmp (b->objects[i].soname, "libc.so.", 8) == 0)
      return addr >= b->objects[i].addr && addr < b->objects[i].data_end;
  return false;
}

static void
write_word (struct binder *b, const struct object *o,
            const struct cs_import_slot_disk *slot)
{
  uintptr_t *word = (uintptr_t *) (uintptr_t) (o->addr + slot->off);

  if (!slot->variable || is_libc_address (b, *word))
    *word = (uintptr_t) find_replacement (b, slot->replacement);
}

static int
write_words (struct binder *b, const struct object *o,
             const struct cs_import_record_disk *record)
{
  const struct cs_import_slot_disk *slot
    = b->imports->slots + record->first_slot;
  bool open = false;
  int code = 0;

  for (uint32_t i = 0; code == 0 && i < record->nr_slots; i++, slot++)
    {
      if (slot->relro && !open)
        {
          code = protect_relro (o, PROT_READ | PROT_WRITE);
          open = code == 0;
        }
      if (code == 0)
        write_word (b, o, slot);
    }
  if (open && code == 0)
    code = protect_relro (o, PROT_READ);
  return code;
}

/* The last start had another build of this library: say so.  */
static void
use_record (struct binder *b, struct cs_import_record_disk *record)
{
  struct cs_import_record_disk *r = b->imports->records;

  if (record->in_use)
    return;
  b->changed = true;
  if (record->build_id_len == 0)
    return;
  record->in_use = 1;
  for (uint32_t i = 0; i < b->imports->nr_records; i++, r++)
    if (r != record && r->in_use && strcmp (r->soname, record->soname) == 0)
      {
        r->in_use = 0;
        cs_report (CS_REPORT_CHANGED, "library '%s': another build of it",
                   record->soname);
      }
}

/* A library that is never changed.  */
static void
note_object (struct binder *b, const struct object *o)
{
  struct cs_import_record_disk *record = find_record (b, o);

  if (!record && o->build_id_len > 0)
    record = add_record (b->imports, o);
  if (record)
    use_record (b, record);
}

static int
bind_object (struct binder *b, const struct object *o, struct cs_err *err)
{
  struct cs_import_record_disk *record = find_record (b, o);
  int code = record ? 0 : look_up (b, o, &record, err);

  if (code == 0)
    code = check_words (b, o, record, err);
  if (code != 0)
    return code;
  use_record (b, record);
  code = write_words (b, o, record);
  if (record->build_id_len == 0)
    drop_record (b->imports, record);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot replace calls of '%s'",
                       o->soname);
  return 0;
}

static int
bind_all (struct binder *b, const struct cs_library_set *set,
          struct cs_err *err)
{
  int code = find_closure (b, set);

  if (code != 0)
    return cs_err_sys (err, -code, "cannot look at the libraries");
  for (size_t i = 0; code == 0 && i < b->nr; i++)
    if (b->objects[i].needed && !b->objects[i].never)
      code = bind_object (b, &b->objects[i], err);
    else if (b->objects[i].needed
             && !cs_store_contains (b->store, b->objects[i].dynamic))
      note_object (b, &b->objects[i]);
  return code;
}

int
cs_imports_bind (struct cs_store *store, const struct cs_library_set *set,
                 cs_library_replacement *find, bool *changed,
                 struct cs_err *err)
{
  struct binder b = { .store = store, .find = find };
  int code;

  b.imports = cs_imports_read (store, err);
  if (!b.imports)
    return -CS_E_DAMAGED;
  code = bind_all (&b, set, err);
  if (changed)
    *changed = b.changed;
  free (b.objects);
  cs_policy_free (b.policy);
  return code;
}

int
cs_imports_create (struct cs_store *store, const struct cs_policy *policy,
                   struct cs_err *err)
{
  struct cs_imports_disk *imports;
  size_t len;
  const char *text = cs_policy_text (policy, &len);
  void *section, *copy;
  int code = cs_store_section_create (store, "imports", sizeof *imports,
                                      PROT_READ | PROT_WRITE, &section);

  if (code == 0)
    code = cs_store_section_create (store, "policy", len + 1,
                                    PROT_READ | PROT_WRITE, &copy);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot make section 'imports'");
  imports = section;
  memcpy (imports->magic, CS_IMPORTS_MAGIC, sizeof imports->magic);
  memcpy (copy, text, len);
  return 0;
}

/* Extensions.  */

struct redirection
{
  const struct object *object;
  cs_imports_redirect *redirect;
  void *closure;
};

static bool
table_uses_carried (struct cs_store *store, const struct object *o,
                    const struct table *t)
{
  const ElfW (Sym) *symbols = (const ElfW (Sym) *) dynamic_addr (o, DT_SYMTAB);
  const char *strings = (const char *) dynamic_addr (o, DT_STRTAB);
  const ElfW (Sym) *symbol;
  void *addr;

  for (size_t off = 0; t->start && off + t->entry_len <= t->len;
       off += t->entry_len)
    {
      symbol = &symbols[reloc_symbol ((const ElfW (Rel) *) (t->start + off))];
      if (symbol->st_name == 0 || symbol->st_shndx != SHN_UNDEF)
        continue;
      addr = dlsym (RTLD_DEFAULT, strings + symbol->st_name);
      if (addr && cs_store_contains (store, addr))
        return true;
    }
  return false;
}

/* Is this word the address of a function of the library's own?  */
static bool
is_own_function (const ElfW (Rel) *reloc, const ElfW (Sym) *symbol)
{
  enum cs_reloc_kind kind
    = cs_arch_native ()->reloc_kind (reloc_type (reloc));

  /* ELF32_ST_TYPE and ELF64_ST_TYPE are the same (elf.h).  */
  return (kind == CS_RELOC_GLOB_DAT || kind == CS_RELOC_ABSOLUTE)
         && symbol->st_shndx != SHN_UNDEF
         && ELF64_ST_TYPE (symbol->st_info) == STT_FUNC;
}

static void
redirect_table (const struct redirection *r, const struct table *t)
{
  const struct object *o = r->object;
  const ElfW (Sym) *symbols = (const ElfW (Sym) *) dynamic_addr (o, DT_SYMTAB);
  const char *strings = (const char *) dynamic_addr (o, DT_STRTAB);
  const ElfW (Sym) *symbol;
  const ElfW (Rel) *reloc;
  uintptr_t *word, value;

  for (size_t off = 0; t->start && off + t->entry_len <= t->len;
       off += t->entry_len)
    {
      reloc = (const ElfW (Rel) *) (t->start + off);
      symbol = &symbols[reloc_symbol (reloc)];
      if (!is_own_function (reloc, symbol))
        continue;
      word = (uintptr_t *) (uintptr_t) (o->addr + reloc->r_offset);
      /* Another library's function of that name may have come before.  */
      if (*word != o->addr + symbol->st_value)
        continue;
      value = r->redirect (r->closure, strings + symbol->st_name, *word);
      if (value != 0)
        *word = value;
    }
}

static int
redirect_object (struct cs_store *store, const struct redirection *r)
{
  struct table tables[3];
  bool uses = false;
  int code;

  find_tables (r->object, tables);
  for (size_t i = 0; i < 3; i++)
    uses = uses || table_uses_carried (store, r->object, &tables[i]);
  code = uses ? protect_relro (r->object, PROT_READ | PROT_WRITE) : 0;
  if (!uses || code != 0)
    return code;
  for (size_t i = 0; i < 3; i++)
    redirect_table (r, &tables[i]);
  code = protect_relro (r->object, PROT_READ);
  return code == 0 ? 1 : code;
}

int
cs_imports_redirect_own (struct cs_store *store, void *handle,
                         cs_imports_redirect *redirect, void *closure)
{
  struct binder b = { .store = store };
  struct redirection r = { .redirect = redirect, .closure = closure };
  struct link_map *map;
  int code;

  if (dlinfo (handle, RTLD_DI_LINKMAP, &map) != 0)
    return 0;
  code = dl_iterate_phdr (add_object, &b);
  for (size_t i = 0; i < b.nr; i++)
    if (b.objects[i].dynamic == map->l_ld && !b.objects[i].never)
      r.object = &b.objects[i];
  if (code == 0 && r.object)
    code = redirect_object (store, &r);
  free (b.objects);
  return code;
}
