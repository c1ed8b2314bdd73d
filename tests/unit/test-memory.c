/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-memory.c -- malloc and its family: whose memory is it?  */

#include <malloc.h>

#include "process-fixture.h"

static bool
is_filled (const char *block, char c, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (block[i] != c)
      return false;
  return true;
}

static void
before_collector (void)
{
  char *block, *copy;
  void *aligned;

  begin ();
  block = cs_memory_malloc (10);
  CHECK (block && !is_in_store (block));
  memset (block, 'x', 10);
  block = cs_memory_realloc (block, 100);
  CHECK (block && !is_in_store (block) && is_filled (block, 'x', 10));
  copy = cs_memory_strdup ("copy");
  CHECK (!is_in_store (copy) && !strcmp (copy, "copy"));
  CHECK (cs_memory_posix_memalign (&aligned, 64, 10) == 0);
  CHECK (!is_in_store (aligned));
  cs_memory_free (aligned);
  cs_memory_free (copy);
  cs_memory_free (block);
  cs_memory_free (NULL);
}

static void
from_store (void)
{
  char *block;

  begin ();
  start_collector ();
  block = cs_memory_malloc (0);
  CHECK (block && is_in_store (block));
  cs_memory_free (block);
  block = cs_memory_malloc (100);
  CHECK (is_in_store (block) && fake_size (block) == 100);
  memset (block, 'x', 100);
  block = cs_memory_realloc (block, 5000);
  CHECK (is_in_store (block) && is_filled (block, 'x', 100));
  CHECK (fake_heap->nr_resized == 1);
  CHECK (cs_memory_realloc (block, 0) == NULL);
  CHECK (fake_heap->nr_released == 2);
  block = cs_memory_realloc (NULL, 7);
  CHECK (is_in_store (block));
  cs_memory_free (block);
  block = cs_memory_calloc (10, 20);
  CHECK (is_in_store (block) && is_filled (block, 0, 200));
}

static void
strings (void)
{
  char text[3] = { 'a', 'b', 'c' };     /* without an end */
  char *copy;

  begin ();
  start_collector ();
  copy = cs_memory_strdup ("word");
  CHECK (is_in_store (copy) && !strcmp (copy, "word"));
  CHECK (fake_size (copy) == 5);
  copy = cs_memory_strndup (text, 3);
  CHECK (!strcmp (copy, "abc"));
  copy = cs_memory_strndup ("word", 2);
  CHECK (!strcmp (copy, "wo"));
  copy = cs_memory_strndup ("word", SIZE_MAX);
  CHECK (!strcmp (copy, "word"));
}

static void
libc_blocks (void)
{
  char *block, *moved;

  begin ();
  block = cs_memory_malloc (50);
  memset (block, 'x', 50);
  start_collector ();
  moved = cs_memory_realloc (block, 60);
  CHECK (is_in_store (moved) && is_filled (moved, 'x', 50));
  block = malloc (50);
  memset (block, 'y', 50);
  moved = cs_memory_realloc (block, 20);
  CHECK (is_in_store (moved) && is_filled (moved, 'y', 20));
  CHECK (fake_size (moved) == 20);
  cs_memory_free (malloc (1));
  CHECK (fake_heap->nr_released == 0);
  CHECK (cs_memory_realloc (malloc (1), 0) == NULL);
  CHECK (fake_heap->nr_released == 0);
}

static void *
unknown_thread (void *block)
{
  char *own = cs_memory_malloc (10), *moved;
  void *aligned;

  CHECK (own && !is_in_store (own));
  own = cs_memory_realloc (own, 20);
  CHECK (own && !is_in_store (own));
  cs_memory_free (own);
  CHECK (cs_memory_posix_memalign (&aligned, 64, 10) == 0);
  CHECK (!is_in_store (aligned));
  cs_memory_free (aligned);
  moved = cs_memory_realloc (block, 200);
  CHECK (moved && !is_in_store (moved) && is_filled (moved, 'x', 100));
  CHECK (fake_heap->nr_released == 1 && fake_heap->nr_allocated == 2);
  return moved;
}

static void *
unknown_thread_frees (void *block)
{
  cs_memory_free (block);
  CHECK (fake_heap->nr_released == 2);
  return NULL;
}

static void
unregistered (void)
{
  pthread_t thread;
  char *block, *other;
  void *moved;

  begin ();
  start_collector ();
  block = cs_memory_malloc (100);
  other = cs_memory_malloc (1);
  memset (block, 'x', 100);
  CHECK (pthread_create (&thread, NULL, unknown_thread, block) == 0);
  CHECK (pthread_join (thread, &moved) == 0);
  cs_memory_free (moved);
  CHECK (pthread_create (&thread, NULL, unknown_thread_frees, other) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
overflow (void)
{
  void *block = &block;

  begin ();
  start_collector ();
  errno = 0;
  CHECK (cs_memory_calloc (SIZE_MAX / 2 + 1, 2) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK (cs_memory_calloc (SIZE_MAX, SIZE_MAX) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK (cs_memory_malloc (SIZE_MAX) == NULL && errno == ENOMEM);
  CHECK (cs_memory_posix_memalign (&block, 64, SIZE_MAX - 10) == ENOMEM);
  CHECK (block == &block);
  CHECK (fake_heap->nr_allocated == 0);
}

static void
failed_realloc (void)
{
  char *block, *outside = malloc (10);

  begin ();
  start_collector ();
  block = cs_memory_malloc (10);
  memset (block, 'x', 10);
  memset (outside, 'y', 10);
  errno = 0;
  CHECK (cs_memory_realloc (block, HEAP_LEN) == NULL && errno == ENOMEM);
  CHECK (is_filled (block, 'x', 10) && !fake_block_of (block)->is_free);
  errno = 0;
  CHECK (cs_memory_realloc (outside, HEAP_LEN) == NULL && errno == ENOMEM);
  CHECK (is_filled (outside, 'y', 10));
  free (outside);
}

static void
alignment (void)
{
  void *block = &block;
  char *moved;
  uint64_t released;

  begin ();
  start_collector ();
  CHECK (cs_memory_posix_memalign (&block, 0, 10) == EINVAL);
  CHECK (cs_memory_posix_memalign (&block, 1, 10) == EINVAL);
  CHECK (cs_memory_posix_memalign (&block, 3 * sizeof (void *), 10)
         == EINVAL);
  CHECK (block == &block);
  for (size_t align = sizeof (void *); align <= 8192; align *= 2)
    {
      CHECK (cs_memory_posix_memalign (&block, align, 100) == 0);
      CHECK (is_in_store (block) && (uintptr_t) block % align == 0);
      CHECK (fake_size (fake_base (block))
               - (size_t) ((char *) block - (char *) fake_base (block))
             >= 100);
      memset (block, 'x', 100);
      moved = cs_memory_realloc (block, 300);
      CHECK (is_in_store (moved) && is_filled (moved, 'x', 100));
      cs_memory_free (moved);
      CHECK (cs_memory_posix_memalign (&block, align, 0) == 0);
      released = fake_heap->nr_released;
      cs_memory_free (block);
      CHECK (fake_heap->nr_released == released + 1);
      CHECK ((uintptr_t) cs_memory_aligned_alloc (align, align) % align == 0);
    }
  CHECK (cs_memory_aligned_alloc (1, 10));
  errno = 0;
  CHECK (!cs_memory_aligned_alloc (24, 10) && errno == EINVAL);
}

static void
leave_block (void)
{
  char *block;

  begin ();
  start_collector ();
  block = cs_memory_strdup ("kept");
  words->word[0] = (uintptr_t) block;
  save_and_leave ();
}

static void
free_block (void)
{
  char *block;

  resume ();
  CHECK (!is_in_store (cs_memory_malloc (1)));
  start_collector ();
  block = (char *) (uintptr_t) words->word[0];
  CHECK (!strcmp (block, "kept"));
  block = cs_memory_realloc (block, 100);
  CHECK (!strcmp (block, "kept") && fake_heap->nr_resized == 1);
  cs_memory_free (block);
  CHECK (fake_heap->nr_released == 1);
}

static void
next_process (void)
{
  CHECK (in_child (leave_block) == 0);
  CHECK (in_child (free_block) == 0);
}

/* libc's own calls of free() and realloc().  */
static void
libc_resizes (void)
{
  char text[1000], *line;
  size_t len = 8;
  FILE *file;

  begin ();
  start_collector ();
  memset (text, 'x', sizeof text);
  file = fmemopen (text, sizeof text, "r");
  line = cs_memory_malloc (len);
  CHECK (file && is_in_store (line));
  CHECK (getline (&line, &len, file) == (ssize_t) sizeof text);
  CHECK (is_filled (line, 'x', sizeof text) && is_in_store (line));
  CHECK (malloc_usable_size (line) == fake_size (line));
  free (line);
  CHECK (fake_heap->nr_released == 2);
  CHECK (fclose (file) == 0 && fake_heap->nr_released == 2);
}

static void
after_close (void)
{
  char *block;

  begin ();
  start_collector ();
  block = cs_memory_malloc (10);
  cs_process_close ();
  CHECK (malloc_usable_size (block) == 0);
  errno = 0;
  CHECK (realloc (block, 20) == NULL && errno == ENOMEM);
  free (block);
  CHECK (fake_heap->nr_released == 0);
  CHECK (!is_in_store (cs_memory_malloc (1)));
}

/* A block that a library of this process has freed is no longer its own.  */
static void
borrowed (void)
{
  char *block, *other;

  begin ();
  start_collector ();
  block = cs_borrowed_malloc (10);
  other = cs_borrowed_malloc (10);
  CHECK (block && other && is_in_store (block));
  CHECK (!cs_process_was_borrowed (block));
  CHECK (cs_borrowed_forget (block) && !cs_borrowed_forget (block));
  CHECK (cs_process_was_borrowed (block));
  CHECK (cs_borrowed_forget (other));
}

static const struct test_case cases[] = {
  { "before there is a collector, memory is libc's", before_collector },
  { "blocks come from the store", from_store },
  { "copies of strings come from the store", strings },
  { "libc's blocks are freed and resized", libc_blocks },
  { "a thread the collector does not know gets libc's memory",
    unregistered },
  { "sizes that overflow are refused", overflow },
  { "a block that cannot grow stays as it is", failed_realloc },
  { "aligned blocks are aligned, resized and freed", alignment },
  { "a block is freed by the next process", next_process },
  { "libc resizes and frees a block of the store", libc_resizes },
  { "a block of a store that was left is neither freed nor resized",
    after_close },
  { "a borrowed block is forgotten once", borrowed },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
