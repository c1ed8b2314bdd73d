/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-descriptors.c -- descriptors that the image holds by number.  */

#include <sys/resource.h>

#include "process-fixture.h"

static int
make_file (const char *name, const char *text)
{
  int fd = open (name, O_RDWR | O_CREAT | O_TRUNC, 0600);

  CHECK (fd >= 0);
  CHECK (write (fd, text, strlen (text)) == (ssize_t) strlen (text));
  return fd;
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
  keep (3, fcntl (kept (0), F_DUPFD, 700));
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
leave_others (void)
{
  int fds[2];

  begin ();
  keep (0, make_file ("replaced", "mine"));
  keep (1, make_file ("removed", "mine"));
  CHECK (pipe (fds) == 0);
  keep (2, fds[0]);
  keep (3, fds[1]);
  keep (4, open (".", O_RDONLY | O_DIRECTORY));
  keep (5, open ("/dev/null", O_RDWR));
  keep (6, memfd_create ("memory", 0));
  save_and_leave ();
}

#define OPENED 20

static int opened[OPENED];

static void
find_placeholders (void)
{

  resume ();
  for (int i = 0; i < 7; i++)
    CHECK (is_placeholder (kept (i)));
  /* Nobody else gets one of the numbers.  */
  for (int n = 0; n < OPENED; n++)
    {
      opened[n] = open ("/dev/null", O_RDONLY);
      for (int i = 0; i < 7; i++)
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
others_are_held (void)
{
  CHECK (in_child (leave_others) == 0);
  close (make_file ("new", "yours"));
  CHECK (rename ("new", "replaced") == 0 && unlink ("removed") == 0);
  CHECK (in_child (find_placeholders) == 0);
}

/* The port is still in the image, whose next process saved.  */
static void
held_after_next (void)
{
  CHECK (in_child (leave_others) == 0);
  close (make_file ("new", "yours"));
  CHECK (rename ("new", "replaced") == 0 && unlink ("removed") == 0);
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
  for (uint32_t i = 0; i < cs_process.image->nr_descriptors; i++)
    CHECK (cs_process.image->descriptors[i].fd != kept (2)
           || cs_process.image->descriptors[i].kind == CS_DESCRIPTOR_FILE);
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
leave_standard (void)
{
  begin ();
  cs_process_forget_descriptors ();
  for (int fd = 0; fd < 3; fd++)
    cs_process_record_descriptor (fd);
  cs_process_record_descriptor (999);
  CHECK (cs_process.image->nr_descriptors == 0);
  _exit (0);
}

static void
standard_are_not_recorded (void)
{
  CHECK (in_child (leave_standard) == 0);
}

static void
leave_high (void)
{
  begin ();
  keep (0, fcntl (make_file ("data", "high"), F_DUPFD, 900));
  CHECK (lseek (kept (0), 0, SEEK_SET) == 0);
  save_and_leave ();
}

static void
resume_with_limit (void)
{
  struct rlimit limit;
  struct cs_err err = CS_ERR_INIT;

  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 100;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  CHECK (reopen_store (CS_STORE_WRITE, &err) < 0);
  CHECK (strstr (err.text, "descriptor") && err.code < 0);
}

static void
number_beyond_limit (void)
{
  CHECK (in_child (leave_high) == 0);
  CHECK (in_child (resume_with_limit) == 0);
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
}

static const struct test_case cases[] = {
  { "a regular file is open at its offset, with its flags",
    files_are_reopened },
  { "anything else, and a file that is another: every use fails",
    others_are_held },
  { "a placeholder is there after the next commit too", held_after_next },
  { "a placeholder that was closed is gone", closed_placeholder },
  { "what a process was started with is not the image's",
    standard_are_not_recorded },
  { "a number beyond the limit is an error", number_beyond_limit },
  { "a pipe in the place of a file is not waited for", fifo_in_its_place },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
