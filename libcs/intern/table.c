/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* table.c -- the intern table as a block of bytes, in memory and in a file.

   .cst file, and the head of the store's section "intern" (little-endian):

     offset  bytes
          0      8  "ColdTab\0"
          8      4  version, 1
         12      2  machine (EM_...)
         14      2  0
         16      8  length of the whole block
         24      4  entries in use
         28      4  entries there is room for
         32      4  bytes of strings in use
         36      4  bytes of strings there is room for
         40      8  address of the trampolines, 0 in a file
         48      8  address of the slots, 0 in a file
         56      4  CRC-32 of the block with these four bytes 0; 0 in a store
         60      4  0
         64     48  each entry
                    the strings

   Strings are shared: a library's name is stored once.  */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "intern/table.h"
#include "store/place.h"

_Static_assert (sizeof (struct cs_table_disk) == 64, "table header");
_Static_assert (offsetof (struct cs_table_disk, machine) == 12, "machine");
_Static_assert (offsetof (struct cs_table_disk, len) == 16, "len");
_Static_assert (offsetof (struct cs_table_disk, count) == 24, "count");
_Static_assert (offsetof (struct cs_table_disk, capacity) == 28, "capacity");
_Static_assert (offsetof (struct cs_table_disk, strings_len) == 32, "strings");
_Static_assert (offsetof (struct cs_table_disk, strings_max) == 36, "strings");
_Static_assert (offsetof (struct cs_table_disk, code_addr) == 40, "code");
_Static_assert (offsetof (struct cs_table_disk, slots_addr) == 48, "slots");
_Static_assert (offsetof (struct cs_table_disk, crc) == 56, "crc");
_Static_assert (sizeof (struct cs_table_entry_disk) == 48, "entry");
_Static_assert (offsetof (struct cs_table_entry_disk, kind) == 12, "kind");
_Static_assert (offsetof (struct cs_table_entry_disk, size) == 16, "size");
_Static_assert (offsetof (struct cs_table_entry_disk, value) == 24, "value");
_Static_assert (offsetof (struct cs_table_entry_disk, offset) == 32, "offset");
_Static_assert (offsetof (struct cs_table_entry_disk, line) == 40, "line");
_Static_assert (offsetof (struct cs_table_entry_disk, hash) == 44, "hash");

/* No table is larger; keeps a damaged length from filling the memory.  */
#define TABLE_LEN_MAX (1u << 30)

size_t
cs_table_len (uint32_t capacity, uint32_t strings_max)
{
  return sizeof (struct cs_table_disk)
    + (size_t) capacity * sizeof (struct cs_table_entry_disk) + strings_max;
}

static char *
strings (const struct cs_table_disk *table)
{
  return (char *) table + cs_table_len (table->capacity, 0);
}

struct cs_table_entry_disk *
cs_table_entry (const struct cs_table_disk *table, uint32_t i)
{
  return (struct cs_table_entry_disk *) (table + 1) + i;
}

const char *
cs_table_string (const struct cs_table_disk *table, uint32_t off)
{
  return off < table->strings_len ? strings (table) + off : "";
}

void
cs_table_init (void *block, uint16_t machine, uint32_t capacity,
               uint32_t strings_max)
{
  struct cs_table_disk *table = block;

  memcpy (table->magic, CS_TABLE_MAGIC, sizeof table->magic);
  table->version = CS_TABLE_VERSION;
  table->machine = machine;
  table->len = cs_table_len (capacity, strings_max);
  table->capacity = capacity;
  table->strings_max = strings_max;
  table->strings_len = strings_max ? 1 : 0;
}

/* FNV-1a over the library, a NUL, and the name.  */
static uint32_t
hash (const char *library, const char *name)
{
  uint32_t h = 2166136261u;

  for (; *library; library++)
    h = (h ^ (unsigned char) *library) * 16777619u;
  h *= 16777619u;
  for (; *name; name++)
    h = (h ^ (unsigned char) *name) * 16777619u;
  return h;
}

static bool
entry_is (const struct cs_table_disk *table,
          const struct cs_table_entry_disk *entry, const char *library,
          const char *name)
{
  return !strcmp (cs_table_string (table, entry->name), name)
    && !strcmp (cs_table_string (table, entry->library), library);
}

/* Checking.  */

static int
damaged (struct cs_err *err, const char *name, const char *what, size_t off,
         unsigned long long expected, unsigned long long found)
{
  return cs_err_set (err, CS_E_DAMAGED,
                     "intern table '%.300s' is damaged: %s at offset %zu: "
                     "expected %#llx, found %#llx", name, what, off, expected,
                     found);
}

static int
check_header (const struct cs_table_disk *table, size_t len, const char *name,
              struct cs_err *err)
{
  uint64_t parts;

  if (len < sizeof *table)
    return cs_err_set (err, CS_E_DAMAGED,
                       "intern table '%.300s' is damaged: its header has %zu "
                       "bytes, expected %zu", name, len, sizeof *table);
  if (memcmp (table->magic, CS_TABLE_MAGIC, sizeof table->magic))
    return cs_err_set (err, CS_E_DAMAGED,
                       "'%.300s' is not an intern table: no magic '"
                       CS_TABLE_MAGIC "' at offset 0", name);
  if (table->version != CS_TABLE_VERSION)
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "intern table '%.300s' has format version %u, this "
                       "release knows version %u", name, table->version,
                       CS_TABLE_VERSION);
  if (table->len != len)
    return damaged (err, name, "length", offsetof (struct cs_table_disk, len),
                    len, table->len);
  /* Not cs_table_len(): a size_t may be too small for what is no table.  */
  parts = sizeof *table + table->strings_max
          + (uint64_t) table->capacity * sizeof (struct cs_table_entry_disk);
  if (parts != len)
    return damaged (err, name, "capacity",
                    offsetof (struct cs_table_disk, capacity), len, parts);
  if (table->count > table->capacity)
    return damaged (err, name, "number of entries",
                    offsetof (struct cs_table_disk, count), table->capacity,
                    table->count);
  if (table->strings_len > table->strings_max)
    return damaged (err, name, "length of strings",
                    offsetof (struct cs_table_disk, strings_len),
                    table->strings_max, table->strings_len);
  if (!cs_arch_find (table->machine))
    return cs_err_set (err, CS_E_INCOMPATIBLE,
                       "intern table '%.300s' is for ELF machine %u, which "
                       "this release does not know", name, table->machine);
  return 0;
}

static uint32_t
block_crc (const struct cs_table_disk *table, size_t len)
{
  struct cs_table_disk header = *table;

  header.crc = 0;
  return crc32 (crc32 (0, (const Bytef *) &header, sizeof header),
                (const Bytef *) (table + 1), len - sizeof header);
}

static int
check_crc (const struct cs_table_disk *table, size_t len, const char *name,
           struct cs_err *err)
{
  uint32_t crc = block_crc (table, len);

  if (crc == table->crc)
    return 0;
  return damaged (err, name, "CRC-32", offsetof (struct cs_table_disk, crc),
                  crc, table->crc);
}

static size_t
entry_off (uint32_t i, size_t field)
{
  return cs_table_len (i, 0) + field;
}

/* T2, and T4 after it.  */
static int
check_entry (const struct cs_table_disk *table, uint32_t i, const char *name,
             struct cs_err *err)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (table, i);
  const uint32_t offs[] = { entry->name, entry->library, entry->symver };
  uint32_t h;
  unsigned k;

  for (k = 0; k < 3; k++)
    if (offs[k] >= table->strings_len)
      return damaged (err, name, "string of an entry", entry_off (i, 4 * k),
                      table->strings_len, offs[k]);
  if (!*cs_table_string (table, entry->name))
    return cs_err_set (err, CS_E_DAMAGED,
                       "intern table '%.300s' is damaged: entry %u at offset "
                       "%zu has no name", name, i, entry_off (i, 0));
  if (entry->kind < CS_SYMBOL_FUNCTION || entry->kind > CS_SYMBOL_OTHER)
    return damaged (err, name, "kind of an entry",
                    entry_off (i, offsetof (struct cs_table_entry_disk, kind)),
                    CS_SYMBOL_FUNCTION, entry->kind);
  h = hash (cs_table_string (table, entry->library),
            cs_table_string (table, entry->name));
  if (h != entry->hash)
    return damaged (err, name, "hash of an entry",
                    entry_off (i, offsetof (struct cs_table_entry_disk, hash)),
                    h, entry->hash);
  return 0;
}

static int
check_entries (const struct cs_table_disk *table, const char *name,
               struct cs_err *err)
{
  const char *text = strings (table);
  uint32_t i;
  int r = 0;

  if (table->strings_len == 0)
    return damaged (err, name, "length of strings",
                    offsetof (struct cs_table_disk, strings_len), 1, 0);
  if (text[0] || text[table->strings_len - 1])
    return damaged (err, name, "end of strings",
                    cs_table_len (table->capacity, 0)
                    + (text[0] ? 0 : table->strings_len - 1), 0,
                    (unsigned char) (text[0] ? text[0]
                                     : text[table->strings_len - 1]));
  for (i = 0; i < table->count && r == 0; i++)
    r = check_entry (table, i, name, err);
  return r;
}

/* T3, with a hash table of entry numbers that is at most half full.  */
static int
check_unique (const struct cs_table_disk *table, const char *name,
              struct cs_err *err)
{
  size_t places = 16, at;
  uint32_t *seen, i;
  int r = 0;

  while (places < 2 * (size_t) table->count)
    places *= 2;
  seen = calloc (places, sizeof *seen);
  if (!seen)
    return cs_err_sys (err, ENOMEM, "cannot check intern table '%.300s'",
                       name);
  for (i = 0; i < table->count && r == 0; i++)
    {
      const struct cs_table_entry_disk *entry = cs_table_entry (table, i);
      const char *library = cs_table_string (table, entry->library);
      const char *symbol = cs_table_string (table, entry->name);

      for (at = entry->hash % places; seen[at]; at = (at + 1) % places)
        if (entry_is (table, cs_table_entry (table, seen[at] - 1), library,
                      symbol))
          r = cs_err_set (err, CS_E_DAMAGED,
                          "intern table '%.200s' is damaged: entries %u and "
                          "%u both are '%.200s' of '%.100s'", name,
                          seen[at] - 1, i, symbol, library);
      seen[at] = i + 1;
    }
  free (seen);
  return r;
}

int
cs_table_check_header (const void *block, size_t len, const char *name,
                       struct cs_err *err)
{
  const struct cs_table_disk *table = block;
  int r = check_header (table, len, name, err);

  if (r == 0 && (table->strings_len == 0
                 || strings (table)[table->strings_len - 1] != '\0'))
    r = cs_err_set (err, CS_E_DAMAGED,
                    "'%.300s' is damaged: the intern table's strings do not"
                    " end", name);
  return r;
}

int
cs_table_check (const void *block, size_t len, const char *name,
                struct cs_err *err)
{
  const struct cs_table_disk *table = block;
  int r = check_header (table, len, name, err);

  if (r == 0 && table->crc)
    r = check_crc (table, len, name, err);
  if (r == 0)
    r = check_entries (table, name, err);
  if (r == 0)
    r = check_unique (table, name, err);
  return r;
}

/* Finding and adding.  */

long
cs_table_find (const struct cs_table_disk *table, const char *library,
               const char *name)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (table, 0);
  uint32_t h = hash (library, name), i;

  for (i = 0; i < table->count; i++)
    if (entry[i].hash == h && entry_is (table, &entry[i], library, name))
      return i;
  return -ENOENT;
}

/* The offset of a library's name or a version that an entry already has, or
   0.  The last entry is the likeliest to have it.  */
static uint32_t
find_shared (const struct cs_table_disk *table, const char *text)
{
  const struct cs_table_entry_disk *entry = cs_table_entry (table, 0);
  uint32_t i, library = 0, symver = 0;

  for (i = table->count; i-- > 0;)
    {
      if (entry[i].library != library)
        {
          library = entry[i].library;
          if (!strcmp (cs_table_string (table, library), text))
            return library;
        }
      if (entry[i].symver != symver)
        {
          symver = entry[i].symver;
          if (!strcmp (cs_table_string (table, symver), text))
            return symver;
        }
    }
  return 0;
}

/* Append TEXT, for which there is room.  */
static uint32_t
append_string (struct cs_table_disk *table, const char *text)
{
  uint32_t off = table->strings_len;
  size_t len = strlen (text) + 1;

  memcpy (strings (table) + off, text, len);
  table->strings_len += len;
  return off;
}

static uint32_t
share_string (struct cs_table_disk *table, const char *text)
{
  uint32_t off = *text ? find_shared (table, text) : 0;

  return off || !*text ? off : append_string (table, text);
}

/* Bytes of strings that an entry adds.  */
static size_t
room_needed (const struct cs_table_disk *table, const char *library,
             const char *name, const char *symver)
{
  size_t len = strlen (name) + 1;

  if (*library && !find_shared (table, library))
    len += strlen (library) + 1;
  if (*symver && !find_shared (table, symver))
    len += strlen (symver) + 1;
  return len;
}

long
cs_table_add (struct cs_table_disk *table, const char *library,
              const char *name, const char *symver,
              const struct cs_table_entry_disk *fields)
{
  long found = cs_table_find (table, library, name);
  struct cs_table_entry_disk *entry;

  if (found >= 0)
    return found;
  if (table->count == table->capacity
      || room_needed (table, library, name, symver)
      > table->strings_max - table->strings_len)
    return -ENOSPC;
  entry = cs_table_entry (table, table->count);
  *entry = *fields;
  entry->library = share_string (table, library);
  entry->symver = share_string (table, symver);
  entry->name = append_string (table, name);
  entry->hash = hash (library, name);
  return table->count++;
}

int
cs_table_copy (struct cs_table_disk *to, const struct cs_table_disk *from)
{
  uint32_t i;

  for (i = 0; i < from->count; i++)
    {
      const struct cs_table_entry_disk *entry = cs_table_entry (from, i);
      long r = cs_table_add (to, cs_table_string (from, entry->library),
                             cs_table_string (from, entry->name),
                             cs_table_string (from, entry->symver), entry);

      if (r < 0)
        return r;
    }
  return 0;
}

/* Files.  */

static int
write_all (int fd, const void *data, size_t len)
{
  const char *at = data;

  while (len > 0)
    {
      ssize_t n = write (fd, at, len);

      if (n < 0 && errno != EINTR)
        return -errno;
      if (n > 0)
        {
          at += n;
          len -= n;
        }
    }
  return 0;
}

/* Write the block as it lies in a file, and make it durable.  Closes FD.  */
static int
write_block (int fd, const struct cs_table_disk *table)
{
  struct cs_table_disk header = *table;
  uint32_t crc;
  int r;

  header.code_addr = header.slots_addr = 0;
  header.crc = 0;
  crc = crc32 (0, (const Bytef *) &header, sizeof header);
  header.crc = crc32 (crc, (const Bytef *) (table + 1),
                      table->len - sizeof header);
  r = write_all (fd, &header, sizeof header);
  if (r == 0)
    r = write_all (fd, table + 1, table->len - sizeof header);
  if (r == 0 && fsync (fd) < 0)
    r = -errno;
  if (close (fd) < 0 && r == 0)
    r = -errno;
  return r;
}

/* Make the rename in the directory durable.  */
static int
sync_directory (int dirfd)
{
  int fd = openat (dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

  /* A directory that may be written but not read cannot be synced.  */
  if (fd < 0)
    return errno == EACCES ? 0 : -errno;
  if (fsync (fd) < 0 && errno != EINVAL)
    r = -errno;
  close (fd);
  return r;
}

/* Create a file of a new name beside PLACE; *NAME is given.  */
static int
open_temporary (const struct cs_place *place, char **name)
{
  unsigned i;
  int fd = -1;

  for (i = 0; i < 100 && fd < 0; i++)
    {
      if (asprintf (name, "%s.%ld.%u.tmp", place->name, (long) getpid (), i)
          < 0)
        {
          *name = NULL;
          return -ENOMEM;
        }
      fd = openat (place->dirfd, *name, O_WRONLY | O_CREAT | O_EXCL
                   | O_NOFOLLOW | O_CLOEXEC, 0666);
      if (fd >= 0)
        break;
      free (*name);
      *name = NULL;
      if (errno != EEXIST)
        break;
    }
  return fd >= 0 ? fd : -errno;
}

/* May the file at PLACE be replaced?  Only nothing, an empty file and a table
   may: a user who confuses two options must not lose a workspace.  PATH is for
   messages.  */
static int
check_replaced (const struct cs_place *place, const char *path,
                struct cs_err *err)
{
  int fd = openat (place->dirfd, place->name, O_RDONLY | O_CLOEXEC
                   | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  char magic[sizeof CS_TABLE_MAGIC] = "";
  struct stat st;
  bool is_regular, is_table;

  if (fd < 0)
    return errno == ENOENT ? 0
      : cs_err_sys (err, errno, "cannot write table '%.300s'", path);
  is_regular = fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  is_table = is_regular
    && (st.st_size == 0
        || (read (fd, magic, sizeof magic) == sizeof magic
            && memcmp (magic, CS_TABLE_MAGIC, sizeof magic) == 0));
  close (fd);
  if (is_table)
    return 0;
  if (!is_regular)
    return cs_err_set (err, CS_E_REFUSED,
                       "cannot write table '%.300s': not a regular file",
                       path);
  cs_err_set (err, CS_E_REFUSED, "cannot write table '%.300s': the file there"
              " is no table", path);
  return cs_err_advise (err, "remove it, or choose another name; symbols are"
                        " added to a store with --store");
}

/* Write a new file and give it PLACE's name.  0 or -errno.  */
static int
replace (const struct cs_table_disk *table, const struct cs_place *place)
{
  char *name = NULL;
  int fd = open_temporary (place, &name), r = fd;

  if (fd >= 0)
    {
      r = write_block (fd, table);
      if (r == 0
          && renameat (place->dirfd, name, place->dirfd, place->name) < 0)
        r = -errno;
      if (r < 0)
        unlinkat (place->dirfd, name, 0);
      else
        r = sync_directory (place->dirfd);
    }
  free (name);
  return r;
}

int
cs_table_write (const struct cs_table_disk *table, const char *path,
                struct cs_err *err)
{
  struct cs_place place = CS_PLACE_INIT;
  int r = cs_place_find (path, &place, err);

  if (r < 0)
    cs_err_prefix (err, "cannot write table '%.300s'", path);
  if (r == 0)
    r = check_replaced (&place, path, err);
  if (r == 0)
    {
      r = replace (table, &place);
      if (r < 0)
        cs_err_sys (err, -r, "cannot write table '%.300s'", path);
    }
  cs_place_leave (&place);
  return r;
}

/* Read the LEN bytes of the file at FD into a new block.  */
static int
read_block (int fd, size_t len, void **block)
{
  size_t got = 0;

  *block = malloc (len + 1);
  if (!*block)
    return -ENOMEM;
  while (got < len)
    {
      ssize_t n = read (fd, (char *) *block + got, len - got);

      if (n < 0 && errno != EINTR)
        return -errno;
      if (n == 0)
        return -EIO;
      if (n > 0)
        got += n;
    }
  return 0;
}

/* Open PATH and check that it can be a table; *LEN is its length.  */
static int
open_table (const char *path, size_t *len, struct cs_err *err)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;

  if (fd < 0)
    return cs_err_sys (err, errno, "cannot open table '%.300s'", path);
  if (fstat (fd, &st) < 0)
    cs_err_sys (err, errno, "cannot read table '%.300s'", path);
  else if (!S_ISREG (st.st_mode))
    cs_err_set (err, CS_E_REFUSED,
                "cannot read table '%.300s': not a regular file", path);
  else if (st.st_size < (off_t) sizeof (struct cs_table_disk)
           || st.st_size > TABLE_LEN_MAX)
    cs_err_set (err, CS_E_DAMAGED,
                "'%.300s' is not an intern table: it has %lld bytes, "
                "expected %zu to %u", path, (long long) st.st_size,
                sizeof (struct cs_table_disk), TABLE_LEN_MAX);
  else
    {
      *len = st.st_size;
      return fd;
    }
  close (fd);
  return err ? err->code : -CS_E_DAMAGED;
}

int
cs_table_read (const char *path, struct cs_table_disk **table,
               struct cs_err *err)
{
  struct cs_err local = CS_ERR_INIT;
  void *block = NULL;
  size_t len = 0;
  int fd, r;

  *table = NULL;
  if (!err)
    err = &local;
  fd = open_table (path, &len, err);
  if (fd < 0)
    return fd;
  r = read_block (fd, len, &block);
  if (r < 0)
    cs_err_sys (err, -r, "cannot read table '%.300s'", path);
  close (fd);
  if (r == 0)
    r = check_header (block, len, path, err);
  /* In a file the CRC always counts, even if the field is 0.  */
  if (r == 0)
    r = check_crc (block, len, path, err);
  if (r == 0)
    r = cs_table_check (block, len, path, err);
  if (r < 0)
    {
      free (block);
      return r;
    }
  *table = block;
  (*table)->crc = 0;
  return 0;
}
