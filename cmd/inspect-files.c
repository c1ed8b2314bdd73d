/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-files.c -- cs-inspect --files.  */

#include <stdlib.h>

#include "image/sections.h"
#include "inspect.h"
#include "process/descriptors/descriptors.h"

static const char *
holder_word (uint32_t holder)
{
  static const char *const words[] = { "-", "port", "program", "both",
                                       "closed" };

  return words[holder < sizeof words / sizeof *words ? holder : 0];
}

/* What the workspace would do if D's file were not the same; NULL if there is
   no such question.  */
static const char *
rule_word (const struct cs_process_disk *process,
           const struct cs_descriptor_disk *d, const struct cs_policy *policy)
{
  if (d->kind != CS_DESCRIPTOR_FILE && d->kind != CS_DESCRIPTOR_DELETED)
    return NULL;
  return cs_policy_files_word
    (cs_descriptor_rule (d, cs_image_path (process, d->name), policy,
                         process->files_rule));
}

static void
show_descriptor (struct run *run, const struct cs_process_disk *process,
                 const struct cs_descriptor_disk *d,
                 const struct cs_policy *policy)
{
  const char *kind = cs_descriptor_kind_word (d->kind);
  const char *name = cs_image_path (process, d->name);
  const char *rule = rule_word (process, d, policy);
  bool is_socket = d->kind == CS_DESCRIPTOR_SOCKET;
  char text[512];

  if (!run->json)
    {
      printf ("%10" PRId32 "  %-9s  %-7s  %12" PRIu64 "  0%-8" PRIo32
              "  %-13s  %s\n", d->fd, kind, holder_word (d->holder),
              d->position, d->flags, rule ? rule : "-", visible (text, name));
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_signed (run->json, "descriptor", d->fd);
  cs_json_string (run->json, "kind", kind);
  cs_json_string (run->json, "holder", holder_word (d->holder));
  cs_json_number (run->json, "position", d->position);
  cs_json_number (run->json, "offset", d->offset);
  cs_json_number (run->json, "flags", d->flags);
  cs_json_string (run->json, "rule", rule);
  cs_json_string (run->json, "path", *name && !is_socket ? name : NULL);
  cs_json_string (run->json, "socket", *name && is_socket ? name : NULL);
  cs_json_number (run->json, "device", d->device);
  cs_json_number (run->json, "inode", d->inode);
  cs_json_signed (run->json, "born", d->born);
  cs_json_end (run->json);
}

static int
compare_descriptors (const void *a, const void *b)
{
  const struct cs_descriptor_disk *const *m = a, *const *n = b;

  return ((*m)->fd > (*n)->fd) - ((*m)->fd < (*n)->fd);
}

static void
list_files (struct run *run, const struct cs_process_disk *process,
            const struct cs_policy *policy)
{
  const struct cs_descriptor_disk *sorted[CS_PROCESS_DESCRIPTORS_MAX];
  uint32_t nr = process->nr_descriptors;

  for (uint32_t i = 0; i < nr; i++)
    sorted[i] = &process->descriptors[i];
  qsort (sorted, nr, sizeof *sorted, compare_descriptors);
  if (run->json)
    cs_json_array (run->json, "files");
  else
    {
      begin_table (run);
      printf ("%10s  %-9s  %-7s  %12s  %-9s  %-13s  %s\n", "DESCRIPTOR",
              "KIND", "HOLDER", "POSITION", "FLAGS", "RULE", "NAME");
    }
  for (uint32_t i = 0; i < nr; i++)
    show_descriptor (run, process, sorted[i], policy);
  if (run->json)
    cs_json_end (run->json);
}

void
cs_inspect_show_files (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_process_disk *process
    = cs_image_process (run->store, &err);
  struct cs_policy *policy;

  if (!process)
    return failed (run, "files", &err);
  if (cs_policy_of_store (run->store, &policy, &err) < 0)
    return failed (run, "files", &err);
  list_files (run, process, policy);
  cs_policy_free (policy);
}
