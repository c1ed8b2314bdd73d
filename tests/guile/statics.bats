#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# statics.bats -- variables of an extension that lead to what another library
# had in an earlier process.

load helper

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
  ulimit -c 0
}

# A library with a state, a block of its own and memory that it maps; an
# extension that keeps their addresses.
keeping_extension ()
{
  c_library state -Wl,-soname,libstate.so <<'E'
#include <stdlib.h>
#include <sys/mman.h>
static struct { int (*call) (void); int n; } state;
static int call (void) { return ++state.n; }
void *state_get (void) { state.call = call; return &state; }
void *state_new (void) { return calloc (1, 100); }
void *state_map (void)
{
  return mmap (0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
E
  extension e -L. -lstate <<'E'
#include <stdlib.h>
#include <libguile.h>
void *state_get (void), *state_new (void), *state_map (void);
struct { int (*call) (void); int n; } *exported;
static void *volatile mapped, *volatile block, *volatile own;
static volatile long number = 123456789012345;
static volatile double fraction = 0.1;
static SCM get (void) { exported = state_get (); return SCM_UNSPECIFIED; }
static SCM map (void) { mapped = state_map (); return SCM_UNSPECIFIED; }
static SCM new (void) { block = state_new (); return SCM_UNSPECIFIED; }
static SCM keep (void) { own = calloc (1, 100); return SCM_UNSPECIFIED; }
static SCM call (void) { return scm_from_int (exported->call ()); }
static SCM call_made (void) { if (!exported) get (); return call (); }
static SCM is_null (void) { return scm_from_bool (!mapped && !block); }
void init_e (void)
{
  scm_c_define_gsubr ("get", 0, 0, 0, get);
  scm_c_define_gsubr ("map!", 0, 0, 0, map);
  scm_c_define_gsubr ("new", 0, 0, 0, new);
  scm_c_define_gsubr ("keep", 0, 0, 0, keep);
  scm_c_define_gsubr ("call", 0, 0, 0, call);
  scm_c_define_gsubr ("call-made", 0, 0, 0, call_made);
  scm_c_define_gsubr ("null?!", 0, 0, 0, is_null);
}
E
}

told='(use-modules (coldstore)) (write (map cdr (resume-report)))'

@test "nothing is told of variables that lead nowhere else" {
  keeping_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (keep)"
  answers '()' "$told"
}

@test "an address of another library's variable is told of, once" {
  local end

  keeping_extension
  for end in persist killed; do
    store_fresh
    $end "(load-extension \"$PWD/libe\" \"init_e\") (get) (write (call))"
    answers '("what variable exported of extension libe.so led to: memory of libstate.so")' "$told"
    answers '()' "$told"
  done
}

@test "one of memory that is nobody's, or was borrowed, of a static variable" {
  keeping_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (map!) (new)"
  run_in "$STORE" "$told"
  ended 0
  [[ $output =~ ^\(\"what\ variable\ at\ offset\ 0x[0-9a-f]+\ of\ extension\ libe.so\ led\ to:\ memory\ of\ another\ library\"\ \"what\ variable\ at\ offset\ 0x[0-9a-f]+\ of\ extension\ libe.so\ led\ to:\ memory\ of\ another\ library\"\)$ ]] || show
}

@test "a crash for it names both, and the rule; with the rule there is none" {
  keeping_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (get)"
  fails 139 '(call)'
  complained 'extension libe.so'
  complained "libe.so kept an address of libstate.so: in a workspace whose policy has 'restart libe.so' it begins again"
  answers '(1 2)' "(get) (write (list (call) (call)))"
  (cat "$BATS_TEST_DIRNAME"/../../policy/guile-3.0.pol; echo 'restart libe.so') > p.pol
  bounded cs-create --force --policy p.pol "$STORE" < /dev/null
  persist "(load-extension \"$PWD/libe\" \"init_e\") (get)"
  answers '()' "$told"
  answers '1' "(load-extension \"$PWD/libe\" \"init_e\") (get) (write (call))"
}

@test "what the last save found is what counts: a checkpoint looks again" {
  keeping_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (get)"
  persist '(get) ((@ (coldstore) checkpoint!)) (write (call))'
  answers '("what variable exported of extension libe.so led to: memory of libstate.so")' "$told"
}

@test "such a variable is NULL in the next process; others are as they were" {
  local end

  keeping_extension
  for end in persist killed; do
    store_fresh
    $end "(load-extension \"$PWD/libe\" \"init_e\") (call-made) (map!) (new) (keep) (if (null?!) (error \"is null\"))"
    answers '(#t 1 2)' '(write (list (null?!) (call-made) (call-made)))'
    answers '1' '(write (call-made))'
  done
}

@test "where an extension is C++, one that leads to a block stays" {
  keeping_extension
  cc -shared -o libf.so -l:libstdc++.so.6 2> /dev/null || skip "no libstdc++ here"
  extension e -L. -lstate -Wl,--no-as-needed -l:libstdc++.so.6 <<'E'
#include <libguile.h>
void *state_new (void), *state_map (void);
static void *volatile block, *volatile mapped;
static SCM set (void) { block = state_new (); mapped = state_map (); return SCM_UNSPECIFIED; }
static SCM get (void) { return scm_list_2 (scm_from_bool (block), scm_from_bool (mapped)); }
void init_e (void)
{
  scm_c_define_gsubr ("set", 0, 0, 0, set);
  scm_c_define_gsubr ("get", 0, 0, 0, get);
}
E
  persist "(load-extension \"$PWD/libe\" \"init_e\") (set)"
  answers '(#t #f)' '(write (get))'
}
