/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-history.c -- cs-inspect --history.  */

#include <errno.h>
#include <stdlib.h>

#include "image/sections.h"
#include "inspect.h"

/* What is not known is NULL or a dash: what the oldest one changed.  */
static void
show_generation (struct run *run, const struct cs_generation *g)
{
  uint64_t len = g->changed * CS_STORE_PAGE_LEN;
  char when[64], size[32];

  if (!run->json)
    {
      printf ("%12" PRIu64 "  %-23s  ", g->generation,
              time_text (when, g->committed_at));
      if (g->changed > 0)
        printf ("%12" PRIu64 "  %s\n", g->changed, size_text (size, len));
      else
        printf ("%12s  -\n", "-");
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_number (run->json, "generation", g->generation);
  cs_json_signed (run->json, "time", g->committed_at);
  if (g->changed > 0)
    {
      cs_json_number (run->json, "pages", g->changed);
      cs_json_number (run->json, "bytes", len);
    }
  else
    {
      cs_json_null (run->json, "pages");
      cs_json_null (run->json, "bytes");
    }
  cs_json_end (run->json);
}

static void
show_generations (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  size_t nr;
  struct cs_generation *list = cs_store_generations (run->store, &nr);

  if (!list)
    {
      cs_err_sys (&err, ENOMEM, "cannot read the history of '%.300s'",
                  run->path);
      return failed (run, "generations", &err);
    }
  if (run->json)
    cs_json_array (run->json, "generations");
  else
    {
      begin_table (run);
      printf ("%12s  %-23s  %12s  %s\n", "GENERATION", "TIME",
              "PAGES", "CHANGED");
    }
  for (size_t i = 0; i < nr; i++)
    show_generation (run, &list[i]);
  if (run->json)
    cs_json_end (run->json);
  free (list);
}

static void
show_event (struct run *run, const struct cs_report_entry_disk *event)
{
  char when[64], text[512];

  if (!run->json)
    {
      printf ("%12" PRIu64 "  %-23s  %-8s  %s\n", event->generation,
              time_text (when, event->when), cs_report_word (event->kind),
              visible (text, event->text));
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_number (run->json, "generation", event->generation);
  cs_json_signed (run->json, "time", event->when);
  cs_json_string (run->json, "event", cs_report_word (event->kind));
  cs_json_string (run->json, "text", event->text);
  cs_json_end (run->json);
}

static void
show_resumes (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_report_disk *report = cs_image_report (run->store, &err);
  const struct cs_report_entry_disk *event;
  uint64_t n = 0;

  if (!report)
    return failed (run, "resumes", &err);
  if (run->json)
    cs_json_array (run->json, "resumes");
  else
    {
      begin_table (run);
      printf ("%12s  %-23s  %-8s  %s\n", "RESUMED FROM", "TIME", "EVENT",
              "OF");
    }
  while ((event = cs_report_next (report, &n)))
    show_event (run, event);
  if (run->json)
    cs_json_end (run->json);
}

void
cs_inspect_show_history (struct run *run)
{
  show_generations (run);
  show_resumes (run);
}
