/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* functions.h -- the functions of libguile and libgc that libcs calls.

   libcs is not linked against the interpreter: it comes out of the store.
   Its functions are looked up by name once it is loaded, into one table;
   `scm.cons (a, b)` calls scm_cons.  Types and macros come from libguile.h,
   but nothing of it that would need a symbol at link time.  */
#ifndef CS_FUNCTIONS_H
#define CS_FUNCTIONS_H

/* libgc declares its thread functions only then (gc.h, GC_THREADS).  */
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include <gc/gc.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <libguile.h>

#include "image/guile.h"
#include "intern/library.h"

/* Each is called scm_NAME in libguile.  */
#define CS_GUILE_FUNCTIONS(F)                                           \
  F (all_threads)                                                       \
  F (broadcast_condition_variable)                                      \
  F (c_catch)                                                           \
  F (c_define_module)                                                   \
  F (c_make_bytevector)                                                 \
  F (c_make_gsubr)                                                      \
  F (c_module_define)                                                   \
  F (c_port_for_each)                                                   \
  F (c_private_lookup)                                                  \
  F (c_run_hook)                                                        \
  F (c_set_default_vm_engine_x)                                         \
  F (c_set_vm_engine_x)                                                 \
  F (call_0)                                                            \
  F (call_1)                                                            \
  F (call_2)                                                            \
  F (close_port)                                                        \
  F (cons)                                                              \
  F (current_dynamic_state)                                             \
  F (current_error_port)                                                \
  F (current_input_port)                                                \
  F (current_module)                                                    \
  F (current_output_port)                                               \
  F (current_thread)                                                    \
  F (current_warning_port)                                              \
  F (display)                                                           \
  F (dynwind_begin)                                                     \
  F (dynwind_current_module)                                            \
  F (dynwind_end)                                                       \
  F (end_input)                                                         \
  F (error)                                                             \
  F (fdes_to_port)                                                      \
  F (file_port_p)                                                       \
  F (fluid_set_x)                                                       \
  F (fluid_thread_local_p)                                              \
  F (flush)                                                             \
  F (free0)                                                             \
  F (from_int32)                                                        \
  F (from_int64)                                                        \
  F (from_locale_string)                                                \
  F (from_pointer)                                                      \
  F (from_stringn)                                                      \
  F (from_uint64)                                                       \
  F (from_utf8_string)                                                  \
  F (from_utf8_symbol)                                                  \
  F (get_output_string)                                                 \
  F (hashq_ref)                                                         \
  F (hashq_set_x)                                                       \
  F (hook_to_list)                                                      \
  F (i_new_double_smob)                                                 \
  F (i_new_smob)                                                        \
  F (internal_catch)                                                    \
  F (internal_hash_fold)                                                \
  F (make_condition_variable)                                           \
  F (make_mutex_with_kind)                                              \
  F (make_port_type)                                                    \
  F (make_smob_type)                                                    \
  F (make_weak_key_hash_table)                                          \
  F (misc_error)                                                        \
  F (mutex_level)                                                       \
  F (mutex_locked_p)                                                    \
  F (mutex_owner)                                                       \
  F (object_to_string)                                                  \
  F (open_input_string)                                                 \
  F (open_output_string)                                                \
  F (pointer_to_bytevector)                                             \
  F (port_filename)                                                     \
  F (primitive_eval)                                                    \
  F (print_exception)                                                   \
  F (procedure_p)                                                       \
  F (puts)                                                              \
  F (read)                                                              \
  F (reverse_x)                                                         \
  F (set_automatic_finalization_enabled)                                \
  F (set_current_dynamic_state)                                         \
  F (set_current_error_port)                                            \
  F (set_current_input_port)                                            \
  F (set_current_module)                                                \
  F (set_current_output_port)                                           \
  F (set_current_warning_port)                                          \
  F (set_pointer_finalizer_x)                                           \
  F (set_port_column_x)                                                 \
  F (set_port_line_x)                                                   \
  F (set_port_print)                                                    \
  F (set_smob_free)                                                     \
  F (set_smob_mark)                                                     \
  F (set_smob_print)                                                    \
  F (setlocale)                                                         \
  F (setvbuf)                                                           \
  F (shell)                                                             \
  F (sigaction_for_thread)                                              \
  F (signal_condition_variable)                                         \
  F (system_async_mark_for_thread)                                      \
  F (thread_exited_p)                                                   \
  F (throw)                                                             \
  F (timed_lock_mutex)                                                  \
  F (timed_wait_condition_variable)                                     \
  F (to_int32)                                                          \
  F (to_int64)                                                          \
  F (to_locale_stringbuf)                                               \
  F (to_uint32)                                                         \
  F (unlock_mutex)                                                      \
  F (variable_ref)                                                      \
  F (with_guile)                                                        \
  F (without_guile)

/* Variables: each is called scm_NAME in libguile.  */
#define CS_GUILE_VARIABLES(F)                                           \
  F (after_gc_hook)                                                     \
  F (smobs)                                                             \
  F (tc16_condvar)                                                      \
  F (tc16_mutex)                                                        \
  F (tc16_thread)

/* Each is called GC_NAME in libgc.  */
#define CS_GC_FUNCTIONS(F)                                              \
  F (add_roots)                                                         \
  F (allow_register_threads)                                            \
  F (base)                                                              \
  F (call_with_alloc_lock)                                              \
  F (disable)                                                           \
  F (enable)                                                            \
  F (free)                                                              \
  F (gcollect)                                                          \
  F (generic_malloc_many)                                               \
  F (get_kind_and_size)                                                 \
  F (get_stack_base)                                                    \
  F (get_suspend_signal)                                                \
  F (get_thr_restart_signal)                                            \
  F (init)                                                              \
  F (malloc)                                                            \
  F (malloc_atomic_uncollectable)                                       \
  F (malloc_kind)                                                       \
  F (new_free_list)                                                     \
  F (new_kind)                                                          \
  F (realloc)                                                           \
  F (register_finalizer_no_order)                                       \
  F (register_long_link)                                                \
  F (register_my_thread)                                                \
  F (set_all_interior_pointers)                                         \
  F (set_finalizer_notifier)                                            \
  F (set_min_bytes_allocd)                                              \
  F (set_on_collection_event)                                           \
  F (size)                                                              \
  F (start_mark_threads)                                                \
  F (thread_is_registered)                                              \
  F (unregister_long_link)                                              \
  F (unregister_my_thread)

/* Variables of type int: each is called GC_NAME in libgc.  */
#define CS_GC_VARIABLES(F)                                              \
  F (dont_gc)

struct cs_guile_functions
{
#define F(name) __typeof__ (&scm_##name) name;
  CS_GUILE_FUNCTIONS (F)
#undef F
};

struct cs_guile_data
{
#define F(name) __typeof__ (&scm_##name) name;
  CS_GUILE_VARIABLES (F)
#undef F
};

struct cs_gc_functions
{
#define F(name) __typeof__ (&GC_##name) name;
  CS_GC_FUNCTIONS (F)
#undef F
};

/* The header calls its declaration deprecated: there is no other way to set
   it.  */
struct cs_gc_data
{
#define F(name) int *name;
  CS_GC_VARIABLES (F)
#undef F
};

extern struct cs_guile_functions scm;
extern struct cs_guile_data scm_data;
extern struct cs_gc_functions gc;
extern struct cs_gc_data gc_data;

/* An object in the image, and back.  */
static inline SCM
scm_of (uint64_t bits)
{
  return SCM_PACK ((scm_t_bits) bits);
}

static inline uint64_t
bits_of (SCM value)
{
  return (uint64_t) SCM_UNPACK (value);
}

/* Take them from KEPT if it is of the same names, else, or if KEPT is NULL,
   look all of them up in SET.  -CS_E_INCOMPATIBLE names a missing one.  */
int cs_functions_load (const struct cs_library_set *set,
                       const struct cs_guile_functions_disk *kept,
                       struct cs_err *err);

/* Once in the life of a store, after cs_functions_load().  */
void cs_functions_create (struct cs_guile_functions_disk *kept);

#endif
