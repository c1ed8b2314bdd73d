/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* shell-command.c -- system(3), during which requests to the workspace are
   answered.

   libguile's `system' waits in libc's (3.0.8, libguile/simpos.c, scm_system),
   which goes on waiting when a signal has interrupted it (glibc 2.36,
   sysdeps/posix/system.c), so no async runs until the command has ended.
   `system*' and `waitpid' look for asyncs in between; this is as safe, as
   scm_system holds nothing meanwhile.  Only requests are answered here:
   handlers of Scheme code run afterwards, as in plain Guile.

   SIGINT and SIGQUIT, which are for the command, are ignored while one runs,
   on whatever thread; SIGCHLD is blocked on the thread that waits.  Neither
   holds for what answers a request.  */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workspace/answer.h"
#include "workspace/requests.h"
#include "workspace/shell-command.h"

/* What waitpid() says of a shell that could not be executed: it has left
   with 127 (POSIX, system).  */
#define NO_SHELL (127 << 8)

static struct
{
  pthread_mutex_t lock;
  unsigned nr;                  /* of commands that run */
  struct sigaction interrupt, quit;     /* before the first of them */
} commands = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Begin to wait for a command; MASK becomes what was blocked before.  */
static void
begin_waiting (sigset_t *mask)
{
  const struct sigaction ignore = { .sa_handler = SIG_IGN };
  sigset_t child;

  pthread_mutex_lock (&commands.lock);
  if (commands.nr++ == 0)
    {
      sigaction (SIGINT, &ignore, &commands.interrupt);
      sigaction (SIGQUIT, &ignore, &commands.quit);
    }
  pthread_mutex_unlock (&commands.lock);
  sigemptyset (&child);
  sigaddset (&child, SIGCHLD);
  pthread_sigmask (SIG_BLOCK, &child, mask);
}

static void
restore_actions (void)
{
  sigaction (SIGINT, &commands.interrupt, NULL);
  sigaction (SIGQUIT, &commands.quit, NULL);
}

static void
end_waiting (const sigset_t *mask)
{
  pthread_mutex_lock (&commands.lock);
  if (--commands.nr == 0)
    restore_actions ();
  pthread_mutex_unlock (&commands.lock);
  pthread_sigmask (SIG_SETMASK, mask, NULL);
}

/* Start COMMAND as if nothing had been ignored or blocked here.  Returns 0 or
   an error number.  The "--" is in POSIX since 2024, and in newer glibcs: a
   command may begin with a minus.  */
static int
start (const char *command, const sigset_t *mask, pid_t *pid)
{
  const char *const arguments[] = { "sh", "-c", "--", command, NULL };
  posix_spawnattr_t attributes;
  sigset_t defaults;
  int code;

  sigemptyset (&defaults);
  if (commands.interrupt.sa_handler != SIG_IGN)
    sigaddset (&defaults, SIGINT);
  if (commands.quit.sa_handler != SIG_IGN)
    sigaddset (&defaults, SIGQUIT);
  code = posix_spawnattr_init (&attributes);
  if (code != 0)
    return code;
  posix_spawnattr_setsigmask (&attributes, mask);
  posix_spawnattr_setsigdefault (&attributes, &defaults);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGDEF
                                         | POSIX_SPAWN_SETSIGMASK);
  code = posix_spawn (pid, "/bin/sh", NULL, &attributes,
                      (char *const *) arguments, environ);
  posix_spawnattr_destroy (&attributes);
  return code;
}

/* A request's signal interrupts the main thread again and again until it is
   answered (requests.c, pass_on).  */
static int
await (pid_t pid, sigset_t *mask)
{
  int status;

  while (waitpid (pid, &status, 0) != pid)
    if (errno != EINTR)
      return -1;
    else if (cs_requests_is_asked ())
      {
        end_waiting (mask);
        cs_answer ();
        begin_waiting (mask);
      }
  return status;
}

int
cs_shell_command_run (const char *command)
{
  sigset_t mask;
  pid_t pid;
  int code, status = NO_SHELL;

  if (!command)
    return system (NULL);
  begin_waiting (&mask);
  code = start (command, &mask, &pid);
  if (code == 0)
    {
      status = await (pid, &mask);
      code = status < 0 ? errno : 0;
    }
  end_waiting (&mask);
  if (code != 0)
    errno = code;
  return status;
}

void
cs_shell_command_fork_child (void)
{
  pthread_mutex_init (&commands.lock, NULL);
  if (commands.nr > 0)
    restore_actions ();
  commands.nr = 0;
}
