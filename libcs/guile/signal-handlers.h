/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* signal-handlers.h -- handlers of Scheme code for signals.  */
#ifndef CS_SIGNAL_HANDLERS_H
#define CS_SIGNAL_HANDLERS_H

/* In Guile mode on the main thread, at a resume: the handlers that Scheme code
   has installed run on this thread from now on, also for signals that have
   arrived since the process began.  */
void cs_signal_handlers_restore (void);

#endif
