/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-iconv.c -- conversion descriptors that outlive their process.  */

#include "process-fixture.h"

static const iconv_t no_descriptor = (iconv_t) -1;

/* Convert LEN bytes of TEXT; how many bytes come out, in OUT.  */
static size_t
convert (iconv_t cd, const char *text, size_t len, char *out, size_t out_len)
{
  char *in = (char *) text, *to = out;
  size_t left = len, room = out_len;

  CHECK (cs_iconv_convert (cd, &in, &left, &to, &room) != (size_t) -1);
  CHECK (left == 0);
  return (size_t) (to - out);
}

static bool
gives (iconv_t cd, const char *text, const char *bytes, size_t len)
{
  char out[64];
  size_t n = convert (cd, text, strlen (text), out, sizeof out);

  return n == len && memcmp (out, bytes, len) == 0;
}

static iconv_t
kept (int i)
{
  return (iconv_t) (uintptr_t) words->word[i];
}

static void
keep (int i, const char *to, const char *from)
{
  iconv_t cd = cs_iconv_open (to, from);

  CHECK (cd != no_descriptor && is_in_store (cd));
  words->word[i] = (uintptr_t) cd;
}

#define JIS_HIRAGANA "$\"$$"
#define SHIFTED "\x1b$B"                /* and not back */
#define UTF8_HIRAGANA "\xe3\x81\x82\xe3\x81\x84"

static void
open_some (void)
{
  begin ();
  start_collector ();
  keep (0, "UTF-16LE", "UTF-8");
  keep (1, "ISO-2022-JP", "UTF-8");
  keep (2, "ISO-8859-1//TRANSLIT", "UTF-8");
  CHECK (gives (kept (0), "a\xc3\xa9", "a\0\xe9\0", 4));
  CHECK (gives (kept (1), UTF8_HIRAGANA, SHIFTED JIS_HIRAGANA, 7));
  /* Still shifted: no escape sequence this time.  */
  CHECK (gives (kept (1), UTF8_HIRAGANA, JIS_HIRAGANA, 4));
  keep (3, "UTF-8", "ISO-2022-JP");
  CHECK (gives (kept (3), "line\n" SHIFTED JIS_HIRAGANA, "line\n"
                UTF8_HIRAGANA, 11));
  save_and_leave ();
}

static void
convert_again (void)
{
  iconv_t cd;

  resume ();
  start_collector ();
  CHECK (gives (kept (0), "a\xc3\xa9", "a\0\xe9\0", 4));
  CHECK (gives (kept (1), UTF8_HIRAGANA, JIS_HIRAGANA, 4));
  CHECK (gives (kept (3), JIS_HIRAGANA, UTF8_HIRAGANA, 6));
  CHECK (gives (kept (2), "\xe2\x82\xac", "EUR", 3));
  cd = cs_iconv_open ("UTF-8", "UTF-8");
  CHECK (cd != no_descriptor && cs_iconv_close (cd) == 0);
  save_and_leave ();
}

/* One that was not used since is closed without having been opened.  */
static void
close_all (void)
{
  resume ();
  start_collector ();
  for (int i = 0; i < 4; i++)
    CHECK (cs_iconv_close (kept (i)) == 0);
  /* Those, and the one that each process before closed.  */
  CHECK (fake_heap->nr_released == 6);
}

static void
next_process (void)
{
  CHECK (in_child (open_some) == 0);
  CHECK (in_child (convert_again) == 0);
  CHECK (in_child (convert_again) == 0);
  CHECK (in_child (close_all) == 0);
}

/* What was converted of the line is kept up to 1000 bytes; a new line, and a
   reset, begin in the initial state.  */
static void
open_long (void)
{
  char out[8000], text[4000];
  size_t left = 0, room = sizeof out;
  char *to = out;

  begin ();
  start_collector ();
  for (int i = 0; i < 3; i++)
    {
      keep (i, "ISO-2022-JP", "UTF-8");
      CHECK (gives (kept (i), UTF8_HIRAGANA, SHIFTED JIS_HIRAGANA, 7));
    }
  CHECK (gives (kept (0), "\n", "\x1b(B\n", 4));
  CHECK (cs_iconv_convert (kept (1), NULL, &left, &to, &room) == 0);
  for (size_t i = 0; i < 600; i += 6)
    memcpy (text + i, UTF8_HIRAGANA, 6);
  CHECK (convert (kept (2), text, 600, out, sizeof out) == 400);
  save_and_leave ();
}

static void
convert_long (void)
{
  resume ();
  start_collector ();
  for (int i = 0; i < 2; i++)
    CHECK (gives (kept (i), UTF8_HIRAGANA, SHIFTED JIS_HIRAGANA, 7));
  CHECK (gives (kept (2), UTF8_HIRAGANA, JIS_HIRAGANA, 4));
}

static void
line_by_line (void)
{
  CHECK (in_child (open_long) == 0);
  CHECK (in_child (convert_long) == 0);
}

/* A line that gets too long bit by bit.  */
static void
open_growing (void)
{
  begin ();
  start_collector ();
  keep (0, "ISO-2022-JP", "UTF-8");
  keep (1, "UTF-16LE", "UTF-8");
  CHECK (gives (kept (0), UTF8_HIRAGANA, SHIFTED JIS_HIRAGANA, 7));
  for (int i = 0; i < 200; i++)
    {
      CHECK (gives (kept (0), UTF8_HIRAGANA, JIS_HIRAGANA, 4));
      CHECK (gives (kept (1), "1234567", "1\0" "2\0" "3\0" "4\0" "5\0"
                    "6\0" "7", 14));
    }
  save_and_leave ();
}

static void
convert_growing (void)
{
  resume ();
  start_collector ();
  CHECK (gives (kept (0), UTF8_HIRAGANA, JIS_HIRAGANA, 4));
  CHECK (gives (kept (1), "ab", "a\0b", 4));
}

static void
bit_by_bit (void)
{
  CHECK (in_child (open_growing) == 0);
  CHECK (in_child (convert_growing) == 0);
}

static void
unknown_encoding (void)
{
  begin ();
  start_collector ();
  errno = 0;
  CHECK (cs_iconv_open ("UTF-8", "no such encoding") == no_descriptor);
  CHECK (errno == EINVAL && fake_heap->nr_allocated == 0);
}

/* An encoding that this system does not have any more.  */
static void
open_and_spoil (void)
{
  char *name;

  begin ();
  start_collector ();
  keep (0, "LATIN1", "UTF-8");
  name = memmem (kept (0), 2048, "LATIN1", 7);
  CHECK (name);
  memcpy (name, "NoSuch", 6);
  save_and_leave ();
}

static void
convert_spoiled (void)
{
  char text[] = "x", *in = text, room[8], *out = room;
  size_t in_left = 1, out_left = sizeof room;

  resume ();
  start_collector ();
  for (int i = 0; i < 2; i++)
    {
      errno = 0;
      CHECK (cs_iconv_convert (kept (0), &in, &in_left, &out, &out_left)
             == (size_t) -1);
      CHECK (errno == EBADF && in_left == 1);
    }
  CHECK (cs_iconv_close (kept (0)) == 0);
}

static void
encoding_gone (void)
{
  CHECK (in_child (open_and_spoil) == 0);
  CHECK (in_child (convert_spoiled) == 0);
}

static void
not_a_descriptor (void)
{
  char text[] = "x", *in = text, room[8], *out = room;
  size_t in_left = 1, out_left = sizeof room;

  begin ();
  errno = 0;
  CHECK (cs_iconv_convert (no_descriptor, &in, &in_left, &out, &out_left)
         == (size_t) -1 && errno == EBADF);
  errno = 0;
  CHECK (cs_iconv_close (no_descriptor) == -1 && errno == EBADF);
}

static void
no_memory (void)
{
  begin ();
  start_collector ();
  while (fake_allocate (1000))
    continue;
  while (fake_allocate (1))
    continue;
  errno = 0;
  CHECK (cs_iconv_open ("UTF-8", "UTF-16") == no_descriptor);
  CHECK (errno == ENOMEM);
}

static const struct test_case cases[] = {
  { "descriptors go on in the next process, in the same shift state",
    next_process },
  { "the state is that of the line", line_by_line },
  { "a line that gets too long bit by bit", bit_by_bit },
  { "an unknown encoding is refused as libc does", unknown_encoding },
  { "an encoding that is gone fails with EBADF", encoding_gone },
  { "what is no descriptor fails with EBADF", not_a_descriptor },
  { "no memory: nothing is opened", no_memory },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
