/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash-report.h -- what a process says that dies by a signal.  */
#ifndef CS_CRASH_REPORT_H
#define CS_CRASH_REPORT_H

#include <signal.h>
#include <stdbool.h>

/* In a signal's handler: write to standard error which signal it is, in which
   library it came, and which extension or other library had called that, as
   far as the stack tells; then, with SAVES, that nothing since the store's
   generation was saved.  INFO and CONTEXT are the handler's.  */
void cs_crash_report (const siginfo_t *info, const void *context, bool saves);

/* The libraries that are carried now are of earlier processes.  */
void cs_crash_report_restore (void);

#endif
