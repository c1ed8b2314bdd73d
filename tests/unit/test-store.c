/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-store.c -- the store's file: creating, opening, locking.  */

#include <sys/resource.h>

#include "store-fixture.h"

static struct cs_err err;

/* Creating and committing.  */

static void
no_name_before_commit (void)
{
  struct cs_store *store = create (false);
  struct stat st;

  CHECK (entries () == 0);
  CHECK (cs_store_superblock (store)->generation == 0);
  commit_ok (store);
  CHECK (entries () == 1 && stat (STORE, &st) == 0);
  CHECK ((st.st_mode & 07777) == 0600);
  CHECK (cs_store_superblock (store)->generation == 1);
  CHECK (strcmp (cs_store_path (store), STORE) == 0);
}

static void
umask_is_respected (void)
{
  struct stat st;

  umask (0277);
  make_store ("x");
  CHECK (stat (STORE, &st) == 0 && (st.st_mode & 07777) == 0400);
}

static void
write_one (void)
{
  struct cs_store *store = create (false);
  char *heap = cs_store_map (store, 100 * PAGE, RW, CS_EXTENT_HEAP);
  void *addr;

  CHECK (heap);
  CHECK (cs_store_section_create (store, "words", PAGE, RW, &addr) == 0);
  strcpy (addr, "one");
  for (size_t i = 0; i < 100; i++)
    memcpy (heap + i * PAGE, &(void *) { heap + i * PAGE }, sizeof (void *));
  commit_ok (store);
  strcpy (addr, "lost");
}

static void
write_two (void)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);
  size_t len;
  char *words = cs_store_section (store, "words", &len);

  CHECK (words && strcmp (words, "one") == 0 && len == PAGE);
  CHECK (!cs_store_section (store, "other", &len));
  strcpy (words, "two");
  commit_ok (store);
  strcpy (words, "three");
  commit_ok (store);
  cs_store_close (store);
}

static void
persists (void)
{
  struct cs_superblock_disk sb;
  struct cs_store *store;
  char *heap;

  CHECK (in_child (write_one) == 0);
  peek (0, &sb, sizeof sb);
  CHECK (file_says ("one"));
  CHECK (in_child (write_two) == 0);
  CHECK (file_says ("three"));
  store = open_mode (CS_STORE_EPHEMERAL);
  CHECK (cs_store_superblock (store)->generation == 3);
  CHECK (memcmp (cs_store_superblock (store)->uuid, sb.uuid, 16) == 0);
  CHECK (cs_store_superblock (store)->created == sb.created);
  heap = store->image + cs_directory_len (cs_directory (store));
  for (size_t i = 0; i < 100; i++)
    CHECK (*(char **) (heap + i * PAGE) == heap + i * PAGE);
  heap[5] = 1;                  /* can be written, privately */
}

static void
exists_already (void)
{
  struct cs_store_params params = default_params ();
  struct cs_store *store = NULL;

  make_store ("old");
  CHECK (cs_store_create (STORE, &params, false, &store, &err)
         == -CS_E_REFUSED);
  CHECK (strcmp (err.text, "cannot create 'a.store': exists already") == 0);
  CHECK (strstr (err.advice, "--force") && !store);
  store = create (true);
  CHECK (file_says ("old"));
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  commit_ok (store);
  CHECK (cs_store_superblock (store)->generation == 1);
  CHECK (entries () == 1);
  close_and_unmap (store);
  store = open_mode (CS_STORE_READ);
  CHECK (cs_directory (store)->nr_sections == 0);
}

static void
force_has_limits (void)
{
  struct cs_store_params params = default_params ();
  struct cs_store *store = NULL;
  pid_t pid;

  make_store ("old");
  pid = start_holder ();
  CHECK (cs_store_create (STORE, &params, true, &store, &err) == -CS_E_HELD);
  stop_child (pid);
  CHECK (unlink (STORE) == 0 && mkdir (STORE, 0700) == 0);
  CHECK (cs_store_create (STORE, &params, true, &store, &err)
         == -CS_E_REFUSED);
  CHECK (cs_store_create ("none/x", &params, true, &store, &err) == -ENOENT);
  CHECK (cs_store_create ("", &params, true, &store, &err) == -CS_E_REFUSED);
}

static void
two_creators (void)
{
  struct cs_store *first = create (false), *second;
  void *image = first->image;

  /* The second is in another process, but for its file.  */
  CHECK (munmap (image, (size_t) first->superblock.reserved) == 0);
  second = create (false);
  commit_ok (second);
  first->superblock.committed = 0;
  CHECK (cs_store_commit (first, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "created meanwhile") && entries () == 1);
  commit_ok (second);
}

static void
bad_params (void)
{
  struct cs_store_params good = default_params (), params = good;
  struct cs_store *store = NULL;

  params.machine = 40;
  CHECK (cs_store_create (STORE, &params, false, &store, &err)
         == -CS_E_INCOMPATIBLE);
  params = good;
  params.base += 1;
  CHECK (cs_store_create (STORE, &params, false, &store, &err) == -EINVAL);
  params = good;
  params.reserved = 1 << 20;
  CHECK (cs_store_create (STORE, &params, false, &store, &err) == -EINVAL);
  params = good;
  params.reserved = (uint64_t) 0 - PAGE;
  CHECK (cs_store_create (STORE, &params, false, &store, &err) == -EINVAL);
  CHECK (cs_store_create (STORE, &params, false, &store, NULL) == -EINVAL);
}

static void
zeros_are_holes (void)
{
  struct cs_store *store = create (false);
  size_t len = 2000 * PAGE;
  char *heap = cs_store_map (store, len, RW, CS_EXTENT_HEAP);
  struct stat st;

  CHECK (heap);
  for (size_t i = 0; i < 2000; i += 100)
    heap[i * PAGE + PAGE - 1] = 1;
  commit_ok (store);
  CHECK (stat (STORE, &st) == 0);
  CHECK ((size_t) st.st_size == IMAGE_OFF
         + cs_directory_len (cs_directory (store)) + len);
  CHECK ((size_t) st.st_blocks * 512 <= 100 * PAGE);
  CHECK (cs_store_clear (store, heap, len) == 0);
  commit_ok (store);
  CHECK (cs_store_settle (store, &err) == 0);
  CHECK (stat (STORE, &st) == 0 && (size_t) st.st_blocks * 512 <= 60 * PAGE);
  heap[0] = 1;
  commit_ok (store);
  CHECK (cs_store_unmap (store, heap, len) == 0);
  commit_ok (store);
  CHECK (cs_store_settle (store, &err) == 0);
  CHECK (stat (STORE, &st) == 0 && (size_t) st.st_blocks * 512 <= 60 * PAGE);
  /* Older generations may have had more in use.  */
  CHECK ((size_t) st.st_size == IMAGE_OFF
         + cs_directory_len (cs_directory (store)) + len);
}

static void
protection_and_contents (void)
{
  struct cs_store *store = create (false);
  char *a[4];
  static const int prots[] = { PROT_WRITE, PROT_EXEC, PROT_NONE, PROT_READ };
  struct cs_extent_disk e[8];

  for (int i = 0; i < 4; i++)
    {
      a[i] = cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP);
      CHECK (a[i]);
      memset (a[i], 'a' + i, PAGE);
      CHECK (cs_store_protect (store, a[i], PAGE, prots[i]) == 0);
    }
  commit_ok (store);
  close_and_unmap (store);
  store = open_mode (CS_STORE_WRITE);
  CHECK (cs_store_extents (store, e, 8) == 5);
  for (int i = 0; i < 4; i++)
    {
      CHECK (e[i + 1].prot == (uint32_t) prots[i]);
      CHECK (cs_store_protect (store, a[i], PAGE, PROT_READ) == 0);
      CHECK (a[i][PAGE - 1] == (prots[i] == PROT_NONE ? 0 : 'a' + i));
    }
}

static void
mode_and_owner_stay (void)
{
  struct cs_store *store;
  struct stat st;

  make_store ("x");
  CHECK (chmod (STORE, 0640) == 0);
  if (geteuid () == 0)
    CHECK (chown (STORE, 0, 77) == 0);
  store = open_mode (CS_STORE_WRITE);
  commit_ok (store);
  CHECK (stat (STORE, &st) == 0 && (st.st_mode & 07777) == 0640);
  CHECK (st.st_uid == geteuid ());
  if (geteuid () == 0)
    CHECK (st.st_gid == 77);
}

static int
no_chown (int fd, uid_t uid, gid_t gid)
{
  (void) fd;
  (void) uid;
  (void) gid;
  errno = EPERM;
  return -1;
}

/* As if the file's group were another one than that of a new file.  */
static int
other_group (int fd, struct stat *st)
{
  int r = fstat (fd, st);

  if (r == 0 && st->st_nlink > 0)
    st->st_gid++;
  return r;
}

/* A whole new file, which cannot be given the old one's group.  */
static void
group_is_lost (void)
{
  struct cs_store *store;
  struct stat st;

  make_store ("x");
  CHECK (chmod (STORE, 0640) == 0);
  store = open_mode (CS_STORE_WRITE);
  store->log.broken = true;
  say (store, "y");
  cs_sys.fchown = no_chown;
  cs_sys.fstat = other_group;
  commit_ok (store);
  cs_sys.fstat = fstat;
  CHECK (stat (STORE, &st) == 0 && (st.st_mode & 07777) == 0600);
  CHECK (file_says ("y"));
}

static void
other_folder (void)
{
  struct cs_store *store;

  make_store ("x");
  store = open_mode (CS_STORE_WRITE);
  say (store, "y");
  CHECK (mkdir ("sub", 0700) == 0 && chdir ("sub") == 0);
  commit_ok (store);
  CHECK (entries () == 0 && chdir ("..") == 0);
  CHECK (file_says ("y") && entries () == 2);
}

static void
through_a_link (void)
{
  struct cs_store *store;
  struct stat st;

  make_store ("x");
  CHECK (mkdir ("sub", 0700) == 0 && rename (STORE, "sub/real") == 0);
  CHECK (symlink ("sub/real", STORE) == 0);
  store = open_mode (CS_STORE_WRITE);
  say (store, "y");
  commit_ok (store);
  CHECK (lstat (STORE, &st) == 0 && S_ISLNK (st.st_mode));
  CHECK (file_says ("y"));
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  cs_store_close (store);
  CHECK (unlink ("sub/real") == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == -ENOENT);
  CHECK (try_open (CS_STORE_READ, &err) == -ENOENT);
}

static void
name_taken_away (void)
{
  struct cs_store *store;

  make_store ("x");
  store = open_mode (CS_STORE_WRITE);
  CHECK (rename (STORE, "b") == 0);
  say (store, "y");
  commit_ok (store);            /* saved under its own name */
  CHECK (file_says ("y"));
  CHECK (rename ("b", STORE) == 0);
  CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "name has gone to another file")
         && file_says ("x"));
}

static ssize_t
no_space (int fd, const void *buf, size_t len, off_t off)
{
  (void) fd;
  (void) buf;
  (void) len;
  (void) off;
  errno = ENOSPC;
  return -1;
}

/* The reason is told before anything is written, also on a full disk.  */
static void
name_given_away (void)
{
  struct cs_store *store;
  struct stat before, after;

  make_store ("x");
  CHECK (stat (STORE, &before) == 0);
  store = open_mode (CS_STORE_WRITE);
  CHECK (rename (STORE, "b") == 0 && system ("cp b " STORE) == 0);
  say (store, "y");
  cs_sys.pwrite = no_space;
  CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "name has gone to another file"));
  cs_sys.pwrite = pwrite;
  CHECK (file_says ("x") && entries () == 2);
  CHECK (rename ("b", STORE) == 0);
  commit_ok (store);
  CHECK (file_says ("y") && stat (STORE, &after) == 0
         && before.st_ino == after.st_ino);
}

static void *
mmap_small_only (void *addr, size_t len, int prot, int flags, int fd,
                 off_t off)
{
  errno = ENOMEM;
  return (len >= CS_STORE_RESERVED_MIN ? MAP_FAILED
          : mmap (addr, len, prot, flags, fd, off));
}

static void
no_reservation (void)
{
  struct cs_store *store;
  char *other;

  make_store ("x");
  cs_sys.mmap = mmap_small_only;
  store = open_mode (CS_STORE_WRITE);
  CHECK (!store->held);
  say (store, "y");
  CHECK (cs_store_map (store, PAGE, PROT_READ, CS_EXTENT_HEAP));
  CHECK (cs_store_map (store, PAGE, PROT_NONE, CS_EXTENT_HEAP));
  commit_ok (store);
  close_and_unmap (store);
  other = (char *) (uintptr_t) default_params ().base;
  CHECK (try_open (CS_STORE_WRITE, &err) == 0 && file_says ("y"));
  /* Something in the way of the last mapping: the first ones go again.  */
  store = open_mode (CS_STORE_READ);
  other += store->superblock.committed - PAGE;
  cs_store_close (store);
  CHECK (mmap (other, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == other);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
  CHECK (munmap (other, PAGE) == 0);
  cs_sys.mmap = mmap;
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

/* Locking.  */

static void
second_writer (void)
{
  char pid_text[32];
  pid_t pid;

  make_store ("x");
  pid = start_holder ();
  snprintf (pid_text, sizeof pid_text, "held by process %ld on ", (long) pid);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  CHECK (strstr (err.text, pid_text) && strstr (err.text, " since 2"));
  CHECK (cs_err_status (err.code) == 3);
  CHECK (try_open (CS_STORE_READ, &err) == 0);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == 0);
  stop_child (pid);             /* a dead process holds nothing */
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

static void
lock_survives_commit (void)
{
  struct cs_store *store;

  make_store ("x");
  store = open_mode (CS_STORE_WRITE);
  for (int i = 0; i < 3; i++)
    {
      commit_ok (store);
      CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
    }
  cs_store_close (store);
  CHECK (munmap ((void *) (uintptr_t) default_params ().base,
                 (size_t) default_params ().reserved) == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
}

static void
unknown_holder (void)
{
  struct cs_store *store;

  make_store ("x");
  store = open_mode (CS_STORE_WRITE);
  patch (CS_STORE_LOCK_OFF, "nonsense", 8);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  CHECK (strstr (err.text, "held by another process"));
  cs_store_close (store);
}

/* The holder ends, its child does not and still has the descriptor.  */
static void
leave_a_child (void)
{
  open_mode (CS_STORE_WRITE);
  if (fork () == 0)
    {
      alarm (20);
      close (0);
      close (1);
      close (2);
      for (;;)
        pause ();
    }
}

static void
inherited_lock (void)
{
  make_store ("x");
  CHECK (in_child (leave_a_child) == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  CHECK (strstr (err.text, "a child of the ended process"));
}

/* An opener finds that the file it locked has lost its name.  */
static int replacements;

static int
replace_first (int fd, int command, struct flock *lock)
{
  if (replacements-- > 0)
    {
      CHECK (system ("cp " STORE " copy") == 0);
      CHECK (rename ("copy", STORE) == 0);
    }
  return fcntl (fd, command, lock);
}

static void
replaced_while_opening (void)
{
  make_store ("x");
  cs_sys.lock = replace_first;
  replacements = 3;
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  replacements = 1000;
  CHECK (try_open (CS_STORE_WRITE, &err) == -EBUSY);
}

static void
children_cannot_commit (void)
{
  struct cs_store *store;
  int status;
  pid_t pid;

  make_store ("x");
  store = open_mode (CS_STORE_WRITE);
  pid = fork ();
  if (pid == 0)
    {
      char *p;

      say (store, "child");
      CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
      cs_store_disown (store);
      CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
      p = cs_store_map (store, 3 * PAGE, RW, CS_EXTENT_HEAP);
      CHECK (p);
      memset (p, 1, 3 * PAGE);
      CHECK (cs_store_unmap (store, p, PAGE) == 0);
      CHECK (cs_store_check (store, NULL) == 0);
      cs_store_close (store);
      _exit (0);
    }
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  CHECK (file_says ("x"));
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_HELD);
  commit_ok (store);
}

static void
child_keeps_no_lock (void)
{
  struct cs_store *store;
  int fds[2];
  pid_t pid;

  make_store ("x");
  CHECK (pipe (fds) == 0);
  store = open_mode (CS_STORE_WRITE);
  pid = fork ();
  if (pid == 0)                 /* does not even disown */
    for (;;)
      pause ();
  close_and_unmap (store);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  stop_child (pid);
}

/* A writer that is killed, and not waited for, and the child that it leaves.
   The child disowns the store when it reads a byte, or at once.  */

static pid_t writer, orphan;
static int go[2];
static int refusals;

static void
wait_in_child (struct cs_store *store, int ready, bool at_once)
{
  char byte;

  alarm (60);
  if (at_once)
    cs_store_disown (store);
  CHECK (write (ready, "x", 1) == 1);
  if (!at_once && read (go[0], &byte, 1) == 1)
    cs_store_disown (store);
  for (;;)
    pause ();
}

static void
be_a_writer (int told, bool at_once)
{
  struct cs_store *store = open_mode (CS_STORE_WRITE);
  int ready[2];
  char byte;
  pid_t pid;

  CHECK (pipe (ready) == 0);
  cs_store_hold (store);
  pid = fork ();
  if (pid == 0)
    wait_in_child (store, ready[1], at_once);
  CHECK (read (ready[0], &byte, 1) == 1);
  CHECK (write (told, &pid, sizeof pid) == sizeof pid);
  for (;;)
    pause ();
}

static void
leave_an_orphan (bool at_once)
{
  int told[2];
  siginfo_t info;

  make_store ("x");
  CHECK (pipe (go) == 0 && pipe (told) == 0);
  writer = fork ();
  if (writer == 0)
    be_a_writer (told[1], at_once);
  CHECK (read (told[0], &orphan, sizeof orphan) == sizeof orphan);
  kill (writer, SIGKILL);
  CHECK (waitid (P_PID, (id_t) writer, &info, WEXITED | WNOWAIT) == 0);
}

static void
end_of_orphan (void)
{
  kill (orphan, SIGKILL);
  CHECK (waitpid (writer, NULL, 0) == writer);
}

static int
count_refusals (int fd, int command, struct flock *lock)
{
  int r = fcntl (fd, command, lock);

  if (command == F_OFD_SETLK && r < 0 && refusals++ == 0)
    CHECK (write (go[1], "x", 1) == 1);
  return r;
}

static void
child_maps_without_lock (void)
{
  leave_an_orphan (true);
  cs_sys.lock = count_refusals;
  CHECK (try_open (CS_STORE_WRITE, &err) == 0 && refusals == 0);
  end_of_orphan ();
}

static void
child_comes_to_it (void)
{
  leave_an_orphan (false);
  cs_sys.lock = count_refusals;
  CHECK (try_open (CS_STORE_WRITE, &err) == 0 && refusals > 0);
  end_of_orphan ();
}

static void
descriptors_are_out_of_the_way (void)
{
  struct cs_store *store;
  struct rlimit limit = { 64, 0 };

  make_store ("x");
  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 1024;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  store = open_mode (CS_STORE_WRITE);
  commit_ok (store);
  CHECK (store->fd >= 56 && store->dirfd >= 56);
  CHECK (fcntl (store->fd, F_GETFD) == FD_CLOEXEC);
  CHECK (fcntl (store->dirfd, F_GETFD) == FD_CLOEXEC);
  close_and_unmap (store);
  limit.rlim_cur = 64;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  store = open_mode (CS_STORE_WRITE);
  CHECK (store->fd >= 40 && fcntl (store->fd, F_GETFD) == FD_CLOEXEC);
}

/* Who may, and what is not a store.  */

static void
ephemeral_writes_nothing (void)
{
  struct cs_store *store;
  struct stat before, after;

  make_store ("x");
  CHECK (stat (STORE, &before) == 0 && chmod (STORE, 0400) == 0);
  store = open_mode (CS_STORE_EPHEMERAL);
  say (store, "changed");
  CHECK (cs_store_map (store, PAGE, RW, CS_EXTENT_HEAP));
  CHECK (cs_store_commit (store, &err) == -CS_E_REFUSED);
  cs_store_close (store);
  CHECK (stat (STORE, &after) == 0 && file_says ("x") && entries () == 1);
  CHECK (before.st_ino == after.st_ino && before.st_size == after.st_size
         && before.st_mtim.tv_sec == after.st_mtim.tv_sec
         && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}

static void
others_could_write (void)
{
  static const mode_t modes[] = { 0620, 0602, 0666 };

  make_store ("x");
  for (int i = 0; i < 3; i++)
    {
      CHECK (chmod (STORE, modes[i]) == 0);
      CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
      CHECK (strcmp (err.advice, "remove write permission for others: "
                     "chmod go-w 'a.store'") == 0);
      CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_REFUSED);
      CHECK (try_open (CS_STORE_READ, &err) == 0);
    }
  CHECK (chmod (STORE, 0644) == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == 0);
  if (geteuid () != 0)
    return;
  CHECK (chown (STORE, 12345, 0) == 0);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "owned by user 12345"));
}

static void
occupied_by_nothing_special (void)
{
  void *base = (void *) (uintptr_t) default_params ().base;

  make_store ("x");
  CHECK (mmap (base, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS
               | MAP_FIXED_NOREPLACE, -1, 0) == base);
  CHECK (try_open (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "in use by [anonymous] (0x"));
  CHECK (try_open (CS_STORE_READ, &err) == 0);
}

static void
occupied_by_a_file (void)
{
  char *base = (char *) (uintptr_t) default_params ().base + (8 << 20);
  int fd = open ("libfoo bar.so", O_RDWR | O_CREAT, 0600);
  struct cs_store_params params = default_params ();
  struct cs_store *store;

  make_store ("x");
  CHECK (mmap (base, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
               0) == base);
  CHECK (try_open (CS_STORE_EPHEMERAL, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "/libfoo bar.so (0x"));
  CHECK (cs_store_create ("b.store", &params, false, &store, &err)
         == -CS_E_REFUSED);
  CHECK (strstr (err.text, "cannot create 'b.store': address range"));
}

static void
not_regular (void)
{
  static const enum cs_store_mode modes[] = {
    CS_STORE_WRITE, CS_STORE_EPHEMERAL, CS_STORE_READ
  };

  for (int i = 0; i < 3; i++)
    {
      CHECK (mkdir (STORE, 0700) == 0);
      CHECK (try_open (modes[i], &err) == -CS_E_REFUSED);
      CHECK (rmdir (STORE) == 0 && mkfifo (STORE, 0600) == 0);
      CHECK (try_open (modes[i], &err) == -CS_E_REFUSED);
      CHECK (strcmp (err.text, "cannot open 'a.store': not a regular file")
             == 0);
      CHECK (unlink (STORE) == 0);
      CHECK (try_open (modes[i], &err) == -ENOENT);
    }
}

int
main (void)
{
  static const struct test_case cases[] = {
    { "S4: no name before the first commit", no_name_before_commit },
    { "a new store respects the umask", umask_is_respected },
    { "what was committed is there again", persists },
    { "an existing store is replaced with force only", exists_already },
    { "force spares held stores and folders", force_has_limits },
    { "S4: of two creators the second is refused", two_creators },
    { "impossible parameters are refused", bad_params },
    { "pages of zeros are holes", zeros_are_holes },
    { "every protection is saved", protection_and_contents },
    { "mode and owner survive a commit", mode_and_owner_stay },
    { "another group than the old one may not do what that may",
      group_is_lost },
    { "a commit finds its folder again", other_folder },
    { "S4: a commit keeps symbolic links", through_a_link },
    { "S4: a commit replaces nobody else's file", name_taken_away },
    { "S4: nor does it write a file first", name_given_away },
    { "a region that cannot be reserved", no_reservation },
    { "S5: one writer; the dead hold nothing", second_writer },
    { "S5: the lock survives commits", lock_survives_commit },
    { "S5: a holder without a record", unknown_holder },
    { "S5: an inherited lock is explained", inherited_lock },
    { "S5: an opener notices a rename", replaced_while_opening },
    { "S5: children never commit", children_cannot_commit },
    { "S5: close frees the lock for all", child_keeps_no_lock },
    { "S5: so does the end of a writer with a child",
      child_maps_without_lock },
    { "S5: and one with a child that comes to it later", child_comes_to_it },
    { "descriptors are high and closed by exec",
      descriptors_are_out_of_the_way },
    { "ephemeral writes nothing", ephemeral_writes_nothing },
    { "stores that others can write are refused", others_could_write },
    { "a conflict names an anonymous mapping", occupied_by_nothing_special },
    { "a conflict names a file", occupied_by_a_file },
    { "only regular files, and no waiting", not_regular }
  };

  return run_cases (cases, sizeof cases / sizeof *cases);
}
