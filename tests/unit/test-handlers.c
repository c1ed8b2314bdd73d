/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-handlers.c -- handlers of fork and exit, kept in the store.  */

#include <regex.h>
#include <semaphore.h>
#include <time.h>

#include "process-fixture.h"

#include "store/sys.h"

static char log_text[64];

static void
say_char (char c)
{
  size_t len = strlen (log_text);

  CHECK (len + 1 < sizeof log_text);
  log_text[len] = c;
}

static void prepare_1 (void) { say_char ('p'); }
static void parent_1 (void) { say_char ('q'); }
static void child_1 (void) { say_char ('c'); }
static void prepare_2 (void) { say_char ('P'); }
static void parent_2 (void) { say_char ('Q'); }
static void child_2 (void) { say_char ('C'); }

static bool
logged (const char *text)
{
  bool same = strcmp (log_text, text) == 0;

  if (!same)
    fprintf (stderr, "logged '%s', expected '%s'\n", log_text, text);
  memset (log_text, 0, sizeof log_text);
  return same;
}

static void
register_all (void)
{
  begin ();
  CHECK (cs_handlers_atfork (prepare_1, parent_1, child_1, NULL) == 0);
  CHECK (cs_handlers_atfork (NULL, NULL, NULL, NULL) == 0);
  CHECK (cs_handlers_atfork (prepare_2, parent_2, child_2, NULL) == 0);
}

static void
fork_once (void)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (logged ("PpcC") && cs_process.child ? 0 : 1);
  CHECK (pid > 0 && waitpid (pid, &status, 0) == pid && status == 0);
  CHECK (logged ("PpqQ") && !cs_process.child);
}

static void
fork_order_first (void)
{
  register_all ();
  fork_once ();
  save_and_leave ();
}

static void
fork_order_next (void)
{
  resume ();
  CHECK (logged (""));
  fork_once ();
  cs_process_run_prepare ();
  cs_process_run_parent ();
  cs_process_run_child ();
  CHECK (logged ("PpqQcC"));
}

static void
fork_order (void)
{
  CHECK (in_child (fork_order_first) == 0);
  CHECK (in_child (fork_order_next) == 0);
}

static void
child_does_not_commit (void)
{
  struct cs_err err = CS_ERR_INIT;
  int status;
  pid_t pid;

  register_all ();
  save ();
  pid = fork ();
  if (pid == 0)
    _exit (cs_store_commit (cs_process.store, &err) == -CS_E_REFUSED ? 0 : 1);
  CHECK (pid > 0 && waitpid (pid, &status, 0) == pid && status == 0);
  save ();
}

/* Threads that change the region while another forks.  */
static atomic_bool stop;

static void *
churn_ranges (void *unused)
{
  void *addr;

  while (!atomic_load (&stop))
    {
      addr = cs_store_map (cs_process.store, PAGE, RW, CS_EXTENT_HEAP);
      CHECK (addr && cs_store_unmap (cs_process.store, addr, PAGE) == 0);
    }
  return unused;
}

static void *
churn_keys (void *unused)
{
  pthread_key_t key;

  CHECK (cs_keys_create (&key, free) == 0);
  while (!atomic_load (&stop))
    CHECK (cs_keys_set (key, &key) == 0 && cs_keys_set (key, NULL) == 0);
  return unused;
}

static void
use_everything (void)
{
  pthread_key_t key;

  alarm (20);                   /* a lock that another thread held */
  CHECK (cs_store_check (cs_process.store, NULL) == 0);
  CHECK (cs_store_map (cs_process.store, PAGE, RW, CS_EXTENT_HEAP));
  CHECK (cs_keys_create (&key, free) == 0);
  CHECK (cs_keys_set (key, "x") == 0);
  _exit (0);
}

static void
locks_are_free_in_child (void)
{
  pthread_t threads[2];
  int status = 0;
  pid_t pid;

  begin ();
  CHECK (pthread_create (&threads[0], NULL, churn_ranges, NULL) == 0);
  CHECK (pthread_create (&threads[1], NULL, churn_keys, NULL) == 0);
  for (int i = 0; i < 200 && status == 0; i++)
    {
      pid = fork ();
      if (pid == 0)
        use_everything ();
      CHECK (pid > 0 && waitpid (pid, &status, 0) == pid);
    }
  atomic_store (&stop, true);
  for (int i = 0; i < 2; i++)
    CHECK (pthread_join (threads[i], NULL) == 0);
  CHECK (status == 0);
}

/* What a child maps does not change while it lives (L4 of store.h), also if
   libc has forked it.  */
static void
image_stays_for_child (void)
{
  struct cs_err err = CS_ERR_INIT;
  int ready[2], go[2], status;
  char byte;
  pid_t pid;

  register_all ();
  save ();
  CHECK (pipe (ready) == 0 && pipe (go) == 0);
  pid = fork ();
  if (pid == 0)
    _exit (write (ready[1], "x", 1) == 1 && read (go[0], &byte, 1) == 1
           ? 0 : 1);
  CHECK (pid > 0 && read (ready[0], &byte, 1) == 1);
  strcpy (words->text, "changed");
  CHECK (cs_store_commit (cs_process.store, &err) == 0);
  CHECK (cs_store_apply (cs_process.store, &err) == 0);
  CHECK (cs_process.store->log.len > 0);
  CHECK (write (go[1], "x", 1) == 1);
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  CHECK (cs_store_apply (cs_process.store, &err) == 0);
  CHECK (cs_process.store->log.len == 0);
}

/* Threads that want to change something while another one forks have to wait:
   the child would have half of it.  */

static regex_t regex;

static void
make_callback (void)
{
  void *code, *closure = cs_callback_alloc (56, &code);

  CHECK (closure);
  cs_callback_free (closure);
}

static void
make_key (void)
{
  pthread_key_t key;

  CHECK (cs_keys_create (&key, free) == 0);
}

static void
match (void)
{
  CHECK (cs_regex_execute (&regex, "x", 0, NULL, 0) == 0);
}

static void (*const changes[]) (void) = { make_callback, make_key, match };
enum { NR_CHANGES = sizeof changes / sizeof *changes };

static sem_t wanted, done;
static bool forking;

static void *
change_something (void *change)
{
  while (sem_wait (&wanted) < 0)
    continue;
  ((void (*const *) (void)) change)[0] ();
  sem_post (&done);
  return NULL;
}

/* Called by the fork when it has all locks.  */
static int
fstat_while_forking (int fd, struct stat *st)
{
  struct timespec end;

  if (forking)
    {
      forking = false;
      for (int i = 0; i < NR_CHANGES; i++)
        sem_post (&wanted);
      clock_gettime (CLOCK_REALTIME, &end);
      end.tv_sec++;
      CHECK (sem_timedwait (&done, &end) < 0 && errno == ETIMEDOUT);
    }
  return fstat (fd, st);
}

static void
others_wait_for_a_fork (void)
{
  pthread_t threads[NR_CHANGES];
  int status;
  pid_t pid;

  begin ();
  start_collector ();
  CHECK (cs_regex_compile (&regex, "x", 0) == 0);
  make_callback ();
  save ();
  sem_init (&wanted, 0, 0);
  sem_init (&done, 0, 0);
  for (int i = 0; i < NR_CHANGES; i++)
    CHECK (pthread_create (&threads[i], NULL, change_something,
                           (void *) &changes[i]) == 0);
  cs_sys.fstat = fstat_while_forking;
  forking = true;
  pid = fork ();
  if (pid == 0)
    _exit (0);
  CHECK (!forking);
  CHECK (pid > 0 && waitpid (pid, &status, 0) == pid && status == 0);
  for (int i = 0; i < NR_CHANGES; i++)
    CHECK (pthread_join (threads[i], NULL) == 0);
}

static void
too_many (void)
{
  int nr = 0;

  begin ();
  while (nr <= CS_PROCESS_ATFORKS_MAX
         && cs_handlers_atfork (prepare_1, NULL, NULL, NULL) == 0)
    nr++;
  CHECK (nr == CS_PROCESS_ATFORKS_MAX);
  CHECK (cs_handlers_atfork (NULL, NULL, NULL, NULL) == ENOMEM);
  for (nr = 0; nr <= CS_PROCESS_ATEXITS_MAX
               && cs_handlers_atexit (prepare_1) == 0; nr++)
    continue;
  CHECK (nr == CS_PROCESS_ATEXITS_MAX);
  CHECK (cs_handlers_cxa_atexit (NULL, NULL, NULL) == -1);
}

/* Exit handlers write to a file, so that the next process can read what the
   end of this one did.  */

static void
write_char (char c)
{
  int fd = open ("log", O_WRONLY | O_APPEND | O_CREAT, 0600);

  CHECK (fd >= 0 && write (fd, &c, 1) == 1);
  close (fd);
}

static bool
written (const char *text)
{
  char read_back[64] = "";
  int fd = open ("log", O_RDONLY);

  if (fd >= 0)
    {
      CHECK (read (fd, read_back, sizeof read_back - 1) >= 0);
      close (fd);
      unlink ("log");
    }
  if (strcmp (read_back, text) != 0)
    fprintf (stderr, "written '%s', expected '%s'\n", read_back, text);
  return strcmp (read_back, text) == 0;
}

static void
exit_with_argument (void *argument)
{
  write_char (*(const char *) argument);
}

static void
exit_3 (void)
{
  write_char ('3');
}

static void
exit_registers (void)
{
  write_char ('r');
  CHECK (cs_handlers_atexit (exit_3) == 0);
}

static void
register_exits (void)
{
  begin ();
  strcpy (words->text, "12");
  CHECK (cs_handlers_cxa_atexit (exit_with_argument, words->text, NULL) == 0);
  CHECK (cs_handlers_cxa_atexit (exit_with_argument, words->text + 1, NULL)
         == 0);
  CHECK (cs_handlers_atexit (exit_3) == 0);
  save ();
  exit (0);
}

static void
just_exit (void)
{
  resume ();
  exit (7);
}

static void
exit_order (void)
{
  CHECK (in_child (register_exits) == 0);
  CHECK (written ("321"));
  CHECK (in_child (just_exit) == 7);
  CHECK (written ("321"));
}

static void
register_in_exit (void)
{
  begin ();
  CHECK (cs_handlers_atexit (exit_registers) == 0);
  exit (0);
}

static void
registered_while_exiting (void)
{
  CHECK (in_child (register_in_exit) == 0);
  CHECK (written ("r3"));
}

static void
leaving (int status)
{
  write_char ('l');
  CHECK (status == 9);
}

static void
exit_is_announced (void)
{
  begin ();
  cs_process.leaving = leaving;
  CHECK (cs_handlers_atexit (exit_3) == 0);
  cs_process_exit (9);
}

/* A child is told apart by cs_process.child.  */
static void
exit_in_child (void)
{
  int status;

  begin ();
  cs_process.leaving = leaving;
  if (fork () == 0)
    {
      CHECK (cs_process.child);
      cs_process_exit (9);
    }
  CHECK (wait (&status) > 0);
  CHECK (WIFEXITED (status) && WEXITSTATUS (status) == 9);
}

static void
leaving_is_called (void)
{
  CHECK (in_child (exit_is_announced) == 9);
  CHECK (written ("l3"));
  CHECK (in_child (exit_in_child) == 0);
  CHECK (written ("l"));
}

static const struct test_case cases[] = {
  { "fork: prepare in reverse order, parent and child in order, in the next"
    " process too", fork_order },
  { "a forked child cannot commit", child_does_not_commit },
  { "L4: the image of a forked child does not change",
    image_stays_for_child },
  { "a forked child finds no lock taken", locks_are_free_in_child },
  { "other threads change nothing during a fork", others_wait_for_a_fork },
  { "too many handlers are refused", too_many },
  { "exit handlers run in reverse order, in the next process too",
    exit_order },
  { "an exit handler may register another", registered_while_exiting },
  { "exit() of a carried library is announced, in a forked child too",
    leaving_is_called },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
