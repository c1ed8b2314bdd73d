/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* callback.c -- C pointers to Scheme procedures: libffi's closures.

   procedure->pointer makes a closure and hands its code address to the
   heap (Guile 3.0.8, libguile/foreign.c, scm_procedure_to_pointer).  Here a
   closure is a slot of the store, writable and executable at one address,
   so that the address stays.  libffi writes two things into it: a jump to
   its own code, and cif, function and user data (3.4, src/x86/ffi64.c,
   ffi_prep_closure_loc).  The latter three are of the store, but libffi's
   code imports: at a resume every closure is prepared again.

   A closure is cleared before that: a libffi with static trampolines takes
   what is not zero in its first word for one of them (3.4, src/tramp.c,
   ffi_tramp_is_present), and otherwise writes code into the closure.

   Slots come from areas, each twice as large as the one before.  A thread
   that is stopped anywhere in here leaks a slot at most.  */

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "process/private.h"

#define CLOSURE_MAX 96          /* sizeof (ffi_closure) is 56 on x86-64 */
#define STATUS_BAD_ABI 2        /* FFI_BAD_ABI */

struct slot
{
  unsigned char closure[CLOSURE_MAX];
  uint32_t len;                 /* of the closure; 0 while free */
  uint32_t prepared;
  uint64_t cif, data;           /* arguments of ffi_prep_closure_loc */
  union
  {
    uint64_t fun;
    uint64_t next;              /* of the free ones; 0 ends the list */
  };
};

_Static_assert (sizeof (struct slot) == CS_PROCESS_CALLBACK_LEN,
                "as the manual page says");

typedef int prepare_function (void *closure, void *cif, void *fun,
                              void *data, void *code);

static pthread_mutex_t callback_lock = PTHREAD_MUTEX_INITIALIZER;

void
cs_callback_hold (void)
{
  cs_locks_lock (&callback_lock);
}

void
cs_callback_release (void)
{
  cs_locks_unlock (&callback_lock);
}

/* The slot at ADDR, or NULL if there is none.  */
static struct slot *
slot_at (uint64_t addr)
{
  const struct cs_process_disk *image = cs_process.image;
  const struct cs_callbacks_disk *area;
  uint64_t off;

  for (uint64_t i = 0; i < image->nr_callbacks; i++)
    {
      area = &image->callbacks[i];
      off = addr - area->addr;
      if (off < (uint64_t) area->nr_used * sizeof (struct slot)
          && off % sizeof (struct slot) == 0)
        return (struct slot *) (uintptr_t) addr;
    }
  return NULL;
}

static struct cs_callbacks_disk *
new_area (void)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_callbacks_disk *area = &image->callbacks[image->nr_callbacks];
  size_t len = (size_t) CS_STORE_PAGE_LEN << image->nr_callbacks;
  void *addr;

  if (image->nr_callbacks == CS_PROCESS_CALLBACKS_MAX)
    return NULL;
  addr = cs_store_map (cs_process.store, len,
                       PROT_READ | PROT_WRITE | PROT_EXEC, CS_EXTENT_HEAP);
  if (!addr)
    return NULL;
  *area = (struct cs_callbacks_disk) {
    .addr = (uintptr_t) addr,
    .nr_slots = (uint32_t) (len / sizeof (struct slot))
  };
  image->nr_callbacks++;
  return area;
}

static struct slot *
take_new (void)
{
  struct cs_process_disk *image = cs_process.image;
  struct cs_callbacks_disk *area = NULL;

  if (image->nr_callbacks > 0)
    area = &image->callbacks[image->nr_callbacks - 1];
  if (!area || area->nr_used == area->nr_slots)
    area = new_area ();
  return area ? (struct slot *) (uintptr_t) area->addr + area->nr_used++
              : NULL;
}

static struct slot *
take (void)
{
  struct cs_process_disk *image = cs_process.image;
  struct slot *slot = slot_at (image->free_callback);

  if (!slot)
    return take_new ();
  image->free_callback = slot->next;
  return slot;
}

void *
cs_callback_alloc (size_t len, void **code)
{
  struct slot *slot;

  if (len == 0 || len > CLOSURE_MAX)
    return NULL;
  cs_locks_lock (&callback_lock);
  slot = take ();
  if (slot)
    *slot = (struct slot) { .len = (uint32_t) len };
  cs_locks_unlock (&callback_lock);
  if (slot)
    *code = slot;
  return slot;
}

/* Today's function NAME of libffi, which was loaded for libguile.  */
static void *
libffi (const char *name)
{
  return dlsym (RTLD_DEFAULT, name);
}

static int
prepare (struct slot *slot, void *cif, void *fun, void *data)
{
  prepare_function *function
    = (prepare_function *) libffi ("ffi_prep_closure_loc");

  memset (slot->closure, 0, sizeof slot->closure);
  if (!function)
    return STATUS_BAD_ABI;
  return function (slot->closure, cif, fun, data, slot->closure);
}

int
cs_callback_prepare (void *closure, void *cif, void *fun, void *data,
                     void *code)
{
  struct slot *slot;
  prepare_function *function;
  int status;

  cs_locks_lock (&callback_lock);
  slot = slot_at ((uintptr_t) closure);
  cs_locks_unlock (&callback_lock);
  if (!slot)
    {
      function = (prepare_function *) libffi ("ffi_prep_closure_loc");
      return function ? function (closure, cif, fun, data, code)
                      : STATUS_BAD_ABI;
    }
  slot->prepared = 0;
  status = prepare (slot, cif, fun, data);
  if (status != 0)
    return status;
  slot->cif = (uintptr_t) cif;
  slot->data = (uintptr_t) data;
  slot->fun = (uintptr_t) fun;
  slot->prepared = 1;
  return 0;
}

static void
give_back (struct slot *slot)
{
  if (slot->len == 0)
    return;
  memset (slot, 0, sizeof *slot);
  slot->next = cs_process.image->free_callback;
  cs_process.image->free_callback = (uintptr_t) slot;
}

void
cs_callback_free (void *closure)
{
  void (*function) (void *);
  struct slot *slot;

  cs_locks_lock (&callback_lock);
  slot = slot_at ((uintptr_t) closure);
  if (slot)
    give_back (slot);
  cs_locks_unlock (&callback_lock);
  if (slot || !closure)
    return;
  function = (void (*) (void *)) libffi ("ffi_closure_free");
  if (function)
    function (closure);
}

/* A closure whose cif the collector took already waits for its finalizer,
   and is not called any more.  */
static void
resume_slot (struct slot *slot)
{
  if (slot->prepared
      && cs_store_view (cs_process.store, slot->cif, sizeof (uint64_t[4])))
    prepare (slot, (void *) (uintptr_t) slot->cif,
             (void *) (uintptr_t) slot->fun,
             (void *) (uintptr_t) slot->data);
}

void
cs_callback_resume (void)
{
  const struct cs_process_disk *image = cs_process.image;
  const struct cs_callbacks_disk *area;

  for (uint64_t i = 0; i < image->nr_callbacks; i++)
    {
      area = &image->callbacks[i];
      for (uint32_t n = 0; n < area->nr_used; n++)
        resume_slot ((struct slot *) (uintptr_t) area->addr + n);
    }
}
