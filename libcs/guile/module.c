/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* module.c -- the Scheme module (coldstore).  */

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "guile/api.h"
#include "guile/interpreter.h"
#include "guile/module.h"
#include "guile/ports.h"
#include "guile/signals.h"
#include "process/process.h"
#include "report.h"

static atomic_uint parked, releases;

static void *
wait_for_release (void *unused)
{
  unsigned before = atomic_load (&releases);

  atomic_fetch_add (&parked, 1);
  while (atomic_load (&releases) == before)
    poll (NULL, 0, 1);
  atomic_fetch_sub (&parked, 1);
  return unused;
}

/* Out of Guile mode, so that collections need not stop this thread.  */
static SCM
park (void)
{
  scm.without_guile (wait_for_release, NULL);
  return SCM_UNSPECIFIED;
}

unsigned
cs_module_parked (void)
{
  return atomic_load (&parked);
}

void
cs_module_release (void)
{
  atomic_fetch_add (&releases, 1);
}

static SCM
checkpoint (void)
{
  struct cs_err err = CS_ERR_INIT;

  if (cs_interpreter_checkpoint (&err) != 0)
    scm.misc_error ("checkpoint!", "~A",
                    scm.cons (scm.from_locale_string (err.text), SCM_EOL));
  return scm.from_uint64 (cs_store_superblock (cs_process.store)->generation);
}

static SCM
answer_signals (void)
{
  cs_signals_answer ();
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

/* Pairs of a symbol and a string, oldest first.  */
static SCM
resume_report (void)
{
  const struct cs_report_entry_disk *line;
  SCM list = SCM_EOL;
  uint64_t n = 0;

  while ((line = cs_report_own (&n)))
    list = scm.cons (scm.cons (scm.from_utf8_symbol
                                 (cs_report_word (line->kind)),
                               scm.from_locale_string (line->text)), list);
  return scm.reverse_x (list, SCM_EOL);
}

/* What begins with % is a Scheme procedure; the others are called from C.  */
static const struct
{
  const char *name;             /* in the intern table, and of the procedure */
  void *function;
} primitives[] = {
  { "%park", park },
  { "%answer-signals", answer_signals },
  { "%checkpoint!", checkpoint },
  { "%workspace-file", workspace_file },
  { "%workspace-generation", workspace_generation },
  { "%resume-report", resume_report },
  { "print-lost-port", cs_ports_print_lost }
};

#define NR_PRIMITIVES (sizeof primitives / sizeof *primitives)

int
cs_module_intern (struct cs_module_disk *image, struct cs_err *err)
{
  const struct cs_table_entry_disk fields = {
    .kind = CS_SYMBOL_FUNCTION, .flags = CS_TABLE_USED
  };
  long entry;

  for (size_t i = 0; i < NR_PRIMITIVES; i++)
    {
      entry = cs_table_add (cs_process.table, CS_MODULE_LIBRARY,
                            primitives[i].name, "", &fields);
      if (entry < 0)
        return cs_err_sys (err, (int) -entry, "cannot intern '%s'",
                           primitives[i].name);
      image->entries[i] = (uint32_t) entry;
    }
  cs_module_bind (image);
  return 0;
}

uint64_t
cs_module_trampoline (const struct cs_module_disk *image, const char *name)
{
  size_t i = 0;

  while (strcmp (primitives[i].name, name) != 0)
    i++;
  return cs_intern_trampoline (cs_process.table, image->entries[i]);
}

void
cs_module_bind (const struct cs_module_disk *image)
{
  for (size_t i = 0; i < NR_PRIMITIVES; i++)
    if (image->entries[i] < cs_process.table->count)
      cs_intern_bind (cs_process.table, image->entries[i],
                      (uintptr_t) primitives[i].function);
}

/* A procedure for primitive I, defined in MODULE.  */
static SCM
define (const struct cs_module_disk *image, size_t i, SCM module)
{
  uint64_t addr = cs_intern_trampoline (cs_process.table, image->entries[i]);
  SCM procedure = scm.c_make_gsubr (primitives[i].name, 0, 0, 0,
                                    (scm_t_subr) (uintptr_t) addr);

  scm.c_module_define (module, primitives[i].name, procedure);
  return procedure;
}

static uint64_t
hook (const char *name)
{
  return SCM_UNPACK (scm.variable_ref (scm.c_public_lookup ("coldstore",
                                                            name)));
}

SCM
cs_module_evaluate (const char *text)
{
  SCM port = scm.open_input_string (scm.from_utf8_string (text));
  SCM value = SCM_UNSPECIFIED;
  SCM form;

  for (form = scm.read (port); !scm_is_eq (form, SCM_EOF_VAL);
       form = scm.read (port))
    value = scm.primitive_eval (form);
  return value;
}

void
cs_module_make (struct cs_module_disk *image)
{
  SCM outer = scm.current_module ();
  SCM module = scm.c_define_module ("coldstore", NULL, NULL);

  image->park = SCM_UNPACK (define (image, 0, module));
  image->answer_signals = SCM_UNPACK (define (image, 1, module));
  for (size_t i = 2; i < NR_PRIMITIVES; i++)
    if (primitives[i].name[0] == '%')
      define (image, i, module);
  cs_module_evaluate (cs_module_text);
  scm.set_current_module (outer);
  image->before_checkpoint = hook ("before-checkpoint-hook");
  image->after_resume = hook ("after-resume-hook");
}

/* scm_with_guile reports what is not caught, and returns.  */
static void *
run_hook (void *bits)
{
  scm.c_run_hook (SCM_PACK ((scm_t_bits) *(uint64_t *) bits), SCM_EOL);
  return NULL;
}

void
cs_module_run_hook (uint64_t bits)
{
  SCM list = scm.hook_to_list (SCM_PACK ((scm_t_bits) bits));

  if (!scm_is_null (list))
    scm.with_guile (run_hook, &bits);
}
