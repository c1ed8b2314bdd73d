/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* section.c -- a section of a store, checked field by field.  */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "intern/section.h"

#define MAGIC_LEN 8

static bool
wrong_start (const struct cs_section *s, size_t off, const char *name,
             const char *expected, const char *found)
{
  cs_err_set (s->err, CS_E_DAMAGED, "'%.300s' is damaged: section '%s', offset"
              " %zu: %s: expected %s, found %s", cs_store_path (s->store),
              s->name, off, name, expected, found);
  return false;
}

static bool
magic_is (const struct cs_section *s, const char *magic)
{
  char expected[MAGIC_LEN + 3], found[MAGIC_LEN + 3];

  if (s->len >= MAGIC_LEN && memcmp (s->start, magic, MAGIC_LEN) == 0)
    return true;
  snprintf (expected, sizeof expected, "'%s'", magic);
  snprintf (found, sizeof found, "'%.*s'",
            s->len < MAGIC_LEN ? (int) s->len : MAGIC_LEN,
            (const char *) s->start);
  return wrong_start (s, 0, "magic", expected, found);
}

static bool
version_is (const struct cs_section *s, uint32_t expected)
{
  uint32_t found = 0;

  if (s->len >= MAGIC_LEN + sizeof found)
    memcpy (&found, (const char *) s->start + MAGIC_LEN, sizeof found);
  if (found != expected)
    cs_err_set (s->err, CS_E_INCOMPATIBLE, "'%.300s': section '%s' of version"
                " %" PRIu32 ", expected %" PRIu32, cs_store_path (s->store),
                s->name, found, expected);
  return found == expected;
}

bool
cs_section_open (struct cs_section *s, const struct cs_store *store,
                 const struct cs_section_kind *kind, struct cs_err *err)
{
  *s = (struct cs_section) { .store = store, .name = kind->name, .err = err };
  s->start = cs_store_section (store, kind->name, &s->len);
  if (!s->start)
    {
      cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: it has no section"
                  " '%s'", cs_store_path (store), kind->name);
      return false;
    }
  if ((kind->magic && !magic_is (s, kind->magic))
      || (kind->version && !version_is (s, kind->version)))
    return false;
  if (s->len >= kind->len)
    return true;
  cs_err_set (err, CS_E_DAMAGED, "'%.300s' is damaged: section '%s': expected"
              " %zu bytes, found %zu", cs_store_path (store), kind->name,
              kind->len, s->len);
  return false;
}

/* The name with the index where it has "[i]".  */
static void
name_field (struct cs_field field, char *name, size_t len)
{
  const char *index = strstr (field.name, "[i]");

  if (index)
    snprintf (name, len, "%.*s[%" PRIu64 "]%s", (int) (index - field.name),
              field.name, field.i, index + 3);
  else
    snprintf (name, len, "%s", field.name);
}

bool
cs_field_wrong (const struct cs_section *s, struct cs_field field,
                const char *format, ...)
{
  char name[80], text[200];
  va_list arguments;

  name_field (field, name, sizeof name);
  va_start (arguments, format);
  vsnprintf (text, sizeof text, format, arguments);
  va_end (arguments);
  cs_err_set (s->err, CS_E_DAMAGED, "'%.300s' is damaged: section '%s', offset"
              " %td: %s: %s", cs_store_path (s->store), s->name,
              (const char *) field.at - (const char *) s->start, name, text);
  return false;
}

bool
cs_field_between (const struct cs_section *s, struct cs_field field,
                  uint64_t found, uint64_t min, uint64_t max)
{
  return (found >= min && found <= max)
         || cs_field_wrong (s, field, "expected %" PRIu64 " to %" PRIu64
                            ", found %" PRIu64, min, max, found);
}

bool
cs_field_in_region (const struct cs_section *s, struct cs_field field,
                    uint64_t addr, uint64_t len)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (s->store);

  return (addr >= sb->base && addr - sb->base <= sb->reserved
          && len <= sb->reserved - (addr - sb->base))
         || cs_field_wrong (s, field, "expected %" PRIu64 " bytes from 0x%"
                            PRIx64 " to 0x%" PRIx64 ", found 0x%" PRIx64, len,
                            sb->base, sb->base + sb->reserved, addr);
}

/* Do extents with PROT, one beside the other, cover the range?  */
static bool
is_in_use (const struct cs_store *store, uint64_t addr, uint64_t len,
           uint32_t prot)
{
  const uint64_t base = cs_store_superblock (store)->base;
  const uint64_t end = addr + len;
  const struct cs_extent_disk *e;

  while (addr < end)
    {
      e = cs_store_extent_at (store, addr);
      if (!e || (e->prot & prot) != prot)
        return false;
      addr = base + e->off + e->len;
    }
  return true;
}

bool
cs_field_in_use (const struct cs_section *s, struct cs_field field,
                 uint64_t addr, uint64_t len, int prot, uint64_t align)
{
  if (!cs_field_in_region (s, field, addr, len))
    return false;
  if (addr % align != 0)
    return cs_field_wrong (s, field, "expected a multiple of %" PRIu64
                           ", found 0x%" PRIx64, align, addr);
  return is_in_use (s->store, addr, len, (uint32_t) prot)
         || cs_field_wrong (s, field, "expected %" PRIu64 " bytes that are in"
                            " use, found 0x%" PRIx64, len, addr);
}

bool
cs_field_ends_text (const struct cs_section *s, struct cs_field field,
                    char character)
{
  return character == '\0'
         || cs_field_wrong (s, field, "expected 0, the end of the text, found"
                            " %u", (unsigned char) character);
}
