/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stream.c -- a gzip stream on a descriptor of any kind.

   The other end of a pipe can take its time, and signals may be blocked
   (new-file.c): whoever waits here looks for them.  */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "store/store-private.h"
#include "store/stream.h"
#include "store/sys.h"

#define BUF_LEN ((size_t) 256 * 1024)
#define PART_MAX ((size_t) 1 << 30)     /* what zlib is given at a time */
#define GZIP_WINDOW (MAX_WBITS + 16)    /* deflateInit2: a gzip wrapper */
#define LOOK_MS 100                     /* between looks at signals */

/* The seal: header with an extra field "CS" of 4 bytes, an empty block, the
   CRC-32 and length of nothing.  */
#define SEAL_LEN 30
#define SEAL_CRC_OFF 16

static void
make_seal (uint32_t crc, unsigned char seal[SEAL_LEN])
{
  static const unsigned char empty[SEAL_LEN] = {
    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, 'C', 'S', 4, 0,
    0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0
  };

  memcpy (seal, empty, SEAL_LEN);
  for (int i = 0; i < 4; i++)
    seal[SEAL_CRC_OFF + i] = (unsigned char) (crc >> 8 * i);
}

/* Wait until FD is ready, or cannot be, as the next call will say.  */
static int
wait_for (int fd, short events)
{
  struct pollfd p = { .fd = fd, .events = events };

  do
    if (cs_new_file_interrupted ())
      return -EINTR;
  while (fd >= 0 && poll (&p, 1, LOOK_MS) == 0);
  return 0;
}

static bool
is_passing (int errnum)
{
  return errnum == EINTR || errnum == EAGAIN || errnum == EWOULDBLOCK;
}

static int
begin (struct cs_stream *stream, int fd, bool writing)
{
  *stream = (struct cs_stream) { .fd = fd, .writing = writing };
  stream->buf = malloc (BUF_LEN);
  return stream->buf ? 0 : -ENOMEM;
}

/* No stream was begun: forget what begin() did.  */
static int
fail (struct cs_stream *stream)
{
  free (stream->buf);
  stream->buf = NULL;
  return -ENOMEM;
}

void
cs_stream_close (struct cs_stream *stream)
{
  if (!stream->buf)
    return;
  if (stream->writing)
    deflateEnd (&stream->z);
  else
    inflateEnd (&stream->z);
  free (stream->buf);
  stream->buf = NULL;
}

/* Writing.  */

int
cs_stream_write_to (struct cs_stream *stream, int fd, int level)
{
  int r = begin (stream, fd, true);

  if (r < 0)
    return r;
  if (deflateInit2 (&stream->z, level, Z_DEFLATED, GZIP_WINDOW, 8,
                    Z_DEFAULT_STRATEGY) != Z_OK)
    return fail (stream);
  stream->z.next_out = stream->buf;
  stream->z.avail_out = BUF_LEN;
  return 0;
}

static int
write_all (struct cs_stream *stream, const unsigned char *bytes, size_t len)
{
  size_t done = 0;

  while (done < len)
    {
      int r = wait_for (stream->fd, POLLOUT);
      ssize_t n;

      if (r < 0)
        return r;
      n = cs_sys.write (stream->fd, bytes + done, len - done);
      if (n > 0)
        done += (size_t) n;
      else if (n == 0 || !is_passing (errno))
        return n == 0 ? -EIO : -errno;
    }
  stream->len += len;
  return 0;
}

/* Write out what is in the buffer.  */
static int
empty_buffer (struct cs_stream *stream)
{
  size_t len = BUF_LEN - stream->z.avail_out;
  int r = write_all (stream, stream->buf, len);

  if (r < 0)
    return r;
  stream->crc = (uint32_t) crc32_z (stream->crc, stream->buf, len);
  stream->z.next_out = stream->buf;
  stream->z.avail_out = BUF_LEN;
  return 0;
}

int
cs_stream_write (struct cs_stream *stream, const void *data, size_t len)
{
  z_stream *z = &stream->z;
  int r = 0;

  z->next_in = (unsigned char *) data;
  while (len > 0 && r == 0)
    {
      size_t part = len < PART_MAX ? len : PART_MAX;

      z->avail_in = (uInt) part;
      deflate (z, Z_NO_FLUSH);
      len -= part - z->avail_in;
      if (z->avail_out == 0)
        r = empty_buffer (stream);
    }
  return r;
}

int
cs_stream_finish (struct cs_stream *stream)
{
  unsigned char seal[SEAL_LEN];
  bool ended = false;
  int r = 0;

  stream->z.avail_in = 0;
  while (!ended && r == 0)
    {
      ended = deflate (&stream->z, Z_FINISH) == Z_STREAM_END;
      r = empty_buffer (stream);
    }
  make_seal (stream->crc, seal);
  return r < 0 ? r : write_all (stream, seal, sizeof seal);
}

/* Reading.  */

int
cs_stream_read_from (struct cs_stream *stream, int fd)
{
  int r = begin (stream, fd, false);

  if (r < 0)
    return r;
  return inflateInit2 (&stream->z, GZIP_WINDOW) == Z_OK ? 0 : fail (stream);
}

/* The CRC-32 of what was decompressed, when some of it is in the buffer.  */
static uint32_t
crc_so_far (const struct cs_stream *stream)
{
  const unsigned char *end = stream->z.next_in;

  return end ? (uint32_t) crc32_z (stream->crc, stream->buf,
                                   (size_t) (end - stream->buf))
             : stream->crc;
}

/* Read more compressed bytes, when there are none left.  1, 0 at the end of
   the file, or -errno.  */
static int
fill_buffer (struct cs_stream *stream)
{
  stream->crc = crc_so_far (stream);
  stream->z.next_in = stream->buf;
  for (;;)
    {
      int r = wait_for (stream->fd, POLLIN);
      ssize_t n;

      if (r < 0)
        return r;
      n = cs_sys.read (stream->fd, stream->buf, BUF_LEN);
      if (n >= 0)
        {
          stream->len += (uint64_t) n;
          stream->z.avail_in = (uInt) n;
          return n > 0;
        }
      if (!is_passing (errno))
        return -errno;
    }
}

static int
damaged (const struct cs_stream *stream, const char *what,
         struct cs_err *err)
{
  return cs_err_set (err, CS_E_DAMAGED, "compressed data at offset %" PRIu64
                     ": %s", stream->len - stream->z.avail_in, what);
}

/* Have zlib decompress some more.  0, 1 at the end of the stream, or an
   error.  */
static int
advance (struct cs_stream *stream, struct cs_err *err)
{
  z_stream *z = &stream->z;
  int r = inflate (z, Z_NO_FLUSH);

  switch (r)
    {
    case Z_OK:
      return 0;
    case Z_STREAM_END:
      return 1;
    case Z_BUF_ERROR:           /* it has taken all there was */
      r = fill_buffer (stream);
      if (r == 0)
        return damaged (stream, "it is cut short here", err);
      return r < 0 ? cs_err_sys (err, -r, "read") : 0;
    case Z_MEM_ERROR:
      return cs_err_sys (err, ENOMEM, "decompress");
    default:
      return damaged (stream, z->msg ? z->msg : "not as it was written",
                      err);
    }
}

int
cs_stream_read (struct cs_stream *stream, void *buf, size_t len,
                struct cs_err *err)
{
  z_stream *z = &stream->z;
  int r = 0;

  z->next_out = buf;
  while (len > 0 && r == 0)
    {
      size_t part = len < PART_MAX ? len : PART_MAX;

      z->avail_out = (uInt) part;
      r = advance (stream, err);
      len -= part - z->avail_out;
    }
  if (r == 1 && len > 0)
    return damaged (stream, "it ends, and more was expected", err);
  return r < 0 ? r : 0;
}

/* Read the LEN bytes that come next as they are; 0, 1 if there are less, or
   -errno.  */
static int
read_bytes (struct cs_stream *stream, unsigned char *bytes, size_t len)
{
  z_stream *z = &stream->z;

  for (size_t done = 0; done < len;)
    {
      size_t part = len - done < z->avail_in ? len - done : z->avail_in;
      int r;

      memcpy (bytes + done, z->next_in, part);
      z->next_in += part;
      z->avail_in -= (uInt) part;
      done += part;
      if (done == len)
        break;
      r = fill_buffer (stream);
      if (r <= 0)
        return r < 0 ? r : 1;
    }
  return 0;
}

static int
check_seal (struct cs_stream *stream, struct cs_err *err)
{
  unsigned char expected[SEAL_LEN], found[SEAL_LEN], more;
  uint32_t crc = crc_so_far (stream);
  int r = read_bytes (stream, found, sizeof found);

  make_seal (crc, expected);
  if (r < 0)
    return cs_err_sys (err, -r, "read");
  if (r == 1)
    return damaged (stream, "it is cut short here", err);
  if (memcmp (found, expected, sizeof found) != 0)
    return damaged (stream, "the seal does not fit what comes before it",
                    err);
  r = read_bytes (stream, &more, 1);
  if (r == 0)
    return damaged (stream, "its end was expected, found more", err);
  return r < 0 ? cs_err_sys (err, -r, "read") : 0;
}

int
cs_stream_read_end (struct cs_stream *stream, struct cs_err *err)
{
  z_stream *z = &stream->z;
  unsigned char more;
  int r = 0;

  z->next_out = &more;
  z->avail_out = 1;
  while (r == 0 && z->avail_out == 1)
    r = advance (stream, err);
  if (r < 0)
    return r;
  if (r == 0 || z->avail_out == 0)
    return damaged (stream, "its end was expected, found more", err);
  return check_seal (stream, err);
}
