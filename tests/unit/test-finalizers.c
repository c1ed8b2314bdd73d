/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-finalizers.c -- libgc's notifier while the finalizer thread is held, with
   functions in place of libguile's and libgc's.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guile/finalizers.h"
#include "guile/functions.h"

static GC_finalizer_notifier_proc given;        /* to libgc */
static unsigned nr_called;
static int enabled;

static void GC_CALLBACK
notifier_of_guile (void)
{
  nr_called++;
}

static void GC_CALLBACK
set_notifier (GC_finalizer_notifier_proc notifier)
{
  given = notifier;
}

static int
set_enabled (int on)
{
  int before = enabled;

  enabled = on;
  cs_finalizers_set_notifier (on ? notifier_of_guile : NULL);
  return before;
}

static void *
call (void *(*body) (void *), void *closure)
{
  return body (closure);
}

static int
begin (void **state)
{
  (void) state;
  scm.set_automatic_finalization_enabled = set_enabled;
  scm.with_guile = call;
  gc.set_finalizer_notifier = set_notifier;
  nr_called = 0;
  cs_finalizers_restore ();
  return 0;
}

static void
calls_guile (void **state)
{
  (void) state;
  assert_non_null (given);
  given ();
  assert_int_equal (nr_called, 1);
  cs_finalizers_set_notifier (NULL);
  assert_null (given);
}

/* A collection had the notifier in hand when the thread was ended.  */
static void
waits_while_held (void **state)
{
  GC_finalizer_notifier_proc in_hand = given;

  (void) state;
  cs_finalizers_save ();
  assert_false (enabled);
  assert_null (given);
  /* A fork on another thread sets it; the image must not have it.  */
  cs_finalizers_set_notifier (notifier_of_guile);
  assert_null (given);
  in_hand ();
  in_hand ();
  assert_int_equal (nr_called, 0);
  cs_finalizers_release ();
  assert_true (enabled);
  assert_int_equal (nr_called, 1);
  assert_non_null (given);
  given ();
  assert_int_equal (nr_called, 2);
}

static void
not_told_when_nothing_was_missed (void **state)
{
  (void) state;
  cs_finalizers_save ();
  cs_finalizers_release ();
  assert_int_equal (nr_called, 0);
}

/* A child that was forked meanwhile has no thread, and begins one.  */
static void
begins_in_a_child (void **state)
{
  (void) state;
  cs_finalizers_save ();
  cs_finalizers_fork_prepare ();
  cs_finalizers_fork_child ();
  assert_true (enabled);
  given ();
  assert_int_equal (nr_called, 1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (calls_guile, begin),
    cmocka_unit_test_setup (waits_while_held, begin),
    cmocka_unit_test_setup (not_told_when_nothing_was_missed, begin),
    cmocka_unit_test_setup (begins_in_a_child, begin)
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
