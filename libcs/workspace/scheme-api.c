/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scheme-api.c -- the Scheme modules (coldstore), (coldstore repl), (coldstore
   threads), (coldstore environment) and (coldstore loading), and the primitives
   of libcs that they call.  */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guile/evaluate.h"
#include "guile/functions.h"
#include "guile/mutex.h"
#include "guile/pointers.h"
#include "guile/ports.h"
#include "guile/threads.h"
#include "process/process.h"
#include "report.h"
#include "workspace/answer.h"
#include "workspace/checkpoint.h"
#include "workspace/last-error.h"
#include "workspace/rollback.h"
#include "workspace/save-policy.h"
#include "workspace/scheme-api.h"
#include "workspace/state.h"

static SCM
list (const SCM *elements, size_t nr)
{
  SCM result = SCM_EOL;

  while (nr-- > 0)
    result = scm.cons (elements[nr], result);
  return result;
}

/* The symbol that workspace-error-kind returns for CODE.  */
static const char *
error_kind (int code)
{
  switch (-code)
    {
    case CS_E_REFUSED:
    case CS_E_MISUSE:
      return "refused";
    case CS_E_HELD:
      return "held";
    case CS_E_DAMAGED:
      return "damaged";
    case CS_E_INCOMPATIBLE:
      return "incompatible";
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "no-space";
    default:
      return "system";
    }
}

/* Raises.  The key and the first three arguments are those of misc-error, as
   in workspaces of 0.1.0; (coldstore) makes a workspace error of the last
   argument.  */
static void
fail (const char *procedure, const struct cs_err *err)
{
  SCM text = scm.from_locale_string (err->text);
  SCM advice = err->advice[0] ? scm.from_locale_string (err->advice)
                              : SCM_BOOL_F;

  scm.error (scm.from_utf8_symbol ("misc-error"), procedure, "~A",
             list (&text, 1),
             list ((const SCM[]) {
               scm.from_utf8_symbol (error_kind (err->code)), text, advice
             }, 3));
}

static SCM
checkpoint (void)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_checkpoint (&err) != 0)
    fail ("checkpoint!", &err);
  return scm.from_uint64 (cs_store_superblock (cs_process.store)->generation);
}

static SCM
answer_signals (void)
{
  cs_answer ();
  return SCM_UNSPECIFIED;
}

static SCM
workspace_file (void)
{
  return scm.from_locale_string (cs_store_path (cs_process.store));
}

static SCM
workspace_generation (void)
{
  return scm.from_uint64 (cs_store_superblock (cs_process.store)->generation);
}

/* When the last commit was made, what the store takes up on disk, how many
   older generations it keeps, whether it is saved, and how the last
   checkpoint failed or #f.  */
static SCM
workspace_status (void)
{
  const struct cs_superblock_disk *sb = cs_store_superblock (cs_process.store);
  struct cs_err err;

  cs_last_error_get (CS_LAST_ERROR_COMMIT, err.text, sizeof err.text);
  return list ((const SCM[]) {
    scm.from_int64 (sb->committed_at),
    scm.from_uint64 (cs_store_disk_usage (cs_process.store)),
    scm.from_uint64 (sb->history),
    scm_from_bool (cs_state_will_save ()),
    err.text[0] ? scm.from_locale_string (err.text) : SCM_BOOL_F
  }, 5);
}

/* Triples of a generation, its time, and how many bytes its commit changed
   or #f; newest first.  */
static SCM
workspace_generations (void)
{
  size_t nr;
  struct cs_generation *g = cs_store_generations (cs_process.store, &nr);
  SCM generations = SCM_EOL;

  while (g && nr-- > 0)
    generations = scm.cons (list ((const SCM[]) {
      scm.from_uint64 (g[nr].generation),
      scm.from_int64 (g[nr].committed_at),
      g[nr].changed == 0 ? SCM_BOOL_F
                         : scm.from_uint64 (g[nr].changed * CS_STORE_PAGE_LEN)
    }, 3), generations);
  free (g);
  return generations;
}

static SCM
set_workspace_history (SCM nr)
{
  struct cs_err err = CS_ERR_INIT;

  if (!cs_state_will_save ())
    {
      cs_err_set (&err, CS_E_REFUSED, "cannot set the history of '%s': this"
                  " process was not started to save it",
                  cs_store_path (cs_process.store));
      fail ("set-workspace-history!", &err);
    }
  cs_store_set_history (cs_process.store, scm.to_uint32 (nr));
  return SCM_UNSPECIFIED;
}

static SCM
save_policy (void)
{
  return scm.from_utf8_symbol (cs_save_policy_name ());
}

/* NAME is a string.  Returns whether there is such a policy.  */
static SCM
set_save_policy (SCM name)
{
  char text[16];
  size_t len = scm.to_locale_stringbuf (name, text, sizeof text - 1);

  if (len >= sizeof text)
    return SCM_BOOL_F;
  text[len] = '\0';
  return scm_from_bool (cs_save_policy_set (text));
}

/* EXPRESSION is a string or #f.  libguile's own copy of it would be of the
   collector's memory.  */
static SCM
rollback (SCM expression, SCM in_repl)
{
  struct cs_err err = CS_ERR_INIT;
  size_t len = 0;
  char *text = NULL;

  if (scm_is_true (expression))
    {
      len = scm.to_locale_stringbuf (expression, NULL, 0);
      text = calloc (len + 1, 1);
      if (text)
        scm.to_locale_stringbuf (expression, text, len);
    }
  if (text || len == 0)
    cs_rollback (text, scm_is_true (in_repl), &err);
  else
    cs_err_sys (&err, ENOMEM, "cannot go back to the last commit");
  free (text);
  fail ("rollback!", &err);
  return SCM_UNSPECIFIED;
}

/* Pairs of a symbol and a string, oldest first.  */
static SCM
resume_report (void)
{
  const struct cs_report_entry_disk *line;
  SCM lines = SCM_EOL;
  uint64_t n = 0;

  while ((line = cs_report_own (&n)))
    lines = scm.cons (scm.cons (scm.from_utf8_symbol
                                  (cs_report_word (line->kind)),
                                scm.from_locale_string (line->text)), lines);
  return scm.reverse_x (lines, SCM_EOL);
}

static SCM
mutex_is_old (SCM mutex)
{
  return scm_from_bool (cs_mutex_is_old (mutex));
}

static SCM
mutex_was_abandoned (SCM mutex)
{
  return scm_from_bool (cs_mutex_was_abandoned (mutex));
}

#define MAIN "coldstore"
#define REPL "coldstore repl"
#define THREADS "coldstore threads"
#define ENVIRONMENT "coldstore environment"
#define LOADING "coldstore loading"

/* Those of a module are Scheme procedures; the others are called from C.  */
static const struct
{
  const char *module;
  const char *name;             /* in the intern table, and of the procedure */
  int nr_arguments;
  scm_t_subr function;
} primitives[] = {
  { MAIN, CS_SCHEME_API_PARK, 0, cs_threads_await_release },
  { MAIN, "%answer-signals", 0, answer_signals },
  { MAIN, "%checkpoint!", 0, checkpoint },
  { MAIN, "%workspace-file", 0, workspace_file },
  { MAIN, "%workspace-generation", 0, workspace_generation },
  { MAIN, "%workspace-status", 0, workspace_status },
  { MAIN, "%workspace-generations", 0, workspace_generations },
  { MAIN, "%set-workspace-history!", 1, set_workspace_history },
  { MAIN, "%rollback!", 2, rollback },
  { MAIN, "%resume-report", 0, resume_report },
  { THREADS, "%mutex-is-old?", 1, mutex_is_old },
  { THREADS, "%mutex-was-abandoned?", 1, mutex_was_abandoned },
  { NULL, "print-lost-port", 0, cs_ports_print_lost },
  { NULL, "finalize-pointer", 0, cs_pointers_finalize },
  { NULL, "print-ended", 0, cs_pointers_print_ended },
  /* Stores of earlier versions have no entries from here on.  */
  { MAIN, "%workspace-save-policy", 0, save_policy },
  { MAIN, "%set-workspace-save-policy!", 1, set_save_policy }
};

#define NR_PRIMITIVES (sizeof primitives / sizeof *primitives)

int
cs_scheme_api_intern (struct cs_scheme_api_disk *image, struct cs_err *err)
{
  const struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_USED
  };
  long entry;

  for (size_t i = 0; i < NR_PRIMITIVES; i++)
    {
      entry = cs_table_add (cs_process.table, CS_SCHEME_API_LIBRARY,
                            primitives[i].name, "", &fields);
      if (entry < 0)
        return cs_err_sys (err, (int) -entry, "cannot intern '%s'",
                           primitives[i].name);
      image->entries[i] = (uint32_t) entry;
    }
  cs_scheme_api_restore (image);
  return 0;
}

uint64_t
cs_scheme_api_trampoline (const struct cs_scheme_api_disk *image,
                          const char *name)
{
  size_t i = 0;

  while (i < NR_PRIMITIVES && strcmp (primitives[i].name, name) != 0)
    i++;
  assert (i < NR_PRIMITIVES);
  return cs_intern_trampoline (cs_process.table, image->entries[i]);
}

void
cs_scheme_api_restore (const struct cs_scheme_api_disk *image)
{
  for (size_t i = 0; i < NR_PRIMITIVES; i++)
    if (image->entries[i] > 0
        && image->entries[i] < cs_process.table->count)
      cs_intern_bind (cs_process.table, image->entries[i],
                      (uintptr_t) primitives[i].function);
}

/* A procedure for primitive I, defined in MODULE.  */
static void
define (const struct cs_scheme_api_disk *image, size_t i, SCM module)
{
  uint64_t addr = cs_intern_trampoline (cs_process.table, image->entries[i]);
  SCM procedure = scm.c_make_gsubr (primitives[i].name,
                                    primitives[i].nr_arguments, 0, 0,
                                    (scm_t_subr) (uintptr_t) addr);

  scm.c_module_define (module, primitives[i].name, procedure);
}

/* The variable NAME of the module called MODULE, and its value.  */
static uint64_t
variable_of (const char *module, const char *name)
{
  return SCM_UNPACK (scm.c_private_lookup (module, name));
}

static uint64_t
value_of (const char *module, const char *name)
{
  return SCM_UNPACK (scm.variable_ref (scm.c_private_lookup (module, name)));
}

/* A module of scheme/.  */
struct builtin
{
  const char *name;
  const char *text;
  const char *code;
  const size_t *code_len;
};

#define BUILTIN(name, stem) \
  { name, cs_scheme_##stem##_text, cs_scheme_##stem##_code, \
    &cs_scheme_##stem##_code_len }

/* In the order of what they use of each other.  */
static const struct builtin builtins[] = {
  BUILTIN (MAIN, coldstore),
  BUILTIN (REPL, repl),
  BUILTIN (THREADS, threads),
  BUILTIN (ENVIRONMENT, environment),
  BUILTIN (LOADING, loading)
};

static SCM
run_code (void *closure)
{
  const struct builtin *builtin = closure;
  SCM load = scm.variable_ref (scm.c_private_lookup
                                 ("system vm loader",
                                  "load-thunk-from-memory"));
  SCM code = scm.c_make_bytevector (*builtin->code_len);

  memcpy (SCM_BYTEVECTOR_CONTENTS (code), builtin->code,
          *builtin->code_len);
  return scm.call_0 (scm.call_1 (load, code));
}

static SCM
evaluate_text (void *closure, SCM key, SCM arguments)
{
  (void) key;
  (void) arguments;
  return cs_evaluate (((const struct builtin *) closure)->text);
}

/* Compiled code is loaded in little time and leaves little behind; expanding
   and evaluating the text makes the JIT compile the whole expander, which
   every process would have in its memory.  A Guile that is older than that of
   the build may refuse the code, before any of it runs (3.0.8, libguile/
   loader.c, process_dynamic_segment).  */
static void
make (const struct cs_scheme_api_disk *image, const struct builtin *builtin)
{
  SCM outer = scm.current_module ();
  SCM module = scm.c_define_module (builtin->name, NULL, NULL);

  for (size_t i = 0; i < NR_PRIMITIVES; i++)
    if (primitives[i].module
        && strcmp (primitives[i].module, builtin->name) == 0)
      define (image, i, module);
  scm.internal_catch (SCM_BOOL_T, run_code, (void *) builtin, evaluate_text,
                      (void *) builtin);
  scm.set_current_module (outer);
}

void
cs_scheme_api_create (struct cs_scheme_api_disk *image)
{
  for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
    make (image, &builtins[i]);
  image->park = value_of (MAIN, CS_SCHEME_API_PARK);
  image->answer_signals = value_of (MAIN, "%answer-signals");
  image->before_checkpoint = value_of (MAIN, "before-checkpoint-hook");
  image->after_resume = value_of (MAIN, "after-resume-hook");
  image->resumed = value_of (THREADS, "resumed");
  image->srfi_modules = value_of (THREADS, "srfi-modules");
  image->srfi_18_is_ready = variable_of (THREADS, "srfi-18-is-ready");
  image->workers = variable_of ("ice-9 futures", "%workers");
  image->follow = value_of (ENVIRONMENT, "follow");
  image->keep_readline = value_of (REPL, "keep-readline!");
  image->restart_readline = value_of (REPL, "restart-readline!");
}
