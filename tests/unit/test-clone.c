/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-clone.c -- copies of a store, also when a system call fails.  */

#include <sys/resource.h>

#include "store-faults.h"

#define COPY "b.store"

static struct cs_err err;

static int
clone_to (const char *to, bool force)
{
  err = (struct cs_err) CS_ERR_INIT;
  return cs_store_clone (STORE, CS_STORE_NEWEST, to, force, &err);
}

static bool
copy_says (const char *text)
{
  struct cs_store *store = NULL;
  const char *words;
  size_t len = 0;
  bool same;

  if (cs_store_open (COPY, CS_STORE_READ, &store, &err) < 0)
    return false;
  words = cs_store_section (store, "words", &len);
  same = words && strcmp (words, text) == 0;
  cs_store_close (store);
  return same;
}

static struct cs_superblock_disk
superblock_of (const char *path)
{
  struct cs_superblock_disk sb;
  int fd = open (path, O_RDONLY);

  CHECK (fd >= 0 && pread (fd, &sb, sizeof sb, 0) == sizeof sb);
  close (fd);
  return sb;
}

/* A store with pages here and there.  */
static void
make_sparse (const char *text)
{
  struct cs_store *store = create (false);
  void *addr;
  char *heap;

  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  strcpy (addr, text);
  heap = cs_store_map (store, 16 << 20, RW, CS_EXTENT_HEAP);
  CHECK (heap);
  for (size_t i = 0; i < 16; i += 3)
    memset (heap + (i << 20), (int) i + 1, 3 * PAGE);
  commit_ok (store);
  commit_ok (store);
  close_and_unmap (store);
}

/* Are contents the same, but for superblocks and lock record?  */
static bool
same_image (void)
{
  int a = open (STORE, O_RDONLY), b = open (COPY, O_RDONLY);
  char p[PAGE], q[PAGE];
  bool same = true;
  ssize_t n;

  for (off_t off = IMAGE_OFF; same; off += n)
    {
      n = pread (a, p, PAGE, off);
      same = n >= 0 && pread (b, q, PAGE, off) == n && memcmp (p, q, n) == 0;
      if (n == 0)
        break;
    }
  close (a);
  close (b);
  return same;
}

static void
check_copy (void)
{
  static const char none[sizeof (struct cs_lock_disk)];
  struct cs_superblock_disk a = superblock_of (STORE);
  struct cs_superblock_disk b = superblock_of (COPY);
  char record[sizeof none];
  struct stat of_a, of_b;
  int fd = open (COPY, O_RDONLY);

  CHECK (same_image ());
  CHECK (pread (fd, record, sizeof record, CS_STORE_LOCK_OFF)
         == sizeof record);
  CHECK (memcmp (record, none, sizeof none) == 0);
  close (fd);
  CHECK (stat (STORE, &of_a) == 0 && stat (COPY, &of_b) == 0);
  CHECK (of_a.st_size == of_b.st_size && of_b.st_blocks <= of_a.st_blocks);
  CHECK ((of_b.st_mode & 07777) == 0600);
  CHECK (a.generation == b.generation && a.committed_at == b.committed_at);
  CHECK (memcmp (a.uuid, b.uuid, sizeof a.uuid) != 0);
  CHECK (b.created >= a.created);
}

static void
copies (void)
{
  make_sparse ("here");
  CHECK (chmod (STORE, 0644) == 0);
  CHECK (clone_to (COPY, false) == 0 && entries () == 2);
  check_copy ();
  CHECK (copy_says ("here"));
}

static int
no_ficlone (int to, int from)
{
  (void) to;
  (void) from;
  errno = EOPNOTSUPP;
  return -1;
}

static ssize_t
no_copy (int in, off_t *in_off, int out, off_t *out_off, size_t len,
         unsigned int flags)
{
  (void) in;
  (void) in_off;
  (void) out;
  (void) out_off;
  (void) len;
  (void) flags;
  errno = EXDEV;
  return -1;
}

static ssize_t
short_copy (int in, off_t *in_off, int out, off_t *out_off, size_t len,
            unsigned int flags)
{
  static bool odd;

  odd = !odd;
  return odd ? copy_file_range (in, in_off, out, out_off,
                                len < 5000 ? len : 5000, flags) : 0;
}

static void
copies_by_hand (void)
{
  cs_sys.ficlone = no_ficlone;
  cs_sys.copy_file_range = no_copy;
  copies ();
}

static void
copies_in_parts (void)
{
  cs_sys.ficlone = no_ficlone;
  cs_sys.copy_file_range = short_copy;
  copies ();
}

/* What a file system with shared blocks does.  */
static int
mock_ficlone (int to, int from)
{
  char buf[PAGE];
  off_t off = 0;
  ssize_t n;

  while ((n = pread (from, buf, PAGE, off)) > 0)
    {
      static const char zeros[PAGE];

      if (memcmp (buf, zeros, n) != 0)
        CHECK (pwrite (to, buf, n, off) == n);
      off += n;
    }
  return ftruncate (to, off);
}

static void
copies_shared (void)
{
  cs_sys.ficlone = mock_ficlone;
  cs_sys.copy_file_range = no_copy;
  make_sparse ("here");
  CHECK (truncate (STORE, superblock_of (STORE).committed
                          + IMAGE_OFF) == 0);
  CHECK (clone_to (COPY, false) == 0 && entries () == 2);
  check_copy ();
}

static void
beside_a_writer (void)
{
  struct cs_store *store;

  make_store ("old");
  store = open_mode (CS_STORE_WRITE);
  say (store, "new");
  CHECK (clone_to (COPY, false) == 0 && copy_says ("old"));
  commit_ok (store);
  CHECK (copy_says ("old") && clone_to (COPY, true) == 0);
  CHECK (copy_says ("new") && entries () == 2);
}

/* Its commit replaces the source while it is copied.  */
static struct cs_store *writer;

static int
commit_meanwhile (int to, int from)
{
  if (writer)
    {
      commit_ok (writer);
      writer = NULL;
    }
  return no_ficlone (to, from);
}

static void
commit_during_copy (void)
{
  make_store ("old");
  writer = open_mode (CS_STORE_WRITE);
  say (writer, "new");
  cs_sys.ficlone = commit_meanwhile;
  CHECK (clone_to (COPY, false) == 0 && !writer);
  CHECK (copy_says ("old") && file_says ("new") && entries () == 2);
}

static void
refusals (void)
{
  make_store ("old");
  CHECK (clone_to (STORE, false) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "exists already") && strstr (err.advice, "--force"));
  CHECK (clone_to (STORE, true) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "the source itself"));
  CHECK (clone_to ("missing/b.store", false) == -ENOENT);
  CHECK (mkdir (COPY, 0700) == 0);
  CHECK (clone_to (COPY, true) == -CS_E_REFUSED && rmdir (COPY) == 0);
  CHECK (chmod (STORE, 0660) == 0);
  CHECK (clone_to (COPY, false) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "lets others write"));
  CHECK (truncate (STORE, IMAGE_OFF + 100) == 0);
  CHECK (clone_to (COPY, false) == -CS_E_DAMAGED);
  CHECK (unlink (STORE) == 0);
  CHECK (clone_to (COPY, false) == -ENOENT && entries () == 0);
}

static void
target_held (void)
{
  pid_t holder;

  make_store ("old");
  CHECK (rename (STORE, COPY) == 0);
  CHECK (symlink (COPY, STORE) == 0);
  holder = start_holder ();
  CHECK (unlink (STORE) == 0);
  make_store ("new");
  CHECK (clone_to (COPY, true) == -CS_E_HELD && copy_says ("old"));
  stop_child (holder);
  CHECK (clone_to (COPY, true) == 0 && copy_says ("new"));
  CHECK (entries () == 2);
}

/* Something that a copy is to replace.  */
static void
write_old (void)
{
  int fd = open (COPY, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  CHECK (fd >= 0 && write (fd, "old", 3) == 3);
  close (fd);
}

/* Clone with call NTH failing.  False when no call was left to fail.  */
static bool
clone_with_fault (int nth, bool always, bool exists)
{
  size_t open_before = descriptors ();
  bool published;
  int r;

  if (exists)
    write_old ();
  let_fail (nth, always);
  r = clone_to (COPY, exists);
  cs_sys = real;
  CHECK (r == 0 || (r == -EIO && err.text[0]));
  CHECK (descriptors () == open_before);
  CHECK (file_says ("words"));
  published = copy_says ("words");
  CHECK (r < 0 || published);
  CHECK (entries () == (published || exists ? 2u : 1u));
  if (published)
    check_copy ();
  CHECK (!published || unlink (COPY) == 0);
  return fired > 0;
}

static void
fault_loop (void)
{
  int nth;

  make_sparse ("words");
  for (int exists = 0; exists < 2; exists++)
    for (int always = 0; always < 2; always++)
      {
        for (nth = 1; clone_with_fault (nth, always, exists); nth++)
          continue;
        CHECK (nth > 15);
      }
}

static void
fault_loop_by_hand (void)
{
  cs_sys.ficlone = no_ficlone;
  cs_sys.copy_file_range = no_copy;
  cs_sys.openat = no_tmpfile;
  cs_sys.renameat2 = no_renameat2;
  fault_loop ();
}

static void
file_size_limit (void)
{
  struct rlimit limit = { 1 << 20, RLIM_INFINITY };

  make_sparse ("words");
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (clone_to (COPY, false) == -EFBIG && entries () == 1);
  CHECK (strstr (err.text, "cannot create 'b.store': "));
}

static int
interrupt (int to, int from)
{
  kill (getpid (), SIGTERM);
  return no_ficlone (to, from);
}

static void
interrupted (void)
{
  make_sparse ("words");
  cs_sys.ficlone = interrupt;
  cs_sys.openat = no_tmpfile;
  clone_to (COPY, false);
}

static void
interruption (void)
{
  CHECK (in_child (interrupted) == 128 + SIGTERM);
  CHECK (entries () == 1);
  cs_sys.ficlone = interrupt;
  signal (SIGTERM, SIG_IGN);
  CHECK (clone_to (COPY, false) == 0 && copy_says ("words"));
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "a copy has the image, and a name of its own", copies },
    { "where the kernel cannot copy", copies_by_hand },
    { "where the kernel copies part of it", copies_in_parts },
    { "where blocks are shared", copies_shared },
    { "S4: beside a writer", beside_a_writer },
    { "S4: a commit of the source meanwhile", commit_during_copy },
    { "what is refused", refusals },
    { "a target that is held", target_held },
    { "each system call of a copy may fail", fault_loop },
    { "the same by hand, without O_TMPFILE", fault_loop_by_hand },
    { "a file size limit is an error, not a signal", file_size_limit },
    { "a signal ends it and leaves nothing", interruption }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
