/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-relocate.c -- logs that readers keep from being applied have a bound.  */

#include <sys/resource.h>

#include "store-fixture.h"

#define MANY 2500               /* pages of the heap, some 10 MiB */
#define COMMITS 16              /* of all of them: 160 MiB of records */

static struct cs_err err;

/* A store with section "words", a heap whose pages hold their number, and two
   generations more than its first.  */
static char *
make_and_reopen (struct cs_store **store)
{
  struct cs_store *s = create (false);
  void *addr;
  char *heap;

  CHECK (cs_store_section_create (s, "words", PAGE, RW, &addr) == 0);
  heap = cs_store_map (s, MANY * PAGE, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  for (size_t i = 0; i < MANY; i++)
    *(uint64_t *) (heap + i * PAGE) = i + 1;
  strcpy (addr, "1");
  cs_store_set_history (s, 4 * COMMITS);
  commit_ok (s);
  close_and_unmap (s);
  *store = open_mode (CS_STORE_WRITE);
  return heap;
}

/* Generation NUMBER, all of whose pages have changed.  */
static void
commit_all (struct cs_store *store, char *heap, int number)
{
  char text[16];

  snprintf (text, sizeof text, "%d", number);
  say (store, text);
  for (size_t i = 0; i < MANY; i++)
    *(int *) (heap + i * PAGE + 8) = number;
  commit_ok (store);
  CHECK (cs_store_superblock (store)->generation == (uint64_t) number);
}

static uint64_t
blocks (void)
{
  struct stat st;

  CHECK (stat (STORE, &st) == 0);
  return (uint64_t) st.st_blocks * 512;
}

/* A reader that stays sees its generation, whatever is committed.  */
static void
with_a_reader (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);
  const char *words;
  size_t len;

  reader = open_mode (CS_STORE_READ);
  words = cs_store_section (reader, "words", &len);
  for (int i = 2; i <= COMMITS; i++)
    {
      commit_all (store, heap, i);
      CHECK (cs_store_apply (store, &err) == 0);
      CHECK (blocks () < (uint64_t) 100 << 20);
    }
  CHECK (strcmp (words, "1") == 0);
  for (size_t i = 0; i < MANY; i++)
    {
      const uint64_t *page = cs_store_view (reader, (uintptr_t) heap
                                                    + i * PAGE, 16);

      CHECK (page && page[0] == i + 1 && page[1] == 0);
    }
  CHECK (!store->log.broken && store->relocated);
  settle_ok (store);            /* the reader has another file */
  cs_store_close (reader);
  commit_ok (store);
  CHECK (cs_store_superblock (store)->generation == COMMITS);
  CHECK (entries () == 1);
}

/* No generation gets lost.  */
static void
history_goes_on (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store), text[16];

  reader = open_mode (CS_STORE_READ);
  for (int i = 2; i <= COMMITS; i++)
    commit_all (store, heap, i);
  cs_store_close (reader);
  settle_ok (store);
  for (int i = 1; i <= COMMITS; i++)
    {
      snprintf (text, sizeof text, "%d", i);
      CHECK (generation_says ((uint64_t) i, text));
    }
}

/* W1: what this process has written to keeps what it holds, where pages are
   given back that are as committed.  */
static void
memory_stays (void)
{
  struct cs_store *store, *reader;
  char *heap;

  cs_sys.userfaultfd = no_watch;
  cs_sys.pagemap_scan = no_scan;
  heap = make_and_reopen (&store);
  reader = open_mode (CS_STORE_READ);
  for (int i = 2; i <= 10; i++)
    commit_all (store, heap, i);
  CHECK (store->relocated);
  cs_store_close (reader);
  for (int round = 0; round < 3; round++)
    {
      settle_ok (store);
      commit_ok (store);
      for (size_t i = 0; i < MANY; i++)
        CHECK (*(uint64_t *) (heap + i * PAGE) == i + 1
               && *(int *) (heap + i * PAGE + 8) == 10);
    }
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  for (size_t i = 0; i < MANY; i++)
    CHECK (*(int *) (heap + i * PAGE + 8) == 10);
}

/* What a page is compared with is in the new file: the old one has what the
   page holds again, and all of it has one checksum.  */
static void
compared_with_new_file (void)
{
  static const unsigned char polynomial[] = { 0x41, 0x06, 0x71, 0xdb, 0x01 };
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store), *page = heap + (MANY - 1) * PAGE;

  reader = open_mode (CS_STORE_READ);
  for (int round = 0; round < 2; round++)
    {
      for (size_t i = 0; i < sizeof polynomial; i++)
        page[100 + i] ^= (char) polynomial[i];
      commit_ok (store);
      for (int i = 0; round == 0 && i < COMMITS && !store->relocated; i++)
        {
          memset (heap + 16, i + 1, PAGE - 16);
          for (size_t k = 1; k < MANY - 1; k++)
            heap[k * PAGE + 8] = (char) (i + 1);
          commit_ok (store);
        }
      CHECK (store->relocated);
    }
  cs_store_close (reader);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (*(uint64_t *) page == MANY && page[100] == 0 && page[104] == 0);
}

/* Nobody else gets in while the file is replaced, nor afterwards.  */
static void
lock_is_kept (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);

  reader = open_mode (CS_STORE_READ);
  for (int i = 2; i <= 10; i++)
    commit_all (store, heap, i);
  CHECK (store->relocated);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  cs_store_close (reader);
}

/* An image that grows to where the log is keeps its history.  */
static void
growing_image (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store), *more;
  size_t len = 40 << 20;

  if (sizeof (void *) == 8)
    len = 200 << 20;
  commit_all (store, heap, 2);
  reader = open_mode (CS_STORE_READ);
  more = cs_store_map (store, len, RW, CS_EXTENT_HEAP);
  CHECK (more);
  for (size_t off = 0; off < len; off += 1 << 20)
    more[off] = 5;
  commit_all (store, heap, 3);
  commit_all (store, heap, 4);
  CHECK (!store->log.broken);
  cs_store_close (reader);
  settle_ok (store);
  CHECK (generation_says (1, "1") && generation_says (2, "2")
         && generation_says (3, "3") && generation_says (4, "4"));
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  for (size_t off = 0; off < len; off += 1 << 20)
    CHECK (more[off] == 5 && more[off + PAGE] == 0);
}

static void
ignore_it (int signum)
{
  (void) signum;
}

static int
no_clone (int to, int from)
{
  (void) to;
  (void) from;
  errno = EOPNOTSUPP;
  return -1;
}

/* A save that SIGTERM asked for, when it comes once more.  */
static void
asked_to_leave (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);
  sigset_t set;

  signal (SIGTERM, ignore_it);
  sigemptyset (&set);
  sigaddset (&set, SIGTERM);
  sigprocmask (SIG_BLOCK, &set, NULL);
  raise (SIGTERM);
  cs_sys.ficlone = no_clone;
  reader = open_mode (CS_STORE_READ);
  for (int i = 2; i <= 10; i++)
    commit_all (store, heap, i);
  CHECK (store->relocated);
  cs_store_close (reader);
}

/* Without the directory's permission the last commit stays, and a later one
   tries again.  */
static int failures;

static int
no_link (int from, const char *old, int to, const char *new, int flags)
{
  if (failures-- > 0)
    {
      errno = EDQUOT;
      return -1;
    }
  return linkat (from, old, to, new, flags);
}

static void
failure (void)
{
  struct cs_store *store, *reader;
  char *heap = make_and_reopen (&store);
  int code = 0, i;

  reader = open_mode (CS_STORE_READ);
  cs_sys.linkat = no_link;
  failures = 1;
  for (i = 2; i < COMMITS && code == 0; i++)
    {
      for (size_t k = 0; k < MANY; k++)
        *(int *) (heap + k * PAGE + 8) = i;
      err = (struct cs_err) CS_ERR_INIT;
      code = cs_store_commit (store, &err);
    }
  CHECK (code == -EDQUOT && strstr (err.text, "cannot save"));
  CHECK (!store->relocated && entries () == 1);
  commit_ok (store);
  CHECK (store->relocated);
  cs_store_close (reader);
  settle_ok (store);
  CHECK (*(int *) (heap + 8) == i - 1);
}

/* The image fits, and the log behind it does not: no signal, and no loss.  */
static void
between_image_and_log (void)
{
  struct cs_store *store;
  char *heap = make_and_reopen (&store);
  rlim_t len = (rlim_t) (cs_store_image_off (&store->superblock)
                         + store->superblock.committed);

  CHECK (setrlimit (RLIMIT_FSIZE, &(struct rlimit) { len, len }) == 0);
  for (int i = 2; i < 5; i++)
    commit_all (store, heap, i);
  CHECK (file_says ("4"));
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (*(int *) (heap + 8) == 4);
  commit_all (store, heap, 5);
  CHECK (file_says ("5") && entries () == 1);
}

static const struct test_case cases[] = {
  { "a log beside a reader has a bound, and the reader its generation",
    with_a_reader },
  { "W2: no generation gets lost", history_goes_on },
  { "W1: pages that were written to are not given back", memory_stays },
  { "W1: pages are compared with those of the new file",
    compared_with_new_file },
  { "the writer's lock goes on", lock_is_kept },
  { "an image that grows to the log beside a reader", growing_image },
  { "a request to leave that waits does not make a save fail",
    asked_to_leave },
  { "a failure leaves the last commit, and the next one tries again",
    failure },
  { "a limit of the file's length between image and log",
    between_image_and_log }
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
