/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* port.h -- inside one port: its buffers, and what a thread that is gone left
   in it.

   The members of struct scm_t_port are private to libguile and the same in
   3.0.8 to 3.0.11 (libguile/ports-internal.h); cs_port_check() makes sure when
   a store is made.  Nothing here calls Guile, allocates or raises, except
   cs_port_list(), so all of it can be used for a port that another thread is
   making or using.

   A write that fails raises an error in the middle of libguile's functions.
   The write buffer is empty then (3.0.10, libguile/ports.c, scm_i_write), but
   the auxiliary buffer, which encoded text passes through, stays full: every
   later character finds no room in it and fails to be encoded
   (scm_c_put_latin1_chars).  A thread that ends inside a read or write never
   gives back its share of the port's reference count, so close-port would
   not close the port's descriptor (release_port).  */
#ifndef CS_PORT_H
#define CS_PORT_H

#include <stdbool.h>
#include <stddef.h>

#include <libguile.h>

/* Is PORT, an open one that this thread alone uses, laid out as is known here?
   READ_BUFFER and WRITE_BUFFER are its buffers, as Guile tells.  */
bool cs_port_check (SCM port, SCM read_buffer, SCM write_buffer);

/* In Guile mode: the ports that Guile closes when they are garbage, file ports
   among them, as a list.  Other threads may open and close ports meanwhile;
   then the list may lack some, and has some that are not made.  */
SCM cs_port_list (void);

/* Does PORT have its buffers?  libguile lists a port before it has them
   (3.0.10, libguile/ports.c, scm_c_make_port_with_encoding).  The functions
   below are for ports that are made.  */
bool cs_port_is_made (SCM port);

/* What was not written yet: its length in bytes and, in *BYTES, where it is,
   lent until somebody writes to PORT.  The second function notes that LEN of
   these bytes have been written.  */
size_t cs_port_unwritten (SCM port, const char **bytes);
void cs_port_wrote (SCM port, size_t len);

/* How many bytes were read ahead or put back.  */
size_t cs_port_read_ahead (SCM port);

/* Forget what was not written; what was read ahead, and an end of file that
   was seen.  */
void cs_port_forget_output (SCM port);
void cs_port_forget_input (SCM port);

/* No thread uses PORT: empty its auxiliary buffer, and take the reference
   count back to the port's own.  cs_port_is_settled() tells whether that
   changes anything.  */
bool cs_port_is_settled (SCM port);
void cs_port_settle (SCM port);

/* PORT is not made, and the thread that was making it is gone: nobody is to
   use it.  */
void cs_port_abandon (SCM port);

#endif
