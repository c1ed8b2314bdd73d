/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* superblock.c -- the two superblock slots.  */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "machine.h"

#include "store/store-private.h"
#include "store/sys.h"

_Static_assert (sizeof (struct cs_superblock_disk) == 128, "superblock");
_Static_assert (offsetof (struct cs_superblock_disk, version) == 8, "");
_Static_assert (offsetof (struct cs_superblock_disk, machine) == 12, "");
_Static_assert (offsetof (struct cs_superblock_disk, word_len) == 14, "");
_Static_assert (offsetof (struct cs_superblock_disk, page_len) == 16, "");
_Static_assert (offsetof (struct cs_superblock_disk, base) == 24, "");
_Static_assert (offsetof (struct cs_superblock_disk, reserved) == 32, "");
_Static_assert (offsetof (struct cs_superblock_disk, generation) == 40, "");
_Static_assert (offsetof (struct cs_superblock_disk, committed) == 48, "");
_Static_assert (offsetof (struct cs_superblock_disk, directory) == 56, "");
_Static_assert (offsetof (struct cs_superblock_disk, created) == 64, "");
_Static_assert (offsetof (struct cs_superblock_disk, committed_at) == 72, "");
_Static_assert (offsetof (struct cs_superblock_disk, uuid) == 80, "");
_Static_assert (offsetof (struct cs_superblock_disk, crc) == 120, "");
_Static_assert (sizeof (struct cs_lock_disk) == 96, "lock record");
_Static_assert (offsetof (struct cs_lock_disk, host) == 24, "");
_Static_assert (offsetof (struct cs_lock_disk, crc) == 88, "");

#define SLOTS 2

uint32_t
cs_superblock_crc (const struct cs_superblock_disk *sb)
{
  return (uint32_t) crc32 (0, (const Bytef *) sb,
                           offsetof (struct cs_superblock_disk, crc));
}

void
cs_superblock_seal (struct cs_superblock_disk *sb)
{
  sb->crc = cs_superblock_crc (sb);
}

bool
cs_superblock_is_sealed (const struct cs_superblock_disk *sb)
{
  return sb->crc == cs_superblock_crc (sb) && sb->reserved3 == 0;
}

int
cs_superblock_write_slot (int fd, const struct cs_superblock_disk *sb,
                          int slot)
{
  return cs_file_write (fd, sb, sizeof *sb,
                        (uint64_t) slot * CS_STORE_SLOT_LEN);
}

int
cs_superblock_write (int fd, const struct cs_superblock_disk *sb)
{
  int r = cs_superblock_write_slot (fd, sb, 0);

  return r < 0 ? r : cs_superblock_write_slot (fd, sb, 1);
}

int
cs_superblock_replace (int fd, const struct cs_superblock_disk *sb)
{
  for (int slot = 0; slot < SLOTS; slot++)
    {
      int r = cs_superblock_write_slot (fd, sb, slot);

      if (r < 0)
        return r;
      if (cs_sys.fdatasync (fd) < 0)
        return -errno;
    }
  return 0;
}

/* The mark (A4).  */

static uint32_t
mark_crc (const struct cs_mark_disk *mark)
{
  return (uint32_t) crc32 (0, (const Bytef *) mark,
                           offsetof (struct cs_mark_disk, crc));
}

int
cs_mark_write (int fd, uint64_t generation, uint64_t applying)
{
  struct cs_mark_disk mark = {
    .generation = generation, .applying = applying
  };

  mark.crc = mark_crc (&mark);
  return cs_file_write (fd, &mark, sizeof mark, CS_STORE_MARK_OFF);
}

int
cs_mark_read (int fd, uint64_t generation, uint64_t *applying)
{
  struct cs_mark_disk mark;
  ssize_t n = cs_file_read (fd, &mark, sizeof mark, CS_STORE_MARK_OFF);

  *applying = n == sizeof mark && mark.crc == mark_crc (&mark)
              && mark.generation == generation ? mark.applying : 0;
  return n < 0 ? (int) n : 0;
}

void
cs_superblock_christen (struct cs_superblock_disk *sb)
{
  sb->created = time (NULL);
  if (getrandom (sb->uuid, sizeof sb->uuid, GRND_NONBLOCK)
      != sizeof sb->uuid)
    {
      /* Too early after boot for real randomness: still no two alike.  */
      struct timespec now;
      clock_gettime (CLOCK_REALTIME, &now);
      memcpy (sb->uuid, &now.tv_sec, 6);
      memcpy (sb->uuid + 8, &now.tv_nsec, 4);
      sb->uuid[12] = (uint8_t) getpid ();
    }
  sb->uuid[6] = (uint8_t) ((sb->uuid[6] & 0x0f) | 0x40);
  sb->uuid[8] = (uint8_t) ((sb->uuid[8] & 0x3f) | 0x80);
}

const char *
cs_store_uuid_text (const struct cs_superblock_disk *sb,
                    char text[CS_UUID_TEXT_LEN])
{
  char *p = text;

  for (int i = 0; i < 16; i++)
    p += sprintf (p, "%s%02x",
                  i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                  sb->uuid[i]);
  return text;
}

void
cs_superblock_init (struct cs_superblock_disk *sb,
                    const struct cs_store_params *params)
{
  memset (sb, 0, sizeof *sb);
  memcpy (sb->magic, CS_STORE_MAGIC, sizeof sb->magic);
  sb->version = CS_STORE_VERSION;
  sb->machine = params->machine;
  sb->word_len = params->word_len;
  sb->page_len = CS_STORE_PAGE_LEN;
  sb->base = params->base;
  sb->reserved = params->reserved;
  sb->history = CS_STORE_HISTORY;
  cs_superblock_christen (sb);
}

/* "superblock at offset OFF: FIELD: expected ..., found ...".  */
static int
wrong (struct cs_err *err, uint64_t off, const char *field,
       const char *expected, uint64_t found)
{
  return cs_err_set (err, CS_E_DAMAGED, "superblock at offset %" PRIu64
                     ": %s: expected %s, found %" PRIu64, off, field,
                     expected, found);
}

static int
advise_no_store (struct cs_err *err)
{
  return cs_err_advise (err, "this is not a store, or something was written "
                        "over its beginning");
}

const char *
cs_printable (const char *bytes, size_t len, char *text)
{
  char *p = text;

  *p = '\0';
  for (size_t i = 0; i < len; i++)
    p += sprintf (p, isprint ((unsigned char) bytes[i]) ? "%c" : "\\x%02x",
                  (unsigned char) bytes[i]);
  return text;
}

static int
wrong_magic (struct cs_err *err, uint64_t off, const char *magic)
{
  char text[8 * 4 + 1];

  cs_err_set (err, CS_E_DAMAGED, "superblock at offset %" PRIu64
              ": magic: expected '%s', found '%s'", off, CS_STORE_MAGIC,
              cs_printable (magic, 8, text));
  return advise_no_store (err);
}

/* Is the slot as it was written?  */
static int
check_slot (const struct cs_superblock_disk *sb, uint64_t off,
            struct cs_err *err)
{
  uint32_t crc = cs_superblock_crc (sb);

  if (memcmp (sb->magic, CS_STORE_MAGIC, sizeof sb->magic) != 0)
    return wrong_magic (err, off, sb->magic);
  if (sb->crc != crc)
    return cs_err_set (err, CS_E_DAMAGED, "superblock at offset %" PRIu64
                       ": CRC-32: expected 0x%08" PRIx32 ", found 0x%08"
                       PRIx32, off, crc, sb->crc);
  if (sb->reserved3 != 0)
    return wrong (err, off, "last field", "0", sb->reserved3);
  return 0;
}

/* Does the slot, which is as it was written, describe a possible store?  */
static int
check_values (const struct cs_superblock_disk *sb, uint64_t off,
              struct cs_err *err)
{
  uint64_t page = sb->page_len;

  if (page < 4096 || page > 65536 || (page & (page - 1)))
    return wrong (err, off, "page length", "a power of two from 4096 to 65536",
                  page);
  if (sb->word_len != 4 && sb->word_len != 8)
    return wrong (err, off, "word length", "4 or 8", sb->word_len);
  if (sb->base == 0 || sb->base % page)
    return wrong (err, off, "base", "the address of a page", sb->base);
  if (sb->reserved == 0 || sb->reserved % page
      || sb->reserved > (sb->word_len == 4 ? (uint64_t) 1 << 32
                         : CS_STORE_RESERVED_MAX)
      || sb->base > (sb->word_len == 4 ? (uint64_t) 1 << 32 : INT64_MAX)
         - sb->reserved)
    return wrong (err, off, "reserved length", "pages in the address space",
                  sb->reserved);
  if (sb->committed < page || sb->committed % page
      || sb->committed > sb->reserved)
    return wrong (err, off, "committed length",
                  "pages, at most the reserved length", sb->committed);
  if ((uint64_t) sb->log_start << 20 < sb->committed)
    return wrong (err, off, "start of the log", "behind the image",
                  sb->log_start);
  if (sb->directory != 0)
    return wrong (err, off, "directory", "0", sb->directory);
  if (sb->generation == 0)
    return wrong (err, off, "generation", "1 or more", 0);
  return 0;
}

int
cs_superblock_check (const struct cs_superblock_disk *sb, uint64_t off,
                     struct cs_err *err)
{
  if (sb->version != CS_STORE_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "format version: expected %d, "
                       "found %" PRIu32, CS_STORE_VERSION, sb->version);
  return check_values (sb, off, err);
}

static int
check_file_len (const struct cs_superblock_disk *sb, uint64_t off,
                uint64_t file_len, struct cs_err *err)
{
  uint64_t expected = cs_store_image_off (sb) + sb->committed;

  if (file_len >= expected)
    return 0;
  return cs_err_set (err, CS_E_DAMAGED, "superblock at offset %" PRIu64
                     ": committed length %" PRIu64 ": expected a file of at "
                     "least %" PRIu64 " bytes, found %" PRIu64, off,
                     sb->committed, expected, file_len);
}

/* The number of the slot in force; with none, -CS_E_DAMAGED for the first. */
static int
choose_slot (const struct cs_superblock_disk *slots[SLOTS],
             struct cs_err *err)
{
  int chosen = -1;

  for (int i = SLOTS - 1; i >= 0; i--)
    if (check_slot (slots[i], (uint64_t) i * CS_STORE_SLOT_LEN, err) == 0
        && (chosen < 0
            || slots[i]->generation >= slots[chosen]->generation))
      chosen = i;
  return chosen < 0 ? err->code : chosen;
}

int
cs_superblock_read (int fd, uint64_t file_len, struct cs_superblock_disk *sb,
                    struct cs_err *err)
{
  char buf[CS_STORE_SLOT_LEN + sizeof *sb]
    __attribute__ ((aligned (8))) = { 0 };
  const struct cs_superblock_disk *slots[SLOTS] = {
    (const struct cs_superblock_disk *) buf,
    (const struct cs_superblock_disk *) (buf + CS_STORE_SLOT_LEN)
  };
  ssize_t n = cs_file_read (fd, buf, sizeof buf, 0);
  int slot, r;

  if (n < 0)
    return cs_err_sys (err, (int) -n, "read superblocks");
  if ((size_t) n < sizeof *sb)
    {
      cs_err_set (err, CS_E_DAMAGED, "superblock at offset 0: expected %zu "
                  "bytes, found %zd", sizeof *sb, n);
      return advise_no_store (err);
    }
  slot = choose_slot (slots, err);
  if (slot < 0)
    return slot;
  *err = (struct cs_err) CS_ERR_INIT;   /* of a slot that is not needed */
  *sb = *slots[slot];
  r = cs_superblock_check (sb, (uint64_t) slot * CS_STORE_SLOT_LEN, err);
  return r < 0 ? r : check_file_len (sb, (uint64_t) slot * CS_STORE_SLOT_LEN,
                                     file_len, err);
}

int
cs_superblock_reread (const struct cs_store *store,
                      struct cs_superblock_disk *sb, struct cs_err *err)
{
  struct stat st;

  if (cs_sys.fstat (store->fd, &st) < 0)
    return cs_err_sys (err, errno, "status of the file");
  return cs_superblock_read (store->fd, (uint64_t) st.st_size, sb, err);
}

int
cs_superblock_check_native (const struct cs_superblock_disk *sb,
                            struct cs_err *err)
{
  long page_len = sysconf (_SC_PAGESIZE);

  if (sb->machine != CS_MACHINE_ELF || sb->word_len != sizeof (void *))
    return cs_err_set (err, CS_E_INCOMPATIBLE, "machine: expected %d with "
                       "words of %zu bytes (%s), found %d with words of %d "
                       "bytes", CS_MACHINE_ELF, sizeof (void *),
                       CS_MACHINE_NAME, sb->machine, sb->word_len);
  if (sb->page_len != CS_STORE_PAGE_LEN || page_len != CS_STORE_PAGE_LEN)
    return cs_err_set (err, CS_E_INCOMPATIBLE, "page length: expected %d in "
                       "system and store, found %ld and %" PRIu32,
                       CS_STORE_PAGE_LEN, page_len, sb->page_len);
  return 0;
}
