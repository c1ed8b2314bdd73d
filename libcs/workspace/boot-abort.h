/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot-abort.h -- a Guile that gives up before it has booted.  */
#ifndef CS_BOOT_ABORT_H
#define CS_BOOT_ABORT_H

/* From here to cs_boot_abort_end() an abort() of this process ends it with
   status 5 and a message on standard error.  */
void cs_boot_abort_begin (void);
void cs_boot_abort_end (void);

#endif
