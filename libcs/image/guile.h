/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guile.h -- what a store keeps of its interpreter, as it lies in the file.

   Section "guile": where to begin in the heap.  The interpreter's layer writes
   it, each part by the file of that subject (guile/ports.h and its like); who
   reads a store without the interpreter does so through cs_image_guile()
   (image/sections.h).  SCM values and addresses are widened to 64 bits.
   coldstore-store(5) has the same as a table.  */
#ifndef CS_IMAGE_GUILE_H
#define CS_IMAGE_GUILE_H

#include <stdint.h>

#define CS_GUILE_MAGIC "ColdGui"        /* 8 bytes with its NUL */
#define CS_GUILE_VERSION 4

#define CS_SCHEME_API_LIBRARY "libcs.so.0"
#define CS_SCHEME_API_PRIMITIVES_MAX 32
#define CS_SCHEME_API_PARK "%park"  /* the procedure that stops a thread */

/* guile/ports.h.  */
struct cs_ports_disk
{
  uint64_t standard[3];         /* input, output, error */
  uint64_t unsettled;           /* not 0: a port on a file holds what was not
                                   written, or was in use */
  uint64_t rules;               /* weak hash table: from ports to symbols */
  uint64_t default_rule;        /* variable: a symbol, or #f */
  uint64_t held;                /* weak hash table: from closed ports to the
                                   numbers that are held for them */
  uint64_t lost;                /* address of the type of closed ports */
  char lost_name[8];
};

/* workspace/scheme-api.h.  */
struct cs_scheme_api_disk
{
  uint32_t entries[CS_SCHEME_API_PRIMITIVES_MAX];   /* of the intern table */
  uint64_t park;                /* SCM: the procedure that stops a thread */
  uint64_t answer_signals;      /* SCM: what an arrived signal makes run */
  uint64_t before_checkpoint;   /* SCM: the two hooks */
  uint64_t after_resume;
  uint64_t resumed;             /* SCM: procedure of (coldstore threads) */
  /* SCM: what tells whether it has something to do: the table of modules
     called (srfi NAME), and two variables, one of (ice-9 futures).  */
  uint64_t srfi_modules;
  uint64_t srfi_18_is_ready;
  uint64_t workers;
  uint64_t follow;              /* SCM: procedure of (coldstore environment) */
  uint64_t keep_readline;       /* SCM: procedures of (coldstore repl) */
  uint64_t restart_readline;
};

/* guile/environment.h.  */
struct cs_environment_disk
{
  uint64_t setting;             /* address: strings, each with its NUL */
  uint64_t setting_len;         /* bytes of all of them */
};

/* guile/threads.h: where the members of libguile's struct scm_thread lie, so
   that a store can be looked into from outside.  Offsets in bytes.  */
struct cs_thread_layout_disk
{
  uint32_t key;                 /* the thread key with one for each thread */
  uint32_t len;                 /* of the whole */
  uint32_t handle, exited, guile_mode, wake, sleep_pipe;
  uint32_t ip, sp, fp;          /* of its VM */
  uint32_t stack_bottom, stack_top;
};

/* guile/pointers.h.  */
struct cs_pointers_disk
{
  uint64_t table;               /* address of its first block */
  uint64_t tag;                 /* type of ended objects */
  char name[8];                 /* its name */
  uint64_t finalize;            /* the trampoline of cs_pointers_finalize() */
  uint64_t any_ended;           /* have there ever been ended objects? */
  uint64_t borrowed;            /* the collector's kind of borrowed blocks */
};

/* guile/functions.h.  A carried library has one address for the life of the store,
   so its functions need be looked up once.  */
#define CS_GUILE_FUNCTIONS_MAX 156

struct cs_guile_functions_disk
{
  uint32_t names_sum;           /* CRC-32 of the names, in their order */
  uint32_t nr;
  uint64_t addrs[CS_GUILE_FUNCTIONS_MAX];
};

/* guile/loading.h.  All 0 in stores of 0.1.0, where nothing here does
   anything.  */
struct cs_loading_disk
{
  uint64_t in_progress;         /* SCM: variable with the list of names */
  uint64_t excursion;           /* SCM: a thunk that save-module-excursion
                                   gives dynamic-wind to run at its end; 0 if
                                   it was not found */
  uint64_t abandon;             /* SCM: procedure of (coldstore loading) */
};

struct cs_guile_disk
{
  char magic[8];
  uint32_t version;
  uint32_t save_policy;         /* enum cs_save; 0 in stores of 0.1.0 */
  uint64_t dynamic_state;       /* the main thread's when it ended */
  struct cs_ports_disk ports;
  uint64_t modules;             /* the root of the module tree */
  struct cs_scheme_api_disk module;
  struct cs_environment_disk environment;
  struct cs_thread_layout_disk threads;
  struct cs_pointers_disk pointers;
  struct cs_guile_functions_disk api;
  struct cs_loading_disk loading;
  uint64_t main_thread;         /* the main thread's object; 0 in stores
                                   of 0.1.0, where it was another one in each
                                   process */
};

#endif
