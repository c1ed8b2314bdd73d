/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* read-ahead.c -- bringing in what will be gone through.

   A collection looks at the whole heap, in an order in which the kernel cannot
   read ahead well: of a file that is not in the page cache it reads each page
   when it is looked at.  So the file is read before, in its own order and in large
   pieces.  Holes are left out, as reading them fills memory with zeros.

   The file is opened once more for this: the descriptors that are there belong to
   commits, and their numbers to the program (own.c).  */

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/store-private.h"
#include "store/sys.h"

/* What is asked for at a time.  */
#define PIECE_LEN ((uint64_t) 4 << 20)
#define PIECE_PAGES (PIECE_LEN / CS_STORE_PAGE_LEN)

/* The open file, if it is still the one that is mapped; or -1.  */
static int
open_mapped (const struct cs_store *store)
{
  const struct cs_own *own = &store->own[CS_OWN_FILE];
  int fd = store->place && !store->relocated
           ? open (store->place, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
  struct stat st;

  if (fd >= 0 && (fstat (fd, &st) != 0 || st.st_dev != own->dev
                  || st.st_ino != own->ino))
    {
      close (fd);
      return -1;
    }
  return fd;
}

/* Is an eighth of [OFF, OFF + LEN), which is a piece at most, not in memory?  */
static bool
is_missing (const struct cs_store *store, uint64_t off, uint64_t len)
{
  unsigned char resident[PIECE_PAGES];
  uint64_t nr = len / CS_STORE_PAGE_LEN, missing = 0;

  if (mincore (store->image + off, (size_t) len, resident) != 0)
    return false;
  for (uint64_t i = 0; i < nr; i++)
    missing += !(resident[i] & 1);
  return missing > nr / 8;
}

/* The first part of [OFF, END) that belongs to the heap, a piece at most.  */
static bool
next_piece (struct cs_store *store, uint64_t off, uint64_t end,
            struct cs_extent_disk *piece)
{
  sigset_t mask;
  bool found;

  cs_space_enter (store, &mask);
  do
    {
      found = cs_extent_next_used (store, off, end, piece);
      off = found ? cs_extent_end (piece) : end;
    }
  while (found && (piece->kind != CS_EXTENT_HEAP
                   || !(piece->prot & PROT_READ)));
  cs_space_leave (store, &mask);
  if (found && piece->len > PIECE_LEN)
    piece->len = PIECE_LEN;
  return found;
}

/* Bring in what is missing of [OFF, END), which has no holes.  Returns how many
   bytes were asked for.  */
static uint64_t
read_range (struct cs_store *store, int fd, uint64_t off, uint64_t end)
{
  uint64_t image = cs_store_image_off (&store->superblock), asked = 0;
  struct cs_extent_disk piece;

  for (; off < end && next_piece (store, off, end, &piece);
       off = cs_extent_end (&piece))
    if (is_missing (store, piece.off, piece.len)
        && posix_fadvise (fd, (off_t) (image + piece.off), (off_t) piece.len,
                          POSIX_FADV_WILLNEED) == 0)
      asked += piece.len;
  return asked;
}

/* Does what is on disk fit into AVAILABLE bytes?  */
static bool
fits (int fd, uint64_t available)
{
  struct stat st;

  return fstat (fd, &st) == 0 && (uint64_t) st.st_blocks * 512 <= available;
}

uint64_t
cs_store_read_ahead (struct cs_store *store, uint64_t available)
{
  uint64_t image = cs_store_image_off (&store->superblock), asked = 0;
  uint64_t end = image + store->superblock.committed;
  int fd = open_mapped (store);
  off_t data = fd >= 0 && fits (fd, available)
               ? lseek (fd, (off_t) image, SEEK_DATA) : -1;

  while (data >= 0 && (uint64_t) data < end)
    {
      off_t hole = lseek (fd, data, SEEK_HOLE);
      uint64_t stop = hole < 0 || (uint64_t) hole > end ? end
                      : (uint64_t) hole;

      asked += read_range (store, fd, (uint64_t) data - image, stop - image);
      data = hole < 0 ? -1 : lseek (fd, hole, SEEK_DATA);
    }
  if (fd >= 0)
    close (fd);
  return asked;
}
