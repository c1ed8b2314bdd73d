/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* library-block.c -- the block that describes carried libraries, and holds
   their copies.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "intern/library-carry.h"

int
cs_carry_append (struct cs_carry_part *part, const void *data, size_t len)
{
  size_t room = part->room ? part->room : 4096;
  char *grown;

  while (room - part->len < len)
    room *= 2;
  if (room != part->room)
    {
      grown = realloc (part->data, room);
      if (!grown)
        return -ENOMEM;
      part->data = grown;
      part->room = room;
    }
  memcpy (part->data + part->len, data, len);
  part->len += len;
  return 0;
}

uint32_t
cs_carry_name (struct cs_carry *c, const char *name)
{
  uint32_t off = (uint32_t) c->names.len;

  if (cs_carry_append (&c->names, name, strlen (name) + 1) != 0)
    c->code = -ENOMEM;
  return off;
}

uint32_t
cs_carry_number (struct cs_carry *c, const char *name)
{
  for (uint32_t i = 0; i < c->head.nr_replacements; i++)
    if (strcmp (c->names.data + c->head.replacements[i], name) == 0)
      return i;
  if (c->head.nr_replacements == CS_LIBRARY_REPLACEMENTS_MAX)
    {
      c->code = -ENOSPC;
      return CS_LIBRARY_KEEP;
    }
  c->head.replacements[c->head.nr_replacements] = cs_carry_name (c, name);
  return c->head.nr_replacements++;
}

bool
cs_carry_restarts (const struct cs_carry *c, const struct cs_carry_plan *plan)
{
  return cs_policy_role (c->with->policy, cs_elf_soname (plan->elf))
         == CS_POLICY_RESTART;
}

static uint64_t
to_pages (uint64_t len)
{
  return (len + CS_STORE_PAGE_LEN - 1) & -(uint64_t) CS_STORE_PAGE_LEN;
}

static struct cs_library_disk
describe (struct cs_carry *c, const struct cs_carry_plan *plan,
          uint32_t *first_slot, uint64_t *copy)
{
  const struct cs_elf_layout *layout = cs_elf_layout (plan->elf);
  struct cs_library_disk d = {
    .path = cs_carry_name (c, cs_elf_path (plan->elf)),
    .flags = cs_carry_restarts (c, plan) ? CS_LIBRARY_RESTART : 0,
    .mode = (uint32_t) c->mode,
    .first_slot = *first_slot,
    .nr_slots = (uint32_t) plan->rebased.nr_slots + (layout->got_plt ? 2 : 0),
    .addr = plan->addr + layout->start, .len = layout->len,
    .data_addr = plan->addr + layout->data_start,
    .data_len = layout->data_len,
    .copy = *copy, .copy_len = plan->rebased.len
  };

  strncpy (d.soname, cs_elf_soname (plan->elf), sizeof d.soname - 1);
  strncpy (d.build_id, cs_elf_build_id (plan->elf), sizeof d.build_id - 1);
  cs_library_split (&d, plan->rebased.data, plan->rebased.len);
  *first_slot += d.nr_slots;
  *copy = to_pages (*copy + d.copy_len);
  return d;
}

/* The copies follow the rest at START.  */
static void
place_copies (struct cs_carry *c, struct cs_library_disk *libraries,
              uint64_t start)
{
  for (size_t i = 0; i < c->nr; i++)
    {
      libraries[i].copy += start;
      for (uint32_t n = 0; n < libraries[i].nr_segments; n++)
        libraries[i].segments[n].copy += libraries[i].copy;
    }
}

/* Where everything goes in the block.  */
static int
lay_out (struct cs_carry *c, struct cs_library_disk *libraries,
         struct cs_err *err)
{
  struct cs_libraries_disk *head = &c->head;
  uint64_t copy = 0;
  uint32_t first_slot = 0;

  for (size_t i = 0; i < c->nr; i++)
    libraries[i] = describe (c, &c->plans[i], &first_slot, &copy);
  if (c->code != 0)
    return cs_err_sys (err, -c->code, "cannot describe the libraries");
  memcpy (head->magic, CS_LIBRARIES_MAGIC, sizeof head->magic);
  head->version = CS_LIBRARIES_VERSION;
  head->count = (uint32_t) c->nr;
  head->slots = sizeof *head + c->nr * sizeof *libraries;
  head->imports = head->slots + c->slots.len;
  head->names = head->imports + c->imports.len;
  head->names_len = c->names.len;
  head->len = to_pages (head->names + c->names.len);
  place_copies (c, libraries, head->len);
  head->len += copy;
  return 0;
}

/* Write the block to head.len bytes at OUT.  */
static void
write_block (const struct cs_carry *c, const struct cs_library_disk *libraries,
             char *out)
{
  const struct cs_libraries_disk *head = &c->head;

  memcpy (out, head, sizeof *head);
  memcpy (out + sizeof *head, libraries, c->nr * sizeof *libraries);
  if (c->slots.len > 0)
    memcpy (out + head->slots, c->slots.data, c->slots.len);
  if (c->imports.len > 0)
    memcpy (out + head->imports, c->imports.data, c->imports.len);
  memcpy (out + head->names, c->names.data, c->names.len);
  for (size_t i = 0; i < c->nr; i++)
    memcpy (out + libraries[i].copy, c->plans[i].rebased.data,
            c->plans[i].rebased.len);
}

/* Give the block its place: *OUT.  */
static int
make_block (struct cs_carry *c, void **out)
{
  if (!c->extension)
    return cs_store_section_create (c->store, "libs", c->head.len,
                                    PROT_READ | PROT_WRITE, out);
  *out = cs_store_map (c->store, c->head.len, PROT_READ | PROT_WRITE,
                       CS_EXTENT_DIRECTORY);
  return *out ? 0 : -errno;
}

int
cs_carry_write_block (struct cs_carry *c, void **out, struct cs_err *err)
{
  struct cs_library_disk libraries[CS_LIBRARIES_MAX];
  int code = lay_out (c, libraries, err);

  if (code != 0)
    return code;
  code = make_block (c, out);
  if (code == 0)
    {
      write_block (c, libraries, *out);
      code = cs_store_protect (c->store, *out, c->head.len, PROT_READ);
      if (code != 0)
        cs_store_unmap (c->store, *out, c->head.len);
    }
  return code == 0 ? 0 : cs_err_sys (err, -code, "cannot make room for copies"
                                     " of libraries");
}
