/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store-fixture.h -- what the tests of the store layer share.

   Each case runs in a child of its own, in a fresh folder that is its
   working folder: a region is mapped at one address, so a process can open
   one store once.  CHECK ends the child; the parent reports.  */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine.h"

#include "store/store-private.h"
#include "store/sys.h"

#define PAGE ((size_t) CS_STORE_PAGE_LEN)
#define RW (PROT_READ | PROT_WRITE)
#define STORE "a.store"

#define CHECK(condition)                                                \
  ((condition) ? (void) 0                                               \
   : (fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition),  \
      _exit (1)))

struct test_case
{
  const char *proves;
  void (*body) (void);
};

/* Run BODY in a child; its exit status, or 128 and the signal.  */
static inline int
in_child (void (*body) (void))
{
  int status;
  pid_t pid;

  fflush (NULL);
  pid = fork ();
  if (pid == 0)
    {
      alarm (100);              /* ends what hangs */
      signal (SIGSEGV, SIG_DFL);        /* not cmocka's, in a child */
      signal (SIGBUS, SIG_DFL);
      body ();
      _exit (0);
    }
  if (pid < 0 || waitpid (pid, &status, 0) != pid)
    return 127;
  return WIFEXITED (status) ? WEXITSTATUS (status)
         : 128 + WTERMSIG (status);
}

static inline int
remove_entry (const char *path, const struct stat *st, int type,
              struct FTW *ftw)
{
  (void) st;
  (void) type;
  (void) ftw;
  return remove (path);
}

static inline void
run_case (void **state)
{
  const struct test_case *c = *state;
  const char *tmp = getenv ("TMPDIR");
  char folder[256];
  int home = open (".", O_RDONLY | O_DIRECTORY), status;

  snprintf (folder, sizeof folder, "%s/cs-test-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null (mkdtemp (folder));
  assert_int_equal (chdir (folder), 0);
  status = in_child (c->body);
  assert_int_equal (fchdir (home), 0);
  close (home);
  nftw (folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  assert_int_equal (status, 0);
}

#define CASES_MAX 128

static inline int
run_cases (const struct test_case *cases, size_t nr)
{
  static struct CMUnitTest tests[CASES_MAX];

  assert_true (nr <= CASES_MAX);
  for (size_t i = 0; i < nr; i++)
    tests[i] = (struct CMUnitTest) {
      .name = cases[i].proves,
      .test_func = run_case,
      .initial_state = (void *) &cases[i]
    };
  return _cmocka_run_group_tests ("store", tests, nr, NULL, NULL);
}

/* Length of the region, where a test needs another than the default.  */
static uint64_t other_reserved;

static inline struct cs_store_params
default_params (void)
{
  return (struct cs_store_params) {
    .machine = CS_MACHINE_ELF,
    .word_len = sizeof (void *),
    .base = sizeof (void *) == 8 ? (uint64_t) 0x200000000000 : 0x60000000,
    .reserved = other_reserved ? other_reserved
                : sizeof (void *) == 8 ? (uint64_t) 1 << 36 : 64 << 20
  };
}

static inline struct cs_store *
create (bool force)
{
  struct cs_store_params params = default_params ();
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = NULL;

  if (cs_store_create (STORE, &params, force, &store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (store);
  return store;
}

static inline struct cs_store *
open_mode (enum cs_store_mode mode)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = NULL;

  if (cs_store_open (STORE, mode, &store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (store);
  return store;
}

static inline void
commit_ok (struct cs_store *store)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_store_commit (store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
  CHECK (cs_store_check (store, NULL) == 0);
}

/* Leave the process as if it had never had the store.  */
static inline void
close_and_unmap (struct cs_store *store)
{
  void *image = store->image;
  size_t len = (size_t) store->superblock.reserved;

  cs_store_close (store);
  CHECK (munmap (image, len) == 0);
}

/* A store with one section "words" that says TEXT.  */
static inline void
make_store (const char *text)
{
  struct cs_store *store = create (false);
  void *addr;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  strcpy (addr, text);
  commit_ok (store);
  close_and_unmap (store);
}

/* What the section "words" of the store's file says.  */
static inline bool
file_says (const char *text)
{
  struct cs_store *store = open_mode (CS_STORE_READ);
  size_t len = 0;
  const char *found = cs_store_section (store, "words", &len);
  bool same = found && len == PAGE && strcmp (found, text) == 0;

  cs_store_close (store);
  return same;
}

/* Try to open; the code, and the text in ERR.  */
static inline int
try_open (enum cs_store_mode mode, struct cs_err *err)
{
  struct cs_store *store = NULL;
  int r;

  *err = (struct cs_err) CS_ERR_INIT;
  r = cs_store_open (STORE, mode, &store, err);
  if (r == 0 && mode == CS_STORE_READ)
    cs_store_close (store);
  else if (r == 0)
    close_and_unmap (store);
  else
    CHECK (r < 0 && err->code == r && err->text[0] && !store);
  return r;
}

/* Have all commits in the image.  */
static inline void
settle_ok (struct cs_store *store)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_store_settle (store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0 && store->log.len == 0);
}

/* What the section "words" of a generation says.  */
static inline bool
generation_says (uint64_t generation, const char *text)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = NULL;
  size_t len;
  bool same;

  if (cs_store_open_at (STORE, CS_STORE_READ, generation, &store, &err) < 0)
    fprintf (stderr, "%s\n", err.text);
  CHECK (err.code == 0);
  same = strcmp (cs_store_section (store, "words", &len), text) == 0;
  cs_store_close (store);
  return same;
}

/* A process that cannot be watched (cs_sys.userfaultfd), and a kernel without
   PAGEMAP_SCAN (cs_sys.pagemap_scan).  */
static inline int
no_watch (int flags)
{
  (void) flags;
  errno = EPERM;
  return -1;
}

static inline int
no_scan (int fd, void *arg)
{
  (void) fd;
  (void) arg;
  errno = ENOTTY;
  return -1;
}

/* Where the image of a store with the default parameters begins.  */
#define IMAGE_OFF                                                       \
  (CS_STORE_SUMS_OFF                                                    \
   + (sizeof (void *) == 8 ? (uint64_t) 1 << 36 : 64 << 20) / PAGE * 4)

/* Files in the folder, but for the history.  */
static inline size_t
entries (void)
{
  DIR *dir = opendir (".");
  struct dirent *entry;
  size_t nr = 0;

  CHECK (dir);
  while ((entry = readdir (dir)))
    nr += strcmp (entry->d_name, STORE "-history") != 0;
  closedir (dir);
  return nr - 2;
}

static inline void
patch (uint64_t off, const void *bytes, size_t len)
{
  int fd = open (STORE, O_WRONLY);

  CHECK (fd >= 0 && pwrite (fd, bytes, len, (off_t) off) == (ssize_t) len);
  close (fd);
}

static inline void
peek (uint64_t off, void *bytes, size_t len)
{
  int fd = open (STORE, O_RDONLY);

  CHECK (fd >= 0 && pread (fd, bytes, len, (off_t) off) == (ssize_t) len);
  close (fd);
}

static inline void
say (struct cs_store *store, const char *text)
{
  size_t len;
  char *words = cs_store_section (store, "words", &len);

  CHECK (words);
  strcpy (words, text);
}

/* Read superblock, let CHANGE work on it, write it to both slots.  */
static inline void
change_superblock (void (*change) (struct cs_superblock_disk *sb))
{
  struct cs_superblock_disk sb;

  peek (0, &sb, sizeof sb);
  change (&sb);
  cs_superblock_seal (&sb);
  patch (0, &sb, sizeof sb);
  patch (CS_STORE_SLOT_LEN, &sb, sizeof sb);
}

/* A child that opens the store for writing and stays until it is killed.  */
static inline pid_t
start_holder (void)
{
  int fds[2];
  char byte;
  pid_t pid;

  CHECK (pipe (fds) == 0);
  pid = fork ();
  if (pid == 0)
    {
      open_mode (CS_STORE_WRITE);
      CHECK (write (fds[1], "x", 1) == 1);
      for (;;)
        pause ();
    }
  CHECK (pid > 0 && read (fds[0], &byte, 1) == 1);
  close (fds[0]);
  close (fds[1]);
  return pid;
}

static inline void
stop_child (pid_t pid)
{
  int status;

  kill (pid, SIGKILL);
  CHECK (waitpid (pid, &status, 0) == pid);
}

#endif
