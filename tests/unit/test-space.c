/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-space.c -- ranges of a store's region.  */

#include <pthread.h>
#include <signal.h>

#include "store-fixture.h"

/* Where the free space of a new store begins.  */
static char *
first_free (const struct cs_store *store)
{
  return store->image + cs_directory_len (cs_directory (store));
}

static size_t
nr_extents (struct cs_store *store)
{
  return cs_store_extents (store, NULL, 0);
}

static char *
map_pages (struct cs_store *store, size_t nr)
{
  char *p = cs_store_map (store, nr * PAGE, RW, CS_EXTENT_HEAP);

  CHECK (p);
  CHECK (cs_store_check (store, NULL) == 0);
  return p;
}

/* A region that RLIMIT_AS does not let us reserve.  */
static void *
mmap_small_only (void *addr, size_t len, int prot, int flags, int fd,
                 off_t off)
{
  if (len >= CS_STORE_RESERVED_MIN)
    {
      errno = ENOMEM;
      return MAP_FAILED;
    }
  return mmap (addr, len, prot, flags, fd, off);
}

static struct cs_store *
create_unheld (void)
{
  struct cs_store *store;

  cs_sys.mmap = mmap_small_only;
  store = create (false);
  CHECK (!store->held);
  return store;
}

static void
first_fit (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4), *b = map_pages (store, 2);
  char *c = map_pages (store, 3);

  CHECK (a == first_free (store) && b == a + 4 * PAGE && c == b + 2 * PAGE);
  CHECK (nr_extents (store) == 2);
  CHECK (cs_store_unmap (store, a, 4 * PAGE) == 0);
  CHECK (map_pages (store, 5) == c + 3 * PAGE);
  CHECK (map_pages (store, 3) == a);
  CHECK (map_pages (store, 1) == a + 3 * PAGE);
  CHECK (nr_extents (store) == 2);
}

static void
reused_is_zero (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4);

  memset (a, 1, 4 * PAGE);
  CHECK (cs_store_unmap (store, a, 4 * PAGE) == 0);
  a = map_pages (store, 4);
  for (size_t i = 0; i < 4 * PAGE; i++)
    CHECK (a[i] == 0);
}

static void
unmapped_is_gone (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 1);
  int status;
  pid_t pid;

  CHECK (cs_store_unmap (store, a, PAGE) == 0);
  pid = fork ();
  if (pid == 0)
    {
      signal (SIGSEGV, SIG_DFL);
      *(volatile char *) a = 1;
      _exit (0);
    }
  CHECK (waitpid (pid, &status, 0) == pid && status != 0);
}

static void
unmap_splits (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 10);
  struct cs_extent_disk e[3];

  CHECK (cs_store_unmap (store, a + 4 * PAGE, 2 * PAGE) == 0);
  CHECK (cs_store_check (store, NULL) == 0);
  CHECK (cs_store_extents (store, e, 3) == 3);
  CHECK (e[1].len == 4 * PAGE && e[2].len == 4 * PAGE);
  CHECK (e[2].off == e[1].off + 6 * PAGE);
  a[0] = a[9 * PAGE] = 1;
  CHECK (cs_store_unmap (store, a, 20 * PAGE) == 0);
  CHECK (nr_extents (store) == 1);
}

static void
protect_splits_and_merges (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 10);

  CHECK (cs_store_protect (store, a + 3 * PAGE, PAGE, PROT_READ) == 0);
  CHECK (cs_store_check (store, NULL) == 0 && nr_extents (store) == 4);
  CHECK (cs_store_protect (store, a + 5 * PAGE, PAGE, PROT_READ) == 0);
  CHECK (cs_store_check (store, NULL) == 0 && nr_extents (store) == 6);
  CHECK (cs_store_protect (store, a + 4 * PAGE, PAGE, PROT_READ) == 0);
  CHECK (cs_store_check (store, NULL) == 0 && nr_extents (store) == 4);
  CHECK (cs_store_protect (store, a, 10 * PAGE, RW) == 0);
  CHECK (cs_store_check (store, NULL) == 0 && nr_extents (store) == 2);
  memset (a, 1, 10 * PAGE);
  CHECK (cs_store_protect (store, a, 11 * PAGE, RW) == -ENOMEM);
}

static void
kinds_do_not_merge (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 2);

  CHECK (cs_store_map_at (store, a + 2 * PAGE, PAGE, RW,
                          CS_EXTENT_LIBRARY_DATA) == 0);
  CHECK (nr_extents (store) == 3);
  CHECK (cs_store_map_at (store, a + 2 * PAGE, PAGE, RW,
                          CS_EXTENT_HEAP) == 0);
  CHECK (nr_extents (store) == 2 && cs_store_check (store, NULL) == 0);
}

static void
clear_zeros_file_pages (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4);

  memset (a, 7, 4 * PAGE);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (a[0] == 7 && a[PAGE] == 7);
  CHECK (cs_store_clear (store, a + PAGE, 2 * PAGE) == 0);
  CHECK (a[PAGE - 1] == 7 && a[PAGE] == 0 && a[3 * PAGE - 1] == 0
         && a[3 * PAGE] == 7);
  a[PAGE] = 1;
  CHECK (nr_extents (store) == 2);
  CHECK (cs_store_clear (store, a + 3 * PAGE, 2 * PAGE) == -ENOMEM);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (a[0] == 7 && a[PAGE] == 1 && a[2 * PAGE] == 0 && a[3 * PAGE] == 7);
}

static void
map_at_replaces (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4);

  memset (a, 7, 4 * PAGE);
  CHECK (cs_store_map_at (store, a + PAGE, 1, RW, CS_EXTENT_HEAP) == 0);
  CHECK (a[PAGE] == 0 && a[2 * PAGE] == 7 && nr_extents (store) == 2);
  CHECK (cs_store_map_at (store, a + 100 * PAGE, PAGE, PROT_READ,
                          CS_EXTENT_HEAP) == 0);
  CHECK (nr_extents (store) == 3 && cs_store_check (store, NULL) == 0);
}

static void
misuse_is_refused (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4), *end;
  void *section;

  end = store->image + store->superblock.reserved;
  CHECK (!cs_store_map (store, 0, RW, CS_EXTENT_HEAP) && errno == EINVAL);
  CHECK (!cs_store_map (store, SIZE_MAX, RW, CS_EXTENT_HEAP));
  CHECK (!cs_store_map (store, (size_t) store->superblock.reserved, RW,
                        CS_EXTENT_HEAP) && errno == ENOMEM);
  CHECK (!cs_store_map (store, PAGE, 8, CS_EXTENT_HEAP) && errno == EINVAL);
  CHECK (!cs_store_map (store, PAGE, RW, 9) && errno == EINVAL);
  CHECK (cs_store_unmap (store, a + 1, PAGE) == -EINVAL);
  CHECK (cs_store_unmap (store, a, 0) == -EINVAL);
  CHECK (cs_store_unmap (store, a, SIZE_MAX) == -ENOMEM);
  CHECK (cs_store_unmap (store, end, PAGE) == -ENOMEM);
  CHECK (cs_store_unmap (store, end - PAGE, 2 * PAGE) == -ENOMEM);
  CHECK (cs_store_unmap (store, end - PAGE, PAGE) == 0);
  CHECK (cs_store_protect (store, a, PAGE, 99) == -EINVAL);
  CHECK (cs_store_map_at (store, store->image - PAGE, PAGE, RW,
                          CS_EXTENT_HEAP) == -ENOMEM);
  CHECK (cs_store_map_at (store, a, PAGE, PROT_NONE,
                          CS_EXTENT_LIBRARY_DATA) == -EINVAL);
  CHECK (cs_store_section_create (store, "none", 0, RW, &section) == -EINVAL);
  CHECK (cs_store_contains (store, store->image)
         && cs_store_contains (store, end - 1)
         && !cs_store_contains (store, end)
         && !cs_store_contains (store, store->image - 1));
  CHECK (cs_store_check (store, NULL) == 0);
}

static void
sections_stay_whole (void)
{
  struct cs_store *store = create (false);
  void *p;
  char *s;

  CHECK (cs_store_section_create (store, "code", 4 * PAGE, RW, &p) == 0);
  s = p;
  CHECK (cs_store_section_create (store, "code", PAGE, RW, &p) == -EEXIST);
  CHECK (cs_store_unmap (store, s + PAGE, PAGE) == -EINVAL);
  CHECK (cs_store_map_at (store, s, PAGE, RW, CS_EXTENT_HEAP) == -EINVAL);
  CHECK (cs_store_protect (store, s, PAGE, PROT_READ) == -EINVAL);
  CHECK (cs_store_protect (store, s, 4 * PAGE, PROT_NONE) == -EINVAL);
  CHECK (cs_store_protect (store, s, 4 * PAGE, PROT_READ | PROT_EXEC) == 0);
  CHECK (cs_store_unmap (store, store->image, PAGE) == -EINVAL);
  CHECK (cs_store_clear (store, store->image + PAGE, PAGE) == -EINVAL);
  CHECK (cs_store_protect (store, store->image, PAGE, PROT_READ) == -EINVAL);
  CHECK (cs_store_check (store, NULL) == 0);
}

static void
sections_fill_up (void)
{
  struct cs_store *store = create (false);
  char name[9];
  void *p;

  for (int i = 0; i < CS_STORE_SECTIONS_MAX; i++)
    {
      snprintf (name, sizeof name, "name%04x", (unsigned) i & 0xffff);
      CHECK (cs_store_section_create (store, name, 1, RW, &p) == 0);
    }
  CHECK (cs_store_section_create (store, "more", 1, RW, &p) == -ENOSPC);
  CHECK (cs_store_check (store, NULL) == 0);
}

static void
full_table_changes_nothing (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 10);

  cs_directory (store)->extents_max = nr_extents (store) + 1;
  a[4 * PAGE] = 7;
  CHECK (cs_store_unmap (store, a + 4 * PAGE, PAGE) == -ENOMEM);
  CHECK (cs_store_protect (store, a + 4 * PAGE, PAGE, PROT_READ) == -ENOMEM);
  CHECK (!cs_store_map (store, PAGE, PROT_READ, CS_EXTENT_HEAP)
         && errno == ENOMEM);
  CHECK (cs_store_map_at (store, a + 4 * PAGE, PAGE, PROT_READ,
                          CS_EXTENT_HEAP) == -ENOMEM);
  CHECK (a[4 * PAGE] == 7 && nr_extents (store) == 2);
}

static void
region_fills_up (void)
{
  struct cs_store_params params = default_params ();
  struct cs_store *store;
  size_t len;
  char *a;

  params.reserved = CS_STORE_RESERVED_MIN;
  CHECK (cs_store_create (STORE, &params, false, &store, NULL) == 0);
  a = first_free (store);
  len = (size_t) (store->image + params.reserved - a);
  CHECK (!cs_store_map (store, len + 1, RW, CS_EXTENT_HEAP)
         && errno == ENOMEM);
  CHECK (cs_store_map (store, len, RW, CS_EXTENT_HEAP) == a);
  CHECK (!cs_store_map (store, 1, RW, CS_EXTENT_HEAP) && errno == ENOMEM);
  memset (a, 1, len);
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (a[len - 1] == 1);
}

/* Library ranges belong to ld.so: mmap with a hint gets them.  */
static void
check_is_free (char *addr, size_t len)
{
  void *p = mmap (addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  CHECK (p == addr && munmap (p, len) == 0);
}

static void
check_libraries (struct cs_store *store)
{
  char *text, *data;

  text = cs_store_map (store, 8 * PAGE, 0, CS_EXTENT_LIBRARY_TEXT);
  CHECK (text);
  check_is_free (text, 8 * PAGE);
  data = text + 5 * PAGE;
  CHECK (mmap (text, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0) == text);
  memset (text, 5, 8 * PAGE);
  CHECK (cs_store_map_at (store, data, 2 * PAGE, RW,
                          CS_EXTENT_LIBRARY_DATA) == 0);
  CHECK (data[0] == 5);         /* what is loaded stays loaded */
  CHECK (cs_store_map_extent (store, data, 2 * PAGE, NULL) == -EINVAL);
  commit_ok (store);
  close_and_unmap (store);

  store = open_mode (CS_STORE_WRITE);
  check_is_free (text, 8 * PAGE);
  commit_ok (store);            /* not loaded: keeps its last commit */
  CHECK (cs_store_map_extent (store, text, PAGE, NULL) == -EINVAL);
  CHECK (cs_store_map_extent (store, data, 3 * PAGE, NULL) == -EINVAL);
  CHECK (cs_store_map_extent (store, data, PAGE, NULL) == 0);
  CHECK (data[0] == 5);
  data[1] = 6;
  commit_ok (store);            /* half of it is loaded */
  CHECK (cs_store_map_extent (store, data, 2 * PAGE, NULL) == 0);
  CHECK (data[0] == 5 && data[1] == 6 && data[PAGE] == 5);
  check_is_free (text, 5 * PAGE);
}

static void
libraries_stay_free (void)
{
  check_libraries (create (false));
}

static void
libraries_stay_free_unheld (void)
{
  check_libraries (create_unheld ());
}

static void
unheld_goes_round_others (void)
{
  struct cs_store *store = create_unheld ();
  char *a = map_pages (store, 2), *other = a + 3 * PAGE, *b;

  CHECK (mmap (other, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS
               | MAP_FIXED_NOREPLACE, -1, 0) == other);
  *other = 3;
  b = map_pages (store, 4);
  CHECK (b > other && cs_store_contains (store, b));
  memset (b, 1, 4 * PAGE);
  CHECK (cs_store_map_at (store, a, 5 * PAGE, RW, CS_EXTENT_HEAP) == -EEXIST);
  CHECK (cs_store_unmap (store, a, 8 * PAGE) == 0);
  CHECK (*other == 3 && nr_extents (store) == 2);
  CHECK (map_pages (store, 3) == a);
}

/* Random operations against a model with one byte a page.  */

#define MODEL_PAGES 256

struct model
{
  unsigned char used[MODEL_PAGES];
  unsigned char prot[MODEL_PAGES];
  unsigned char value[MODEL_PAGES];
};

static unsigned int
next_random (unsigned int *seed)
{
  *seed = *seed * 1103515245 + 12345;
  return *seed >> 16;
}

static void
check_model (struct cs_store *store, const struct model *m, char *start)
{
  CHECK (cs_store_check (store, NULL) == 0);
  for (size_t i = 0; i < MODEL_PAGES; i++)
    {
      const void *p = cs_store_view (store, (uintptr_t) start + i * PAGE,
                                     PAGE);

      CHECK ((p != NULL) == (m->used[i] && (m->prot[i] & PROT_READ)));
      if (p)
        CHECK (*(const unsigned char *) p == m->value[i]);
    }
}

static void
model_step (struct cs_store *store, struct model *m, char *start,
            unsigned int *seed)
{
  static const int prots[] = { RW, PROT_READ, RW, PROT_NONE };
  size_t first = next_random (seed) % MODEL_PAGES;
  size_t nr = 1 + next_random (seed) % 24;
  int prot = prots[next_random (seed) % 4], operation, r;
  bool all_used = true;
  char *addr = start + first * PAGE;

  if (nr > MODEL_PAGES - first)
    nr = MODEL_PAGES - first;
  for (size_t i = first; i < first + nr; i++)
    all_used = all_used && m->used[i];
  operation = next_random (seed) % 4;
  switch (operation)
    {
    case 0:
      r = cs_store_map_at (store, addr, nr * PAGE, prot, CS_EXTENT_HEAP);
      break;
    case 1:
      r = cs_store_unmap (store, addr, nr * PAGE);
      break;
    case 2:
      r = cs_store_protect (store, addr, nr * PAGE, prot);
      break;
    default:
      r = cs_store_clear (store, addr, nr * PAGE);
      break;
    }
  CHECK (r == (operation >= 2 && !all_used ? -ENOMEM : 0));
  for (size_t i = first; r == 0 && i < first + nr; i++)
    {
      if (operation != 2)
        m->value[i] = 0;
      if (operation < 2)
        m->used[i] = operation == 0;
      if (operation == 0 || operation == 2)
        m->prot[i] = (unsigned char) prot;
      if (m->used[i] && m->prot[i] == RW)
        start[i * PAGE] = (char) (m->value[i] = (unsigned char) i);
    }
}

static void
run_model (struct cs_store *store)
{
  char *start = first_free (store);
  struct model m = { 0 };
  unsigned int seed = 4711;

  for (int i = 0; i < 4000; i++)
    {
      model_step (store, &m, start, &seed);
      if (i % 16 == 0)
        check_model (store, &m, start);
    }
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  for (size_t i = 0; i < MODEL_PAGES; i++)
    if (m.used[i] && m.prot[i] == PROT_NONE)
      m.value[i] = 0;           /* what nobody can access is not saved */
  check_model (store, &m, start);
  for (int i = 0; i < 1000; i++)
    model_step (store, &m, start, &seed);
  check_model (store, &m, start);
}

static void
random_held (void)
{
  run_model (create (false));
}

static void
random_unheld (void)
{
  run_model (create_unheld ());
}

static void
many_extents (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4000);

  for (int i = 0; i < 4000; i += 2)
    CHECK (cs_store_protect (store, a + i * PAGE, PAGE, PROT_READ) == 0);
  CHECK (nr_extents (store) == 4001 && cs_store_check (store, NULL) == 0);
  a[PAGE] = 1;
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (nr_extents (store) == 4001 && a[PAGE] == 1);
}

static struct cs_store *shared;

static void
ignore_signal (int number)
{
  (void) number;
}

static void *
churn (void *arg)
{
  unsigned int seed = (unsigned int) (uintptr_t) arg;
  char *mine[16] = { NULL };

  for (int i = 0; i < 2000; i++)
    {
      size_t k = next_random (&seed) % 16;

      if (mine[k])
        {
          CHECK (*mine[k] == (char) k && mine[k][PAGE] == 0);
          CHECK (cs_store_unmap (shared, mine[k], (k + 2) * PAGE) == 0);
          mine[k] = NULL;
          continue;
        }
      mine[k] = cs_store_map (shared, (k + 2) * PAGE, RW, CS_EXTENT_HEAP);
      CHECK (mine[k]);
      *mine[k] = (char) k;
    }
  for (size_t k = 0; k < 16; k++)
    if (mine[k])
      CHECK (cs_store_unmap (shared, mine[k], (k + 2) * PAGE) == 0);
  return NULL;
}

static void
threads_share_a_region (void)
{
  pthread_t threads[4];

  signal (SIGUSR1, ignore_signal);
  shared = create (false);
  for (uintptr_t i = 0; i < 4; i++)
    CHECK (pthread_create (&threads[i], NULL, churn, (void *) (i + 1)) == 0);
  for (int i = 0; i < 1000; i++)
    pthread_kill (threads[i % 4], SIGUSR1);
  for (int i = 0; i < 4; i++)
    CHECK (pthread_join (threads[i], NULL) == 0);
  CHECK (nr_extents (shared) == 1 && cs_store_check (shared, NULL) == 0);
}

static volatile sig_atomic_t in_handler, in_range;

static void
note_signal (int number)
{
  (void) number;
  CHECK (!in_range);
  in_handler = true;
}

/* The collector wants to stop this thread, which has the store's lock.  */
static void *
mmap_and_signal (void *addr, size_t len, int prot, int flags, int fd,
                 off_t off)
{
  sigset_t mask;
  void *p;

  in_range = true;
  raise (SIGUSR1);
  pthread_sigmask (SIG_SETMASK, NULL, &mask);
  CHECK (!sigismember (&mask, SIGSEGV) && !sigismember (&mask, SIGBUS));
  p = mmap (addr, len, prot, flags, fd, off);
  in_range = false;
  return p;
}

static int
mprotect_and_signal (void *addr, size_t len, int prot)
{
  int r;

  in_range = true;
  raise (SIGUSR1);
  r = mprotect (addr, len, prot);
  in_range = false;
  return r;
}

static ssize_t
pwrite_and_signal (int fd, const void *buf, size_t len, off_t off)
{
  ssize_t n;

  in_range = true;
  raise (SIGUSR1);
  n = pwrite (fd, buf, len, off);
  in_range = false;
  return n;
}

/* No thread is stopped while it has the lock that a collector needs.  */
static void
signals_wait (void)
{
  struct cs_store *store = create (false);
  char *a;

  signal (SIGUSR1, note_signal);
  cs_sys.mmap = mmap_and_signal;
  cs_sys.mprotect = mprotect_and_signal;
  a = cs_store_map (store, 4 * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (a && in_handler);
  in_handler = false;
  CHECK (cs_store_protect (store, a, PAGE, PROT_READ) == 0 && in_handler);
  in_handler = false;
  CHECK (cs_store_clear (store, a, 2 * PAGE) == 0 && in_handler);
  in_handler = false;
  CHECK (cs_store_map_at (store, a, PAGE, RW, CS_EXTENT_HEAP) == 0
         && in_handler);
  in_handler = false;
  CHECK (cs_store_unmap (store, a, PAGE) == 0 && in_handler);
}

/* Nor one that has the lock which a commit needs.  */
static void
signals_wait_for_apply (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4);

  commit_ok (store);
  signal (SIGUSR1, note_signal);
  cs_sys.pwrite = pwrite_and_signal;
  for (int i = 1; i < 3; i++)
    {
      a[PAGE] = (char) i;
      in_handler = false;
      commit_ok (store);
      CHECK (in_handler);
      in_handler = false;
      CHECK (cs_store_apply (store, &err) == 0 && store->log.len == 0);
      CHECK (in_handler);
    }
}

static void
hold_brackets_a_fork (void)
{
  struct cs_store *store = create (false);
  sigset_t before, after;
  pthread_t thread;
  int status;
  pid_t pid;

  shared = store;
  CHECK (pthread_create (&thread, NULL, churn, (void *) 9) == 0);
  for (int i = 0; i < 20; i++)
    {
      pthread_sigmask (SIG_SETMASK, NULL, &before);
      cs_store_hold (store);
      pid = fork ();
      if (pid == 0)
        {
          cs_store_disown (store);
          CHECK (cs_store_check (store, NULL) == 0);
          CHECK (cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP));
          _exit (0);
        }
      cs_store_release (store);
      pthread_sigmask (SIG_SETMASK, NULL, &after);
      CHECK (sigismember (&after, SIGTERM) == sigismember (&before, SIGTERM));
      CHECK (waitpid (pid, &status, 0) == pid && status == 0);
    }
  CHECK (pthread_join (thread, NULL) == 0);
}

static void
view_wants_one_extent (void)
{
  struct cs_store *store = create (false);
  char *a = map_pages (store, 4);
  uint64_t addr = (uintptr_t) a;

  CHECK (cs_store_view (store, addr, 4 * PAGE) == a);
  CHECK (cs_store_view (store, addr + 5, 1) == a + 5);
  CHECK (!cs_store_view (store, addr, 4 * PAGE + 1));
  CHECK (!cs_store_view (store, addr, SIZE_MAX));
  CHECK (!cs_store_view (store, addr + 4 * PAGE, 1));
  CHECK (!cs_store_view (store, 4096, 1));
  CHECK (!cs_store_view (store, UINT64_MAX, 1));
  CHECK (cs_store_protect (store, a + PAGE, PAGE, PROT_NONE) == 0);
  CHECK (!cs_store_view (store, addr + PAGE, 1));
  CHECK (!cs_store_view (store, addr, 2 * PAGE));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "S2: first fit, lowest address, neighbours merge", first_fit },
    { "reused space is zero", reused_is_zero },
    { "unmapped space cannot be accessed", unmapped_is_gone },
    { "S1: unmap splits and spans extents", unmap_splits },
    { "S2: protect splits and merges", protect_splits_and_merges },
    { "S2: kinds do not merge", kinds_do_not_merge },
    { "clear hides the file's contents", clear_zeros_file_pages },
    { "map_at replaces with zeros", map_at_replaces },
    { "S1: misuse is refused and changes nothing", misuse_is_refused },
    { "S3: sections and directory stay whole", sections_stay_whole },
    { "the 33rd section is refused", sections_fill_up },
    { "a full table changes nothing", full_table_changes_nothing },
    { "the last page of the region can be used", region_fills_up },
    { "library ranges stay free, data is kept", libraries_stay_free },
    { "the same without a reservation", libraries_stay_free_unheld },
    { "no reservation: others' mappings are safe", unheld_goes_round_others },
    { "S1 S2: random operations agree with a model", random_held },
    { "S1 S2: the same without a reservation", random_unheld },
    { "thousands of extents", many_extents },
    { "threads and signals", threads_share_a_region },
    { "a signal waits until the region is whole again", signals_wait },
    { "the same while a commit is put into the image",
      signals_wait_for_apply },
    { "S5: hold, fork, disown", hold_brackets_a_fork },
    { "view wants one readable extent", view_wants_one_extent }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
