/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service.h -- threads of libcs's own.  */
#ifndef CS_SERVICE_H
#define CS_SERVICE_H

/* Start a detached thread that runs BODY with NULL, on a stack of 1 MiB.  No
   signals arrive there but the collector's two, as long as the thread does
   not admit others.  Returns 0 or an error number.  */
int cs_service_start (void *(*body) (void *));

#endif
