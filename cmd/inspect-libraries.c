/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-libraries.c -- cs-inspect --libraries.  */

#include "image/sections.h"
#include "inspect.h"
#include "intern/library.h"

static void
show_carried (struct run *run, const struct cs_libraries_disk *libraries,
              const struct cs_library_disk *l)
{
  const char *path = cs_library_name (libraries, l->path);
  char addr[ADDR_LEN], name[512];

  if (!run->json)
    {
      printf ("%-20s  %-14s  %10" PRIu64 "  %8" PRIu64 "  %-40s  %s\n",
              l->soname, addr_text (addr, l->addr), l->len, l->data_len,
              *l->build_id ? l->build_id : "-", visible (name, path));
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_string (run->json, "soname", l->soname);
  cs_json_string (run->json, "build_id", *l->build_id ? l->build_id : NULL);
  cs_json_address (run->json, "address", l->addr);
  cs_json_number (run->json, "bytes", l->len);
  cs_json_address (run->json, "data_address", l->data_addr);
  cs_json_number (run->json, "data_bytes", l->data_len);
  cs_json_number (run->json, "copy_bytes", l->copy_len);
  cs_json_number (run->json, "slots", l->nr_slots);
  cs_json_string (run->json, "path", *path ? path : NULL);
  cs_json_end (run->json);
}

void
cs_inspect_show_carried (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_library_cursor cursor = { 0 };

  while (cs_library_next (run->store, &cursor, &err) > 0)
    continue;
  if (err.code != 0)
    return failed (run, "libraries", &err);
  cursor = (struct cs_library_cursor) { 0 };
  if (run->json)
    cs_json_array (run->json, "libraries");
  else
    {
      begin_table (run);
      printf ("%-20s  %-14s  %10s  %8s  %-40s  %s\n", "CARRIED LIBRARY",
              "ADDRESS", "BYTES", "DATA", "BUILD ID", "COPIED FROM");
    }
  while (cs_library_next (run->store, &cursor, &err) > 0)
    show_carried (run, cursor.block, cursor.library);
  if (run->json)
    cs_json_end (run->json);
}

static void
show_handles (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_process_disk *process
    = cs_image_process (run->store, &err);
  char name[512];

  if (!process)
    return failed (run, "handles", &err);
  if (run->json)
    cs_json_array (run->json, "handles");
  else if (process->nr_handles > 0)
    {
      begin_table (run);
      printf ("%-20s  %10s  %s\n", "OPENED AT RUN TIME", "REFERENCES", "PATH");
    }
  for (uint32_t i = 0; i < process->nr_handles; i++)
    {
      const struct cs_handle_disk *h = &process->handles[i];
      const char *path = cs_image_string (process, h->path);

      if (!run->json)
        printf ("%-20" PRIu32 "  %10" PRIu32 "  %s\n", i, h->references,
                *path ? visible (name, path) : "(the program itself)");
      else
        {
          cs_json_object (run->json, NULL);
          cs_json_string (run->json, "path", *path ? path : NULL);
          cs_json_number (run->json, "references", h->references);
          cs_json_number (run->json, "flags", h->flags);
          cs_json_end (run->json);
        }
    }
  if (run->json)
    cs_json_end (run->json);
}

static const char *
hexadecimal (const uint8_t *bytes, uint32_t len, char text[80])
{
  text[0] = '\0';
  for (uint32_t i = 0; i < len && i < 32; i++)
    sprintf (text + 2 * i, "%02x", bytes[i]);
  return text;
}

static void
show_imports (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_interpose_disk *imports
    = cs_interpose_read (run->store, &err);
  char id[80], name[512];

  if (!imports)
    return failed (run, "imports", &err);
  if (run->json)
    cs_json_array (run->json, "imports");
  else if (imports->nr_records > 0)
    {
      begin_table (run);
      printf ("%-24s  %5s  %s\n", "NEEDED LIBRARY", "SLOTS", "BUILD ID");
    }
  for (uint32_t i = 0; i < imports->nr_records; i++)
    {
      const struct cs_interpose_record_disk *r = &imports->records[i];

      hexadecimal (r->build_id, r->build_id_len, id);
      if (!run->json)
        printf ("%-24s  %5" PRIu32 "  %s\n", visible (name, r->soname),
                r->nr_slots, *id ? id : "-");
      else
        {
          cs_json_object (run->json, NULL);
          cs_json_string (run->json, "soname", r->soname);
          cs_json_string (run->json, "build_id", *id ? id : NULL);
          cs_json_number (run->json, "slots", r->nr_slots);
          cs_json_end (run->json);
        }
    }
  if (run->json)
    cs_json_end (run->json);
}

void
cs_inspect_show_libraries (struct run *run)
{
  cs_inspect_show_carried (run);
  show_handles (run);
  show_imports (run);
}
