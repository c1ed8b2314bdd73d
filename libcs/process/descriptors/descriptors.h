/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* descriptors.h -- file descriptors that the image holds by number.

   They are those that ports are connected to, and numbers that the program
   got without a port or has been shown (open-fdes, dup->fdes, port->fdes).  A
   checkpoint records each; a resume opens again what can be, in this order
   before anything else takes a descriptor:

     - a regular file, a directory or a device of which the same one has the
       name still: open at its offset.  A file that has become shorter than it
       was, and shorter than that offset, is open at its end.
     - a regular file that is another one, or is not there: what the rule for
       it says (enum cs_policy_files in intern/policy.h).
     - a pipe, a socket, a terminal: lost.  They end with their process.

   The same one means: the same inode, made at the same time.  Where the file
   system does not tell when a file was made, it is the same device and inode.
   (The number of a device may be another one after a boot.)

   Numbers are never mixed up:

     - 0 to 2 are the new process's.  The program's own are on another number
       if it had closed those.
     - A number that the new process was started with stays what it is.  A
       port moves to a free number; where the program knows the number, the
       resume is refused.
     - A lost descriptor that a port had leaves its number free, since the
       port is closed (guile/ports.c).  Where the program knows the number, it
       is taken by a descriptor on which reading and writing fail with EBADF
       (O_PATH, open(2)); if the port knows it too, as long as there is that
       port.

   Files:

     numbers.c      which numbers the program got
     descriptors.c  recording them
     reopen.c       opening them again
     endpoint.c     what a socket is connected to  */
#ifndef CS_DESCRIPTORS_H
#define CS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image/process.h"
#include "intern/policy.h"

/* What the interpreter knows of a descriptor that a port is connected to.  */
struct cs_descriptor_port
{
  int64_t position;             /* -1: as the descriptor's offset */
  enum cs_policy_files rule;
  bool revealed;                /* the program knows the number */
  const char *name;             /* of the file, for want of a better; or
                                   NULL */
};

/* What became of an entry in this process.  */
enum cs_descriptor_state
{
  CS_DESCRIPTOR_UNKNOWN,        /* it was not looked at */
  CS_DESCRIPTOR_SAME,
  CS_DESCRIPTOR_SHORTER,        /* the same file, at its end */
  CS_DESCRIPTOR_REPLACED,       /* another file, by rule */
  CS_DESCRIPTOR_LOST
};

struct cs_descriptor_now
{
  enum cs_descriptor_state state;
  int fd;                       /* its number; -1 if it is lost */
  bool held;                    /* it is lost, its number is taken */
  const char *why;              /* if it is not the same; static */
};

/* Recording, before a commit: forget the last record; name each descriptor
   that an open port is connected to; then the numbers that the program got
   are added.  FALLBACK is the rule where neither the port nor the policy has
   one.  What is not open, and 0 to 2 while they are the process's own, are
   passed over.  */
void cs_process_forget_descriptors (enum cs_policy_files fallback);
void cs_process_record_descriptor (int fd,
                                   const struct cs_descriptor_port *port);
void cs_process_record_held (int fd);   /* for a closed port, if nobody has
                                           closed or used the number since */
void cs_process_record_numbers (void);

/* After a resume: is a port to be told that something is different?  */
bool cs_process_descriptors_changed (void);

/* What became of the descriptor that had number FD in the image; NULL if it
   was not recorded.  */
const struct cs_descriptor_now *cs_process_descriptor (int fd);

/* What the descriptor that had number FD in the image was, and why it is not
   open: "pipe, open in generation 12: it ended with its process".  For any
   FD.  */
void cs_process_describe_lost (int fd, char *text, size_t len);

/* "file '/tmp/x'" for an entry whose name is NAME.  */
void cs_descriptor_describe (const struct cs_descriptor_disk *d,
                             const char *name, char *text, size_t len);

/* "file" and the like, for listings.  Static.  */
const char *cs_descriptor_kind_word (uint32_t kind);

/* The rule for D, whose name is NAME: the port's, else POLICY's (which may be
   NULL), else FALLBACK, else to close.  */
enum cs_policy_files cs_descriptor_rule (const struct cs_descriptor_disk *d,
                                         const char *name,
                                         const struct cs_policy *policy,
                                         enum cs_policy_files fallback);

#endif
