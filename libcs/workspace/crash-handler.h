/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash-handler.h -- a process that faults.  */
#ifndef CS_CRASH_HANDLER_H
#define CS_CRASH_HANDLER_H

#include "store/store.h"

/* From now on a signal that would end the process for what its memory holds
   (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) has the file of STORE looked
   at.  If a page is not as it was written, or cannot be read, a message on
   standard error names it, and the process ends with STATUS and without a
   checkpoint.  Otherwise it ends by that signal, as ever, after a message that
   says where it came and what is not saved (crash-report.h).  */
void cs_crash_handler_install (struct cs_store *store, int status);

#endif
