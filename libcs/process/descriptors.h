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
#include "intern/policy.h"

#define CS_DESCRIPTORS_FIRST 3          /* below are the standard ones */
#define CS_DESCRIPTORS_END (1 << 20)

enum cs_descriptor_kind
{
  CS_DESCRIPTOR_FILE = 1,       /* regular file */
  CS_DESCRIPTOR_DIRECTORY,
  CS_DESCRIPTOR_DEVICE,         /* that is no terminal */
  CS_DESCRIPTOR_DELETED,        /* file that had lost its name by then */
  CS_DESCRIPTOR_PIPE,           /* with a name or without */
  CS_DESCRIPTOR_SOCKET,
  CS_DESCRIPTOR_TERMINAL,
  CS_DESCRIPTOR_OTHER,          /* what else the system has */
  CS_DESCRIPTOR_HELD            /* nothing: only the number is kept */
};

enum cs_descriptor_holder       /* bits */
{
  CS_DESCRIPTOR_OF_PORT = 1,
  CS_DESCRIPTOR_OF_PROGRAM = 2, /* which knows the number */
  CS_DESCRIPTOR_OF_CLOSED = 4   /* port, closed at a resume: the program knew
                                   the number */
};

struct cs_descriptor_disk
{
  int32_t fd;
  uint32_t kind;                /* enum cs_descriptor_kind */
  uint32_t holder;              /* enum cs_descriptor_holder */
  uint32_t name;                /* in the paths: the file's, absolute, or what
                                   there is to say of a socket; 0 if none */
  uint32_t flags;               /* of fcntl(F_GETFL), and O_CLOEXEC */
  uint32_t rule;                /* enum cs_policy_files: the port's own */
  uint32_t shares;              /* 1 + index of an earlier entry with the same
                                   open file description; 0 if none */
  uint32_t born_nsec;
  int64_t born;                 /* when it was made, seconds since 1970; 0 if
                                   not known */
  uint64_t device, inode;       /* of a device: its number twice */
  uint64_t size;                /* of the file, bytes */
  uint64_t offset;              /* the descriptor's */
  uint64_t position;            /* the port's: less what it has read ahead */
};

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
