/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash-handler.c -- a process that faults: because its store is damaged, or for
   a reason of its own.

   Pages are mapped, not read, so nobody looks at their checksums in time.
   But damage in a heap ends in a fault or an abort sooner or later, and then
   there is all the time to look for it.  The handler runs wherever the
   process happened to be: it does nothing but map a buffer, read, calculate and
   write.  */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"
#include "workspace/crash-handler.h"
#include "workspace/crash-report.h"
#include "workspace/state.h"

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

static struct
{
  struct cs_store *store;
  int status;
  pid_t owner;
} faults;

static void
say (const struct cs_damage *damage, int code)
{
  char text[1024], why[64];
  int n;

  if (code < 0)
    snprintf (why, sizeof why, "cannot be read: error %d", -code);
  else
    snprintf (why, sizeof why, "checksum: expected 0x%08" PRIx32 ", found "
              "0x%08" PRIx32, damage->expected, damage->found);
  n = snprintf (text, sizeof text, "%s: '%.500s' is damaged: page at 0x%"
                PRIx64 ", offset %" PRIu64 ": %s\n"
                "  nothing was saved; cs-inspect --check lists the damage, "
                "--repair makes a store of what is whole\n",
                program_invocation_short_name,
                cs_store_path (faults.store), damage->addr, damage->off, why);
  if (n > 0 && write (STDERR_FILENO, text, (size_t) n) < 0)
    return;
}

/* SIGBUS in the store without damage.  On tmpfs a hole takes room when it is
   read through a mapping.  */
static void
say_no_page (void)
{
  char text[1024];
  int n = snprintf (text, sizeof text, "%s: cannot use a page of '%.500s': no"
                    " room on its file system, or an input/output error\n"
                    "  the last checkpoint stands; make room, and begin"
                    " again\n", program_invocation_short_name,
                    cs_store_path (faults.store));

  if (n > 0 && write (STDERR_FILENO, text, (size_t) n) < 0)
    return;
}

/* Ends the process if there is a cause that the user can do something
   about.  */
static void
look_for_damage (int signum, const siginfo_t *info)
{
  struct cs_damage damage;
  int code = cs_store_find_damage (faults.store, &damage);

  if (code != 0)
    {
      say (&damage, code);
      _exit (faults.status);
    }
  if (signum == SIGBUS && info->si_code == BUS_ADRERR
      && cs_store_maps (faults.store, info->si_addr))
    {
      say_no_page ();
      _exit (faults.status);
    }
}

/* A fault of another thread waits until the message is complete; it would end
   the process in the middle of the message.  A fault in this handler ends the
   process at once, as its signal is blocked here (sigaction(2), sa_mask).  */
static void
explain (int signum, siginfo_t *info, void *context)
{
  static atomic_flag taken = ATOMIC_FLAG_INIT;

  while (atomic_flag_test_and_set (&taken))
    pause ();
  if (getpid () == faults.owner)
    look_for_damage (signum, info);
  cs_crash_report (info, context, cs_state_will_save ());
  signal (signum, SIG_DFL);
  raise (signum);
}

void
cs_crash_handler_install (struct cs_store *store, int status)
{
  struct sigaction action = {
    .sa_sigaction = explain, .sa_flags = SA_ONSTACK | SA_SIGINFO
  };
  struct sigaction old;

  faults.store = store;
  faults.status = status;
  faults.owner = getpid ();
  /* The collector's signals wait: it would take this thread's stack to begin
     here, and fault itself.  */
  sigfillset (&action.sa_mask);
  cs_process_give_signal_stack ();
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction (signals[i], NULL, &old) == 0
        /* A command may have a simpler one for SIGBUS.  */
        && (old.sa_handler == SIG_DFL || signals[i] == SIGBUS))
      sigaction (signals[i], &action, NULL);
}
