/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process-fixture.h -- what the tests of the process layer share.

   A case is a list of processes that use one store after the other, each a
   child of the case's own.  They are forks of one program, so its functions
   have the same addresses in all of them, as a carried library's have.  */
#ifndef PROCESS_FIXTURE_H
#define PROCESS_FIXTURE_H

#include "store-fixture.h"

#include "process/private.h"

/* What one process leaves for the next: section "test".  */
struct test_words
{
  uint64_t word[64];
  char text[1024];
};

static struct test_words *words;

#define HEAP_LEN ((size_t) 1 << 20)
#define FAKE_MAGIC 0x66616b65u

/* A collector that allocates in section "heap" and never collects.  */
struct fake_block
{
  uint64_t len;
  uint32_t magic, is_free;
  _Alignas (16) char bytes[];
};

struct fake_heap
{
  uint64_t used, nr_allocated, nr_released, nr_resized;
  _Alignas (16) char blocks[];
};

static struct fake_heap *fake_heap;

static inline void *
fake_allocate (size_t len)
{
  struct fake_block *block
    = (struct fake_block *) (fake_heap->blocks + fake_heap->used);
  size_t room = (sizeof *block + len + 15) & ~(size_t) 15;

  if (len > HEAP_LEN
      || room > HEAP_LEN - sizeof *fake_heap - fake_heap->used)
    return NULL;
  fake_heap->used += room;
  fake_heap->nr_allocated++;
  block->len = len;
  block->magic = FAKE_MAGIC;
  /* Like the collector's uncollectable blocks: not cleared.  */
  memset (block->bytes, 0xa5, len);
  return block->bytes;
}

static inline void *
fake_base (void *pointer)
{
  size_t off = 0;
  struct fake_block *block;

  while (off < fake_heap->used)
    {
      block = (struct fake_block *) (fake_heap->blocks + off);
      CHECK (block->magic == FAKE_MAGIC);
      if ((char *) pointer >= block->bytes
          && (char *) pointer < block->bytes + block->len)
        return block->bytes;
      off += (sizeof *block + block->len + 15) & ~(size_t) 15;
    }
  return NULL;
}

static inline struct fake_block *
fake_block_of (const void *base)
{
  struct fake_block *block
    = (struct fake_block *) ((char *) base
                             - offsetof (struct fake_block, bytes));

  CHECK (block->magic == FAKE_MAGIC && !block->is_free);
  return block;
}

static inline size_t
fake_size (const void *base)
{
  return fake_block_of (base)->len;
}

static inline void
fake_release (void *base)
{
  fake_block_of (base)->is_free = 1;
  fake_heap->nr_released++;
}

static inline void *
fake_resize (void *base, size_t len)
{
  struct fake_block *old = fake_block_of (base);
  void *block = fake_allocate (len);

  if (!block)
    return NULL;
  memcpy (block, base, old->len < len ? old->len : len);
  old->is_free = 1;
  fake_heap->nr_resized++;
  return block;
}

static inline void *
fake_allocate_kind (size_t len, int kind)
{
  (void) kind;
  return fake_allocate (len);
}

/* It knows of one kind only.  */
static inline int
fake_kind (const void *base, size_t *len)
{
  *len = fake_size (base);
  return 0;
}

/* From now on this process has a collector, which knows this thread.  */
static inline void
start_collector (void)
{
  size_t len;

  fake_heap = cs_store_section (cs_process.store, "heap", &len);
  CHECK (fake_heap && len == HEAP_LEN);
  cs_process.collector = (struct cs_process_collector) {
    fake_allocate, fake_resize, fake_release, fake_base, fake_size,
    fake_allocate, fake_allocate_kind, fake_kind, 0
  };
  atomic_store (&cs_process.collector_ready, true);
  cs_process_registered = true;
}

static inline bool
is_in_store (const void *addr)
{
  return cs_store_contains (cs_process.store, addr);
}

/* Descriptors that the test program had before it made its store.  */
static bool was_open[1024];

static inline void
note_open (void)
{
  for (int fd = 0; fd < 1024; fd++)
    was_open[fd] = fcntl (fd, F_GETFD) >= 0;
}

/* The first process: a store with a table and everything above.  */
static inline void
begin (void)
{
  struct cs_store *store;
  struct cs_table_disk *table;
  struct cs_err err = CS_ERR_INIT;
  void *addr;

  note_open ();
  store = create (false);
  CHECK (cs_intern_create (store, cs_arch_native (), NULL, &err) == 0);
  CHECK (cs_intern_open (store, &table, &err) == 0);
  CHECK (cs_store_section_create (store, "test", sizeof *words, RW, &addr)
         == 0);
  words = addr;
  CHECK (cs_store_section_create (store, "heap", HEAP_LEN, RW, &addr) == 0);
  CHECK (cs_process_create (store, table, &err) == 0);
}

/* Any later one, up to where the carried libraries would be loaded.  */
static inline int
reopen_store (enum cs_store_mode mode, struct cs_err *err)
{
  struct cs_store *store;
  struct cs_table_disk *table;
  size_t len;

  note_open ();
  store = open_mode (mode);
  CHECK (cs_intern_open (store, &table, err) == 0);
  words = cs_store_section (store, "test", &len);
  CHECK (words);
  return cs_process_open (store, table, err);
}

/* All of it.  */
static inline void
resume (void)
{
  struct cs_err err = CS_ERR_INIT;

  if (reopen_store (CS_STORE_WRITE, &err) != 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
  cs_process_resume ();
}

/* Note every descriptor that is open and not the store's, as if each were a
   port's whose number the program knows.  */
static inline void
record_descriptors (void)
{
  const struct cs_descriptor_port port = { .position = -1, .revealed = true };

  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  for (int fd = 3; fd < 1024; fd++)
    if (!was_open[fd] && fcntl (fd, F_GETFD) >= 0
        && !cs_store_owns_descriptor (cs_process.store, fd))
      cs_process_record_descriptor (fd, &port);
}

static inline void
save (void)
{
  record_descriptors ();
  commit_ok (cs_process.store);
}

/* The end of a process that saves: as _exit(), so that no exit handlers
   run, but with the store's lock given back.  */
static inline void
save_and_leave (void)
{
  save ();
  cs_store_close (cs_process.store);
  _exit (0);
}

/* The trampoline of a new entry NAME, bound to FUNCTION: an address in the
   store, as a carried library's functions have.  */
static inline void *
in_table (const char *name, void *function)
{
  const struct cs_table_entry_disk fields = { .kind = CS_SYMBOL_FUNCTION };
  long i = cs_table_add (cs_process.table, "libtest.so", name, "", &fields);

  CHECK (i >= 0);
  cs_intern_bind (cs_process.table, (uint32_t) i, (uintptr_t) function);
  return (void *) (uintptr_t) cs_intern_trampoline (cs_process.table,
                                                    (uint32_t) i);
}

#endif
