/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ports.h -- ports at a checkpoint and at a resume.

   A port is an object of the heap and persists as it is: position, encoding,
   line and column, what was put back, what was read ahead.  What it is
   connected to belongs to one process:

     - the three standard ports are connected to descriptors 0, 1 and 2 of
       each process again (cs_ports_restore);
     - other ports on descriptors are open again on the same files where they
       stood, or are closed (process/descriptors/descriptors.h, cs_ports_restore).

   A port that is closed for this gets a type of its own, so that it prints
   with the reason, and so does every error about it: "expecting open input
   port: #<closed: pipe, open in generation 12: it ended with its process>".

   Everything here is called in Guile mode on the thread that saves, or on the
   main thread before it runs anything of the user's.  */
#ifndef CS_PORTS_H
#define CS_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libguile.h>

#include "image/guile.h"

/* What a port type prints its ports with; that of closed ones.  Its address is
   kept in the heap: it needs a trampoline.  */
typedef int cs_ports_print (SCM port, SCM out, scm_print_state *state);
int cs_ports_print_lost (SCM port, SCM out, scm_print_state *state);

/* Once in the life of a store, when (coldstore) has been made.  PRINT_LOST is
   the trampoline of the function above.  False if ports are not laid out as
   port.h says.  */
bool cs_ports_create (struct cs_ports_disk *image, cs_ports_print *print_lost);

/* Give back what standard input has read ahead, if it is a file.  */
void cs_ports_unread (const struct cs_ports_disk *image);

/* Note the open ports for the image that is about to be written.  The other
   threads of Guile should have been stopped.  */
void cs_ports_save (struct cs_ports_disk *image);

/* In Guile mode, at a resume, before anything else of Guile's can close a
   descriptor: give the ports of the last process what they have in this one.
   Then connect the standard ports to this process: what a failed write left in
   them, or was read ahead, is gone.  One that was closed is made again.  A current
   port that is closed gives way to the standard one.  */
void cs_ports_restore (struct cs_ports_disk *image);

#endif
