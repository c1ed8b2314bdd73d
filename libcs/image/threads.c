/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* threads.c -- threads, read from a store's image.

   A frame on a thread's VM stack is described in libguile/frames.h: above
   its frame pointer lie the machine's return address, the return address in
   the interpreter's code and the distance to the caller's frame, below it the
   procedure and its arguments.  While a primitive is called it has a frame
   too.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libguile.h>

#include "image/guile.h"
#include "image/modules.h"
#include "image/threads.h"
#include "intern/intern.h"

/* The code of a primitive begins with two words, the second of which is how
   many words of code there are (libguile/gsubr.c,
   scm_i_alloc_primitive_code_with_instrumentation).  */
#define PRIMITIVE_WORDS_MAX 64

/* So near to the beginning of its stack a thread has its SRFI 18 name.  */
#define NAME_WORDS_MAX 256

/* Frames: distances from the frame pointer, in words.  */
enum { RETURN_ADDRESS = 1, DYNAMIC_LINK = 2, FRAME_LEN = 3 };

struct primitive
{
  uint64_t code;
  char *name;
};

struct reader
{
  const struct cs_heap *heap;
  struct primitive *primitives; /* by code */
  size_t nr, room;
  int code;
};

/* Primitives: found through the variables they are bound to.  */

/* The first words of a procedure.  */
static bool
procedure_words (const struct cs_heap *heap, uint64_t value, uint64_t *flags,
                 uint64_t *code)
{
  return cs_heap_kind (heap, value) == CS_VALUE_PROCEDURE
         && cs_heap_word (heap, value, 0, flags)
         && cs_heap_word (heap, value, 1, code);
}

static void
add_primitive (struct reader *r, const struct cs_binding *binding)
{
  uint64_t flags, code;
  struct primitive *grown;
  size_t room = r->room ? 2 * r->room : 2048;

  if (!procedure_words (r->heap, binding->value, &flags, &code)
      || !(flags & SCM_F_PROGRAM_IS_PRIMITIVE))
    return;
  if (r->nr == r->room)
    {
      grown = reallocarray (r->primitives, room, sizeof *grown);
      if (!grown)
        {
          r->code = -ENOMEM;
          return;
        }
      r->primitives = grown;
      r->room = room;
    }
  r->primitives[r->nr] = (struct primitive) { code, strdup (binding->name) };
  if (r->primitives[r->nr].name)
    r->nr++;
  else
    r->code = -ENOMEM;
}

static int
compare_primitives (const void *a, const void *b)
{
  const struct primitive *m = a, *n = b;

  return m->code != n->code ? (m->code > n->code) - (m->code < n->code)
                            : strcmp (m->name, n->name);
}

/* A damaged module tree gives fewer names.  */
static void
read_primitives (struct reader *r)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_module_list modules = { NULL, 0, 0 };
  struct cs_binding_list bindings;

  cs_modules_read (r->heap, &modules, &err);
  for (size_t i = 0; r->code == 0 && i < modules.nr; i++)
    {
      bindings = (struct cs_binding_list) { NULL, 0, 0 };
      cs_bindings_read (r->heap, &modules.items[i], &bindings, &err);
      for (size_t n = 0; r->code == 0 && n < bindings.nr; n++)
        add_primitive (r, &bindings.items[n]);
      cs_bindings_fini (&bindings);
    }
  cs_modules_fini (&modules);
  if (r->nr > 0)
    qsort (r->primitives, r->nr, sizeof *r->primitives, compare_primitives);
}

static bool
is_inside (const struct reader *r, const struct primitive *p, uint64_t addr)
{
  const void *place = cs_heap_view (r->heap, p->code + 4, 4);
  uint32_t nr_words;

  if (!place)
    return false;
  memcpy (&nr_words, place, sizeof nr_words);
  return nr_words <= PRIMITIVE_WORDS_MAX && addr - p->code < 4 * nr_words;
}

/* The primitive whose code ADDR is in, or NULL.  */
static const struct primitive *
find_primitive (const struct reader *r, uint64_t addr)
{
  size_t low = 0, high = r->nr, middle;

  while (low < high)
    {
      middle = low + (high - low) / 2;
      if (r->primitives[middle].code <= addr)
        low = middle + 1;
      else
        high = middle;
    }
  return low > 0 && is_inside (r, &r->primitives[low - 1], addr)
         ? &r->primitives[low - 1] : NULL;
}

/* Frames.  */

/* What is at ADDR?  False if that is code of the VM's own.  */
static bool
describe (const struct reader *r, uint64_t addr, bool innermost,
          struct cs_frame *frame)
{
  const struct primitive *primitive = find_primitive (r, addr);

  *frame = (struct cs_frame) { .addr = addr };
  if (!primitive)
    /* A return address may be the first one of what follows the call.  */
    return cs_code_find (r->heap, innermost ? addr : addr - 1,
                         &frame->place);
  snprintf (frame->place.name, sizeof frame->place.name, "%s",
            primitive->name);
  return true;
}

/* A thread's VM, as the image has it.  */
struct stack
{
  uint64_t thread;              /* address of the struct scm_thread */
  uint64_t ip, fp, bottom, top;
};

static bool
read_stack (const struct cs_heap *heap, uint64_t thread, struct stack *s)
{
  const struct cs_thread_layout_disk *layout = &heap->threads;

  s->thread = thread;
  return layout->len > 0 && cs_heap_view (heap, thread, layout->len)
         && cs_heap_word (heap, thread + layout->ip, 0, &s->ip)
         && cs_heap_word (heap, thread + layout->fp, 0, &s->fp)
         && cs_heap_word (heap, thread + layout->stack_bottom, 0, &s->bottom)
         && cs_heap_word (heap, thread + layout->stack_top, 0, &s->top)
         && s->bottom < s->fp && s->fp <= s->top;
}

/* The element of a frame I words above its frame pointer.  Elements have 8
   bytes everywhere (union scm_vm_stack_element).  */
static bool
element (const struct cs_heap *heap, uint64_t fp, int64_t i, uint64_t *word)
{
  return cs_heap_word (heap, fp + (uint64_t) (8 * i), 0, word);
}

/* To the caller's frame.  */
static bool
go_out (const struct cs_heap *heap, struct stack *s)
{
  uint64_t link;

  if (s->top - s->fp < 8 * FRAME_LEN
      || !element (heap, s->fp, RETURN_ADDRESS, &s->ip)
      || !element (heap, s->fp, DYNAMIC_LINK, &link)
      || link == 0 || link > (s->top - s->fp) / 8)
    return false;
  s->fp += 8 * link;
  return true;
}

static bool
add_frame (const struct reader *r, uint64_t addr, bool innermost,
           struct cs_guile_thread *t)
{
  if (t->nr_frames == CS_THREAD_FRAMES_MAX)
    return false;
  if (describe (r, addr, innermost, &t->frames[t->nr_frames]))
    t->nr_frames++;
  return true;
}

static void
read_frames (const struct reader *r, struct stack s,
             struct cs_guile_thread *t)
{
  bool innermost = true;

  while (add_frame (r, s.ip, innermost, t) && go_out (r->heap, &s))
    innermost = false;
}

/* States.  */

/* What is called while a foreign function is: the procedure made for it has
   the pointer as its second free variable (libguile/foreign.c,
   cif_to_procedure).  */
static bool
foreign_state (const struct reader *r, uint64_t procedure, char *text,
               size_t len)
{
  struct cs_err err = CS_ERR_INIT;
  uint64_t flags, code, pointer, addr = 0;
  struct cs_table_disk *table;
  long i = -ENOENT;

  if (!procedure_words (r->heap, procedure, &flags, &code)
      || !(flags & SCM_F_PROGRAM_IS_FOREIGN))
    return false;
  if (cs_heap_word (r->heap, procedure, 3, &pointer)
      && cs_heap_kind (r->heap, pointer) == CS_VALUE_POINTER
      && cs_heap_word (r->heap, pointer, 1, &addr)
      && cs_intern_open ((struct cs_store *) r->heap->store, &table, &err)
         == 0)
    i = cs_intern_at (table, addr);
  if (i >= 0)
    snprintf (text, len, "in the foreign function '%.100s'",
              cs_table_string (table, cs_table_entry (table, (uint32_t) i)
                                        ->name));
  else
    snprintf (text, len, "in a foreign function");
  return true;
}

static void
read_state (const struct reader *r, struct stack *s,
            struct cs_guile_thread *t)
{
  uint64_t procedure = 0;
  const struct primitive *primitive = find_primitive (r, s->ip);
  const int32_t *guile_mode
    = cs_heap_view (r->heap, s->thread + r->heap->threads.guile_mode,
                    sizeof *guile_mode);

  element (r->heap, s->fp, -1, &procedure);
  if (procedure == r->heap->park && go_out (r->heap, s))
    snprintf (t->state, sizeof t->state, "running");
  else if (primitive)
    snprintf (t->state, sizeof t->state, "in %.100s", primitive->name);
  else if (!foreign_state (r, procedure, t->state, sizeof t->state))
    snprintf (t->state, sizeof t->state,
              guile_mode && *guile_mode ? "running" : "outside of Guile");
}

/* Names.  */

/* SRFI 18 keeps the name in a record: the thread, its name, and more
   (module/srfi/srfi-18.scm).  Of most values one word is looked at: at a
   resume this is done for each thread that is gone.  */
static bool
is_named (const struct cs_heap *heap, uint64_t value, uint64_t handle,
          char *name, size_t len)
{
  uint64_t prim, vtable, type_name, text;
  char type[16];

  return cs_heap_word (heap, value, 1, &prim) && prim == handle
         && cs_heap_kind (heap, value) == CS_VALUE_RECORD
         && cs_heap_slot (heap, value, 0, &prim) && prim == handle
         && cs_heap_word (heap, value, 0, &vtable)
         && cs_heap_word (heap, vtable - scm_tc3_struct,
                          1 + scm_vtable_index_name, &type_name)
         && cs_heap_text (heap, type_name, type, sizeof type)
         && strcmp (type, "<thread>") == 0
         && cs_heap_slot (heap, value, 1, &text)
         && text != CS_VALUE_FALSE
         && cs_heap_print (heap, text, name, len);
}

/* Has VALUE the name in a free variable, if it is a procedure?  */
static bool
closes_over_name (const struct cs_heap *heap, uint64_t value,
                  uint64_t handle, char *name, size_t len)
{
  uint64_t flags, variable;

  if (!cs_heap_word (heap, value, 0, &flags)
      || (flags & 0x7f) != scm_tc7_program)
    return false;
  for (uint64_t i = 0; i < flags >> 16 && i < 64; i++)
    if (cs_heap_word (heap, value, 2 + i, &variable)
        && cs_value_is_object (variable)
        && is_named (heap, variable, handle, name, len))
      return true;
  return false;
}

/* It is an argument of the procedures that such a thread begins with, or what
   they close over.  */
static void
find_srfi_name (const struct cs_heap *heap, const struct stack *s,
                uint64_t handle, char *name, size_t len)
{
  uint64_t n = (s->top - s->fp) / 8;
  const unsigned char *elements;
  uint64_t value = 0;           /* little-endian, of either length */

  if (n > NAME_WORDS_MAX)
    n = NAME_WORDS_MAX;
  elements = cs_heap_view (heap, s->top - 8 * n, 8 * n);
  while (elements && n-- > 0)
    {
      memcpy (&value, elements + 8 * n, heap->word_len);
      if (cs_value_is_object (value)
          && (is_named (heap, value, handle, name, len)
              || closes_over_name (heap, value, handle, name, len)))
        return;
    }
}

void
cs_thread_list_name (const struct cs_heap *heap,
                     const struct cs_thread_disk *record, char *name,
                     size_t len)
{
  struct stack s;
  uint64_t handle;

  name[0] = '\0';
  if (read_stack (heap, record->value, &s)
      && cs_heap_word (heap, s.thread + heap->threads.handle, 0, &handle))
    find_srfi_name (heap, &s, handle, name, len);
}

/* As Guile prints a thread.  */
static void
print_thread (char *name, size_t len, uint64_t pthread, uint64_t value)
{
  snprintf (name, len, "#<thread %" PRIu64 " (%" PRIx64 ")>", pthread, value);
}

static void
read_name (const struct reader *r, struct cs_guile_thread *t)
{
  const struct cs_thread_disk *record = t->record;

  if (record->kind == CS_THREAD_OF_MAIN)
    strcpy (t->name, "workspace");
  else if (record->kind == CS_THREAD_OF_SERVICE)
    strcpy (t->name, "signals");
  else
    cs_thread_list_name (r->heap, record, t->name, sizeof t->name);
  if (!t->name[0])
    print_thread (t->name, sizeof t->name, record->pthread, record->value);
}

static int
read_thread (const struct reader *r, const struct cs_thread_disk *record,
             struct cs_guile_thread *t)
{
  struct stack s;
  bool sound = read_stack (r->heap, record->value, &s);

  *t = (struct cs_guile_thread) {
    .record = record, .state = "outside of Guile"
  };
  t->frames = calloc (CS_THREAD_FRAMES_MAX, sizeof *t->frames);
  if (!t->frames)
    return -ENOMEM;
  read_name (r, t);
  if (sound)
    {
      read_state (r, &s, t);
      read_frames (r, s, t);
    }
  return 0;
}

static int
read_threads (struct reader *r, const struct cs_threads_disk *records,
              struct cs_thread_list *list)
{
  const struct cs_thread_disk *record = records->threads;
  int code = 0;

  list->threads = calloc (records->count + 1, sizeof *list->threads);
  if (!list->threads)
    return -ENOMEM;
  for (uint64_t i = 0; code == 0 && i < records->count; i++, record++)
    if (record->value != 0 && record->key == r->heap->threads.key)
      code = read_thread (r, record, &list->threads[list->nr_threads++]);
  return code;
}

static void
read_gone_name (struct cs_gone_thread *gone)
{
  const struct cs_weeded_disk *record = gone->record;

  if (record->name[0])
    snprintf (gone->name, sizeof gone->name, "%.*s",
              (int) sizeof record->name, record->name);
  else
    print_thread (gone->name, sizeof gone->name, record->pthread,
                  record->value);
}

/* Where a thread was that is gone, without the place where it waited for the
   image to be written.  */
static void
read_gone_frames (const struct reader *r, struct cs_gone_thread *gone)
{
  uint32_t nr = gone->record->nr_code;
  const struct primitive *primitive;

  for (uint32_t i = 0; i < nr && i < CS_PROCESS_CODE_MAX; i++)
    {
      primitive = find_primitive (r, gone->record->code[i]);
      if (!primitive || strcmp (primitive->name, CS_SCHEME_API_PARK) != 0)
        gone->nr_frames += describe (r, gone->record->code[i], i == 0,
                                     &gone->frames[gone->nr_frames]);
    }
}

static int
read_gone (struct reader *r, const struct cs_threads_disk *records,
           struct cs_thread_list *list)
{
  uint64_t n = records->nr_weeded;
  struct cs_gone_thread *gone;

  n = n > CS_PROCESS_WEEDED_MAX ? n - CS_PROCESS_WEEDED_MAX : 0;
  list->gone = calloc (CS_PROCESS_WEEDED_MAX, sizeof *list->gone);
  if (!list->gone)
    return -ENOMEM;
  for (; n < records->nr_weeded; n++)
    {
      gone = &list->gone[list->nr_gone++];
      gone->record = &records->weeded[n % CS_PROCESS_WEEDED_MAX];
      read_gone_name (gone);
      read_gone_frames (r, gone);
    }
  return 0;
}

int
cs_thread_list_read (const struct cs_heap *heap,
                     const struct cs_threads_disk *records,
                     struct cs_thread_list *list)
{
  struct reader r = { .heap = heap };

  *list = (struct cs_thread_list) { .nr_threads = 0 };
  if (records->count > 0 || records->nr_weeded > 0)
    read_primitives (&r);
  if (r.code == 0)
    r.code = read_threads (&r, records, list);
  if (r.code == 0)
    r.code = read_gone (&r, records, list);
  for (size_t i = 0; i < r.nr; i++)
    free (r.primitives[i].name);
  free (r.primitives);
  return r.code;
}

void
cs_thread_list_fini (struct cs_thread_list *list)
{
  for (size_t i = 0; i < list->nr_threads; i++)
    free (list->threads[i].frames);
  free (list->threads);
  free (list->gone);
  *list = (struct cs_thread_list) { .nr_threads = 0 };
}
