/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ports.h -- ports at a checkpoint and at a resume.

   A port is an object of the heap and persists as it is: position, encoding,
   line and column, what was put back, what was read ahead.  What it is
   connected to belongs to one process:

     - the three standard ports are connected to descriptors 0, 1 and 2 of
       each process anew (cs_ports_follow).

   Everything here is called in Guile mode on the thread that saves, or on the
   workspace thread before it runs anything of the user's.  */
#ifndef CS_PORTS_H
#define CS_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/* What a store keeps for it, in section "guile".  SCM values are widened to
   64 bits.  */
struct cs_ports_disk
{
  uint64_t standard[3];         /* input, output, error */
  uint64_t begin_anew;          /* procedure of (coldstore): takes a port,
                                   empties its buffers, sets line and column
                                   to 0 */
};

/* Once in the life of a store, when (coldstore) has been made.  */
void cs_ports_make (struct cs_ports_disk *image);

/* Write out what ports hold.  What goes wrong with one is reported on the
   current error port, as plain Guile does when it ends, and the others follow.
   A reader that has gone is told by the value: then plain Guile would have
   ended by SIGPIPE.  */
bool cs_ports_flush (void);

/* Note the open ports for the image that is about to be written.  The other
   threads of Guile should have been stopped.  */
void cs_ports_record (const struct cs_ports_disk *image);

/* Connect the standard ports to this process.  One that was closed is made
   anew.  A current port that is closed gives way to the standard one.  */
void cs_ports_follow (struct cs_ports_disk *image);

#endif
