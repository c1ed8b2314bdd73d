/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* port.c -- inside one port: its buffers, and what a thread that is gone left
   in it.

   Fields are written only where they change: a clean page of the store stays
   clean.  */

#include <stdint.h>

#include "guile/functions.h"
#include "guile/port.h"

/* Words of struct scm_t_port.  */
enum
{
  POSITION = 1,
  READ_BUFFER,
  WRITE_BUFFER,
  AUXILIARY_BUFFER,             /* #f until it is needed */
  READ_BUFFERING,               /* a size_t */
  REFERENCES                    /* a uint32_t */
};

/* Elements of a buffer, which is a vector.  */
enum
{
  BYTES,
  START,
  END,
  HAS_EOF,
  BUFFER_POSITION,
  BUFFER_LEN
};

static scm_t_bits *
words_of (SCM port)
{
  return (scm_t_bits *) SCM_CELL_WORD_2 (port);
}

static SCM
word (SCM port, int index)
{
  return SCM_PACK (__atomic_load_n (words_of (port) + index,
                                    __ATOMIC_ACQUIRE));
}

static uint32_t *
references (SCM port)
{
  return (uint32_t *) (words_of (port) + REFERENCES);
}

static bool
is_buffer (SCM buffer)
{
  return SCM_UNPACK (buffer) != 0 && SCM_NIMP (buffer)
         && SCM_HAS_TYP7 (buffer, scm_tc7_vector)
         && SCM_SIMPLE_VECTOR_LENGTH (buffer) >= BUFFER_LEN
         && SCM_BYTEVECTOR_P (SCM_SIMPLE_VECTOR_REF (buffer, BYTES));
}

static size_t
size_of (SCM buffer)
{
  return (size_t) SCM_BYTEVECTOR_LENGTH (SCM_SIMPLE_VECTOR_REF (buffer,
                                                                BYTES));
}

/* A cursor of BUFFER, which Scheme code may have set to anything.  */
static size_t
cursor (SCM buffer, int index)
{
  SCM value = SCM_SIMPLE_VECTOR_REF (buffer, (size_t) index);
  scm_t_signed_bits n = SCM_I_INUMP (value) ? SCM_I_INUM (value) : 0;

  return n < 0 || (size_t) n > size_of (buffer) ? 0 : (size_t) n;
}

static size_t
held (SCM buffer)
{
  size_t start = cursor (buffer, START), end = cursor (buffer, END);

  return end < start ? 0 : end - start;
}

static void
set (SCM buffer, int index, SCM value)
{
  if (!scm_is_eq (SCM_SIMPLE_VECTOR_REF (buffer, (size_t) index), value))
    SCM_SIMPLE_VECTOR_SET (buffer, (size_t) index, value);
}

static void
empty (SCM buffer)
{
  set (buffer, START, SCM_INUM0);
  set (buffer, END, SCM_INUM0);
}

bool
cs_port_check (SCM port, SCM read_buffer, SCM write_buffer)
{
  SCM auxiliary = word (port, AUXILIARY_BUFFER);

  return scm_is_pair (word (port, POSITION))
         && scm_is_eq (word (port, READ_BUFFER), read_buffer)
         && scm_is_eq (word (port, WRITE_BUFFER), write_buffer)
         && is_buffer (read_buffer) && is_buffer (write_buffer)
         && scm_is_eq (SCM_SIMPLE_VECTOR_REF (write_buffer, BUFFER_POSITION),
                       word (port, POSITION))
         && is_buffer (auxiliary)
         && words_of (port)[READ_BUFFERING] == size_of (read_buffer)
         && *references (port) == 1;
}

static void
add (void *list, SCM port)
{
  *(SCM *) list = scm.cons (port, *(SCM *) list);
}

/* libguile lets go of the set's lock for each port, and goes on in the table
   that it began with.  Once another thread has replaced that table by a larger
   one, the collector no longer clears entries of objects that it frees
   (3.0.10, libguile/weak-set.c, scm_c_weak_set_fold, resize_set): it must
   free none.  */
SCM
cs_port_list (void)
{
  SCM list = SCM_EOL;

  gc.disable ();
  scm.c_port_for_each (add, &list);
  gc.enable ();
  return list;
}

bool
cs_port_is_made (SCM port)
{
  return words_of (port) && is_buffer (word (port, READ_BUFFER))
         && is_buffer (word (port, WRITE_BUFFER))
         && SCM_UNPACK (word (port, AUXILIARY_BUFFER)) != 0;
}

size_t
cs_port_unwritten (SCM port, const char **bytes)
{
  SCM buffer = word (port, WRITE_BUFFER);

  *bytes = (const char *) SCM_BYTEVECTOR_CONTENTS
                            (SCM_SIMPLE_VECTOR_REF (buffer, BYTES))
           + cursor (buffer, START);
  return held (buffer);
}

void
cs_port_wrote (SCM port, size_t len)
{
  SCM buffer = word (port, WRITE_BUFFER);

  if (len >= held (buffer))
    empty (buffer);
  else
    set (buffer, START, SCM_I_MAKINUM (cursor (buffer, START) + len));
}

size_t
cs_port_read_ahead (SCM port)
{
  return held (word (port, READ_BUFFER));
}

void
cs_port_forget_output (SCM port)
{
  empty (word (port, WRITE_BUFFER));
}

void
cs_port_forget_input (SCM port)
{
  SCM buffer = word (port, READ_BUFFER);

  empty (buffer);
  set (buffer, HAS_EOF, SCM_BOOL_F);
}

bool
cs_port_is_settled (SCM port)
{
  SCM auxiliary = word (port, AUXILIARY_BUFFER);

  return *references (port) <= 1
         && !(is_buffer (auxiliary) && cursor (auxiliary, END) > 0);
}

void
cs_port_settle (SCM port)
{
  if (cs_port_is_settled (port))
    return;
  if (is_buffer (word (port, AUXILIARY_BUFFER)))
    empty (word (port, AUXILIARY_BUFFER));
  if (*references (port) > 1)
    *references (port) = 1;
}

void
cs_port_abandon (SCM port)
{
  SCM_SET_CELL_WORD_0 (port,
                       SCM_CELL_WORD_0 (port) & ~(scm_t_bits) SCM_OPN);
}
