/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-archive.c -- files that a store carries.  */

#include <elf.h>
#include <link.h>
#include <sys/resource.h>

#include "process-fixture.h"

#include "process/archive.h"

/* What the interpreter of the tests takes: 4.6.  */
#define OURS (4u << 16 | 6)

static char folder[4096];

/* PATH below the case's folder, which the paths in an archive begin with.  */
static const char *
whole (const char *path)
{
  static char buffers[4][8192];
  static size_t next;
  char *buffer = buffers[next++ % 4];

  snprintf (buffer, sizeof *buffers, "%s/%s", folder, path);
  return buffer;
}

static void
write_bytes (const char *path, const void *bytes, size_t len)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  CHECK (fd >= 0 && write (fd, bytes, len) == (ssize_t) len);
  CHECK (close (fd) == 0);
}

/* An ELF file as Guile's compiler writes it, as far as the loader's check of
   its version goes.  */
static void
write_code (const char *path, uint32_t version, int class)
{
  struct
  {
    ElfW (Ehdr) header;
    ElfW (Phdr) segment;
    ElfW (Dyn) dynamic[2];
  } code = {
    .header = { .e_phoff = sizeof (ElfW (Ehdr)), .e_phnum = 1,
                .e_phentsize = sizeof (ElfW (Phdr)) },
    .segment = { .p_type = PT_DYNAMIC, .p_filesz = sizeof code.dynamic },
    .dynamic = { { .d_tag = 0x37146003 } }
  };

  memcpy (code.header.e_ident, ELFMAG, SELFMAG);
  code.header.e_ident[EI_CLASS] = (unsigned char) class;
  code.header.e_ident[EI_DATA] = ELFDATA2LSB;
  code.segment.p_offset = (size_t) ((char *) code.dynamic - (char *) &code);
  code.dynamic[0].d_un.d_val = version;
  write_bytes (path, &code, sizeof code);
}

#define NATIVE (sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32)

static void
make_files (void)
{
  static char large[300000];
  struct timespec times[2] = { { 1000, 5 }, { 1234567, 89 } };

  CHECK (getcwd (folder, sizeof folder));
  CHECK (mkdir ("source", 0700) == 0 && mkdir ("source/inner", 0700) == 0);
  CHECK (mkdir ("code", 0700) == 0 && mkdir ("other", 0700) == 0);
  memset (large, 'x', sizeof large);
  write_bytes ("source/a.scm", "(a)", 3);
  write_bytes ("source/empty.scm", "", 0);
  write_bytes ("source/inner/large.scm", large, sizeof large);
  write_bytes ("source-not", "no", 2);
  write_code ("code/a.go", OURS, NATIVE);
  write_bytes ("documentation", "words", 5);
  CHECK (utimensat (AT_FDCWD, "source/a.scm", times, 0) == 0);
}

static void
make_archive (void)
{
  char source[8192], code[8192], inner[8192], words_file[8192];
  const char *roots[] = { source, code, inner, words_file };
  struct cs_err err = CS_ERR_INIT;

  strcpy (source, whole ("source"));
  strcpy (code, whole ("code"));
  strcpy (inner, whole ("source/inner"));       /* twice, and once only */
  strcpy (words_file, whole ("documentation"));
  CHECK (cs_archive_create (cs_process.store, roots, 4, &err) == 0);
}

static void
begin_with_archive (void)
{
  begin ();
  make_files ();
  make_archive ();
  strcpy (words->text, folder);
}

/* What PATH says when it is opened as libguile opens it.  */
static ssize_t
contents (const char *path, char *out, size_t len)
{
  int fd = cs_numbers_open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n;

  if (fd < 0)
    return -1;
  n = read (fd, out, len);
  CHECK (fcntl (fd, F_GETFD) == FD_CLOEXEC);
  CHECK (cs_numbers_close (fd) == 0);
  return n;
}

static void
says (const char *path, const char *text)
{
  char bytes[64];

  CHECK (contents (path, bytes, sizeof bytes) == (ssize_t) strlen (text));
  CHECK (memcmp (bytes, text, strlen (text)) == 0);
}

static void
leave_archive (void)
{
  begin_with_archive ();
  CHECK (cs_process.store && cs_archive_read (cs_process.store, NULL)->count
                               == 5);
  save_and_leave ();
}

static void
find_all (void)
{
  static char bytes[400000];
  struct stat status;

  resume ();
  strcpy (folder, words->text);
  CHECK (rename ("source", "gone") == 0 && rename ("code", "old") == 0);
  says (whole ("source/a.scm"), "(a)");
  says (whole ("source/empty.scm"), "");
  says (whole ("documentation"), "words");
  CHECK (contents (whole ("source/inner/large.scm"), bytes, sizeof bytes)
         == 300000);
  CHECK (bytes[0] == 'x' && bytes[299999] == 'x');
  CHECK (cs_archive_stat64 (whole ("source/a.scm"), &status) == 0);
  CHECK (S_ISREG (status.st_mode) && status.st_size == 3);
  CHECK (status.st_mtim.tv_sec == 1234567 && status.st_mtim.tv_nsec == 89);
  CHECK (cs_archive_lstat64 (whole ("code/a.go"), &status) == 0);
  CHECK (cs_archive_access (whole ("code/a.go"), R_OK) == 0);
  CHECK (cs_archive_access (whole ("code/a.go"), W_OK) < 0 && errno == EACCES);
  CHECK (!strcmp (cs_archive_canonicalize (whole ("code/a.go")),
                  whole ("code/a.go")));
}

/* Another release of the interpreter, in the same place.  */
static void
find_own (void)
{
  struct stat status;

  resume ();
  strcpy (folder, words->text);
  write_bytes ("source/a.scm", "(newer)", 7);
  write_bytes ("source/new.scm", "(new)", 5);
  says (whole ("source/a.scm"), "(a)");
  says (whole ("source/new.scm"), "(new)");
  says (whole ("source-not"), "no");
  CHECK (cs_archive_stat64 (whole ("source/new.scm"), &status) == 0
         && status.st_size == 5);
  CHECK (cs_archive_stat64 (whole ("source/none"), &status) < 0
         && errno == ENOENT);
  CHECK (cs_numbers_open (whole ("source/none"), O_RDONLY) < 0
         && errno == ENOENT);
  /* What is written is the file system's.  */
  CHECK (cs_numbers_close (cs_numbers_open (whole ("source/b.scm"),
                                            O_WRONLY | O_CREAT, 0600)) == 0);
  CHECK (access ("source/b.scm", F_OK) == 0);
}

static void
files (void)
{
  CHECK (in_child (leave_archive) == 0);
  CHECK (in_child (find_own) == 0);
  CHECK (in_child (find_all) == 0);
}

static bool
is_there (const char *path)
{
  struct stat status;

  return cs_archive_stat64 (whole (path), &status) == 0;
}

static void
newer_code (void)
{
  begin_with_archive ();
  write_code ("other/ours.go", OURS, NATIVE);
  write_code ("other/older.go", OURS - 1, NATIVE);
  write_code ("other/newer.go", OURS + 1, NATIVE);
  write_code ("other/major.go", 3u << 16 | 6, NATIVE);
  write_code ("other/words.go", OURS, ELFCLASS64 + ELFCLASS32 - NATIVE);
  write_code ("other/newer", OURS + 1, NATIVE);
  write_bytes ("other/text.go", "text", 4);
  CHECK (is_there ("other/ours.go") && is_there ("other/older.go"));
  CHECK (!is_there ("other/newer.go") && errno == ENOENT);
  CHECK (!is_there ("other/major.go") && !is_there ("other/words.go"));
  CHECK (is_there ("other/newer") && is_there ("other/text.go"));
}

static void
no_archive (void)
{
  begin ();
  make_files ();
  CHECK (!cs_archive_read (cs_process.store, NULL));
  write_code ("other/newer.go", OURS + 1, NATIVE);
  CHECK (is_there ("other/newer.go"));
  says (whole ("source/a.scm"), "(a)");
}

/* RLIMIT_FSIZE is for memory files, too.  */
static void
limited (void)
{
  struct rlimit limit = { 4096, 4096 };
  char bytes[8];

  begin_with_archive ();
  CHECK (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  CHECK (contents (whole ("source/inner/large.scm"), bytes, 8) < 0
         && errno == EFBIG);
  says (whole ("source/a.scm"), "(a)");
}

/* Each change of a sound archive is refused, or it does not matter.  */
static void
damaged (void)
{
  struct cs_archive_disk *archive;
  struct cs_archive_file_disk *file;
  struct cs_err err = CS_ERR_INIT;
  size_t len;
  char bytes[64];

  begin_with_archive ();
  archive = cs_store_section (cs_process.store, "modules", &len);
  CHECK (mprotect (archive, len, RW) == 0);
#define REFUSED(field, value)                                              \
  do                                                                       \
    {                                                                      \
      __typeof__ (field) before = (field);                                 \
      (field) = (value);                                                   \
      CHECK (!cs_archive_read (cs_process.store, &err) && err.code != 0);  \
      (field) = before;                                                    \
      err = (struct cs_err) CS_ERR_INIT;                                   \
    }                                                                      \
  while (0)
  REFUSED (archive->magic[0], 'x');
  REFUSED (archive->version, 99);
  REFUSED (archive->count, UINT32_MAX);
  REFUSED (archive->nr_roots, CS_ARCHIVE_ROOTS_MAX + 1);
  REFUSED (archive->len, UINT64_MAX);
  REFUSED (archive->names, UINT64_MAX);
  REFUSED (archive->names_len, 0);
  REFUSED (archive->names_len, archive->len);
  file = (struct cs_archive_file_disk *) cs_archive_file (archive, 1);
  REFUSED (file->data, UINT64_MAX - 5);
  REFUSED (file->packed_len, UINT64_MAX - 5);
  REFUSED (file->len, UINT64_MAX);
  REFUSED (file->name, UINT32_MAX);
  REFUSED (file->name, cs_archive_file (archive, 0)->name);     /* A1 */
  CHECK (cs_archive_read (cs_process.store, &err) == archive);
  file = (struct cs_archive_file_disk *)
    cs_archive_find (archive, whole ("source/a.scm"));
  ((char *) archive)[file->data + 3] ^= 8;
  CHECK (contents (whole ("source/a.scm"), bytes, 8) < 0 && errno == EIO);
}

static void
circle (void)
{
  struct cs_err err = CS_ERR_INIT;
  const struct cs_archive_disk *archive;

  begin ();
  make_files ();
  CHECK (symlink ("..", "source/inner/up") == 0);
  CHECK (symlink ("inner", "source/again") == 0);
  make_archive ();
  archive = cs_archive_read (cs_process.store, &err);
  CHECK (archive);
  CHECK (cs_archive_find (archive, whole ("source/inner/large.scm")));
  CHECK (cs_archive_find (archive, whole ("source/again/large.scm")));
  CHECK (!cs_archive_find (archive,
                           whole ("source/inner/up/inner/large.scm")));
}

static const struct test_case cases[] = {
  { "files are found as they were, when they are gone and when others are"
    " there", files },
  { "code compiled for a newer interpreter, or other words, is not there",
    newer_code },
  { "without an archive the file system is as it is", no_archive },
  { "a limit of the file size is an error", limited },
  { "a directory that a link in it leads back to is not entered there",
    circle },
  { "a damaged archive is refused, a damaged file is an error", damaged },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
