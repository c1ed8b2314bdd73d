/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-directory.c -- directory streams that outlive their process.  */

#include <dirent.h>

#include "process-fixture.h"

static struct cs_directory *
kept (void)
{
  return (struct cs_directory *) (uintptr_t) words->word[0];
}

static void
open_dir (void)
{
  CHECK (mkdir ("dir", 0700) == 0 && mkdir ("dir/entry", 0700) == 0);
  begin ();
  start_collector ();
  words->word[0] = (uintptr_t) cs_directory_open ("dir");
  CHECK (kept () && is_in_store (kept ()));
}

/* ".", ".." and "entry", in some order.  */
static bool
lists_all (void)
{
  const struct dirent64 *entry;
  int n = 0;
  bool found = false;

  errno = 0;
  while ((entry = cs_directory_read (kept ())))
    {
      n++;
      found = found || strcmp (entry->d_name, "entry") == 0;
    }
  return n == 3 && found && errno == 0;
}

static void
same_process (void)
{
  open_dir ();
  CHECK (lists_all () && !lists_all ());
  cs_directory_rewind (kept ());
  CHECK (lists_all ());
  CHECK (cs_directory_close (kept ()) == 0);
  CHECK (fake_heap->nr_released == 1);
}

static void
open_and_save (void)
{
  open_dir ();
  CHECK (cs_directory_read (kept ()));
  save_and_leave ();
}

static char raised[600];

static void
note_error (const char *text)
{
  snprintf (raised, sizeof raised, "%s", text);
}

static void
read_later (void)
{
  resume ();
  start_collector ();
  errno = 0;
  CHECK (!cs_directory_read (kept ()) && errno == EBADF);
  cs_process.raise = note_error;
  CHECK (!cs_directory_read (kept ()));
  CHECK (strstr (raised, "/dir': an earlier process opened it"));
  CHECK (chdir ("/") == 0);
  cs_directory_rewind (kept ());
  CHECK (lists_all ());
  CHECK (cs_directory_close (kept ()) == 0);
  CHECK (fake_heap->nr_released == 1);
}

static void
directory_is_gone (void)
{
  resume ();
  start_collector ();
  CHECK (rename ("dir", "elsewhere") == 0);
  cs_directory_rewind (kept ());
  errno = 0;
  CHECK (!cs_directory_read (kept ()) && errno == EBADF);
  CHECK (cs_directory_close (kept ()) == 0);
  CHECK (fake_heap->nr_released == 1);
}

static void
next_process (void)
{
  CHECK (in_child (open_and_save) == 0);
  CHECK (in_child (read_later) == 0);
  CHECK (in_child (directory_is_gone) == 0);
}

static void
absent (void)
{
  begin ();
  start_collector ();
  errno = 0;
  CHECK (!cs_directory_open ("no such directory") && errno == ENOENT);
  CHECK (fake_heap->nr_allocated == 0);
}

static void
no_memory (void)
{
  int fd;

  begin ();
  start_collector ();
  while (fake_allocate (1000))
    continue;
  while (fake_allocate (1))
    continue;
  fd = dup (0);
  close (fd);
  errno = 0;
  CHECK (!cs_directory_open (".") && errno == ENOMEM);
  /* The stream's descriptor is closed again.  */
  CHECK (dup (0) == fd);
}

static const struct test_case cases[] = {
  { "a directory is read, and again from its start", same_process },
  { "a stream of an earlier process says so, can be rewound and closed",
    next_process },
  { "an absent directory is refused as libc does", absent },
  { "no memory: nothing is opened", no_memory },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
