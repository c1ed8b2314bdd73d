/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* port-output.h -- writing out what ports hold, at a checkpoint and when the
   workspace is left.

   Plain Guile writes out what all ports hold when it ends, and waits for each
   reader as long as it takes.  Here the order is another: nothing that a
   reader does or leaves undone keeps the image from being written.

     - Ports of the user's own making run Scheme code when they are flushed,
       which may need other threads: they come first, while the others run.
     - Ports on files are written to without libguile, when the others are at
       safe points: a thread that is putting characters into a buffer would
       put them there twice if another one emptied it meanwhile.
     - A checkpoint writes what can be written at once and leaves the rest in
       its port, errors too: they are the program's to meet, as without the
       checkpoint.
     - When the workspace is left, a full pipe or socket gets a second in which
       nothing is read from it, with the other threads running, as one of them
       may be the reader.  What is still there is taken out of the port, and
       written after the image.  By then the process has closed the pipes and
       sockets that it might be waiting for itself, so it waits for another
       process or a terminal, as plain Guile would.

   What cannot be written when the workspace is left is told.  If the port is
   on a regular file, which may be full today, the port keeps it for the next
   process.  Text for the standard ports, and for what ends with the process,
   is never the next process's.  */
#ifndef CS_PORT_OUTPUT_H
#define CS_PORT_OUTPUT_H

#include <stdbool.h>

#include <libguile.h>

#include "guile/ports.h"

/* In Guile mode: flush the ports of the user's own making.  What goes wrong
   with one is reported on the current error port, as plain Guile does when it
   ends, and the others follow.  */
void cs_port_output_flush (void);

/* In Guile mode: write what file ports hold, as far as it can be written at
   once.  */
void cs_port_output_write (void);

/* In Guile mode: the same, for the last time in this process.  PARK is what
   cs_threads_save() was called with if the other threads are parked; they are
   let go and parked again while a reader is waited for.  #f if they run.
   SAVED: the image will be written.  */
void cs_port_output_leave (const struct cs_ports_disk *image, SCM park,
                           bool saved);

/* After that, if the process executes another program instead of ending: wait
   for the readers of the standard ports.  What others do not take is lost.  */
void cs_port_output_await (void);

/* Not in Guile mode, after that and after the image was written: write the
   rest, and tell by WARN, if it is not NULL, what could not be written.  True
   if the reader of a port has gone: then plain Guile would have ended by
   SIGPIPE.  The process must end.  */
bool cs_port_output_finish (void (*warn) (const char *text));

#endif
