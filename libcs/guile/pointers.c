/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pointers.c -- foreign pointers that lead out of the store, and objects of
   extensions that lead to what a library of one process had.

   Guile's objects are as below (3.0.8 to 3.0.11, libguile/foreign.h,
   bytevectors.h, smob.h).  A pointer is a cell of two words, a type and an
   address; so is a smob, a type and a value, or it has four words, as a
   bytevector has.  An object that has ended is a smob of a type of ours: it
   stays one if it was one, because the collector may have its finalizer in
   hand, and then looks for what its type says to do (libguile/smob.c,
   finalize_smob).  Its value is a string, or the number of the type that it
   had: the collector does not look for strings in smobs of a type without a
   mark function.

   The table is a list of blocks of the collector's that it does not look
   into, each twice as large as the one before.  An entry refers to its object
   by a long link (libgc, gc.h, GC_register_long_link): the collector clears it
   when nothing can get at the object any more, also not a finalizer or a
   guardian.  Looking for a free entry goes round and round; a block is added
   when a round finds fewer than half of the entries free.  */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "guile/catch.h"
#include "guile/functions.h"
#include "guile/pointers.h"
#include "guile/smobs.h"
#include "process/process.h"
#include "report.h"

#define NO_SYMBOL UINT32_MAX
#define ROOM_MIN 64             /* entries of the first block */
#define TRAIL_MAX 64            /* blocks that a smob is followed through */
#define NUMBERS_END 0x10000     /* no memory lies so near to either end */

enum kind
{
  POINTER,
  BYTEVECTOR,
  SMOB
};

struct entry
{
  void *object;                 /* a long link; NULL: this entry is free */
  uint32_t symbol;              /* a pointer: entry of the intern table, or
                                   NO_SYMBOL */
  uint32_t kind;                /* enum kind */
  uint64_t distance;            /* a bytevector: from its pointer's address to
                                   its contents */
};

struct block
{
  struct block *next;
  uint64_t room;
  struct entry entries[];
};

/* What a finalizer of a pointer was registered with.  */
struct finalizer
{
  scm_t_pointer_finalizer function;
  uint64_t epoch;               /* of the process in which that was */
  GC_finalization_proc next;    /* what was registered before it */
  void *next_closure;
};

static struct
{
  struct cs_pointers_disk *image;       /* NULL: too early for pointers */
  struct block *block;          /* where the search is: there, */
  uint64_t at;
  uint64_t total;               /* entries in all blocks */
  uint64_t nr_found;            /* free ones that this round has found */
} pointers;

/* Threads wait for it a few instructions long, or for a look at all entries
   once in so many.  */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static void
hold_table (void)
{
  cs_process_defer_stop ();
  pthread_mutex_lock (&table_lock);
}

static void
release_table (void)
{
  pthread_mutex_unlock (&table_lock);
  cs_process_allow_stop ();
}

void
cs_pointers_fork_prepare (void)
{
  hold_table ();
}

void
cs_pointers_fork_parent (void)
{
  release_table ();
}

void
cs_pointers_fork_child (void)
{
  release_table ();
}

static struct block *
first_block (void)
{
  return (struct block *) (uintptr_t) pointers.image->table;
}

/* With the table held: a free entry, taken for OBJECT, or NULL when it is
   time for another block.  */
static struct entry *
take_entry (void *object)
{
  struct entry *entry;

  while (pointers.block)
    {
      while (pointers.at < pointers.block->room)
        {
          entry = &pointers.block->entries[pointers.at++];
          if (!entry->object)
            {
              pointers.nr_found++;
              entry->object = object;
              return entry;
            }
        }
      pointers.at = 0;
      pointers.block = pointers.block->next;
      if (!pointers.block)
        {
          if (pointers.nr_found < pointers.total / 2)
            break;
          pointers.nr_found = 0;
          pointers.block = first_block ();
        }
    }
  return NULL;
}

/* A block of ROOM entries more; the search begins in it.  Allocated without
   the lock: a collection may run what takes it.  */
static bool
add_block (uint64_t room)
{
  size_t len = sizeof (struct block) + room * sizeof (struct entry);
  struct block *block = gc.malloc_atomic_uncollectable (len);

  if (!block)
    return false;
  memset (block, 0, len);
  block->room = room;
  hold_table ();
  block->next = first_block ();
  pointers.image->table = (uintptr_t) block;
  pointers.block = block;
  pointers.at = 0;
  pointers.nr_found = 0;
  pointers.total += room;
  release_table ();
  return true;
}

/* OBJECT leads out of the store, as FIELDS says.  The thread is not stopped
   for an image where the entry has no link yet.  */
static void
enter (SCM object, const struct entry *fields)
{
  void *addr = SCM_UNPACK_POINTER (object);
  struct entry *entry;
  uint64_t room;

  for (;;)
    {
      hold_table ();
      entry = take_entry (addr);
      if (entry)
        {
          entry->symbol = fields->symbol;
          entry->kind = fields->kind;
          entry->distance = fields->distance;
        }
      room = pointers.total ? pointers.total : ROOM_MIN;
      release_table ();
      if (entry)
        break;
      /* Without memory for it the object is as it would be without us.  */
      if (!add_block (room))
        return;
    }
  gc.register_long_link (&entry->object, addr);
}

static void
note (SCM object, const struct entry *fields)
{
  cs_process_defer_stop ();
  enter (object, fields);
  cs_process_allow_stop ();
}

/* Asking the kernel takes longer than the rest: the last page that there was
   is kept.  */
static bool
is_mapped (uintptr_t addr)
{
  static __thread uintptr_t last;
  const uintptr_t page = addr & -(uintptr_t) CS_STORE_PAGE_LEN;
  unsigned char resident;

  if (page != last && mincore ((void *) page, 1, &resident) != 0)
    return false;
  last = page;
  return true;
}

static bool
leads_out (const void *addr)
{
  uintptr_t number = (uintptr_t) addr;

  return pointers.image && number >= NUMBERS_END
         && number < -(uintptr_t) NUMBERS_END
         && !cs_store_contains (cs_process.store, addr) && is_mapped (number);
}

/* Finalizers.  */

void
cs_pointers_finalize (void *object, void *closure)
{
  const struct finalizer *f = closure;
  SCM pointer = SCM_PACK_POINTER (object);

  if (f->epoch == cs_process.image->epoch && SCM_POINTER_P (pointer))
    f->function (SCM_POINTER_VALUE (pointer));
  if (f->next)
    f->next (object, f->next_closure);
}

/* As libguile does (libguile/finalizers.c, scm_i_add_finalizer): those that
   are there already are called afterwards.  */
static void
add_finalizer (SCM pointer, scm_t_pointer_finalizer function)
{
  struct finalizer *f = gc.malloc (sizeof *f);
  void *object = SCM_UNPACK_POINTER (pointer);

  f->function = function;
  f->epoch = cs_process.image->epoch;
  gc.register_finalizer_no_order
    (object, (GC_finalization_proc) (uintptr_t) pointers.image->finalize, f,
     &f->next, &f->next_closure);
}

/* What libguile calls.  */

static SCM
from_pointer (void *addr, scm_t_pointer_finalizer finalizer)
{
  long symbol = cs_process_data_symbol (addr);
  struct entry fields = {
    .kind = POINTER, .symbol = symbol < 0 ? NO_SYMBOL : (uint32_t) symbol
  };
  SCM pointer;

  if (!leads_out (addr))
    return scm.from_pointer (addr, finalizer);
  pointer = scm.from_pointer (addr, NULL);
  note (pointer, &fields);
  if (finalizer)
    add_finalizer (pointer, finalizer);
  return pointer;
}

static SCM
set_pointer_finalizer (SCM pointer, SCM finalizer)
{
  if (!SCM_POINTER_P (pointer) || !SCM_POINTER_P (finalizer)
      || !leads_out (SCM_POINTER_VALUE (pointer)))
    return scm.set_pointer_finalizer_x (pointer, finalizer);
  add_finalizer (pointer, (scm_t_pointer_finalizer)
                            SCM_POINTER_VALUE (finalizer));
  return SCM_UNSPECIFIED;
}

static SCM
pointer_to_bytevector (SCM pointer, SCM len, SCM offset, SCM type)
{
  SCM bytes = scm.pointer_to_bytevector (pointer, len, offset, type);
  const char *contents = (const char *) SCM_BYTEVECTOR_CONTENTS (bytes);
  struct entry fields = { .kind = BYTEVECTOR };

  if (leads_out (SCM_POINTER_VALUE (pointer)))
    {
      fields.distance
        = (uint64_t) (contents - (const char *) SCM_POINTER_VALUE (pointer));
      note (bytes, &fields);
    }
  return bytes;
}

static SCM
new_smob (scm_t_bits tag, scm_t_bits data)
{
  const struct entry fields = { .kind = SMOB };
  SCM smob = cs_smobs_new (tag, data);

  if (pointers.image)
    note (smob, &fields);
  return smob;
}

static SCM
new_double_smob (scm_t_bits tag, scm_t_bits data1, scm_t_bits data2,
                 scm_t_bits data3)
{
  const struct entry fields = { .kind = SMOB };
  SCM smob = cs_smobs_new_double (tag, data1, data2, data3);

  if (pointers.image)
    note (smob, &fields);
  return smob;
}

/* Objects that have ended.  */

static bool
is_ended (SCM object)
{
  return SCM_SMOB_PREDICATE (pointers.image->tag, object);
}

int
cs_pointers_print_ended (SCM object, SCM port, scm_print_state *state)
{
  SCM what = SCM_SMOB_OBJECT (object);

  (void) state;
  scm.puts ("#<ended: ", port);
  if (SCM_I_INUMP (what))
    {
      scm.puts ((*scm_data.smobs)[SCM_I_INUM (what)].name, port);
      scm.puts (", which was an earlier process's", port);
    }
  else
    scm.display (what, port);
  scm.puts (">", port);
  return 1;
}

/* WHAT is a number, or a string where the collector looks at all of the
   object.  */
static void
end (SCM object, SCM what)
{
  SCM_SET_CELL_WORD_1 (object, SCM_UNPACK (what));
  SCM_SET_CELL_WORD_0 (object, pointers.image->tag);
  pointers.image->any_ended = true;
}

/* A variable may be there again.  */
static void
follow_symbol (SCM object, uint32_t symbol)
{
  const struct cs_table_disk *table = cs_process.table;
  const struct cs_table_entry_disk *entry = cs_table_entry (table, symbol);
  char what[512];

  if (entry->value != 0)
    {
      SCM_SET_CELL_WORD_1 (object, (scm_t_bits) entry->value);
      SCM_SET_CELL_WORD_0 (object, scm_tc7_pointer);
      return;
    }
  snprintf (what, sizeof what, "pointer to '%s' of '%s', which is missing"
            " today", cs_table_string (table, entry->name),
            cs_table_string (table, entry->library));
  end (object, scm.from_utf8_string (what));
}

/* Returns whether the pointer OBJECT has ended for good.  */
static bool
follow_pointer (SCM object, uint32_t symbol)
{
  char what[80];

  if (symbol != NO_SYMBOL)
    {
      follow_symbol (object, symbol);
      return false;
    }
  snprintf (what, sizeof what, "pointer %p, whose memory was an earlier"
            " process's", SCM_POINTER_VALUE (object));
  end (object, scm.from_utf8_string (what));
  return true;
}

/* Returns whether the bytevector OBJECT, or what was one, has ended.  */
static bool
follow_bytevector (SCM object, uint64_t distance)
{
  SCM pointer = SCM_BYTEVECTOR_PARENT (object);
  char what[80];

  if (SCM_POINTER_P (pointer))
    {
      SCM_SET_CELL_WORD_2 (object, (scm_t_bits) SCM_POINTER_VALUE (pointer)
                                   + (scm_t_bits) distance);
      return false;
    }
  snprintf (what, sizeof what, "bytevector of %zu bytes, whose memory was an"
            " earlier process's", (size_t) SCM_BYTEVECTOR_LENGTH (object));
  end (object, scm.from_utf8_string (what));
  return true;
}

/* What a smob leads to: the block in its first word, whatever that is, and
   blocks of malloc's that are led to from there on.  Guile's objects are not
   followed, as they lead everywhere.  */
struct trail
{
  int malloced;                 /* malloc's kind of blocks */
  const void *blocks[TRAIL_MAX];
  size_t nr;
};

static void *
block_at (scm_t_bits word)
{
  return cs_store_contains (cs_process.store, (void *) word)
         ? gc.base ((void *) word) : NULL;
}

static void
add_to_trail (struct trail *trail, const void *block)
{
  for (size_t i = 0; i < trail->nr; i++)
    if (trail->blocks[i] == block)
      return;
  if (trail->nr < TRAIL_MAX)
    trail->blocks[trail->nr++] = block;
}

static int
kind_of (const void *block)
{
  return cs_process.collector.kind (block, NULL);
}

/* Does any of LEN bytes at WORDS lead to what was borrowed?  The rest that
   they lead to is added to TRAIL.  */
static bool
lead_to_borrowed (struct trail *trail, const scm_t_bits *words, size_t len)
{
  const void *block;

  for (size_t i = 0; i < len / sizeof *words; i++)
    {
      block = block_at (words[i]);
      if (block && cs_process_was_borrowed (block))
        return true;
      if (block && kind_of (block) == trail->malloced)
        add_to_trail (trail, block);
    }
  return false;
}

static bool
has_ended (const scm_t_bits *words)
{
  struct trail trail = { .malloced = kind_of (first_block ()) };
  const void *block = block_at (words[1]);

  if (lead_to_borrowed (&trail, words + 1, gc.size (words) - sizeof *words))
    return true;
  if (block)
    add_to_trail (&trail, block);
  for (size_t i = 0; i < trail.nr; i++)
    if (lead_to_borrowed (&trail, trail.blocks[i], gc.size (trail.blocks[i])))
      return true;
  return false;
}

/* Returns whether the smob OBJECT has ended.  */
static bool
follow_smob (SCM object)
{
  if (!has_ended ((scm_t_bits *) SCM_UNPACK_POINTER (object)))
    return false;
  end (object, SCM_I_MAKINUM (SCM_SMOBNUM (object)));
  return true;
}

static bool
follow (const struct entry *entry)
{
  SCM object = SCM_PACK_POINTER (entry->object);

  switch (entry->kind)
    {
    case POINTER:
      return follow_pointer (object, entry->symbol);
    case BYTEVECTOR:
      return follow_bytevector (object, entry->distance);
    default:
      return follow_smob (object);
    }
}

/* Returns how many of KIND have ended.  */
static unsigned
follow_all (enum kind kind)
{
  struct entry *entry;
  unsigned nr = 0;

  for (struct block *block = first_block (); block; block = block->next)
    for (uint64_t i = 0; i < block->room; i++)
      {
        entry = &block->entries[i];
        if (!entry->object || entry->kind != kind || !follow (entry))
          continue;
        gc.unregister_long_link (&entry->object);
        entry->object = NULL;
        nr++;
      }
  return nr;
}

/* Bytevectors follow their pointers.  */
void
cs_pointers_restore_objects (void)
{
  unsigned nr_pointers = follow_all (POINTER) + follow_all (BYTEVECTOR);
  unsigned nr_smobs = follow_all (SMOB);

  if (nr_pointers > 0)
    cs_report (CS_REPORT_WEEDED, "pointers: %u into memory of the last"
               " process", nr_pointers);
  if (nr_smobs > 0)
    cs_report (CS_REPORT_WEEDED, "objects: %u of extensions, which a library"
               " of the last process had made", nr_smobs);
}

/* after-gc-hook.  */

/* Is an ended one in the tree OBJECT of pairs, DEPTH of them deep?  */
static bool
mentions_ended (SCM object, int depth)
{
  for (; depth > 0 && scm_is_pair (object); depth--)
    {
      if (mentions_ended (SCM_CAR (object), depth - 1))
        return true;
      object = SCM_CDR (object);
    }
  return is_ended (object);
}

static SCM
call_procedure (void *caught)
{
  return scm.call_0 (((struct cs_catch *) caught)->object);
}

/* Call PROCEDURE until it does without one, but not for ever.  */
static void
run_after_gc (SCM procedure)
{
  struct cs_catch caught = { .object = procedure };

  for (int i = 0; i < 1000; i++)
    {
      cs_catch (&caught, call_procedure);
      if (!caught.failed)
        return;
      if (!mentions_ended (caught.args, 8))
        scm.throw (caught.key, caught.args);
    }
}

static void
run_hook (SCM hook, SCM args)
{
  SCM procedures;

  if (!pointers.image || !pointers.image->any_ended
      || !scm_is_eq (hook, *scm_data.after_gc_hook))
    {
      scm.c_run_hook (hook, args);
      return;
    }
  for (procedures = scm.hook_to_list (hook); scm_is_pair (procedures);
       procedures = SCM_CDR (procedures))
    run_after_gc (SCM_CAR (procedures));
}

void *
cs_pointers_replacement (const char *name)
{
  static const struct
  {
    const char *name;
    void *function;
  } replacements[] = {
    { "guile:from_pointer", from_pointer },
    { "guile:pointer_to_bytevector", pointer_to_bytevector },
    { "guile:set_pointer_finalizer_x", set_pointer_finalizer },
    { "guile:i_new_smob", new_smob },
    { "guile:i_new_double_smob", new_double_smob },
    { "guile:make_smob_type", cs_smobs_make_type },
    { "guile:set_smob_mark", cs_smobs_set_mark },
    { "guile:c_run_hook", run_hook }
  };

  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
    if (strcmp (replacements[i].name, name) == 0)
      return replacements[i].function;
  return NULL;
}

void
cs_pointers_create (struct cs_pointers_disk *image)
{
  image->borrowed = gc.new_kind (gc.new_free_list (), GC_DS_LENGTH, 1, 1);
  cs_process.collector.borrowed = (int) image->borrowed;
}

void
cs_pointers_create_types (struct cs_pointers_disk *image, uint64_t finalize,
                  uint64_t print)
{
  strcpy (image->name, "ended");
  image->tag = scm.make_smob_type (image->name, 0);
  scm.set_smob_print (image->tag, (int (*) (SCM, SCM, scm_print_state *))
                                    (uintptr_t) print);
  image->finalize = finalize;
  cs_pointers_restore (image);
}

void
cs_pointers_restore (struct cs_pointers_disk *image)
{
  pointers.image = image;
  pointers.block = first_block ();
  for (struct block *block = first_block (); block; block = block->next)
    pointers.total += block->room;
  cs_process.collector.borrowed = (int) image->borrowed;
}
