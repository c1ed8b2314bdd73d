/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.c -- beginning to use a store's image in this process.  */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/sections.h"
#include "process/private.h"
#include "process/archive.h"
#include "report.h"

struct cs_process cs_process;
__thread bool cs_process_registered;
__thread enum cs_thread_kind cs_process_thread_kind;

static int
start (struct cs_store *store, struct cs_table_disk *table,
       struct cs_err *err)
{
  int code;

  cs_process.store = store;
  cs_process.table = table;
  cs_interposition_start (store);
  cs_process.image->epoch++;
  code = cs_numbers_start ();
  if (code != 0)
    return cs_err_sys (err, -code, "cannot keep a record of descriptors");
  code = cs_handlers_start ();
  if (code == 0)
    code = cs_keys_start ();
  if (code != 0)
    return cs_err_sys (err, -code, "cannot register with the C library");
  return 0;
}

int
cs_process_create (struct cs_store *store, struct cs_table_disk *table,
                   struct cs_err *err)
{
  void *image, *threads, *report;
  int code = cs_store_section_create (store, "process",
                                      sizeof *cs_process.image,
                                      PROT_READ | PROT_WRITE, &image);

  if (code == 0)
    code = cs_store_section_create (store, "threads",
                                    sizeof *cs_process.threads,
                                    PROT_READ | PROT_WRITE, &threads);
  if (code == 0)
    code = cs_store_section_create (store, "report",
                                    sizeof (struct cs_report_disk),
                                    PROT_READ | PROT_WRITE, &report);
  if (code != 0)
    return cs_err_sys (err, -code, "cannot make the process section");
  cs_process.image = image;
  cs_process.threads = threads;
  memcpy (cs_process.image->magic, CS_PROCESS_MAGIC,
          sizeof cs_process.image->magic);
  cs_process.image->version = CS_PROCESS_VERSION;
  cs_process.image->strings_len = cs_process.image->paths_len = 1;
  cs_report_init (report);
  code = start (store, table, err);
  if (code == 0)
    cs_zone_create ();
  return code;
}

static int
find_sections (struct cs_store *store, struct cs_err *err)
{
  struct cs_err own = CS_ERR_INIT;
  struct cs_report_disk *ring;

  if (!err)
    err = &own;
  if (!(cs_process.image = cs_image_process (store, err))
      || !(cs_process.threads = cs_image_threads (store, err))
      || !(ring = cs_image_report (store, err)))
    return err->code;
  cs_report_begin (ring, cs_store_superblock (store)->generation);
  return 0;
}

int
cs_process_open (struct cs_store *store, struct cs_table_disk *table,
                 struct cs_err *err)
{
  int code = find_sections (store, err);

  if (code == 0)
    code = start (store, table, err);
  return code == 0 ? cs_descriptors_resume (err) : code;
}

void
cs_process_resume (void)
{
  cs_process_trim ();
  cs_foreign_resume ();
  cs_statics_resume ();
  cs_gettext_resume ();
  cs_callback_resume ();
  cs_signals_resume ();
  cs_timers_resume ();
  cs_clocks_resume ();
  cs_once_rearm ();
  cs_locks_resume ();
}

uint32_t
cs_process_string (const char *text)
{
  struct cs_process_disk *image = cs_process.image;
  size_t len = strlen (text) + 1;
  uint32_t off;

  if (len == 1)
    return 0;
  for (off = 1; off < image->strings_len;
       off += (uint32_t) strlen (image->strings + off) + 1)
    if (strcmp (image->strings + off, text) == 0)
      return off;
  if (len > CS_PROCESS_STRINGS_MAX - image->strings_len)
    return 0;
  memcpy (image->strings + off, text, len);
  image->strings_len += (uint32_t) len;
  return off;
}

void
cs_process_close (void)
{
  atomic_store (&cs_process.collector_ready, false);
}

struct replacement
{
  const char *name;
  void *function;
};

/* In the order of strcmp().  */
static const struct replacement replacements[] = {
  { "process:access", cs_archive_access },
  { "process:atexit", cs_handlers_atexit },
  { "process:bind_textdomain_codeset", cs_gettext_bind_codeset },
  { "process:bindtextdomain", cs_gettext_bind },
  { "process:calloc", cs_borrowed_calloc },
  { "process:canonicalize_file_name", cs_archive_canonicalize },
  { "process:clock_gettime", cs_clocks_gettime },
  { "process:close", cs_numbers_close },
  { "process:close_range", cs_numbers_close_range },
  { "process:closedir", cs_directory_close },
  { "process:closefrom", cs_numbers_close_from },
  { "process:collector_cond_broadcast", cs_conditions_broadcast },
  { "process:collector_cond_wait", cs_conditions_wait },
  { "process:cxa_atexit", cs_handlers_cxa_atexit },
  { "process:dlclose", cs_foreign_close },
  { "process:dlopen", cs_foreign_open },
  { "process:dlsym", cs_foreign_symbol },
  { "process:dup", cs_numbers_dup },
  { "process:dup2", cs_numbers_dup2 },
  { "process:dup3", cs_numbers_dup3 },
  { "process:duplocale", cs_locale_dup },
  { "process:exit", cs_process_exit },
  { "process:fcntl", cs_numbers_fcntl },
  { "process:ffi_closure_alloc", cs_callback_alloc },
  { "process:ffi_closure_free", cs_callback_free },
  { "process:ffi_prep_closure_loc", cs_callback_prepare },
  { "process:freelocale", cs_locale_free },
  { "process:iconv", cs_iconv_convert },
  { "process:iconv_close", cs_iconv_close },
  { "process:iconv_open", cs_iconv_open },
  { "process:lstat", cs_archive_lstat },
  { "process:lstat64", cs_archive_lstat64 },
  { "process:malloc", cs_borrowed_malloc },
  { "process:newlocale", cs_locale_new },
  { "process:nl_langinfo_l", cs_locale_nl_langinfo },
  { "process:open", cs_numbers_open },
  { "process:openat", cs_numbers_openat },
  { "process:opendir", cs_directory_open },
  { "process:pipe2", cs_once_pipe2 },
  { "process:poll", cs_stop_poll },
  { "process:pthread_cond_timedwait", cs_locks_timedwait },
  { "process:pthread_cond_wait", cs_locks_wait },
  { "process:pthread_create", cs_thread_create },
  { "process:pthread_create_foreign", cs_thread_create_foreign },
  { "process:pthread_detach", cs_thread_detach },
  { "process:pthread_getspecific", cs_keys_get },
  { "process:pthread_join", cs_thread_join },
  { "process:pthread_key_create", cs_keys_create },
  { "process:pthread_key_delete", cs_keys_delete },
  { "process:pthread_mutex_lock", cs_locks_lock },
  { "process:pthread_mutex_trylock", cs_locks_trylock },
  { "process:pthread_mutex_unlock", cs_locks_unlock },
  { "process:pthread_once", cs_once_run },
  { "process:pthread_setspecific", cs_keys_set },
  { "process:pthread_sigmask", cs_stop_sigmask },
  { "process:read", cs_numbers_read },
  { "process:readdir", cs_directory_read },
  { "process:realloc", cs_borrowed_realloc },
  { "process:regcomp", cs_regex_compile },
  { "process:regexec", cs_regex_execute },
  { "process:regfree", cs_regex_free },
  { "process:register_atfork", cs_handlers_atfork },
  { "process:rewinddir", cs_directory_rewind },
  { "process:select", cs_stop_select },
  { "process:sigaction", cs_signals_sigaction },
  { "process:signal", cs_signals_signal },
  { "process:stat", cs_archive_stat },
  { "process:stat64", cs_archive_stat64 },
  { "process:strdup", cs_borrowed_strdup },
  { "process:strndup", cs_borrowed_strndup },
  { "process:strtod_l", cs_locale_strtod },
  { "process:strtol_l", cs_locale_strtol },
  { "process:textdomain", cs_gettext_set_domain },
  { "process:uselocale", cs_locale_use },
  { "store:aligned_alloc", cs_memory_aligned_alloc },
  { "store:calloc", cs_memory_calloc },
  { "store:collector_mmap", cs_zone_mmap },
  { "store:free", cs_memory_free },
  { "store:madvise", cs_mapping_madvise },
  { "store:malloc", cs_memory_malloc },
  { "store:memalign", cs_memory_aligned_alloc },
  { "store:mmap", cs_mapping_mmap },
  { "store:mprotect", cs_mapping_mprotect },
  { "store:munmap", cs_mapping_munmap },
  { "store:posix_memalign", cs_memory_posix_memalign },
  { "store:realloc", cs_memory_realloc },
  { "store:strdup", cs_memory_strdup },
  { "store:strndup", cs_memory_strndup }
};

static int
compare_replacements (const void *name, const void *replacement)
{
  return strcmp (name, ((const struct replacement *) replacement)->name);
}

/* Each start asks for most of them.  */
void *
cs_process_replacement (const char *name)
{
  const struct replacement *found
    = bsearch (name, replacements, sizeof replacements / sizeof *replacements,
               sizeof *replacements, compare_replacements);

  return found ? found->function : NULL;
}
