/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stream.h -- a gzip stream (RFC 1952) on a descriptor of any kind.

   One member, with the checksum and the length that gzip puts at its end;
   then the seal: a second member, which is empty but for an extra field in
   its header with the CRC-32 of all bytes of the first.  Without it a flipped
   bit could be one that does not matter (the time in the header; another way
   to say the same), and not be noticed.

   Functions return 0 or -errno where nothing else is said.  */
#ifndef CS_STREAM_H
#define CS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "err.h"

struct cs_stream
{
  int fd;                       /* lent */
  z_stream z;
  unsigned char *buf;           /* compressed bytes */
  uint64_t len;                 /* of them that went through FD */
  uint32_t crc;                 /* CRC-32 of those that are not in BUF */
  bool writing;
};

/* Begin to write to FD, or to read from it.  Ends with cs_stream_close(),
   which neither writes nor closes anything; also after a failure.  */
int cs_stream_write_to (struct cs_stream *stream, int fd, int level);
int cs_stream_read_from (struct cs_stream *stream, int fd);
void cs_stream_close (struct cs_stream *stream);

/* Compress LEN bytes.  Signals that wait are looked for, as by
   cs_new_file_interrupted(): -EINTR.  */
int cs_stream_write (struct cs_stream *stream, const void *data, size_t len);

/* Write what is left, the end of the stream, and the seal.  */
int cs_stream_finish (struct cs_stream *stream);

/* Read LEN bytes of the contents, no less.  Errors: -CS_E_DAMAGED (with the
   offset of the compressed byte), -errno, -EINTR as above.  */
int cs_stream_read (struct cs_stream *stream, void *buf, size_t len,
                    struct cs_err *err);

/* Read the end of the stream and its seal, behind which there must be
   nothing.  */
int cs_stream_read_end (struct cs_stream *stream, struct cs_err *err);

#endif
