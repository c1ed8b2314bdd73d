/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-mapping.c -- mmap and its family: ranges of the store.  */

#include "process-fixture.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RWX (RW | PROT_EXEC)

static char *
map_anon (size_t len, int prot)
{
  void *addr = cs_mapping_mmap (NULL, len, prot, ANON, -1, 0);

  CHECK (addr != MAP_FAILED && is_in_store (addr));
  CHECK ((uintptr_t) addr % PAGE == 0);
  return addr;
}

static bool
is_zero (const char *addr, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (addr[i])
      return false;
  return true;
}

/* Does writing to ADDR end a process?  */
static char *victim;

static void
write_to_victim (void)
{
  signal (SIGSEGV, SIG_DFL);
  signal (SIGBUS, SIG_DFL);
  *(volatile char *) victim = 1;
}

static bool
is_protected (char *addr)
{
  victim = addr;
  return in_child (write_to_victim) != 0;
}

static void
anonymous (void)
{
  char *a, *b;

  begin ();
  a = map_anon (3 * PAGE, RW);
  b = map_anon (10, RW);
  CHECK (is_zero (a, 3 * PAGE) && is_zero (b, PAGE));
  CHECK (b >= a + 3 * PAGE || b + PAGE <= a);
  memset (a, 'x', 3 * PAGE);
  CHECK (cs_mapping_munmap (a + PAGE, PAGE) == 0);
  CHECK (a[0] == 'x' && a[2 * PAGE] == 'x' && is_protected (a + PAGE));
  /* A range that was given back is used again, and is zero.  */
  CHECK (map_anon (PAGE, RW) == a + PAGE && is_zero (a + PAGE, PAGE));
  CHECK (cs_mapping_mmap (NULL, 0, RW, ANON, -1, 0) == MAP_FAILED);
  errno = 0;
  CHECK (cs_mapping_mmap (NULL, (size_t) 1 << (8 * sizeof (size_t) - 2), RW,
                          ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
}

static int
make_file (size_t len)
{
  int fd = open ("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

  CHECK (fd >= 0);
  for (size_t i = 0; i < len; i++)
    CHECK (write (fd, i < PAGE ? "a" : "b", 1) == 1);
  return fd;
}

static void
files_are_copied (void)
{
  char *addr;
  int fd;

  begin ();
  fd = make_file (PAGE + 100);
  addr = cs_mapping_mmap (NULL, PAGE + 100, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK (addr != MAP_FAILED && is_in_store (addr));
  CHECK (addr[0] == 'a' && addr[PAGE] == 'b' && addr[PAGE + 99] == 'b');
  CHECK (is_zero (addr + PAGE + 100, PAGE - 100));
  CHECK (pwrite (fd, "z", 1, 0) == 1 && addr[0] == 'a');
  CHECK (cs_mapping_mprotect (addr, PAGE, RW) == 0);
  addr[1] = 'c';
  CHECK (pread (fd, words->text, 2, 0) == 2 && !memcmp (words->text, "za", 2));
  CHECK (cs_mapping_munmap (addr, PAGE + 100) == 0);
  /* From an offset, and more than there is.  */
  addr = cs_mapping_mmap (NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, PAGE);
  CHECK (addr[0] == 'b' && is_zero (addr + 100, 3 * PAGE - 100));
  close (fd);
  addr[0] = 'd';
}

static void
bad_files (void)
{
  char *before, *after;
  int fd, folder;

  begin ();
  before = map_anon (PAGE, RW);
  CHECK (cs_mapping_munmap (before, PAGE) == 0);
  errno = 0;
  CHECK (cs_mapping_mmap (NULL, PAGE, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED);
  CHECK (errno == EBADF);
  folder = open (".", O_RDONLY | O_DIRECTORY);
  CHECK (cs_mapping_mmap (NULL, PAGE, RW, MAP_PRIVATE, folder, 0)
         == MAP_FAILED);
  /* Nothing was left mapped.  */
  after = map_anon (PAGE, RW);
  CHECK (after == before);
  fd = make_file (10);
  errno = 0;
  CHECK (cs_mapping_mmap (after, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0)
         == MAP_FAILED && errno == ENOTSUP);
}

static void
fixed (void)
{
  char *addr, *outside;

  begin ();
  addr = map_anon (3 * PAGE, RW);
  memset (addr, 'x', 3 * PAGE);
  CHECK (cs_mapping_mmap (addr + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0)
         == addr + PAGE);
  CHECK (addr[0] == 'x' && is_zero (addr + PAGE, PAGE)
         && addr[2 * PAGE] == 'x');
  outside = mmap (NULL, PAGE, RW, ANON, -1, 0);
  CHECK (outside != MAP_FAILED);
  outside[0] = 'y';
  CHECK (cs_mapping_mmap (outside, PAGE, RW, ANON | MAP_FIXED, -1, 0)
         == outside);
  CHECK (outside[0] == 0);
  /* The directory is no place for it.  */
  CHECK (cs_mapping_mmap ((void *) (uintptr_t) default_params ().base, PAGE,
                          RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED);
}

static void
shared (void)
{
  char *addr;
  int fd;

  begin ();
  fd = make_file (PAGE);
  addr = cs_mapping_mmap (NULL, PAGE, RW, MAP_SHARED, fd, 0);
  CHECK (addr != MAP_FAILED && !is_in_store (addr));
  addr[0] = 'S';
  CHECK (pread (fd, words->text, 1, 0) == 1 && words->text[0] == 'S');
  CHECK (cs_mapping_mprotect (addr, PAGE, PROT_READ) == 0);
  CHECK (is_protected (addr));
  CHECK (cs_mapping_madvise (addr, PAGE, MADV_DONTNEED) == 0);
  CHECK (cs_mapping_munmap (addr, PAGE) == 0);
}

static void
protection (void)
{
  char *addr;

  begin ();
  addr = map_anon (2 * PAGE, PROT_NONE);
  CHECK (is_protected (addr));
  CHECK (cs_mapping_mprotect (addr, PAGE, RW) == 0);
  CHECK (!is_protected (addr) && is_protected (addr + PAGE));
  addr[0] = 'x';
  CHECK (cs_mapping_mprotect (addr, PAGE, PROT_NONE) == 0);
  CHECK (is_protected (addr));
  errno = 0;
  CHECK (cs_mapping_mprotect (addr + 1, PAGE, RW) == -1 && errno == EINVAL);
  CHECK (cs_mapping_munmap (addr + PAGE, PAGE) == 0);
  errno = 0;
  CHECK (cs_mapping_mprotect (addr, 2 * PAGE, RW) == -1 && errno == ENOMEM);
}

static void
advice (void)
{
  char *addr;

  begin ();
  addr = map_anon (2 * PAGE, RW);
  memset (addr, 'x', 2 * PAGE);
  CHECK (cs_mapping_madvise (addr, 2 * PAGE, MADV_WILLNEED) == 0);
  CHECK (cs_mapping_madvise (addr, PAGE, MADV_DONTNEED) == 0);
  CHECK (is_zero (addr, PAGE) && addr[PAGE] == 'x');
  CHECK (cs_mapping_madvise (addr + PAGE, PAGE, MADV_FREE) == 0);
  addr[0] = addr[PAGE] = 'y';
}

/* Across processes.  */

static void
leave_mappings (void)
{
  char *heap, *clear, *none, *file;

  begin ();
  heap = map_anon (2 * PAGE, RW);
  clear = map_anon (PAGE, RW);
  none = map_anon (PAGE, PROT_NONE);
  file = cs_mapping_mmap (NULL, PAGE, PROT_READ, MAP_PRIVATE,
                          make_file (PAGE), 0);
  strcpy (heap, "heap");
  strcpy (clear, "old");
  words->word[0] = (uintptr_t) heap;
  words->word[1] = (uintptr_t) clear;
  words->word[2] = (uintptr_t) none;
  words->word[3] = (uintptr_t) file;
  CHECK (unlink ("file") == 0);
  save_and_leave ();
}

static char *
kept (int i)
{
  return (char *) (uintptr_t) words->word[i];
}

static void
find_mappings (void)
{
  resume ();
  CHECK (!strcmp (kept (0), "heap") && !strcmp (kept (1), "old"));
  CHECK (is_protected (kept (2)));
  CHECK (kept (3)[0] == 'a' && kept (3)[PAGE - 1] == 'a');
  /* Not the file's old contents.  */
  CHECK (cs_mapping_madvise (kept (1), PAGE, MADV_DONTNEED) == 0);
  CHECK (is_zero (kept (1), PAGE));
  CHECK (cs_mapping_munmap (kept (0), 2 * PAGE) == 0);
  CHECK (map_anon (2 * PAGE, RW) == kept (0) && is_zero (kept (0), 2 * PAGE));
  save_and_leave ();
}

static void
find_zeros (void)
{
  resume ();
  CHECK (is_zero (kept (0), 2 * PAGE) && is_zero (kept (1), PAGE));
}

static void
next_process (void)
{
  CHECK (in_child (leave_mappings) == 0);
  CHECK (in_child (find_mappings) == 0);
  CHECK (in_child (find_zeros) == 0);
}

#define ARENA (16 * PAGE)

static void
leave_arenas (void)
{
  char *arenas[4];

  begin ();
  for (int i = 0; i < 4; i++)
    {
      arenas[i] = map_anon (ARENA - 3, RWX);
      words->word[i] = (uintptr_t) arenas[i];
    }
  /* Used: a page and a word; nothing; all, to the last byte.  */
  memset (arenas[0], 0x90, PAGE + 8);
  arenas[2][ARENA - 1] = 1;
  arenas[3][0] = 1;
  CHECK (cs_process.image->nr_arenas == 4);
  save_and_leave ();
}

static void
find_trimmed (void)
{
  resume ();
  CHECK (cs_process.image->nr_arenas == 0);
  CHECK (kept (0)[PAGE + 7] == (char) 0x90);
  CHECK (!is_protected (kept (0) + PAGE));
  CHECK (is_protected (kept (0) + 2 * PAGE));
  CHECK (is_protected (kept (1)));
  CHECK (kept (2)[ARENA - 1] == 1 && !is_protected (kept (2)));
  CHECK (kept (3)[0] == 1 && is_protected (kept (3) + PAGE));
  /* What was given back is used by the next one.  */
  CHECK (map_anon (ARENA, RWX) == kept (0) + 2 * PAGE);
}

static void
arenas_are_trimmed (void)
{
  CHECK (in_child (leave_arenas) == 0);
  CHECK (in_child (find_trimmed) == 0);
}

/* An arena that was unmapped or replaced is none any more: what lies there
   later must not be given back.  */
static void
leave_former_arenas (void)
{
  char *one, *two, *gone;

  begin ();
  one = map_anon (4 * PAGE, RWX);
  two = map_anon (4 * PAGE, RWX);
  gone = map_anon (4 * PAGE, RWX);
  CHECK (cs_mapping_munmap (one, 4 * PAGE) == 0);
  CHECK (map_anon (4 * PAGE, RW) == one);
  CHECK (cs_mapping_mmap (two, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == two);
  CHECK (cs_mapping_munmap (gone + PAGE, PAGE) == 0);
  words->word[0] = (uintptr_t) one;
  words->word[1] = (uintptr_t) two;
  words->word[2] = (uintptr_t) gone;
  save_and_leave ();
}

static void
find_untouched (void)
{
  resume ();
  for (int i = 0; i < 2; i++)
    CHECK (is_zero (kept (i), 4 * PAGE)
           && !is_protected (kept (i) + 3 * PAGE));
  save_and_leave ();
}

static void
former_arenas (void)
{
  CHECK (in_child (leave_former_arenas) == 0);
  CHECK (in_child (find_untouched) == 0);
}

static const struct test_case cases[] = {
  { "anonymous memory comes from the store and goes back", anonymous },
  { "private mappings of files are copies", files_are_copied },
  { "files that cannot be read leave nothing mapped", bad_files },
  { "MAP_FIXED inside the region, and outside", fixed },
  { "MAP_SHARED is passed on", shared },
  { "protection changes, PROT_NONE too", protection },
  { "MADV_DONTNEED makes zeros", advice },
  { "mappings are there in the next process", next_process },
  { "code arenas are trimmed at the resume", arenas_are_trimmed },
  { "what was an arena once is not trimmed", former_arenas },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
