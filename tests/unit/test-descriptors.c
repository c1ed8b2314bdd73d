/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-descriptors.c -- descriptors that the image holds by number.  */

#include <dlfcn.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "process-fixture.h"

static int
make_file (const char *name, const char *text)
{
  int fd = open (name, O_RDWR | O_CREAT | O_TRUNC, 0600);

  CHECK (fd >= 0);
  CHECK (write (fd, text, strlen (text)) == (ssize_t) strlen (text));
  return fd;
}

/* Another file under the name.  */
static void
replace_file (const char *name, const char *text)
{
  close (make_file ("new", text));
  CHECK (rename ("new", name) == 0);
}

static void
keep (int i, int fd)
{
  CHECK (fd >= 3);
  words->word[i] = (uint64_t) fd;
}

static int
kept (int i)
{
  return (int) words->word[i];
}

/* The number that it has in this process.  */
static int
today (int i)
{
  const struct cs_descriptor_now *now = cs_process_descriptor (kept (i));

  CHECK (now);
  return now->fd;
}

static bool
reads (int fd, const char *text)
{
  char found[64] = "";

  return read (fd, found, sizeof found - 1) == (ssize_t) strlen (text)
         && !strcmp (found, text);
}

static bool
is_placeholder (int fd)
{
  char byte;

  errno = 0;
  if (read (fd, &byte, 1) != -1 || errno != EBADF)
    return false;
  errno = 0;
  return write (fd, "x", 1) == -1 && errno == EBADF
         && fcntl (fd, F_GETFD) >= 0;
}

static bool
is_lost (int i, const char *story)
{
  char text[600];

  cs_process_describe_lost (kept (i), text, sizeof text);
  if (!strstr (text, story))
    fprintf (stderr, "%s\n", text);
  return cs_process_descriptor (kept (i))->state == CS_DESCRIPTOR_LOST
         && strstr (text, story);
}

/* Save with one port for each that was kept, of RULE.  */
static void
save_ports (int nr, enum cs_policy_files rule, bool revealed)
{
  struct cs_descriptor_port port = {
    .position = -1, .rule = rule, .revealed = revealed
  };

  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  for (int i = 0; i < nr; i++)
    cs_process_record_descriptor (kept (i), &port);
  commit_ok (cs_process.store);
  cs_store_close (cs_process.store);
  _exit (0);
}

/* The same file.  */

static void
leave_files (void)
{
  int fd;

  begin ();
  fd = make_file ("data", "0123456789");
  CHECK (lseek (fd, 4, SEEK_SET) == 4);
  keep (0, fd);
  fd = open ("data", O_RDONLY | O_CLOEXEC);
  CHECK (lseek (fd, 7, SEEK_SET) == 7);
  keep (1, fd);
  fd = open ("log", O_WRONLY | O_CREAT | O_APPEND | O_EXCL, 0600);
  CHECK (write (fd, "one ", 4) == 4);
  keep (2, fd);
  fd = open ("data", O_RDONLY);
  CHECK (lseek (fd, 4, SEEK_SET) == 4);
  keep (3, fcntl (fd, F_DUPFD, 700));
  keep (4, open ("/dev/null", O_RDWR));
  keep (5, open (".", O_RDONLY | O_DIRECTORY));
  save_and_leave ();
}

static void
find_files (void)
{
  resume ();
  CHECK (lseek (kept (0), 0, SEEK_CUR) == 4 && reads (kept (0), "456789"));
  CHECK (!(fcntl (kept (0), F_GETFD) & FD_CLOEXEC));
  CHECK ((fcntl (kept (0), F_GETFL) & O_ACCMODE) == O_RDWR);
  CHECK (!(fcntl (kept (0), F_GETFL) & O_NONBLOCK));
  CHECK (reads (kept (1), "789"));
  CHECK (fcntl (kept (1), F_GETFD) & FD_CLOEXEC);
  CHECK ((fcntl (kept (1), F_GETFL) & O_ACCMODE) == O_RDONLY);
  CHECK (fcntl (kept (2), F_GETFL) & O_APPEND);
  CHECK (write (kept (2), "two ", 4) == 4);
  CHECK (kept (3) >= 700 && lseek (kept (3), 0, SEEK_CUR) == 4);
  CHECK (lseek (kept (0), 4, SEEK_SET) == 4);
  CHECK (lseek (kept (1), 7, SEEK_SET) == 7);
  CHECK (write (kept (4), "x", 1) == 1 && reads (kept (4), ""));
  CHECK (fchdir (kept (5)) == 0);
  CHECK (!cs_process_descriptors_changed ());
  save_and_leave ();
}

static void
files_are_reopened (void)
{
  int log;

  CHECK (in_child (leave_files) == 0);
  CHECK (in_child (find_files) == 0);
  CHECK (in_child (find_files) == 0);
  log = open ("log", O_RDONLY);
  CHECK (reads (log, "one two two "));
  close (log);
}

static void
leave_shared (void)
{
  begin ();
  keep (0, make_file ("data", "0123456789"));
  CHECK (lseek (kept (0), 2, SEEK_SET) == 2);
  keep (1, dup (kept (0)));
  keep (2, open ("data", O_RDONLY));
  CHECK (lseek (kept (2), 2, SEEK_SET) == 2);
  save_and_leave ();
}

static void
find_shared (void)
{
  resume ();
  CHECK (lseek (kept (1), 5, SEEK_SET) == 5);
  CHECK (lseek (kept (0), 0, SEEK_CUR) == 5);
  CHECK (lseek (kept (2), 0, SEEK_CUR) == 2);
  CHECK (lseek (kept (0), 2, SEEK_SET) == 2);
  save_and_leave ();
}

/* Calls of syscall(2) arrive here: kcmp(2) has no function of its own.  */
static unsigned nr_kcmps;

long
syscall (long number, ...)
{
  static long (*real) (long, ...);
  long a[6];
  va_list list;

  if (!real)
    real = (long (*) (long, ...)) dlsym (RTLD_NEXT, "syscall");
  va_start (list, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (list, long);
  va_end (list);
  nr_kcmps += number == SYS_kcmp;
  return real (number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Pairs on one file: of N open files each is compared with the binary
   logarithm of N others at most.  */
static void
record_many (void)
{
  enum { PAIRS = 400, LOGARITHM = 9 };
  struct rlimit room = { 4096, 4096 };
  int fds[2 * PAIRS];

  setrlimit (RLIMIT_NOFILE, &room);
  begin ();
  close (make_file ("data", "0123456789"));
  for (int i = 0; i < PAIRS; i++)
    {
      fds[i] = open ("data", O_RDWR);
      fds[PAIRS + i] = dup (fds[i]);
      CHECK (fds[i] >= 0 && fds[PAIRS + i] >= 0);
    }
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  nr_kcmps = 0;
  for (int i = 0; i < 2 * PAIRS; i++)
    cs_process_record_descriptor (fds[i], &(struct cs_descriptor_port) {
                                            .position = -1 });
  CHECK (nr_kcmps > 0 && nr_kcmps <= 2 * PAIRS * LOGARITHM);
  for (uint32_t i = 0; i < PAIRS; i++)
    {
      CHECK (cs_process.image->descriptors[i].shares == 0);
      CHECK (cs_process.image->descriptors[PAIRS + i].shares == i + 1);
    }
}

static void
comparisons (void)
{
  CHECK (in_child (record_many) == 0);
}

/* Only where the kernel has kcmp(2).  */
static void
offset_is_shared (void)
{
  CHECK (in_child (leave_shared) == 0);
  CHECK (in_child (find_shared) == 0);
  CHECK (in_child (find_shared) == 0);
}

static void
leave_one (void)
{
  begin ();
  keep (0, make_file ("data", "0123456789"));
  save_ports (1, CS_POLICY_FILES_NONE, false);
}

static void
find_shorter (void)
{
  resume ();
  CHECK (cs_process_descriptor (kept (0))->state == CS_DESCRIPTOR_SHORTER);
  CHECK (lseek (today (0), 0, SEEK_CUR) == 3);
}

static void
find_longer (void)
{
  resume ();
  CHECK (cs_process_descriptor (kept (0))->state == CS_DESCRIPTOR_SAME);
  CHECK (lseek (today (0), 0, SEEK_CUR) == 10);
}

static void
lengths (void)
{
  CHECK (in_child (leave_one) == 0);
  CHECK (truncate ("data", 20) == 0);
  CHECK (in_child (find_longer) == 0);
  CHECK (truncate ("data", 3) == 0);
  CHECK (in_child (find_shorter) == 0);
}

/* An inode is used again: by times alone can one be told from the other.  */
static void
inode_is_recycled (void)
{
  struct cs_descriptor_disk a = {
    .device = 1, .inode = 5, .born = 100, .born_nsec = 7
  };
  struct cs_descriptor_disk b = a;

  CHECK (cs_descriptor_is_same (&a, &b));
  b.device = 2;                 /* another number after a boot */
  CHECK (cs_descriptor_is_same (&a, &b));
  b.born_nsec = 8;
  CHECK (!cs_descriptor_is_same (&a, &b));
  b.born = b.born_nsec = 0;     /* not known */
  CHECK (!cs_descriptor_is_same (&a, &b));
  b.device = 1;
  CHECK (cs_descriptor_is_same (&a, &b));
  b.inode = 6;
  CHECK (!cs_descriptor_is_same (&a, &b));
}

/* What is lost.  */

#define OTHERS 9

static void
leave_others (void)
{
  int fds[2];

  begin ();
  keep (0, make_file ("replaced", "mine"));
  keep (1, make_file ("removed", "mine"));
  CHECK (pipe (fds) == 0);
  keep (2, fds[0]);
  keep (3, fds[1]);
  keep (4, make_file ("nameless", "mine"));
  CHECK (unlink ("nameless") == 0);
  keep (5, socket (AF_UNIX, SOCK_STREAM, 0));
  keep (6, memfd_create ("memory", 0));
  CHECK (mkfifo ("fifo", 0600) == 0);
  keep (7, open ("fifo", O_RDWR));
  keep (8, posix_openpt (O_RDWR | O_NOCTTY));
  save_and_leave ();
}

#define OPENED 20

static int opened[OPENED];

static void
find_placeholders (void)
{
  resume ();
  for (int i = 0; i < OTHERS; i++)
    CHECK (is_placeholder (kept (i)));
  /* Nobody else gets one of the numbers.  */
  for (int n = 0; n < OPENED; n++)
    {
      opened[n] = open ("/dev/null", O_RDONLY);
      for (int i = 0; i < OTHERS; i++)
        CHECK (opened[n] >= 0 && opened[n] != kept (i));
    }
}

static void
find_placeholders_and_save (void)
{
  find_placeholders ();
  for (int n = 0; n < OPENED; n++)
    CHECK (close (opened[n]) == 0);
  save_and_leave ();
}

static void
find_reasons (void)
{
  resume ();
  CHECK (is_lost (0, "replaced', open in generation 1: another file has its"));
  CHECK (is_lost (1, "removed', open in generation 1: No such file"));
  CHECK (is_lost (2, "pipe, open in generation 1: it ended with its process"));
  CHECK (is_lost (4, "nameless', open in generation 1: it had been removed"));
  CHECK (is_lost (5, "socket, open in"));
  CHECK (is_lost (6, "memory', open in generation 1: it had been removed"));
  CHECK (is_lost (7, "fifo', open in generation 1: it ended"));
  CHECK (is_lost (8, "terminal '/dev/"));
}

static void
others_are_lost (void)
{
  CHECK (in_child (leave_others) == 0);
  replace_file ("replaced", "yours");
  CHECK (unlink ("removed") == 0);
  CHECK (in_child (find_reasons) == 0);
  CHECK (in_child (find_placeholders) == 0);
}

/* The number is still the program's when the next process has saved.  */
static void
held_after_next (void)
{
  CHECK (in_child (leave_others) == 0);
  replace_file ("replaced", "yours");
  CHECK (unlink ("removed") == 0);
  CHECK (in_child (find_placeholders_and_save) == 0);
  CHECK (in_child (find_placeholders) == 0);
}

static void
close_placeholder (void)
{
  resume ();
  CHECK (is_placeholder (kept (2)) && close (kept (2)) == 0);
  CHECK (open ("data", O_RDONLY | O_CREAT, 0600) >= 3);
  save_and_leave ();
}

static void
number_is_free (void)
{
  resume ();
  CHECK (!is_placeholder (kept (2)));
}

static void
closed_placeholder (void)
{
  CHECK (in_child (leave_others) == 0);
  CHECK (in_child (close_placeholder) == 0);
  CHECK (in_child (number_is_free) == 0);
}

static void
leave_port_on_pipe (void)
{
  int fds[2];

  begin ();
  CHECK (pipe (fds) == 0);
  keep (0, fds[0]);
  keep (1, fds[1]);
  save_ports (2, CS_POLICY_FILES_NONE, false);
}

static void
find_numbers_free (void)
{
  resume ();
  CHECK (cs_process_descriptors_changed ());
  for (int i = 0; i < 2; i++)
    CHECK (today (i) == -1 && fcntl (kept (i), F_GETFD) < 0);
}

/* The port is closed, so nobody holds the number.  */
static void
lost_port_leaves_number (void)
{
  CHECK (in_child (leave_port_on_pipe) == 0);
  CHECK (in_child (find_numbers_free) == 0);
}

static void
leave_revealed_pipe (void)
{
  int fds[2];

  begin ();
  CHECK (pipe (fds) == 0);
  keep (0, fcntl (fds[0], F_DUPFD, 700));
  keep (1, fcntl (fds[1], F_DUPFD, 700));
  save_ports (2, CS_POLICY_FILES_NONE, true);
}

/* Port 0 is still there, port 1 was collected.  */
static void
find_revealed_pipe (void)
{
  resume ();
  for (int i = 0; i < 2; i++)
    CHECK (cs_process_descriptor (kept (i))->held
           && is_placeholder (kept (i)));
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  cs_process_record_held (kept (0));
  cs_process_record_numbers ();
  CHECK (cs_process.image->nr_descriptors == 1);
  commit_ok (cs_process.store);
  cs_store_close (cs_process.store);
  _exit (0);
}

static void
find_one_held (void)
{
  resume ();
  CHECK (is_placeholder (kept (0)) && fcntl (kept (1), F_GETFD) < 0);
  CHECK (!cs_process_descriptors_changed ());
  /* Used for something else by now.  */
  CHECK (close (kept (0)) == 0 && dup2 (1, kept (0)) == kept (0));
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  cs_process_record_held (kept (0));
  CHECK (cs_process.image->nr_descriptors == 0);
}

static void
revealed_port_is_held (void)
{
  CHECK (in_child (leave_revealed_pipe) == 0);
  CHECK (in_child (find_revealed_pipe) == 0);
  CHECK (in_child (find_one_held) == 0);
}

static bool
described (int fd, const char *text)
{
  char found[200];

  cs_endpoint_describe (fd, found, sizeof found);
  if (strcmp (found, text))
    fprintf (stderr, "'%s'\n", found);
  close (fd);
  return !strcmp (found, text);
}

static void
endpoints (void)
{
  struct sockaddr_in in = { .sin_family = AF_INET };
  struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "s" };
  struct sockaddr_un hidden = { .sun_family = AF_UNIX, .sun_path = "\0cs-x" };
  socklen_t len = sizeof in;
  char text[100];
  int fd, fds[2];

  in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  CHECK (described (socket (AF_INET, SOCK_STREAM, 0), ""));
  fd = socket (AF_INET, SOCK_STREAM, 0);
  CHECK (bind (fd, (struct sockaddr *) &in, sizeof in) == 0);
  CHECK (getsockname (fd, (struct sockaddr *) &in, &len) == 0);
  snprintf (text, sizeof text, "bound to 127.0.0.1:%d", ntohs (in.sin_port));
  CHECK (described (dup (fd), text) && listen (fd, 1) == 0);
  snprintf (text, sizeof text, "listening on 127.0.0.1:%d",
            ntohs (in.sin_port));
  CHECK (described (dup (fd), text));
  fds[0] = socket (AF_INET, SOCK_STREAM, 0);
  CHECK (connect (fds[0], (struct sockaddr *) &in, sizeof in) == 0);
  snprintf (text, sizeof text, "connected to 127.0.0.1:%d",
            ntohs (in.sin_port));
  CHECK (described (fds[0], text) && close (fd) == 0);
  CHECK (socketpair (AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  CHECK (described (fds[0], "connected") && close (fds[1]) == 0);
  fd = socket (AF_UNIX, SOCK_DGRAM, 0);
  CHECK (bind (fd, (struct sockaddr *) &un, sizeof un) == 0);
  CHECK (described (fd, "bound to 's'"));
  fd = socket (AF_UNIX, SOCK_DGRAM, 0);
  CHECK (bind (fd, (struct sockaddr *) &hidden,
               offsetof (struct sockaddr_un, sun_path) + 5) == 0);
  CHECK (described (fd, "bound to '@cs-x'"));
  CHECK (described (open ("/dev/null", O_RDONLY), ""));
}

/* Rules.  */

static enum cs_policy_files rule;

static void
leave_with_rule (void)
{
  begin ();
  keep (0, make_file ("data", "0123456789"));
  CHECK (lseek (kept (0), 6, SEEK_SET) == 6);
  keep (1, open ("log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  save_ports (2, rule, false);
}

static void
find_at_offset (void)
{
  resume ();
  CHECK (cs_process_descriptor (kept (0))->state == CS_DESCRIPTOR_REPLACED);
  CHECK (reads (today (0), "GHIJKL"));
  CHECK (write (today (1), "x", 1) == 1);
}

static void
find_at_end_of_short (void)
{
  resume ();
  CHECK (lseek (today (0), 0, SEEK_CUR) == 2);
}

static void
find_at_end (void)
{
  resume ();
  CHECK (lseek (today (0), 0, SEEK_CUR) == 12);
}

static void
find_gone (void)
{
  resume ();
  CHECK (is_lost (0, "No such file"));
  CHECK (today (1) >= 3);
}

static void
reopened_by_rule (void)
{
  struct stat status;

  rule = CS_POLICY_FILES_REOPEN;
  CHECK (in_child (leave_with_rule) == 0);
  replace_file ("data", "ABCDEFGHIJKL");
  CHECK (unlink ("log") == 0);
  CHECK (in_child (find_at_offset) == 0);
  CHECK (stat ("log", &status) == 0 && status.st_size == 1);
  replace_file ("data", "AB");
  CHECK (in_child (find_at_end_of_short) == 0);
  /* What can be read is not made.  */
  CHECK (unlink ("data") == 0 && unlink ("log") == 0);
  CHECK (in_child (find_gone) == 0);
  CHECK (stat ("log", &status) == 0 && stat ("data", &status) < 0);
}

static void
reopened_at_end (void)
{
  rule = CS_POLICY_FILES_REOPEN_AT_END;
  CHECK (in_child (leave_with_rule) == 0);
  replace_file ("data", "ABCDEFGHIJKL");
  CHECK (in_child (find_at_end) == 0);
}

static void
find_closed (void)
{
  resume ();
  CHECK (is_lost (0, "another file has its name"));
}

static void
not_resumed (void)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (reopen_store (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "/data' was open: another file has its name"));
  CHECK (strstr (err.advice, "--changed-files=close"));
}

static void
resumed_all_the_same (void)
{
  cs_process.never_refuse = true;
  find_closed ();
}

static void
overridden (void)
{
  cs_process.changed_files = CS_POLICY_FILES_REOPEN;
  find_at_offset ();
}

static void
refused_by_rule (void)
{
  rule = CS_POLICY_FILES_FAIL;
  CHECK (in_child (leave_with_rule) == 0);
  replace_file ("data", "ABCDEFGHIJKL");
  CHECK (in_child (not_resumed) == 0);
  CHECK (in_child (resumed_all_the_same) == 0);
  CHECK (in_child (overridden) == 0);
  rule = CS_POLICY_FILES_CLOSE;
}

static void
which_rule (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_policy *policy;
  struct cs_descriptor_disk d = { .rule = CS_POLICY_FILES_NONE };
  const char *text = "policy 1\nfiles reopen /a\n";

  CHECK (cs_policy_parse ("p", text, strlen (text), NULL, NULL, &policy,
                          &err) == 0);
  CHECK (cs_descriptor_rule (&d, "/b", policy, CS_POLICY_FILES_NONE)
         == CS_POLICY_FILES_CLOSE);
  CHECK (cs_descriptor_rule (&d, "/b", NULL, CS_POLICY_FILES_FAIL)
         == CS_POLICY_FILES_FAIL);
  CHECK (cs_descriptor_rule (&d, "/a", policy, CS_POLICY_FILES_FAIL)
         == CS_POLICY_FILES_REOPEN);
  d.rule = CS_POLICY_FILES_REOPEN_AT_END;
  CHECK (cs_descriptor_rule (&d, "/a", policy, CS_POLICY_FILES_FAIL)
         == CS_POLICY_FILES_REOPEN_AT_END);
  cs_policy_free (policy);
}

/* Numbers.  */

static void
leave_standard (void)
{
  const struct cs_descriptor_port port = { .position = -1 };

  begin ();
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  for (int fd = 0; fd < 3; fd++)
    cs_process_record_descriptor (fd, &port);
  cs_process_record_descriptor (999, &port);
  CHECK (cs_process.image->nr_descriptors == 0);
  cs_process_record_numbers ();
  CHECK (cs_process.image->nr_descriptors == 0);
  _exit (0);
}

static void
standard_are_not_recorded (void)
{
  CHECK (in_child (leave_standard) == 0);
}

static void
leave_own_standard (void)
{
  int fd;

  begin ();
  fd = make_file ("data", "mine");
  CHECK (cs_numbers_close (0) == 0 && cs_numbers_dup2 (fd, 0) == 0);
  CHECK (cs_numbers_close (fd) == 0);
  words->word[0] = 0;
  save_ports (1, CS_POLICY_FILES_NONE, false);
}

static void
find_own_standard (void)
{
  struct stat here, file;

  resume ();
  CHECK (today (0) >= 3 && lseek (today (0), 0, SEEK_SET) == 0);
  CHECK (reads (today (0), "mine"));
  CHECK (fstat (0, &here) == 0 && stat ("data", &file) == 0);
  CHECK (here.st_ino != file.st_ino);
}

/* A file that the program had on a number of the standard ones moves.  */
static void
own_file_on_standard (void)
{
  CHECK (in_child (leave_own_standard) == 0);
  CHECK (in_child (find_own_standard) == 0);
}

static void
leave_numbers (void)
{
  int fds[2];

  begin ();
  keep (0, cs_numbers_open ("data", O_RDWR | O_CREAT, 0640));
  CHECK (write (kept (0), "0123", 4) == 4);
  keep (1, cs_numbers_dup (kept (0)));
  keep (2, cs_numbers_fcntl (kept (0), F_DUPFD, 50));
  CHECK (cs_numbers_dup2 (kept (0), 60) == 60);
  keep (3, 60);
  CHECK (pipe (fds) == 0);
  CHECK (cs_numbers_dup2 (fds[0], 61) == 61);
  keep (4, 61);
  CHECK (cs_numbers_close (cs_numbers_open ("data", O_RDONLY)) == 0);
  CHECK (open ("data", O_RDONLY) >= 3);         /* another library's */
  CHECK (cs_numbers_fcntl (kept (0), F_SETFD, FD_CLOEXEC) == 0);
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  cs_process_record_numbers ();
  CHECK (cs_process.image->nr_descriptors == 5);
  commit_ok (cs_process.store);
  cs_store_close (cs_process.store);
  _exit (0);
}

static void
find_numbers (void)
{
  struct stat status;

  resume ();
  for (int i = 0; i < 4; i++)
    CHECK (lseek (kept (i), 0, SEEK_CUR) == 4);
  CHECK (is_placeholder (kept (4)));
  CHECK (stat ("data", &status) == 0 && (status.st_mode & 0777) == 0640);
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  cs_process_record_numbers ();
  CHECK (cs_process.image->nr_descriptors == 5);
  commit_ok (cs_process.store);
  cs_store_close (cs_process.store);
  _exit (0);
}

static void
numbers_are_kept (void)
{
  umask (022);
  CHECK (in_child (leave_numbers) == 0);
  CHECK (in_child (find_numbers) == 0);
  CHECK (in_child (find_numbers) == 0);
}

/* The calls of the program do not reach the store's.  */
static void
stores_are_not_open (void)
{
  int own, other;

  begin ();
  own = cs_store_next_descriptor (cs_process.store, 0);
  other = make_file ("data", "mine");
  CHECK (own >= 3 && other >= 3 && other != own);
  CHECK (cs_numbers_close (own) < 0 && errno == EBADF);
  CHECK (cs_numbers_dup (own) < 0 && errno == EBADF);
  CHECK (cs_numbers_dup2 (own, other) < 0 && errno == EBADF);
  CHECK (cs_numbers_fcntl (own, F_SETFD, 0) < 0 && errno == EBADF);
  CHECK (cs_numbers_fcntl (own, F_DUPFD, 0) < 0 && errno == EBADF);
  CHECK (cs_numbers_dup2 (999, own) < 0 && errno == EBADF);
  CHECK (cs_store_owns_descriptor (cs_process.store, own));
  CHECK (cs_numbers_dup3 (other, own, O_CLOEXEC) == own);
  CHECK (!cs_store_owns_descriptor (cs_process.store, own));
  CHECK (cs_numbers_has (own));
  own = cs_store_next_descriptor (cs_process.store, 0);
  CHECK (cs_numbers_close_range (3, ~0U, 0) == 0);
  CHECK (cs_store_next_descriptor (cs_process.store, 0) == own);
  CHECK (fcntl (other, F_GETFD) < 0 && !cs_numbers_has (other));
  other = make_file ("data", "mine");
  cs_numbers_close_from (-1);
  CHECK (cs_store_owns_descriptor (cs_process.store, own));
  CHECK (fcntl (other, F_GETFD) < 0 && fcntl (0, F_GETFD) < 0);
  CHECK (cs_numbers_guard (close) == cs_numbers_close);
  CHECK (cs_numbers_guard (strlen) == strlen);
  commit_ok (cs_process.store);
  _exit (0);
}

/* Ranges, beside the store's numbers.  */
static void
close_ranges (void)
{
  int own, low, next;

  begin ();
  own = cs_store_next_descriptor (cs_process.store, 0);
  CHECK (cs_numbers_open ("data", O_RDWR | O_CREAT, 0600) >= 3);
  low = cs_numbers_open ("data", O_RDWR);
  next = own + 1;
  while (cs_store_owns_descriptor (cs_process.store, next))
    next++;
  CHECK (low >= 3 && low + 1 < own && cs_numbers_dup2 (low, next) == next);
  CHECK (cs_numbers_close_range (3, (unsigned) low - 1, 0) == 0);
  CHECK (fcntl (low, F_GETFD) >= 0 && fcntl (low - 1, F_GETFD) < 0);
  CHECK (cs_numbers_has (low) && !cs_numbers_has (low - 1));
  /* One that begins with a number of the store's.  */
  CHECK (cs_numbers_close_range ((unsigned) own, (unsigned) next, 0) == 0);
  CHECK (fcntl (next, F_GETFD) < 0 && !cs_numbers_has (next));
  CHECK (fcntl (low, F_GETFD) >= 0);
  CHECK (cs_store_owns_descriptor (cs_process.store, own));
  commit_ok (cs_process.store);
}

static bool is_old_kernel;

/* In place of libc's.  */
int
close_range (unsigned int first, unsigned int last, int flags)
{
  if (!is_old_kernel)
    return (int) syscall (SYS_close_range, first, last, flags);
  errno = ENOSYS;
  return -1;
}

static void
close_ranges_one_by_one (void)
{
  is_old_kernel = true;
  close_ranges ();
}

/* Whose numbers are which.  */
static void
own_numbers (void)
{
  static const struct
  {
    void *of_libc, *ours;
  } guards[] = {
    { close, cs_numbers_close }, { dup, cs_numbers_dup },
    { dup2, cs_numbers_dup2 }, { dup3, cs_numbers_dup3 },
    { fcntl, cs_numbers_fcntl }, { closefrom, cs_numbers_close_from }
  };
  struct stat st;
  int fd;

  begin ();
  for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
    CHECK (cs_numbers_guard (guards[i].of_libc) == guards[i].ours);
  fd = make_file ("data", "mine");      /* not by a call of the program's */
  CHECK (cs_numbers_dup2 (fd, fd) == fd && !cs_numbers_has (fd));
  /* Standard input was not there when the process began.  */
  CHECK (close (0) == 0 && cs_numbers_open ("data", O_RDONLY) == 0);
  CHECK (!cs_numbers_has (0));
  CHECK (cs_numbers_close (0) == 0 && cs_numbers_has (0));
  /* While the last process is taken down.  */
  cs_process.weeding = true;
  CHECK (cs_numbers_close (fd) == 0 && fcntl (fd, F_GETFD) >= 0);
  cs_process.weeding = false;
  CHECK (cs_numbers_close (fd) == 0 && fcntl (fd, F_GETFD) < 0);
  umask (022);
  fd = cs_numbers_open (".", O_TMPFILE | O_RDWR, 0640);
  CHECK (fd >= 0 ? fstat (fd, &st) == 0 && (st.st_mode & 0777) == 0640
                 : errno == EOPNOTSUPP);
}

static void
stores_numbers (void)
{
  CHECK (in_child (stores_are_not_open) == 0);
}

static bool is_known;           /* the program knows the number */

static void
leave_high (void)
{
  begin ();
  keep (0, fcntl (make_file ("data", "high"), F_DUPFD, 900));
  CHECK (lseek (kept (0), 0, SEEK_SET) == 0);
  save_ports (1, CS_POLICY_FILES_NONE, is_known);
}

static void
set_limit (void)
{
  struct rlimit limit;

  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 100;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
}

static void
refuse_limit (void)
{
  struct cs_err err = CS_ERR_INIT;

  set_limit ();
  CHECK (reopen_store (CS_STORE_WRITE, &err) < 0);
  CHECK (strstr (err.text, "is beyond the limit") && err.code < 0);
}

static void
move_below_limit (void)
{
  set_limit ();
  resume ();
  CHECK (today (0) < 100 && reads (today (0), "high"));
}

static void
number_beyond_limit (void)
{
  is_known = true;
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (refuse_limit) == 0);
}

static void
port_beyond_limit (void)
{
  is_known = false;
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (move_below_limit) == 0);
}

static void
inherit (int fd)
{
  int own = make_file ("inherited", "parent's");

  CHECK (lseek (own, 0, SEEK_SET) == 0);
  CHECK (dup2 (own, fd) == fd && close (own) == 0);
}

static void
find_moved (void)
{
  inherit (900);
  resume ();
  CHECK (cs_process_descriptors_changed ());
  CHECK (today (0) != 900 && reads (today (0), "high"));
  CHECK (reads (900, "parent's"));
}

static void
refuse_inherited (void)
{
  struct cs_err err = CS_ERR_INIT;

  inherit (900);
  CHECK (reopen_store (CS_STORE_WRITE, &err) == -CS_E_REFUSED);
  CHECK (strstr (err.text, "descriptor 900 was inherited"));
  CHECK (strstr (err.advice, "900<&-") && reads (900, "parent's"));
}

static void
inherited_number (void)
{
  is_known = false;
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (find_moved) == 0);
  is_known = true;
  CHECK (unlink ("a.store") == 0);
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (refuse_inherited) == 0);
}

static void
no_descriptor_left (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store;
  struct cs_table_disk *table;
  int fd;

  /* The store has its own before the others are gone.  */
  store = open_mode (CS_STORE_WRITE);

  CHECK (cs_intern_open (store, &table, &err) == 0);
  set_limit ();
  do
    fd = open ("/dev/null", O_RDONLY);
  while (fd >= 0);
  CHECK (errno == EMFILE);
  CHECK (cs_process_open (store, table, &err) == -EMFILE);
  CHECK (strstr (err.text, "(descriptor ")
         && strcmp (err.advice, "raise the limit: ulimit -n") == 0);
}

/* A file is not lost for want of a descriptor.  */
static void
shortage (void)
{
  is_known = false;
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (no_descriptor_left) == 0);
}

static void
find_inherited (void)
{
  int fds[2] = { kept (0), kept (1) };

  CHECK (!cs_process_descriptor (fds[0])->held);
  CHECK (cs_process_descriptor (fds[1])->held);
  CHECK (reads (fds[0], "parent's"));
}

/* A lost port's number that is inherited is the parent's.  */
static void
inherited_number_of_lost (void)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store = open_mode (CS_STORE_WRITE);
  struct cs_table_disk *table;
  size_t len;

  words = cs_store_section (store, "test", &len);
  inherit (kept (0));
  CHECK (cs_intern_open (store, &table, &err) == 0);
  CHECK (cs_process_open (store, table, &err) == 0);
  find_inherited ();
}

static void
inherited_lost (void)
{
  CHECK (in_child (leave_revealed_pipe) == 0);
  CHECK (in_child (inherited_number_of_lost) == 0);
}

static void
hand_out_a_name (void)
{
  begin ();
  keep (0, make_file ("data", "text"));
  CHECK (unlink ("data") == 0);
  CHECK (mkfifo ("data", 0600) == 0);
  save_and_leave ();
}

static void
find_one_placeholder (void)
{
  resume ();
  CHECK (is_placeholder (kept (0)));
}

/* Opening it must not wait for a writer.  */
static void
fifo_in_its_place (void)
{
  CHECK (in_child (hand_out_a_name) == 0);
  CHECK (in_child (find_one_placeholder) == 0);
  CHECK (unlink ("a.store") == 0 && unlink ("data") == 0);
  CHECK (in_child (leave_one) == 0);
  CHECK (unlink ("data") == 0 && mkfifo ("data", 0600) == 0);
  CHECK (in_child (find_closed) == 0);
}

static void
name_without_proc (void)
{
  struct cs_descriptor_port port = { .position = -1, .name = "data" };
  const struct cs_process_disk *image;
  char here[PATH_MAX];

  begin ();
  image = cs_process.image;
  CHECK (getcwd (here, sizeof here));
  if (unshare (CLONE_NEWNS) != 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
      || umount2 ("/proc", MNT_DETACH) != 0)
    _exit (0);                  /* not allowed here */
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  keep (0, make_file ("data", "text"));
  keep (1, make_file ("other", "text"));
  cs_process_record_descriptor (kept (0), &port);
  cs_process_record_descriptor (kept (1), &port);
  CHECK (image->nr_descriptors == 2 && image->descriptors[1].name == 0);
  CHECK (!strncmp (image->paths + image->descriptors[0].name, here,
                   strlen (here)));
  CHECK (strstr (image->paths + image->descriptors[0].name, "/data"));
  _exit (0);
}

/* The port's name is taken if it leads to the file.  */
static void
without_proc (void)
{
  CHECK (in_child (name_without_proc) == 0);
}

static void
leave_too_many (void)
{
  const struct cs_descriptor_port port = { .position = -1 };
  struct rlimit limit;

  begin ();
  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  cs_process_forget_descriptors (CS_POLICY_FILES_NONE);
  for (int i = 0; i < CS_PROCESS_DESCRIPTORS_MAX + 1; i++)
    cs_process_record_descriptor (open ("/dev/null", O_RDONLY), &port);
  CHECK (cs_process.image->nr_descriptors == CS_PROCESS_DESCRIPTORS_MAX);
  CHECK (cs_process.image->nr_unrecorded == 1);
  commit_ok (cs_process.store);
  cs_store_close (cs_process.store);
  _exit (0);
}

static void
find_one_too_many (void)
{
  struct rlimit limit;
  char text[200];

  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  resume ();
  CHECK (cs_process_descriptors_changed ());
  CHECK (!cs_process_descriptor (999999));
  cs_process_describe_lost (999999, text, sizeof text);
  CHECK (strstr (text, "it was not recorded"));
}

static void
too_many (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == 0
      && limit.rlim_max < CS_PROCESS_DESCRIPTORS_MAX + 100)
    return;
  CHECK (in_child (leave_too_many) == 0);
  CHECK (in_child (find_one_too_many) == 0);
}

static const struct test_case cases[] = {
  { "files, devices and directories are open at their offset",
    files_are_reopened },
  { "duplicates share an offset, others do not", offset_is_shared },
  { "many descriptors on one file are not compared each with each",
    comparisons },
  { "a file that has become shorter is open at its end", lengths },
  { "an inode that was used again is another file", inode_is_recycled },
  { "anything else is lost; a number that is known stays taken",
    others_are_lost },
  { "a placeholder is there after the next commit too", held_after_next },
  { "a placeholder that was closed is gone", closed_placeholder },
  { "the number of a port that is lost is free", lost_port_leaves_number },
  { "the number of one that was revealed is held for the closed port",
    revealed_port_is_held },
  { "what a socket was connected to", endpoints },
  { "reopen: at the old offset, or at the end", reopened_by_rule },
  { "reopen-at-end", reopened_at_end },
  { "fail, and the ways out", refused_by_rule },
  { "the port's rule, the policy's, the program's", which_rule },
  { "what a process was started with is not the image's",
    standard_are_not_recorded },
  { "a file on a standard number moves", own_file_on_standard },
  { "numbers without a port are the program's", numbers_are_kept },
  { "a number that is known beyond the limit is an error",
    number_beyond_limit },
  { "a port beyond the limit moves", port_beyond_limit },
  { "the store's own are not open for the program", stores_numbers },
  { "ranges of numbers are closed up to their ends", close_ranges },
  { "the same by a kernel without such a call", close_ranges_one_by_one },
  { "which numbers the program got", own_numbers },
  { "an inherited number stays what it is", inherited_number },
  { "an inherited number that a lost port had is the parent's",
    inherited_lost },
  { "no descriptor left is an error", shortage },
  { "a pipe in the place of a file is not waited for", fifo_in_its_place },
  { "without /proc the port's name is asked", without_proc },
  { "more than can be recorded", too_many },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
