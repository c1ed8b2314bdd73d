/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* signals.c -- signal actions that the carried libraries set.

   The collector stops threads with two signals (libgc 8.2.2,
   pthread_stop_world.c, GC_stop_init), libguile has one handler for all that
   Scheme code asked for (3.0.8, libguile/scmsigs.c, take_signal).  Their
   addresses stay, so the actions are kept and installed again.

   What they replace is the process's own action, which they keep and may put
   back (libguile: orig_handlers).  The address of its handler does not stay,
   and may be that of anything else in a later process.  So they get an
   address of the store in its place, a trampoline that stands for the own
   handler of that signal: each process points it to its own, and the process
   that puts it back gets its own action.  */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "process/private.h"

static uint64_t
mask_to_bits (const sigset_t *mask)
{
  uint64_t bits = 0;

  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (sigismember (mask, signum) == 1)
      bits |= (uint64_t) 1 << (signum - 1);
  return bits;
}

static void
bits_to_mask (uint64_t bits, sigset_t *mask)
{
  sigemptyset (mask);
  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (bits & ((uint64_t) 1 << (signum - 1)))
      sigaddset (mask, signum);
}

/* What this process does without carried libraries.  */
static struct
{
  bool known;
  struct sigaction action;
} own[CS_PROCESS_SIGNALS_MAX];

static bool
is_kept (void (*handler) (int))
{
  return handler == SIG_IGN
         || cs_store_contains (cs_process.store, (void *) handler);
}

/* The signal whose own handler HANDLER stands for, or 0.  */
static int
own_signal (void (*handler) (int))
{
  const struct cs_signal_disk *kept = cs_process.image->signals;
  long i = -ENOENT;

  if (cs_store_contains (cs_process.store, (void *) handler))
    i = cs_intern_at (cs_process.table, (uintptr_t) handler);
  for (int signum = 1; i >= 0 && signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (kept[signum].own == (uint64_t) i + 1)
      return signum;
  return 0;
}

/* The own action of a process without a handler of its own.  */
static void
do_nothing (int signum)
{
  (void) signum;
}

/* HANDLER is the own one of SIGNUM in this process.  */
static void
bind_own (int signum, void (*handler) (int))
{
  if (handler == SIG_DFL || handler == SIG_IGN)
    handler = do_nothing;
  cs_intern_bind (cs_process.table, cs_process.image->signals[signum].own - 1,
                  (uintptr_t) handler);
}

/* The entry of the intern table for the own handler of SIGNUM; negative if
   there is no room.  */
static long
own_entry (int signum)
{
  const struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_USED | CS_TABLE_DYNAMIC
  };
  char name[32];
  long i;

  snprintf (name, sizeof name, "own-handler-%d", signum);
  cs_foreign_hold ();
  i = cs_table_add (cs_process.table, "cs-run", name, "", &fields);
  cs_foreign_release ();
  return i;
}

/* A carried library is told of ACTION, which was that of SIGNUM.  */
static void
hide_own (int signum, struct sigaction *action)
{
  struct cs_signal_disk *kept = &cs_process.image->signals[signum];
  long i;

  if (action->sa_handler == SIG_DFL || is_kept (action->sa_handler))
    return;
  i = own_entry (signum);
  if (i < 0)
    return;
  kept->own = (uint32_t) i + 1;
  bind_own (signum, action->sa_handler);
  action->sa_handler = (void (*) (int)) (uintptr_t)
    cs_intern_trampoline (cs_process.table, (uint32_t) i);
}

/* Is it an address that stores of earlier versions keep in place of what
   own_entry() makes: of the program, or of nothing?  No carried library has
   the address of a function of the program in any other way.  */
static bool
is_from_before (void (*handler) (int))
{
  Dl_info info, program;

  if (handler == SIG_DFL || is_kept (handler))
    return false;
  return dladdr ((void *) handler, &info) == 0
         || (dladdr ((void *) do_nothing, &program) != 0
             && info.dli_fbase == program.dli_fbase);
}

static void
remember (int signum, const struct sigaction *action)
{
  struct cs_signal_disk *kept = &cs_process.image->signals[signum];

  /* sa_handler and sa_sigaction are the same word (signal.h).  */
  if (is_kept (action->sa_handler))
    *kept = (struct cs_signal_disk) {
      .handler = (uintptr_t) action->sa_handler,
      .mask = mask_to_bits (&action->sa_mask),
      .flags = (uint32_t) action->sa_flags,
      .own = kept->own
    };
  else
    *kept = (struct cs_signal_disk) { .own = kept->own };
}

static int
put_back_own (int signum, struct sigaction *found)
{
  struct cs_signal_disk *kept = &cs_process.image->signals[signum];

  *kept = (struct cs_signal_disk) { .own = kept->own };
  /* If nobody has replaced it, it is there.  */
  return sigaction (signum, own[signum].known ? &own[signum].action : NULL,
                    found);
}

static int
set_action (int signum, const struct sigaction *action,
            struct sigaction *found)
{
  int code, of = own_signal (action->sa_handler);
  struct sigaction others;

  if (of == signum || is_from_before (action->sa_handler))
    return put_back_own (signum, found);
  /* The own handler of another signal is this process's only.  */
  others = of ? own[of].action : *action;
  code = sigaction (signum, &others, found);
  if (code < 0)
    return code;
  if (!own[signum].known)
    own[signum].action = *found;
  own[signum].known = true;
  remember (signum, &others);
  return 0;
}

int
cs_signals_sigaction (int signum, const struct sigaction *action,
                      struct sigaction *old)
{
  struct sigaction found;
  int code;

  if (signum <= 0 || signum >= CS_PROCESS_SIGNALS_MAX)
    return sigaction (signum, action, old);
  code = action ? set_action (signum, action, &found)
                : sigaction (signum, NULL, &found);
  if (code == 0 && old)
    {
      *old = found;
      hide_own (signum, old);
    }
  return code;
}

void
cs_process_own_action (int signum, const struct sigaction *action)
{
  struct sigaction now;

  if (!own[signum].known && sigaction (signum, NULL, &now) == 0)
    own[signum].action = now;
  own[signum].known = true;
  if (own[signum].action.sa_handler != SIG_DFL)
    return;
  own[signum].action = *action;
  if (cs_process.image->signals[signum].own)
    bind_own (signum, action->sa_handler);
  if (cs_process.image->signals[signum].handler == 0)
    sigaction (signum, action, NULL);
}

/* BSD semantics, as glibc's signal().  */
void (*cs_signals_signal (int signum, void (*handler) (int))) (int)
{
  struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
  struct sigaction old;

  sigemptyset (&action.sa_mask);
  sigaddset (&action.sa_mask, signum);
  if (cs_signals_sigaction (signum, &action, &old) != 0)
    return SIG_ERR;
  return old.sa_handler;
}

bool
cs_process_handles_signal (int signum)
{
  uint64_t handler = cs_process.image->signals[signum].handler;

  return handler != 0 && handler != (uintptr_t) SIG_IGN;
}

static sigset_t outer_mask;
static bool held;

/* libguile's handler writes to a pipe whose descriptors were another
   process's (3.0.8, libguile/scmsigs.c, take_signal): signals that have a
   handler wait until the pipe has been made anew.  */
static void
hold_signals (const sigset_t *set)
{
  held = pthread_sigmask (SIG_BLOCK, set, &outer_mask) == 0;
}

void
cs_process_unblock_signal (int signum)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, signum);
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
  sigdelset (&outer_mask, signum);
}

void
cs_process_admit_signals (void)
{
  if (held)
    pthread_sigmask (SIG_SETMASK, &outer_mask, NULL);
  held = false;
}

static void
install (int signum, const struct cs_signal_disk *kept)
{
  struct sigaction action;

  action.sa_handler = (void (*) (int)) (uintptr_t) kept->handler;
  action.sa_flags = (int) kept->flags;
  bits_to_mask (kept->mask, &action.sa_mask);
  own[signum].known = sigaction (signum, &action, &own[signum].action) == 0;
}

static void
set_ignored (void (*handler) (int))
{
  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (cs_process.image->signals[signum].handler == (uintptr_t) SIG_IGN)
      signal (signum, handler);
}

void
cs_process_leave_signals (void)
{
  set_ignored (SIG_DFL);
}

void
cs_process_take_signals (void)
{
  set_ignored (SIG_IGN);
}

void
cs_signals_resume (void)
{
  const struct cs_signal_disk *kept = cs_process.image->signals;
  sigset_t handled;

  sigemptyset (&handled);
  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    if (cs_process_handles_signal (signum))
      sigaddset (&handled, signum);
  hold_signals (&handled);
  for (int signum = 1; signum < CS_PROCESS_SIGNALS_MAX; signum++)
    {
      if (kept[signum].handler)
        install (signum, &kept[signum]);
      if (kept[signum].own)
        bind_own (signum, own[signum].action.sa_handler);
    }
}
