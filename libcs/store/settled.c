/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* settled.c -- the note of what is on stable storage (L10, log.c).

   A writer that leaves knows that it has synced the file and the file's name.
   The next process cannot see that: the page cache shows what was written,
   synced or not.  So the writer leaves a note, behind its last sync, which needs
   no sync of its own: a power failure that takes the note back costs the next
   writer two syncs, and where the note is found, what it speaks of was synced
   before it was written.

   The note names the file by device and inode, and the name by the directory's
   inode: a copy has the same bytes, of which nothing may have been synced, and
   so has a file that was given another name.  Of a copy the note only says which
   generation it has (L11).  */

#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include "store/record.h"
#include "store/sys.h"

_Static_assert (sizeof (struct cs_settled_disk) == 48, "note");
_Static_assert (offsetof (struct cs_settled_disk, crc) == 44, "");
_Static_assert (CS_STORE_SETTLED_OFF
                == CS_STORE_MARK_OFF + sizeof (struct cs_mark_disk), "");

static uint32_t
note_crc (const struct cs_settled_disk *note)
{
  return (uint32_t) crc32 (0, (const Bytef *) note,
                           offsetof (struct cs_settled_disk, crc));
}

/* Fill in the name of a writer's store.  0 or -1.  */
static int
set_name (const struct cs_store *store, struct cs_settled_disk *note)
{
  struct stat st;

  if (!store->name || cs_sys.fstat (store->dirfd, &st) < 0)
    return -1;
  note->directory = st.st_ino;
  note->name_crc = (uint32_t) crc32 (0, (const Bytef *) store->name,
                                     (uInt) strlen (store->name));
  return 0;
}

int
cs_settled_read (struct cs_store *store, const struct stat *st)
{
  struct cs_settled_disk note, own = { .name_crc = 0 };
  ssize_t n = cs_file_read (store->fd, &note, sizeof note,
                            CS_STORE_SETTLED_OFF);

  if (n < 0)
    return (int) n;
  if (n < (ssize_t) sizeof note || note.crc != note_crc (&note))
    return 0;
  store->log.noted = note.generation;
  if (note.dev != st->st_dev || note.ino != st->st_ino)
    return 0;
  store->log.noted_end = note.end;
  store->name_noted = store->mode == CS_STORE_WRITE
                      && set_name (store, &own) == 0
                      && own.directory == note.directory
                      && own.name_crc == note.name_crc;
  return 0;
}

/* A failure means that the next writer syncs.  */
void
cs_settled_write (struct cs_store *store)
{
  struct cs_settled_disk note = {
    .generation = store->superblock.generation, .end = cs_log_end (store)
  };
  struct stat st;

  if (store->log.broken || !store->log.settled || store->log.applying > 0
      || !(store->names_synced || store->name_noted)
      || (store->name_noted && cs_settled_covers (store))
      || cs_sys.fstat (store->fd, &st) < 0 || set_name (store, &note) < 0)
    return;
  note.dev = st.st_dev;
  note.ino = st.st_ino;
  note.crc = note_crc (&note);
  if (cs_file_write (store->fd, &note, sizeof note, CS_STORE_SETTLED_OFF) < 0)
    return;
  store->name_noted = true;
  store->log.noted = note.generation;
  store->log.noted_end = note.end;
}

bool
cs_settled_covers (const struct cs_store *store)
{
  return (store->log.noted == store->superblock.generation
          && store->log.noted_end == cs_log_end (store));
}

bool
cs_settled_covers_record (const struct cs_store *store,
                          const struct cs_record_disk *head, uint64_t end)
{
  uint64_t generation = head->superblock.generation;

  return (generation < store->log.noted
          ? end < store->log.noted_end
          : generation == store->log.noted && end == store->log.noted_end);
}
