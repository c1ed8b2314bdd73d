/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect-threads.c -- cs-inspect --threads.  */

#include "image/sections.h"
#include "image/threads.h"
#include "inspect.h"

/* "FILE:LINE:COLUMN" in a buffer of 512 bytes; "" if it is not known.  */
static const char *
place_text (char *text, const struct cs_code_place *place)
{
  text[0] = '\0';
  if (place->file[0] && place->line > 0)
    snprintf (text, 512, "%s:%" PRIu64 ":%" PRIu64, place->file, place->line,
              place->column);
  return text;
}

static void
print_frame (const struct cs_frame *frame)
{
  char name[512], place[512];

  printf ("%14s%s", "", frame->place.name[0]
                        ? visible (name, frame->place.name) : "_");
  if (place_text (place, &frame->place)[0])
    printf ("  %s", place);
  putchar ('\n');
}

static void
put_frames (struct run *run, const struct cs_frame *frames, size_t nr)
{
  cs_json_array (run->json, "frames");
  for (size_t i = 0; i < nr; i++)
    {
      const struct cs_code_place *place = &frames[i].place;
      bool known = place->file[0] && place->line > 0;

      cs_json_object (run->json, NULL);
      cs_json_address (run->json, "address", frames[i].addr);
      cs_json_string (run->json, "procedure",
                      place->name[0] ? place->name : NULL);
      cs_json_string (run->json, "file", known ? place->file : NULL);
      cs_json_number (run->json, "line", known ? place->line : 0);
      cs_json_number (run->json, "column", known ? place->column : 0);
      cs_json_end (run->json);
    }
  cs_json_end (run->json);
}

static void
show_thread (struct run *run, const struct cs_guile_thread *thread)
{
  const struct cs_thread_disk *record = thread->record;
  char since[64], name[512], state[512];

  if (!run->json)
    {
      printf ("%10" PRIu32 "  %-23s  %s: %s\n", record->tid,
              time_text (since, record->since), visible (name, thread->name),
              visible (state, thread->state));
      for (size_t i = 0; i < thread->nr_frames; i++)
        print_frame (&thread->frames[i]);
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_number (run->json, "tid", record->tid);
  cs_json_signed (run->json, "since", record->since);
  cs_json_string (run->json, "name", thread->name);
  cs_json_string (run->json, "state", thread->state);
  cs_json_address (run->json, "value", record->value);
  cs_json_address (run->json, "pthread", record->pthread);
  put_frames (run, thread->frames, thread->nr_frames);
  cs_json_end (run->json);
}

static void
show_gone (struct run *run, const struct cs_gone_thread *thread)
{
  const struct cs_weeded_disk *record = thread->record;
  char since[64], when[64], name[512];

  if (!run->json)
    {
      printf ("%10" PRIu32 "  %-23s  %10" PRIu64 "  %-23s  %s\n", record->tid,
              time_text (since, record->since), record->generation,
              time_text (when, record->when), visible (name, thread->name));
      for (size_t i = 0; i < thread->nr_frames; i++)
        print_frame (&thread->frames[i]);
      return;
    }
  cs_json_object (run->json, NULL);
  cs_json_number (run->json, "tid", record->tid);
  cs_json_signed (run->json, "since", record->since);
  cs_json_number (run->json, "generation", record->generation);
  cs_json_signed (run->json, "weeded", record->when);
  cs_json_string (run->json, "name", thread->name);
  put_frames (run, thread->frames, thread->nr_frames);
  cs_json_end (run->json);
}

static void
show_list (struct run *run, const struct cs_thread_list *list)
{
  if (run->json)
    cs_json_array (run->json, "threads");
  else
    {
      begin_table (run);
      printf ("%10s  %-23s  %s\n", "THREAD", "SINCE", "NAME: STATE");
    }
  for (size_t i = 0; i < list->nr_threads; i++)
    show_thread (run, &list->threads[i]);
  if (run->json)
    {
      cs_json_end (run->json);
      cs_json_array (run->json, "weeded_threads");
    }
  else if (list->nr_gone > 0)
    {
      begin_table (run);
      printf ("%10s  %-23s  %10s  %-23s  %s\n", "WEEDED", "SINCE",
              "GENERATION", "TIME", "NAME");
    }
  for (size_t i = 0; i < list->nr_gone; i++)
    show_gone (run, &list->gone[i]);
  if (run->json)
    cs_json_end (run->json);
}

void
cs_inspect_show_threads (struct run *run)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_threads_disk *threads
    = cs_image_threads (run->store, &err);
  struct cs_thread_list list = { .nr_threads = 0 };
  struct cs_heap heap = { .store = run->store };
  int code = threads ? cs_heap_open (run->store, &heap, &err) : err.code;

  if (code == 0)
    {
      code = cs_thread_list_read (&heap, threads, &list);
      if (code < 0)
        cs_err_sys (&err, -code, "cannot read the threads");
    }
  if (code == 0)
    show_list (run, &list);
  else
    failed (run, "threads", &err);
  cs_thread_list_fini (&list);
  cs_heap_fini (&heap);
}
