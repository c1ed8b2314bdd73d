/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* private.h -- the replacements that the files of this directory provide.  */
#ifndef CS_PROCESS_PRIVATE_H
#define CS_PROCESS_PRIVATE_H

#include <iconv.h>
#include <link.h>
#include <locale.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/types.h>

#include "process/process.h"

/* interposition.c: where the store's blocks lie, also when the store is no
   longer mapped.  Set before the first block can exist.  */
struct cs_memory_region
{
  uintptr_t base, len;          /* all zero: no store in this process yet */
};

extern struct cs_memory_region cs_memory_region;

static inline bool
cs_memory_is_store (const void *block)
{
  return (uintptr_t) block - cs_memory_region.base < cs_memory_region.len;
}

void cs_interposition_start (const struct cs_store *store);

/* memory.c */
bool cs_memory_in_store (void); /* can this thread's malloc take it there? */
void *cs_memory_malloc (size_t len);
void *cs_memory_calloc (size_t count, size_t len);
void *cs_memory_realloc (void *block, size_t len);
void cs_memory_free (void *block);
size_t cs_memory_usable_size (const void *block);       /* of the store */
int cs_memory_posix_memalign (void **block, size_t alignment, size_t len);
void *cs_memory_aligned_alloc (size_t alignment, size_t len);
char *cs_memory_strdup (const char *text);
char *cs_memory_strndup (const char *text, size_t len);

/* borrowed.c */
void *cs_borrowed_malloc (size_t len);
void *cs_borrowed_calloc (size_t count, size_t len);
void *cs_borrowed_realloc (void *block, size_t len);
char *cs_borrowed_strdup (const char *text);
char *cs_borrowed_strndup (const char *text, size_t len);
/* BLOCK, a base address, is about to be freed.  Was it borrowed?  */
bool cs_borrowed_forget (const void *block);
void cs_borrowed_hold (void);   /* around a fork */
void cs_borrowed_release (void);

/* mapping.c */
void *cs_mapping_mmap (void *addr, size_t len, int prot, int flags, int fd,
                       off_t off);
int cs_mapping_munmap (void *addr, size_t len);
int cs_mapping_mprotect (void *addr, size_t len, int prot);
int cs_mapping_madvise (void *addr, size_t len, int advice);
void cs_mapping_hold (void);    /* around a fork */
void cs_mapping_release (void);

/* zone.c */
void cs_zone_create (void);     /* a region that is small does without */
void *cs_zone_mmap (void *addr, size_t len, int prot, int flags, int fd,
                    off_t off);

/* keys.c */
int cs_keys_start (void);
void cs_keys_hold (void);       /* around a fork */
void cs_keys_release (void);
int cs_keys_create (pthread_key_t *key, void (*destructor) (void *));
int cs_keys_delete (pthread_key_t key);
void *cs_keys_get (pthread_key_t key);
int cs_keys_set (pthread_key_t key, const void *value);

void cs_keys_watch_end (void);  /* the end of this thread is to be seen */

/* stop.c: what a thread tells its own signal handler.  The thread alone
   writes it, but for `next` (under the list's lock).  */
#define CS_STOP_HELD_MAX 16

struct cs_stop_thread
{
  struct cs_stop_thread *next;
  pthread_t pthread;
  pid_t tid;
  bool is_enlisted;
  bool is_starting;             /* it has not set a key yet */
  volatile bool has_values;     /* it has set a key with a destructor: it has
                                   entered Guile */
  volatile bool wanted;         /* it was to stop, and could not */
  volatile unsigned deferred;   /* calls of cs_process_defer_stop() */
  volatile unsigned nr_held;    /* locks in the list below */
  volatile unsigned nr_more;    /* locks for which it had no room */
  pthread_mutex_t *held[CS_STOP_HELD_MAX];
  pthread_mutex_t *volatile awaited;    /* a lock that it is taking, */
  volatile bool blocks;         /* and waits for */
  pthread_mutex_t *volatile waiting;    /* that of a condition variable which
                                           it waits for */
  volatile unsigned nr_interruptions;   /* by signals that are none of the
                                           program's */
  atomic_bool waits;            /* in cs_stop_select() or cs_stop_poll() */
  atomic_uint stopped_in;       /* the round it is, or was last, stopped in */
};

extern __thread struct cs_stop_thread cs_stop_self;

/* Holds it nothing, and is it in the middle of nothing?  */
static inline bool
cs_stop_is_free (const struct cs_stop_thread *t)
{
  return t->nr_held == 0 && t->nr_more == 0 && t->deferred == 0;
}

void cs_stop_admit (void);      /* this thread may have inherited a mask */
void cs_stop_enlist (void);
void cs_stop_leave (void);
void cs_stop_here (void);       /* stop, if all are to */
void cs_stop_starting (void);   /* a thread is about to be started, */
void cs_stop_not_started (void);        /* was not, */
void cs_stop_settled (void);    /* or is this one, and has set a key */
void cs_stop_hold (void);       /* around a fork */
void cs_stop_release (void);
void cs_stop_forked (void);
/* Between hold and release: is it so of any thread and MUTEX?  */
bool cs_stop_any (bool (*is_so) (const struct cs_stop_thread *t,
                                 const pthread_mutex_t *mutex),
                  const pthread_mutex_t *mutex);
int cs_stop_sigmask (int how, const sigset_t *set, sigset_t *old);
int cs_stop_select (int nr, fd_set *in, fd_set *out, fd_set *except,
                    struct timeval *timeout);
int cs_stop_poll (struct pollfd *fds, nfds_t nr, int timeout);

/* locks.c */
int cs_locks_lock (pthread_mutex_t *mutex);
int cs_locks_trylock (pthread_mutex_t *mutex);
int cs_locks_unlock (pthread_mutex_t *mutex);
int cs_locks_wait (pthread_cond_t *condition, pthread_mutex_t *mutex);
int cs_locks_timedwait (pthread_cond_t *condition, pthread_mutex_t *mutex,
                        const struct timespec *end);
void cs_locks_note (const struct cs_stop_thread *thread);
void cs_locks_resume (void);

/* conditions.c: what the collector calls, with one lock held for each.  */
int cs_conditions_wait (pthread_cond_t *condition, pthread_mutex_t *mutex);
int cs_conditions_broadcast (pthread_cond_t *condition);

/* thread.c: the second starts one that need not ever enter Guile; threads
   that are gone can be joined and detached, and return NULL.  */
int cs_thread_create (pthread_t *thread, const pthread_attr_t *attr,
                      void *(*body) (void *), void *argument);
int cs_thread_create_foreign (pthread_t *thread, const pthread_attr_t *attr,
                              void *(*body) (void *), void *argument);
int cs_thread_join (pthread_t thread, void **result);
int cs_thread_detach (pthread_t thread);
void cs_thread_forked (void);

/* once.c */
int cs_once_run (pthread_once_t *control, void (*routine) (void));
int cs_once_pipe2 (int ends[2], int flags);
/* A thread is about to be started.  Is that done under a control?  */
bool cs_once_starts_thread (void *(*body) (void *), const void *argument);
/* What cs_once_starts_thread() was told of has ended, or did not start.  */
void cs_once_thread_ended (void *(*body) (void *));
/* Is this thread one that is brought to its end?  */
bool cs_once_is_ending (void);
void cs_once_rearm (void);

/* handlers.c */
int cs_handlers_atfork (void (*prepare) (void), void (*parent) (void),
                        void (*child) (void), void *dso);
int cs_handlers_cxa_atexit (void (*function) (void *), void *argument,
                            void *dso);
int cs_handlers_atexit (void (*function) (void));
int cs_handlers_start (void);

/* signals.c */
int cs_signals_sigaction (int signum, const struct sigaction *action,
                          struct sigaction *old);
void (*cs_signals_signal (int signum, void (*handler) (int))) (int);
void cs_signals_resume (void);

/* timers.c */
void cs_timers_resume (void);

/* clocks.c */
int cs_clocks_gettime (clockid_t id, struct timespec *time);
void cs_clocks_resume (void);

/* iconv.c */
iconv_t cs_iconv_open (const char *to, const char *from);
size_t cs_iconv_convert (iconv_t cd, char **in, size_t *in_left, char **out,
                         size_t *out_left);
int cs_iconv_close (iconv_t cd);

/* locale.c */
locale_t cs_locale_new (int mask, const char *name, locale_t base);
locale_t cs_locale_dup (locale_t locale);
void cs_locale_free (locale_t locale);
locale_t cs_locale_use (locale_t locale);
char *cs_locale_nl_langinfo (int item, locale_t locale);
double cs_locale_strtod (const char *text, char **end, locale_t locale);
long cs_locale_strtol (const char *text, char **end, int base,
                       locale_t locale);

/* regex.c */
int cs_regex_compile (regex_t *regex, const char *pattern, int flags);
int cs_regex_execute (const regex_t *regex, const char *text,
                      size_t nr_matches, regmatch_t *matches, int flags);
void cs_regex_free (regex_t *regex);
void cs_regex_hold (void);      /* around a fork */
void cs_regex_release (void);

/* directory.c */
struct cs_directory;
struct dirent64;
struct cs_directory *cs_directory_open (const char *path);
struct dirent64 *cs_directory_read (struct cs_directory *handle);
void cs_directory_rewind (struct cs_directory *handle);
int cs_directory_close (struct cs_directory *handle);

/* statics.c: an extension has been carried; tell of its variables.  */
void cs_statics_start (void);
void cs_statics_resume (void);

/* gettext.c: as bindtextdomain, bind_textdomain_codeset and textdomain.  */
char *cs_gettext_bind (const char *domain, const char *folder);
char *cs_gettext_bind_codeset (const char *domain, const char *codeset);
char *cs_gettext_set_domain (const char *domain);
void cs_gettext_resume (void);

/* callback.c: as libffi's ffi_closure_alloc, ffi_prep_closure_loc and
   ffi_closure_free.  */
void *cs_callback_alloc (size_t len, void **code);
int cs_callback_prepare (void *closure, void *cif, void *fun, void *data,
                         void *code);
void cs_callback_free (void *closure);
void cs_callback_resume (void);
void cs_callback_hold (void);   /* around a fork */
void cs_callback_release (void);

/* foreign.c */
void *cs_foreign_open (const char *path, int flags);
void *cs_foreign_symbol (void *handle, const char *name);
int cs_foreign_close (void *handle);
void cs_foreign_resume (void);
/* The string of the first dynamic entry TAG of the library MAP behind *AT,
   which is set to that entry; *AT is NULL to begin with.  NULL: there is no
   other.  Lent until the library is closed.  */
const char *cs_foreign_next_string (const struct link_map *map, int64_t tag,
                                    const ElfW (Dyn) **at);
/* The soname of the library HANDLE of ld.so; "" if it has none.  Lent until
   the library is closed.  */
const char *cs_foreign_soname (void *handle);
/* Open the library that an earlier process opened as PATH, or one with its
   SONAME in its place, which is reported.  NULL if there is none; dlerror()
   says why PATH cannot be opened.  */
void *cs_foreign_find (const char *path, const char *soname, int flags);
void cs_foreign_hold (void);    /* around a fork */
void cs_foreign_release (void);

/* numbers.c: calls of libguile and of extensions that give descriptors by
   number, or end them; the marked numbers, and one above the highest of them;
   what to call in place of a FUNCTION of libc's, itself if it is none of
   these.  */
int cs_numbers_start (void);
int cs_numbers_open (const char *path, int flags, ...);
int cs_numbers_openat (int folder, const char *path, int flags, ...);
int cs_numbers_dup (int fd);
int cs_numbers_dup2 (int old, int new);
int cs_numbers_fcntl (int fd, int command, ...);
ssize_t cs_numbers_read (int fd, void *bytes, size_t len);
int cs_numbers_close (int fd);
int cs_numbers_dup3 (int old, int new, int flags);
int cs_numbers_close_range (unsigned first, unsigned last, int flags);
void cs_numbers_close_from (int lowest);
void *cs_numbers_guard (void *function);
void cs_numbers_add (int fd);
bool cs_numbers_has (int fd);
int cs_numbers_end (void);

/* descriptors.c: statx(2) with all that a record needs, as 0 or -errno; where a
   sandbox denies that call (EPERM), STATUS has what fstatat(2) tells, without
   the time of birth.  */
struct statx;
int cs_descriptor_status (int directory, const char *path, int flags,
                          struct statx *status);

/* What tells one file from another, of STATUS into D; are the two the same
   file?  */
void cs_descriptor_identify (struct cs_descriptor_disk *d,
                             const struct statx *status);
bool cs_descriptor_is_same (const struct cs_descriptor_disk *d,
                            const struct cs_descriptor_disk *now);

/* endpoint.c: "connected to 127.0.0.1:80"; "" if there is nothing to say.  */
void cs_endpoint_describe (int fd, char *text, size_t len);

/* reopen.c */
int cs_descriptors_resume (struct cs_err *err);

#endif
