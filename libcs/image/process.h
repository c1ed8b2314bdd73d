/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.h -- what a store keeps of its process, as it lies in the file.

   Sections "process", "threads" and "statics", and their limits.  The process
   layer writes them (process/process.h); who reads a store without its process
   does so through image/sections.h.  coldstore-store(5) has the same as
   tables.  */
#ifndef CS_IMAGE_PROCESS_H
#define CS_IMAGE_PROCESS_H

#include <stdint.h>

#define CS_PROCESS_MAGIC "ColdPro"      /* 8 bytes with its NUL */
#define CS_PROCESS_VERSION 5    /* of "threads" too */

#define CS_PROCESS_KEYS_MAX 64
#define CS_PROCESS_ONCES_MAX 64
#define CS_PROCESS_ATFORKS_MAX 16
#define CS_PROCESS_ATEXITS_MAX 64
#define CS_PROCESS_SIGNALS_MAX 65
#define CS_PROCESS_TIMERS 3
#define CS_PROCESS_ARENAS_MAX 1024
#define CS_PROCESS_CALLBACKS_MAX 16
#define CS_PROCESS_CALLBACK_LEN 128
#define CS_PROCESS_DOMAINS_MAX 64
#define CS_PROCESS_HANDLES_MAX 256
#define CS_PROCESS_DESCRIPTORS_MAX 1024
#define CS_PROCESS_LOCKS_MAX 64
#define CS_PROCESS_STRINGS_MAX (128 * 1024)

/* All addresses are widened to 64 bits, so that a store can be read on a
   machine of the other word size.  */
struct cs_key_disk
{
  uint64_t destructor;
  uint32_t in_use;
  uint32_t reserved;
};

struct cs_once_disk             /* a control that acquired a thread */
{
  uint64_t control;             /* address of the pthread_once_t */
  uint64_t body;                /* what the thread runs, if it is one without
                                   an argument that has not ended; or 0 */
  uint64_t pipe;                /* address of the two numbers of the pipe
                                   that the routine made; or 0 */
};

struct cs_atfork_disk
{
  uint64_t prepare, parent, child;
};

struct cs_atexit_disk
{
  uint64_t function, argument;
};

struct cs_signal_disk           /* an action set by a carried library */
{
  uint64_t handler;             /* address, SIG_IGN, or 0 for none */
  uint64_t mask;                /* bit N - 1 stands for signal N */
  uint32_t flags;               /* SA_... */
  uint32_t own;                 /* 1 + the entry of the intern table that stands
                                   for the process's own handler; 0: none */
};

struct cs_arena_disk            /* executable memory asked for at run time */
{
  uint64_t addr, len;
};

struct cs_callbacks_disk        /* an area of libffi closures */
{
  uint64_t addr;
  uint32_t nr_slots;            /* of CS_PROCESS_CALLBACK_LEN bytes each */
  uint32_t nr_used;             /* the slots behind were never used */
};

struct cs_domain_disk           /* a message domain; all in the strings */
{
  uint32_t name;
  uint32_t folder, codeset;     /* 0 if it was not set */
};

struct cs_handle_disk           /* a library opened at run time */
{
  uint32_t path;                /* in the strings: as the program named it,
                                   made absolute; of a carried library, the
                                   real path */
  uint32_t flags;               /* RTLD_... */
  uint32_t references;
  uint32_t soname;              /* in the strings; 0: none, or not known */
  uint64_t build;               /* of the library that was opened last
                                   (cs_interpose_build); 0: not known */
};

#define CS_DESCRIPTORS_FIRST 3          /* below are the standard ones */
#define CS_DESCRIPTORS_END (1 << 20)

enum cs_descriptor_kind
{
  CS_DESCRIPTOR_FILE = 1,       /* regular file */
  CS_DESCRIPTOR_DIRECTORY,
  CS_DESCRIPTOR_DEVICE,         /* that is no terminal */
  CS_DESCRIPTOR_DELETED,        /* file that had lost its name by then */
  CS_DESCRIPTOR_PIPE,           /* with a name or without */
  CS_DESCRIPTOR_SOCKET,
  CS_DESCRIPTOR_TERMINAL,
  CS_DESCRIPTOR_OTHER,          /* what else the system has */
  CS_DESCRIPTOR_HELD            /* nothing: only the number is kept */
};

enum cs_descriptor_holder       /* bits */
{
  CS_DESCRIPTOR_OF_PORT = 1,
  CS_DESCRIPTOR_OF_PROGRAM = 2, /* which knows the number */
  CS_DESCRIPTOR_OF_CLOSED = 4   /* port, closed at a resume: the program knew
                                   the number */
};

struct cs_descriptor_disk
{
  int32_t fd;
  uint32_t kind;                /* enum cs_descriptor_kind */
  uint32_t holder;              /* enum cs_descriptor_holder */
  uint32_t name;                /* in the paths: the file's, absolute, or what
                                   there is to say of a socket; 0 if none */
  uint32_t flags;               /* of fcntl(F_GETFL), and O_CLOEXEC */
  uint32_t rule;                /* enum cs_policy_files: the port's own */
  uint32_t shares;              /* 1 + index of an earlier entry with the same
                                   open file description; 0 if none */
  uint32_t born_nsec;
  int64_t born;                 /* when it was made, seconds since 1970; 0 if
                                   not known */
  uint64_t device, inode;       /* of a device: its number twice */
  uint64_t size;                /* of the file, bytes */
  uint64_t offset;              /* the descriptor's */
  uint64_t position;            /* the port's: less what it has read ahead */
};

struct cs_process_disk
{
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  uint32_t strings_len, paths_len;
  uint64_t epoch;               /* grows by one at every resume; a handle of
                                   another epoch must be opened again */
  uint32_t nr_onces, nr_atforks, nr_atexits, nr_arenas;
  uint32_t nr_handles, nr_descriptors;
  uint32_t nr_unrecorded;       /* descriptors of ports that there was no room
                                   for, or that are standard ones */
  uint32_t files_rule;          /* enum cs_policy_files: the program's own
                                   for all files */
  uint64_t zone_addr, zone_len; /* what is left of the collector's zone */
  struct cs_key_disk keys[CS_PROCESS_KEYS_MAX];
  struct cs_once_disk onces[CS_PROCESS_ONCES_MAX];
  struct cs_atfork_disk atforks[CS_PROCESS_ATFORKS_MAX];
  struct cs_atexit_disk atexits[CS_PROCESS_ATEXITS_MAX];
  struct cs_signal_disk signals[CS_PROCESS_SIGNALS_MAX];
  uint64_t nr_callbacks;        /* areas */
  uint64_t free_callback;       /* address of the first free slot, or 0 */
  struct cs_callbacks_disk callbacks[CS_PROCESS_CALLBACKS_MAX];
  uint32_t nr_locks;
  uint32_t reserved_2;
  uint64_t locks[CS_PROCESS_LOCKS_MAX]; /* addresses of mutexes that are held
                                           in the image */
  uint32_t domain;              /* the current one, in the strings; or 0 */
  uint32_t nr_domains;
  struct cs_domain_disk domains[CS_PROCESS_DOMAINS_MAX];
  uint64_t timers[CS_PROCESS_TIMERS];   /* microseconds that were left when
                                           the image was written; 0: none */
  /* What every start reads ends here, within a few pages.  */
  char strings[CS_PROCESS_STRINGS_MAX]; /* of handles: they only grow */
  struct cs_arena_disk arenas[CS_PROCESS_ARENAS_MAX];
  struct cs_handle_disk handles[CS_PROCESS_HANDLES_MAX];
  struct cs_descriptor_disk descriptors[CS_PROCESS_DESCRIPTORS_MAX];
  char paths[CS_PROCESS_STRINGS_MAX];   /* of descriptors: each checkpoint
                                           writes all of them again */
};

enum cs_thread_kind
{
  CS_THREAD_OF_PROGRAM,         /* the program has started it, in any way */
  CS_THREAD_OF_MAIN,       /* the one that runs the program */
  CS_THREAD_OF_SERVICE          /* one of Guile's or libcs's own */
};

/* A thread that set a key with a destructor and has not ended.  */
struct cs_thread_disk
{
  uint64_t value;               /* of the key; 0 for a free entry */
  uint64_t pthread;             /* pthread_self() of that process */
  uint32_t key;
  uint32_t tid;                 /* the kernel's number in that process */
  int64_t since;                /* seconds since 1970 */
  uint32_t kind;                /* enum cs_thread_kind */
  uint32_t reserved;
};

#define CS_PROCESS_THREADS_MAX 16384

/* A thread of the program that ended with its process.  */
#define CS_PROCESS_WEEDED_MAX 64
#define CS_PROCESS_CODE_MAX 8
#define CS_PROCESS_NAME_LEN 80  /* with its NUL */

struct cs_weeded_disk
{
  uint64_t generation;          /* the commit that it was alive in */
  int64_t when;                 /* it was found gone; seconds since 1970 */
  int64_t since;
  uint32_t tid;
  uint32_t nr_code;
  uint64_t code[CS_PROCESS_CODE_MAX];   /* where in the interpreter's code it
                                           was: addresses, innermost first */
  uint64_t value, pthread;      /* as in its entry of `threads' */
  char name[CS_PROCESS_NAME_LEN];       /* that it was given; "" for none */
};

struct cs_threads_disk
{
  uint64_t count;               /* entries in use are among the first COUNT */
  /* Number N, from 0 in the life of the store, is N % ..._MAX.  */
  uint64_t nr_weeded;
  struct cs_weeded_disk weeded[CS_PROCESS_WEEDED_MAX];
  struct cs_thread_disk threads[CS_PROCESS_THREADS_MAX];
};

#define CS_PROCESS_STATICS_MAX 255

struct cs_static_disk
{
  uint64_t addr;                /* of the word */
  uint64_t value;               /* the address it led to */
  uint64_t leads;               /* 1: there was something */
  char owner[48];               /* library; "" for an unknown one */
};

struct cs_statics_disk          /* section "statics" */
{
  uint64_t count;
  struct cs_static_disk items[CS_PROCESS_STATICS_MAX];
};

#endif
