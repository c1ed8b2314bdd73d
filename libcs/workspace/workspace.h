/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workspace.h -- making, resuming and leaving a workspace.  */
#ifndef CS_WORKSPACE_H
#define CS_WORKSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "intern/file-rules.h"
#include "store/backup.h"

/* What a store is to carry of Guile besides libguile and libgc.  */
enum cs_bundle
{
  CS_BUNDLE_ALL,                /* all of the below */
  CS_BUNDLE_LIBRARIES,          /* the libraries that these need */
  CS_BUNDLE_NONE
};

/* Is a workspace saved at the end of a run?  The numbers are part of the
   file.  */
enum cs_save
{
  CS_SAVE_STORED,               /* as the store says; a new one says success */
  CS_SAVE_SUCCESS,              /* unless an error that nothing caught, or a
                                   signal, ended the program */
  CS_SAVE_ALWAYS,               /* after such an error too */
  CS_SAVE_NEVER,
  CS_SAVE_ASK                   /* the user at a terminal; else, yes */
};

/* The policy called NAME ("success", ...), or CS_SAVE_STORED: there is none.  */
enum cs_save cs_save_parse (const char *name);

struct cs_create_params
{
  const char *policy;           /* policy file; NULL: the built-in one */
  const char *table;            /* .cst file made by cs-intern; NULL: compile
                                   the policy against the libraries now */
  const char *libguile;         /* NULL: the system's libguile-3.0.so.1 */
  const char *const *from;      /* instead of booting an interpreter, another
                                   store to clone, or the backups to restore,
                                   ending with NULL: only the next one, and
                                   what begins with FORCE, matter then; NULL:
                                   none */
  uint64_t from_generation;     /* which of a store's generations; 0: the
                                   newest */
  enum cs_bundle bundle;
  const uint32_t *history;      /* older generations to keep; NULL:
                                   CS_STORE_HISTORY */
  uint64_t reserve;             /* bytes of address space; 0: the machine's default */
  enum cs_save save;            /* of the new workspace */
  bool force;                   /* replace an existing store */
  cs_backup_progress *progress; /* of a restore; may be NULL */
  void *closure;
  void (*warn) (const char *text);      /* policy warnings; may be NULL */
  /* Called with CLOSURE and "file:line:column: text" for each error of the
     policy, before -CS_E_MISUSE is returned.  May be NULL.  */
  void (*diagnose) (void *closure, const char *text);
};

/* Make a store at PATH with an interpreter in it, booted once.  Nothing
   appears under PATH unless 0 is returned; then it is on stable storage.
   The interpreter is left loaded in this process: end it soon.  After a
   failure it may be loaded in part, and its exit handlers must not run: use
   _exit().  */
int cs_workspace_create (const char *path,
                         const struct cs_create_params *params,
                         struct cs_err *err);

/* What a program that executes itself has to be told for going on from the
   last commit (rollback.h).  */
struct cs_again
{
  const char *store;            /* its name, from the current folder */
  int descriptor;               /* to be inherited: `inherited` there */
  uint64_t held_signals;        /* `held_signals` there */
  uint64_t generation;          /* of an ephemeral workspace; 0: the newest */
  char *const *arguments;       /* Guile's, without argv[0]; ends with NULL */
};

struct cs_run_params
{
  int inherited;                /* the descriptor that this program's
                                   predecessor handed over; 0: none */
  uint64_t held_signals;        /* signals that the predecessor has blocked until
                                   their handlers are installed again: bit
                                   N - 1 for signal N */
  bool ephemeral;               /* no lock, nothing is ever written */
  uint64_t generation;          /* run this one, if EPHEMERAL; 0: the newest */
  const uint32_t *history;      /* older generations to keep from the next
                                   checkpoint on; NULL: as many as before */
  enum cs_save save;            /* at the end of this run */
  bool no_save;                 /* lock, but leave without a checkpoint */
  bool no_hooks;                /* run none of the program's hooks */
  uint64_t checkpoint_ms;       /* save so often while the program runs; 0:
                                   only when it asks for it */
  enum cs_policy_files changed_files;   /* for ports on files that are not the
                                           same any more, instead of their
                                           rules; or none */
  size_t stack_len;             /* of the main thread, bytes; 0: RLIMIT_STACK */
  int argc;                     /* Guile's own arguments, argv[0] included */
  char **argv;                  /* must stay until the process ends */
  /* Called to go on from the last commit: executes this program once more
     with the same parameters but for AGAIN's.  Returns -errno if that fails.
     NULL: there is no going back.  */
  int (*execute_again) (const struct cs_again *again);
  /* Called for each line of the resume report (report.h) before Guile looks
     at its arguments: the kind's word, the text.  May be NULL.  */
  void (*note) (const char *event, const char *text);
  /* Called with what the user should know of a checkpoint or a resume that did
     not fail: threads that could not be stopped, procedures of hooks that
     have failed.  May have a second line, which is advice.  May be NULL.  */
  void (*warn) (const char *text);
  /* Called with the error of a save that nobody waits for: the checkpoint on
     leaving, a checkpoint that a signal or CHECKPOINT_MS asked for, and the
     applying of commits (background-apply.h), after which nothing is lost.  The
     caller may be a thread that Guile does not know.  May be NULL.  */
  void (*failed) (const struct cs_err *err);
  int failed_status;            /* exit status when the checkpoint on leaving
                                   fails */
  int damaged_status;           /* exit status when the process faults because
                                   the store is damaged (crash-handler.h) */
};

/* Resume the workspace at PATH and run Guile's own option handling in it
   (script, -c, -l, REPL).  Does not return once Guile runs: the process
   exits with Guile's status, after a checkpoint unless EPHEMERAL or NO_SAVE.
   Returns a negative code if the workspace cannot be started.  */
int cs_workspace_run (const char *path, const struct cs_run_params *params,
                      struct cs_err *err);

#endif
