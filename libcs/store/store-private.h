/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store-private.h -- what the files of the store layer share.

   place.c        where a file is that is to be made or replaced
   file.c         opening, descriptors, reading and writing in full
   own.c          descriptors whose numbers the program has closed
   lock.c         one writer a store; nobody under whom the image changes
   superblock.c   the two slots
   sums.c         the table of page sums
   directory.c    S1 to S3; looking up and editing the extent table; sections
   region.c       the address range: reserving it, mapping a file into it
   space.c        the public operations on ranges
   detached.c     which pages are not mapped from the file
   read-ahead.c   bringing in what will be gone through
   dirty.c        which pages this process has written to
   watch.c        which of them it has written to since the last commit
   changes.c      which pages differ from the last commit
   record.c       the form in which pages lie in log and history
   log.c          commits that are not in the image yet
   settled.c      the note of what is on stable storage
   append.c       a commit on its way to the log
   direct.c       new pages of a commit, put into the image at once
   patch.c        pages to be found elsewhere than in the image
   commit.c       a new generation
   apply.c        from the log into the image
   apply-history.c  what that overwrites, into the history
   slice.c        long work beside commits and forks
   turn.c         the lock of those who change the file
   history.c      older generations
   history-files.c  their directory, and whose files are in it
   rewrite.c      a whole new file in place of the old
   new-file.c     a file that takes the store's name once it is complete
   clone.c        a copy under another name
   verify.c       everything that has a checksum
   repair.c       a store made of the newest generation that is whole
   backup.c       a store as a stream
   restore.c      a store out of streams
   stream.c       gzip streams
   hand-over.c    keeping it across execve()
   store.c        create, open, close, and what only looks  */
#ifndef CS_STORE_PRIVATE_H
#define CS_STORE_PRIVATE_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "store/pages.h"
#include "store/store.h"

#define CS_STORE_SLOT_LEN 4096          /* from one superblock to the next */
#define CS_STORE_EXTENTS_MAX 65536      /* capacity of a new extent table */
#define CS_STORE_RESERVED_MIN (16 << 20)
#define CS_STORE_RESERVED_MAX ((uint64_t) 1 << 44)      /* 2^32 pages */
#define CS_DIRECTORY_MAGIC "ColdDir"    /* 8 bytes with its NUL */
#define CS_LOCK_MAGIC "ColdLock"        /* 8 bytes, no terminator */
#define CS_WARNING_LEN 1024             /* with its NUL */

struct cs_append;
struct cs_patch;
struct cs_entry_disk;
struct iovec;
struct cs_record;
struct cs_record_disk;

/* What this process knows of the log; a writer guards it by `applying`.  */
struct cs_log
{
  uint32_t start;               /* as the superblock in the file has it */
  uint64_t first;               /* generation of the first record */
  uint64_t len;                 /* bytes of all records; 0: no log */
  bool settled;                 /* what was found in it is on stable
                                   storage (L6) */
  bool by_note;                 /* according to the note alone (L10) */
  bool clean;                   /* between image and log there are zeros, on
                                   stable storage (G3) */
  bool broken;                  /* not to be used any more (L5) */
  bool held_back;               /* not to be applied any more: a child that
                                   could not be given the readers' lock */
  uint64_t applying;            /* of the mark in force (A4); 0: none */
  uint64_t applied;             /* this process has put records up to this
                                   generation into the image, and synced that
                                   (A8); 0: none */
  uint64_t noted;               /* generation of the note (L11); 0: none */
  uint64_t noted_end;           /* end of the log that was synced (L10); 0: the
                                   note is of another file */
};

/* The watch over the region (watch.h).  */
struct cs_watch
{
  enum cs_watch_state
  {
    CS_WATCH_NOT_YET,           /* this process may end with its first commit */
    CS_WATCH_WANTED,
    CS_WATCH_BEGUN              /* or tried in vain */
  } state;
  int fd;                       /* -1: none */
  int pagemap;                  /* of dirty.h, kept open with it; -1: none */
  bool since_commit;            /* it has been kept since the last commit,
                                   over all that was mapped then */
};

/* The store's own descriptors, and what each was opened for (own.c).  */
enum
{
  CS_OWN_FILE, CS_OWN_MAPPED, CS_OWN_DIRECTORY, CS_OWN_WATCH, CS_OWN_PAGEMAP,
  CS_OWN_NR
};

struct cs_own
{
  dev_t dev;
  ino_t ino;
  int flags;                    /* of fcntl(F_GETFL), or 0 where they do not
                                   matter; -1: it was not open */
};

struct cs_store
{
  enum cs_store_mode mode;
  char *path;                   /* as given by the caller */
  int dirfd;                    /* the folder (O_PATH), -1 unless WRITE */
  char *name;                   /* in it, links resolved; NULL unless WRITE */
  char *place;                  /* the file's path, to open it again; NULL
                                   for READ */
  int fd;                       /* the last commit, or what a creation is
                                   going to replace; -1: none, or disowned */
  int map_fd;                   /* a writer's: the same file, opened again to
                                   be mapped (lock.c); -1: FD is mapped */
  int inherited;                /* from before execve(), not used yet; -1 */
  struct cs_own own[CS_OWN_NR];
  void *lock_page;              /* lock.c; NULL: none */
  cs_store_ignores *ignores;    /* NULL: every change is saved */
  bool created;                 /* by cs_store_create, not yet committed */
  pid_t owner;                  /* who may commit (S5); 0: nobody */
  char *image;                  /* the region, or the file (READ) */
  bool held;                    /* the region's free parts are ours:
                                   PROT_NONE; else RLIMIT_AS forbade that */
  uint64_t directory_len;       /* bytes at its start that are the directory
                                   with its extent table */
  struct cs_superblock_disk superblock;
  struct cs_lock_disk lock;     /* our own record */
  struct cs_log log;
  struct cs_patch *patches;     /* patch.c; NULL: none */
  uint64_t patch_pages;         /* pages that may have one; 0: no array */
  struct cs_patch_data *patch_data;     /* the same: what they lie in */
  struct cs_watch watch;
  char *copies;                 /* room of commits (append.c), kept as it costs
                                   to be given memory; NULL: not yet */
  struct cs_append *unsynced;   /* a commit that is written, and not yet made:
                                   in that room; under `applying`; NULL: none */
  struct cs_entry_disk *index;  /* the same, for all pages of the region; zeros
                                   but while there is a commit */
  char *view;                   /* the file again (changes.c) */
  uint64_t view_len;            /* 0: none */
  uint64_t *detached;           /* detached.c; NULL unless WRITE */
  bool salvage;                 /* take damage in the log for its end: not the
                                   newest generation is wanted */
  bool forget_history;          /* it belongs to a file that was replaced */
  bool relocated;               /* the region is mapped from an older file, with
                                   the same contents (W1) */
  uint8_t former_uuid[16];      /* of the superblock; what is to go into it, if
                                   the store is not published yet */
  char warning[CS_WARNING_LEN]; /* of cs_store_take_warning(); "": none */
  atomic_bool has_warned;       /* set under `applying` */
  bool names_synced;            /* this process has synced its folder, since
                                   it last made a name there */
  bool name_noted;              /* the file's name was synced, according to the
                                   note (L10) */
  void *share_page;             /* has the readers' lock for a child; NULL */
  pthread_mutex_t turn;         /* taken while waiting for the next (turn.c) */
  pthread_mutex_t applying;     /* taken before `mutex` */
  uint64_t applies;             /* how many applies have begun, or have lost what
                                   they worked on; under `applying` */
  bool at_work;                 /* a thread applies in slices; the same */
  pthread_mutex_t mutex;        /* guards the directory; see space.c */
  bool held_for_fork;           /* by cs_store_hold() */
  sigset_t mask;                /* of the thread in that */
};

/* The directory, and the extent table in it.  */
static inline struct cs_directory_disk *
cs_directory (const struct cs_store *store)
{
  return (struct cs_directory_disk *) store->image;
}

static inline struct cs_extent_disk *
cs_extent_table (const struct cs_store *store)
{
  return (struct cs_extent_disk *) (store->image
                                    + cs_directory (store)->extents_off);
}

static inline uint64_t
cs_extent_end (const struct cs_extent_disk *e)
{
  return e->off + e->len;
}

static inline bool
cs_extent_is_library (const struct cs_extent_disk *e)
{
  return (e->kind == CS_EXTENT_LIBRARY_DATA
          || e->kind == CS_EXTENT_LIBRARY_TEXT);
}

/* Do the contents of E belong to the file?  Those that nobody can access do
   not.  */
static inline bool
cs_extent_in_file (const struct cs_extent_disk *e)
{
  return (e->kind == CS_EXTENT_LIBRARY_DATA
          || (e->kind != CS_EXTENT_LIBRARY_TEXT && e->prot != 0));
}

static inline uint64_t
cs_round_up (uint64_t len, uint64_t unit)
{
  return (len + unit - 1) & -unit;
}

/* file.c */

/* Set dirfd and name of STORE from its path (place.h).  */
int cs_file_locate (struct cs_store *store, struct cs_err *err);

/* Open NAME in DIRFD with FLAGS and refuse all but regular files, without
   ever waiting (FIFO).  Returns a high, close-on-exec descriptor.  */
int cs_file_open (int dirfd, const char *name, int flags, struct stat *st,
                  struct cs_err *err);

/* hand-over.c: what cs_file_open() does, with the descriptor that STORE has
   inherited.  */
int cs_file_take_inherited (struct cs_store *store, struct stat *st,
                            struct cs_err *err);

/* Refuse a store that somebody else could have changed.  */
int cs_file_check_owner (const char *path, const struct stat *st,
                         struct cs_err *err);

/* Give the file with descriptor TO the mode, and if the system allows owner
   and group, of the one with FROM.  EXECUTABLE are the x bits that stand for
   reading, of a directory.  0 or -errno.  */
int cs_file_keep_owner (int from, int to, mode_t executable);

/* Does the store's name still lead to the file with descriptor FD?  1 yes,
   0 no (then *EXISTS says whether it leads to another), -errno.  */
int cs_file_is_current (const struct cs_store *store, int fd, bool *exists);

/* Take over FD and return a copy of it out of the interpreter's way, or with
   a number of LOWEST_WANTED at least (FD itself if there is none),
   close-on-exec.  */
int cs_file_move_high (int fd);
int cs_file_move (int fd, int lowest_wanted);

/* Close *FD unless it is -1, and set it to -1.  */
void cs_file_close (int *fd);

/* Sync the folder, unless this process has done so: the names of STORE and
   of its history may have been made by one who was killed before that.  0 or
   -errno.  */
int cs_file_sync_names (struct cs_store *store);

/* Read up to LEN bytes; short at the end of the file only.  The number of
   bytes, or -errno.  */
ssize_t cs_file_read (int fd, void *buf, size_t len, uint64_t off);

/* Fill the NR PARTS, which change meanwhile, from OFF on.  0 or -errno: -EIO if
   the file is too short.  */
int cs_file_read_parts (int fd, struct iovec *parts, int nr, uint64_t off);

/* Make LEN bytes, whole pages, read as zeros: a hole if that is possible.
   0 or -errno.  */
int cs_file_punch (int fd, uint64_t off, uint64_t len);

/* Open STORE's file again, for reading: another open file, with locks of its
   own.  A descriptor or -errno.  */
int cs_file_open_again (const struct cs_store *store);

/* Have a page that is going to be looked at come into the cache meanwhile: the
   processor goes on by itself in a page, but does not look ahead to the next.
   Asking for all of it takes longer than waiting.  PAGE may be anything.  */
static inline void
cs_page_prefetch (const char *page)
{
  __builtin_prefetch (page);
  __builtin_prefetch (page + 64);
}

/* own.c */

/* Note what STORE's descriptors lead to; after any of them was opened.  The
   second asks the system only about those that were opened or closed since,
   but not about one that was both.  */
void cs_own_note (struct cs_store *store);
void cs_own_note_new (struct cs_store *store);

/* Forget the numbers that no longer lead there, without closing them.  */
void cs_own_check (struct cs_store *store);

/* Does the number of the file still lead there?  It did all the time then: a
   number that the program has closed does not come back by itself.  */
bool cs_own_is_file (const struct cs_store *store);

/* The same, and open again what is lost.  Before what needs them.  0, also
   in a child, or -errno.  */
int cs_own_recover (struct cs_store *store);

/* The same for a caller that has not locked `applying`.  */
int cs_own_recover_alone (struct cs_store *store);

/* Say that cs_own_recover() failed with CODE.  */
int cs_own_refuse (const struct cs_store *store, int code,
                   struct cs_err *err);

/* Remember PATH as the place of STORE's file.  0 or -ENOMEM.  */
int cs_own_set_place (struct cs_store *store, const char *path);

/* turn.c: take the lock `applying`, in turn: who gives it back gets it again only
   after those who have waited.  Signals are blocked, or the caller is the one who
   stops threads.  The first waits for the end of a commit that is being synced; the
   second is for one who neither reads nor changes log and image (C2,
   commit.c).  */
void cs_applying_lock (struct cs_store *store);
void cs_applying_lock_beside (struct cs_store *store);
void cs_applying_unlock (struct cs_store *store);

/* lock.c */

/* Fill STORE's lock record with this process.  */
void cs_lock_init (struct cs_store *store);

/* Lock FD: 0, -CS_E_HELD with who holds it, or -errno.  Waits a little for
   children of a process that is gone.  */
int cs_lock_take (int fd, struct cs_err *err);

/* Write STORE's record to FD.  0 or -errno.  */
int cs_lock_record (const struct cs_store *store, int fd);

/* Have the locks on FD, whatever becomes of that number, by *PAGE, a mapping
   of it that children inherit only if INHERITED.  0 or -errno.  The second
   gives them up; *PAGE may be NULL.  */
int cs_lock_keep (int fd, bool inherited, void **page);
void cs_lock_leave (void **page);

/* Give up the lock on FD, also for those who inherited the descriptor.  */
void cs_lock_drop (int fd);

/* Share the readers' lock on FD with other readers; waits while the image is
   changed.  0; -CS_E_HELD, with the writer's name, if that takes longer than
   cs_lock_patience, or the writer has been stopped; or -errno.  ERR may be NULL.  */
int cs_lock_share (int fd, struct cs_err *err);

/* In milliseconds; nobody but a test writes to it.  An apply in one piece writes
   the whole log between two syncs, which takes seconds on a slow disk.  */
extern int cs_lock_patience;

/* Take the readers' lock, to change the image: 1, 0 if there are readers or one
   waits, -errno.  */
int cs_lock_readers (int fd);
void cs_lock_admit_readers (int fd);

/* superblock.c */

/* Fill SB for a new store.  */
void cs_superblock_init (struct cs_superblock_disk *sb,
                         const struct cs_store_params *params);

/* Set uuid and time of creation to new ones.  */
void cs_superblock_christen (struct cs_superblock_disk *sb);

/* Does SB, which is sealed, describe a possible store of this format?  OFF is
   where it lies, for the message.  */
int cs_superblock_check (const struct cs_superblock_disk *sb, uint64_t off,
                         struct cs_err *err);

/* LEN bytes, of a magic or a name, as they can be put into a message: TEXT,
   with room for 4 LEN + 1.  */
const char *cs_printable (const char *bytes, size_t len, char *text);

/* Set the CRC.  */
void cs_superblock_seal (struct cs_superblock_disk *sb);

/* What its CRC should be.  Is it, and what no CRC is of as it should be?  */
uint32_t cs_superblock_crc (const struct cs_superblock_disk *sb);
bool cs_superblock_is_sealed (const struct cs_superblock_disk *sb);

/* Write that the image of GENERATION may have pages of generations
   up to APPLYING (A4); read what is said of it, 0 if nothing.  0 or -errno.  */
int cs_mark_write (int fd, uint64_t generation, uint64_t applying);
int cs_mark_read (int fd, uint64_t generation, uint64_t *applying);

/* Read the superblock of STORE's file, which is that of the image, to SB.  */
int cs_superblock_reread (const struct cs_store *store,
                          struct cs_superblock_disk *sb, struct cs_err *err);

/* Write it to slot 0 or 1.  0 or -errno.  */
int cs_superblock_write_slot (int fd, const struct cs_superblock_disk *sb,
                              int slot);

/* Write it to both slots of a new file.  0 or -errno.  */
int cs_superblock_write (int fd, const struct cs_superblock_disk *sb);

/* Write it to one slot after the other, each synced: one of them is whole at
   any time (A3).  0 or -errno.  */
int cs_superblock_replace (int fd, const struct cs_superblock_disk *sb);

/* Read the superblock in force from FD and check it against FILE_LEN.  */
int cs_superblock_read (int fd, uint64_t file_len,
                        struct cs_superblock_disk *sb, struct cs_err *err);

/* Can this process map the store?  0 or -CS_E_INCOMPATIBLE.  */
int cs_superblock_check_native (const struct cs_superblock_disk *sb,
                                struct cs_err *err);

/* sums.c: sums of NR pages from PAGE on in the table; behind its end they
   are 0.  0 or -errno.  */
int cs_sums_read (int fd, uint64_t page, uint64_t nr, uint32_t *sums);
int cs_sums_write (int fd, uint64_t page, uint64_t nr, const uint32_t *sums);

/* patch.c */

static inline uint64_t
cs_region_pages (const struct cs_store *store)
{
  return store->superblock.reserved / CS_STORE_PAGE_LEN;
}

/* Zeroed memory of LEN bytes, given as it is touched; NULL: none.  The
   second may be called with NULL.  */
void *cs_scratch_map (uint64_t len);
void cs_scratch_unmap (void *scratch, uint64_t len);

/* Have an array for patches of the region's first PAGES pages; forget all; free
   it.  0 or -ENOMEM.  */
int cs_patch_prepare (struct cs_store *store, uint64_t pages);
void cs_patch_forget (struct cs_store *store);
void cs_patch_free (struct cs_store *store);

/* Forget the patches that lie in RECORD, of NR of its entries from FROM on; not
   those of newer records.  The array keeps its memory, which would have to be
   given again at the next commit, while the world stands still.  */
void cs_patch_leave (struct cs_store *store, const struct cs_record *record,
                     uint64_t from, uint64_t nr);

/* Map the data of RECORD, which has some, for as long as the store is open:
   *DATA.  0 or -errno.  */
int cs_patch_map (struct cs_store *store, const struct cs_record *record,
                  char **data);

/* Enter RECORD, which is loaded, over what was there.  Its data is at
   address DATA, or if that is NULL in the store's file.  */
void cs_patch_enter (struct cs_store *store, const struct cs_record *record,
                     const char *data);

bool cs_patch_exists (const struct cs_store *store, uint64_t page);

/* If there is one of PAGE, set *SUM to its sum.  */
void cs_patch_sum (const struct cs_store *store, uint64_t page,
                   uint32_t *sum);

/* Is PAGE the same in A and B, two generations of one file?  False if that
   would have to be looked up.  */
bool cs_patch_same (const struct cs_store *a, const struct cs_store *b,
                    uint64_t page);

/* The first page of [PAGE, END) with a patch; END if there is none.  */
uint64_t cs_patch_next (const struct cs_store *store, uint64_t page,
                        uint64_t end);

/* Where in the file the contents of PAGE are; UINT64_MAX: in none, or zeros.  */
uint64_t cs_patch_place (const struct cs_store *store, uint64_t page);

/* Copy the patches of [OFF, OFF + LEN) over the memory at TO, which begins
   with page OFF.  0 or -errno.  */
int cs_patch_overlay (const struct cs_store *store, char *to, uint64_t off,
                      uint64_t len);

/* Read NR pages from PAGE on, or their sums, as the generation in force has
   them: behind its image zeros (G1).  0 or -errno.  */
int cs_committed_read (const struct cs_store *store, uint64_t page,
                       uint64_t nr, char *buf);
int cs_committed_sums (const struct cs_store *store, uint64_t page,
                       uint64_t nr, uint32_t *sums);

/* detached.c */

int cs_detached_begin (struct cs_store *store);
void cs_detached_end (struct cs_store *store);

/* Note what the pages of [OFF, OFF + LEN) are from now on.  */
void cs_detached_set (struct cs_store *store, uint64_t off, uint64_t len,
                      bool detached);
bool cs_detached_get (const struct cs_store *store, uint64_t off);

/* Where the stretch of pages like the one at OFF ends, at END at last.  */
uint64_t cs_detached_stretch (const struct cs_store *store, uint64_t off,
                              uint64_t end);

/* log.c */

/* Where it begins in the file, and where its next record goes.  */
uint64_t cs_log_off (const struct cs_store *store);
uint64_t cs_log_end (const struct cs_store *store);

/* Read the log, if the file, whose status is ST, has one: the superblock in
   force is then that of its last record, and its pages are patches.  Errors:
   -CS_E_DAMAGED, -errno.  */
int cs_log_open (struct cs_store *store, const struct stat *st,
                 struct cs_err *err);

/* Would opening the store become slow if the log got longer (A5)?  */
bool cs_log_is_long (const struct cs_store *store);

/* The same up to generation LIMIT.  */
int cs_log_scan (struct cs_store *store, uint64_t limit, struct cs_err *err);

/* Does the log not reach what may be in the image (L9)?  */
bool cs_log_is_cut (const struct cs_store *store);

/* Where a log can begin behind an image of COMMITTED bytes that will grow.  */
uint32_t cs_log_start (uint64_t committed);

/* Move the log, which is empty, out of the way of an image of COMMITTED
   bytes.  */
int cs_log_move (struct cs_store *store, uint64_t committed,
                 struct cs_err *err);

/* Have on stable storage what this process has found in the file (L6).  If
   that fails, the log is broken.  */
int cs_log_settle (struct cs_store *store, struct cs_err *err);

/* If the log has been applied, give back what is behind the image.  What
   cannot be cut off does no harm; what may not be on stable storage is not cut
   off, or the next would not know (L6).  */
void cs_log_cut_off (struct cs_store *store);

/* Write zeros over the head at OFF.  0 or -errno.  */
int cs_log_wipe (const struct cs_store *store, uint64_t off);

/* settled.c */

/* Read the note, for a store whose file has the status ST.  0 or -errno.  */
int cs_settled_read (struct cs_store *store, const struct stat *st);

/* Write it, if this process knows that all was synced.  */
void cs_settled_write (struct cs_store *store);

/* Does the note speak of the store as it is?  */
bool cs_settled_covers (const struct cs_store *store);

/* Does it speak of the record with HEAD, which ends at END?  */
bool cs_settled_covers_record (const struct cs_store *store,
                               const struct cs_record_disk *head,
                               uint64_t end);

/* commit.c: what the superblock of the next generation is.  */
struct cs_superblock_disk
cs_commit_superblock (const struct cs_store *store);

/* rewrite.c: commit by writing a whole new file.  */
int cs_rewrite (struct cs_store *store, struct cs_err *err);

/* Move the last commit to a new file, which takes the name and has an empty
   log, with room for an image of COMMITTED bytes before it.  The history is
   kept.  For a writer whose readers keep the log from being applied; the world
   must be stopped.  */
int cs_relocate (struct cs_store *store, uint64_t committed,
                 struct cs_err *err);

/* clone.c: write image and sums of the last commit to FD, a new file, and set
   its length.  Takes memory from mmap(2) only.  If it is INTERRUPTIBLE, a
   waiting signal that asks the process to end makes it give up.  0 or
   -errno.  */
int cs_clone_pages (const struct cs_store *source, int fd,
                    bool interruptible);

/* apply.c: keep in the history what leads back from each record of the log.  */
int cs_apply_keep_history (struct cs_store *store, struct cs_err *err);

/* cs_store_apply() when it is already known to be allowed.  */
int cs_apply_unless_read (struct cs_store *store, struct cs_err *err);

/* STORE was opened to be written: if something stood in the way of its
   history, look again, and keep a warning if it still does.  */
void cs_apply_resume_history (struct cs_store *store);

/* directory.c */

/* Check all of a directory that can be checked without its extents: after
   it, the extent table is known to lie inside the committed image.  */
int cs_directory_check_head (const struct cs_directory_disk *d,
                             const struct cs_superblock_disk *sb,
                             struct cs_err *err);

/* Length in pages of directory and extent table together, in bytes.  */
uint64_t cs_directory_len (const struct cs_directory_disk *d);

/* Check S1 to S3 for the directory at IMAGE.  With COMMITTED also that what
   is in the file lies inside its committed length.  */
int cs_directory_check (const char *image,
                        const struct cs_superblock_disk *sb, bool committed,
                        struct cs_err *err);

/* Write an empty directory to the zero bytes at the start of the image.  */
void cs_directory_init (struct cs_store *store);

/* Index of the first extent that ends after OFF; nr_extents if none.  */
size_t cs_extent_index (const struct cs_store *store, uint64_t off);

/* The first part of [OFF, END) that is in use: *PIECE is the extent cut to
   it.  False if there is none.  */
bool cs_extent_next_used (const struct cs_store *store, uint64_t off,
                          uint64_t end, struct cs_extent_disk *piece);

/* The first part of [OFF, END) that is free.  */
bool cs_extent_next_free (const struct cs_store *store, uint64_t off,
                          uint64_t end, uint64_t *free_off,
                          uint64_t *free_len);

/* Lowest free range of LEN bytes at or after *OFF.  */
bool cs_extent_find_gap (const struct cs_store *store, uint64_t len,
                         uint64_t *off);

/* Is there room for the two entries more that an edit can need?  */
bool cs_extent_has_room (const struct cs_store *store);

/* Make the table say that [OFF, OFF + LEN) is free, or (PROT, KIND), merging
   with neighbours (S1, S2).  Needs cs_extent_has_room().  */
void cs_extent_set_free (struct cs_store *store, uint64_t off, uint64_t len);
void cs_extent_set (struct cs_store *store,
                    const struct cs_extent_disk *extent);

struct cs_section_disk *cs_section_find (const struct cs_store *store,
                                         const char *name);

/* Does [OFF, OFF + LEN) touch the directory or its extent table?  */
bool cs_directory_touches (const struct cs_store *store, uint64_t off,
                           uint64_t len);

/* Does it touch a section?  With PARTLY only those it does not cover.  */
bool cs_section_touches (const struct cs_store *store, uint64_t off,
                         uint64_t len, bool partly);

/* new-file.c */

struct cs_new_file
{
  int fd;                       /* read and write; -1 once it is published */
  int folder;                   /* the store's folder, to be synced */
  char name[NAME_MAX + 1];      /* in that folder; "" if it has none */
};

/* Create an empty file of mode 0600, less the umask, in STORE's folder.  End
   with cs_new_file_end(), but not when this fails.  */
int cs_new_file_begin (const struct cs_store *store, struct cs_new_file *file,
                       struct cs_err *err);

/* Give FILE, which must be complete and synced, the name of STORE, and let
   go of the file that had it (S4).  On success STORE takes over the
   descriptor.  */
int cs_new_file_publish (struct cs_store *store, struct cs_new_file *file,
                         struct cs_err *err);

/* Sync the folder after publishing.  */
int cs_new_file_settle (struct cs_new_file *file, struct cs_err *err);

/* Close FILE, and remove it unless it was published.  */
void cs_new_file_end (const struct cs_store *store, struct cs_new_file *file);

/* A write beyond RLIMIT_FSIZE sends SIGXFSZ besides failing; call this after
   a failure, with that signal blocked, lest it ends the process later.
   PENDING_BEFORE are those pending before the first write.  */
void cs_new_file_calm (const sigset_t *pending_before);

/* Fill FD, an empty file, with CONTEXT.  Returns 0 or an error.  */
typedef int cs_new_file_fill (void *context, int fd, struct cs_err *err);

/* All of the above: what FILL made, once it is synced, is STORE's file.  Call
   it after cs_store_claim().  Signals wait, so that none leaves a file behind;
   FILL looks now and then whether one is waiting that asks this process to
   end, and fails with -EINTR.  STORE's `created` is false when the new file
   has the name, also if what came after that failed.  */
int cs_new_file_make (struct cs_store *store, cs_new_file_fill *fill,
                      void *context, struct cs_err *err);
bool cs_new_file_interrupted (void);

/* store.c */

/* A store object without a file, and its end.  NULL: no memory.  */
struct cs_store *cs_store_new (const char *path, enum cs_store_mode mode);
void cs_store_free (struct cs_store *store);

/* Find the place of a store that is to be created: set dirfd, name, owner
   and the lock record.  If there is a file already: with FORCE lock it,
   without it refuse.  */
int cs_store_claim (struct cs_store *store, bool force, struct cs_err *err);

/* region.c */

/* What is to be mapped: a descriptor, or -1.  */
static inline int
cs_region_fd (const struct cs_store *store)
{
  return store->map_fd >= 0 ? store->map_fd : store->fd;
}

/* Take the region; unmap it again, when nothing but the directory was mapped
   or (if it is held) nothing but by this layer.  */
int cs_region_hold (struct cs_store *store, struct cs_err *err);
void cs_region_drop (struct cs_store *store);

/* Map [OFF, OFF + LEN) from FD, or zeros if FD is -1, where nothing but a
   reservation of ours may be.  ERR may be NULL: then nothing is allocated,
   and -EEXIST says that something is in the way.  */
int cs_region_map_new (struct cs_store *store, uint64_t off, uint64_t len,
                       int prot, int fd, struct cs_err *err);

/* The same over whatever is there.  0 or -errno.  */
int cs_region_map_over (struct cs_store *store, uint64_t off, uint64_t len,
                        int prot, int fd);

/* Copy the patches of what was just mapped from the file over it.  */
int cs_region_overlay (struct cs_store *store, uint64_t off, uint64_t len,
                       int prot, struct cs_err *err);

/* Map every extent of the directory, which lies mapped at the start of the
   region, from the committed file.  */
int cs_region_map_extents (struct cs_store *store, struct cs_err *err);

/* space.c */

/* Enter and leave a space operation; MASK is for the second.  */
void cs_space_enter (struct cs_store *store, sigset_t *mask);
void cs_space_leave (struct cs_store *store, const sigset_t *mask);

#endif
