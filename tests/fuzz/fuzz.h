/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz.h -- what the harnesses share.

   Each fuzz-SUBJECT.c reads one kind of bytes that may come from elsewhere.
   It is linked twice: with libFuzzer, which looks for inputs that go new
   ways (`make fuzz`), and with replay.c, which runs seeds, changed seeds and
   the cases that were found before (`make check`).

   An input is no file of the kind but a short description of one: its parts
   as they lie on disk, each behind a byte of flags.  The harness puts them
   into place, and where the flags say so it sets the checksums right: a
   fuzzer does not get behind a CRC-32 by itself.

   What must hold whatever the input is: no fault that a sanitizer sees, no
   descriptor left open, every refusal has a code of err.h and a text, and
   what REQUIRE says.  */
#ifndef CS_FUZZ_H
#define CS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define REQUIRE(condition)                                              \
  ((condition) ? (void) 0                                               \
   : (fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition),  \
      abort ()))

/* Defined by each harness.  */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t len);

/* Give real inputs, made from what libcs itself writes.  VALID: the harness
   takes it as a whole, and adds to fuzz_accepted.  */
typedef void fuzz_seed (void *closure, const char *name, const void *data,
                        size_t len, bool valid);
void fuzz_seeds (fuzz_seed *seed, void *closure);

/* How many inputs were found right, so that a test can see that the
   harness leads anywhere.  */
extern unsigned long fuzz_accepted;

/* Is R, with ERR, an answer as err.h wants it?  */
static inline void
fuzz_answer (int r, const struct cs_err *err)
{
  REQUIRE (r <= 0 && r == err->code);
  REQUIRE (r == 0 || (err->text[0] && !strchr (err->text, '\n')
                      && cs_err_status (r) >= 1 && cs_err_status (r) <= 5));
}

/* Reading an input.  Behind its end there are zeros.  */

struct fuzz_input
{
  const uint8_t *data;
  size_t left;
};

static inline void
fuzz_take (struct fuzz_input *in, void *to, size_t len)
{
  size_t have = len < in->left ? len : in->left;

  memset (to, 0, len);
  if (have > 0)
    memcpy (to, in->data, have);
  in->data += have;
  in->left -= have;
}

static inline unsigned
fuzz_byte (struct fuzz_input *in)
{
  uint8_t byte;

  fuzz_take (in, &byte, 1);
  return byte;
}

static inline unsigned
fuzz_short (struct fuzz_input *in)
{
  uint16_t number;

  fuzz_take (in, &number, 2);
  return number;
}

/* Writing one.  */

struct fuzz_output
{
  uint8_t data[1 << 16];
  size_t len;
};

static inline void
fuzz_put (struct fuzz_output *out, const void *bytes, size_t len)
{
  REQUIRE (len <= sizeof out->data - out->len);
  if (len > 0)
    memcpy (out->data + out->len, bytes, len);
  out->len += len;
}

static inline void
fuzz_put_byte (struct fuzz_output *out, unsigned byte)
{
  uint8_t b = (uint8_t) byte;

  fuzz_put (out, &b, 1);
}

static inline void
fuzz_put_short (struct fuzz_output *out, unsigned number)
{
  uint16_t n = (uint16_t) number;

  fuzz_put (out, &n, 2);
}

#endif
