/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* signals.c -- signal actions that the carried libraries set.

   The collector stops threads with two signals (libgc 8.2.2,
   pthread_stop_world.c, GC_stop_init), libguile has one handler for all that
   Scheme code asked for (3.0.8, libguile/scmsigs.c, take_signal).  Their
   addresses stay, so the actions are kept and installed again.  */

#include "private.h"

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

static bool
is_kept (void (*handler) (int))
{
  return handler == SIG_IGN
         || cs_store_contains (cs_process.store, (void *) handler);
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
      .flags = (uint32_t) action->sa_flags
    };
  else
    *kept = (struct cs_signal_disk) { 0, 0, 0, 0 };
}

int
cs_signals_sigaction (int signum, const struct sigaction *action,
                      struct sigaction *old)
{
  int code = sigaction (signum, action, old);

  if (code == 0 && action && signum > 0 && signum < CS_PROCESS_SIGNALS_MAX)
    remember (signum, action);
  return code;
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
  sigaction (signum, &action, NULL);
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
    if (kept[signum].handler)
      install (signum, &kept[signum]);
}
