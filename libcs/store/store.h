/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.h -- the store file: superblocks, mapping, extents, sections, commit.

   A store is one file that holds the pages of one address range, the
   *region*: [base, base + reserved).  The same page lies at the same address
   in every process.  This layer knows nothing of ELF or of Guile.

   The file (all numbers little-endian on every machine supported so far;
   the superblock's machine field says whose they are):

     offset 0       superblock, slot A        4096 bytes
     offset 4096    superblock, slot B        4096 bytes
     offset 8192    lock record (struct cs_lock_disk): who opened the store
                    for writing last
     offset 65536   page sums: 4 bytes for each page of the region, 0 for one
                    that is all zeros, otherwise its CRC-32 (1 if that is 0)
     IMAGE          the image: byte ADDR of the region is at file offset
                    IMAGE + (ADDR - base), where IMAGE is
                    cs_store_image_off()
     IMAGE + log_start MiB
                    the log (log.c): commits that are not in the image yet;
                    cut off when it was put into the image

   Never-used ranges of sums and image are holes.

   The first page of the image is the directory (struct cs_directory_disk):
   sections (named areas for the layers above) and where the extent table is
   (which ranges are in use, with what protection).  Both are part of the
   image, in its first extent, so they commit with everything else.  In the
   mapping modes they are used in place.

   Memory: ranges of the image that exist in the committed file are mapped
   MAP_PRIVATE from it, everything newer is anonymous; nothing reaches the
   file but through cs_store_commit().

   A commit appends the pages that changed to the log; cs_store_apply() puts
   them into the image afterwards, when nobody else has it mapped.  A process
   that leaves the store leaves them in the log, unless that has become long.
   The pages that an apply overwrites go to the folder NAME-history first
   (history.c), so that the last generations can be opened again.

   Numbered invariants.  S1 to S3 are kept by store.c and space.c, checked by
   cs_store_check() and named by the tests; L1 to L11 are in log.c, R1 and R2
   in record.h, A1 to A8 in apply.c, H1 and H2 in history.h, B1 to B6 in
   backup.h.

   S1  Extents are sorted by offset, page-aligned, not empty, do not overlap,
       and lie inside the reserved range.
   S2  Two neighbours that touch differ in kind or protection.
   S3  Every section lies inside one extent that is in the file, and so do,
       in the first one (offset 0, CS_EXTENT_DIRECTORY, readable and
       writable), the directory and its extent table.
   S4  A file gets the store's name by rename(2) or link(2) when it holds a
       complete commit and was synced.
   S5  Only the process that took the lock commits; a forked child never.  */
#ifndef CS_STORE_H
#define CS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CS_STORE_MAGIC "ColdStor"       /* 8 bytes, no terminator */
#define CS_STORE_VERSION 3
#define CS_STORE_LOCK_OFF 8192
#define CS_STORE_SUMS_OFF 65536
#define CS_STORE_PAGE_LEN 4096

struct cs_store;

/* One superblock slot as it lies in the file.  The slot with the larger
   generation among those whose CRC is right is the one in force.  Magic,
   version and CRC keep their places in every version.  */
struct cs_superblock_disk
{
  char magic[8];                /* CS_STORE_MAGIC */
  uint32_t version;             /* CS_STORE_VERSION */
  uint16_t machine;             /* EM_... of ELF */
  uint8_t word_len;             /* 4 or 8 */
  uint8_t reserved0;
  uint32_t page_len;            /* CS_STORE_PAGE_LEN */
  uint32_t history_wanted;      /* as many again once they can be kept; 0:
                                   nothing stands in the way */
  uint64_t base;                /* address of the region */
  uint64_t reserved;            /* its length */
  uint64_t generation;          /* 1 for the first commit */
  uint64_t committed;           /* length of the image in the file */
  uint64_t directory;           /* offset of the directory in the image: 0 */
  int64_t created;              /* seconds since 1970 */
  int64_t committed_at;         /* the same, of this generation */
  uint8_t uuid[16];             /* names the store through all generations */
  uint32_t history;             /* older generations to keep */
  uint32_t log_start;           /* of the log, in MiB from that of the image;
                                   not inside the committed image */
  uint8_t former_uuid[16];      /* of the store that this one has replaced,
                                   while the history may still be of that;
                                   zeros: it is not */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
  uint32_t reserved3;           /* 0 */
};

/* The mark: the image may have pages of newer generations than its own, as the
   log is being put into it.  It counts while GENERATION is the superblock's.  */
#define CS_STORE_MARK_OFF 8288

struct cs_mark_disk
{
  uint64_t generation;          /* of the image before */
  uint64_t applying;            /* the newest it may have pages of */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
  uint32_t reserved;            /* 0 */
};

/* The note of who left the store last (settled.c): image and log, which ended at
   END with generation GENERATION, were synced, and so was the file's name.  A
   copy of the file has the note too: DEV and INO are not the copy's.  */
#define CS_STORE_SETTLED_OFF 8312

struct cs_settled_disk
{
  uint64_t generation;
  uint64_t end;                 /* of the log: offset in the file */
  uint64_t dev;                 /* the file: st_dev and st_ino of stat(2) */
  uint64_t ino;
  uint64_t directory;           /* st_ino of the directory that has its name */
  uint32_t name_crc;            /* CRC-32 of the name there */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
};

/* Where the image begins in the file.  */
static inline uint64_t
cs_store_image_off (const struct cs_superblock_disk *sb)
{
  uint64_t sums = sb->reserved / CS_STORE_PAGE_LEN * sizeof (uint32_t);

  return CS_STORE_SUMS_OFF + (sums + CS_STORE_PAGE_LEN - 1)
                             / CS_STORE_PAGE_LEN * CS_STORE_PAGE_LEN;
}

/* The lock record.  The lock itself is an OFD lock on these bytes; they tell
   who has it, if it is held, and mean nothing otherwise.  */
struct cs_lock_disk
{
  char magic[8];                /* "ColdLock" */
  int64_t pid;
  int64_t since;                /* seconds since 1970 */
  char host[64];                /* as uname(2) names it, NUL-terminated */
  uint32_t crc;                 /* CRC-32 of all bytes before this field */
  uint32_t reserved;
};

/* What a range of the region is for.  */
enum cs_extent_kind
{
  CS_EXTENT_DIRECTORY = 1,      /* directory and sections */
  CS_EXTENT_HEAP = 2,           /* what the interpreter mapped */
  CS_EXTENT_LIBRARY_DATA = 3,   /* writable data of a carried library: in the
                                   file, but mapped by cs_store_map_extent()
                                   only, after the library was loaded */
  CS_EXTENT_LIBRARY_TEXT = 4    /* kept free for a carried library: never in
                                   the file, never mapped by this layer */
};

struct cs_extent_disk
{
  uint64_t off;                 /* offset in the region, page-aligned */
  uint64_t len;                 /* bytes, page-aligned, not 0 */
  uint32_t prot;                /* PROT_READ | ... of mmap(2) */
  uint32_t kind;                /* enum cs_extent_kind */
};

struct cs_section_disk
{
  char name[8];                 /* padded with NULs, not terminated */
  uint64_t off;                 /* offset in the region, page-aligned */
  uint64_t len;                 /* bytes, page-aligned */
};

#define CS_STORE_SECTIONS_MAX 32

struct cs_directory_disk
{
  char magic[8];                /* "ColdDir\0" */
  uint32_t nr_sections;
  uint32_t nr_extents;
  uint64_t extents_off;         /* the extent table: offset in the region */
  uint64_t extents_max;         /* its capacity in entries */
  struct cs_section_disk sections[CS_STORE_SECTIONS_MAX];
};

#define CS_STORE_HISTORY 8      /* generations kept, if not set otherwise */
#define CS_STORE_NEWEST UINT64_MAX
#define CS_STORE_SALVAGE (UINT64_MAX - 1)       /* the newest before damage */

enum cs_store_mode
{
  CS_STORE_WRITE,               /* mapped at its base, locked, may commit */
  CS_STORE_EPHEMERAL,           /* mapped at its base, not locked, never
                                   commits */
  CS_STORE_READ                 /* mapped read-only anywhere, for inspection:
                                   only the view functions may be used */
};

struct cs_store_params
{
  uint16_t machine;             /* EM_... */
  uint8_t word_len;             /* 4 or 8 */
  uint64_t base;                /* page-aligned */
  uint64_t reserved;            /* page-aligned; at least 16 MiB */
};

/* Make an empty store for PATH and map it, as CS_STORE_WRITE does.  Nothing
   appears under PATH before the first cs_store_commit(); until then the data
   is in memory only.  If PATH exists: without FORCE -CS_E_REFUSED; with FORCE
   it is locked now and replaced by the first commit, unless it is held
   (-CS_E_HELD) or is not a regular file (-CS_E_REFUSED).  A file that
   appears under PATH between creation and first commit is never replaced:
   that commit fails with -CS_E_REFUSED.  The new file has mode 0600, less
   the umask.
   Errors: -CS_E_REFUSED with the name of the mapping when the region's range
   is in use in this process; -CS_E_INCOMPATIBLE when MACHINE is not the one
   libcs was built for; -EINVAL for impossible BASE and RESERVED; -errno.  */
int cs_store_create (const char *path, const struct cs_store_params *params,
                     bool force, struct cs_store **store,
                     struct cs_err *err);

/* Make the file TO a copy of the store FROM as it was at GENERATION
   (cs_store_open_at()): the same generation and contents, but with a uuid and a
   time of creation of its own, not locked, of mode 0600 less the umask.  Nothing
   is mapped at its base.
   Blocks are shared where the file system can; holes stay holes.  FROM may
   be held by a writer, and may be of any machine.  TO appears when it is
   complete and on stable storage; an existing file is treated as by
   cs_store_create().  Signals wait, but one that would end the process ends
   the copying: -EINTR.
   Errors: those of cs_store_open() with CS_STORE_READ for FROM;
   -CS_E_REFUSED when others can write to it; those of cs_store_create() and
   of the first cs_store_commit() for TO.  */
int cs_store_clone (const char *from, uint64_t generation, const char *to,
                    bool force, struct cs_err *err);

/* Open the store at PATH, as it was at GENERATION: CS_STORE_NEWEST, or, not
   for CS_STORE_WRITE, one that cs_store_history() lists, or CS_STORE_SALVAGE:
   if a record of the log is damaged, the generation before it.
   Errors, besides -errno: -CS_E_DAMAGED (not a store, truncated, no valid
   superblock, a directory that breaks S1 to S3: structure, offset, expected,
   found); -CS_E_INCOMPATIBLE (format version; with the mapping modes also
   machine or page size; CS_STORE_READ takes any machine); -CS_E_HELD
   (CS_STORE_WRITE: pid, host and since when); -CS_E_REFUSED (no such
   generation is kept; not a regular
   file; mapping modes: owned by neither this user nor root, or writable by
   group or others; region occupied).
   Call it, and cs_store_create(), before the process has threads: moving a
   descriptor up makes the kernel grow the descriptor table, and with threads
   that waits for an RCU grace period, which takes milliseconds.  */
int cs_store_open_at (const char *path, enum cs_store_mode mode,
                      uint64_t generation, struct cs_store **store,
                      struct cs_err *err);

/* The same in a program that was executed by one that had the store open
   with the same mode: FD is what cs_store_hand_over() returned there.  The
   call takes it over.  */
int cs_store_open_inherited (const char *path, enum cs_store_mode mode,
                             uint64_t generation, int fd,
                             struct cs_store **store, struct cs_err *err);

/* The same for CS_STORE_NEWEST.  */
int cs_store_open (const char *path, enum cs_store_mode mode,
                   struct cs_store **store, struct cs_err *err);

/* Release lock, descriptors and, for CS_STORE_READ, the mapping.  A region
   mapped at its base stays mapped: code may still run in it.  NULL is
   allowed.  */
void cs_store_close (struct cs_store *store);

/* Before execve(): wait until nobody commits or applies, keep others from it,
   and let a descriptor be inherited that has the store's locks.  Returns it,
   or -errno.  If the execution fails, take it back, in the same thread.  */
int cs_store_hand_over (struct cs_store *store);
void cs_store_take_back (struct cs_store *store);

/* Put a name into PATH, of LEN bytes, that leads to the store's file from
   the current folder: the one it was opened by if that does, too.  0, or
   -ENOENT if there is none any more.  */
int cs_store_find_path (const struct cs_store *store, char *path,
                        size_t len);

/* In a forked child: forget lock and descriptors, so that the child can
   neither hold nor write the store (S5).  It keeps, until it ends or
   executes something, what cs_store_hold() took for it, so that the image
   does not change under it (L4).  Ends what cs_store_hold() began, if that
   was called before the fork.  The child goes on using and
   changing the region in its own memory; the functions on ranges work, all
   but cs_store_map_extent().  Async-signal-safe.  */
void cs_store_disown (struct cs_store *store);

/* Around a fork(2), where other threads may be changing the region: hold in
   the parent before it, as the last lock to be taken (after libgc's);
   release in the parent after it, in the same thread; disown in the child.
   In between the thread may not use the functions on ranges, and signals
   are blocked.  Waits for an apply under way, but for no more than a slice of
   cs_store_apply_beside().  */
void cs_store_hold (struct cs_store *store);
void cs_store_release (struct cs_store *store);

/* Append what has changed since the last commit to the store's log, and sync
   it.  When it returns 0 the new generation is on stable storage; if nothing
   has changed there is no new one.  Otherwise the last commit stands and the
   store may be used further, and committed again.
   The first commit of a store that was created writes a whole new file and
   gives it the store's name (S4).  So do commits after the log could not be
   synced, when the name is gone, when the address space is too small to look
   for changes, and when RLIMIT_FSIZE leaves no room for the log; the new file
   keeps mode and, if the system allows, owner and group of the old one, but
   not its history.  One failure is different for these: if only the sync of
   the directory fails, at the very end, the new generation is in force and
   complete, but which of the two a power failure leaves is open; the text says
   so.
   Where readers keep the log from being applied, and it is longer than 64 MiB
   and than the image, the last commit first moves to a new file, history kept;
   the readers go on with the old one.
   No other thread may write to the region meanwhile.  Signals wait.  Takes
   no memory, neither from the region nor from libc, but on failure.
   Pages of zeros become holes.  Pages without PROT_READ are made readable
   meanwhile.  The contents of PROT_NONE ranges are not saved: they will read
   as zeros after the next open.  Ranges of CS_EXTENT_LIBRARY_DATA are saved
   from memory; pages of them that are not mapped keep their last commit.
   Errors: -CS_E_REFUSED (opened without CS_STORE_WRITE; forked child; the
   name has gone to another file), -errno.  */
int cs_store_commit (struct cs_store *store, struct cs_err *err);

/* The same in two parts, between which others may write to the region again: the
   first has found and copied what changed, the second brings that to stable
   storage, and only then is it committed.  The second is called in any case where
   the first has returned 0, by a thread that nobody stops in between, without
   locks: other commits wait for it.  Where a new file had to be written the first
   has done all.  */
int cs_store_commit_begin (struct cs_store *store, struct cs_err *err);
int cs_store_commit_end (struct cs_store *store, struct cs_err *err);

/* The owner of the memory: does a page at ADDR, of which the last commit has
   THEN, and which now holds NOW, mean the same to the next process?  It is then
   not saved, but stays as it is in this one.  Called by a commit, for pages that
   have changed: no other thread runs, it may not allocate, and may use no
   function on ranges but cs_store_holds().  */
typedef bool cs_store_ignores (const char *addr, const char *now,
                               const char *then);
void cs_store_set_ignores (struct cs_store *store, cs_store_ignores *ignores);

/* For that function: can LEN bytes at ADDR be read in the region?  */
bool cs_store_holds (const struct cs_store *store, uint64_t addr, size_t len);

/* Put the commits of the log into the image, after what they overwrite was
   put into the history.  May run in any thread, and take as long as writing
   and syncing the changed pages does; a commit or a fork waits for it (but see
   cs_store_apply_beside).  Returns 0 also if the apply has to be left for later
   because another process reads the store.
   After a failure all commits are in the log still, and nothing is lost; the
   next call tries again.  Errors: -CS_E_REFUSED (as cs_store_commit),
   -CS_E_DAMAGED (the log is not as it was written), -errno.  */
int cs_store_apply (struct cs_store *store, struct cs_err *err);

/* Can what is in a store in its directory be executed by this process?  An
   interpreter is: -CS_E_REFUSED with what forbids it and what helps.  */
int cs_store_check_executable (const struct cs_store *store,
                               struct cs_err *err);

/* What the user should know of what did not fail: the store goes on, but
   without older generations.  Puts it into TEXT, of LEN bytes; false if there
   is nothing.  Told once a run, after cs_store_open() or cs_store_apply().  */
bool cs_store_take_warning (struct cs_store *store, char *text, size_t len);

/* The same, if the log has become long, or the history has to be looked after
   (A5).  */
int cs_store_apply_if_due (struct cs_store *store, struct cs_err *err);

/* The same in slices of a millisecond, beside commits and forks: these wait for
   one slice at most.  A fork's child, or another process that reads, holds the
   apply up.  The apply also takes the commits that come while it works.
   Afterwards the calling thread has descriptors of its own (cs_store_separate), and
   must end.  The other functions that apply wait for the end of this one.  */
int cs_store_apply_beside (struct cs_store *store, struct cs_err *err);

/* The same as cs_store_apply() for one who wants a store that is all image: the
   space of an empty log is given back.  */
int cs_store_settle (struct cs_store *store, struct cs_err *err);

/* For the end of a run: the same if the log has become long; otherwise the
   commits stay in the log, where they are on stable storage already, and the
   next process is told so (L10).  */
int cs_store_leave (struct cs_store *store, struct cs_err *err);

/* From the next commit on keep NR generations before the newest one
   (CS_STORE_HISTORY is the default; 0: none).  */
void cs_store_set_history (struct cs_store *store, uint32_t nr);

/* One generation that can be opened.  */
struct cs_generation
{
  uint64_t generation;
  int64_t committed_at;         /* seconds since 1970 */
  uint64_t changed;             /* pages its commit changed; 0: not known */
};

/* Copies up to MAX generations, newest first, to LIST; returns how many
   there are.  */
size_t cs_store_history (const struct cs_store *store,
                         struct cs_generation *list, size_t max);

/* The same as a list of all, to be given to free(); NULL without memory.  */
struct cs_generation *cs_store_generations (const struct cs_store *store,
                                            size_t *nr);

/* Length of the log in bytes: of what is not in the image yet, as far as the
   store is open.  The number of its commits goes to *COMMITS.  */
uint64_t cs_store_log_len (const struct cs_store *store, uint64_t *commits);

/* What the store's file takes up on disk, in bytes; 0 if that cannot be
   asked.  */
uint64_t cs_store_disk_usage (const struct cs_store *store);

/* The superblock in force: that of the last commit (generation 0 before the
   first).  Lent until the store is closed.  */
const struct cs_superblock_disk *cs_store_superblock (const struct cs_store *);

/* The uuid of SB as text.  Returns TEXT.  */
#define CS_UUID_TEXT_LEN 37
const char *cs_store_uuid_text (const struct cs_superblock_disk *sb,
                                char text[CS_UUID_TEXT_LEN]);

/* The name given when it was opened.  Lent.  */
const char *cs_store_path (const struct cs_store *);

/* Is FD one of the store's own descriptors?  A number that the program has
   closed and used for another file is not.  */
bool cs_store_owns_descriptor (const struct cs_store *store, int fd);

/* The lowest of them that is LOWEST or more, or -1.  */
int cs_store_next_descriptor (const struct cs_store *store, int lowest);

/* Give the calling thread descriptors of its own, the store's and standard
   error: what other threads close or open is nothing to it, and it keeps
   nothing open for them.  For a thread that ends after cs_store_apply().
   False where the kernel cannot do that (before Linux 5.9): nothing changes.  */
bool cs_store_separate (const struct cs_store *store);

/* If FD is one of the store's own descriptors, move that elsewhere, so that
   the number can be used for something else; waits for a commit of another
   thread.  Returns 0, or -EMFILE.  */
int cs_store_yield_descriptor (struct cs_store *store, int fd);

/* Ranges.  All lengths are rounded up to pages; addresses must be
   page-aligned.  Thread-safe, and fit to be called from inside a garbage
   collector: they take one lock, with signals blocked, and no memory.  They
   write only to the directory.  Those that return an int return 0 or
   -errno: -EINVAL for what is not a range or would break S3 (directory and
   sections cannot be unmapped or replaced, and a section's protection only
   changes as a whole and to something readable, writable or executable);
   -ENOMEM when the range is not in the region, is not in use where it must
   be, or the extent table is full; -EEXIST when a region that RLIMIT_AS did
   not let us reserve has something foreign there; -EPERM for
   CS_STORE_READ.  */

/* Map LEN zero bytes with protection PROT anywhere in the region, lowest
   free address first.  Returns NULL with errno ENOMEM when the region or the
   extent table is full.  */
void *cs_store_map (struct cs_store *store, size_t len, int prot,
                    enum cs_extent_kind kind);

/* The same at ADDR, which must lie in the region.  What was there is
   replaced by zeros, as MAP_FIXED does.  CS_EXTENT_LIBRARY_TEXT only claims
   the range, and CS_EXTENT_LIBRARY_DATA (which must be readable) claims it
   for the file: neither is mapped here.  What is free or the store's own in
   such a range is unmapped, so that ld.so can use it; what a library claimed
   before is left as it is, so that a part of LIBRARY_TEXT can be turned into
   LIBRARY_DATA after loading.  */
int cs_store_map_at (struct cs_store *store, void *addr, size_t len,
                     int prot, enum cs_extent_kind kind);

/* Give back a range, which may span extents and free space.  It is unmapped
   (or held by a PROT_NONE reservation) and becomes a hole at the next
   commit.  Libraries there must have been unloaded.  */
int cs_store_unmap (struct cs_store *store, void *addr, size_t len);

/* Change protection, as mprotect(2).  All of the range must be in use.  */
int cs_store_protect (struct cs_store *store, void *addr, size_t len,
                      int prot);

/* Make the range read as zeros again, as MADV_DONTNEED does for anonymous
   memory (for a private file mapping the kernel would bring the file's old
   contents back).  Keeps protection and kind.  All of the range must be in
   use, and not LIBRARY_TEXT.  */
int cs_store_clear (struct cs_store *store, void *addr, size_t len);

/* Is ADDR inside the region (used or not)?  */
bool cs_store_contains (const struct cs_store *store, const void *addr);

/* Does it lie there, or where the image is mapped a second time to be looked
   at?  Async-signal-safe.  */
bool cs_store_maps (const struct cs_store *store, const void *addr);

/* All of the heap will be gone through: have the kernel read what is not in
   memory of the store's file, in large pieces, but no holes; nothing if what the
   file has on disk is more than AVAILABLE bytes.  Returns how many bytes were
   asked for.  Fit to be called from inside a garbage collector, as the functions
   on ranges.  */
uint64_t cs_store_read_ahead (struct cs_store *store, uint64_t available);

/* Map the committed contents of the CS_EXTENT_LIBRARY_DATA extent that holds
   [ADDR, ADDR + LEN) over whatever is mapped there (MAP_FIXED), with its
   protection.  For a resume: before the program runs, so that nobody has
   taken the store's descriptor, which is not looked at again (D2).  -EINVAL
   if there is no such extent in the last commit; -EBADF after
   cs_store_disown().  */
int cs_store_map_extent (struct cs_store *store, void *addr, size_t len,
                         struct cs_err *err);

/* Put LEN bytes of the image, which begin at FROM, at address TO too, with
   protection PROT, over whatever is mapped there: from the committed file
   if they are in it, otherwise a copy.  FROM's bytes must not change while
   the mapping is used.  All page-aligned.  For a resume, as before.  Returns 0
   or -errno.  */
int cs_store_map_copy (struct cs_store *store, void *to, const void *from,
                       size_t len, int prot, struct cs_err *err);

/* Copies up to MAX extents in order to EXTENTS; returns how many there
   are.  */
size_t cs_store_extents (struct cs_store *store,
                         struct cs_extent_disk *extents, size_t max);

/* Sections: named page-aligned areas of the image.  NAME has at most 8
   characters.  */

/* Make section NAME of LEN zero bytes (rounded up to pages).  -EEXIST if
   there is one, -ENOSPC if the directory is full, -ENOMEM.  *ADDR is its
   address in the region.  */
int cs_store_section_create (struct cs_store *store, const char *name,
                             size_t len, int prot, void **addr);

/* Find section NAME.  Returns its data, readable in every mode, and sets
   *LEN; NULL if there is none.  In the mapping modes the pointer is the
   section's address in the region.  Lent until the store is closed.  */
void *cs_store_section (const struct cs_store *store, const char *name,
                        size_t *len);

/* The extent that the address ADDR lies in, NULL if it lies in none.  Takes no lock:
   no other thread may use the functions on ranges.  Lent until one is used.  */
const struct cs_extent_disk *cs_store_extent_at (const struct cs_store *store,
                                                 uint64_t addr);

/* A pointer to LEN bytes at region address ADDR, in every mode; NULL unless
   the range lies in one extent that is in the file (CS_STORE_READ) or in
   memory and readable.  Whether libraries are loaded is the caller's
   business.  Lent until the store is closed.  */
const void *cs_store_view (const struct cs_store *store, uint64_t addr,
                           size_t len);

/* A place in a store's files where something is not as it was written.  */
struct cs_damage
{
  const char *structure;        /* "superblock", "page", "log" (an unfinished
                                   commit), "log record" (a commit's pages), or
                                   "history" */
  uint64_t off;                 /* in the file; the generation of "history" */
  uint64_t addr;                /* in the region, of "page" */
  uint32_t expected, found;     /* checksums, where they say something */
};

typedef void cs_store_damage (void *closure, const struct cs_damage *damage);

/* Check everything in the store's files that has a checksum, for a store
   opened with CS_STORE_READ; FOUND is called for each thing that is wrong.
   Returns 0 if all could be read, whatever was found; -errno.  */
int cs_store_verify (struct cs_store *store, cs_store_damage *found,
                     void *closure, struct cs_err *err);

/* The first page of the generation that is open which is not as it was
   written, or (-errno) which cannot be read: 1, 0 if there is none.  In any
   mode.  Async-signal-safe.  */
int cs_store_find_damage (struct cs_store *store, struct cs_damage *damage);

struct cs_repair
{
  bool damaged;                 /* was there anything to repair? */
  uint64_t found;               /* the newest generation that can be read */
  uint64_t generation;          /* the newest that is whole */
  char kept[1024];              /* where the damaged store is now */
};

/* Put in place of the store at PATH one made of its newest generation whose
   pages are all right, if the store is damaged; keep the damaged one and its
   history under another name beside it.  The new store has a uuid of its
   own, and no history.
   Errors: -CS_E_DAMAGED (no generation is whole; nothing was changed); those
   of cs_store_open() with CS_STORE_WRITE, and of cs_store_clone().  */
int cs_store_repair (const char *path, struct cs_repair *repair,
                     struct cs_err *err);

/* Check S1 to S3.  Returns 0 or -CS_E_DAMAGED.  */
int cs_store_check (const struct cs_store *store, struct cs_err *err);

#endif
