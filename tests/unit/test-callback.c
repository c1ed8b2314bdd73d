/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-callback.c -- libffi's closures that outlive their process, with the
   system's libffi, at another address in each.  */

#include <dlfcn.h>

#include "process-fixture.h"

#define LIBFFI "libffi.so.8"
#define CLOSURE_LEN 56          /* sizeof (ffi_closure) on x86-64 */
#ifdef __x86_64__
# define DEFAULT_ABI 2          /* FFI_UNIX64 */
#else
# define DEFAULT_ABI 1          /* FFI_SYSV */
#endif
#define MANY 300

/* In section "test", so that all of them are kept.  */
struct call_data                /* for int (*) (int) */
{
  char cif[128], type[32];      /* ffi_cif, ffi_type */
  void *arguments[1];
  int32_t addends[MANY];
  uint32_t nr;
};

static void **
pointers (void)
{
  return (void **) (words->word + 8);
}

static struct call_data *
call_data (void)
{
  return (struct call_data *) pointers ()[0];
}

static void
load_libffi (void)
{
  CHECK (dlopen (LIBFFI, RTLD_NOW | RTLD_GLOBAL));
  words->word[0] = (uintptr_t) dlsym (RTLD_DEFAULT, "ffi_prep_cif");
}

static void
add (void *cif, void *result, void **arguments, void *data)
{
  long sum = (long) *(int *) arguments[0] + *(int32_t *) data;

  CHECK (cif == call_data ()->cif);
  /* libffi wants small results as wide as a register.  */
  memcpy (result, &sum, sizeof sum);
}

static void
prepare_cif (void)
{
  int (*prep_cif) (void *, int, unsigned, void *, void **)
    = (int (*) (void *, int, unsigned, void *, void **))
      dlsym (RTLD_DEFAULT, "ffi_prep_cif");
  const void *type = dlsym (RTLD_DEFAULT, "ffi_type_sint32");
  struct call_data *data;

  CHECK (prep_cif && type);
  data = cs_store_map (cs_process.store, sizeof *data, RW, CS_EXTENT_HEAP);
  CHECK (data);
  pointers ()[0] = data;
  memcpy (data->type, type, 24);        /* sizeof (ffi_type) */
  data->arguments[0] = data->type;
  CHECK (prep_cif (data->cif, DEFAULT_ABI, 1, data->type, data->arguments)
         == 0);
}

/* A new callback that adds ADDEND.  */
static void *
make (int32_t addend)
{
  struct call_data *data = call_data ();
  void *code = NULL, *closure = cs_callback_alloc (CLOSURE_LEN, &code);

  CHECK (closure && closure == code && is_in_store (code));
  CHECK ((uintptr_t) code % 64 == 0);
  data->addends[data->nr] = addend;
  CHECK (cs_callback_prepare (closure, data->cif, (void *) add,
                              &data->addends[data->nr], code) == 0);
  data->nr++;
  return code;
}

static int
call (void *code, int x)
{
  return ((int (*) (int)) code) (x);
}

static void
make_some (void)
{
  begin ();
  load_libffi ();
  prepare_cif ();
  pointers ()[1] = make (10);
  pointers ()[2] = make (20);
  pointers ()[3] = make (30);
  cs_callback_free (pointers ()[2]);
  CHECK (call (pointers ()[1], 1) == 11 && call (pointers ()[3], 1) == 31);
  CHECK (cs_process.image->nr_arenas == 0);
  save_and_leave ();
}

/* As cs-run does it: libffi is there before cs_process_resume(), at another
   address, since its own is taken.  */
static void
resume_with_libffi (void)
{
  uint64_t before = words->word[0];
  void *place = (void *) (uintptr_t) (before & -(uint64_t) PAGE);

  CHECK (mmap (place, PAGE, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
         == place);
  load_libffi ();
  CHECK (words->word[0] != before);
  cs_process_resume ();
}

static void
call_again (void)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (reopen_store (CS_STORE_WRITE, &err) == 0);
  resume_with_libffi ();
  CHECK (call (pointers ()[1], 2) == 12 && call (pointers ()[3], 2) == 32);
  /* The free one is used again.  */
  CHECK (make (40) == pointers ()[2]);
  CHECK (call (pointers ()[2], 2) == 42);
  cs_callback_free (pointers ()[2]);
  save_and_leave ();
}

static void
next_process (void)
{
  CHECK (in_child (make_some) == 0);
  CHECK (in_child (call_again) == 0);
}

static void *codes[MANY];

static void
make_many (void)
{
  begin ();
  load_libffi ();
  prepare_cif ();
  for (int i = 0; i < MANY; i++)
    codes[i] = make (i);
  CHECK (cs_process.image->nr_callbacks == 4);
  for (int i = 0; i < MANY; i++)
    CHECK (call (codes[i], 5) == i + 5);
  for (int i = 0; i < MANY; i++)
    cs_callback_free (codes[i]);
  call_data ()->nr = 0;
  for (int i = 0; i < MANY; i++)
    CHECK (call (make (i), 7) == i + 7);
  CHECK (cs_process.image->nr_callbacks == 4);
}

/* The cif was collected, and its memory given back.  */
static void
collect_cif (void)
{
  begin ();
  load_libffi ();
  prepare_cif ();
  words->word[1] = (uintptr_t) make (1);
  CHECK (cs_store_unmap (cs_process.store, call_data (),
                         sizeof *call_data ()) == 0);
  save_and_leave ();
}

static void
resume_without_cif (void)
{
  struct cs_err err = CS_ERR_INIT;

  CHECK (reopen_store (CS_STORE_WRITE, &err) == 0);
  resume_with_libffi ();
  cs_callback_free ((void *) (uintptr_t) words->word[1]);
  CHECK (cs_process.image->free_callback == words->word[1]);
}

static void
cif_gone (void)
{
  CHECK (in_child (collect_cif) == 0);
  CHECK (in_child (resume_without_cif) == 0);
}

/* A closure is prepared again and again, here and at each resume.  */
static void
static_trampolines (void)
{
  char path[512];
  void *code;
  uintptr_t *closure;

  begin ();
  snprintf (path, sizeof path, "%s/closures.so", getenv ("CS_TEST_ELF_DIR"));
  CHECK (dlopen (path, RTLD_NOW | RTLD_GLOBAL));
  closure = cs_callback_alloc (CLOSURE_LEN, &code);
  CHECK (closure);
  for (uintptr_t fun = 1; fun < 4; fun++)
    {
      CHECK (cs_callback_prepare (closure, words, (void *) fun, words, code)
             == 0);
      CHECK (closure[1] == fun);
    }
}

static void
refused (void)
{
  void *code = NULL;
  char *closure;

  begin ();
  load_libffi ();
  prepare_cif ();
  CHECK (!cs_callback_alloc (0, &code) && !cs_callback_alloc (4096, &code));
  CHECK (!code);
  closure = cs_callback_alloc (CLOSURE_LEN, &code);
  CHECK (closure);
  memset (call_data ()->cif, 0xff, 4);          /* its ABI */
  CHECK (cs_callback_prepare (closure, call_data ()->cif, (void *) add, NULL,
                              closure) != 0);
  cs_callback_free (NULL);
  cs_callback_free (closure);
  cs_callback_free (closure);
  CHECK (cs_callback_alloc (CLOSURE_LEN, &code) == closure);
  CHECK (cs_callback_alloc (CLOSURE_LEN, &code) != closure);
}

static const struct test_case cases[] = {
  { "callbacks are called in the next process, with its libffi",
    next_process },
  { "areas grow, and free slots are used again", make_many },
  { "a callback whose cif was collected is passed over", cif_gone },
  { "a closure is cleared before libffi has it", static_trampolines },
  { "what libffi or a slot does not take is refused", refused },
};

static void
look_for_libffi (void)
{
  _exit (dlopen (LIBFFI, RTLD_LAZY) ? 0 : 1);
}

int
main (void)
{
  /* Not in this process, where it would stay at one address.  */
  if (in_child (look_for_libffi) != 0)
    {
      printf ("1..0 # SKIP no " LIBFFI "\n");
      return 0;
    }
  return run_cases (cases, sizeof cases / sizeof *cases);
}
